"""Load the pocket model as ordinary host objects: MODEL, CLIP and VAE.

One of the three places that subclass host classes. The host is imported inside the functions, so
that importing the pack stays light, and nothing is ever assigned into its modules.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent / "weights" / "pocket.safetensors"
PARTS = ("unet", "text", "vae")


@dataclass(frozen=True)
class PocketConfig:
    """Sizes of the three parts; the shipped weights are of the defaults."""

    latent_channels: int = 8
    context_dim: int = 256
    model_channels: int = 64
    channel_mult: tuple[int, ...] = (1, 2, 2)
    num_res_blocks: tuple[int, ...] = (1, 2, 1)
    transformer_depth: tuple[int, ...] = (0, 1, 1, 1)
    transformer_depth_output: tuple[int, ...] = (0, 0, 1, 1, 1, 1, 1)
    text_layers: int = 2
    text_heads: int = 4
    resolution: int = 128
    vae_widths: tuple[int, int, int] = field(default=(96, 64, 32))

    def unet(self) -> dict:
        """Arguments of the host's UNetModel."""
        return {
            "image_size": 16,
            "in_channels": self.latent_channels,
            "out_channels": self.latent_channels,
            "model_channels": self.model_channels,
            "channel_mult": list(self.channel_mult),
            "num_res_blocks": list(self.num_res_blocks),
            "transformer_depth": list(self.transformer_depth),
            "transformer_depth_output": list(self.transformer_depth_output),
            "transformer_depth_middle": 1,
            "context_dim": self.context_dim,
            "use_spatial_transformer": True,
            "use_linear_in_transformer": True,
            "use_scale_shift_norm": True,
            "legacy": False,
            "adm_in_channels": None,
            "use_temporal_attention": False,
        }

    def text(self) -> dict:
        """Overrides of the host's CLIP-L configuration."""
        return {
            "hidden_size": self.context_dim,
            "projection_dim": self.context_dim,
            "intermediate_size": 2 * self.context_dim,
            "num_hidden_layers": self.text_layers,
            "num_attention_heads": self.text_heads,
        }


@lru_cache
def _host_config():
    """The SD1.5 family at pocket size: v-prediction on the family's own noise schedule."""
    import comfy.latent_formats
    import comfy.model_base
    import comfy.supported_models

    class PocketLatents(comfy.latent_formats.LatentFormat):
        def __init__(self):
            self.latent_rgb_factors = None
            self.latent_rgb_factors_bias = None

    class Pocket(comfy.supported_models.SD15):
        unet_extra_config = {"num_heads": -1, "num_head_channels": 32}
        latent_format = PocketLatents
        memory_usage_factor = 0.3
        viper_pocket = True  # by which DreamBooth Train knows it

        def model_type(self, state_dict, prefix=""):
            return comfy.model_base.ModelType.V_PREDICTION

        def inpaint_model(self):
            return False  # more than four channels here are just latents, not a mask and a masked picture

    return Pocket


def preview_factors(vae: nn.Module) -> tuple[list, list]:
    """Latent → RGB in [-1, 1]: per channel the mean of its patch filter, and the bias. Exact up to detail."""
    return vae.unproject.weight.mean(dim=(2, 3)).tolist(), vae.unproject.bias.tolist()


def initialise(module: nn.Module, seed: int, residuals: float = 1.0) -> nn.Module:
    """Seeded weights: normal of std 1/√fan_in, norms at one; ``residuals`` scales the last layer of each branch."""
    generator = torch.Generator().manual_seed(seed)
    last = ("out_layers.3.weight", "proj_out.weight", "out.2.weight", "out_proj.weight", "fc2.weight", "b.weight")
    for name, p in module.named_parameters():
        if p.ndim < 2:
            value = torch.ones(p.shape) if name.endswith("weight") else torch.zeros(p.shape)
            value = p.detach().float() if name.endswith("logit_scale") else value
        else:
            std = 0.05 if "embedding" in name else p[0].numel() ** -0.5
            value = torch.randn(p.shape, generator=generator) * std * (residuals if name.endswith(last) else 1.0)
        p.data.copy_(value)
    return module


def fill_rows(ids: Tensor, rows: Tensor, vocabulary: int, seed: int = 0) -> Tensor:
    """All token rows (vocabulary, d): trained ones at ``ids``, the rest drawn around the trained mean.

    Unknown words come out shorter than known ones (half their spread), so that one costs little.
    """
    rows = rows.float()
    generator = torch.Generator().manual_seed(seed)
    table = rows.mean(0) + 0.5 * rows.std(0) * torch.randn(vocabulary, rows.shape[1], generator=generator)
    table[ids.long()] = rows
    return table


