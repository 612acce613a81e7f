"""The looks of the vocabulary as image transforms, and so also their definition.

Pictures are (B, 3, H, W) in [0, 1]; ``mask`` is the subject's coverage (B, 1, H, W). Each attribute is one
function ``(x, mask, generator) → picture``; ``dress`` puts several on, in the order of ``ORDER``.
"""

import torch
from torch import Tensor

from .filters import TAU, blur, colour, dropped, edges, grey, grid, grow, ramp, shrink
from .grounds import backdrop
from .patterns import MEDIA, TEXTURES

HUES = {
    "red": (0.85, 0.1, 0.1), "orange": (0.95, 0.5, 0.05), "yellow": (0.9, 0.8, 0.0), "green": (0.15, 0.65, 0.15),
    "teal": (0.0, 0.6, 0.6), "blue": (0.1, 0.25, 0.9), "purple": (0.5, 0.15, 0.8), "pink": (0.95, 0.3, 0.65),
    "brown": (0.5, 0.3, 0.15), "lime": (0.62, 0.88, 0.1), "black": (0.16, 0.16, 0.17),
}  # fmt: skip
ORDER = ("line", "medium", "palette", "hue", "temperature", "contrast", "key", "mood", "texture", "frame")


def tinted(x: Tensor, scale: tuple, lift: tuple = (0.0, 0.0, 0.0)) -> Tensor:
    return x * colour(*scale) + colour(*lift)


def toned(name: str):
    hue = HUES[name]
    stops = tuple(0.18 * h for h in hue), hue, tuple(0.75 + 0.25 * h for h in hue)
    return lambda x, mask, g: ramp(grey(x), *stops)


def saturated(gain: float, light: float = 1.0, lift: float = 0.0):
    return lambda x, mask, g: lift + light * (grey(x) + gain * (x - grey(x)))


PALETTES = {
    "monochrome": lambda x, mask, g: grey(x).expand_as(x),
    "sepia": lambda x, mask, g: ramp(grey(x), (0.16, 0.09, 0.03), (0.62, 0.45, 0.27), (0.97, 0.9, 0.76)),
    "pastel": saturated(0.8, 0.41, 0.56),
    "vivid": saturated(1.7, 1.0, -0.04),
    "muted": saturated(0.42, 0.72, 0.1),
    "duotone": lambda x, mask, g: ramp(grey(x), (0.2, 0.05, 0.45), (0.85, 0.3, 0.4), (1.0, 0.8, 0.35)),
    "inverted": lambda x, mask, g: 1 - x,
}
LIGHTS = {
    "dark": lambda x, mask, g: x * 0.32,
    "bright": lambda x, mask, g: 0.04 + 0.96 * x.clamp(min=0) ** 0.5,
    "high contrast": lambda x, mask, g: 0.5 + 2.6 * (x - 0.55),
    "low contrast": lambda x, mask, g: 0.56 + 0.3 * (x - 0.5),
    "warm": lambda x, mask, g: tinted(x, (1.08, 0.88, 0.58), (0.06, 0.02, 0.0)),
    "cool": lambda x, mask, g: tinted(x, (0.62, 0.86, 1.05), (0.0, 0.03, 0.1)),
}


def outlined(x, mask, g):
    contour = grow(mask, 9) - shrink(mask, 3)
    return x * (1 - torch.maximum(contour.clamp(0, 1), 0.8 * edges(x * mask, 3)))


def line_art(x, mask, g):
    contour = grow(mask, 5) - shrink(mask, 3)
    return (1 - torch.maximum(contour.clamp(0, 1), edges(x * mask, 3))).expand_as(x)


def silhouette(x, mask, g):
    return x * (1 - mask) + 0.06 * mask


def sticker(x, mask, g):
    """A white margin round the subject, its grey rim and a soft shadow."""
    paper, rim = grow(mask, 11), grow(mask, 15)
    shade = 1 - 0.45 * blur(rim, 2)
    ground = x * shade * (1 - rim) + 0.55 * (rim - paper).clamp(min=0) + paper
    return torch.where(paper > mask, ground * (1 - mask) + x * mask, x * mask + ground * (1 - mask))


LINES = {"outlined": outlined, "line art": line_art, "silhouette": silhouette, "sticker": sticker}


def from_centre(x: Tensor) -> Tensor:
    """Distance of each pixel from the middle; 1 at the middle of a side."""
    r, c = grid(x)
    h, w = x.shape[-2:]
    return ((r / h * 2 - 1).square() + (c / w * 2 - 1).square()).sqrt()


def sunset(x, mask, g):
    r, c = grid(x)
    t = (r / x.shape[2]).expand(1, 1, -1, c.shape[3])
    return x * ramp(t, (0.62, 0.35, 0.62), (1.0, 0.6, 0.45), (1.0, 0.82, 0.4)) + 0.03


