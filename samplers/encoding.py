"""E(VP+) and E(VP−) so that no attribute is overlooked: one list as in the paper, or a mean that has no order.

The authors of ViPer (arXiv 2407.17365) name two limits of the text encoder: a prompt ends at 77 tokens, and what stands
at the end of a long list is overlooked. ``joined`` is their list. ``averaged`` encodes every feature by itself and
``shuffled`` the list in several orders; both take the mean. E(∅) is the encoder's empty prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch.nn.functional import pad

from .. import host
from ..vpe.preferences import normalise
from .conditioning import Texts, escaped, joined_text
from .tokens import align, is_mask

ENCODINGS = ("joined", "averaged", "shuffled")
ORDERS = 8


class Part(NamedTuple):
    """A text, and its share in a mean of several."""

    text: str
    share: float


def encode_preferences(clip, preferences, encoding: str = ENCODINGS[0]) -> Texts:
    """E(VP+), E(VP−) and E(∅) of a CLIP; every text is encoded once. Shows progress and stops on Cancel."""
    encoded = {"": host.encode_text(clip, "")}
    weighted = host.reads_weights(clip)
    sides = [(parts(side, encoding, weighted), yardsticks(side, encoding, weighted)) for side in (preferences.liked, preferences.disliked)]
    wanted = dict.fromkeys(text for mean, like in sides for text in (*(p.text for p in mean), *like) if text)
    bar = host.progress(len(wanted)) if wanted else None
    for text in wanted:
        host.stop_if_cancelled()
        encoded[text] = host.encode_text(clip, text)
        bar.update(1)
    liked, disliked = (
        mean_encoding([encoded[p.text] for p in mean], [p.share for p in mean], encoded[""], [encoded[text] for text in like])
        for mean, like in sides
    )
    return Texts(liked, disliked, encoded[""])


def parts(features: Iterable, encoding: str, weighted: bool) -> list[Part]:
    """The texts whose mean is E(VP), their shares adding up to one. ``weighted``: the CLIP reads ``(words:1.2)``.

    ``joined`` is one list in the order that the features came in. The others sort them first, so that the order cannot
    matter. ``averaged`` puts a feature's weight into its share, which every encoder can honour; its proportion to the others
    is what counts. A single feature is a list of one, and an empty side the empty prompt.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f'There is no encoding called "{encoding}": choose {", ".join(ENCODINGS)}.')
    features = list(features)
    if encoding == "joined" or len(features) < 2:
        return [Part(joined_text(features, weighted), 1.0)]
    if encoding == "averaged":
        total = sum(sorted(f.weight for f in features))
        return [Part(escaped(f.text) if weighted else f.text, f.weight / total) for f in canonical(features)]
    lists = orders(features)
    return [Part(joined_text(one, weighted), 1.0 / len(lists)) for one in lists]


def yardsticks(features: Iterable, encoding: str, weighted: bool) -> list[str]:
    """The lists whose strength the mean gets, so that β means the same in every encoding; none where nothing is mixed."""
    features = list(features)
    if encoding == "joined" or len(features) < 2:
        return []
    if encoding == "averaged":
        return [joined_text(canonical(features), weighted)]
    return [part.text for part in parts(features, encoding, weighted)]


def canonical(features: Iterable) -> list:
    """The features in the one order that does not depend on how they came."""
    return sorted(features, key=lambda f: (normalise(f.text), f.text, f.weight))