def _build_model(config: PocketConfig, sd: dict | None, vae: nn.Module, seed: int):
    import comfy.model_management as mm
    import comfy.model_patcher

    model_config = _host_config()(config.unet())
    device = mm.get_torch_device()
    dtype = mm.unet_dtype(device=device, model_params=10_000_000, supported_dtypes=model_config.supported_inference_dtypes)
    model_config.set_inference_dtype(dtype, mm.unet_manual_cast(dtype, device, model_config.supported_inference_dtypes))
    latent_format = model_config.latent_format
    latent_format.latent_channels = config.latent_channels
    latent_format.latent_rgb_factors, latent_format.latent_rgb_factors_bias = preview_factors(vae)
    model = model_config.get_model({}, device=mm.unet_offload_device())
    if sd is None:
        initialise(model.diffusion_model, seed)
    else:
        model.diffusion_model.load_state_dict(sd)
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=mm.unet_offload_device())


def _build_clip(config: PocketConfig, sd: dict | None, seed: int):
    import comfy.sd
    import comfy.sd1_clip
    import comfy.supported_models_base

    target = comfy.supported_models_base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)
    tokenizer_data = {"clip_l_embedding_size": config.context_dim}
    clip = comfy.sd.CLIP(target, tokenizer_data=tokenizer_data, model_options={"clip_l_model_config": config.text()})
    clip.tokenizer.clip_l.embedding_size = config.context_dim
    transformer = clip.cond_stage_model.clip_l.transformer
    if sd is None:
        initialise(transformer, seed)
    else:
        sd = dict(sd)
        vocabulary = transformer.text_model.embeddings.token_embedding.weight.shape[0]
        table = fill_rows(sd.pop("row_ids"), sd.pop("rows"), vocabulary)
        sd["text_model.embeddings.token_embedding.weight"] = table
        sd["text_projection.weight"] = torch.eye(config.context_dim)
        transformer.load_state_dict(sd)
    return clip


def _build_vae(config: PocketConfig, autoencoder: nn.Module):
    """The host's VAE object around our autoencoder (the host detects only known families by their keys)."""
    import comfy.model_patcher
    import comfy.sd
    import comfy.taesd.taesd

    # The host sets ratios, devices and dtype as for its own tiny autoencoder, whose place ours then takes.
    vae = comfy.sd.VAE(sd=comfy.taesd.taesd.TAESD(latent_channels=config.latent_channels).state_dict())
    vae.first_stage_model = autoencoder.eval().requires_grad_(False).to(vae.vae_dtype)
    vae.patcher = comfy.model_patcher.ModelPatcher(autoencoder, load_device=vae.device, offload_device=vae.patcher.offload_device)
    return vae


def build(state_dicts: dict[str, dict] | None = None, seed: int = 0, config: PocketConfig | None = None):
    """``(MODEL, CLIP, VAE)`` from ``{"unet": …, "text": …, "vae": …}``, or with seeded random weights for tests."""
    from .autoencoder import Autoencoder

    config = config or PocketConfig()
    sds = state_dicts or dict.fromkeys(PARTS)
    autoencoder = Autoencoder(config.latent_channels, config.vae_widths)
    if sds["vae"] is None:
        initialise(autoencoder, seed)
    else:
        autoencoder.load_state_dict(sds["vae"])
    model = _build_model(config, sds["unet"], autoencoder, seed)
    return model, _build_clip(config, sds["text"], seed), _build_vae(config, autoencoder)


def read_weights(path: Path) -> dict[str, dict]:
    """``{"unet": …, "text": …, "vae": …}`` of a file that the recipe exported: keys by what stands before their first dot."""
    from safetensors.torch import load_file

    sds: dict[str, dict] = {}
    for key, value in load_file(path).items():
        part, name = key.split(".", 1)
        sds.setdefault(part, {})[name] = value
    return sds


def load_pocket_model(path: str | Path | None = None):
    """``(MODEL, CLIP, VAE)`` of the shipped weights (or of another file that the recipe exported)."""
    path = Path(path or WEIGHTS)
    if not path.is_file():
        raise FileNotFoundError(f"The pocket model's weights are missing: {path}. Reinstall the pack, or run its training recipe.")
    return build(read_weights(path))
