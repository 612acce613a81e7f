"""A taste that grows: what is new is merged into a profile on disk, which remembers the last thing it learned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .preferences import Feature, Preferences, PreferencesError, load_profile, normalise, profile_path

LEARNED = "learned"  # the profile's extra key: a digest of the preferences that were learned last
FORGOTTEN = 0.1  # a feature this weak beside the strongest one is forgotten


def merge(old: Preferences, new: Preferences, keep: float) -> Preferences:
    """w_j = s · (k·o_j + (1 − k)·n_j) on signed weights, liked above zero, with s such that nothing fades by itself.

    k is ``keep``, o and n are the old and the new weights (0 where a feature is missing), a_j = k·|o_j| + (1 − k)·|n_j|, and
    s = (k·m(o) + (1 − k)·m(n)) / m(a) with m(x) = Σ x² / Σ |x|, the mean weight as a unit of weight sees it: it stays that of
    the inputs as long as they do not contradict each other, and a crowd of half-forgotten features does not lift the rest.
    So an old feature loses to new ones only in proportion (by k at each update that does not mention it), one that both
    name gains, and one that they put on opposite sides nets out for good, since s does not see signs. What falls below a
    tenth of the strongest is forgotten. An empty side changes nothing. Raises PreferencesError.
    """
    if not isinstance(keep, (int, float)) or not 0 <= keep <= 1:
        raise PreferencesError("keep must be from 0 (only the new preferences) to 1 (only the old ones).")
    if not new or keep == 1:
        return old if old or keep < 1 else new
    if not old or keep == 0:
        return new
    signed = [{normalise(f.text): (sign, f) for sign, side in ((1, p.liked), (-1, p.disliked)) for f in side} for p in (old, new)]
    shares = keep, 1 - keep
    size: dict[str, float] = {}
    value: dict[str, float] = {}
    feature: dict[str, Feature] = {}
    for share, side in zip(shares, signed, strict=True):
        for key, (sign, f) in side.items():
            size[key] = size.get(key, 0.0) + share * f.weight
            value[key] = value.get(key, 0.0) + share * sign * f.weight
            feature[key] = replace(f, source=f.source or feature[key].source) if key in feature else f
    strongest = max(size.values())
    kept = [key for key in size if size[key] >= FORGOTTEN * strongest]
    means = [_mean(f.weight for _, f in side.values()) for side in signed]
    scale = (shares[0] * means[0] + shares[1] * means[1]) / _mean(size[key] for key in kept)
    found = [(value[key] * scale, feature[key]) for key in kept if abs(value[key]) >= FORGOTTEN * strongest]
    return Preferences(*(tuple(replace(f, weight=abs(w)) for w, f in found if w * sign > 0) for sign in (1, -1)))


def _mean(weights: Iterable[float]) -> float:
    weights = list(weights)
    return sum(w * w for w in weights) / sum(weights)


def update_profile(folder: str | Path, name: str, new: Preferences, keep: float = 0.7) -> Preferences:
    """Merge ``new`` into the profile ``name`` and return what it holds now; without a profile ``new`` becomes it.

    The same preferences twice in a row are learned once, empty ones never. An interrupted write leaves the former file.
    Raises PreferencesError.
    """
    path = profile_path(folder, name)
    old = load_profile(folder, name) if path.is_file() else Preferences()
    if not new:
        return old
    mark = digest(new)
    if path.is_file() and last_learned(path) == mark:
        return old
    result = merge(old, new, keep)
    result.save(path, **{LEARNED: mark})
    return result


def digest(prefs: Preferences) -> str:
    """The same for the same features and weights on the same sides, in any order; sources do not count."""
    sides = [sorted((normalise(f.text), f.weight) for f in side) for side in (prefs.liked, prefs.disliked)]
    return hashlib.sha256(json.dumps(sides, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[:32]


def last_learned(path: Path) -> str | None:
    """The digest that a profile's file remembers; None where it was never updated, or saved anew since."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    mark = data.get(LEARNED) if isinstance(data, dict) else None
    return mark if isinstance(mark, str) else None
