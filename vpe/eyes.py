"""Looks at the pictures of comments, for the built-in extractor: by measurement, and by a CLIP where one is connected.

A CLIP names what pixels alone cannot tell (style, medium, mood) by comparing the picture with the taxonomy's words (zero-shot
classification, Radford et al. 2021). It needs both of its sides: the one for pictures and the one for texts.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch

from .. import host
from . import appearance
from .attributes import attributes
from .comments import Comments
from .errors import ModelError
from .pictures import pictures_of
from .praise import SEEN_AS
from .zero_shot import zero_shot, zero_shot_prompts

MOST = 3  # features a glance gives at most
_texts: WeakKeyDictionary = WeakKeyDictionary()  # embeddings of the taxonomy's words by text encoder: seconds to make, on a CPU


class Eyes:
    """Measures pictures, and compares them with words where ``clip_vision`` and ``clip`` (its text side) are given."""

    def __init__(self, clip_vision=None, clip=None):
        if (clip_vision is None) != (clip is None):
            missing = "clip, its text side (such as clip_l.safetensors)," if clip is None else "clip_vision"
            raise ModelError(f"A CLIP sees with both of its sides: connect {missing} too, or take the other one off.")
        self.clip_vision, self.clip = clip_vision, clip
        self._pictures: list | None = None
        self._measured: dict[int, appearance.Appearance] = {}
        self._compared: dict[int, torch.Tensor] = {}

    def named(self, comments: Comments, n: int, aspect: str) -> list[tuple[str, float]]:
        """Attributes that comment ``n``'s picture shows under ``aspect``, with confidence; none where it has no picture."""
        if self._pictures is None:
            self._pictures = pictures_of(comments, appearance.FINE)
        picture = self._pictures[n]
        if picture is None:
            return []
        pixels = np.asarray(picture, np.float32) / 255
        found = []
        if aspect in appearance.ASPECTS:
            if n not in self._measured:
                self._measured[n] = appearance.measure(pixels)
            found = appearance.describe(self._measured[n], aspect, MOST)
        if self.clip is not None and aspect != "color":  # colours are better measured than guessed
            known = {name for name, _ in found}
            found += [pair for pair in self._compare(n, pixels, aspect) if pair[0] not in known]
        return sorted(found, key=lambda pair: -pair[1])[:MOST]

    def _compare(self, n: int, pixels: np.ndarray, aspect: str) -> list[tuple[str, float]]:
        if n not in self._compared:
            self._compared[n] = host.picture_embedding(self.clip_vision, torch.from_numpy(pixels))
        some = [a for a in attributes() if a.category in SEEN_AS[aspect]]
        texts = _embeddings(self.clip, [a.name for a in some])
        picture = self._compared[n]
        if picture.shape[-1] != texts.shape[-1]:
            raise ModelError(
                f"clip_vision and clip are sides of different CLIPs (their embeddings have {picture.shape[-1]} and {texts.shape[-1]} "
                "numbers): connect the two sides of one."
            )
        found = zero_shot(picture.numpy(), texts.numpy(), [a.category for a in some])
        return [(some[i].name, sure) for i, sure in found]


def _embeddings(clip, names: list[str]) -> torch.Tensor:
    """(N, D), the mean of each name's prompts."""
    known = _texts.setdefault(clip.cond_stage_model, {})
    missing = [name for name in names if name not in known]
    bar = host.progress(len(missing))
    for name in missing:
        host.stop_if_cancelled()
        prompts = torch.stack([host.projected_text(clip, text) for text in zero_shot_prompts(name)])
        known[name] = torch.nn.functional.normalize(prompts, dim=-1).mean(0)
        bar.update(1)
    return torch.stack([known[name] for name in names])
