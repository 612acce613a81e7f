"""Draw the training pictures once and keep their latents: training then costs only the UNet.

``pictures`` yields groups of ``VARIANTS`` pictures that share one caption; ``fit_patches`` finds the
encoder; ``build`` writes ``specs.json``, ``latents.npy`` (N, VARIANTS, C, 16, 16) fp16 and a share of
the pixels as ``pixels.npy`` for the decoder.
"""

import json
import random
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .attributes import dress
from .captions import Spec, draw_spec, group_of
from .icons import SETS, SIZE

VARIANTS = 4
PLACES = 6


class Placer:
    """``PLACES`` shrunk and shifted copies of every icon, made once each: RGBA (4, 128, 128) in [0, 1]."""

    def __init__(self, icons: dict):
        self.icons = icons
        self.cache: dict[tuple, Tensor] = {}

    def __call__(self, key: tuple[str, str], rng: random.Random) -> Tensor:
        i = rng.randrange(PLACES)
        if (key, i) not in self.cache:
            self.cache[key, i] = self.place(key, random.Random(f"{key}{i}"))
        return self.cache[key, i].float() / 255

    def couple(self, name: str, spec: Spec, rng: random.Random) -> Tensor:
        """Both subjects of ``spec`` side by side, each 62 pixels wide."""
        out = torch.zeros(4, SIZE, SIZE)
        for left, subject in ((1, spec.subject), (SIZE - 63, spec.second)):
            rgba = torch.from_numpy(self.icons[name, subject]).permute(2, 0, 1)[None].float() / 255
            top = SIZE // 2 - 31 + rng.randrange(-10, 11)
            out[:, top : top + 62, left : left + 62] = F.interpolate(rgba, size=(62, 62), mode="bilinear", antialias=True)[0]
        return out

    def place(self, key: tuple[str, str], rng: random.Random) -> Tensor:
        rgba = torch.from_numpy(self.icons[key]).permute(2, 0, 1)[None].float()
        side = rng.randrange(106, 121)
        small = F.interpolate(rgba, size=(side, side), mode="bilinear", antialias=True)[0]
        room = SIZE - side
        top, left = (min(max(int(rng.gauss(room / 2, room / 6)), 0), room) for _ in range(2))
        return F.pad(small, (left, room - left, top, room - top)).round().byte()


def resolve_look(spec: Spec, rng: random.Random) -> tuple[Spec, list[str]]:
    """Turn look "any" into a set's look; → the spec and the icon sets of its variants."""
    names, weights = list(SETS), [w for _, _, w in SETS.values()]
    look = SETS[rng.choices(names, weights)[0]][1] if spec.look else None
    fitting = [n for n in names if look in (None, SETS[n][1])]
    sets = rng.choices(fitting, [SETS[n][2] for n in fitting], k=VARIANTS)
    return replace(spec, look=look), sets


def pictures(icons: dict, vocabulary: dict, seed: int):
    """Endless (Spec, pictures (VARIANTS, 3, 128, 128) in [0, 1])."""
    rng, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    groups, placer = group_of(vocabulary), Placer(icons)
    while True:
        spec, sets = resolve_look(draw_spec(rng, vocabulary), rng)
        stack = torch.stack([placer.couple(name, spec, rng) if spec.second else placer((name, spec.subject), rng) for name in sets])
        yield spec, dress(stack, list(spec.attributes), groups, generator)


def fit_patches(images: Tensor, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components of 8×8 patches of ``images`` (B, 3, H, W) in [-1, 1].

    → mean (192,), basis (channels, 192), scale (channels,). Scales are the square root of what would
    whiten, times one constant that gives unit variance overall: coarse channels stay louder than fine
    ones, so that denoising goes from coarse to fine as in pixels.
    """
    patches = F.unfold(images, 8, stride=8).transpose(1, 2).reshape(-1, 192).double()
    mean = patches.mean(0)
    variance, vectors = torch.linalg.eigh(torch.cov((patches - mean).T))
    variance, basis = variance.flip(0)[:channels], vectors.flip(1)[:, :channels].T
    scale = variance**-0.25
    scale = scale / (scale**2 * variance).mean().sqrt()
    return mean.float(), basis.float().contiguous(), scale.float()


def set_patches(autoencoder, mean: Tensor, basis: Tensor, scale: Tensor) -> None:
    """Write the fitted projection and its transpose into an Autoencoder."""
    filters = (basis * scale[:, None]).view(-1, 3, 8, 8)
    autoencoder.project.weight.data.copy_(filters)
    autoencoder.project.bias.data.copy_(-(filters.flatten(1) @ mean))
    autoencoder.unproject.weight.data.copy_((basis / scale[:, None]).view(-1, 3, 8, 8))
    autoencoder.unproject.bias.data.copy_(mean.view(3, 64).mean(1))


def build(folder: Path, icons: dict, vocabulary: dict, encode, channels: int, count: int, keep_pixels: int, seed: int) -> None:
    """Write ``count`` groups; every ``keep_pixels``-th keeps its pixels too."""
    folder.mkdir(parents=True, exist_ok=True)
    latents = np.lib.format.open_memmap(folder / "latents.npy", "w+", np.float16, (count, VARIANTS, channels, SIZE // 8, SIZE // 8))
    kept = -(-count // keep_pixels)
    pixels = np.lib.format.open_memmap(folder / "pixels.npy", "w+", np.uint8, (kept, VARIANTS, 3, SIZE, SIZE))
    specs = []
    for i, (spec, x) in zip(range(count), pictures(icons, vocabulary, seed), strict=False):
        specs.append(asdict(spec))
        latents[i] = encode(x * 2 - 1).half().numpy()
        if i % keep_pixels == 0:
            pixels[i // keep_pixels] = (x * 255).round().byte().numpy()
    (folder / "specs.json").write_text(json.dumps(specs))
