"""What a picture shows, as named features with a strength in 0..1: by measurement, by the pocket encoders where they may speak.

What was seen of a picture is kept by its content, so that the second look at a strip of pictures costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import host
from . import appearance
from .comments import Comments, ImageRef
from .pictures import opened

KEPT = 512  # pictures that are remembered
_seen: OrderedDict[str, Glance] = OrderedDict()
_lock = threading.Lock()
_files: OrderedDict[tuple, str] = OrderedDict()  # a file's path, time and size → the key of what it shows


@dataclass(frozen=True)
class Glance:
    """Features with their strength; ``drawn``: an icon or a picture of the pocket model, which its encoders know."""

    features: dict[str, float] = field(default_factory=dict)
    drawn: bool = False


def glances(comments: Comments, eyes=None) -> list[Glance | None]:
    """What the picture of each comment shows; None where it has none or the picture is gone.

    ``eyes`` (``eyes.Eyes``) adds what a connected CLIP names.
    """
    found = [_glance(c.image, comments.pictures) for c in comments.items]
    if eyes is None or eyes.clip is None:
        return found
    return [one and Glance(one.features | _compared(comments, n, eyes), one.drawn) for n, one in enumerate(found)]


def for_taste(some: Sequence[Glance | None]) -> tuple[list[dict[str, float] | None], bool]:
    """What each picture shows as ``taste.judged`` takes it, and whether most of them are drawn.

    Of drawn ones only the looks of their vocabulary count: measures tell them apart less well, and name the subject's colours.
    """
    there = [one.drawn for one in some if one is not None]
    if 2 * sum(there) <= len(there):
        return [one and one.features for one in some], False
    return [one and looks_alone(one.features) for one in some], True


def looks_alone(features: dict[str, float]) -> dict[str, float]:
    """Only what the pocket vocabulary has a word for."""
    return {name: strength for name, strength in features.items() if name in _words()[1]}


def look(pixels: np.ndarray) -> Glance:
    """(H, W, 3) in 0..1 → what it shows: 1 for what was measured, since the measures name only what stands out; chances of looks."""
    measured = appearance.measure(pixels)
    features = {name: 1.0 for aspect in appearance.ASPECTS for name, _ in appearance.describe(measured, aspect, 99)}
    seen = _pocket().see(pixels)
    if seen is not None:
        words, groups = _words()
        features |= {words[name]: chance for name, chance in seen.items() if name in words}
        # Of what both of them can tell, the encoders tell it better: they know how these pictures are made.
        features = {name: s for name, s in features.items() if name not in groups or name in {words.get(n) for n in seen}}
    return Glance({name: round(s, 3) for name, s in features.items()}, seen is not None)


def _pocket():
    from ..pocket import looks

    return looks


@cache
def _words() -> tuple[dict[str, str], frozenset[str]]:
    """What the pocket vocabulary's looks are called in a taste; a subject's own colour and an icon set's manner are none."""
    path = Path(__file__).parent.parent / "pocket" / "vocabulary.json"
    groups = json.loads(path.read_text(encoding="utf-8"))["attributes"]
    plain = {"monochrome": "black and white", "pastel": "pastel colors", "vivid": "vivid colors", "muted": "muted colors",
             "warm": "warm colors", "cool": "cool colors"}  # fmt: skip
    taste = {group: some for group, some in groups.items() if group not in ("color", "look")}
    words = {name: plain.get(name, said[0]) for some in taste.values() for name, said in some.items()}
    return words, frozenset(words.values())


def _glance(reference: ImageRef | None, batch: Any) -> Glance | None:
    file = _stamp(reference)
    if file is not None and (known := _seen.get(_files.get(file, ""))):
        return known
    picture = opened(reference, batch, appearance.FINE)
    if picture is None:
        return None
    pixels = np.asarray(picture)
    key = hashlib.sha1(repr(pixels.shape).encode() + pixels.tobytes(), usedforsecurity=False).hexdigest()
    found = _seen.get(key) or look(pixels.astype(np.float32) / 255)
    with _lock:  # a page may ask while a graph runs
        _seen[key] = found
        if file is not None:
            _files[file] = key
        for kept in (_seen, _files):
            while len(kept) > KEPT:
                kept.popitem(last=False)
    return found


def _stamp(reference: ImageRef | None) -> tuple | None:
    if reference is None or reference.index is not None:
        return None
    path = host.picture_path(reference.filename, reference.subfolder, reference.type)
    if path is None:
        return None
    state = path.stat()
    return str(path), state.st_mtime_ns, state.st_size


def _compared(comments: Comments, n: int, eyes) -> dict[str, float]:
    from .praise import SEEN_AS

    return {
        name: float(sure)
        for aspect in SEEN_AS
        if aspect not in appearance.ASPECTS
        for name, sure in eyes.named(comments, n, aspect)
    }
