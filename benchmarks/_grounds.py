"""Grounds of the judge's own transforms, drawn with Pillow and NumPy, every parameter jittered."""

import math

import numpy as np
from PIL import Image, ImageDraw

SIDE = 128
PLAIN = {
    "black background": (12, 12, 15), "blue background": (115, 178, 242), "pink background": (250, 178, 209),
    "red background": (217, 51, 46), "yellow background": (252, 224, 102), "green background": (140, 217, 140),
    "purple background": (158, 107, 209), "gray background": (153, 153, 153),
}  # fmt: skip


def array(im: Image.Image) -> np.ndarray:
    return np.asarray(im.convert("RGB"), np.float32) / 255


def image(a: np.ndarray) -> Image.Image:
    return Image.fromarray((np.clip(a, 0, 1) * 255).astype(np.uint8))


def fall(*stops) -> np.ndarray:
    """Vertical colour run (128, 1, 3) through evenly spaced stops."""
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(np.linspace(0, 1, SIDE), at, [s[c] for s in stops]) for c in range(3)], -1)[:, None]


def ground(name: str | None, rng) -> Image.Image:
    """What stands behind the subject."""
    if name is None:
        return Image.new("RGB", (SIDE, SIDE), "white")
    if name in PLAIN:
        return Image.new("RGB", (SIDE, SIDE), tuple(int(np.clip(v + rng.integers(-12, 13), 0, 255)) for v in PLAIN[name]))
    y, x = np.mgrid[:SIDE, :SIDE]
    if name == "gradient background":
        return image(fall((0.45, 0.4, 0.9), (0.95, 0.55, 0.7), (1, 0.85, 0.45)) + np.zeros((SIDE, SIDE, 1)))
    if name == "striped background":
        n = rng.uniform(13, 19)
        return image(np.where(((x + y) // n % 2 == 0)[..., None], (0.98, 0.8, 0.75), (0.99, 0.95, 0.88)))
    if name == "polka dots":
        n, r = int(rng.choice([28, 32, 36])), rng.uniform(6.5, 9.5)
        dot = np.hypot(y % n - n / 2, (x + y // n % 2 * n / 2) % n - n / 2) < r
        return image(np.where(dot[..., None], (0.35, 0.75, 0.72), (0.97, 0.97, 0.9)))
    if name == "checkered background":
        n = int(rng.choice([14, 16, 18]))
        return image(np.where(((x // n + y // n) % 2 == 0)[..., None], (0.75, 0.75, 0.78), (0.97, 0.97, 0.97)))
    if name == "sunburst":
        ray = np.sin(np.arctan2(y - 63.5, x - 63.5) * int(rng.integers(9, 14)) + rng.uniform(0, 6)) > 0
        return image(np.where(ray[..., None], (1, 0.85, 0.4), (1, 0.62, 0.3)))
    hills = y > rng.uniform(84, 98) + 5 * np.sin(2 * math.pi * x / rng.uniform(64, 110))
    if name == "meadow":
        sky = fall((0.55, 0.8, 0.98), (0.85, 0.94, 1)) + np.zeros((SIDE, SIDE, 1))
        return image(np.where(hills[..., None], (0.42, 0.72, 0.28), sky))
    if name == "beach":
        out = np.where((y > rng.uniform(58, 70))[..., None], (0.15, 0.62, 0.8), fall((0.6, 0.84, 1), (0.9, 0.96, 1)))
        return image(np.where(hills[..., None], (0.96, 0.85, 0.6), out))
    tops = {"night sky": ((0.03, 0.04, 0.16), (0.16, 0.14, 0.4)), "underwater": ((0.3, 0.8, 0.88), (0.02, 0.25, 0.5))}
    out = image(fall(*tops.get(name, ((0.5, 0.62, 0.78), (0.72, 0.8, 0.9)))) + np.zeros((SIDE, SIDE, 1)))
    draw = ImageDraw.Draw(out)
    for _ in range(rng.integers(10, 26)):
        px, py, r = rng.uniform(0, SIDE), rng.uniform(0, SIDE), rng.uniform(1.5, 3)
        if name == "underwater":
            draw.ellipse((px - 2 * r, py - 2 * r, px + 2 * r, py + 2 * r), outline=(170, 215, 225))
        else:
            draw.ellipse((px - r, py - r, px + r, py + r), "white" if name == "snow" else (255, 247, 190))
    return image(np.where(hills[..., None], (0.97, 0.98, 1), array(out))) if name == "snow" else out
