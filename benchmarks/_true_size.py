"""SD 1.5's and SDXL's networks at their true size, with random weights: how fast the pack trains them, how fast the host's node does.

What is learned does not matter for that. Nothing is downloaded; sizes are those of the released models.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass

import torch

from viper.benchmarks import _host_training
from viper.training.native import NativeModel

UNET = {"image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320, "use_spatial_transformer": True, "legacy": False,
        "transformer_depth_middle": 1, "use_temporal_attention": False}  # fmt: skip
SD15 = {**UNET, "num_res_blocks": [2] * 4, "channel_mult": [1, 2, 4, 4], "transformer_depth": [1] * 6 + [0] * 2, "num_heads": 8,
        "transformer_depth_output": [1] * 9 + [0] * 3, "context_dim": 768, "adm_in_channels": None,
        "use_linear_in_transformer": False}  # fmt: skip
SDXL = {**UNET, "num_res_blocks": [2] * 3, "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10], "num_head_channels": 64,
        "transformer_depth_output": [0] * 3 + [2] * 3 + [10] * 3, "transformer_depth_middle": 10, "context_dim": 2048,
        "num_classes": "sequential", "adm_in_channels": 2816, "use_linear_in_transformer": True}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """``family``: its class in ``comfy.supported_models``; ``preset`` a name of `options.PRESETS`."""

    family: str
    preset: str
    config: dict
    latent: int  # cells a side
    pooled: int


SIZES = {"sd15": Size("SD15", "SD 1.5", SD15, 64, 768), "sdxl": Size("SDXL", "SDXL", SDXL, 128, 1280)}


def build(size: Size, device: torch.device, dtype: torch.dtype):
    """MODEL with seeded weights, std 1/\u221afan_in for matrices."""
    import comfy.model_patcher
    import comfy.supported_models

    family = getattr(comfy.supported_models, size.family)
    config = family({**family.unet_config, **size.config})
    config.set_inference_dtype(dtype, None)
    model = config.get_model({}, device=device).to(device)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, p in model.diffusion_model.named_parameters():
            p.data = p.data.to(dtype)
            if p.ndim > 1:
                p.normal_(std=p[0].numel() ** -0.5, generator=generator)
            else:
                p.fill_(1.0 if name.endswith("weight") else 0.0)
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=torch.device("cpu"))


def given(size: Size) -> tuple[list, list]:
    """Four latents, and the CONDITIONING of all."""
    words = [[torch.randn(1, 77, size.config["context_dim"]), {"pooled_output": torch.randn(1, size.pooled)}]]
    return [torch.randn(1, 4, size.latent, size.latent) for _ in range(4)], words


def ours(layers: str = "", checkpointing: bool = False) -> Callable:
    """Without prior, so that both learn from the same pictures."""

    def ready(size: Size, model, batch: int):
        native = NativeModel(model)
        native.load()
        lessons = _host_training.lessons(native, *given(size))
        return lambda steps: _host_training.our_steps(native, lessons, [], steps, batch, size.preset, layers, checkpointing)

    return ready


def host(checkpointing: bool) -> Callable:
    def ready(size: Size, model, batch: int):
        how = {"precision": "bf16", "checkpointing": checkpointing}
        return lambda steps: _host_training.host_steps(model, *given(size), steps, batch, **how)

    return ready


WAYS = {
    "ours": ours(), "ours, checkpointing": ours(checkpointing=True), "ours, all layers": ours("all"),
    "ours, all layers, checkpointing": ours("all", True), "host": host(False), "host, checkpointing (its default)": host(True),
}  # fmt: skip


def table(family: str, rounds: int, steps: int = 4) -> str:
    """Steps a second and peak memory of the device, each way in turn on a model of its own."""
    size, device = SIZES[family], torch.device("cuda")
    lines = [f"| {family} at {8 * size.latent} px, bf16, rank {_host_training.RANK} | batch | steps/s | peak, GB |", "|---" * 4 + "|"]
    for batch in (1, 4):
        found: dict[str, list[tuple[float, int]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, measured in found.items():
                one = measure(size, way, batch, device, steps)
                measured.extend([one] if one else [])
        for way, measured in found.items():
            cells = ("out of memory", "\u2013")
            if measured:
                cells = (f"{1 / sorted(s for s, _ in measured)[len(measured) // 2]:.2f}", f"{max(m for _, m in measured) / 2**30:.1f}")
            lines.append(f"| {way} | {batch} | " + " | ".join(cells) + " |")
    note = f"Random weights, {torch.cuda.get_device_name(device)}; ours without prior; {rounds} rounds of {steps} steps in turn, medians."
    return "\n".join([*lines, "", note])


def measure(size: Size, way: str, batch: int, device: torch.device, steps: int) -> tuple[float, int] | None:
    """Median seconds a step and the device's peak in bytes; None where memory does not do."""
    import comfy.model_management

    cuda = device.type == "cuda"
    try:
        run = WAYS[way](size, build(size, device, torch.bfloat16 if cuda else torch.float32), batch)
        if cuda:
            torch.cuda.reset_peak_memory_stats(device)
        seconds = sorted(run(steps + 1)[1:])[steps // 2]
        return seconds, torch.cuda.max_memory_allocated(device) if cuda else 0
    except torch.OutOfMemoryError:
        return None
    finally:
        run = None
        comfy.model_management.unload_all_models()
        gc.collect()
        comfy.model_management.soft_empty_cache()
