"""Preference Conditioning: the four conditionings of ViPer out of a positive, a negative and two lists of words.

A CONDITIONING is a list of entries ``[E (B, T, C), {…}]``; the dict carries pooled output, area, mask, strength, range,
control, hooks. No host in here: texts come in encoded (`host.Encoded` or anything of its shape).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from .shift import hold_norm, pad_tokens, shift

MODES = ("paper", "official")
ENCODINGS = ("joined",)


class Conditionings(NamedTuple):
    positive: list
    negative: list
    liked: list
    disliked: list


@dataclass(frozen=True)
class Side:
    """An encoded text and the degree (d₊ or d₋) it is added or taken away with."""

    encoded: Any
    degree: float


@dataclass(frozen=True)
class Texts:
    """E(VP+), E(VP−) and E(∅) of one text encoder."""

    liked: Any
    disliked: Any
    empty: Any


def joined_text(features: Iterable, weighted: bool) -> str:
    """VP+ or VP− as the paper encodes them: one ", " list. ``weighted`` writes weights as the host's ``(words:1.2)``."""
    words = []
    for feature in features:
        text = feature.text
        if weighted:
            text = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
            if abs(feature.weight - 1.0) > 0.005:
                text = f"({text}:{feature.weight:.2f})"
        words.append(text)
    return ", ".join(words)


def personalise(
    positive: list,
    negative: list,
    texts: Texts,
    beta: float,
    mode: str = "paper",
    beta_disliked: float | None = None,
    shift_pooled: bool = False,
    keep_norm: bool = False,
) -> Conditionings:
    """Shift the prompts (ViPer, arXiv 2407.17365) and give the conditionings of the guidance.

    ``paper``: ``p = E(p) + d₊ E(VP+) − d₋ E(VP−)`` (d₊ = d₋ = β), the negative stays.
    ``official`` (the authors' code): ``p = E(p) + d₊ E(VP+)``, ``n = E(n) + d₋ E(VP−)``.

    One liked and one disliked entry per positive entry, each with that entry's area, mask, strength, range, control and
    hooks. Their pooled output is the prompt's (in ``official`` the disliked side has the negative's, as in the authors'
    code), so that ε_vp is the words alone; ``shift_pooled`` moves the pooled output with the same formula and lets
    each side bring its own. With both degrees 0 the positive and negative come back as they are.
    """
    plus = Side(texts.liked, float(beta))
    minus = Side(texts.disliked, plus.degree if beta_disliked is None else float(beta_disliked))
    if mode == "paper":
        on_positive, on_negative = (plus, minus), ()
    else:
        on_positive, on_negative = (plus,), (minus,)
    options = (texts.empty, shift_pooled, keep_norm)

    out = Conditionings([], [], [], [])
    for i, entry in enumerate(positive):
        E, extra = entry
        _check(E, texts.empty.cond, "positive")
        # One length for all three, so that the host can evaluate them in one batch.
        length = max(E.shape[1], texts.liked.cond.shape[1], texts.disliked.cond.shape[1])
        out.positive.append(_shifted(entry, on_positive, length, *options))
        negative_extra = negative[min(i, len(negative) - 1)][1] if negative else extra
        disliked_pooled = extra if mode == "paper" else negative_extra
        out.liked.append(_side(texts.liked, extra, extra, length, texts.empty, shift_pooled))
        out.disliked.append(_side(texts.disliked, extra, disliked_pooled, length, texts.empty, shift_pooled))
    for entry in negative:
        E = entry[0]
        if on_negative:
            _check(E, texts.empty.cond, "negative")
        length = max([E.shape[1]] + [side.encoded.cond.shape[1] for side in on_negative])
        out.negative.append(_shifted(entry, on_negative, length, *options))
    return out


def _check(E, E_empty: torch.Tensor, name: str) -> None:
    if not isinstance(E, torch.Tensor) or E.ndim != 3:
        raise ValueError(
            f"The {name} conditioning holds no text embedding that could be shifted: connect one that comes from a text prompt."
        )
    if E.shape[2] != E_empty.shape[2]:
        raise ValueError(
            f"The {name} conditioning has {E.shape[2]} channels and this CLIP gives {E_empty.shape[2]}: "
            "connect the CLIP that encoded the prompt."
        )


def _shifted(entry: list, sides: tuple, length: int, empty, shift_pooled: bool, keep_norm: bool) -> list:
    """One entry moved by ``+ d₊ E₊`` (first side) and ``− d₋ E₋`` (second side, if any)."""
    E, extra = entry
    if all(side.degree == 0.0 for side in sides):
        return entry
    plus, minus = sides if len(sides) == 2 else (sides[0], Side(None, 0.0))
    E_p = pad_tokens(E, length, empty.cond)
    E_plus, E_minus = (None if s.encoded is None else pad_tokens(s.encoded.cond, length, empty.cond) for s in (plus, minus))
    p = shift(E_p, E_plus, E_minus, plus.degree, minus.degree)

    moved = dict(extra)
    masks = [_mask(extra, E, length)] + [_mask(s.encoded.extra, s.encoded.cond, length) for s in sides]
    if any(mask is not None for mask in masks):
        # A token that any of the summed prompts has is a token of the sum.
        moved["attention_mask"] = _union(masks, length, E)
    pooled = extra.get("pooled_output")
    if shift_pooled and pooled is not None and plus.encoded.pooled is not None:
        pooled_minus = None if minus.encoded is None else minus.encoded.pooled
        moved["pooled_output"] = shift(pooled, plus.encoded.pooled, pooled_minus, plus.degree, minus.degree)
    return [hold_norm(p, E_p) if keep_norm else p, moved]


def _side(encoded, entry: dict, pooled_from: dict, length: int, empty, own_pooled: bool) -> list:
    """VP+ or VP− as an entry in the place of the positive ``entry``."""
    extra = {**entry, **encoded.extra}
    pooled = encoded.pooled if own_pooled and encoded.pooled is not None else pooled_from.get("pooled_output")
    for key, value in (("attention_mask", _mask(encoded.extra, encoded.cond, length)), ("pooled_output", pooled)):
        if value is None:
            extra.pop(key, None)
        else:
            extra[key] = value
    return [pad_tokens(encoded.cond, length, empty.cond), extra]


def _mask(extra: dict, E: torch.Tensor, length: int) -> torch.Tensor | None:
    """The attention mask (…, T) of an embedding, lengthened with zeros: padding is nothing to attend to."""
    mask = extra.get("attention_mask")
    return None if mask is None else torch.nn.functional.pad(mask, (0, length - E.shape[1]))


def _union(masks: list, length: int, E: torch.Tensor) -> torch.Tensor:
    known = [m for m in masks if m is not None]
    out = known[0]
    for mask in known[1:]:
        out = torch.maximum(out, mask.to(out))
    if len(known) < len(masks):
        ones = torch.ones(E.shape[1], dtype=out.dtype, device=out.device)
        out = torch.maximum(out, torch.nn.functional.pad(ones, (0, length - E.shape[1])))
    return out
