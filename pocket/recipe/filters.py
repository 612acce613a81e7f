"""Pictures (B, 3, H, W) in [0, 1]: the small operations that looks are made of."""

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
