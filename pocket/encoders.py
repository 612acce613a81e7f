"""Load the pocket encoders as ordinary host objects: a CLIP_VISION and a CLIP whose embeddings share one space.

They know the icons, subjects and looks of the pocket model, for nodes that score pictures. They are never the
judge of the benchmarks: that one is kept apart from everything that ships.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .loader import PocketConfig, _build_clip, initialise, read_weights

WEIGHTS = Path(__file__).parent / "weights" / "encoders.safetensors"
VISION = Path(__file__).parent / "encoders.json"  # the host builds a CLIP_VISION from a file
TEXT = PocketConfig(context_dim=192, text_heads=3)  # as wide as the vision's projection: the host projects text to its own width


def build_encoders(state_dicts: dict[str, dict] | None = None, seed: int = 0):
    """``(CLIP_VISION, CLIP)`` from ``{"vision": …, "text": …}``, or with seeded random weights for tests."""
    import comfy.clip_vision

    clip_vision = comfy.clip_vision.ClipVisionModel(str(VISION))
    clip_vision.model.requires_grad_(False)
    if state_dicts is None:
        initialise(clip_vision.model, seed)
        return clip_vision, projected(_build_clip(TEXT, None, seed))
    clip_vision.model.load_state_dict(state_dicts["vision"])
    text = dict(state_dicts["text"])
    scale, projection = text.pop("logit_scale"), text.pop("text_projection.weight")
    clip = _build_clip(TEXT, text, seed)
    clip.cond_stage_model.clip_l.logit_scale.data.copy_(scale)
    clip.cond_stage_model.clip_l.transformer.text_projection.weight.data.copy_(projection)
    return clip_vision, projected(clip)


def projected(clip):
    """Let ``clip`` pool after its projection: for the SD1 family the host pools before it, which is another space."""
    inner = clip.cond_stage_model.clip_l
    inner.options_default = (*inner.options_default[:2], True)  # the host goes back to these at every text
    return clip


def load_pocket_encoders(path: str | Path | None = None):
    """``(CLIP_VISION, CLIP)`` of the shipped weights (or of another file that the recipe exported)."""
    path = Path(path or WEIGHTS)
    if not path.is_file():
        raise FileNotFoundError(f"The pocket encoders' weights are missing: {path}. Reinstall the pack, or run their training recipe.")
    return build_encoders(read_weights(path))


def image_embeddings(clip_vision, images: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) in [0, 1] → (B, d) of unit length; the host resizes them, keeping the middle square."""
    with torch.no_grad():
        return F.normalize(clip_vision.encode_image(images)["image_embeds"].float(), dim=-1)


def text_embeddings(clip, texts: list[str]) -> Tensor:
    """Texts → (B, d) of unit length. The dot product with ``image_embeddings`` is the score, the cosine."""
    with torch.no_grad():
        pooled = [clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)[1] for text in texts]
        return F.normalize(torch.cat(pooled).float(), dim=-1)
