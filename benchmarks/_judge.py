"""A judge for pocket pictures that is independent of the model: what is it, and which look has it?

Two small CNNs, trained on real icons (the recipe's sets and three it never sees) that were dressed by the Pillow code
of ``_transforms.py``, not by the recipe's. OpenMoji is never trained on: it tells how far the judge can be trusted.
``by_pixels`` answers some questions from plain statistics, as a check on the CNNs. Nothing of it ships.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

MORE_SETS = {
    "noto-v1": ("@iconify-json/noto-v1@1.2.5",),
    "emojione": ("@iconify-json/emojione@1.2.3",),
    "fxemoji": ("@iconify-json/fxemoji@1.2.2",),
}
UNSEEN = {"openmoji": ("@iconify-json/openmoji@1.2.29",)}


class Net(nn.Module):
    """(B, 3, side, side) → (B, classes)."""

    def __init__(self, classes: int, widths: tuple[int, ...]):
        super().__init__()
        layers, width = [], 3
        for i, out in enumerate(widths):
            layers += [nn.Conv2d(width, out, 3, 1 if len(widths) < 5 or i else 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
            width = out
        self.body, self.head = nn.Sequential(*layers), nn.Linear(width * 5, classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, d): what the last layer reads."""
        x = self.body(x)
        return torch.cat([F.adaptive_avg_pool2d(x, 2).flatten(1), x.amax((2, 3))], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.dropout(self.features(x), 0.2, self.training))


def small(x: Tensor) -> Tensor:
    """(B, 3, H, H) → (B, 3, 64, 64), each picture's own brightness and contrast taken out."""
    x = F.avg_pool2d(x, x.shape[-1] // 64)
    return (x - x.mean((1, 2, 3), keepdim=True)) / (x.std((1, 2, 3), keepdim=True) + 0.05)


def bank(icons: dict, names: list[str], vocabulary: dict, path: Path, count: int, seed: int = 3):
    """``count`` dressed icons, drawn once: pixels (N, 3, 128, 128) uint8, subject (N,), and a label per group.

    Labels are -1 where a group is not in question; 0 is "plain", which only a picture without any look is.
    """
    from viper.benchmarks import _transforms as transforms

    if not path.with_suffix(".npz").exists():
        rng = np.random.default_rng(seed)
        keys = [k for k in icons if k[1] in names]
        looks = {g: list(a) for g, a in vocabulary["attributes"].items() if g != "look"}
        everything = [(g, a) for g, attributes in looks.items() for a in attributes]
        whole = {"palette", "hue", "temperature", "mood", "medium"}  # one of these at a time, or neither can be told
        pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 3, 128, 128))
        subject, labels = np.zeros(count, np.int64), np.full((count, len(looks)), -1, np.int64)
        for i in range(count):
            key = keys[rng.integers(len(keys))]
            chosen: dict[str, str] = {}
            for _ in range(rng.choice([0, 1, 2], p=[0.15, 0.65, 0.2])):
                group, name = everything[rng.integers(len(everything))]
                if not chosen or (group in ("frame", "background", "texture", "line")) and not (set(chosen) | {group}) & whole:
                    chosen[group] = name
            pixels[i] = np.asarray(transforms.draw(icons[key], chosen, rng)).transpose(2, 0, 1)
            subject[i] = names.index(key[1])
            for column, group in enumerate(looks):
                if group in chosen:
                    labels[i, column] = 1 + looks[group].index(chosen[group])
                elif not chosen:
                    labels[i, column] = 0
        np.savez(path.with_suffix(".npz"), subject=subject, labels=labels)
    with np.load(path.with_suffix(".npz")) as saved:
        return np.load(path, mmap_mode="r"), torch.from_numpy(saved["subject"]), torch.from_numpy(saved["labels"])


def colours(x: Tensor, g: torch.Generator) -> Tensor:
    """Random channel mixes, exposure and grey, for judging shapes alone."""
    b, r = len(x), lambda *s: torch.rand(*s, generator=g)
    mix = torch.eye(3) * r(b, 1, 1) + (r(b, 3, 3) / 3) * r(b, 1, 1) * (r(b, 1, 1) < 0.6)
    x = torch.einsum("bij,bjhw->bihw", mix / mix.sum((1, 2), keepdim=True) * 3, x)
    x = torch.where(r(b, 1, 1, 1) < 0.2, x.mean(1, keepdim=True).expand_as(x), x)
    return x.clamp(0, 1) ** (0.6 + r(b, 1, 1, 1))


def affine(x: Tensor, g: torch.Generator, size: float) -> Tensor:
    b = len(x)
    r = lambda *s: torch.rand(*s, generator=g) - 0.5  # noqa: E731
    scale, angle = 1 + size * r(b), size * r(b)
    rows = [torch.stack([scale * angle.cos(), -scale * angle.sin(), size * r(b)], 1)]
    rows += [torch.stack([scale * angle.sin(), scale * angle.cos(), size * r(b)], 1)]
    places = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, places, padding_mode="border", align_corners=False)


