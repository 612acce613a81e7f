"""Preferences: the features a person likes and dislikes, with weights; their algebra, files and share codes."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import edits as _edits
from . import sharing
from .errors import PreferencesError
from .files import plain_name, write_whole

__all__ = ["Feature", "Preferences", "PreferencesError", "load_profile", "normalise", "profile_names", "profile_path",
           "save_profile"]

VERSION = 1
KIND = "viper-preferences"
MIN_WEIGHT, MAX_WEIGHT = 0.01, 10.0


@dataclass(frozen=True)
class Feature:
    """One art feature, such as "soft brush strokes"; ``source`` is the sentence it was read from.

    The text is kept on one line and free of separators, the weight within [0.01, 10] at four decimals, so that texts,
    files and codes all bring back the same feature.
    """

    text: str
    weight: float = 1.0
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not isinstance(self.source, str):
            raise PreferencesError("A feature and its source must be text.")
        if isinstance(self.weight, bool) or not _finite(self.weight):
            raise PreferencesError(f'The weight of "{self.text[:60]}" must be a number such as 1.3.')
        object.__setattr__(self, "text", " ".join(re.sub(r"[,;\x00-\x1f\x7f]+", " ", self.text).split()))
        object.__setattr__(self, "weight", min(MAX_WEIGHT, max(MIN_WEIGHT, round(float(self.weight), 4))))


def normalise(text: str) -> str:
    """The key under which two wordings are one feature: case, hyphens, spaces and British spelling do not matter."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("-", " ").replace("colour", "color").replace("grey", "gray")
    return " ".join(text.split())


