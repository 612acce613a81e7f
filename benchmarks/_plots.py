"""Line charts and contact sheets drawn with Pillow.

    chart(path, "Strength", "beta", "%", {"own against none": [(0.0, (0.12, 0.1, 0.14)), …]}, {"chance": 0.125})
    chart(path, "Cost", "pixels a side", "times", {"exact": [(512, (1.9, 1.8, 2.0)), …]}, {}, Axis(0, 4, 1, 1), even=True)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, SCALE = 640, 400, 2  # drawn at twice the size, then halved: smooth lines
LEFT, RIGHT, TOP, BOTTOM = 60, 190, 46, 52
COLOURS = ("#1f5fbf", "#d1495b", "#2e8b57", "#e08e0b", "#7a4fb5", "#555555")

Point = tuple[float, tuple[float, float, float]]  # x and (mean, low, high), shares of 1


@dataclass(frozen=True)
class Axis:
    """The y axis from ``low`` to ``high`` with a line every ``step``, labelled with ``times`` the value."""

    low: float = 0.0
    high: float = 1.0
    step: float = 0.2
    times: float = 100.0


PERCENT = Axis()


def chart(path: Path, title: str, x_name: str, y_name: str, lines: dict[str, Sequence[Point]], marks: dict[str, float],
          axis: Axis = PERCENT, even: bool = False) -> None:  # fmt: skip
    """Values against x with their intervals; ``marks`` are dashed levels with a name. Pillow's font has no Greek.

    ``even``: the x that there are stand at equal distances.
    """
    s = SCALE
    im = Image.new("RGB", (WIDTH * s, HEIGHT * s), "white")
    draw = ImageDraw.Draw(im)
    font, small, bold = (ImageFont.load_default(size * s) for size in (13, 12, 15))
    xs = sorted({x for points in lines.values() for x, _ in points})
    low, high = xs[0], xs[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        across = xs.index(x) / max(len(xs) - 1, 1) if even and x in xs else (x - low) / max(high - low, 1e-9)
        return (LEFT + wide * across) * s, (TOP + tall * (1 - (y - axis.low) / (axis.high - axis.low))) * s

    for n in range(round((axis.high - axis.low) / axis.step) + 1):
        value = axis.low + n * axis.step
        x, y = at(low, value)
        draw.line((x, y, at(high, value)[0], y), "#dddddd", s)
        draw.text((x - 8 * s, y), f"{round(axis.times * value, 6):g}", "black", font, anchor="rm")
    last = -1e9
    for x in xs:
        px, py = at(x, axis.low)
        draw.line((px, py, px, py + 4 * s), "black", s)
        if px - last >= 36 * s:  # names that would run into each other are left out
            draw.text((px, py + 8 * s), f"{x:.3g}", "black", font, anchor="mt")
            last = px
    draw.line((*at(low, axis.high), *at(low, axis.low), *at(high, axis.low)), "black", s)
    draw.text(((at(low, axis.low)[0] + at(high, axis.low)[0]) / 2, (HEIGHT - 10) * s), x_name, "black", font, anchor="mb")
    draw.text((8 * s, (TOP - 12) * s), y_name, "black", font, anchor="lb")
    draw.text((LEFT * s, 8 * s), title, "black", bold, anchor="lt")
    for name, level in marks.items():
        x0, y = at(low, level)
        for dash in range(int(x0), int(at(high, axis.low)[0]), 10 * s):
            draw.line((dash, y, dash + 5 * s, y), "#888888", s)
        draw.text((at(high, axis.low)[0] + 10 * s, y), name, "#666666", small, anchor="lm")
    names = []
    for (name, points), colour in zip(lines.items(), COLOURS, strict=False):
        places = [at(x, value[0]) for x, value in points]
        draw.line(places, colour, 3 * s, joint="curve")
        for (x, value), (px, py) in zip(points, places, strict=True):
            draw.line((px, at(x, value[1])[1], px, at(x, value[2])[1]), colour, s)
            draw.ellipse((px - 4 * s, py - 4 * s, px + 4 * s, py + 4 * s), colour)
        names.append([places[-1][1], name, colour])
    taken = [at(low, level)[1] for level in marks.values()]
    for entry in sorted(names):  # names stand at the ends of their lines, moved apart
        y = entry[0]
        while any(abs(y - t) < 15 * s for t in taken):
            y += s
        taken.append(y)
        draw.text((at(high, axis.low)[0] + 10 * s, y), entry[1], entry[2], small, anchor="lm")
    im.resize((WIDTH, HEIGHT), Image.LANCZOS).quantize(64).save(path, optimize=True)


def sheet(path: Path, rows: Sequence[tuple[str, Sequence[np.ndarray]]], heads: Sequence[str], left: int = 330) -> None:
    """Rows of pictures (128, 128, 3) uint8, each with a caption of lines to its left; ``heads`` name the columns."""
    side, top = 128, 22
    im = Image.new("RGB", (left + len(heads) * (side + 4), top + len(rows) * (side + 4)), "white")
    draw, font = ImageDraw.Draw(im), ImageFont.load_default(13)
    for c, head in enumerate(heads):
        draw.text((left + c * (side + 4) + side / 2, 4), head, "black", font, anchor="mt")
    for r, (caption, pictures) in enumerate(rows):
        draw.multiline_text((4, top + r * (side + 4) + 6), caption, "black", font, spacing=5)
        for c, picture in enumerate(pictures):
            im.paste(Image.fromarray(picture), (left + c * (side + 4), top + r * (side + 4)))
    im.save(path)
