"""Our own taxonomy of art attributes: 20 categories, about 500 attributes with other wordings of each.

The list that ViPer's extractor was trained with (about 500 attributes in 20 categories) is not public; this one was
written for the pack and copies none. The words lie in ``attributes.json`` and are read when first asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .preferences import normalise


@dataclass(frozen=True)
class Attribute:
    """One attribute, its category, and other words for it."""

    name: str
    category: str
    synonyms: tuple[str, ...] = ()


@cache
def attributes() -> tuple[Attribute, ...]:
    """All attributes in the order of their categories."""
    data = json.loads((Path(__file__).parent / "attributes.json").read_text(encoding="utf-8"))
    return tuple(Attribute(name, category, tuple(synonyms))
                 for category, entries in data["categories"].items() for name, *synonyms in entries)


@cache
def categories() -> tuple[str, ...]:
    """The names of the categories."""
    return tuple(dict.fromkeys(a.category for a in attributes()))


@cache
def wordings() -> dict[str, Attribute]:
    """Every normalised wording → its attribute."""
    found: dict[str, Attribute] = {}
    for attribute in attributes():
        for wording in (attribute.name, *attribute.synonyms):
            found.setdefault(normalise(wording), attribute)
    return found


def lookup(phrase: str) -> Attribute | None:
    """The attribute that a phrase names, if it is in the list."""
    return wordings().get(normalise(phrase))
