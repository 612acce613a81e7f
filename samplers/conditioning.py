"""Preference Conditioning: the four conditionings of ViPer out of a positive, a negative and two lists of words.

A CONDITIONING is a list of entries ``[E (B, T, C), {…}]``; the dict carries pooled output, area, mask, strength, range,
control, hooks. No host in here: texts come in encoded (`host.Encoded` or anything of its shape).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from .shift import hold_norm, shift
from .tokens import align, shift_fields, side_fields, union_masks

MODES = ("paper", "official")


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
        text = escaped(feature.text) if weighted else feature.text
        if weighted and abs(feature.weight - 1.0) > 0.005:
            text = f"({text}:{feature.weight:.2f})"
        words.append(text)
    return ", ".join(words)


def escaped(text: str) -> str:
    """A text whose parentheses mean no weight to the host."""
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


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
        out.positive.append(_shifted(entry, on_positive, *options))
        negative_extra = negative[min(i, len(negative) - 1)][1] if negative else extra
        disliked_pooled = extra if mode == "paper" else negative_extra
        out.liked.append(_side(texts.liked, extra, extra, texts, shift_pooled))
        out.disliked.append(_side(texts.disliked, extra, disliked_pooled, texts, shift_pooled))
    for entry in negative:
        E = entry[0]
        if on_negative:
            _check(E, texts.empty.cond, "negative")
        out.negative.append(_shifted(entry, on_negative, *options))
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


def _shifted(entry: list, sides: tuple, empty, shift_pooled: bool, keep_norm: bool) -> list:
    """One entry moved by ``+ d₊ E₊`` (first side) and ``− d₋ E₋`` (second side, if any)."""
    E, extra = entry
    if all(side.degree == 0.0 for side in sides):
        return entry
    plus, minus = sides if len(sides) == 2 else (sides[0], Side(None, 0.0))
    E_p, *E_sides = align([E, *(s.encoded.cond for s in sides)], empty.cond)
    E_minus = E_sides[1] if len(sides) == 2 else None
    p = shift(E_p, E_sides[0], E_minus, plus.degree, minus.degree)

    moved = dict(extra)
    moved.update(union_masks(extra, E.shape[1], [(s.encoded.extra, s.encoded.cond.shape[1]) for s in sides], E_p.shape[1]))
    minus_extra = {} if minus.encoded is None else minus.encoded.extra
    moved.update(shift_fields(extra, plus.encoded.extra, minus_extra, empty.extra, plus.degree, minus.degree, keep_norm))
    pooled = extra.get("pooled_output")
    if shift_pooled and pooled is not None and plus.encoded.pooled is not None:
        pooled_minus = None if minus.encoded is None else minus.encoded.pooled
        moved["pooled_output"] = shift(pooled, plus.encoded.pooled, pooled_minus, plus.degree, minus.degree)
    return [hold_norm(p, E_p) if keep_norm else p, moved]


def _side(encoded, entry: dict, pooled_from: dict, texts: Texts, own_pooled: bool) -> list:
    """VP+ or VP− as an entry in the place of the positive ``entry``; its embedding is that of the words, at their own length.

    Lengthened to that of the prompt it would be another input: models whose encoders do not pad (Lumina, Z-Image, Qwen-Image)
    read every token, and place the image behind the last one. The host still evaluates in one batch what it can.
    """
    extra = side_fields(entry, encoded.extra, [texts.liked.extra, texts.disliked.extra, texts.empty.extra])
    pooled = encoded.pooled if own_pooled and encoded.pooled is not None else pooled_from.get("pooled_output")
    if pooled is None:
        extra.pop("pooled_output", None)
    else:
        extra["pooled_output"] = pooled
    return [encoded.cond, extra]
