"""Extractors that look: ViPer's own (IDEFICS2-8b with the VPE adapter), and any chat model that sees, from a local folder.

Salehi et al., ECCV 2024: pictures and comments go into one question, two lists of keywords come out. Models are loaded by
transformers (4.50 and later); their memory is the host's to manage, so that they make room for the diffusion model afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from .. import host
from . import asking
from .comments import Comments
from .errors import ModelError, TooLongError
from .pictures import pictures_of
from .preferences import Preferences
from .versions import dtype_option, nf4

PRECISIONS = ("auto", "bf16", "fp16", "fp32", "8-bit", "4-bit")
SHARE = {"fp32": 1.0, "bf16": 0.5, "fp16": 0.5, "8-bit": 0.27, "4-bit": 0.16}  # bytes of weights against fp32, other layers included
SMALL = 4 << 30  # fp32 bytes; what is smaller stays fp32 on a CPU, where it is as fast

# The official code's settings (EPFL-VILAB/ViPer, ViPer.py).
VPE_PROCESSOR = {"size": {"longest_edge": 448, "shortest_edge": 378}, "do_image_splitting": False}
VPE_GENERATION = {"max_new_tokens": 2000, "repetition_penalty": 0.99}


class ChatModel:
    """A chat model that sees, from a local ``folder``, with a peft ``adapter`` on top.

    Raises ModelError with one sentence when the folder holds no such model, or something to load it is missing.
    """

    def __init__(self, folder: Path, adapter: Path | None = None, precision: str = "auto", processor_options: dict | None = None):
        if precision not in PRECISIONS:
            raise ModelError(f'There is no precision "{precision}": choose {", ".join(PRECISIONS)}.')
        self.folder, self.adapter = Path(folder), adapter
        self._check_files()
        self.processor = self._processor(processor_options or {})
        size = sum(f.stat().st_size for f in self._weights())  # bytes as stored
        self.precision, full = self._settle(precision, size)
        if self.precision.endswith("bit"):
            _need("bitsandbytes", f"{self.precision} weights")
            _need("accelerate", f"{self.precision} weights")
            self._weights_held = host.Rebuilt(self._build, int(full * SHARE[self.precision]))
        else:
            self._weights_held = host.Managed(self._build(torch.device("cpu")))

    def _check_files(self) -> None:
        if not (self.folder / "config.json").is_file() or not self._weights():
            raise ModelError(f"{self.folder} holds no whole model: config.json and .safetensors files must lie in it.")
        if self.adapter is not None:
            _need("peft", "adapters such as ViPer's")

    def _weights(self) -> list[Path]:
        return [*self.folder.glob("*.safetensors")] or [*self.folder.glob("pytorch_model*.bin")]

    def _settle(self, precision: str, stored: int) -> tuple[str, int]:
        """The precision to use, and the bytes that the weights would take in fp32."""
        try:
            config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelError(f"{self.folder / 'config.json'} cannot be read ({error}): download it again.") from None
        dtype = str(config.get("dtype") or config.get("torch_dtype") or config.get("text_config", {}).get("dtype") or "")
        full = stored * (1 if dtype in ("", "float32") else 2)
        if precision != "auto":
            return precision, full
        device = host.torch_device()
        if device.type == "cpu" and full < SMALL:
            return "fp32", full
        return ("bf16" if host.runs_bf16(device) else "fp16"), full

    def _processor(self, options: dict):
        from transformers import AutoProcessor

        try:
            processor = AutoProcessor.from_pretrained(self.folder, local_files_only=True, **options)
        except Exception as error:  # every kind of processor has its own way to fail
            raise ModelError(f"The processor in {self.folder} cannot be loaded ({_first(error)}).") from error
        if not hasattr(processor, "tokenizer") or not (getattr(processor, "chat_template", None) or processor.tokenizer.chat_template):
            raise ModelError(f"{self.folder.name} is no chat model that sees pictures (it has no chat template or no image processor).")
        return processor

    def _build(self, device: torch.device) -> torch.nn.Module:
        from transformers import AutoModelForImageTextToText

        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}.get(self.precision)
        options: dict[str, Any] = {}
        if dtype is None:
            dtype = torch.bfloat16 if self.precision == "4-bit" and host.runs_bf16(device) else torch.float16  # int8 kernels take fp16
            options = {"quantization_config": _quantisation(self.precision, dtype), "device_map": {"": device}}
        try:
            model = AutoModelForImageTextToText.from_pretrained(self.folder, local_files_only=True, **dtype_option(dtype), **options)
        except torch.OutOfMemoryError:
            raise  # the host knows what to say
        except Exception as error:  # so many libraries below, each with its own
            raise ModelError(f"{self.folder.name} cannot be loaded as a model that sees and writes ({_first(error)}).") from error
        if self.adapter is not None:
            from peft import PeftModel

            # Kept beside the weights, as the authors run it: merged into bf16 its small changes would be rounded away.
            try:
                model = PeftModel.from_pretrained(model, self.adapter, torch_device=str(device))
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                raise ModelError(f"The adapter in {self.adapter} does not fit {self.folder.name} ({_first(error)}).") from error
        return model.eval().requires_grad_(False)

    def inputs(self, turns: Sequence[asking.Turn], ended: Callable[[str], str] = str) -> dict[str, torch.Tensor]:
        """Token ids (1, T), pixels and masks of a conversation, on the CPU; ``ended`` has the last word on its text."""
        prompt = ended(self.processor.apply_chat_template(asking.messages(turns), add_generation_prompt=True))
        pictures = [part for _, parts in turns for part in parts if not isinstance(part, str)]
        inputs = dict(self.processor(text=prompt, images=pictures or None, return_tensors="pt"))
        inputs.pop("token_type_ids", None)  # some tokenizers add them, and no decoder takes them
        return inputs

    @torch.inference_mode()
    def answer(self, turns: Sequence[asking.Turn], max_new_tokens: int = 1024, repetition_penalty: float = 1.0) -> str:
        """The model's next words, decoded greedily. Raises TooLongError; stops within one token when the user cancels."""
        inputs = self.inputs(turns)
        asked = inputs["input_ids"].shape[1]
        most = min(max_new_tokens, self._room(asked, 64))
        model, inputs = self._ready(inputs, asked + most)
        out = model.generate(
            **inputs, max_new_tokens=most, do_sample=False, temperature=None, top_p=None, top_k=None,
            repetition_penalty=repetition_penalty, stopping_criteria=_watch(most),
        )  # fmt: skip
        return self.processor.batch_decode(out[:, asked:], skip_special_tokens=True)[0].strip()

    @torch.inference_mode()
    def next_logits(self, turns: Sequence[asking.Turn], ended: Callable[[str], str] = str) -> torch.Tensor:
        """(vocabulary,) float32 on the CPU: what the model would say next. Raises TooLongError."""
        host.stop_if_cancelled()
        inputs = self.inputs(turns, ended)
        count = inputs["input_ids"].shape[1]
        self._room(count, 1)
        model, inputs = self._ready(inputs, count)
        return model(**inputs, use_cache=False).logits[0, -1].float().cpu()

    def _room(self, asked: int, least: int) -> int:
        """Tokens that may follow ``asked`` ones."""
        room = getattr(self._text_config, "max_position_embeddings", None) or 1 << 20
        if asked + least > room:
            raise TooLongError(
                f"What it is asked makes {asked} tokens, and {self.folder.name} reads {room}: use fewer pictures, or smaller ones."
            )
        return room - asked

    def _ready(self, inputs: dict, tokens: int) -> tuple[torch.nn.Module, dict]:
        """The model with room for ``tokens``, and what it is given where it is."""
        model = self._weights_held.use(_cache_size(self._text_config, tokens))
        device, dtype = host.torch_device(), model.dtype
        return model, {k: v.to(device, dtype) if v.is_floating_point() else v.to(device) for k, v in inputs.items()}

    @cached_property
    def _text_config(self):
        from transformers import AutoConfig

        return AutoConfig.from_pretrained(self.folder, local_files_only=True).get_text_config()


