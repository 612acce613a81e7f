"""The contact sheet: numbered pictures with their captions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# For captions beyond Latin; Pillow looks for them where the system keeps its fonts.
_FONTS = (
    *("NotoSansCJK-Regular.ttc", "PingFang.ttc", "AppleSDGothicNeo.ttc", "malgun.ttf", "meiryo.ttc", "msyh.ttc"),
    *("DejaVuSans.ttf", "arial.ttf"),
)


def contact_sheet(pictures: Sequence[np.ndarray], captions: Sequence[tuple[str, str]]) -> np.ndarray:
    """All pictures (H, W, 3) uint8 on one sheet, numbered from 1; a caption is (title, what stands below it).

    Pictures of several sizes keep their shapes, and those of a row stand on one line.
    """
    longer = 256 if len(pictures) <= 100 else 192
    shown = [_fitted(pixels, longer) for pixels in pictures]
    cell, gap, size = max(160, *(p.width for p in shown)), 16, 16
    font = font_for(size, "".join(map("".join, captions)))
    line = size + 5
    texts = [
        [(row, "#111111") for row in wrapped(f"{n}. {title}", font, cell, 2)] + [(row, "#555555") for row in wrapped(below, font, cell, 3)]
        for n, (title, below) in enumerate(captions, 1)
    ]
    below = max(map(len, texts)) * line + 6
    columns = _columns(len(pictures), (sum(p.height for p in shown) / len(shown) + below) / (cell + gap))
    heights = [max(p.height for p in shown[n:n + columns]) for n in range(0, len(shown), columns)]
    sheet = Image.new("RGB", (gap + columns * (cell + gap), gap + sum(h + below + gap for h in heights)), "white")
    pen = ImageDraw.Draw(sheet)
    for n, (picture, text) in enumerate(zip(shown, texts, strict=True)):
        row, column = divmod(n, columns)
        x, floor = gap + column * (cell + gap), gap + sum(h + below + gap for h in heights[:row]) + heights[row]
        left, top = x + (cell - picture.width) // 2, floor - picture.height
        pen.rectangle((left - 1, top - 1, left + picture.width, floor), outline="#dddddd")  # where a white picture ends
        sheet.paste(picture, (left, top))
        for i, (words, color) in enumerate(text):
            pen.text((x, floor + 6 + i * line), words, fill=color, font=font)
    return np.array(sheet)


def _fitted(pixels: np.ndarray, longer: int) -> Image.Image:
    height, width = pixels.shape[:2]
    scale = longer / max(width, height)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)


def _columns(count: int, shape: float) -> int:
    """As many that the sheet is about as wide as high and its last row about full; ``shape``: a cell's height by its width."""
    ideal = max(round((count * shape) ** 0.5), 1)
    return min(range(ideal, ideal + 3), key=lambda columns: (-count % columns, columns)) if count > ideal else count


def font_for(size: int, text: str):
    """A font of this size that has the letters of ``text``, as far as the system has one."""
    if not text.replace("—", "-").isascii():
        for name in _FONTS:
            found = _system_font(name, size)
            if found is not None:
                return found
    return ImageFont.load_default(size)


@cache
def _system_font(name: str, size: int):
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def wrapped(text: str, font, width: int, most: int) -> list[str]:
    """Lines of at most ``width`` pixels, at most ``most`` of them; what is left over ends in an ellipsis."""
    lines: list[str] = []
    rest = text.strip()
    while rest and len(lines) < most:
        end = len(rest)
        while end > 1 and font.getlength(rest[:end]) > width:
            end -= 1
        if end < len(rest):
            # Break at a blank; a script without blanks, or a file name, breaks anywhere.
            blank = rest.rfind(" ", 0, end + 1)
            end = blank if blank > 0 else end
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if rest:
        last = lines[-1]
        while last and font.getlength(last + "…") > width:
            last = last[:-1]
        lines[-1] = last + "…"
    return lines