def moonlit(x, mask, g):
    return (0.35 * x + 0.65 * grey(x)) * colour(0.3, 0.4, 0.72) + colour(0.0, 0.01, 0.07)


def eerie(x, mask, g):
    return (0.3 * x + 0.7 * grey(x)) * colour(0.35, 0.62, 0.3) * (1.15 - 0.65 * from_centre(x)).clamp(0.15, 1)


def romantic(x, mask, g):
    return blur(x, 1.2) * colour(0.62, 0.48, 0.55) + colour(0.38, 0.28, 0.34)


def dreamy(x, mask, g):
    """A lilac veil with bloom: soft, light, colours bleeding."""
    soft = blur(x, 4)
    return (1 - (1 - 0.55 * x) * (1 - 0.5 * soft)) * colour(0.92, 0.86, 1.0) + colour(0.06, 0.05, 0.1)


def foggy(x, mask, g):
    """Grey mist, thicker towards the ground."""
    r, _ = grid(x)
    veil = 0.5 + 0.42 * (r / x.shape[2])
    return x * (1 - veil) + colour(0.8, 0.83, 0.86) * veil


MOODS = {"sunset": sunset, "moonlit": moonlit, "eerie": eerie, "romantic": romantic, "dreamy": dreamy, "foggy": foggy}


def vignette(x, mask, g):
    return x * (1.35 - 0.95 * from_centre(x)).clamp(0.08, 1)


def border(x: Tensor, width: int, below: int = 0) -> Tensor:
    """1 in a margin of ``width`` pixels, wider by ``below`` at the bottom."""
    r, c = grid(x)
    h, w = x.shape[-2:]
    return ((r < width) | (r > h - width - below) | (c < width) | (c > w - width)).float()


def framed(x, mask, g):
    """Brown wood, 8 pixels, with a bright inner rim."""
    r, c = grid(x)
    wood = colour(0.36, 0.2, 0.08) * (0.9 + 0.15 * torch.cos(TAU * (r + c) / 32))
    outer, inner = border(x, 8), border(x, 11)
    return x * (1 - inner) + 0.85 * colour(0.9, 0.72, 0.35) * (inner - outer) + wood * outer


def polaroid(x, mask, g):
    """White card with a deep lower margin on grey."""
    card, table = border(x, 12, 10), border(x, 6)
    return x * 0.92 * (1 - card) + (card - table).clamp(min=0) * 0.99 + 0.55 * table


FRAMES = {"vignette": vignette, "framed": framed, "polaroid": polaroid}
WHOLE = LINES | MEDIA | PALETTES | LIGHTS | MOODS | TEXTURES | FRAMES  # by name; hues come on top


def apply(name: str, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    """One attribute on pictures that are already on their background."""
    if name not in WHOLE and name not in HUES:
        raise ValueError(f"no transform for the attribute {name!r}")
    return (WHOLE[name] if name in WHOLE else toned(name))(x, mask, generator).clamp(0, 1)


def painted(rgb: Tensor, name: str) -> Tensor:
    """The subject alone in another colour, its light and shade kept."""
    hue = HUES[name]
    y = grey(rgb)
    if name == "black":
        return 0.05 + 0.3 * y.expand_as(rgb)
    return ramp(0.12 + 0.8 * y, tuple(0.25 * h for h in hue), hue, tuple(0.55 + 0.45 * h for h in hue)).clamp(0, 1)


def lit(ground: Tensor, mask: Tensor, name: str | None) -> Tensor:
    """What the subject does to the ground behind it."""
    if name == "drop shadow":
        return ground * (1 - 0.6 * dropped(blur(mask, 2), 9))
    if name == "glowing":
        halo = (blur(grow(mask, 9), 5) * 1.3).clamp(0, 1)
        return ground * (1 - halo) + colour(1.0, 0.82, 0.25) * halo
    return ground


def dress(rgba: Tensor, chosen: list[str], groups: dict[str, str], generator: torch.Generator) -> Tensor:
    """RGBA (B, 4, H, W) → RGB with the attributes ``chosen``; ``groups`` maps attribute → group."""
    of = {groups[a]: a for a in chosen}
    rgb, mask = rgba[:, :3], rgba[:, 3:]
    if "color" in of:
        rgb = painted(rgb, of["color"].removesuffix(" subject"))
    ground = lit(backdrop(of.get("background"), rgba.shape).expand_as(rgb), mask, of.get("light"))
    x = rgb * mask + ground * (1 - mask)
    for group in ORDER:
        if group in of:
            x = apply(of[group], x, mask, generator)
    return x
