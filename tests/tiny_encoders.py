"""Image encoders of transformers, small enough to build and run in a test, in folders as users have them. Random weights."""

from __future__ import annotations

from pathlib import Path

import torch

FAMILIES = ("clip", "siglip", "dino", "dinov2")
VISION = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8)
TEXT = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=16, vocab_size=320)
TEXTS = ["a dog on a beach", "a red cup", "a [V] lizard in watercolor"]


def save(folder: Path, family: str, seed: int = 0) -> Path:
    """config.json, preprocessor_config.json, model.safetensors; and a tokenizer where there is a text side."""
    import transformers as t

    torch.manual_seed(seed)
    size, crop = {"shortest_edge": 32}, {"height": 32, "width": 32}
    if family == "clip":
        model = t.CLIPModel(t.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24))
        processor = t.CLIPImageProcessor(size=size, crop_size=crop)
    elif family == "clip vision":
        model = t.CLIPVisionModelWithProjection(t.CLIPVisionConfig(**VISION, projection_dim=24))
        processor = t.CLIPImageProcessor(size=size, crop_size=crop)
    elif family == "siglip":
        model = t.SiglipModel(t.SiglipConfig(text_config={**TEXT, "projection_size": 32}, vision_config=VISION))
        processor = t.SiglipImageProcessor(size=crop)
    elif family == "dino":
        model, processor = t.ViTModel(t.ViTConfig(**VISION), add_pooling_layer=False), t.ViTImageProcessor(size=crop)
    elif family == "dinov2":
        vision = {k: v for k, v in VISION.items() if k != "intermediate_size"}
        model, processor = t.Dinov2Model(t.Dinov2Config(**vision)), t.BitImageProcessor(size=size, crop_size=crop)
    else:
        model, processor = t.ResNetModel(t.ResNetConfig(depths=[1, 1], hidden_sizes=[8, 16], embedding_size=8)), t.BitImageProcessor()
    for parameter in model.parameters():  # as far apart as trained ones are
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    if family in ("clip", "siglip"):
        from viper.tests.tiny_vlm import tokenizer

        tokenizer(TEXTS, [], "", vocabulary=320).save_pretrained(folder)
    return folder
