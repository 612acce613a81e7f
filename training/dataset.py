"""What a training learns from: pictures with captions, and the crops of them that the model sees.

Pictures keep their shapes by aspect ratio bucketing, which NovelAI published ("NovelAI Improvements on Stable Diffusion", 2022) and
trainers have followed since: a few sizes of about the same area stand ready, each picture goes to the one whose aspect ratio is
nearest to its own, is scaled until it covers it, and what juts out is cropped. ``square`` is what the DreamBooth paper has.
Pure: no host, no file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from . import draws
from .errors import DatasetError

log = logging.getLogger("viper")

FITS, CROPS = ("buckets", "square"), ("centre", "random")
VIEWS = 8  # of each picture where chance decides: they are encoded once, so that a training does not wait for the VAE
MOST_ASPECT = 2.0
AREA = 0.1  # by how much of resolution² the area of a bucket may differ
VERSION = 1


@dataclass(frozen=True)
class Picture:
    """A picture as it is given, of any size.

    ``pixels`` ``(H, W, 3)`` on the CPU, float32 in [0, 1], or uint8 as files hold it (a quarter of the memory); ``mask`` ``(H, W)``
    float32 in [0, 1], 1 where the picture counts, or None; ``caption`` is the whole prompt.
    """

    pixels: Tensor
    mask: Tensor | None = None
    caption: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True)
class View:
    """One crop of one picture, as the VAE takes it.

    ``pixels`` ``(h, w, 3)`` float32 in [0, 1]; ``mask`` ``(h, w)`` float32, the weight of each place in the loss, or None.
    ``size`` (H, W) is that of the scaled picture before it was cropped and ``corner`` (top, left) where the crop lies in it:
    SDXL's conditions. ``picture`` is the place in the dataset's list.
    """

    pixels: Tensor
    mask: Tensor | None
    caption: str
    size: tuple[int, int]
    corner: tuple[int, int]
    picture: int


@dataclass(frozen=True)
class Dataset:
    """Pictures of a subject, pictures of its class, and how they are brought to the model's size. Raises DatasetError.

    ``resolution`` 0 is the model's own. ``scale`` s zooms in by a factor of [1, 1 + s]. ``outside_mask`` is how much a place
    counts where its mask is 0. Without ``flip``, random ``crop`` and ``scale`` a picture is one view, with ``flip`` alone two; where chance
    decides, it is `VIEWS`, every second one mirrored if ``flip``.
    """

    identifier: str
    class_noun: str
    instances: tuple[Picture, ...]
    class_pictures: tuple[Picture, ...] = ()
    resolution: int = 0
    fit: str = "buckets"
    crop: str = "centre"
    flip: bool = False
    scale: float = 0.0
    outside_mask: float = 0.0
    version: int = VERSION

    def __post_init__(self):
        for name, value, known in (("fit", self.fit, FITS), ("crop", self.crop, CROPS)):
            if value not in known:
                raise DatasetError(f'There is no {name} called "{value}": choose {" or ".join(known)}.')
        if self.resolution < 0 or self.scale < 0 or not 0 <= self.outside_mask <= 1:
            raise DatasetError("The resolution and the scale cannot be below 0, and outside_mask is between 0 and 1.")
        for picture in self.instances + self.class_pictures:
            if picture.mask is not None and picture.mask.shape != picture.pixels.shape[:2]:
                raise DatasetError("A mask has another size than its picture.")

    @property
    def trigger(self) -> str:
        """The paper's ``a [V] [class noun]``; either may be empty."""
        return prompt(self.identifier, self.class_noun)

    @property
    def class_prompt(self) -> str:
        """The paper's ``a [class noun]`` for the prior loss; without a class noun, the empty prompt."""
        return prompt(self.class_noun)

    def digest(self) -> str:
        """SHA-256 of everything here that decides what is learned; the same whether pictures came over a wire or from files."""
        settings = {name: getattr(self, name) for name in ("version", "identifier", "class_noun", "resolution", "fit", "crop", "flip")}
        settings |= {"scale": float(self.scale), "outside_mask": float(self.outside_mask)}
        settings |= {"instances": len(self.instances), "class_pictures": len(self.class_pictures)}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for picture in self.instances + self.class_pictures:
            digest.update(json.dumps([picture.caption, picture.size, picture.mask is not None]).encode())
            for tensor in (as_float(picture.pixels), picture.mask):
                if tensor is not None:
                    digest.update(tensor.contiguous().float().numpy())
        return digest.hexdigest()

    def views(self, resolution: int, multiple: int, seed: int, warn: bool = True) -> Sequence[View]:
        """All views of the subject's pictures, picture by picture; the same for the same seed. ``warn`` of small pictures.

        ``resolution`` is the model's, and gives way to the dataset's own. ``multiple`` is what sides must be divisible by: the
        pixels of one cell of the VAE, times the patch of the network.
        """
        cuts = self._cuts(self.instances, resolution, multiple, self.crop == "random" or self.scale > 0, self.flip, seed)
        if warn:
            _tell_enlarged(self.instances, cuts, "picture")
        return Views(self.instances, cuts, self.outside_mask)

    def class_views(self, resolution: int, multiple: int, seed: int, warn: bool = True) -> Sequence[View]:
        """One view of each picture of the class: its middle, unmasked, with the prompt of the class."""
        cuts = self._cuts(self.class_pictures, resolution, multiple, False, False, seed)
        if warn:
            _tell_enlarged(self.class_pictures, cuts, "class picture")
        plain = [Picture(picture.pixels, None, self.class_prompt) for picture in self.class_pictures]
        return Views(plain, cuts, self.outside_mask)

    def _cuts(self, pictures, resolution: int, multiple: int, drawn: bool, flip: bool, seed: int) -> list[_Cut]:
        side = self.resolution or resolution
        sizes = buckets(side, multiple) if self.fit == "buckets" else [_square(side, multiple)]
        cuts = []
        for n, picture in enumerate(pictures):
            bucket = nearest(picture.size, sizes)
            for k in range(VIEWS if drawn else 1 + flip):
                generator = draws.generator(seed, f"view {k} of picture", n) if drawn else None
                zoom = 1 + self.scale * _uniform(generator) if drawn else 1.0
                size = covering(picture.size, bucket, zoom)
                at = [_uniform(generator) if drawn and self.crop == "random" else None for _ in range(2)]
                corner = tuple(_offset(whole - part, u) for whole, part, u in zip(size, bucket, at, strict=True))
                mirrored = flip and k % 2 == 1
                if mirrored:  # the same places as without, seen in a mirror
                    corner = corner[0], size[1] - bucket[1] - corner[1]
                cuts.append(_Cut(n, bucket, size, corner, mirrored))
        return cuts


