"""A judge for pocket pictures that shares nothing with the model: what is it, and which look has it?

Subjects: a small CNN trained on real icons with its own augmentation. Looks: plain pixel statistics,
one linear discriminant per attribute group, fitted on real icons. Both report their own accuracy on
real icons next to every figure. Nothing of it ships.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 64


class SubjectNet(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        layers, width = [], 3
        for out in (32, 64, 128, 192):
            layers += [nn.Conv2d(width, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
            width = out
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width * 4, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.dropout(F.adaptive_avg_pool2d(self.body(x), 2).flatten(1), 0.2, self.training))


def small(x: Tensor) -> Tensor:
    """(B, 3, H, H) → (B, 3, 64, 64), each picture's own brightness and contrast taken out."""
    x = F.avg_pool2d(x, x.shape[-1] // SIDE)
    mean, std = x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), keepdim=True)
    return (x - mean) / (std + 0.05)


def augment(rgba: Tensor, g: torch.Generator) -> Tensor:
    """RGBA (B, 4, 64, 64) → RGB: affine, random paper, random colour matrix, blur, noise, inversion of contrast."""
    b = len(rgba)
    r = lambda *s: torch.rand(*s, generator=g)  # noqa: E731
    scale, angle = 0.95 + 0.35 * r(b), (r(b) - 0.5) * 0.35
    theta = torch.zeros(b, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = scale * angle.cos(), -scale * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = scale * angle.sin(), scale * angle.cos()
    theta[:, :, 2] = (r(b, 2) - 0.5) * 0.25
    x = F.grid_sample(rgba, F.affine_grid(theta, list(rgba.shape), align_corners=False), align_corners=False)
    paper = torch.where(r(b, 1, 1, 1) < 0.5, torch.ones(b, 3, 1, 1), r(b, 3, 1, 1))
    x = x[:, :3] * x[:, 3:] + paper * (1 - x[:, 3:])
    mix = torch.eye(3) * r(b, 1, 1) + (r(b, 3, 3) / 3) * r(b, 1, 1) * (r(b, 1, 1) < 0.7)
    x = torch.einsum("bij,bjhw->bihw", mix / mix.sum((1, 2), keepdim=True) * 3, x)
    grey = x.mean(1, keepdim=True)
    x = torch.where(r(b, 1, 1, 1) < 0.25, grey.expand_as(x), x)
    x = x.clamp(0, 1) ** (0.5 + 1.5 * r(b, 1, 1, 1)) * (0.3 + 0.8 * r(b, 1, 1, 1))
    sketch = 1 - (F.max_pool2d(grey, 3, 1, 1) + F.max_pool2d(-grey, 3, 1, 1)) * 3
    x = torch.where(r(b, 1, 1, 1) < 0.1, sketch.clamp(0, 1).expand_as(x), x)
    coarse = F.interpolate(F.avg_pool2d(x, 4), scale_factor=4)
    soft = F.avg_pool2d(F.avg_pool2d(x, 3, 1, 1), 5, 1, 2)
    pick = r(b, 1, 1, 1)
    x = torch.where(pick < 0.15, coarse, torch.where(pick < 0.35, soft, x))
    noise = F.interpolate(torch.randn(b, 1, 32, 32, generator=g), scale_factor=2) * 0.15 * r(b, 1, 1, 1)
    return x + noise * (r(b, 1, 1, 1) < 0.4)


@torch.enable_grad()
def train_subjects(icons: dict, names: list[str], path: Path, steps: int = 1600, batch: int = 64) -> SubjectNet:
    """``icons``: (set, subject) → RGBA uint8. Kept at ``path``."""
    net = SubjectNet(len(names))
    if path.exists():
        net.load_state_dict(torch.load(path))
        return net.eval()
    torch.manual_seed(1)
    keys = [k for k in icons if k[1] in names]
    x = torch.stack([F.avg_pool2d(torch.from_numpy(icons[k]).permute(2, 0, 1).float() / 255, 2) for k in keys])
    y = torch.tensor([names.index(k[1]) for k in keys])
    g = torch.Generator().manual_seed(2)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    for _ in range(steps):
        i = torch.randint(len(keys), (batch,), generator=g)
        loss = F.cross_entropy(net(small(augment(x[i], g))), y[i], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plan.step()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), path)
    return net.eval()


@torch.no_grad()
def subjects(net: SubjectNet, pictures: Tensor) -> Tensor:
    """(B, 3, 128, 128) in [0, 1] → class index (B,)."""
    return net(small(pictures)).argmax(1)


