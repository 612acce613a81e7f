"""Pictures of a class, made by the model that will be trained: what the prior loss keeps (DreamBooth, section 3.3).

They are kept by what they depend on (model, prompt, size, how they were drawn), so every training of the same class shares them,
and a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..vpe.files import write_png
from .errors import TrainingError

SETTINGS = {"steps": 30, "sampler_name": "euler", "scheduler": "simple"}
VERSION = 1

Draw = Callable[[Sequence[int], int], Sequence[np.ndarray]]


def key(base: str, prompt: str, resolution: int, cfg: float, given: dict) -> str:
    """Names the folder: the same key, the same pictures. ``base`` is the fingerprint of the model."""
    what = json.dumps([VERSION, base, prompt, resolution, cfg, given, SETTINGS], sort_keys=True)
    return hashlib.sha256(what.encode()).hexdigest()[:16]


def complete(folder: Path, count: int, draw: Draw, batch: int = 1) -> list[np.ndarray]:
    """The first ``count`` pictures ``(H, W, 3)`` uint8 of the class, those that lack drawn and kept.

    ``draw(seeds, done)`` gives one picture a seed; picture n always has seed n. Raises TrainingError when the disk refuses.
    """
    there = {n: pixels for n in range(count) if (pixels := _read(folder / _name(n))) is not None}
    missing = [n for n in range(count) if n not in there]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for first in range(0, len(missing), batch):
            numbers = missing[first:first + batch]
            for n, pixels in zip(numbers, draw(numbers, count - len(missing) + first), strict=True):
                write_png(folder / _name(n), pixels, compress_level=4)
                there[n] = pixels
    except OSError as e:
        raise TrainingError(f'The class pictures cannot be kept in "{folder}" ({e.strerror or e}): check the disk\'s space and '
                            "permissions, then run again; finished pictures are kept.") from e  # fmt: skip
    return [there[n] for n in range(count)]


def _name(n: int) -> str:
    return f"{n + 1:05}.png"


def _read(path: Path) -> np.ndarray | None:
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except Exception:  # Pillow raises whatever it meets in a broken file
        return None
