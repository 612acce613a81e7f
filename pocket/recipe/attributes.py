"""The looks of the vocabulary as image transforms, and so also their definition.

Pictures are (B, 3, H, W) in [0, 1]; ``mask`` is the subject's coverage (B, 1, H, W). Patterns repeat
every 16 pixels, two latent cells, so that the autoencoder can keep them.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
HUES = {
    "red": (0.85, 0.1, 0.1), "orange": (0.95, 0.5, 0.05), "yellow": (0.9, 0.8, 0.0), "green": (0.15, 0.65, 0.15),
    "teal": (0.0, 0.6, 0.6), "blue": (0.1, 0.25, 0.9), "purple": (0.5, 0.15, 0.8), "pink": (0.95, 0.3, 0.65),
}  # fmt: skip
BACKGROUNDS = {
    "black background": (0.05, 0.05, 0.06), "blue background": (0.45, 0.7, 0.95), "pink background": (0.98, 0.7, 0.82),
    "yellow background": (0.99, 0.88, 0.4), "green background": (0.55, 0.85, 0.55),
}  # fmt: skip


def grey(x: Tensor) -> Tensor:
    return (x * LUMA).sum(1, keepdim=True)


def ramp(y: Tensor, dark: tuple, middle: tuple, light: tuple) -> Tensor:
    """Luminance (B, 1, H, W) → colour, through three stops."""
    a, b, c = (torch.tensor(v).view(1, 3, 1, 1) for v in (dark, middle, light))
    return torch.where(y < 0.5, a + (b - a) * 2 * y, b + (c - b) * (2 * y - 1))


@lru_cache
def _blur_matrix(side: int, sigma: float) -> Tensor:
    i = torch.arange(side)
    k = torch.exp(-0.5 * ((i[:, None] - i[None]) / sigma) ** 2)
    return k / k.sum(1, keepdim=True)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur; as two matrix products, which a CPU does far faster than a depthwise convolution."""
    return _blur_matrix(x.shape[-2], sigma) @ x @ _blur_matrix(x.shape[-1], sigma).T


