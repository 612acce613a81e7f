"""Taste without words: from pictures that were liked, disliked or compared to weighted visual features.

A picture is what it shows (``glance.py``): features j with a strength x_j in 0..1. A person is a sparse vector of weights w: of
the pictures that there are, with density t(x), they like e^(+w·x) t(x) and dislike e^(−w·x) t(x), and put one above another with
the chance σ(2 w·(x − x')). That is maximum entropy modelling of presence (Phillips, Anderson & Schapire 2006, Ecological
Modelling 190) on both sides, and Bradley & Terry's model of pairs (1952) with the same weights.

Each feature is tested by its Bayes factor: w_j ~ N(0, SPREAD²) against w_j = 0, both with an offset c_j ~ N(0, POOL²) that liked
and disliked pictures share, since all of them may come of one prompt (BOARD where there is one side alone). A rare feature in all
liked pictures is evidence even where nothing was disliked; one that both sides share is none. Once a feature is taken, t is tilted
by its weight, and the others are tested against what such pictures show anyway: "low key lighting" tells nothing new of pictures
that are "dark". A feature is named when it is more likely than not (the median probability model, Barbieri & Berger 2004, Annals
of Statistics 32).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .comments import Comments
from .preferences import Feature, Preferences

SPREAD = 2.0  # prior standard deviation of a weight: the odds of like to dislike are e^2w
POOL = 0.75  # prior standard deviation of the log odds by which a person's pictures differ from typical ones, all of them alike
BOARD = 0.5  # the same for a mood board, pictures of one side alone: they were chosen out of many, not made by one prompt
EXPECTED = 5  # features that a taste is expected to hang on; what was said counts among them
PRIOR = 0.04  # which is this share of all that can be seen
NAMED = 0.5  # chance from which a feature is named
SAID = 2.0  # the weight of a feature that was said in words
HEARD = 0.8  # how often words are read rightly
SLIPS = 0.1  # share of comparisons that say nothing but how the hand slipped
FLOOR, STRENGTH = 0.02, 2.0  # least rate of a feature, and how many pictures it counts as
DRAWS = 200
CALIBRATED = 0.6
NOTHING = Preferences()
_W = np.linspace(-6, 6, 49)  # the grids of w and c; even numbers of steps, so that 0 is on them
_C = np.linspace(-5, 5, 21)


@dataclass(frozen=True)
class Judged:
    """What a person did with pictures. ``shown[n]``: what picture n shows, or None; ``verdicts[n]``: 1, −1 or 0 (none yet)."""

    shown: tuple[Mapping[str, float] | None, ...] = ()
    verdicts: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()  # (better, worse)
    drawn: bool = False  # icons and the pocket model's pictures: other features are typical for them

    def __len__(self) -> int:
        return len(self.shown)

    def __bool__(self) -> bool:
        """Was anything judged?"""
        return any(self.verdicts) or bool(self.pairs)


def judged(comments: Comments, shown: Sequence[Mapping[str, float] | None], drawn: bool = False) -> Judged:
    """The verdicts and pairs of ``comments``; ``shown`` has what each one's picture shows, None where it has none."""
    signs = {"like": 1, "dislike": -1}
    verdicts = tuple(signs.get(c.verdict or "", 0) if x is not None else 0 for c, x in zip(comments, shown, strict=True))
    pairs = tuple((a, b) for a, b in comments.pairs if shown[a] is not None and shown[b] is not None)
    return Judged(tuple(shown), verdicts, pairs, drawn)


@dataclass(frozen=True)
class Belief:
    """What is believed of a person's weights, feature by feature: zero, or of the distribution ``weight`` on the grid ``_W``."""

    features: tuple[str, ...]
    x: np.ndarray  # (N, F) what the person's pictures show
    typical: np.ndarray  # (T, F) what typical pictures show
    chance: np.ndarray  # (F,) that the feature counts at all
    weight: np.ndarray  # (F, W) distribution of its weight if it does
    said: np.ndarray  # (F,) weights known from words, which are not learned

    @property
    def weights(self) -> np.ndarray:
        """(F,) expected weights."""
        return self.said + self.chance * (self.weight @ _W)

    def draws(self, count: int = DRAWS, seed: int = 0) -> np.ndarray:
        """(count, F) weights drawn from what is believed, the same at every call."""
        rng = np.random.default_rng(seed)
        there = rng.random((count, len(self.features))) < self.chance
        place = (np.cumsum(self.weight, 1)[None] < rng.random((count, len(self.features), 1))).sum(2)
        heard = rng.random((count, len(self.features))) < HEARD
        return self.said * heard + there * _W[np.minimum(place, len(_W) - 1)]


