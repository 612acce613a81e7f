"""Textures and media of the vocabulary: pictures (B, 3, H, W) in [0, 1] → the same, made another way.

Patterns repeat every 16 pixels, two latent cells, so that the autoencoder can keep them.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .filters import TAU, blur, colour, dropped, edges, grey, grid, grow, moved, noise, shrink, upright


def pixelated(x, mask, g):
    return upright(F.avg_pool2d(x, 8), 8)


def halftone(x, mask, g):
    """Dots on a 45° screen of period 16, coloured as the picture, larger where it is darker; white paper."""
    r, c = grid(x)
    u, v = torch.cos(torch.pi * (r + c) / 16), torch.cos(torch.pi * (r - c) / 16)
    screen = (u * u + v * v) / 2
    colours = upright(F.avg_pool2d(blur(x, 3), 4), 4)
    ink = ((1 - grey(colours)) * 1.3 + 0.22).clamp(0, 0.95)
    dots = ((screen - (1 - ink)) * 6 + 0.5).clamp(0, 1)
    return dots * colours * 0.75 + (1 - dots)


def hatched(x, mask, g):
    """Dark diagonal strokes of period 16, stronger where the picture is darker."""
    r, c = grid(x)
    line = (torch.cos(TAU * (r + c) / 16) * 1.6 - 0.3).clamp(0, 1)
    return x * (1 - line * (0.25 + 0.6 * (1 - grey(x))).clamp(0, 0.8))


def grainy(x, mask, g):
    return x * 0.85 + 0.03 + 0.15 * noise(x, 4, g) + 0.06 * noise(x, 1, g)


def mosaic(x, mask, g):
    """Stones of 8 pixels, in rows of 16 set off against each other, with light joints and a little jitter of tone."""
    out = upright(F.avg_pool2d(x, 8) + 0.05 * noise(x[..., ::8, ::8], 1, g), 8)
    r, c = grid(x)
    joint = ((r % 16 < 2.1) | ((c + 8 * (r // 16 % 2)) % 16 < 2.1)).float()
    return out * (1 - joint) + 0.72 * joint


def scanlines(x, mask, g):
    r, _ = grid(x)
    return x * (0.68 + 0.4 * torch.cos(TAU * r / 16)).clamp(0.25, 1)


def splattered(x, mask, g):
    """About thirty drops of dark paint, 3 to 7 pixels wide."""
    b, _, h, w = x.shape
    seeds = (torch.rand(b, 1, h, w, generator=g) < 30 / (h * w)).float()
    size = 0.4 + torch.rand(b, 1, h, w, generator=g)
    drop = (blur(grow(seeds * size, 5), 1.5) * 4 - 1).clamp(0, 1)
    return x * (1 - 0.9 * drop)


def woven(x, mask, g):
    r, c = grid(x)
    u, v = torch.cos(TAU * r / 16), torch.cos(TAU * c / 16)
    over = torch.where((r // 8 + c // 8) % 2 < 1, u, v)
    return x * (0.78 + 0.2 * over) + 0.03


def glitch(x, mask, g):
    """Bands of 16 rows slipped sideways; red and blue torn apart."""
    b, _, h, w = x.shape
    slip = torch.randn(b, 1, h // 16, 1, generator=g).mul(9).repeat_interleave(16, 2)
    channels = [moved(x[:, i : i + 1], torch.zeros(1), slip + tear) for i, tear in enumerate((-5.0, 0.0, 5.0))]
    return torch.cat(channels, 1)


def wavy(x, mask, g):
    r, c = grid(x)
    return moved(x, 3.5 * torch.sin(TAU * c / 32), 3.5 * torch.sin(TAU * r / 32))


def watercolor(x, mask, g):
    """Washes that run: wobbling shapes, pale uneven pigment, darker rims, paper showing through."""
    wobble = [blur(noise(x, 4, g), 4) * 8 for _ in range(2)]
    soft = blur(moved(x, *wobble), 1.6)
    rim = (soft - blur(soft, 4)).clamp(max=0)
    pigment = 0.68 + 0.3 * blur(noise(x, 8, g), 6).mul(2.5).clamp(-1, 1)
    return 0.96 + (soft + 1.1 * rim - 1) * pigment


def oil_painting(x, mask, g):
    """Strokes: places jump by block, colours deepen, and light rakes over their ridges."""
    hop = [blur(noise(x, 8, g), 1.5) * 5 for _ in range(2)]
    y = blur(moved(x, *hop), 1.0)
    y = grey(y) + 1.35 * (y - grey(y))
    relief = blur(noise(x, 4, g), 1.8)
    return y * 0.9 + 0.2 * (relief - torch.roll(relief, (2, 2), (2, 3))) + 0.02


def pencil(x, mask, g):
    """Grey strokes on white: soft contours, diagonal shading of period 8 where it is dark, grain of the paper."""
    r, c = grid(x)
    shade = (0.75 - grey(blur(x, 1.5))).clamp(0, 1)
    stroke = 0.5 + 0.5 * torch.cos(TAU * (r + c) / 16)
    dark = 0.55 * edges(x, 3) + shade * (0.35 + 0.5 * stroke) + 0.05 * noise(x, 2, g)
    return (0.97 - dark).clamp(0.15, 1).expand_as(x)


def woodcut(x, mask, g):
    """Black ink on cream: contours, and level strokes that are wider where it is darker."""
    r, _ = grid(x)
    dark = 0.25 * mask + 0.9 * (1 - blur(grey(x), 1.2))
    strokes = ((dark - 0.5 - 0.42 * torch.cos(TAU * r / 16)) * 8 + 0.5).clamp(0, 1)
    ink = torch.maximum(strokes, (grow(mask, 5) - shrink(mask, 3)).clamp(0, 1))
    return ink * colour(0.1, 0.08, 0.07) + (1 - ink) * colour(0.95, 0.9, 0.78)


@lru_cache
def _panes(side: int) -> tuple[Tensor, Tensor]:
    """A fixed cracked pattern → nearest seed of each pixel (H, W), and the leads (1, 1, H, W)."""
    generator = torch.Generator().manual_seed(8)
    at = torch.arange(0, side, 20) + 10.0
    seeds = torch.stack(torch.meshgrid(at, at, indexing="ij"), -1).view(-1, 2)
    seeds = seeds + (torch.rand(seeds.shape, generator=generator) - 0.5) * 13
    i = torch.arange(side) + 0.5
    places = torch.stack(torch.meshgrid(i, i, indexing="ij"), -1)
    near = torch.cdist(places.view(-1, 2), seeds).topk(2, largest=False)
    lead = (near.values[:, 1] - near.values[:, 0] < 3.2).float().view(1, 1, side, side)
    return near.indices[:, 0].view(side, side), lead


def stained_glass(x, mask, g):
    """Panes of one deep colour each, in black leads."""
    pane, lead = _panes(x.shape[-1])
    count = int(pane.max()) + 1
    index = pane.flatten().expand(*x.shape[:2], -1)
    total = torch.zeros(*x.shape[:2], count).scatter_add_(2, index, x.flatten(2))
    mean = total / torch.bincount(pane.flatten(), minlength=count).clamp(min=1)
    glass = mean.gather(2, index).view_as(x)
    y = grey(glass)
    return (0.95 * y + 1.6 * (glass - y)).clamp(0, 1) * (1 - lead)


def chalk(x, mask, g):
    """Pale broken lines and a dusty fill on a slate."""
    dust = 0.7 + 0.3 * noise(x, 2, g).clamp(-1, 1)
    drawn = torch.maximum(edges(x, 3), (grow(mask, 3) - shrink(mask, 3)).clamp(0, 1)) * dust
    fill = 0.3 * mask * dust * (0.4 + x)
    return (colour(0.13, 0.2, 0.17) + fill + drawn * 0.8).clamp(0, 1)


def neon_sign(x, mask, g):
    """Glowing tubes along the contours, in the colours of the picture, in the dark."""
    y = grey(x)
    tint = (y + 2.2 * (x - y)).clamp(0.08, 1)
    tint = tint / tint.amax(1, keepdim=True).clamp(min=0.3)
    tube = torch.maximum((grow(mask, 5) - shrink(mask, 3)).clamp(0, 1), 0.7 * edges(x * mask, 3))
    glow = blur(tube, 4)
    return colour(0.04, 0.03, 0.08) + blur(tint, 3) * (0.9 * tube + 1.1 * glow)


def paper_cut(x, mask, g):
    """Few flat tones, each sheet with its soft shadow, on tinted paper."""
    flat = (blur(x, 1.5) * 3).round() / 3
    shadow = dropped(blur(grow(mask, 3), 3), 6) * (1 - mask)
    paper = colour(0.93, 0.86, 0.74) * (1 - 0.65 * shadow)
    return (0.1 + 0.85 * flat) * mask + paper * (1 - mask)


def blueprint(x, mask, g):
    """White contours on blue paper with a fine grid."""
    r, c = grid(x)
    lines = torch.maximum(edges(x, 3), (grow(mask, 3) - shrink(mask, 3)).clamp(0, 1))
    ruled = 0.16 * ((r % 16 < 1) | (c % 16 < 1)).float()
    return colour(0.08, 0.22, 0.6) + torch.maximum(lines * 0.85, ruled) * colour(0.9, 0.8, 0.45)


TEXTURES = {
    "pixelated": pixelated, "blurred": lambda x, mask, g: blur(x, 5), "grainy": grainy, "halftone": halftone, "hatched": hatched,
    "mosaic": mosaic, "scanlines": scanlines, "splattered": splattered, "woven": woven, "glitch": glitch, "wavy": wavy,
}  # fmt: skip
MEDIA = {
    "watercolor": watercolor, "oil painting": oil_painting, "pencil": pencil, "woodcut": woodcut, "stained glass": stained_glass,
    "chalk": chalk, "neon sign": neon_sign, "paper cut": paper_cut, "blueprint": blueprint,
}  # fmt: skip