@dataclass(frozen=True)
class Preferences:
    """Liked and disliked features (VP+ and VP− of the ViPer paper), each at most once.

    As in the official code (EPFL-VILAB/ViPer), what stands on both sides is removed from both. Repeats keep the
    first place and the greatest weight.
    """

    liked: tuple[Feature, ...] = ()
    disliked: tuple[Feature, ...] = ()

    def __post_init__(self) -> None:
        liked, disliked = _unique(self.liked), _unique(self.disliked)
        both = liked.keys() & disliked.keys()
        object.__setattr__(self, "liked", tuple(f for key, f in liked.items() if key not in both))
        object.__setattr__(self, "disliked", tuple(f for key, f in disliked.items() if key not in both))

    def __bool__(self) -> bool:
        return bool(self.liked or self.disliked)

    # Words

    @classmethod
    def from_text(cls, liked: str = "", disliked: str = "") -> Preferences:
        """Lists separated by ``,`` ``;`` or line breaks, with weights as in prompts: ``neon:1.3``, ``(neon:1.3)``."""
        return cls(*(tuple(Feature(t, w) for t, w in _edits.split_features(side)) for side in (liked, disliked)))

    def liked_text(self) -> str:
        """The liked features, ", "-joined, without weights."""
        return ", ".join(f.text for f in self.liked)

    def disliked_text(self) -> str:
        """The disliked features, ", "-joined, without weights."""
        return ", ".join(f.text for f in self.disliked)

    # Algebra on signed weights: liked counts above zero, disliked below

    def blend(self, other: Preferences, weight: float = 0.5) -> Preferences:
        """(1 − w)·self + w·other, w from 0 to 1. A feature liked in one and disliked in the other nets out."""
        if not _finite(weight) or not 0 <= weight <= 1:
            raise PreferencesError("The weight of a blend must be from 0 (only the first) to 1 (only the second).")
        return _combine(self, 1 - weight, other, weight)

    def add(self, other: Preferences, weight: float = 1.0) -> Preferences:
        """self + w·other."""
        if not _finite(weight):
            raise PreferencesError("The weight must be a number such as 0.5.")
        return _combine(self, 1.0, other, weight)

    def subtract(self, other: Preferences, weight: float = 1.0) -> Preferences:
        """self − w·other: also turns what only the other likes into a dislike, as E(VP+) − E(VP−) would."""
        if not _finite(weight):
            raise PreferencesError("The weight must be a number such as 0.5.")
        return _combine(self, 1.0, other, -weight)

    def edit(self, edits: str) -> Preferences:
        """Apply edits, one a line, from top to bottom::

            + torn paper edges        like it (moves it over if it was disliked)
            + torn paper edges = 1.3  the same with a weight
            - lens flare              dislike it
            ~ neon                    forget it (also: x neon)
            soft light = 1.5          set its weight (0 forgets it)
            old name -> new name      rename it, keeping side and weight
            # a note                  ignored

        Forgetting, weighing or renaming what is not there does nothing, because edits stay in the graph while the
        comments above them change. Raises PreferencesError for a line that is none of these.
        """
        signed = _signed(self)
        for verb, text, argument in _edits.parse_edits(edits):
            key = normalise(Feature(text).text)
            if verb in ("like", "dislike"):
                sign = 1 if verb == "like" else -1
                old_sign, old = signed.get(key, (sign, Feature(text)))
                weight = argument if argument is not None else old.weight if old_sign == sign else 1.0
                signed[key] = (sign, replace(old, weight=weight))
            elif key not in signed:
                continue
            elif verb == "remove":
                del signed[key]
            elif verb == "weight":
                signed[key] = (signed[key][0], replace(signed[key][1], weight=argument))
            else:
                new = Feature(argument).text
                entries = [(normalise(new), (sign, replace(f, text=new))) if k == key else (k, (sign, f))
                           for k, (sign, f) in signed.items() if k == key or k != normalise(new)]
                signed = dict(entries)
        return _from_signed(signed.values())

    # Files and codes

    def sides(self) -> dict[str, list[dict[str, Any]]]:
        """``{"liked": [{"text", "weight", "source"}], "disliked": [...]}``."""
        return {name: [{"text": f.text, "weight": f.weight, "source": f.source} for f in side]
                for name, side in (("liked", self.liked), ("disliked", self.disliked))}

    @classmethod
    def from_sides(cls, data: dict[str, Any]) -> Preferences:
        """Read what ``sides`` gave; a bare string is a feature. Raises PreferencesError."""
        return cls(_features(data, "liked"), _features(data, "disliked"))

    def to_json(self, **more: Any) -> str:
        """``{"kind": "viper-preferences", "version": 1, "liked": [{"text", "weight", "source"}], "disliked": [...]}`` and ``more`` keys."""
        return json.dumps({"kind": KIND, "version": VERSION, **self.sides(), **more}, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Preferences:
        """Read ``to_json``'s format; unknown keys are ignored, a bare string is a feature. Raises PreferencesError."""
        try:
            data = json.loads(text.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            raise PreferencesError("The preferences are broken JSON: save the profile again, or load another one.") from None
        if not isinstance(data, dict) or data.get("kind") != KIND:
            raise PreferencesError("This file holds no ViPer preferences: choose a profile saved by Save Preferences.")
        if isinstance(data.get("version"), bool) or data.get("version") != VERSION:
            raise PreferencesError(f"These preferences are not of version {VERSION}, the one this pack reads: update the pack.")
        return cls.from_sides(data)

    def save(self, path: str | os.PathLike, **more: Any) -> None:
        """Write ``to_json`` whole or not at all: an interrupted save leaves the former file as it was.

        Keys of ``more`` are written beside it; ``load`` ignores them. Raises PreferencesError.
        """
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, (self.to_json(**more) + "\n").encode("utf-8", "replace"))
        except OSError as error:
            raise PreferencesError(f'"{path.name}" could not be saved ({error.strerror or "disk error"}): '
                                   "check the folder's space and permissions.") from error

    @classmethod
    def load(cls, path: str | os.PathLike) -> Preferences:
        """Read a file written by ``save``. Raises PreferencesError."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            raise PreferencesError(f'The profile file "{path.name}" cannot be read: choose another profile or save it again.') from None
        return cls.from_json(text)

    def share_code(self) -> str:
        """One line to paste into a chat. Sources are left out: they are long, and a person's own sentences stay private."""
        return sharing.pack(*([(f.text, f.weight) for f in side] for side in (self.liked, self.disliked)))

    @classmethod
    def from_share_code(cls, code: str) -> Preferences:
        """Read a share code. Raises PreferencesError for a damaged, shortened or foreign one."""
        return cls(*(tuple(Feature(t, w) for t, w in side) for side in sharing.unpack(code)))


def profile_names(folder: str | os.PathLike) -> list[str]:
    """Names of the saved profiles in a folder, sorted; a folder that is not there holds none."""
    try:
        files = [p for p in Path(folder).iterdir() if p.suffix == ".json" and not p.name.startswith(".") and p.is_file()]
    except OSError:
        return []
    return sorted((p.stem for p in files), key=lambda name: (name.casefold(), name))


def save_profile(folder: str | os.PathLike, name: str, prefs: Preferences) -> Path:
    """Save under a name; returns the file. Raises PreferencesError for a name that is no safe file name everywhere."""
    path = profile_path(folder, name)
    prefs.save(path)
    return path


def load_profile(folder: str | os.PathLike, name: str) -> Preferences:
    """Load a named profile. Raises PreferencesError when there is none."""
    path = profile_path(folder, name)
    if not path.is_file():
        raise PreferencesError(f'There is no profile named "{name.strip()}": choose another one or save it first.')
    return Preferences.load(path)


def profile_path(folder: str | os.PathLike, name: str) -> Path:
    """The file of a named profile, inside ``folder`` whatever the name. Raises PreferencesError for an unsafe name."""
    name = plain_name(name, "profile", "my taste", PreferencesError)
    return Path(folder) / f"{name}.json"


def _finite(weight: Any) -> bool:
    return isinstance(weight, (int, float)) and -1e9 < weight < 1e9  # false for nan, too


def _unique(features: Iterable[Feature]) -> dict[str, Feature]:
    found: dict[str, Feature] = {}
    for feature in features:
        key = normalise(feature.text)
        if key and (key not in found or feature.weight > found[key].weight):
            found[key] = replace(found[key], weight=feature.weight) if key in found else feature
    return found


def _signed(prefs: Preferences) -> dict[str, tuple[int, Feature]]:
    return {normalise(f.text): (sign, f) for sign, side in ((1, prefs.liked), (-1, prefs.disliked)) for f in side}


def _from_signed(entries: Iterable[tuple[int, Feature]]) -> Preferences:
    entries = list(entries)
    return Preferences(tuple(f for sign, f in entries if sign > 0), tuple(f for sign, f in entries if sign < 0))


def _combine(a: Preferences, wa: float, b: Preferences, wb: float) -> Preferences:
    left, right = _signed(a), _signed(b)
    result = []
    for key in list(left) + [key for key in right if key not in left]:
        total = sum(w * side[key][0] * side[key][1].weight for w, side in ((wa, left), (wb, right)) if key in side)
        if abs(total) >= MIN_WEIGHT / 2:  # what nearly cancels is gone, never lifted back to the smallest weight
            result.append((1 if total > 0 else -1, replace((left.get(key) or right[key])[1], weight=abs(total))))
    return _from_signed(result)


def _features(data: dict[str, Any], side: str) -> tuple[Feature, ...]:
    entries = data.get(side, [])
    if not isinstance(entries, list):
        raise PreferencesError(f'"{side}" in these preferences must be a list of features.')
    features = []
    for n, entry in enumerate(entries, 1):
        entry = {"text": entry} if isinstance(entry, str) else entry
        try:
            features.append(Feature(entry["text"], entry.get("weight", 1.0), entry.get("source", "")))
        except (TypeError, KeyError, AttributeError, OverflowError, PreferencesError):
            raise PreferencesError(f'Feature {n} of "{side}" needs a text and a number as weight.') from None
    return tuple(features)