class Judge:
    """Subjects among ``names``; looks among those of their group and "plain".

    ``icons`` as ``icons.render`` gives them, or a function that gives them, called when the judge is not there yet.
    """

    def __init__(self, icons: dict | Callable[[], dict], names: list[str], vocabulary: dict, work: Path, count: int = 10000):
        self.names = names
        self.groups = {g: ["plain", *a] for g, a in vocabulary["attributes"].items() if g != "look"}
        starts = np.cumsum([0, *map(len, self.groups.values())])
        self.slices = {g: slice(a, b) for g, a, b in zip(self.groups, starts[:-1], starts[1:], strict=True)}
        torch.manual_seed(1)
        self.subject, self.look = Net(len(names), (32, 64, 128, 192)), Net(int(starts[-1]), (32, 64, 96, 128, 192))
        version = hashlib.sha256(json.dumps([names, self.groups, count]).encode()).hexdigest()[:8]
        path = work / f"judge-{version}.pt"
        if not path.exists():
            data = bank(icons() if callable(icons) else icons, names, vocabulary, work / f"judge_bank-{version}.npy", count)
            self.train(*data)
            torch.save({"subject": self.subject.state_dict(), "look": self.look.state_dict()}, path)
        saved = torch.load(path)
        self.subject.load_state_dict(saved["subject"])
        self.look.load_state_dict(saved["look"])
        self.subject.eval(), self.look.eval()

    @torch.enable_grad()
    def train(self, pixels, subject: Tensor, labels: Tensor, steps: tuple[int, int] = (1500, 1200), batch: int = 64) -> None:
        g = torch.Generator().manual_seed(2)
        weights = {group: torch.tensor([0.3] + [1.0] * (len(names) - 1)) for group, names in self.groups.items()}

        def read(index: Tensor) -> Tensor:
            return torch.from_numpy(pixels[index.sort().values.numpy()]).float() / 255

        def subject_loss(i: Tensor) -> Tensor:
            logits = self.subject(small(colours(affine(read(i), g, 0.2), g)))
            return F.cross_entropy(logits, subject[i.sort().values], label_smoothing=0.05)

        def look_loss(i: Tensor) -> Tensor:
            x, which = read(i), labels[i.sort().values]
            x = torch.where(torch.rand(len(x), 1, 1, 1, generator=g) < 0.5, x.flip(3), x)
            logits = self.look(affine(x, g, 0.06) * 2 - 1)
            total = logits.new_zeros(())
            for column, group in enumerate(self.groups):
                asked = which[:, column] >= 0
                one = logits[asked, self.slices[group]], which[asked, column], weights[group]
                total = total + F.cross_entropy(*one, label_smoothing=0.02, reduction="sum")
            return total / len(x)

        for net, loss_of, count in ((self.subject, subject_loss, steps[0]), (self.look, look_loss, steps[1])):
            optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.02)
            plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, count)
            for _ in range(count):
                with torch.autocast("cpu", torch.bfloat16):
                    loss = loss_of(torch.randint(len(pixels), (batch,), generator=g)).float()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                plan.step()

    @torch.no_grad()
    def subjects(self, pictures: Tensor, among: list[str] | None = None) -> list[str]:
        """Names for (B, 3, H, H) in [0, 1]."""
        logits = self.subject(small(pictures))
        if among:
            out = [self.names.index(n) for n in among]
            return [among[i] for i in logits[:, out].argmax(1).tolist()]
        return [self.names[i] for i in logits.argmax(1).tolist()]

    @torch.no_grad()
    def looks(self, group: str, pictures: Tensor) -> list[str]:
        """The look of ``group`` (or "plain") of (B, 3, 128, 128) in [0, 1]."""
        return [self.groups[group][i] for i in self.look(pictures * 2 - 1)[:, self.slices[group]].argmax(1).tolist()]


def halves(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3, 128, 128) → what stands left and what stands right, each on a square."""
    return tuple(F.interpolate(pictures[:, :, 26:102, a : a + 64], size=(128, 128), mode="bilinear") for a in (0, 64))


def by_pixels(group: str, x: Tensor) -> str | None:
    """Some looks of one picture (3, 128, 128) in [0, 1] told by plain statistics; None where these do not tell."""
    from viper.benchmarks._grounds import PLAIN
    from viper.benchmarks._transforms import DEGREES

    light, low = x.amax(0), x.amin(0)
    chroma, y = light - low, (x * torch.tensor([0.3, 0.59, 0.11]).view(3, 1, 1)).sum(0)
    angle = torch.atan2(3**0.5 * (x[1] - x[2]), 2 * x[0] - x[1] - x[2])
    if group == "hue":
        mean = torch.atan2((chroma * angle.sin()).sum(), (chroma * angle.cos()).sum()).rad2deg() % 360
        name = min(DEGREES, key=lambda n: abs((DEGREES[n] - mean + 180) % 360 - 180))
        inside = chroma > chroma.mean()
        return "brown" if name in ("orange", "yellow") and light[inside].mean() < 0.72 else name
    if group == "background":
        rim = torch.cat([x[:, :4].flatten(1), x[:, -4:].flatten(1), x[:, :, :4].flatten(1), x[:, :, -4:].flatten(1)], 1)
        if rim.std(1).max() > 0.08:
            return None
        return min(PLAIN, key=lambda n: (rim.median(1).values - torch.tensor(PLAIN[n]) / 255).square().sum().item())
    if group == "key":
        return "dark" if y.mean() < 0.42 else "bright"
    if group == "palette":
        return "monochrome" if chroma.mean() < 0.03 else None
    return None
