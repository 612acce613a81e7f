"""A tiny random model with its own text encoder for each family of models, built with the host's own classes.

Sizes come from an explicit configuration; where the host's detection allows any size, the weights then go through it, as a
file would. Token tables that would be large are folded: words share rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from types import SimpleNamespace

import torch

CLIP = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
T5 = {"d_model": 64, "num_layers": 1, "num_heads": 2, "d_kv": 32, "d_ff": 64}
# The host pads what SD3's CLIPs give to 4096 channels, so T5 must have as many.
WIDE_T5 = {"d_model": 4096, "num_layers": 1, "num_heads": 2, "d_kv": 16, "d_ff": 32, "vocab_size": 400}
LLM = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 1, "num_key_value_heads": 1}
PROMPT, NEGATIVE = "a red apple on a wooden table", "blurry"
LIKED, DISLIKED = "pastel colours, soft morning light", "dark, grainy, harsh shadows, clutter"
# More words than fit into one chunk of a CLIP.
_THINGS = ("light", "colour", "wood", "sky", "water", "stone", "paper", "cloth")
MANY = ", ".join(f"{how} {thing}" for how in ("soft", "pale", "warm", "calm", "misty") for thing in _THINGS)


@dataclass(frozen=True)
class Family:
    name: str
    build: Callable  # () -> (MODEL, CLIP)
    latent: tuple[int, ...]
    cfg: float = 4.0
    scheduler: str = "normal"
    dress: Callable = field(default=lambda cond: cond)  # what a graph of this family puts onto its prompts
    tolerance: float = 1e-4


def fill(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Seeded weights that pass signals on: std 1/√fan_in for matrices, norms around one, small biases."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in module.named_parameters():
        if p.numel() == 0:
            continue
        value = torch.randn(p.shape, generator=generator)
        if p.ndim >= 2:
            value *= 2.0 if "relative_attention_bias" in name else p[0].numel() ** -0.5
        else:
            value = 1.0 + 0.1 * value if name.endswith(("weight", "scale")) else 0.05 * value
        p.data = value.to(p.dtype)
    for name, buffer in module.named_buffers():
        if name.endswith("pos_embed"):  # SD3's, which the host leaves empty until weights are loaded
            buffer.copy_(torch.randn(buffer.shape, generator=generator))
    return module


def model_of(config_class, unet_config: dict, seed: int, detect: bool = False, **settings):
    """MODEL of a class of comfy.supported_models; ``detect`` loads its weights through the host's own detection."""
    import comfy.model_management as mm
    import comfy.model_patcher
    import comfy.sd

    config = config_class({**config_class.unet_config, **unet_config})
    for name, value in settings.items():
        setattr(config, name, value)
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({}, device=torch.device("cpu"))
    fill(model.diffusion_model, seed)
    if detect:
        weights = {k: v.clone() for k, v in model.diffusion_model.state_dict().items()}
        loaded = comfy.sd.load_diffusion_model_state_dict(weights, model_options={"dtype": torch.float32})
        assert type(loaded.model.model_config) is config_class, "the host takes these weights for another family"
        return loaded
    return comfy.model_patcher.ModelPatcher(model, load_device=mm.get_torch_device(), offload_device=torch.device("cpu"))


def clip_of(tokenizer, encoder, seed: int, folded: dict[str, int] | None = None, **sizes):
    """CLIP out of the host's tokenizer and encoder classes; ``sizes`` are ``NAME={…}`` overrides of an encoder's configuration."""
    import comfy.sd

    target = SimpleNamespace(clip=encoder, tokenizer=tokenizer, params={})
    options = {f"{name}_model_config": dict(config) for name, config in sizes.items()}
    clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float32, **options})
    fill(clip.cond_stage_model, seed)
    for name, rows in (folded or {}).items():
        part = getattr(clip.tokenizer, name)
        part.tokenizer = _Folded(part.tokenizer, rows)
    return clip


class _Folded:
    """A tokenizer whose words share ``rows`` rows; the first three (padding, end, unknown) stay what they are."""

    def __init__(self, tokenizer, rows: int):
        self.tokenizer, self.rows = tokenizer, rows

    def __call__(self, text):
        ids = self.tokenizer(text)["input_ids"]
        return {"input_ids": [i if i < 3 else 3 + i % (self.rows - 3) for i in ids]}


# --- the families ----------------------------------------------------------------------------------------------------

UNET = {
    "image_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "channel_mult": [1, 2],
    "num_res_blocks": [1, 1],
    "transformer_depth": [0, 1],
    "transformer_depth_output": [0, 0, 1, 1],
    "transformer_depth_middle": 1,
    "use_spatial_transformer": True,
    "legacy": False,
    "context_dim": 64,
    "adm_in_channels": None,
    "use_temporal_attention": False,
}


def sd15():
    import comfy.sd1_clip
    import comfy.supported_models as families

    model = model_of(families.SD15, {**UNET, "use_linear_in_transformer": False}, 1)
    return model, clip_of(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel, 2, clip_l=CLIP)


def sd2():
    """v-prediction, as SD 2.1 768; the host tells it from the spread of a bias of the full-size model."""
    import comfy.model_base
    import comfy.supported_models as families
    import comfy.text_encoders.sd2_clip as text

    v_prediction = lambda state_dict, prefix="": comfy.model_base.ModelType.V_PREDICTION  # noqa: E731
    model = model_of(families.SD20, {**UNET, "use_linear_in_transformer": True}, 3, model_type=v_prediction)
    return model, clip_of(text.SD2Tokenizer, text.SD2ClipModel, 4, clip_h=CLIP)


