"""Synthetic people, and two tests of an extractor on them (ViPer, Salehi et al., ECCV 2024).

Each person likes and dislikes some fifty attributes of the taxonomy and comments on pictures in words that real writers
used, with the person's own attributes put in their place. Author test: whose other comments are these? VP-vs-VP test: whose
true preferences are these? Both among five people; chance is 20 %.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from .attributes import attributes, lookup
from .comments import Comment, Comments
from .extractor import Extractor
from .preferences import Feature, Preferences, normalise


@dataclass(frozen=True)
class Agent:
    """A made-up person: names of liked and disliked attributes."""

    liked: tuple[str, ...]
    disliked: tuple[str, ...]

    @property
    def preferences(self) -> Preferences:
        return Preferences(*(tuple(Feature(name) for name in side) for side in (self.liked, self.disliked)))


def distance(a: Agent, b: Agent) -> float:
    """Jaccard distance of the sets of (side, attribute)."""
    one, two = ({(side, name) for side, names in ((1, x.liked), (0, x.disliked)) for name in names} for x in (a, b))
    return 1 - len(one & two) / len(one | two)


def draw_agents(count: int, seed: int, each: int = 50, apart: float = 0.85) -> list[Agent]:
    """People any two of whom are at least ``apart`` from each other. Raises ValueError where so many do not fit."""
    agents = list(islice(fitting([a.name for a in attributes()], seed, each, apart, 100 * count), count))
    if len(agents) < count:
        raise ValueError(f"Only {len(agents)} of {count} people are {apart} apart: ask for fewer, or for shorter lists.")
    return agents


def fitting(names: Sequence[str], seed: int, each: int, apart: float, tries: int) -> Iterator[Agent]:
    """People with ``each`` of ``names`` liked and as many disliked, until ``tries`` in a row are too near to another.

    Sets are bits of a whole number, since the paper's 5,000 people make 12 million pairs.
    """
    bit = {name: n for n, name in enumerate(names)}
    rng, taken, failed = random.Random(seed), [], 0
    while failed < tries:
        chosen = rng.sample(names, 2 * each)
        liked, disliked = tuple(chosen[:each]), tuple(chosen[each:])
        mine = sum(1 << bit[a] for a in liked) | sum(1 << (bit[a] + len(names)) for a in disliked)
        if all(1 - (mine & other).bit_count() / (mine | other).bit_count() >= apart for other in taken):
            taken.append(mine)
            failed = 0
            yield Agent(liked, disliked)
        else:
            failed += 1


def write(agent: Agent, moulds: Sequence, rng: random.Random, count: int) -> Comments:
    """``count`` comments of ``agent``: marked comments (``recipe/marked.py``) with the agent's attributes in the marks' places."""
    comments = []
    for mould in rng.sample(list(moulds), count):
        comments.append(Comment(mould.filled(lambda mark: rng.choice(agent.liked if mark.liked else agent.disliked)).text))
    return Comments(tuple(comments))


def agreement(a: Preferences, b: Preferences) -> float:
    """Weighted count of features of ``a`` that ``b`` holds on the same side, less those on the other, over the length of ``a``."""
    sides = [{_key(f.text) for f in side} for side in (b.liked, b.disliked)]
    total = sum(f.weight * ((_key(f.text) in same) - (_key(f.text) in other))
                for side, same, other in ((a.liked, *sides), (a.disliked, *sides[::-1])) for f in side)
    return total / max(1e-9, sum(f.weight for f in a.liked + a.disliked))


def _key(text: str) -> str:
    known = lookup(text)
    return known.name if known else normalise(text)


def author_test(extractor: Extractor, agents: Sequence[Agent], moulds: Sequence, seed: int, comments: int = 8, among: int = 5) -> float:
    """Share of people whose comments are told by what was read from other comments of theirs."""
    rng = random.Random(seed)
    read = [[extractor.extract(write(a, moulds, rng, comments)) for _ in range(2)] for a in agents]
    return _share(lambda i, j: agreement(read[i][0], read[j][1]), len(agents), rng, among)


def preference_test(extractor: Extractor, agents: Sequence[Agent], moulds: Sequence, seed: int, comments: int = 8, among: int = 5) -> float:
    """VP-vs-VP: share of people whose true preferences are told by what was read from their comments."""
    rng = random.Random(seed)
    read = [extractor.extract(write(a, moulds, rng, comments)) for a in agents]
    return _share(lambda i, j: agreement(read[i], agents[j].preferences), len(agents), rng, among)


def _share(score, count: int, rng: random.Random, among: int) -> float:
    """How often the right one of ``among`` has the highest score; ties are split."""
    right = 0.0
    for i in range(count):
        others = rng.sample([j for j in range(count) if j != i], among - 1)
        mine, rest = score(i, i), [score(i, j) for j in others]
        if mine >= max(rest):
            right += 1 / (1 + sum(r == mine for r in rest))
    return right / count
