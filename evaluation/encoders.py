"""What measures look with: an encoder of pictures, and of texts where it has that side. Embeddings have unit length.

``pocket()`` ships with the pack; ``from_clip`` takes a CLIP_VISION (and a CLIP) of the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import host
from .errors import EvaluationError

BATCH = 16  # pictures a call, so that a large batch of large ones needs no more memory than sampling did


@dataclass(frozen=True, eq=False)
class Encoder:
    """``see``: pictures (B, H, W, 3) in [0, 1] → (B, d); ``read``: a text → (d,), or None where there is no text side."""

    name: str
    see: Callable[[Tensor], Tensor]
    read: Callable[[str], Tensor] | None = None

    @property
    def reads(self) -> bool:
        return self.read is not None

    def pictures(self, pictures: Tensor) -> Tensor:
        """(B, H, W, 3 or 4) in [0, 1] → (B, d) of unit length, float32 on the CPU; the bar runs and Cancel stops it."""
        if pictures.ndim != 4 or pictures.shape[-1] < 3 or not len(pictures):
            raise EvaluationError(f"Pictures to look at are needed, (B, H, W, 3), not {tuple(pictures.shape)}.")
        bar, found = host.progress(len(pictures)), []
        for part in pictures[..., :3].split(BATCH):
            host.stop_if_cancelled()
            with torch.no_grad():
                found.append(F.normalize(self.see(part).float().cpu(), dim=-1))
            bar.update(len(part))
        return torch.cat(found)

    def texts(self, texts: Sequence[str]) -> Tensor:
        """(B, d) of unit length; equal texts are read once. Raises EvaluationError for an encoder that only sees."""
        if self.read is None:
            raise EvaluationError(
                f"The encoder {self.name} only sees: connect one that also reads, such as pocket or a CLIP with its text side."
            )
        known: dict[str, Tensor] = {}
        for text in texts:
            if text not in known:
                host.stop_if_cancelled()
                with torch.no_grad():
                    known[text] = F.normalize(self.read(text).float().cpu(), dim=-1)
        return torch.stack([known[text] for text in texts])


@lru_cache(maxsize=1)
def pocket() -> Encoder:
    """The encoders that ship with the pack: they know icons, the pocket model's subjects and its looks."""
    from ..pocket.encoders import load_pocket_encoders, text_embeddings

    clip_vision, clip = load_pocket_encoders()
    return Encoder("pocket", lambda x: clip_vision.encode_image(x)["image_embeds"], lambda text: text_embeddings(clip, [text])[0])


def from_clip(clip_vision, clip=None) -> Encoder:
    """The host's CLIP_VISION, and as its text side a CLIP of the same model. Raises EvaluationError where the two do not fit."""
    if clip is None:
        return Encoder("CLIP vision", lambda x: _seen(clip_vision, x))
    try:
        width = host.projected_text(clip, "a picture").shape[-1]
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    seen = _seen(clip_vision, torch.zeros(1, 32, 32, 3)).shape[-1]
    if seen != width:
        raise EvaluationError(
            f"clip_vision and clip are sides of different CLIPs (their embeddings have {seen} and {width} numbers): connect the two "
            "sides of one."
        )
    return Encoder("CLIP", lambda x: _seen(clip_vision, x), lambda text: host.projected_text(clip, text))


def _seen(clip_vision, pictures: Tensor) -> Tensor:
    return torch.stack([host.picture_embedding(clip_vision, picture) for picture in pictures])