@cache
def typical(drawn: bool = False) -> tuple[dict[str, float], ...]:
    """What typical pictures show, photographs and art or icons (``drawn``); written by ``benchmarks/_looks.py``."""
    path = Path(__file__).parent / "typical.json"
    data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return tuple(data.get("drawn" if drawn else "any", ()))


def belief(some: Judged, said: Preferences = NOTHING) -> Belief:
    """The weights that verdicts and pairs call for. What was ``said`` in words is known and explains verdicts too."""
    back = typical(some.drawn)
    names = tuple(sorted({name for x in (*some.shown, *back) if x for name in x}))
    known = {name for b in back for name in b}
    x = _table(some.shown, names)
    t = _table(back, names, {name: FLOOR for name in names if name not in known}) if back else np.full((1, len(names)), FLOOR)
    words = _said(names, said)
    verdicts = np.array(some.verdicts, dtype=int)
    sides = x[verdicts > 0], x[verdicts < 0]
    better, worse = np.array(some.pairs, dtype=int).reshape(-1, 2).T
    delta = x[better] - x[worse]  # (P, F)
    prior = PRIOR * max(1, EXPECTED - len(said.liked + said.disliked)) / EXPECTED
    taken = words.copy()
    while True:
        chance, weight = _test(sides, delta, t, taken, prior)
        chance[words != 0] = 0.0
        mean = weight @ _W
        fresh = np.where((taken == 0) & (words == 0), chance, 0.0)
        if not len(names) or fresh.max() < NAMED:
            break
        best = int(fresh.argmax())
        taken[best] = mean[best]
    return Belief(names, x, t, chance, weight, words)


def _table(pictures: Sequence[Mapping[str, float] | None], names: Sequence[str], default: Mapping[str, float] | None = None) -> np.ndarray:
    """(N, F)"""
    default = default or {}
    return np.array([[(p or {}).get(name, default.get(name, 0.0)) for name in names] for p in pictures]).reshape(len(pictures), len(names))


def _said(names: Sequence[str], said: Preferences) -> np.ndarray:
    from .extractor import meaning_of

    sides = {meaning_of(f.text): sign * SAID for sign, side in ((1, said.liked), (-1, said.disliked)) for f in side}
    return np.array([sides.get(meaning_of(name), 0.0) if sides else 0.0 for name in names])


