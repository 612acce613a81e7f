"""Textures, media and grounds of the vocabulary: pictures (B, 3, H, W) in [0, 1] → the same, made another way.

Patterns repeat every 16 pixels, two latent cells, so that the autoencoder can keep them.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
TAU = 2 * torch.pi


def colour(*rgb: float) -> Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1)


def grey(x: Tensor) -> Tensor:
    return (x * LUMA).sum(1, keepdim=True)


def ramp(y: Tensor, dark: tuple, middle: tuple, light: tuple) -> Tensor:
    """Luminance (B, 1, H, W) → colour, through three stops."""
    a, b, c = (colour(*v) for v in (dark, middle, light))
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


def grow(mask: Tensor, width: int) -> Tensor:
    return F.max_pool2d(mask, width, 1, width // 2)


def shrink(mask: Tensor, width: int) -> Tensor:
    return -F.max_pool2d(-mask, width, 1, width // 2)


def grid(x: Tensor) -> tuple[Tensor, Tensor]:
    """Row (1, 1, H, 1) and column (1, 1, 1, W) of every pixel's centre."""
    h, w = x.shape[-2:]
    return torch.arange(h).view(1, 1, h, 1) + 0.5, torch.arange(w).view(1, 1, 1, w) + 0.5


def upright(x: Tensor, side: int) -> Tensor:
    """Every pixel of a coarse picture repeated ``side`` times both ways."""
    return x.repeat_interleave(side, 2).repeat_interleave(side, 3)


