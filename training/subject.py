"""A learned subject (``VIPER_SUBJECT``) and its file: LoRA weights that every tool loads, with all that a graph needs to use them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import torch
from torch import Tensor

from .errors import TrainingError

VERSION = 1
PRECISIONS = {"bf16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_ARCHITECTURES = {
    "SD 1.5": "stable-diffusion-v1",
    "SDXL": "stable-diffusion-xl-v1-base",
    "SD 3": "stable-diffusion-v3",
    "Flux": "flux-1-dev",
}
_OURS = ("trigger", "identifier", "class_noun", "base", "family", "settings")
_SS_BASE = {"SD 1.5": "sd_v1", "SDXL": "sdxl_base_v1-0", "SD 3": "sd3", "Flux": "flux1"}


@dataclass(frozen=True)
class Subject:
    """``unet`` and ``text``: LoRA keys → tensors, float32 on the CPU. ``settings`` is the training's job, as a plain dict.

    ``base``: the fingerprint of the model it was trained on; ``family``: a name of `options.PRESETS`.
    """

    trigger: str
    identifier: str = ""
    class_noun: str = ""
    base: str = ""
    family: str = ""
    settings: dict = field(default_factory=dict)
    unet: Mapping[str, Tensor] = field(default_factory=dict, repr=False)
    text: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {**self.unet, **self.text}

    def metadata(self, title: str) -> dict[str, str]:
        """``modelspec.*`` of the Stability metadata standard 1.0.0, ``ss_*`` as kohya's tools show them, and ours."""
        own = {"version": VERSION, **{name: getattr(self, name) for name in _OURS}}
        adapter, learned = self.settings.get("adapter", {}), "" if not self.text else " with its text encoder"
        told = {
            "modelspec.sai_model_spec": "1.0.0",
            "modelspec.architecture": f"{_ARCHITECTURES.get(self.family, self.family)}/lora",
            "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
            "modelspec.title": title,
            "modelspec.description": f"DreamBooth subject: {self.trigger}{learned}",
            "modelspec.trigger_phrase": self.trigger,
            "modelspec.date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "ss_base_model_version": _SS_BASE.get(self.family, self.family),
            "ss_network_module": "networks.lora",
            "ss_network_dim": adapter.get("rank", ""),
            "ss_network_alpha": adapter.get("alpha", ""),
            "ss_steps": self.settings.get("steps", ""),
            "ss_learning_rate": self.settings.get("learning_rate", ""),
            "ss_optimizer": self.settings.get("optimizer", ""),
            "ss_lr_scheduler": self.settings.get("schedule", ""),
            "ss_seed": self.settings.get("seed", ""),
            "ss_output_name": title,
            "viper.subject": json.dumps(own, ensure_ascii=False),
        }
        return {name: str(value) for name, value in told.items()}

    def save(self, path: Path, precision: str = "bf16") -> None:
        """Write ``path`` whole or not at all. Raises TrainingError with what to do when the disk does not take it."""
        from safetensors.torch import save

        from ..vpe.files import write_whole

        if precision not in PRECISIONS:
            raise TrainingError(f'There is no precision "{precision}": choose {", ".join(PRECISIONS)}.')
        tensors = {name: _stored(name, t, PRECISIONS[precision]) for name, t in self.tensors.items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, save(tensors, metadata=self.metadata(path.stem)))
        except OSError as e:
            raise TrainingError(f'The subject cannot be written to "{path}" ({e.strerror or e}): check the disk\'s space and permissions, '
                                "then run again; the training itself is kept.") from e  # fmt: skip


def subject_name(name: str) -> str:
    """The name as a file's. Raises TrainingError."""
    from ..vpe.files import plain_name

    return plain_name(name, "subject", "my dog", TrainingError)


def _stored(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if name.endswith(".alpha") or not tensor.is_floating_point():
        return tensor.contiguous()  # a scale: rounding it would change every weight alike
    return tensor.to(dtype).contiguous()


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, without its tensors; {} for a file that has none or cannot be read."""
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > 100_000_000:
                return {}
            told = json.loads(file.read(length)).get("__metadata__", {})
    except (OSError, ValueError, struct.error, AttributeError):
        return {}
    return told if isinstance(told, dict) else {}


def load(path: Path) -> Subject:
    """Any LoRA file; what ours tell besides is empty for those of other tools. Raises TrainingError."""
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except Exception as e:  # a broken file raises many things
        raise TrainingError(f'"{path.name}" cannot be read ({type(e).__name__}): it is no safetensors file, or a broken one.') from e
    told = read_metadata(path)
    own: dict = {}
    try:
        own = json.loads(told.get("viper.subject", "{}"))
    except ValueError:
        pass
    if not isinstance(own, dict):
        own = {}
    text = {name: t for name, t in tensors.items() if name.startswith(("lora_te", "text_encoders."))}
    unet = {name: t for name, t in tensors.items() if name not in text}
    known = {name: own[name] for name in ("identifier", "class_noun", "base", "family", "settings") if name in own}
    return Subject(trigger=str(own.get("trigger") or told.get("modelspec.trigger_phrase", "")), **known, unet=unet, text=text)
