"""LoRA (Hu et al., arXiv 2106.09685): ``y + (α/r) B A x``; for convolutions A has the layer's kernel and B is 1×1."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .adapters import Adapter, AdapterError, AdapterSettings, Shape, kaiming

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


class Lora(Adapter):
    """A is drawn, B is zero: a new adapter says nothing. ``rank_dropout`` leaves out the same ranks for a whole step."""

    def __init__(self, shape: Shape, settings: AdapterSettings, generator: torch.Generator, read_weight: Callable[[], Tensor]):
        super().__init__()
        r = settings.rank
        self.shape, self.dropout = shape, settings.rank_dropout
        self.A = kaiming((r, shape.n_in, *shape.kernel), generator)
        self.B = nn.Parameter(torch.zeros(shape.n_out, r))
        self.register_buffer("alpha", torch.tensor(float(settings.alpha)))
        self.scale = float(settings.alpha) / r
        self._kept: Tensor | None = None  # (r,): 0 or 1/(1−p)

    def new_step(self, generator: torch.Generator) -> None:
        if self.dropout > 0.0:
            kept = torch.rand(self.A.shape[0], generator=generator) >= self.dropout
            self._kept = (kept / (1.0 - self.dropout)).to(self.A)

    def up(self) -> Tensor:
        """B with the step's ranks left out, ``(n_out, r)``."""
        return self.B if self._kept is None or not self.training else self.B * self._kept

    def after(self, x: Tensor, y: Tensor) -> Tensor:
        A, B = self.A.to(x.dtype), self.up().to(x.dtype)  # float32 weights, the layer's precision
        if self.shape.conv is None:
            low = F.linear(x, A)
            if low.dtype == y.dtype:  # one pass over y, and no large tensor beside it
                return torch.addmm(y.flatten(0, -2), low.flatten(0, -2), B.T, alpha=self.scale).view(y.shape)
            return y + (self.scale * F.linear(low, B)).to(y.dtype)
        B = self.scale * B
        conv = _CONV[len(self.shape.kernel)]
        return y + conv(conv(x, A, **self.shape.conv), B.reshape(*B.shape, *[1] * len(self.shape.kernel))).to(y.dtype)

    @torch.no_grad()
    def weaken(self, strength: float) -> None:
        self.B.mul_(strength)

    def tensors(self) -> dict[str, Tensor]:
        B = self.B.reshape(*self.B.shape, *[1] * len(self.shape.kernel))
        return {"lora_up.weight": B, "lora_down.weight": self.A, "alpha": self.alpha}

    def load(self, tensors) -> None:
        down, alpha = tensors.get("lora_down.weight"), tensors.get("alpha")
        for what, saved, ours in (("rank", None if down is None else down.shape[0], self.A.shape[0]),
                                  ("alpha", None if alpha is None else float(alpha), float(self.alpha))):  # fmt: skip
            if saved != ours:
                raise AdapterError(f"The saved adapters have {what} {saved}, this training has {ours}: set it to {saved}, or start anew.")
        super().load(tensors)
