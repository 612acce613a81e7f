"""What training needs of the host: tokenizers, a MODEL's native prediction, names of weights in LoRA files."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from contextlib import contextmanager

import torch


def tokenizers(clip) -> list:
    """The tokenizers of a CLIP whose vocabulary can be read, as `training.identifiers.Tokenizer`; CLIPs first, then T5 and others."""
    from ..training.identifiers import Tokenizer

    found = []
    for name, part in vars(clip.tokenizer).items():
        if hasattr(part, "inv_vocab") and hasattr(part, "tokenizer"):
            found.append(Tokenizer(name, _encoder(part), part.inv_vocab))
    return sorted(found, key=lambda t: (t.marker != "</w>", ["clip_l"].count(t.name) == 0))


def _encoder(part):
    start, end = part.tokens_start, -1 if part.tokenizer_adds_end_token else None
    return lambda text: part.tokenizer(text)["input_ids"][start:end]


# --- a MODEL that can be trained -----------------------------------------------------------------------------------------


def load_for_training(model, extra_memory: int = 0) -> None:
    """Bring a MODEL (its LoRAs and object patches too) to the device, with ``extra_memory`` bytes free beside it."""
    import comfy.model_management

    comfy.model_management.load_models_gpu([model], memory_required=extra_memory)


def network(model) -> torch.nn.Module:
    """The diffusion network of a MODEL, shared by all its clones."""
    return model.model.diffusion_model


def device_of(model) -> torch.device:
    return model.load_device


def computes_in(model) -> torch.dtype:
    """What a MODEL's network computes in; its weights may be stored in another type."""
    return model.get_model_object("manual_cast_dtype") or model.model.get_dtype()


@contextmanager
def computing_in(model, dtype: torch.dtype):
    """The MODEL, loaded, casting as the host does for devices that lack a type, until the block is left."""
    base, changed = model.model, []
    before = vars(base).get("manual_cast_dtype")
    try:
        base.manual_cast_dtype = dtype
        for layer in network(model).modules():
            if getattr(layer, "comfy_cast_weights", True) is False:
                changed.append((vars(layer), vars(layer).get("comfy_cast_weights")))
                layer.comfy_cast_weights = True
        yield
    finally:
        base.manual_cast_dtype = before
        for own, flag in changed:
            if flag is None:
                del own["comfy_cast_weights"]
            else:
                own["comfy_cast_weights"] = flag


