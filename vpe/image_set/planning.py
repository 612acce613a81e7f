"""The plan of a set: one subject and two or three attributes a picture, spread evenly, the same for ever from one seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from ..attributes import Attribute, attributes
from .subjects import CLASHES, LEFT_OUT, MADE, MADE_OF, NEEDS_A_PERSON, NOT_FROM_AFAR, ONE_OF, PERSON, SUBJECTS


@dataclass(frozen=True)
class Picture:
    """One picture of the plan; ``number`` counts from 1, ``attributes`` are names of the taxonomy."""

    number: int
    subject: str
    attributes: tuple[str, ...]
    prompt: str
    seed: int

    @property
    def caption(self) -> str:
        return f"{self.number}. {self.subject} — {', '.join(self.attributes)}"


def plan(count: int, seed: int, subjects: str = "") -> list[Picture]:
    """``count`` pictures: each one subject and two or three attributes of different categories that go together.

    At every length the categories are used about equally often, the subjects evenly, and no attribute of a category comes
    again before all of it that can be drawn have come. Picture n depends on the seed and on the pictures before it alone:
    a larger count only adds. ``subjects`` are one a line; empty: the pack's own.
    """
    known = [(line, _kind(line)) for line in dict.fromkeys(line.strip() for line in subjects.splitlines()) if line]
    known = known or [(text, kind) for kind, texts in SUBJECTS.items() for text in texts]
    pools = _pools(any(kind == "person" for _, kind in known))
    used = dict.fromkeys(pools, 0)
    queues: dict[str, list[Attribute]] = {category: [] for category in pools}
    rounds = dict.fromkeys(pools, 0)
    pictures, order = [], []
    for number in range(1, count + 1):
        if not order:
            order = _subjects(known, seed, number, pictures[-1].subject if pictures else None)
        subject, kind = order.pop(0)
        chosen: list[Attribute] = []
        wanted = 3 if number % 2 else 2
        # The least used category first: what does not fit today leads tomorrow.
        for category in sorted(pools, key=lambda c: (used[c], draw(seed, "category", number, c))):
            if len(chosen) == wanted:
                break
            if not queues[category]:
                rounds[category] += 1
                shuffled = sorted(pools[category], key=lambda a: draw(seed, "attribute", rounds[a.category], a.name))
                queues[category] = shuffled
            fit = next((a for a in queues[category] if _suits(a, kind) and all(compatible(a, b) for b in chosen)), None)
            if fit is not None:
                queues[category].remove(fit)
                used[category] += 1
                chosen.append(fit)
        prompt = ", ".join([subject, *map(_phrase, chosen)])
        pictures.append(Picture(number, subject, tuple(a.name for a in chosen), prompt, picture_seed(seed, number)))
    return pictures


def picture_seed(seed: int, number: int) -> int:
    """The seed of one picture, in the host's range (64 bit): far from those of its neighbours and of other sets."""
    return draw(seed, "picture", number)


def compatible(a: Attribute, b: Attribute) -> bool:
    """Whether two attributes may stand in one prompt: they neither contradict nor repeat each other."""
    if a.category == b.category or any(a.category in group and b.category in group for group in ONE_OF):
        return False
    if set(a.name.split()) & set(b.name.split()):
        return False
    made = [next((how for how, names in MADE.items() if x.name in names), None) for x in (a, b)]
    if None not in made and made[0] != made[1]:
        return False
    return not any((a.name in x and b.name in y) or (b.name in x and a.name in y) for x, y in CLASHES)


def _pools(with_people: bool) -> dict[str, list[Attribute]]:
    """Category → its attributes that can be drawn."""
    pools: dict[str, list[Attribute]] = {}
    for attribute in attributes():
        if attribute.name not in LEFT_OUT and (with_people or attribute.name not in NEEDS_A_PERSON):
            pools.setdefault(attribute.category, []).append(attribute)
    return pools


def _suits(attribute: Attribute, kind: str) -> bool:
    if attribute.name in NEEDS_A_PERSON:
        return kind == "person"
    return not (kind == "view" and attribute.name in NOT_FROM_AFAR)


def _kind(subject: str) -> str:
    return "person" if PERSON.search(subject) else "thing"


def _subjects(known: list[tuple[str, str]], seed: int, number: int, last: str | None) -> list[tuple[str, str]]:
    """All subjects in an order of this round's own, the kinds taking turns."""
    rows: dict[str, list] = {}
    for subject in sorted(known, key=lambda s: draw(seed, "subject", number, s[0])):
        rows.setdefault(subject[1], []).append(subject)
    # Kinds of different sizes (a list of one's own) are spread over the whole round.
    turn = {s: ((i + 0.5) / len(row), draw(seed, "kind", number, i, s[1])) for row in rows.values() for i, s in enumerate(row)}
    order = sorted(known, key=turn.__getitem__)
    if len(order) > 1 and order[0][0] == last:
        order[0], order[1] = order[1], order[0]
    return order


def _phrase(attribute: Attribute) -> str:
    """How a prompt says it: a bare "blue" or "glass" would name a thing beside the subject."""
    name = attribute.name
    if attribute.category == "hue" and not name.endswith("tones"):
        return f"{name} tones"
    if attribute.category == "material" and name in MADE_OF:
        return f"made of {name}"
    return "in the desert" if name == "desert" else name


def draw(*what: Any) -> int:
    """64 bits that depend on nothing but ``what``: no state, the same in every Python, untouched by what else is drawn."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:8], "big")
