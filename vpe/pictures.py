"""The pictures that comments are about, as a model takes them: RGB, no larger than asked."""

from __future__ import annotations

import logging
from typing import Any

from .. import host
from .comments import Comments, ImageRef

log = logging.getLogger("viper")


def pictures_of(comments: Comments, longest: int = 0) -> list[Any]:
    """A PIL.Image or None for each comment; the longer side has at most ``longest`` pixels (0: as they are).

    A picture that is gone or cannot be read is None: the words of its comment are used alone.
    """
    return [opened(comment.image, comments.pictures, longest) for comment in comments.items]


def opened(reference: ImageRef | None, batch: Any, longest: int):
    """The picture of one reference, a PIL.Image in RGB on white, or None where it is gone; ``batch`` is the connected IMAGE batch."""
    from PIL import Image, ImageOps

    if reference is None:
        return None
    if reference.index is not None:
        if batch is None or reference.index >= len(batch):
            return None
        picture = Image.fromarray(host.eight_bit(batch[reference.index]))
    else:
        path = host.picture_path(reference.filename, reference.subfolder, reference.type)
        if path is None:
            return None
        try:
            with Image.open(path) as file:
                picture = ImageOps.exif_transpose(file)
                picture.load()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            log.warning("The picture %s cannot be read: the words of its comment are used alone.", reference.filename)
            return None
    picture = _on_white(picture)
    if longest:
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return picture


def _on_white(picture):
    from PIL import Image

    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
