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
import torch.nn.functional as F
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
        icons.fetch(work, PACKAGE)
        wanted = {f"package/assets/{s.code}.webp": s for s in SUBJECTS}
        with tarfile.open(icons.archive(work, PACKAGE["fluent-anim"][0])) as tar:
            for member in tar:
                if member.name in wanted:
                    for n, picture in enumerate(_unpacked(tar.extractfile(member).read())):
                        picture.save(folder / f"{wanted[member.name].code}-{n}.png")
        (folder / "all").touch()
    return [Image.open(folder / f"{subject.code}-{n}.png") for n in range(COUNT)]


def _unpacked(data: bytes) -> list[Image.Image]:
    animation, pictures = Image.open(io.BytesIO(data)), []
    for n in range(COUNT):
        animation.seek(n * animation.n_frames // COUNT)
        pictures.append(animation.convert("RGBA").resize((SIDE, SIDE), Image.LANCZOS))
    return pictures


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
