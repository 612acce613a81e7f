"""The report as a picture: a panel for each metric and encoder, a bar for each label, whiskers for the 95 % interval."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from ..vpe.image_set.sheet import font_for, wrapped
from .metrics import Metrics, Row, figure

SCALE = 2  # drawn at twice the size, then halved: smooth edges
PANEL, GAP, EDGE = 460, 28, 32
TITLE, HEAD, BAR, STEP, FOOT = 56, 54, 22, 34, 12
NAMES, NUMBERS = 128, 64  # pixels for the labels left of the bars and the numbers right of them
COLOURS = ("#2f6db5", "#d9773d", "#3c9a6e", "#b5495b", "#7a5cb0", "#8a8a3a", "#4a9fb0", "#777777")
INK, GREY, PALE, WHISKER = "#222222", "#777777", "#eef0f3", "#1b2430"


def chart(metrics: Metrics, title: str) -> np.ndarray:
    """(H, W, 3) uint8. Panels stand in as many columns as make the picture about as wide as high."""
    panels = [(column, [row for row in metrics.rows if row.column == column]) for column in metrics.columns]
    tall = [HEAD + STEP * len(rows) + FOOT for _, rows in panels]
    columns = min(len(panels), 1 if len(panels) == 1 else 2 if len(panels) <= 6 else 3)
    lines = [tall[i : i + columns] for i in range(0, len(tall), columns)]
    width = 2 * EDGE + columns * PANEL + (columns - 1) * GAP
    height = TITLE + sum(max(line) + GAP for line in lines) + EDGE - GAP
    picture = Image.new("RGB", (width * SCALE, height * SCALE), "white")
    pen = _Pen(ImageDraw.Draw(picture))
    pen.text(EDGE, 20, title, 20, INK, width - 2 * EDGE)
    colours = {label: COLOURS[n % len(COLOURS)] for n, label in enumerate(metrics.labels)}
    y = TITLE
    for n, line in enumerate(lines):
        for k in range(len(line)):
            (metric, encoder, better), rows = panels[n * columns + k]
            x = EDGE + k * (PANEL + GAP)
            pen.box(x, y, PANEL, max(line), PALE)
            pen.text(x + 14, y + 10, metric, 17, INK, PANEL - 28)
            pen.text(x + 14, y + 31, f"{encoder} - {better} is better", 12, GREY, PANEL - 28)
            _bars(pen, rows, colours, x, y + HEAD)
        y += max(line) + GAP
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))


def _bars(pen: _Pen, rows: list[Row], colours: dict[str, str], x: float, y: float) -> None:
    """Bars from zero, on the panel's own scale: metrics have none in common."""
    left, right = x + NAMES + 14, x + PANEL - NUMBERS - 14
    ends = [v for row in rows for v in (row.value, row.low, row.high) if math.isfinite(v)]
    low, high = min(0.0, *ends, 0.0), max(0.0, *ends, 0.0)
    span = (high - low) or 1.0

    def at(value: float) -> float:
        return left + (right - left) * (value - low) / span

    for n, row in enumerate(rows):
        top = y + STEP * n + (STEP - BAR) / 2
        middle = top + BAR / 2
        pen.text(left - 8, middle, row.label, 13, INK, NAMES - 4, anchor="rm")
        if math.isfinite(row.value):
            pen.rectangle(min(at(0), at(row.value)), top, max(at(0), at(row.value)), top + BAR, colours[row.label])
        if math.isfinite(row.low):
            pen.line(at(row.low), middle, at(row.high), middle, WHISKER, 1.5)
            for end in (row.low, row.high):
                pen.line(at(end), middle - 5, at(end), middle + 5, WHISKER, 1.5)
        pen.text(right + 10, middle, figure(row.value), 13, INK, NUMBERS, anchor="lm")
    pen.line(at(0), y + 2, at(0), y + STEP * len(rows) - 2, GREY, 1)


class _Pen:
    """Draws in pixels of the finished picture."""

    def __init__(self, draw: ImageDraw.ImageDraw):
        self.draw = draw

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.draw.rounded_rectangle(_scaled(x, y, x + width, y + height), 10 * SCALE, fill=colour)

    def rectangle(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        self.draw.rounded_rectangle(_scaled(left, top, max(right, left + 1), bottom), 3 * SCALE, fill=colour)

    def line(self, x0: float, y0: float, x1: float, y1: float, colour: str, width: float) -> None:
        self.draw.line(_scaled(x0, y0, x1, y1), fill=colour, width=round(width * SCALE))

    def text(self, x: float, y: float, text: str, size: int, colour: str, width: float, anchor: str = "la") -> None:
        font = font_for(size * SCALE, text)
        line = next(iter(wrapped(text, font, round(width * SCALE), 1)), "")
        self.draw.text((x * SCALE, y * SCALE), line, fill=colour, font=font, anchor=anchor)


def _scaled(*places: float) -> list[float]:
    return [place * SCALE for place in places]
