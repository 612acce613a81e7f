"""The folder of a set: pictures written one by one, so that a run that was stopped goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from ..errors import ImageSetError
from ..files import plain_name, write_png, write_whole
from .planning import Picture, plan

log = logging.getLogger("viper")

KIND = "viper-image-set"
VERSION = 1


@dataclass(frozen=True)
class Settings:
    """All that decides a picture beside its prompt and seed. ``checkpoint`` is a fingerprint of model, clip and vae."""

    negative: str
    steps: int
    cfg: float
    sampler_name: str
    scheduler: str
    width: int
    height: int
    checkpoint: str


def set_name(name: str) -> str:
    """The name of a set's folder. Raises ImageSetError for one that is no plain folder name on every system."""
    return plain_name(name, "set", "taste set", ImageSetError)


def picture_key(picture: Picture, settings: Settings) -> str:
    """Equal for two pictures that would be drawn alike."""
    text = json.dumps([VERSION, picture.prompt, picture.seed, asdict(settings)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def picture_file(number: int) -> str:
    return f"{number:04d}.png"


def complete(
    folder: Path,
    count: int,
    seed: int,
    subjects: str,
    settings: Settings,
    encode: Callable[[str], Any],
    draw: Callable[[list[Picture], list[Any], int], Sequence[np.ndarray]],
    batch: int = 1,
    with_text: bool = True,
) -> tuple[list[Picture], list[np.ndarray]]:
    """The plan's pictures, each (H, W, 3) uint8: those that lie in ``folder`` already are read, the others are drawn.

    ``draw(pictures, their encoded prompts, how many are finished)`` gives up to ``batch`` pictures, which are written
    before the next ones are begun: whatever ends a run, the next one goes on there. A picture counts as there when its
    file holds the key of the same prompt, seed and settings and can be read whole. Any other file in its place is moved
    to a folder of its own (``old-1``, ``old-2`` …) with the manifest of that time; nothing is overwritten. Raises
    ImageSetError when the disk does not take a picture.
    """
    with _disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files = {int(p.stem): p for p in folder.glob("*.png") if re.fullmatch(r"\d{4,}", p.stem) and p.name == picture_file(int(p.stem))}
    # Pictures of an earlier, larger count belong to the set as long as they match.
    all_pictures = plan(max([count, *(n for n in files if n <= 9999)]), seed, subjects)
    keys = {p.number: picture_key(p, settings) for p in all_pictures}
    pictures, there = all_pictures[:count], {}
    foreign = []
    for number, path in sorted(files.items()):
        pixels = _read(path, keys.get(number))
        if pixels is None:
            foreign.append(path)
        else:
            there[number] = pixels if number <= count else True
    if foreign:
        with _disk(folder):
            aside = _put_aside(folder, foreign)
        log.warning(
            '%d pictures of the set "%s" were made with other settings, or changed since: they are kept in %s, and new ones are drawn.',
            len(foreign), folder.name, aside,
        )  # fmt: skip
    missing = [p for p in pictures if p.number not in there]
    if missing:
        log.info('Image set "%s": %d of %d pictures are there, drawing %d.', folder.name, count - len(missing), count, len(missing))
    # Groups by number: a picture's company does not depend on where a run was stopped.
    groups: dict[int, list[Picture]] = {}
    for picture in missing:
        groups.setdefault((picture.number - 1) // batch, []).append(picture)
    encoded: dict[int, Any] = {}
    finished = count - len(missing)
    with _disk(folder):
        _write_manifest(folder, seed, settings, [p for p in all_pictures if p.number in there], keys)
    for group in groups.values():
        if group[0].number not in encoded:
            # Many prompts at once, so that text encoder and diffusion model do not take turns in a small memory.
            start = missing.index(group[0])
            encoded = {p.number: encode(p.prompt) for p in missing[start : start + max(64 // batch, 1) * batch]}
        conds = [encoded[p.number] if p.number in encoded else encode(p.prompt) for p in group]
        drawn = draw(group, conds, finished)
        with _disk(folder):
            for picture, pixels in zip(group, drawn, strict=True):
                _save(folder, picture, settings, keys[picture.number], pixels, with_text)
                there[picture.number] = pixels
            _write_manifest(folder, seed, settings, [p for p in all_pictures if p.number in there], keys)
        finished += len(group)
    return pictures, [there[p.number] for p in pictures]


@contextmanager
def _disk(folder: Path):
    try:
        yield
    except OSError as error:
        raise ImageSetError(
            f'The set in "{folder}" cannot be written ({error.strerror or error}): check the disk\'s space and permissions, then run '
            "again; finished pictures are kept."
        ) from error


def _read(path: Path, key: str | None) -> np.ndarray | None:
    """The pixels of a picture that holds this key; None when it does not, or cannot be read whole."""
    try:
        with Image.open(path) as image:
            if key is None or json.loads(image.text.get("viper", "{}")).get("key") != key:
                return None
            return np.array(image.convert("RGB"))
    except Exception:  # Pillow raises whatever it meets in a broken file
        return None


def _put_aside(folder: Path, paths: list[Path]) -> Path:
    n = 1
    while (folder / f"old-{n}").exists():
        n += 1
    aside = folder / f"old-{n}"
    aside.mkdir()
    if (folder / "set.json").is_file():
        write_whole(aside / "set.json", (folder / "set.json").read_bytes())
    for path in paths:
        os.replace(path, aside / path.name)
    return aside


def _save(folder: Path, picture: Picture, settings: Settings, key: str, pixels: np.ndarray, with_text: bool) -> None:
    text = PngImagePlugin.PngInfo()
    record = {"key": key}
    if with_text:
        record |= {"number": picture.number, "prompt": picture.prompt, "subject": picture.subject, "attributes": picture.attributes}
        # The form that most programs read; "prompt" and "workflow" would be taken for the host's graph.
        negative = f"\nNegative prompt: {settings.negative}" if settings.negative else ""
        text.add_itxt("parameters", f"{picture.prompt}{negative}\nSteps: {settings.steps}, Sampler: {settings.sampler_name}, "
                      f"Schedule type: {settings.scheduler}, CFG scale: {settings.cfg:g}, Seed: {picture.seed}, "
                      f"Size: {pixels.shape[1]}x{pixels.shape[0]}")  # fmt: skip
    text.add_itxt("viper", json.dumps(record, ensure_ascii=False))
    write_png(folder / picture_file(picture.number), pixels, pnginfo=text, compress_level=4)


def _write_manifest(folder: Path, seed: int, settings: Settings, pictures: list[Picture], keys: dict[int, str]) -> None:
    """``set.json``: what is finished, and how it was made."""
    data = {
        "kind": KIND,
        "version": VERSION,
        "seed": seed,
        "settings": asdict(settings),
        "pictures": [{"file": picture_file(p.number), "key": keys[p.number], **asdict(p)} for p in pictures],
    }
    write_whole(folder / "set.json", json.dumps(data, ensure_ascii=False, indent=1).encode("utf-8", "replace"))