def prompt(*words: str) -> str:
    """``a`` and the words that are not empty; "" when all are."""
    return " ".join(["a", *filter(None, words)]) if any(words) else ""


# --- sizes ---------------------------------------------------------------------------------------------------------------


def buckets(resolution: int, multiple: int) -> list[tuple[int, int]]:
    """Sizes (H, W) of about resolution² pixels, from 1:2 to 2:1, the square first.

    Sides go in steps of an eighth of the resolution, so that a small model has as many shapes as a large one, and in
    multiples of ``multiple`` at least. Few sizes make full batches; those that the tolerance of the area lets in besides the
    best leave little to crop.
    """
    step = multiple * max(round(resolution / 8 / multiple), 1)
    square = step * max(round(resolution / step), 1)
    found = {(square, square)}
    for short in range(step, square + 1, step):
        for long in range(short, int(MOST_ASPECT * short) + 1, step):
            if abs(short * long / resolution**2 - 1) <= AREA:
                found |= {(short, long), (long, short)}
    return sorted(found, key=lambda size: (abs(math.log(size[0] / size[1])), size))


def _square(resolution: int, multiple: int) -> tuple[int, int]:
    side = multiple * max(round(resolution / multiple), 1)
    return side, side


def nearest(size: tuple[int, int], sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The size whose aspect ratio is nearest, by their quotient; of two, the squarer one."""
    aspect = math.log(size[0] / size[1])
    return min(sizes, key=lambda s: round(abs(math.log(s[0] / s[1]) - aspect), 9))


def covering(size: tuple[int, int], bucket: tuple[int, int], zoom: float = 1.0) -> tuple[int, int]:
    """``size`` scaled until it just covers the bucket, times ``zoom``."""
    factor = max(b / s for b, s in zip(bucket, size, strict=True)) * zoom
    height, width = (max(round(s * factor), b) for s, b in zip(size, bucket, strict=True))
    return height, width


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator, dtype=torch.float64))


def _offset(room: int, u: float | None) -> int:
    """Where a crop begins that has ``room`` pixels to move in: the middle, or any place alike for ``u`` in [0, 1)."""
    return room // 2 if u is None else min(int(u * (room + 1)), room)


# --- views ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Cut:
    picture: int
    bucket: tuple[int, int]
    size: tuple[int, int]
    corner: tuple[int, int]
    mirrored: bool


class Views(Sequence):
    """Views that are cut when they are asked for: a thousand of them need not lie in memory at once."""

    def __init__(self, pictures: Sequence[Picture], cuts: Sequence[_Cut], outside_mask: float):
        self.pictures, self.cuts, self.outside_mask = pictures, cuts, outside_mask

    def __len__(self) -> int:
        return len(self.cuts)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        cut = self.cuts[index]
        picture = self.pictures[cut.picture]
        pixels = _cropped(as_float(picture.pixels).permute(2, 0, 1), cut).permute(1, 2, 0).contiguous()
        mask = None
        if picture.mask is not None:
            mask = self.outside_mask + (1 - self.outside_mask) * _cropped(picture.mask.float()[None], cut)[0]
        return View(pixels, mask, picture.caption, cut.size, cut.corner, cut.picture)


def as_float(pixels: Tensor) -> Tensor:
    """Float32 in [0, 1], as the host's Load Image computes it."""
    return pixels.float() / 255.0 if pixels.dtype == torch.uint8 else pixels.float()


def _cropped(planes: Tensor, cut: _Cut) -> Tensor:
    """``planes`` ``(C, H, W)`` in [0, 1], scaled without aliasing, mirrored and cropped."""
    if tuple(planes.shape[1:]) != cut.size:
        planes = F.interpolate(planes[None], size=cut.size, mode="bicubic", antialias=True)[0].clamp(0, 1)
    if cut.mirrored:
        planes = planes.flip(2)
    (top, left), (h, w) = cut.corner, cut.bucket
    return planes[:, top:top + h, left:left + w].contiguous()


def _tell_enlarged(pictures: Sequence[Picture], cuts: Sequence[_Cut], what: str) -> None:
    small = sorted({c.picture for c in cuts if max(b / s for b, s in zip(c.bucket, pictures[c.picture].size, strict=True)) > 1})
    if small:
        numbers = ", ".join(str(n + 1) for n in small[:8]) + ", …" * (len(small) > 8)
        many = "s" * (len(small) > 1)
        log.warning("%s%s %s: smaller than the model needs, and enlarged; it will learn the blur too. Larger pictures are better.",
                    what.capitalize(), many, numbers)  # fmt: skip
