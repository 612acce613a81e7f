"""What the network computes in while it is trained. What learns, the loss and its gradient stay float32."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from .errors import TrainingError

PRECISIONS = ("auto", "bf16", "float16", "float32")
_TYPES = {"bf16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


def computing(wish: str, own: torch.dtype, runs_bf16: bool) -> torch.dtype:
    """The type to compute in, for a model that computes in ``own``. Raises TrainingError.

    ``auto``: as the model is. But small gradients vanish in float16, so such models train in bf16 where the device runs it.
    """
    if wish not in PRECISIONS:
        raise TrainingError(f"There is no precision {wish!r}: choose one of {', '.join(PRECISIONS)}.")
    if wish != "auto":
        return _TYPES[wish]
    return torch.bfloat16 if own is torch.float16 and runs_bf16 else own


class LossScale:
    """The factor on a loss that is differentiated in float16: small gradients would vanish (Micikevicius et al., arXiv 1710.03740).

    Halved when a gradient is not finite, doubled after ``patience`` good steps. (torch's GradScaler skips the step, and does not
    say so; here it is tried again, so that no picture is passed over and each step counts.)
    """

    TRIES = 20  # 2⁻²⁰: by then it is not the factor

    def __init__(self, factor: float = 2.0**16, patience: int = 2000):
        self.factor, self.patience, self.good, self.bad = factor, patience, 0, 0

    def undo(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gradients of the loss itself."""
        for p in parameters:
            if p.grad is not None:
                p.grad.mul_(1.0 / self.factor)

    def tell(self, grad_norm: float) -> bool:
        """Whether a step with this gradient counts. Raises TrainingError after `TRIES` in a row that did not."""
        if math.isfinite(grad_norm):
            self.good, self.bad = self.good + 1, 0
            if self.good == self.patience:
                self.factor, self.good = 2.0 * self.factor, 0
            return True
        self.factor, self.good, self.bad = 0.5 * self.factor, 0, self.bad + 1
        if self.bad == self.TRIES:
            raise TrainingError("Twenty attempts at a step gave numbers that are not finite in float16: train in bf16 or float32.")
        return False

    def state_dict(self) -> dict:
        return {"factor": self.factor, "good": self.good, "bad": self.bad}

    def load_state_dict(self, state: dict) -> None:
        self.factor, self.good, self.bad = state["factor"], state["good"], state["bad"]
