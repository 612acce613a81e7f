"""The models a subject is taught to: which family they are of, their latents, and what a graph gets back."""

from __future__ import annotations

import torch


def family(model) -> str:
    """Which published settings fit a MODEL: a name of `training.options.PRESETS`. The next of kin for families without any."""
    import comfy.model_base as families

    base = model.model
    if getattr(base.model_config, "viper_pocket", False):
        return "pocket"
    for name, kinds in (("Flux", ("Flux",)), ("SDXL", ("SDXL", "SDXLRefiner"))):
        if isinstance(base, tuple(kind for k in kinds if (kind := getattr(families, k, None)) is not None)):
            return name
    flow = getattr(families.ModelType, "FLOW", None), getattr(families.ModelType, "FLUX", None)
    return "SD 3" if base.model_type in flow else "SD 1.5"


def cell(vae) -> int:
    """Pixels a side of one latent cell."""
    factor = getattr(vae, "spacial_compression_encode", lambda: 8)()
    return int(factor) if isinstance(factor, (int, float)) and factor >= 1 else 8


def latent_of(model, vae, pixels: torch.Tensor) -> torch.Tensor:
    """A picture (H, W, 3) in 0…1 as the MODEL's network takes it, ``(1, C, …)`` on the CPU, free of inference mode."""
    encoded = vae.encode(pixels[None, ..., :3])
    with torch.inference_mode(False), torch.no_grad():
        return model.model.process_latent_in(encoded.detach().clone()).float().cpu().clone()


def sizes(model, size: tuple[int, int], corner: tuple[int, int], target: tuple[int, int]) -> dict:
    """What SDXL's prompts carry: the picture's (height, width), the crop's (top, left), the (height, width) that is seen."""
    if family(model) != "SDXL":
        return {}
    return {"height": size[0], "width": size[1], "crop_h": corner[0], "crop_w": corner[1],
            "target_height": target[0], "target_width": target[1]}  # fmt: skip


def needed_memory(model, shape: tuple[int, ...]) -> int:
    """The host's estimate, in bytes, of one call on a batch of latents of this shape."""
    return int(model.memory_required(list(shape)))


def release(*parts) -> None:
    """Take models (CLIP, VAE, MODEL) off the device; they come back when somebody uses them."""
    import comfy.model_management as mm

    patchers = [p for p in (getattr(part, "patcher", part) for part in parts) if p is not None]
    for device in {p.load_device for p in patchers} - {torch.device("cpu")}:
        others = [loaded for loaded in mm.current_loaded_models if not any(loaded.model is p or p.is_clone(loaded.model) for p in patchers)]
        mm.free_memory(1e30, device, keep_loaded=others)


def with_lora(model, clip, tensors: dict[str, torch.Tensor], strength_model: float, strength_clip: float):
    """(MODEL, CLIP) clones that carry LoRA weights, and how many weights of each they change."""
    import comfy.sd

    before = [len(getattr(p, "patches", {})) for p in (model, getattr(clip, "patcher", None))]
    patched, text = comfy.sd.load_lora_for_models(model, clip, dict(tensors), strength_model, strength_clip)
    counts = [len(getattr(p, "patches", {})) - n for p, n in zip((patched, getattr(text, "patcher", None)), before, strict=True)]
    return patched, text, counts


def with_values(conditioning: list, **values) -> list:
    """A CONDITIONING whose entries carry these values too, as a graph's nodes set them (Flux guidance, SDXL sizes)."""
    return [[cond, {**extra, **values}] for cond, extra in conditioning]


def is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or isinstance(error, RuntimeError) and "memory" in str(error) and (
        "out of" in str(error) or "allocate" in str(error))  # fmt: skip


def used_memory(device: torch.device) -> int:
    """Bytes in use at most since the start: on the device, or of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import psutil

    return psutil.Process().memory_info().rss
