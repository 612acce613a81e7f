"""The loss plot: instance and prior apart, each smoothed, and the learning rate below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 960, 600
_LEFT, _RIGHT, _TOP, _BOTTOM, _RATE = 84, 24, 48, 40, 90
_COLOURS = {"instance": ("#1f5fa8", "#a9c6e6"), "prior": ("#c4621d", "#f0c8a8"), "loss": ("#444444", "#cccccc")}  # smoothed, raw
_GREEN = "#2e7d4f"
_NAMES = {"instance": "subject", "prior": "class (prior)", "loss": "loss"}


def smoothed(values: Sequence[float], half_life: float) -> list[float]:
    """Exponential moving average whose start counts in full (bias corrected): a value ``half_life`` steps old counts half."""
    decay, total, weight, out = 0.5 ** (1.0 / max(half_life, 1e-9)), 0.0, 0.0, []
    for value in values:
        if math.isfinite(value):
            total, weight = decay * total + (1 - decay) * value, decay * weight + (1 - decay)
        out.append(total / weight if weight else math.nan)
    return out


def loss_plot(series: Mapping[str, Sequence[float]], title: str = "") -> np.ndarray:
    """Series of one value a step → (H, W, 3) uint8. Constant, empty and unfinite values are drawn as what they are."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen, font, small = ImageDraw.Draw(picture), ImageFont.load_default(17), ImageFont.load_default(14)
    shown = [name for name in ("instance", "prior") if any(math.isfinite(v) for v in series.get(name, ()))]
    if not shown and any(math.isfinite(v) for v in series.get("loss", ())):
        shown = ["loss"]
    steps = max((len(series[name]) for name in shown), default=0)
    box = (_LEFT, _TOP, WIDTH - _RIGHT, HEIGHT - _BOTTOM - _RATE - 24)
    if not shown:
        pen.text((_LEFT, _TOP), "no step yet", fill="#444444", font=font)
        return np.array(picture)
    curves = {name: smoothed(series[name], max(steps / 25, 2)) for name in shown}
    finite = sorted(v for name in shown for v in series[name] if math.isfinite(v))
    # Raw values scatter with the noise level that was drawn: the axis holds all but the rarest, and every smoothed one.
    low = min(0.0, finite[0])
    high = max(finite[min(int(len(finite) * 0.98), len(finite) - 1)], *(max(v for v in c if math.isfinite(v)) for c in curves.values()))
    _axes(pen, box, small, low, high if high > low else low + 1.0, steps, last=False)
    for name in shown:
        strong, pale = _COLOURS[name]
        _line(pen, box, series[name], low, high, steps, pale, 1)
        _line(pen, box, curves[name], low, high, steps, strong, 3)
    rate_box = (_LEFT, box[3] + 32, WIDTH - _RIGHT, HEIGHT - _BOTTOM)
    rates = list(series.get("learning_rate", ()))
    top = max((r for r in rates if math.isfinite(r)), default=0.0) or 1.0
    _axes(pen, rate_box, small, 0.0, top * 1.1, steps, last=True, marks=1)
    _line(pen, rate_box, rates, 0.0, top * 1.1, steps, _GREEN, 2)
    pen.text((_LEFT + 6, rate_box[1] - 20), "learning rate", fill=_GREEN, font=small)
    pen.text((_LEFT, 14), title, fill="#111111", font=font)
    x = WIDTH - _RIGHT
    for name in reversed(shown):
        label = f"{_NAMES[name]} {curves[name][-1]:.4f}"
        x -= pen.textlength(label, font=small) + 34
        pen.line((x, 24, x + 22, 24), fill=_COLOURS[name][0], width=3)
        pen.text((x + 27, 15), label, fill="#333333", font=small)
    return np.array(picture)


def _axes(pen, box, font, low, high, steps, last, marks=4) -> None:
    left, top, right, bottom = box
    pen.rectangle(box, outline="#bbbbbb")
    for i in range(marks + 1):
        value = low + (high - low) * i / marks
        y = bottom - (bottom - top) * i / marks
        if 0 < i < marks:
            pen.line((left, y, right, y), fill="#eeeeee")
        label = f"{value:.3g}"
        pen.text((left - 8 - pen.textlength(label, font=font), y - 9), label, fill="#555555", font=font)
    if last:
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            label = str(round(steps * share))
            pen.text((left + (right - left) * share - pen.textlength(label, font=font) / 2, bottom + 8), label, fill="#555555", font=font)


def _line(pen, box, values, low, high, steps, colour, width) -> None:
    left, top, right, bottom = box
    span = high - low or 1.0
    points: list[tuple[float, float]] = []
    for i, value in enumerate([*values, math.nan]):
        if math.isfinite(value):
            x = left + (right - left) * (i + 0.5) / max(steps, 1)
            points.append((x, min(max(bottom - (bottom - top) * (value - low) / span, top), bottom)))
            continue
        if len(points) == 1:  # a lone step is a dot
            x, y = points[0]
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
        elif points:
            pen.line(points, fill=colour, width=width, joint="curve")
        points = []
