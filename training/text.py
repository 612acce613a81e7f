"""A host CLIP as something to train beside: words in, a CONDITIONING out, with a gradient. The counterpart of `native`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..host import training as hosted
from .adapters import Adapters, AdapterSettings
from .checkpointing import checkpointed
from .frozen import borrowed
from .full import Full

# Queries, keys, values and outputs of CLIP, T5 and language models; towers that look at pictures are none of text's.
LAYERS = r"^(?!.*\bvisual\b).*([Aa]ttention|attn)\.\w+$"


class TextModel:
    """A CLIP to train beside, clip skip and all. The CLIP itself never changes. Works outside inference mode."""

    def __init__(self, clip):
        self.clip = clip
        self.device = hosted.text_device(clip)
        self.checkpointing = False
        self.within: list[Callable[[], AbstractContextManager]] = []  # what each step is taken within: see `full`

    def load(self, extra_memory: int = 0) -> None:
        hosted.load_text_for_training(self.clip, extra_memory)

    def adapters(self, settings: AdapterSettings, seed: int) -> Adapters | Full:
        """New adapters for its attention layers (whatever ``settings.layers`` says of the network), on its device, in float32.

        For the kind "full", differences of all its weights. A word is encoded to see which of them count: with clip skip the last
        layers do not.
        """
        with torch.inference_mode(False):
            towers = hosted.text_network(self.clip)
            read = lambda layer: hosted.read_weights(layer, layer.weight.device, torch.float32)[0]  # noqa: E731
            if settings.kind == "full":  # the host calls each tower by itself
                adapters = Full(towers, settings, self.names(), self.device, self.within, towers.children())
            else:
                adapters = Adapters(towers, replace(settings, layers=LAYERS), seed, read).to(self.device)
            self._leave_out_unused(adapters)
        return adapters

    def names(self) -> dict[str, list[str]]:
        """Layer → its names in LoRA files."""
        return hosted.text_lora_names(self.clip)

    @contextmanager
    def step(self):
        """Around one forward and backward pass, gradients switched on; no loading, encoding or other use of the CLIP in between."""
        again = checkpointed(hosted.text_network(self.clip)) if self.checkpointing else nullcontext()
        with ExitStack() as stack:
            reread = None if self.within else torch.float32  # what hosts encode in
            stack.enter_context(borrowed(hosted.text_network(self.clip), self.device, hosted.read_weights, reread))
            for enter in self.within:
                stack.enter_context(enter())
            stack.enter_context(again)
            yield self

    def encode(self, prompt: str) -> list:
        """CONDITIONING of a prompt as the host's CLIPTextEncode makes it, pooled output and masks included; inside `step`."""
        return hosted.encode_in_place(self.clip, prompt)

    def _leave_out_unused(self, adapters: Adapters | Full) -> None:
        self.load()
        try:
            with adapters.attached(), self.step():
                cond, more = self.encode("a")[0]
                said = [t for t in (cond, *more.values()) if isinstance(t, Tensor) and t.requires_grad]
                sum(t.float().sum() for t in said).backward()
            adapters.leave_out(name for name, part in adapters if all(p.grad is None for p in part.parameters()))
        finally:
            for p in adapters.parameters():
                p.grad = None


@dataclass
class Text:
    """A text encoder that learns along: the model and its adapters."""

    model: TextModel
    adapters: Adapters | Full
