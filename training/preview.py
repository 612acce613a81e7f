"""What a training will see, on one sheet."""

from __future__ import annotations

import numpy as np

from ..vpe.image_set import contact_sheet
from .dataset import Dataset, View

MOST, MOST_OF_CLASS = 32, 8
UNKNOWN = 512  # the resolution drawn where the model decides it
DIMMED = 0.25  # what is left of the light where a mask is 0


def sheet(dataset: Dataset, multiple: int = 8, seed: int = 0) -> np.ndarray:
    """Views with their captions, ``(H, W, 3)`` uint8: those of the subject first, then a few of the class; dimmed where they count less.

    At most `MOST` views: rather one of each picture than all of a few.
    """
    resolution = dataset.resolution or UNKNOWN
    known = dataset.resolution > 0  # else nobody can say yet which pictures are too small
    of_class = dataset.class_views(resolution, multiple, seed, known)[:MOST_OF_CLASS]
    views = dataset.views(resolution, multiple, seed, known)
    each = len(views) // len(dataset.instances)  # views of one picture
    order = sorted(range(len(views)), key=lambda n: (n % each, n // each))[: MOST - len(of_class)]
    shown = [(views[n], f"picture {n // each + 1}") for n in sorted(order)] + [(v, f"class picture {v.picture + 1}") for v in of_class]
    return contact_sheet([_pixels(v) for v, _ in shown], [(v.caption, f"{name}, {_size(v)}") for v, name in shown])


def _size(view: View) -> str:
    return f"{view.pixels.shape[1]} × {view.pixels.shape[0]}"


def _pixels(view: View) -> np.ndarray:
    pixels = view.pixels
    if view.mask is not None:
        pixels = pixels * (DIMMED + (1 - DIMMED) * view.mask[..., None])
    return (pixels * 255).round().byte().numpy()
