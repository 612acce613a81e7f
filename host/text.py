"""Texts and pictures through the host's encoders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Encoded:
    """A text through a CLIP: ``cond`` (1, T, C), ``pooled`` (1, P) or None, ``extra`` whatever else the encoder gives."""

    cond: torch.Tensor
    pooled: torch.Tensor | None
    extra: dict[str, Any] = field(default_factory=dict)


def encode_text(clip, text: str) -> Encoded:
    """Encode with the host's own tokenizer and encoder; the text may hold ``(word:1.2)`` weights where the CLIP reads them."""
    if clip is None:
        raise ValueError("This checkpoint has no text encoder: load a CLIP with its own loader and connect it.")
    out = dict(clip.encode_from_tokens(clip.tokenize(text), return_pooled=True, return_dict=True))
    cond, pooled = out.pop("cond"), out.pop("pooled_output", None)
    # Hooks belong to the conditioning entry that is personalised, not to the words added to it.
    out.pop("hooks", None)
    return Encoded(cond, pooled, out)


def reads_weights(clip) -> bool:
    """Whether ``(word:1.5)`` means a weight to this CLIP's tokenizer (encoders with a language model read it as text)."""

    def weights(tokens) -> bool:
        if isinstance(tokens, dict):
            return any(weights(v) for v in tokens.values())
        if isinstance(tokens, list):
            return any(weights(v) for v in tokens)
        return isinstance(tokens, tuple) and len(tokens) > 1 and isinstance(tokens[1], (int, float)) and abs(tokens[1] - 1.5) < 1e-6

    return weights(clip.tokenize("(art:1.5)"))


def projected_text(clip, text: str) -> torch.Tensor:
    """(D,) embedding of a text in the space that a CLIP shares with its pictures, on the CPU.

    Raises ValueError for encoders without that projection (most SD1 checkpoints' own, T5, language models).
    """
    pooled = clip.encode_from_tokens(clip.tokenize(text), return_pooled="unprojected", return_dict=True).get("pooled_output")
    for tower in clip.cond_stage_model.children():
        weight = getattr(getattr(getattr(tower, "transformer", None), "text_projection", None), "weight", None)
        if pooled is not None and weight is not None and weight.shape[-1] == pooled.shape[-1] and _is_projection(weight):
            # By hand: the host never projects for SD1, whose checkpoints have nothing to project with.
            return torch.nn.functional.linear(pooled[0].float().cpu(), weight.detach().float().cpu())
    raise ValueError("The connected CLIP cannot be compared with pictures, since it has no text projection: load the text side of the "
                     "same CLIP as clip_vision, such as clip_l.safetensors, with Load CLIP.")  # fmt: skip


def _is_projection(weight: torch.Tensor) -> bool:
    """Whether these weights were loaded: the host leaves missing ones empty, older ones put in the identity."""
    spread = float(weight.float().std())
    return 1e-3 < spread < 1 and not torch.equal(weight, torch.eye(weight.shape[0], dtype=weight.dtype, device=weight.device))


def picture_embedding(clip_vision, picture: torch.Tensor) -> torch.Tensor:
    """(D,) embedding of a picture (H, W, 3) in the space that a CLIP shares with its texts, on the CPU."""
    return clip_vision.encode_image(picture.unsqueeze(0))["image_embeds"].flatten().float().cpu()


def encode_prompt(clip, text: str) -> list:
    """CONDITIONING of a text, as the host's CLIPTextEncode makes it."""
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))
