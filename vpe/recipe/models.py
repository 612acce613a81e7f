"""A chat model that sees, from a local folder, made ready to be tuned: LoRA, QLoRA or in full."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..asking import Part, Turn, messages
from ..versions import dtype_option, nf4
from .loop import TrainConfig
from .options import RecipeError, needed

# ViPer's own targets (EPFL-VILAB/ViPer): the language model and what hands it the pictures, not the vision tower.
IDEFICS2_TARGETS = (
    r".*(text_model|modality_projection|perceiver_resampler).*(down_proj|gate_proj|up_proj|k_proj|q_proj|v_proj|o_proj).*$"
)
SHORTER = 378 / 448  # IDEFICS2's least shorter edge beside its longest, as ViPer has it


def load_processor(folder: Path, longest_edge: int = 448) -> Any:
    """IDEFICS2 sees a picture whole, at ViPer's size; for others ``picture`` bounds the size."""
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise RecipeError(f"{folder} holds no processor that transformers can load: {error}") from error
    if hasattr(getattr(processor, "image_processor", None), "do_image_splitting"):
        processor.image_processor.do_image_splitting = False
        processor.image_processor.size = {"longest_edge": longest_edge, "shortest_edge": round(longest_edge * SHORTER)}
    processor.tokenizer.padding_side = "right"
    return processor


def load_model(config: TrainConfig, device: Any) -> Any:
    """The model with what is to be tuned switched on: weights in nf4 (QLoRA, Dettmers et al. 2305.14314) or as they are, low-rank
    updates W + (alpha / r) B A beside them (LoRA, Hu et al. 2106.09685), or all weights."""
    needed("transformers", *(["peft"] if config.tune == "lora" else []), *(["bitsandbytes"] if config.quantise != "none" else []))
    import torch
    from transformers import AutoModelForImageTextToText

    if config.tune == "full" and config.quantise != "none":
        raise RecipeError("A quantised model cannot be tuned in full: leave --quantise out, or take --tune lora.")
    if not (config.model / "config.json").is_file():
        raise RecipeError(f"{config.model} holds no vision-language model: name the folder that transformers saved it in.")
    half = {"bf16": torch.bfloat16, "fp16": torch.float16, "no": torch.float32}[config.precision]
    options: dict = dtype_option(torch.float32 if config.tune == "full" else half)
    if config.quantise != "none":
        options["quantization_config"] = nf4(half)
        options["device_map"] = {"": device}
    try:
        model = AutoModelForImageTextToText.from_pretrained(config.model, local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise RecipeError(f"{config.model} cannot be loaded as a vision-language model: {error}") from error
    if config.gradient_checkpointing:
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable  # its name before 5
        enable({"use_reentrant": False})
        model.enable_input_require_grads()
    if config.tune == "full":
        return model.requires_grad_(True)
    return _with_lora(model, config)


def _with_lora(model: Any, config: TrainConfig) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if config.quantise != "none":
        for module in model.modules():
            if hasattr(module, "support_avx512bf16_for_cpu"):  # weights packed for a CPU at the first evaluation stop the gradient
                module.support_avx512bf16_for_cpu = False
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    torch.manual_seed(config.seed)  # the same A in every process
    also = [name.strip() for name in config.also.split(",") if name.strip()]
    model = get_peft_model(model, LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, init_lora_weights="gaussian",
        target_modules=config.targets or default_targets(model), modules_to_save=also or None,
    ))  # fmt: skip
    for p in model.parameters():
        if p.requires_grad:
            p.data = p.data.float()  # small steps are lost in half precision
    return model


def default_targets(model: Any) -> str:
    """A pattern for LoRA's target modules: ViPer's for IDEFICS2, every linear layer of the language model for others."""
    import torch

    if model.config.model_type == "idefics2":
        return IDEFICS2_TARGETS
    decoder = model.get_decoder()
    inside = {id(module) for module in decoder.modules()}
    linear = [name for name, m in model.named_modules() if id(m) in inside and isinstance(m, torch.nn.Linear)]
    root = next(name for name, m in model.named_modules() if m is decoder)
    kinds = sorted({name.rsplit(".", 1)[1] for name in linear} - {"lm_head"})
    return rf"{re.escape(root)}\..*\.({'|'.join(kinds)})"


# --- what the model is fed -------------------------------------------------------------------------------------------


def picture(path: Path, longest_edge: int) -> Any:
    """RGB, no larger than ``longest_edge``."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        raise RecipeError(f"The picture {path} cannot be read: draw it with python -m vpe.recipe.pictures.") from error
    image.thumbnail((longest_edge, longest_edge), Image.Resampling.LANCZOS)
    return image


def images_of(turns: Sequence[Turn]) -> list[Any]:
    return [part for _, parts in turns for part in parts if not isinstance(part, str)]


def prompt_text(processor: Any, turns: Sequence[Turn], answered: bool = False) -> str:
    """The turns in the model's own chat format, up to where its answer begins, or with its answer as the last turn."""
    return processor.apply_chat_template(messages(turns), add_generation_prompt=not answered, tokenize=False)


def encode(processor: Any, texts: list[str], images: list[list[Part]]) -> Any:
    """Texts with their pictures → input_ids (B, n) and what else the model takes, padded at the right."""
    return processor(text=texts, images=images if any(images) else None, return_tensors="pt", padding=True)


def on_device(inputs: Any, model: Any) -> dict:
    """The inputs where the model is, pictures in its precision."""
    model = getattr(model, "module", model)  # one of several processes holds it in a wrapper
    return {key: value.to(model.device, model.dtype if value.is_floating_point() else None) for key, value in inputs.items()}


def save(model: Any, processor: Any, folder: Path, about: dict) -> None:
    """An adapter for ``peft.PeftModel.from_pretrained``, or the whole model with its processor; ``training.json`` tells of what it was
    made, ``task.txt`` what it was asked."""
    model.save_pretrained(folder)
    if not hasattr(model, "peft_config"):
        processor.save_pretrained(folder)
    if "task" in about:
        (folder / "task.txt").write_text(about["task"], encoding="utf-8")
    (folder / "training.json").write_text(json.dumps(about, indent=1, default=str), encoding="utf-8")