def _test(sides, delta: np.ndarray, t: np.ndarray, taken: np.ndarray, prior: float) -> tuple[np.ndarray, np.ndarray]:
    """(F,) chance of each feature and (F, W) its weight, beside the ``taken`` weights of the others."""
    logp = np.zeros((t.shape[1], len(_W), len(_C)))
    for sign, x in zip((1, -1), sides, strict=True):
        k, rate = x.sum(0), _rates(t, sign * taken)
        eta = np.log(rate / (1 - rate))[:, None, None] + sign * _W[:, None] + _C
        logp += k[:, None, None] * eta - len(x) * np.logaddexp(0, eta)
    offset = -0.5 * (_C / (POOL if all(map(len, sides)) else BOARD)) ** 2
    logp = np.logaddexp.reduce(logp + offset, 2) - np.logaddexp.reduce(offset)  # (F, W), c summed out
    if len(delta):
        rest = 2 * (delta @ taken)[:, None] - 2 * delta * taken  # (P, F), without the feature itself
        logp += np.log(_better(rest[..., None] + 2 * delta[..., None] * _W)).sum(0)
    slab = np.exp(-0.5 * (_W / SPREAD) ** 2)
    with_it = logp + np.log(slab / slab.sum())
    evidence = np.logaddexp.reduce(with_it, 1)
    odds = prior / (1 - prior) * np.exp(np.minimum(evidence - logp[:, len(_W) // 2], 50))
    return odds / (1 + odds), np.exp(with_it - evidence[:, None])


def _better(score: np.ndarray) -> np.ndarray:
    """The chance that a picture is put first by 2 w·(x − x'), slips of the hand allowed for."""
    return SLIPS + (1 - 2 * SLIPS) / (1 + np.exp(-score))


def _rates(t: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """(F,) how often each feature is seen in pictures that are chosen by the ``taken`` weights, itself left aside."""
    plain = (t.sum(0) + STRENGTH * FLOOR) / (len(t) + STRENGTH)
    if not taken.any():
        return np.clip(plain, FLOOR / 2, 1 - FLOOR / 2)
    score = t @ taken
    tilt = np.exp(score - score.max())
    own = tilt[:, None] * np.exp(-t * taken)  # (T, F), each feature's own weight taken back
    effective = own.sum(0) ** 2 / np.maximum((own**2).sum(0), 1e-12)  # as many pictures the tilted ones are worth
    rate = (own * t).sum(0) / np.maximum(own.sum(0), 1e-12)
    return np.clip((effective * rate + STRENGTH * plain) / (effective + STRENGTH), FLOOR / 2, 1 - FLOOR / 2)


def from_pictures(some: Judged, said: Preferences = NOTHING) -> Preferences:
    """The features that set what is liked apart, weights of mean 1; nothing where chance would do as well.

    ``source`` tells the evidence: "in 4 of 5 liked pictures, in 0 of 4 disliked pictures".
    """
    return named(belief(some, said), some) if some else NOTHING


def named(p: Belief, some: Judged) -> Preferences:
    """The features of a belief that are more likely than not, strongest first."""
    w = p.chance * (p.weight @ _W)
    found = sorted((j for j in range(len(w)) if p.chance[j] >= NAMED), key=lambda j: -abs(w[j]))
    scale = sum(abs(w[j]) for j in found) / max(1, len(found))
    features = [(w[j], Feature(p.features[j], abs(w[j]) / scale, _evidence(some, p.features[j]))) for j in found]
    return Preferences(*(tuple(f for value, f in features if value * sign > 0) for sign in (1, -1)))


def _evidence(some: Judged, name: str) -> str:
    has = [bool(x) and x.get(name, 0.0) >= 0.5 for x in some.shown]
    parts = []
    for sign, word in ((1, "liked"), (-1, "disliked")):
        side = [h for h, v in zip(has, some.verdicts, strict=True) if v == sign]
        if side:
            parts.append(f"in {sum(side)} of {len(side)} {word} pictures")
    told = [has[a] for a, b in some.pairs if has[a] != has[b]]
    if told:
        parts.append(f"in the better picture of {sum(told)} of {len(told)} pairs")
    return ", ".join(parts)


def sureness(some: Judged, said: Preferences = NOTHING) -> float:
    """How sure it all is, 0..1: the chance that an unseen pair of pictures is ranked as the person would, 0.5 → 0 and 1 → 1."""
    return sure(belief(some, said))


def sure(p: Belief) -> float:
    """``sureness`` of a belief."""
    if not len(p.features):
        return 0.0
    pool = np.concatenate([p.x, p.typical])
    rng = np.random.default_rng(1)
    delta = pool[rng.integers(len(pool), size=400)] - pool[rng.integers(len(pool), size=400)]
    own, true = delta @ p.weights, p.draws() @ delta.T  # (400,), (draws, 400)
    right = np.where(np.abs(own) < 1e-3, 0.5, (true > 0) == (own > 0))
    matters = np.abs(true)
    if not matters.any():
        return 0.0
    # Made-up people (benchmarks/taste.py) hang on few features, and are ranked better than this expects: by this power.
    return float(np.clip(2 * (matters * right).sum() / matters.sum() - 1, 0, 1) ** CALIBRATED)


def next_pair(some: Judged, skipped: Collection[tuple[int, int]] = (), given: Belief | None = None) -> tuple[int, int] | None:
    """The pair not yet asked whose answer would teach most (expected information gain); None when all were asked or skipped.

    ``given`` is what is believed, if it is known already.
    """
    asked = {frozenset(pair) for pair in (*some.pairs, *skipped)}
    seen = [n for n, x in enumerate(some.shown) if x is not None]
    left = [(i, j) for a, i in enumerate(seen) for j in seen[a + 1 :] if frozenset((i, j)) not in asked]
    if not left:
        return None
    p, (i, j) = given or belief(some), np.array(left).T
    often = np.bincount(np.array(some.pairs, dtype=int).ravel(), minlength=len(some))
    # Gains are counted as if features were known one by one; pictures that were compared often have less left to tell than that.
    return left[int(np.argmax(_gain(p.draws() @ (p.x[i] - p.x[j]).T) / (1 + (often[i] + often[j]) / 2)))]


def suggest(some: Judged, given: Belief | None = None) -> list[int]:
    """The pictures not yet judged, the one whose verdict would teach most first."""
    left = [n for n, (x, v) in enumerate(zip(some.shown, some.verdicts, strict=True)) if x is not None and not v]
    if not left:
        return []
    p = given or belief(some)
    gains = _gain(p.draws() @ p.x[left].T)
    return [left[k] for k in np.argsort(-gains, kind="stable")]


def _gain(score: np.ndarray) -> np.ndarray:
    """(draws, K) w·x → (K,) what the answer tells of the weights, in nats: H[E p] − E H[p] (Houlsby et al. 2011, BALD)."""
    p = _better(2 * score)
    return _entropy(p.mean(0)) - _entropy(p).mean(0)


def _entropy(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return -(p * np.log(p) + (1 - p) * np.log(1 - p))