def sdxl():
    import comfy.sdxl_clip
    import comfy.supported_models as families

    config = {**UNET, "use_linear_in_transformer": True, "context_dim": 128, "num_classes": "sequential", "adm_in_channels": 64 + 6 * 256}
    return (
        model_of(families.SDXL, config, 5),
        clip_of(comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel, 6, clip_l=CLIP, clip_g=CLIP),
    )


def sdxl_sizes(cond):
    import node_helpers

    sizes = {"width": 832, "height": 1216, "crop_w": 16, "crop_h": 8, "target_width": 832, "target_height": 1216}
    return node_helpers.conditioning_set_values(cond, sizes)


def _sd3(pooled: int, **encoders):
    import comfy.supported_models as families
    import comfy.text_encoders.sd3_clip as text

    context = {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 128}}
    config = {"input_size": None, "num_patches": 64, "pos_embed_max_size": 8, "patch_size": 2, "depth": 2, "qk_norm": "rms",
              "context_embedder_config": context, "adm_in_channels": pooled, "out_channels": 16}  # fmt: skip
    model = model_of(families.SD3, config, 7, detect=True)
    clip = clip_of(text.SD3Tokenizer, text.sd3_clip(**encoders), 8, {"t5xxl": 400}, clip_l=CLIP, clip_g=CLIP, t5xxl=WIDE_T5)
    return model, clip


def sd3():
    return _sd3(128)


def sd3_without_t5():
    return _sd3(128, t5=False)


def sd3_without_clips():
    return _sd3(768 + 1280, clip_l=False, clip_g=False)


def flux():
    import comfy.supported_models as families
    import comfy.text_encoders.flux as text
    from comfy.ldm.flux.model import FluxParams

    config = {"in_channels": 16, "out_channels": 16, "vec_in_dim": 64, "context_in_dim": 64, "hidden_size": 64, "mlp_ratio": 2.0,
              "num_heads": 2, "depth": 1, "depth_single_blocks": 1, "axes_dim": [8, 12, 12], "theta": 10000, "patch_size": 2,
              "qkv_bias": True, "guidance_embed": True}  # fmt: skip
    if "txt_ids_dims" in {f.name for f in fields(FluxParams)}:  # of newer hosts
        config["txt_ids_dims"] = []
    return model_of(families.Flux, config, 9), clip_of(text.FluxTokenizer, text.FluxClipModel, 10, clip_l=CLIP, t5xxl=T5)


def flux_guidance(cond):
    from comfy_extras.nodes_flux import FluxGuidance

    return FluxGuidance.execute(cond, 2.5).result[0]


def z_image():
    """Qwen3 as text encoder: no padding, masks, and the picture's positions begin where the text ends."""
    import comfy.supported_models as families
    import comfy.text_encoders.z_image as text

    config = {"patch_size": 2, "in_channels": 16, "cap_feat_dim": 64, "dim": 256, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 4,
              "n_kv_heads": 4, "axes_dims": [16, 24, 24], "axes_lens": [300, 512, 512], "qk_norm": True, "ffn_dim_multiplier": 1.0,
              "multiple_of": 32, "z_image_modulation": True, "time_scale": 1000.0, "pad_tokens_multiple": 32,
              "rope_theta": 256.0}  # fmt: skip
    return model_of(families.ZImage, config, 11), clip_of(text.ZImageTokenizer, text.te(), 12, qwen3_4b=LLM)


def hidream():
    """Most of what it reads is a second embedding of every layer of Llama, beside the T5's."""
    import comfy.supported_models as families
    import comfy.text_encoders.hidream as text

    config = {"patch_size": 2, "in_channels": 16, "out_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 32,
              "num_attention_heads": 2, "caption_channels": [64, 64], "text_emb_dim": 2048, "num_routed_experts": 2,
              "num_activated_experts": 1, "axes_dims_rope": [8, 12, 12], "max_resolution": [16, 16], "llama_layers": [0, 1]}  # fmt: skip
    encoder = text.hidream_clip(clip_l=False, clip_g=False)
    return model_of(families.HiDream, config, 13), clip_of(text.HiDreamTokenizer, encoder, 14, t5xxl=T5, llama=LLM)


def ltxv():
    """A video model: 5-D latents, a T5 with attention masks."""
    import comfy.supported_models as families
    import comfy.text_encoders.lt as text

    config = {"in_channels": 128, "cross_attention_dim": 128, "attention_head_dim": 4, "num_attention_heads": 32, "caption_channels": 64,
              "num_layers": 2}  # fmt: skip
    return model_of(families.LTXV, config, 15), clip_of(text.LTXVT5Tokenizer, text.ltxv_te(), 16, t5xxl=T5)


FAMILIES = {
    f.name: f
    for f in (
        Family("sd15", sd15, (1, 4, 16, 16)),
        Family("sd2", sd2, (1, 4, 16, 16)),
        Family("sdxl", sdxl, (1, 4, 16, 16), dress=sdxl_sizes),
        Family("sd3", sd3, (1, 16, 16, 16), scheduler="sgm_uniform"),
        Family("sd3_without_t5", sd3_without_t5, (1, 16, 16, 16), scheduler="sgm_uniform"),
        Family("sd3_without_clips", sd3_without_clips, (1, 16, 16, 16), scheduler="sgm_uniform"),
        Family("flux", flux, (1, 16, 16, 16), cfg=1.0, scheduler="simple", dress=flux_guidance),
        Family("z_image", z_image, (1, 16, 16, 16), scheduler="simple"),
        Family("hidream", hidream, (1, 16, 16, 16), scheduler="simple"),
        Family("ltxv", ltxv, (1, 128, 3, 4, 4), scheduler="simple"),
    )
}