def orders(features: Iterable, count: int = ORDERS) -> list[list]:
    """At most ``count`` orders of the features: a shuffled one and its rotations by equal steps.

    Shuffled by hashes whose seed is the set of texts: the same set gives the same orders, wherever and however it came.
    Rotations, since then every feature stands once in every ``1/count`` of the list, where of 8 independent orders a third
    of the features would never come into the first eighth. 8, since each costs an encoding per side, and two seeds'
    means of 32 features still differ by 54 % of what one order differs by 116 % in (4: 76 %, 16: 37 %; pocket CLIP).
    """
    features = canonical(features)
    seed = "\n".join(normalise(f.text) for f in features)
    mixed = sorted(features, key=lambda f: hashlib.sha256(f"{seed}\n\n{normalise(f.text)}".encode()).digest())
    n = len(mixed)
    starts = sorted({k * n // count for k in range(count)}) if n > count else range(n)
    return [mixed[s:] + mixed[:s] for s in starts]


def mean_encoding(encoded: Sequence, shares: Sequence[float], empty, like: Sequence) -> host.Encoded:
    """The mean of several encoded texts, as strong as the texts in ``like``: see `mean_shift`. Of one text it is that very text.

    Shorter ones are lengthened with the empty prompt. With attention masks, a token's mean is over the texts that have it,
    and the mean has the tokens that any of them has. Pooled vectors and an encoder's further embeddings (HiDream's Llama) get
    the same mean. Raises ValueError for a field that has none, such as token numbers.
    """
    if len(encoded) == 1:
        return encoded[0]
    extra, masks = {}, {}
    for key in dict.fromkeys(k for e in encoded for k in e.extra if is_mask(k)):
        masks[key] = _masks(key, encoded)
        extra[key] = torch.stack(masks[key]).amax(0)
    for key in dict.fromkeys(k for e in encoded for k in e.extra if not is_mask(k)):
        values, lists = ([e.extra.get(key) for e in some] for some in (encoded, like))
        extra[key] = _mean_field(key, values, empty.extra.get(key), shares, lists)
    key = "attention_mask"
    strengths = [strength(e.cond, empty.cond, _masks(key, [e])[0] if key in e.extra else None) for e in like]
    cond = mean_shift([e.cond for e in encoded], empty.cond, shares, strengths, masks.get(key))
    pooled = [e.pooled for e in (*encoded, *like, empty)]
    if all(v is not None for v in pooled):
        strengths = [strength(e.pooled, empty.pooled) for e in like]
        return host.Encoded(cond, mean_shift([e.pooled for e in encoded], empty.pooled, shares, strengths), extra)
    return host.Encoded(cond, None, extra)


def mean_shift(
    E: Sequence[torch.Tensor],
    E_empty: torch.Tensor,
    shares: Sequence[float],
    strengths: Sequence[torch.Tensor],
    masks: Sequence[torch.Tensor] | None = None,
) -> torch.Tensor:
    """``E(∅) + g Σ w_i (E_i − E(∅))``, with g such that its `strength` is the root mean square of the given ones.

    E_i and E(∅) are (1, T, C) or (1, P), their T may differ; ``masks`` are (1, T): w_i is then per token, over the texts that
    have it. Without g the mean would be weak where it has most to say: unlike features cancel each other, and words said
    alone move the tokens behind them less than a list does. Measured on the pocket CLIP (mean length of E(VP+) − E(VP−) a
    token, 4 / 16 / 32 features a side): list 7.5 / 10.8 / 8.3, plain mean of features 0.9 / 0.5 / 0.4, of orders
    5.1 / 5.2 / 4.0.
    """
    *E, E_empty = [*E, E_empty] if E_empty.ndim < 3 else align([*E, E_empty], E_empty)
    wide = torch.promote_types(E[0].dtype, torch.float32)
    w = [torch.tensor(share, dtype=wide, device=E[0].device) for share in shares]
    there = None
    if masks is not None:
        masks = [pad(mask.to(E[0].device, wide), (0, E_empty.shape[-2] - mask.shape[-1])) for mask in masks]
        seen = [share * mask for share, mask in zip(w, masks, strict=True)]
        total, there = sum(seen), torch.stack(masks).amax(0)
        # A token that no text has keeps the plain shares: nobody reads it, but it stays finite.
        w = [torch.where(total > 0, s / total.clamp_min(1e-12), share).unsqueeze(-1) for s, share in zip(seen, w, strict=True)]
    mean = sum(share * (e.to(wide) - E_empty.to(e.device, wide)) for share, e in zip(w, E, strict=True))
    now = _rms(mean, there)
    then = torch.stack([s.to(now) for s in strengths]).square().mean().sqrt()
    g = then / now if now > 0 else torch.ones_like(now)
    return (E_empty.to(mean) + g * mean).to(E[0].dtype)


def strength(E: torch.Tensor, E_empty: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """How far a text is from the empty prompt: root mean square of ``E − E(∅)`` over channels and the tokens it has."""
    E, E_empty = [E, E_empty] if E.ndim < 3 else align([E, E_empty], E_empty)
    wide = torch.promote_types(E.dtype, torch.float32)
    return _rms(E.to(wide) - E_empty.to(E.device, wide), mask)


def _rms(d: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    if mask is None:
        return d.square().mean().sqrt()
    mask = pad(mask.to(d), (0, d.shape[-2] - mask.shape[-1]))
    return ((d.square().mean(-1) * mask).sum() / mask.sum().clamp_min(1.0)).sqrt()


def _masks(key: str, encoded: Sequence) -> list[torch.Tensor]:
    """The mask (1, T) of every text, all of one length: zeros behind its end; a text that has none has all its tokens."""
    own = [e.extra.get(key) for e in encoded]
    like = next(mask for mask in own if mask is not None)
    own = [like.new_ones(1, e.cond.shape[-2]) if mask is None else mask for mask, e in zip(own, encoded, strict=True)]
    length = max(mask.shape[-1] for mask in own)
    return [pad(mask, (0, length - mask.shape[-1])).to(like) for mask in own]


def _mean_field(key: str, values: list, empty, shares: Sequence[float], like: list):
    if all(_equal(values[0], v) for v in values[1:]):
        return values[0]
    if not all(isinstance(v, torch.Tensor) and v.is_floating_point() and v.ndim >= 3 for v in (*values, *like, empty)):
        raise ValueError(f'This text encoder also gives "{key}", of which there is no mean: set encoding to joined.')
    return mean_shift(values, empty, shares, [strength(v, empty) for v in like])


def _equal(a, b) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
    return type(a) is type(b) and not isinstance(a, torch.Tensor) and a == b
