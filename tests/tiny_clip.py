"""Both sides of a CLIP with random weights, small, by the host's own classes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch

SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}


def clip_and_vision(width: int = 64, projected: bool = True):
    """(CLIP, CLIP_VISION) whose embeddings have ``width`` numbers; the text side may lack its projection, as SD1 checkpoints do."""
    import comfy.clip_vision
    import comfy.sd
    import comfy.sd1_clip

    target = SimpleNamespace(clip=comfy.sd1_clip.SD1ClipModel, tokenizer=comfy.sd1_clip.SD1Tokenizer, params={})
    clip = comfy.sd.CLIP(target, model_options={"clip_l_model_config": {**SIZES, "hidden_size": width}})
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps({**SIZES, "projection_dim": width, "num_channels": 3, "image_size": 56, "patch_size": 14,
                                      "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "model_type": "clip_vision_model"}))  # fmt: skip
        vision = comfy.clip_vision.ClipVisionModel(str(config))
    random = torch.Generator().manual_seed(0)
    for module in (clip.cond_stage_model, vision.model):
        for name, weight in module.named_parameters():
            weight.data = torch.randn(weight.shape, generator=random) * 0.1 + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
    if not projected:
        clip.cond_stage_model.clip_l.transformer.text_projection.weight.data.zero_()
    return clip, vision