def moved(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Read ``x`` at places shifted by (B or 1, 1, H, W) pixels."""
    b, _, h, w = x.shape
    r, c = grid(x)
    rows, columns = ((r + down) / h * 2 - 1).expand(b, 1, h, w), ((c + right) / w * 2 - 1).expand(b, 1, h, w)
    return F.grid_sample(x, torch.stack([columns[:, 0], rows[:, 0]], -1), padding_mode="border", align_corners=False)


def dropped(x: Tensor, by: int) -> Tensor:
    """Shifted down and right by ``by`` pixels; nothing comes in from the other side."""
    return F.pad(x, (by, 0, by, 0))[..., : x.shape[2], : x.shape[3]]


def noise(x: Tensor, cell: int, generator: torch.Generator) -> Tensor:
    """Gaussian noise (B, 1, H, W), one value a ``cell`` × ``cell`` block."""
    return upright(torch.randn(len(x), 1, x.shape[2] // cell, x.shape[3] // cell, generator=generator), cell)


# Textures


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


# Media


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


# Grounds: (1, 3, H, W) to put a subject on


def _sky(r: Tensor, w: int, top: tuple, low: tuple) -> Tensor:
    t = (r / r.shape[2]).expand(1, 1, -1, w)
    return colour(*top) * (1 - t) + colour(*low) * t


def meadow(r, c):
    hill = (r > 88 + 5 * torch.sin(TAU * c / 96)).float()
    return _sky(r, c.shape[3], (0.55, 0.8, 0.98), (0.85, 0.94, 1.0)) * (1 - hill) + colour(0.42, 0.72, 0.28) * hill


def beach(r, c):
    sea, sand = (r > 64).float(), (r > 92 + 3 * torch.sin(TAU * c / 64)).float()
    out = _sky(r, c.shape[3], (0.6, 0.84, 1.0), (0.9, 0.96, 1.0)) * (1 - sea) + colour(0.15, 0.62, 0.8) * sea
    return out * (1 - sand) + colour(0.96, 0.85, 0.6) * sand


def night_sky(r, c):
    star = ((r % 32 - 12).square() + ((c + (r // 32 % 2) * 20) % 40 - 14).square() < 7).float()
    return _sky(r, c.shape[3], (0.03, 0.04, 0.16), (0.16, 0.14, 0.4)) * (1 - star) + colour(1.0, 0.97, 0.75) * star


def underwater(r, c):
    bubble = ((r % 40 - 14).square() + ((c + r // 40 * 24) % 48 - 18).square() - 25).abs().lt(11).float()
    return _sky(r, c.shape[3], (0.3, 0.8, 0.88), (0.02, 0.25, 0.5)) * (1 - 0.4 * bubble) + 0.4 * bubble


def snow(r, c):
    ground = (r > 94 + 4 * torch.sin(TAU * c / 80)).float()
    flake = ((r % 24 - 8).square() + ((c + (r // 24 % 2) * 14) % 28 - 9).square() < 7).float()
    out = _sky(r, c.shape[3], (0.5, 0.62, 0.78), (0.72, 0.8, 0.9)) * (1 - flake) + flake
    return out * (1 - ground) + colour(0.97, 0.98, 1.0) * ground


def striped(r, c):
    band = ((r + c) // 16 % 2 < 1).float()
    return colour(0.98, 0.8, 0.75) * band + colour(0.99, 0.95, 0.88) * (1 - band)


def polka_dots(r, c):
    dot = ((r % 32 - 16).square() + ((c + (r // 32 % 2) * 16) % 32 - 16).square() < 64).float()
    return colour(0.35, 0.75, 0.72) * dot + colour(0.97, 0.97, 0.9) * (1 - dot)


def checkered(r, c):
    dark = ((r // 16 + c // 16) % 2 < 1).float()
    return colour(0.75, 0.75, 0.78) * dark + colour(0.97, 0.97, 0.97) * (1 - dark)


def sunburst(r, c):
    angle = torch.atan2(r - r.shape[2] / 2, c - c.shape[3] / 2)
    ray = (torch.sin(12 * angle) > 0).float()
    return colour(1.0, 0.85, 0.4) * ray + colour(1.0, 0.62, 0.3) * (1 - ray)


def gradient(r, c):
    t = (r / r.shape[2]).expand(1, 1, -1, c.shape[3])
    return ramp(t, (0.45, 0.4, 0.9), (0.95, 0.55, 0.7), (1.0, 0.85, 0.45))


GROUNDS = {
    "gradient background": gradient, "striped background": striped, "polka dots": polka_dots, "checkered background": checkered,
    "sunburst": sunburst, "meadow": meadow, "beach": beach, "night sky": night_sky, "underwater": underwater, "snow": snow,
}  # fmt: skip
PAPERS = {
    "black background": (0.05, 0.05, 0.06), "blue background": (0.45, 0.7, 0.95), "pink background": (0.98, 0.7, 0.82),
    "yellow background": (0.99, 0.88, 0.4), "green background": (0.55, 0.85, 0.55), "red background": (0.85, 0.2, 0.18),
    "purple background": (0.62, 0.42, 0.82), "gray background": (0.6, 0.6, 0.6),
}  # fmt: skip
TEXTURES = {
    "pixelated": pixelated, "blurred": lambda x, mask, g: blur(x, 5), "grainy": grainy, "halftone": halftone, "hatched": hatched,
    "mosaic": mosaic, "scanlines": scanlines, "splattered": splattered, "woven": woven, "glitch": glitch, "wavy": wavy,
}  # fmt: skip
MEDIA = {
    "watercolor": watercolor, "oil painting": oil_painting, "pencil": pencil, "woodcut": woodcut, "stained glass": stained_glass,
    "chalk": chalk, "neon sign": neon_sign, "paper cut": paper_cut, "blueprint": blueprint,
}  # fmt: skip


def backdrop(name: str | None, shape: torch.Size) -> Tensor:
    """(1, 3, H, W) to put the subject on; white without a name."""
    if name in GROUNDS:
        return GROUNDS[name](*grid(torch.empty(shape, device="meta"))) + torch.zeros(1, 3, *shape[-2:])
    return colour(*PAPERS.get(name, (1.0, 1.0, 1.0))).expand(1, 3, *shape[-2:])
