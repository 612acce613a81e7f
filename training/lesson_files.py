"""Lessons as a file: encoded pictures and words for a training elsewhere, where neither pictures nor an autoencoder are.

Tensors and plain values only, so that a file from elsewhere can hold numbers, not code. What many lessons have in common (the
prompt) is kept once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..host import training as hosted
from ..vpe.files import write_whole
from .errors import TrainingError
from .lessons import Lesson, Wording

VERSION = 1
_OF_WORDING = ("conds", "of_words", "of_class")
_PLAIN = (int, float, str, bool, type(None), torch.Size, torch.dtype)


def save_lessons(path: Path, instances: Sequence[Lesson], priors: Sequence[Lesson]) -> None:
    """Raises OSError, and TrainingError for a prompt that carries more than numbers (a control net, another pack's object)."""
    once: dict[bytes, Tensor] = {}
    kept = {name: [_kept(lesson, once) for lesson in lessons] for name, lessons in (("instances", instances), ("priors", priors))}
    write_whole(path, lambda file: torch.save({"version": VERSION, **kept}, file))


def load_lessons(path: Path) -> tuple[list[Lesson], list[Lesson]]:
    """``(instances, priors)``. Raises TrainingError for what is no such file."""
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        if values["version"] != VERSION:
            raise TrainingError("These lessons were written by another version of the pack: update it.")
        return tuple([_lesson(value) for value in values[name]] for name in ("instances", "priors"))
    except TrainingError:
        raise
    except Exception as e:
        raise TrainingError(f"The lessons {path} cannot be read ({type(e).__name__}): write them again.") from e


def _kept(lesson: Lesson, once: dict[bytes, Tensor]) -> dict:
    kept = {
        "latent": _plain(lesson.latent, "latent", once),
        "mask": _plain(lesson.mask, "mask", once),
        "conds": _conds(lesson.conds, once),
        "frozen": lesson.frozen,
        "prompt": lesson.prompt,
        "given": _plain(lesson.given, "given", once),
    }
    if lesson.wordings:
        kept["wordings"] = [{"prompt": w.prompt, **{name: _conds(getattr(w, name), once) for name in _OF_WORDING}} for w in lesson.wordings]
    return kept


def _conds(conds: dict, once: dict[bytes, Tensor]) -> dict:
    try:
        parts = hosted.cond_parts(conds)
    except ValueError as e:
        raise TrainingError(f"The prompt cannot be written to a file ({e}): train it here, or leave that node out.") from e
    return {name: (kind, _plain(value, name, once)) for name, (kind, value) in parts.items()}


def _lesson(value: dict) -> Lesson:
    wordings = [Wording(w["prompt"], *(hosted.conds_of(w[name]) for name in _OF_WORDING)) for w in value.pop("wordings", ())]
    return Lesson(**{**value, "conds": hosted.conds_of(value["conds"])}, wordings=wordings)


def _plain(value, name: str, once: dict[bytes, Tensor]):
    if isinstance(value, Tensor):
        alone = value.detach().to("cpu", copy=True).contiguous()
        if not alone.numel():
            return alone
        told = f"{alone.dtype} {tuple(alone.shape)}".encode() + alone.view(-1).view(torch.uint8).numpy().tobytes()
        return once.setdefault(hashlib.sha256(told).digest(), alone)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item, name, once) for item in value)
    if isinstance(value, dict):
        return {key: _plain(item, name, once) for key, item in value.items()}
    raise TrainingError(f"What the prompt carries as {name} cannot be written to a file: train it here, or leave that node out.")
