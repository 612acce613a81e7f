"""How much one person would like a picture, 0..1: by its looks, by an encoder of pictures, or by a model that judges.

A score is the chance that a picture is one of those that the person likes rather than dislikes. Ways to it:

- `by_looks`: what a picture shows (``vpe/glance.py``), under what is believed of the person (``vpe/taste.py``). There
  liked pictures have the density e^(w·x) t(x) and disliked ones e^(−w·x) t(x), each divided by its sum over typical pictures t, so

      P(liked | x) = σ( 2 w·x − log E_t e^(w·x) + log E_t e^(−w·x) )

  averaged over draws of w from what is believed: little is known, and the score stays near one half.
- `by_encoder`: logistic regression with a Gaussian prior (ridge) on an encoder's embeddings, whose strength leave-one-out
  likelihood chooses; words, where the encoder reads, are an offset: how much more the picture is like the liked words than like
  the disliked ones, among all words for looks.
- `by_both`, the default: the mean of the two log odds, with the pocket encoders. The looks know what words mean and need few
  pictures; the embedding tells light and colour of photographs more finely than names can.
- a `Scorer` of its own, such as ViPer's proxy (``proxy.py``).

None of them is told what a picture is of: ``benchmarks/scorers.py`` measures on pairs of one subject.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from torch import Tensor

from ..vpe import taste
from ..vpe.glance import for_taste, glances
from .encoders import Encoder, pocket
from .errors import EvaluationError
from .person import Person, pixels, unsaid
from .ridge import Ridge, Words, sigmoid

FEW = 4  # pictures a side below which what was learned from them is little more than a guess


class Scorer(Protocol):
    """Something else that judges."""

    name: str

    def score(self, images: Tensor, person: Person) -> Judgement: ...


@dataclass(frozen=True)
class Judgement:
    """Scores (B,) in 0..1, what judged, and what is worth knowing about it, a sentence each."""

    values: np.ndarray
    by: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scores:
    """Pictures (B, H, W, C) with their scores."""

    images: Tensor
    judgement: Judgement
    order: tuple[int, ...] = field(init=False)  # best first; of equal ones the earlier

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", tuple(int(i) for i in np.argsort(-self.judgement.values, kind="stable")))

    def best(self, count: int) -> tuple[int, ...]:
        """Places of the ``count`` best pictures in the batch, best first; all where there are no more."""
        return self.order[:count]

    @property
    def sorted(self) -> Tensor:
        return self.images[list(self.order)]

    def latents(self, latents: dict, places: Sequence[int]) -> dict:
        """The same choice of a LATENT, with what belongs to its samples. Raises EvaluationError where it is of another batch."""
        count = len(latents["samples"])
        if count != len(self.images):
            raise EvaluationError(
                f"There are {count} latents and {len(self.images)} scored pictures: connect the latents that these pictures came from."
            )
        chosen = {**latents, "samples": latents["samples"][list(places)]}
        if latents.get("noise_mask") is not None and len(latents["noise_mask"]) == count:
            chosen["noise_mask"] = latents["noise_mask"][list(places)]
        batch = latents.get("batch_index") or range(count)
        return {**chosen, "batch_index": [batch[i] for i in places]}

    def report(self) -> str:
        """A table, best first, and the notes."""
        lines = ["| place | picture | score |", "|---|---|---|"]
        lines += [f"| {n} | #{i + 1} | {self.judgement.values[i]:.2f} |" for n, i in enumerate(self.order, 1)]
        return "\n".join([*lines, "", f"Judged by {self.judgement.by}.", *self.judgement.notes])

    def sheet(self) -> np.ndarray:
        """(H, W, 3) uint8: all pictures, best first, with score and place in the batch."""
        from .. import host
        from ..vpe.image_set.sheet import contact_sheet

        captions = [(f"{self.judgement.values[i]:.2f}", f"picture {i + 1} of the batch") for i in self.order]
        return contact_sheet([host.eight_bit(self.images[i])[..., :3] for i in self.order], captions)


def score(images: Tensor, person: Person, encoder: Encoder | None = None, scorer: Scorer | None = None) -> Scores:
    """(B, H, W, C) in [0, 1] → scores by ``scorer``, else by ``encoder``, else by looks and the pocket encoders."""
    if not len(images):
        raise EvaluationError("There is no picture to score: connect at least one.")
    if scorer is not None:
        judgement = scorer.score(images, person)
    elif not person:
        judgement = Judgement(np.full(len(images), 0.5), "nothing", ("Nothing is known of this taste yet, so all pictures are alike.",))
    elif encoder is not None:
        judgement = by_encoder(images, person, encoder)
    else:
        judgement = by_both(images, person)
    return Scores(images, judgement)


# --- what was learned, put together --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Learned:
    """One way's opinion: log odds (B,) of new pictures, and ``difference(i, j)`` of the log odds of the i-th liked and the j-th
    disliked picture of the person, learned without the two."""

    odds: np.ndarray
    difference: Callable[[int, int], float]
    judged: tuple[int, int]  # liked and disliked pictures that were there
    notes: tuple[str, ...] = ()


def by_looks(images: Tensor, person: Person) -> Judgement:
    return _judgement([_looks(images, person)], "the looks of the pictures")


def by_encoder(images: Tensor, person: Person, encoder: Encoder) -> Judgement:
    return _judgement([_embeddings(images, person, encoder)], encoder.name)


def by_both(images: Tensor, person: Person) -> Judgement:
    ways = [_looks(images, person), _embeddings(images, person, pocket())]
    return _judgement(ways, "the looks of the pictures and the pocket encoders")


def _judgement(ways: Sequence[Learned], by: str) -> Judgement:
    def ordered(i: int, j: int) -> float:
        difference = sum(way.difference(i, j) for way in ways)
        return float(difference > 0) + 0.5 * float(difference == 0)

    notes = [*(note for way in ways for note in way.notes), *left_out(*ways[0].judged, ordered)]
    return Judgement(sigmoid(np.mean([way.odds for way in ways], 0)), by, tuple(notes))


def left_out(likes: int, dislikes: int, ordered: Callable[[int, int], float]) -> list[str]:
    """Leave-one-out in pairs (Airola et al. 2011): a liked picture beside a disliked one, both unseen. Sentences for a report.

    Leaving out one alone would shift the balance of the rest against it. ``ordered(i, j)``: 1, ½ or 0.
    """
    if not likes and not dislikes:
        return []
    if min(likes, dislikes) < 2:
        return ["One side has hardly any picture, so what was learned cannot be checked: like and dislike at least four each."]
    count = max(likes, dislikes)
    right = [ordered(n % likes, n % dislikes) for n in range(count)]
    told = f"Leave-one-out: {np.mean(right):.0%} of {count} pairs of an unseen liked and an unseen disliked picture are in the right order."
    if min(likes, dislikes) < FEW:
        return [told, f"Only {min(likes, dislikes)} pictures on one side: judge more of them, eight a side are enough."]
    return [told]


# --- by looks ------------------------------------------------------------------------------------------------------------


def _looks(images: Tensor, person: Person) -> Learned:
    seen = [one for part in (*person.parts, unsaid(images)) for one in glances(part)]
    shown, drawn = for_taste(seen)
    own = len(seen) - len(images)
    some = taste.judged(person.entries, shown[:own], drawn)
    believed = taste.belief(some, person.said)
    sides = [[n for n, v in enumerate(some.verdicts) if v == sign] for sign in (1, -1)]

    def difference(i: int, j: int) -> float:
        two = sides[0][i], sides[1][j]
        rest = replace(some, verdicts=tuple(0 if n in two else v for n, v in enumerate(some.verdicts)),
                       pairs=tuple(pair for pair in some.pairs if not {*pair} & {*two}))  # fmt: skip
        high, low = log_odds(taste.belief(rest, person.said), [shown[n] or {} for n in two])
        return float(high - low)

    found = taste.named(believed, some)
    named = [f"{sign} {f.text}" for sign, side in (("+", found.liked), ("−", found.disliked)) for f in side]
    notes = (f"Seen in the pictures: {', '.join(named)}.",) if named else ()
    return Learned(log_odds(believed, [x or {} for x in shown[own:]]), difference, tuple(map(len, sides)), notes)


def log_odds(believed: taste.Belief, shown: Sequence[dict[str, float]]) -> np.ndarray:
    """(B,) log odds of P(liked | x), the mean over draws of the weights, for what pictures show."""
    x = np.array([[one.get(name, 0.0) for name in believed.features] for one in shown]).reshape(len(shown), len(believed.features))
    w = believed.draws()  # (draws, F)
    typical = w @ believed.typical.T  # (draws, T)
    offset = _log_mean_exp(typical) - _log_mean_exp(-typical)
    p = sigmoid(2 * w @ x.T - offset[:, None]).mean(0)
    return np.log(p) - np.log1p(-p)


def _log_mean_exp(x: np.ndarray) -> np.ndarray:
    return np.logaddexp.reduce(x, 1) - np.log(x.shape[1])


# --- by an encoder -------------------------------------------------------------------------------------------------------


def _embeddings(images: Tensor, person: Person, encoder: Encoder) -> Learned:
    import torch

    entries = person.pictures()
    there = [n for n, (_, picture) in enumerate(entries) if picture is not None]
    place = {n: k for k, n in enumerate(there)}
    new = encoder.pictures(images).numpy()
    own = [encoder.pictures(torch.from_numpy(pixels(entries[n][1]))[None])[0].numpy() for n in there]
    z = np.stack(own) if own else new[:0]
    verdicts = np.array([entries[n][0] for n in there], dtype=int)
    pairs = [(place[a], place[b]) for a, b in person.entries.pairs if a in place and b in place]
    words = Words(encoder, person.said) if person.said and encoder.reads else None
    notes = () if encoder.reads or not person.said else (f"{encoder.name} only sees, so the words of this taste do not count.",)
    offset = [words(x) if words else np.zeros(len(x)) for x in (z, new)]
    if not verdicts.any() and not pairs:
        return Learned(offset[1], lambda i, j: 0.0, (0, 0), notes)
    model = Ridge(z, verdicts, pairs, offset[0])
    sides = [np.flatnonzero(verdicts == sign) for sign in (1, -1)]
    return Learned(model.odds(new, offset[1]), lambda i, j: model.difference(sides[0][i], sides[1][j]), tuple(map(len, sides)), notes)
