"""Twelve subjects that the pocket model has never seen: four pictures each, a class noun, a rare word; and what is asked of them.

The subjects are those that the vocabulary of the pocket model holds out of its training in every drawing style. The pictures are
Microsoft's animated Fluent emoji (npm ``@lobehub/fluent-emoji-anim-1`` to ``-4``, MIT) on white: four poses of those that move, and of
the six that have a single frame, four slight turns and sizes. The nouns are words that the pocket model knows.
"""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from viper.host.training import tokenizers
from viper.pocket.recipe import icons
from viper.training import identifiers
from viper.training.dataset import Dataset, Picture, prompt

PACKAGES = {f"fluent-anim-{n}": (f"@lobehub/fluent-emoji-anim-{n}@1.0.0",) for n in (1, 2, 3, 4)}
TURNS = ((0, 1.0), (9, 0.92), (-9, 0.92), (0, 0.82))  # degrees and size of a still picture's four poses
COUNT, SIDE = 4, 256  # frames at equal distances: 0, 18, 36 and 54 of 72, mostly
NOUNS = ("correct", "wrong", "none")


@dataclass(frozen=True)
class Subject:
    """``name`` is its name in the vocabulary's held-out part; ``code``: its file in package ``package``."""

    code: str
    package: int
    name: str
    noun: str


SUBJECTS = tuple(
    Subject(*row)
    for row in (
        ("1f392", 1, "backpack", "purse"),
        ("1f9f8", 4, "teddy bear", "bear"),
        ("1f916", 3, "robot", "television"),
        ("1fad6", 4, "teapot", "coffee"),
        ("1f429", 1, "poodle", "dog"),
        ("1f986", 3, "duck", "bird"),
        ("1f989", 3, "owl", "bird"),
        ("1f45f", 1, "sneaker", "hiking boot"),
        ("1f56f-fe0f", 2, "candle", "lantern"),
        ("1f576-fe0f", 2, "sunglasses", "glasses"),
        ("1f996", 3, "t-rex", "lizard"),
        ("1f3fa", 1, "vase", "jar"),
    )
)
PROMPTS = {  # each with the look that the recipe of the pocket model calls so
    "a {}": "", "a {}, watercolor": "watercolor", "a {}, night sky": "night sky", "a {}, meadow": "meadow", "a {}, blue tones": "blue",
    "a {}, pixelated": "pixelated", "a {}, sepia": "sepia", "a {}, in the snow": "snow", "a {}, pastel colors": "pastel",
    "a purple {}": "purple subject",
}  # fmt: skip


def noun_of(place: int, which: str = "correct") -> str:
    """The class noun of subject ``place``: its own, that of the subject half a round away (nothing like it), or none."""
    return {"correct": SUBJECTS[place].noun, "wrong": SUBJECTS[(place + len(SUBJECTS) // 2) % len(SUBJECTS)].noun, "none": ""}[which]


def texts(identifier: str, noun: str) -> list[str]:
    """The prompts with ``identifier noun`` in their place; either may be empty."""
    return [t.format(" ".join(filter(None, (identifier, noun)))) for t in PROMPTS]


def words(template: str) -> str:
    """What a prompt asks for beside its subject: ``a {}, watercolor`` → ``watercolor``; empty for the bare one."""
    return template.replace("a {}", "").replace("{}", "").removeprefix("a ").strip(" ,")


def rare_word(clip, place: int) -> str:
    """One for each subject, none of them a word of the pocket model."""
    vocabulary = icons.vocabulary()
    known = {word for part in vocabulary["subjects"].values() for name in part for word in name.split()}
    return identifiers.find(tokenizers(clip), seed=place, is_word=known.__contains__).word


def frames(work: Path, subject: Subject) -> list[Image.Image]:
    """The subject's pictures, RGBA (256, 256); all are fetched and unpacked when the first one is asked for."""
    folder = work / "instances"
    if not (folder / "all").exists():
        folder.mkdir(parents=True, exist_ok=True)
        icons.fetch(work, PACKAGES)
        for number in sorted({s.package for s in SUBJECTS}):
            wanted = {f"package/assets/{s.code}.webp": s for s in SUBJECTS if s.package == number}
            with tarfile.open(icons.archive(work, PACKAGES[f"fluent-anim-{number}"][0])) as tar:
                for member in tar:
                    if member.name in wanted:
                        for n, picture in enumerate(_unpacked(tar.extractfile(member).read())):
                            picture.save(folder / f"{wanted[member.name].code}-{n}.png")
        (folder / "all").touch()
    return [Image.open(folder / f"{subject.code}-{n}.png") for n in range(COUNT)]


def _unpacked(data: bytes) -> list[Image.Image]:
    animation, pictures = Image.open(io.BytesIO(data)), []
    for n, (degrees, size) in enumerate(TURNS):
        animation.seek(n * animation.n_frames // COUNT)
        picture = animation.convert("RGBA").resize((SIDE, SIDE), Image.LANCZOS)
        pictures.append(picture if animation.n_frames > 1 else _turned(picture, degrees, size))
    return pictures


def _turned(picture: Image.Image, degrees: float, size: float) -> Image.Image:
    side = round(SIDE * size)
    out = Image.new("RGBA", picture.size)
    out.alpha_composite(picture.resize((side, side), Image.LANCZOS), ((SIDE - side) // 2, (SIDE - side) // 2))
    return out.rotate(degrees, Image.BICUBIC)


def on_white(picture: Image.Image) -> np.ndarray:
    """(256, 256, 3) uint8."""
    whole = Image.new("RGBA", picture.size, "white")
    whole.alpha_composite(picture)
    return np.array(whole.convert("RGB"))


def dressed(pictures: list[Image.Image]) -> torch.Tensor:
    """The subject's own pictures in the look of each prompt, by the recipe: (prompts · pictures, 128, 128, 3) uint8."""
    from viper.pocket.recipe.attributes import dress
    from viper.pocket.recipe.captions import group_of

    groups, generator = group_of(icons.vocabulary()), torch.Generator().manual_seed(1)
    rgba = torch.stack([torch.from_numpy(np.array(p)) for p in pictures]).movedim(-1, 1).float() / 255
    rgba = F.interpolate(rgba, size=(icons.SIZE, icons.SIZE), mode="area")
    worn = [dress(rgba, [look] if look else [], groups, generator) for look in PROMPTS.values()]
    return (255 * torch.cat(worn).clamp(0, 1)).round().byte().movedim(1, -1)


def dataset(pictures: list[Image.Image], identifier: str, noun: str) -> Dataset:
    caption = prompt(identifier, noun)
    return Dataset(identifier, noun, tuple(Picture(torch.from_numpy(on_white(p)), None, caption) for p in pictures))
