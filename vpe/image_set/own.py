"""Pictures of one's own, brought to one size."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, features

from ..errors import ImageSetError
from .planning import draw

log = logging.getLogger("viper")

GREY = (128, 128, 128)


def own_files(folder: Path) -> list[Path]:
    """The pictures in a folder (not below it), in the order a person counts: 2 before 10."""
    kinds = {".png", ".jpg", ".jpeg", ".webp", ".bmp"} | ({".avif"} if features.check("avif") else set())
    try:
        files = [p for p in folder.iterdir() if p.suffix.lower() in kinds and not p.name.startswith(".") and p.is_file()]
    except OSError:
        return []
    return sorted(files, key=_natural)


def own_pictures(folder: Path, count: int, seed: int, side: int) -> tuple[list[Path], list[np.ndarray]]:
    """Up to ``count`` pictures of a folder, each (H, W, 3) uint8 and all of one size.

    More than that are chosen by the seed and stay in their order; a larger count keeps those chosen before. Pictures of
    one shape keep it; of several, the shape that at least half of them have is taken, or a square, and the others
    stand in it on a neutral grey. The longer side is at most ``side`` pixels, and no picture set is enlarged as a whole.
    EXIF orientation is honoured, what is transparent becomes white, a broken file is left out with a warning. Raises
    ImageSetError when there is no picture.
    """
    files = own_files(folder)
    chosen: dict[Path, Image.Image] = {}
    for path in sorted(files, key=lambda p: draw(seed, "file", p.name)):
        if len(chosen) == count:
            break
        try:
            chosen[path] = open_picture(path, side)
        except Exception as error:  # Pillow raises whatever it meets in a broken file
            log.warning("%s cannot be read as a picture (%s): it is left out.", path.name, error)
    if not chosen:
        raise ImageSetError(f'The folder "{folder.name}" holds no picture that can be read: put PNG, JPEG, WebP or BMP files into it.')
    paths = [p for p in files if p in chosen]
    images = [chosen[p] for p in paths]
    size = _common_size([i.size for i in images])
    return paths, [np.array(i if i.size == size else ImageOps.pad(i, size, Image.Resampling.LANCZOS, GREY)) for i in images]


def _natural(path: Path) -> tuple:
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p], path.name


def open_picture(path: Path, side: int = 0) -> Image.Image:
    """A file as RGB, upright, on white, the longer side at most ``side`` pixels (0: as it is). Raises whatever Pillow raises."""
    with Image.open(path) as file:
        if side:
            file.draft("RGB", (side, side))  # a photograph is decoded near the size that is wanted
        image = ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip
            image = Image.fromarray((np.asarray(image) / 257).clip(0, 255).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB")
    if side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def _common_size(sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """One size for all: the largest of the most common shape if half of the pictures have it, else a square."""
    shapes: dict[float, list] = {}
    for w, h in sizes:
        shapes.setdefault(round(w / h, 2), []).append((w, h))
    most = max(shapes.values(), key=lambda same: (len(same), max(same)))
    if 2 * len(most) >= len(sizes):
        return max(most)
    longest = max(max(size) for size in sizes)
    return longest, longest
