"""Rows of pictures with a label in front: how a subject appeared over the steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ..vpe.image_set.sheet import font_for, wrapped

_GAP, _SIZE = 12, 16


def labelled_rows(rows: Sequence[tuple[str, Sequence[np.ndarray]]], titles: Sequence[str] = (), side: int = 192) -> np.ndarray:
    """``rows`` of a label and pictures (H, W, 3) uint8 of any size → one sheet (H, W, 3) uint8.

    ``titles`` stand above the columns of the second row: the first one shows what was given.
    """
    font = font_for(_SIZE, "".join([*titles, *(label for label, _ in rows)]))
    left = int(max(font.getlength(label) for label, _ in rows)) + 2 * _GAP
    columns = max(len(pictures) for _, pictures in rows)
    lines = [wrapped(title, font, side, 3) for title in titles]
    head = (max(map(len, lines), default=0)) * (_SIZE + 4) + (_GAP if lines else 0)
    sheet = Image.new("RGB", (left + columns * (side + _GAP), _GAP + head + len(rows) * (side + _GAP)), "white")
    pen, y = ImageDraw.Draw(sheet), _GAP
    for n, (label, pictures) in enumerate(rows):
        if n == 1 and lines:
            for column, title in enumerate(lines):
                for i, line in enumerate(title):
                    pen.text((left + column * (side + _GAP), y + i * (_SIZE + 4)), line, fill="#333333", font=font)
            y += head
        pen.text((_GAP, y + side // 2 - _SIZE), label, fill="#333333", font=font)
        for column, pixels in enumerate(pictures):
            picture = Image.fromarray(pixels)
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            sheet.paste(picture, (left + column * (side + _GAP) + (side - picture.width) // 2, y + (side - picture.height) // 2))
        y += side + _GAP
    return np.array(sheet)
