"""Our own taxonomy of art attributes: 20 categories, about 500 attributes with other wordings of each.

The list that ViPer's extractor was trained with (about 500 attributes in 20 categories) is not public; this one was
written for the pack and copies none. The words lie in ``attributes.json`` and are read when first asked for; ``extend``
adds an artist's own from a file of the same form, which an update of the pack leaves alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import AttributesError
from .preferences import normalise

_own: dict[str, list[list[str]]] = {}  # an artist's additions, as read by ``extend``
_read: tuple[Path, int] | None = None
_clear: list[Callable[[], None]] = []


@dataclass(frozen=True)
class Attribute:
    """One attribute, its category, and other words for it."""

    name: str
    category: str
    synonyms: tuple[str, ...] = ()


def from_taxonomy(function):
    """Cached until the taxonomy changes."""
    cached = cache(function)
    _clear.append(cached.cache_clear)
    return cached


def extend(path: Path) -> None:
    """Add the attributes of ``path`` (JSON, ``{"categories": {"category": [["attribute", "other wording", …], …]}}``).

    A missing file adds nothing, a changed one is read anew; an entry of a known attribute adds wordings to it. A file that
    cannot be read raises AttributesError, and the attributes stay as they were.
    """
    global _read
    stamp = (path, path.stat().st_mtime_ns) if path.is_file() else None
    if stamp == _read:
        return
    found: dict[str, list[list[str]]] = {}
    try:
        if stamp:
            for category, entries in json.loads(path.read_text(encoding="utf-8"))["categories"].items():
                for entry in entries:
                    if not (isinstance(entry, list) and entry and all(isinstance(w, str) and w.strip() for w in entry)):
                        raise ValueError(f"{entry!r} is no list of wordings")
                found[category] = entries
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise AttributesError(f'Your attributes in {path} cannot be read ({error}): write {{"categories": {{"light": [["rim light", '
                              '"edge glow"]]}}, or move the file away.') from error  # fmt: skip
    _read = stamp
    _own.clear()
    _own.update(found)
    for clear in _clear:
        clear()


@from_taxonomy
def attributes() -> tuple[Attribute, ...]:
    """All attributes in the order of their categories, an artist's own behind the pack's."""
    data = json.loads((Path(__file__).parent / "attributes.json").read_text(encoding="utf-8"))
    table: dict[str, list] = {}
    for category, entries in [*data["categories"].items(), *_own.items()]:
        for name, *synonyms in entries:
            table.setdefault(normalise(name), [name, category, []])[2].extend(synonyms)
    return tuple(Attribute(name, category, tuple(synonyms)) for name, category, synonyms in table.values())


@from_taxonomy
def categories() -> tuple[str, ...]:
    """The names of the categories."""
    return tuple(dict.fromkeys(a.category for a in attributes()))


@from_taxonomy
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
