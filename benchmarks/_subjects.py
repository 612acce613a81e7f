"""Twelve subjects that the pocket model has never seen: four pictures each, a class noun, a rare word; and what is asked of them.

The pictures are frames of Microsoft's animated Fluent emoji (npm ``@lobehub/fluent-emoji-anim-1``, MIT): one thing, moving,
on white. Their nouns are words of the pocket model's vocabulary, the things themselves are not. Of the package's files most
have a single frame: these twelve are among those that move.
"""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from viper.host.training import tokenizers
from viper.pocket.recipe import icons
from viper.training import identifiers
from viper.training.dataset import Dataset, Picture, prompt

PACKAGE = {"fluent-anim": ("@lobehub/fluent-emoji-anim-1@1.0.0",)}
COUNT, SIDE = 4, 256  # frames at equal distances: 0, 18, 36 and 54 of 72, mostly
NOUNS = ("correct", "wrong", "none")


@dataclass(frozen=True)
class Subject:
    """``icon``: what icon sets call it, none of which the pocket model was taught; ``code``: its file in the package."""

    code: str
    icon: str
    name: str
    noun: str


SUBJECTS = tuple(
    Subject(*row)
    for row in (
        ("1f417", "boar", "boar", "pig"),
        ("1f434", "horse-face", "brown horse's head", "horse"),
        ("1f379", "tropical-drink", "tropical drink", "cocktail glass"),
        ("1f31a", "new-moon-face", "purple moon", "moon"),
        ("1f37b", "clinking-beer-mugs", "clinking mugs", "beer mug"),
        ("1f327-fe0f", "cloud-with-rain", "rain cloud", "cloud"),
        ("1f375", "teacup-without-handle", "teacup", "coffee"),
        ("1f31e", "sun-with-face", "smiling sun", "sun"),
        ("1f41f", "fish", "blue fish", "fish"),
        ("1f408", "cat", "walking cat", "cat"),
        ("1f412", "monkey", "sitting monkey", "monkey"),
        ("1f432", "dragon-face", "dragon's head", "dragon"),
    )
)
PROMPTS = (
    "a {}", "a {}, watercolor", "a {}, night sky", "a {}, meadow", "a {}, blue tones", "a {}, pixelated", "a {}, sepia",
    "a {}, in the snow", "a {}, pastel colors", "a purple {}",
)  # fmt: skip


def noun_of(place: int, which: str = "correct") -> str:
    """The class noun of subject ``place``: its own, that of the subject half a round away (nothing like it), or none."""
    return {"correct": SUBJECTS[place].noun, "wrong": SUBJECTS[(place + len(SUBJECTS) // 2) % len(SUBJECTS)].noun, "none": ""}[which]


def texts(identifier: str, noun: str) -> list[str]:
    """The prompts with ``identifier noun`` in their place; either may be empty."""
    return [t.format(" ".join(filter(None, (identifier, noun)))) for t in PROMPTS]


def rare_word(clip, place: int) -> str:
    """One for each subject, none of them a word of the pocket model."""
    vocabulary = icons.vocabulary()
    known = {word for part in vocabulary["subjects"].values() for name in part for word in name.split()}
    return identifiers.find(tokenizers(clip), seed=place, is_word=known.__contains__).word


def frames(work: Path, subject: Subject) -> list[np.ndarray]:
    """The subject's pictures (256, 256, 3) uint8; all are fetched and unpacked when the first one is asked for."""
    folder = work / "instances"
    if not (folder / "all").exists():
        folder.mkdir(parents=True, exist_ok=True)
        icons.fetch(work, PACKAGE)
        wanted = {f"package/assets/{s.code}.webp": s for s in SUBJECTS}
        with tarfile.open(icons.archive(work, PACKAGE["fluent-anim"][0])) as tar:
            for member in tar:
                if member.name in wanted:
                    for n, picture in enumerate(_on_white(tar.extractfile(member).read())):
                        picture.save(folder / f"{wanted[member.name].code}-{n}.png")
        (folder / "all").touch()
    return [np.array(Image.open(folder / f"{subject.code}-{n}.png")) for n in range(COUNT)]


def _on_white(data: bytes) -> list[Image.Image]:
    animation, pictures = Image.open(io.BytesIO(data)), []
    for n in range(COUNT):
        animation.seek(n * animation.n_frames // COUNT)
        frame = animation.convert("RGBA").resize((SIDE, SIDE), Image.LANCZOS)
        picture = Image.new("RGBA", frame.size, "white")
        picture.alpha_composite(frame)
        pictures.append(picture.convert("RGB"))
    return pictures


def dataset(pictures: list[np.ndarray], identifier: str, noun: str) -> Dataset:
    caption = prompt(identifier, noun)
    return Dataset(identifier, noun, tuple(Picture(torch.from_numpy(p), None, caption) for p in pictures))