def read_weights(layer, device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A layer's weight and bias as it multiplies: patches of a partial load applied, unpacked, scaled."""
    import comfy.ops

    with torch.no_grad():
        if not hasattr(layer, "weight_function"):
            bias = getattr(layer, "bias", None)
            return layer.weight.to(device, dtype), None if bias is None else bias.to(device, dtype)
        weight, bias = comfy.ops.cast_bias_weight(layer, dtype=dtype, device=device, bias_dtype=dtype)
        if type(weight) not in (torch.Tensor, torch.nn.Parameter):
            weight = weight.dequantize().to(dtype)
        scale = getattr(layer, "scale_weight", None)
        return weight if scale is None else weight * scale.to(weight), bias


def sampling_of(model):
    """The MODEL's own noise schedule and prediction, object patches counted."""
    return model.get_model_object("model_sampling")


@contextmanager
def raw_output(model):
    """A list to which the network's own outputs are appended, before the host turns them into denoised latents."""
    outputs: list = []
    handle = network(model).register_forward_hook(lambda layer, args, output: outputs.append(output))
    try:
        yield outputs
    finally:
        handle.remove()


def model_conds(model, conditioning, latent: torch.Tensor, keep_graph: bool = False, **given) -> dict:
    """What the network takes besides the latent, for one sample: ``{name: the host's COND object}``, free of inference mode.

    ``latent`` ``(1, C, …)`` gives size and device; ``given`` is what a graph's nodes would put onto the prompt (``guidance`` of
    Flux, sizes of SDXL). Of a CONDITIONING of several entries (areas, combinations) the first counts. ``keep_graph``: gradients
    go back into the CONDITIONING.
    """
    import comfy.sampler_helpers
    import comfy.samplers

    with torch.inference_mode(False), torch.set_grad_enabled(keep_graph and torch.is_grad_enabled()):
        entry = comfy.sampler_helpers.convert_cond([[_plain(conditioning[0][0]), {**_plain(conditioning[0][1]), **given}]])
        encode = comfy.samplers.encode_model_conds
        encoded = encode(model.model.extra_conds, entry, latent, latent.device, "positive", latent_image=latent, seed=0)
        conds = encoded[0]["model_conds"]
        return {name: cond._copy_with(_plain(cond.cond)) for name, cond in conds.items()}


def cond_parts(conds: dict) -> dict[str, tuple[str, object]]:
    """``{name: (the COND's class, its value)}``. Raises ValueError for a class that is not the host's own."""
    import comfy.conds

    other = next((name for name, cond in conds.items() if getattr(comfy.conds, type(cond).__name__, None) is not type(cond)), None)
    if other is not None:
        raise ValueError(f"{other} is of another pack's making")
    return {name: (type(cond).__name__, cond.cond) for name, cond in conds.items()}


def conds_of(parts: dict) -> dict:
    """The reverse of `cond_parts`. Raises ValueError for a class that this host does not have."""
    import comfy.conds

    made = {}
    for name, (kind, value) in parts.items():
        maker = getattr(comfy.conds, kind, None)
        if not (isinstance(maker, type) and issubclass(maker, comfy.conds.CONDRegular)):
            raise ValueError(f"this host has no {kind}")
        made[name] = maker(value)
    return made


def join_conds(each: Sequence[dict]) -> dict | None:
    """The conds of a batch out of those of its samples; None when they do not fit into one call."""
    joined = {}
    if any(conds.keys() != each[0].keys() for conds in each):
        return None
    for name, first in each[0].items():
        others = [conds[name] for conds in each[1:]]
        if not all(first.can_concat(other) and list(first.size()) == list(other.size()) for other in others):
            return None
        joined[name] = first.process_cond(batch_size=1, area=None)._copy_with(first.concat(others) if others else first.cond).cond
    return joined


def apply_model(model, x: torch.Tensor, noise_level: torch.Tensor, conds: dict) -> torch.Tensor:
    """One call of the MODEL with PyTorch's own attention, which has a backward pass; returns the denoised latent."""
    from comfy.ldm.modules.attention import attention_pytorch

    options = copy.copy(model.model_options.get("transformer_options", {}))
    options["optimized_attention_override"] = lambda attention, *args, **kwargs: attention_pytorch(*args, **kwargs)
    options["cond_or_uncond"] = [0] * len(x)
    options["sigmas"] = noise_level
    return model.model.apply_model(x, noise_level, transformer_options=options, **conds)


def _plain(value):
    """A copy that autograd can use: tensors made under inference mode cannot. Where gradients are kept, they pass through it."""
    if isinstance(value, torch.Tensor):
        return value.clone() if torch.is_grad_enabled() else value.detach().clone()
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def model_from_files(where: dict, with_text: bool) -> tuple:
    """``(MODEL, CLIP)``, the CLIP None where it is not asked for or has no file.

    ``where`` is ``{"checkpoint": path}`` or ``{"unet": path, "clip": [paths], "clip_type": name}``. Raises ValueError.
    """
    import comfy.sd

    if "checkpoint" in where:
        return comfy.sd.load_checkpoint_guess_config(where["checkpoint"], output_vae=False, output_clip=with_text)[:2]
    if "unet" not in where:
        raise ValueError("A model is named by checkpoint, or by unet and clip.")
    clip = None
    if with_text and where.get("clip"):
        paths = where["clip"] if isinstance(where["clip"], list) else [where["clip"]]
        kind = getattr(comfy.sd.CLIPType, str(where.get("clip_type", "stable_diffusion")).upper(), None)
        if kind is None:
            raise ValueError(f"There is no clip_type {where['clip_type']!r}: use one of the host's Load CLIP.")
        clip = comfy.sd.load_clip(ckpt_paths=paths, clip_type=kind)
    return comfy.sd.load_diffusion_model(where["unet"]), clip


# --- a CLIP that can be trained ------------------------------------------------------------------------------------------


def load_text_for_training(clip, extra_memory: int = 0) -> None:
    """Bring a CLIP (its LoRAs too) to its device, with ``extra_memory`` bytes free beside it."""
    import comfy.model_management

    comfy.model_management.load_models_gpu([clip.patcher], memory_required=extra_memory)


def text_network(clip) -> torch.nn.Module:
    """All text encoders of a CLIP, shared by its clones."""
    return clip.cond_stage_model


def text_device(clip) -> torch.device:
    return clip.patcher.load_device


def encode_in_place(clip, text: str) -> list:
    """CONDITIONING of a text by a CLIP that is loaded: nothing is moved or patched on the way, and gradients are kept."""
    loaded = clip.clone()
    loaded.load_model = lambda *args, **kwargs: loaded.patcher
    out = dict(loaded.encode_from_tokens(loaded.tokenize(text), return_pooled=True, return_dict=True))
    return [[out.pop("cond"), out]]


# --- names in LoRA files -------------------------------------------------------------------------------------------------


def lora_names(model) -> dict[str, list[str]]:
    """Layer of the diffusion network → how LoRA files call it (``lora_unet_…``), first the name to write.

    UNets are written with the names that diffusers and kohya's tools share; the host reads several. Parameters that are neither a
    layer's weight nor its bias go by their own name, and only the host knows them. It reads those of modules that have layers
    inside, too, but never applies them: they are not listed.
    """
    import comfy.lora

    names: dict[str, list[str]] = {}
    prefix, ending, bare = "diffusion_model.", ".weight", []
    for name, key in comfy.lora.model_lora_keys_unet(model.model, {}).items():
        if not isinstance(key, str) or not key.startswith(prefix):
            continue
        if name.startswith("lora_unet_") and key.endswith(ending):
            names.setdefault(key[len(prefix):-len(ending)], []).insert(0, name)
        elif name == key:  # never a weight's
            bare.append(name)
    for name in bare:
        module, _, own = name[len(prefix):].rpartition(".")
        inside = any(list(child.parameters()) for child in network(model).get_submodule(module).children())
        if not inside and not (own == "bias" and module in names):
            names[name[len(prefix):]] = [name]
    return names


def text_lora_names(clip) -> dict[str, list[str]]:
    """Layer of the text encoders → how LoRA files call it, first the name to write.

    A single CLIP is ``lora_te_…``, of several each has a number: ``lora_te1_…``, ``lora_te2_…``, and ``lora_te3_…`` for T5 (Flux, SD3).
    What has none of these has the host's ``text_encoders.…``.
    """
    import comfy.lora

    ending, names = ".weight", {}
    for name, key in comfy.lora.model_lora_keys_clip(clip.cond_stage_model, {}).items():
        if isinstance(key, str) and key.endswith(ending):
            names.setdefault(key[:-len(ending)], []).append(name)
    several = len({layer.split(".")[0] for layer in names}) > 1
    wanted = re.compile(r"lora_te\d_" if several else r"lora_te_")
    return {layer: sorted(reversed(spellings), key=lambda name: wanted.match(name) is None) for layer, spellings in names.items()}
