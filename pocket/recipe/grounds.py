"""What stands behind a subject: functions of pixel rows and columns → (1, 3, H, W) in [0, 1]."""

import torch
from torch import Tensor

from .filters import TAU, colour, grid, ramp


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


def backdrop(name: str | None, shape: torch.Size) -> Tensor:
    """(1, 3, H, W) to put the subject on; white without a name."""
    if name in GROUNDS:
        return GROUNDS[name](*grid(torch.empty(shape, device="meta"))) + torch.zeros(1, 3, *shape[-2:])
    return colour(*PAPERS.get(name, (1.0, 1.0, 1.0))).expand(1, 3, *shape[-2:])