def edges(x: Tensor, width: int) -> Tensor:
    """Soft edge strength in [0, 1], dilated to ``width`` pixels."""
    y = blur(x, 0.8)
    d = F.max_pool2d(y, 3, 1, 1) + F.max_pool2d(-y, 3, 1, 1)
    return F.max_pool2d((d.amax(1, keepdim=True) * 3.0).clamp(0, 1), width, 1, width // 2)


def grid(x: Tensor) -> tuple[Tensor, Tensor]:
    h, w = x.shape[-2:]
    return torch.arange(h).view(1, 1, h, 1) + 0.5, torch.arange(w).view(1, 1, 1, w) + 0.5


def halftone(x: Tensor) -> Tensor:
    """Dots on a 45° screen of period 16, coloured as the picture, larger where it is darker; white paper."""
    r, c = grid(x)
    u, v = torch.cos(torch.pi * (r + c) / 16), torch.cos(torch.pi * (r - c) / 16)
    screen = (u * u + v * v) / 2
    colour = F.avg_pool2d(blur(x, 3), 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    ink = ((1 - grey(colour)) * 1.3 + 0.22).clamp(0, 0.95)
    dots = ((screen - (1 - ink)) * 6 + 0.5).clamp(0, 1)
    return dots * colour * 0.75 + (1 - dots)


def hatched(x: Tensor) -> Tensor:
    """Dark diagonal strokes of period 16, stronger where the picture is darker."""
    r, c = grid(x)
    line = (torch.cos(2 * torch.pi * (r + c) / 16) * 1.6 - 0.3).clamp(0, 1)
    return x * (1 - line * (0.25 + 0.6 * (1 - grey(x))).clamp(0, 0.8))


def grainy(x: Tensor, generator: torch.Generator) -> Tensor:
    b, _, h, w = x.shape
    coarse = torch.randn(b, 1, h // 4, w // 4, generator=generator).repeat_interleave(4, 2).repeat_interleave(4, 3)
    fine = torch.randn(b, 1, h, w, generator=generator)
    return x * 0.85 + 0.03 + 0.15 * coarse + 0.06 * fine


def apply(name: str, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    """One attribute on pictures that are already on their background."""
    y = grey(x)
    if name in HUES:
        hue = HUES[name]
        out = ramp(y, tuple(0.18 * h for h in hue), hue, tuple(0.75 + 0.25 * h for h in hue))
    elif name == "monochrome":
        out = y.expand_as(x)
    elif name == "sepia":
        out = ramp(y, (0.16, 0.09, 0.03), (0.62, 0.45, 0.27), (0.97, 0.9, 0.76))
    elif name == "pastel":
        out = 0.56 + 0.41 * (y + 0.8 * (x - y))
    elif name == "vivid":
        out = (y - 0.04) + 1.7 * (x - y)
    elif name == "dark":
        out = x * 0.32
    elif name == "bright":
        out = 0.04 + 0.96 * x.clamp(min=0) ** 0.5
    elif name == "high contrast":
        out = 0.5 + 2.6 * (x - 0.55)
    elif name == "low contrast":
        out = 0.56 + 0.3 * (x - 0.5)
    elif name == "warm":
        out = x * torch.tensor([1.08, 0.88, 0.58]).view(1, 3, 1, 1) + torch.tensor([0.06, 0.02, 0.0]).view(1, 3, 1, 1)
    elif name == "cool":
        out = x * torch.tensor([0.62, 0.86, 1.05]).view(1, 3, 1, 1) + torch.tensor([0.0, 0.03, 0.1]).view(1, 3, 1, 1)
    elif name == "pixelated":
        out = F.avg_pool2d(x, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    elif name == "blurred":
        out = blur(x, 5)
    elif name == "grainy":
        out = grainy(x, generator)
    elif name == "halftone":
        out = halftone(x)
    elif name == "hatched":
        out = hatched(x)
    elif name == "outlined":
        contour = F.max_pool2d(mask, 9, 1, 4) - (-F.max_pool2d(-mask, 3, 1, 1))
        out = x * (1 - torch.maximum(contour.clamp(0, 1), 0.8 * edges(x * mask, 3)))
    elif name == "line art":
        contour = F.max_pool2d(mask, 5, 1, 2) + F.max_pool2d(-mask, 3, 1, 1)
        out = (1 - torch.maximum(contour.clamp(0, 1), edges(x * mask, 3))).expand_as(x)
    else:
        raise ValueError(f"no transform for the attribute {name!r}")
    return out.clamp(0, 1)


def backdrop(name: str | None, shape: torch.Size) -> Tensor:
    """(1, 3, H, W) to put the subject on; white without a name."""
    h, w = shape[-2:]
    if name == "gradient background":
        t = torch.linspace(0, 1, h).view(1, 1, h, 1).expand(1, 1, h, w)
        return ramp(t, (0.45, 0.4, 0.9), (0.95, 0.55, 0.7), (1.0, 0.85, 0.45))
    return torch.tensor(BACKGROUNDS.get(name, (1.0, 1.0, 1.0))).view(1, 3, 1, 1).expand(1, 3, h, w)


def dress(rgba: Tensor, chosen: list[str], groups: dict[str, str], generator: torch.Generator) -> Tensor:
    """RGBA (B, 4, H, W) → RGB with the attributes ``chosen``; ``groups`` maps attribute → group."""
    order = ["line", "palette", "hue", "temperature", "contrast", "key", "texture"]
    ground = next((a for a in chosen if groups[a] == "background"), None)
    mask = rgba[:, 3:]
    x = rgba[:, :3] * mask + backdrop(ground, rgba.shape) * (1 - mask)
    for name in sorted((a for a in chosen if groups[a] in order), key=lambda a: order.index(groups[a])):
        x = apply(name, x, mask, generator)
    return x