class VisionLanguageExtractor:
    """Comments → preferences by a model that reads the words and sees the pictures together."""

    def __init__(self, model: ChatModel, task: str = asking.TASK, image_size: int = 0, repair: bool = True, **generation):
        self.model, self.task, self.image_size, self.repair, self.generation = model, task, image_size, repair, generation

    def extract(self, comments: Comments, max_features: int = 0) -> Preferences:
        def answer(turns):
            return self.model.answer(turns, **self.generation)

        return asking.extract(answer, comments, pictures_of(comments, self.image_size), self.task, max_features, self.repair)


def load_vpe(base: Path, adapter: Path | None, precision: str = "auto", task: str = asking.TASK) -> VisionLanguageExtractor:
    """A model that was tuned to read comments: ViPer's own, or one of this pack's recipe.

    Where ``task`` is ours, the one that the adapter was tuned with is used, as far as it lies beside it.
    """
    if task.strip() in ("", asking.TASK):
        task = asking.tuned_task(adapter or base) or asking.TASK
    own = model_kind(base) == "idefics2"
    model = ChatModel(base, adapter, precision, VPE_PROCESSOR if own else None)
    return VisionLanguageExtractor(model, task, 0 if own else VPE_PROCESSOR["size"]["longest_edge"], repair=False, **VPE_GENERATION)


def _cache_size(text, tokens: int) -> int:
    """Bytes of keys and values of ``tokens`` in half precision."""
    heads = getattr(text, "num_attention_heads", 1) or 1
    shared = (getattr(text, "num_key_value_heads", None) or heads) / heads
    return int(4 * tokens * getattr(text, "hidden_size", 4096) * getattr(text, "num_hidden_layers", 32) * shared)


def model_kind(folder: Path) -> str:
    try:
        return json.loads((Path(folder) / "config.json").read_text(encoding="utf-8")).get("model_type", "")
    except (OSError, ValueError):
        return ""  # the model itself says what is wrong


def _quantisation(precision: str, dtype: torch.dtype):
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_8bit=True) if precision == "8-bit" else nf4(dtype)


def _watch(total: int):
    """Shows each token on the node's progress bar, and notices Cancel."""
    from transformers import StoppingCriteria, StoppingCriteriaList

    bar = host.progress(total)

    class Watch(StoppingCriteria):
        def __call__(self, input_ids, scores, **kwargs):
            host.stop_if_cancelled()
            bar.update(1)
            return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

    return StoppingCriteriaList([Watch()])


def _need(library: str, what: str) -> None:
    from importlib.util import find_spec

    if find_spec(library) is None:
        raise ModelError(f'The Python package "{library}" is missing, which {what} need: install it with \u201cpip install {library}'
                         "\u201d in ComfyUI's environment.")  # fmt: skip


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]