def statistics(x: Tensor) -> Tensor:
    """Plain numbers of pictures (B, 3, 128, 128) in [0, 1] → (B, n): light, colour, paper, edges, periods."""
    y = (x * torch.tensor([0.3, 0.59, 0.11]).view(1, 3, 1, 1)).sum(1)
    flat = y.flatten(1)
    quantiles = torch.quantile(flat, torch.tensor([0.02, 0.1, 0.3, 0.7, 0.9, 0.98]), dim=1).T
    saturation = (x.amax(1) - x.amin(1)).flatten(1)
    relative = saturation / (x.amax(1).flatten(1) + 0.05)
    weight = saturation + 1e-3
    hue = torch.atan2(3**0.5 * (x[:, 1] - x[:, 2]), 2 * x[:, 0] - x[:, 1] - x[:, 2]).flatten(1)
    hues = [(weight * f(k * hue)).sum(1) / weight.sum(1) for k in (1, 2) for f in (torch.cos, torch.sin)]
    border = torch.cat([x[:, :, :5].flatten(2), x[:, :, -5:].flatten(2), x[..., :5].flatten(2), x[..., -5:].flatten(2)], 2)
    paper = border.median(2).values
    top, bottom = x[:, :, :5].mean((2, 3)), x[:, :, -5:].mean((2, 3))
    ink = flat < 0.15
    dx, dy = y.diff(dim=2).abs(), y.diff(dim=1).abs()
    at_blocks = dx[:, :, 7::8].mean((1, 2)) + dy[:, 7::8].mean((1, 2))
    steps = dx.mean((1, 2)) + dy.mean((1, 2))
    sharp = torch.quantile(dx.flatten(1), 0.97, dim=1)
    lap = (y[:, 1:-1, 1:-1] * 4 - y[:, :-2, 1:-1] - y[:, 2:, 1:-1] - y[:, 1:-1, :-2] - y[:, 1:-1, 2:]).abs()
    blocks = F.avg_pool2d(y[:, None], 4)
    rough = (blocks - F.avg_pool2d(blocks, 3, 1, 1)).abs().flatten(1)
    spectrum = torch.fft.fft2(y - flat.mean(1)[:, None, None]).abs()
    total = spectrum.square().sum((1, 2)).sqrt() + 1
    periods = [(spectrum[:, 8, 8] / total), (spectrum[:, 8, -8] / total), (spectrum[:, 16, 0] + spectrum[:, 0, 16]) / total]
    columns = [flat.mean(1), flat.std(1), saturation.mean(1), saturation.std(1), relative.mean(1), x[:, 0].sub(x[:, 2]).mean((1, 2))]
    columns += [x[:, 1].mul(2).sub(x[:, 0] + x[:, 2]).mean((1, 2)), *hues, ink.float().mean(1), at_blocks / (steps + 0.01)]
    columns += [steps, sharp, sharp / (flat.std(1) + 0.02), lap.mean((1, 2)), rough.mean(1), torch.quantile(rough, 0.3, dim=1), *periods]
    return torch.cat([torch.stack(columns, 1), quantiles, paper, top - bottom, paper * paper, x.mean((2, 3))], 1)


class Looks:
    """One linear discriminant per group over ``statistics``; class 0 is "plain"."""

    def __init__(self, shrink: float = 0.02):
        self.shrink, self.models = shrink, {}

    def fit(self, group: str, names: list[str], pictures: list[Tensor]) -> None:
        """``pictures``: one batch per class, the first of plain pictures."""
        features = [statistics(p) for p in pictures]
        centre, scale = torch.cat(features).mean(0), torch.cat(features).std(0) + 1e-4
        z = [(f - centre) / scale for f in features]
        means = torch.stack([f.mean(0) for f in z])
        scatter = sum((f - m).T @ (f - m) for f, m in zip(z, means, strict=True)) / sum(map(len, z))
        precision = torch.linalg.inv(scatter + self.shrink * torch.eye(len(scatter)))
        self.models[group] = (["plain", *names], centre, scale, means, precision)

    def __call__(self, group: str, pictures: Tensor) -> list[str]:
        names, centre, scale, means, precision = self.models[group]
        d = ((statistics(pictures) - centre) / scale)[:, None] - means[None]
        return [names[i] for i in torch.einsum("bki,ij,bkj->bk", d, precision, d).argmin(1).tolist()]
