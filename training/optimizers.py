"""Optimizers, schedules and weight averages of well-kept libraries, imported when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from .errors import TrainingError

OPTIMIZERS = ("adamw", "adamw8bit", "prodigy")
SCHEDULES = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial")


def optimizer(name: str, parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """Raises TrainingError when its library is missing."""
    parameters = list(parameters)
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=learning_rate)
    if name == "adamw8bit":
        try:
            import bitsandbytes
        except ImportError as e:
            raise TrainingError("8-bit AdamW needs the library bitsandbytes: install it, or choose adamw.") from e
        return bitsandbytes.optim.AdamW8bit(parameters, lr=learning_rate)
    if name == "prodigy":
        try:
            from prodigyopt import Prodigy
        except ImportError as e:
            raise TrainingError("Prodigy needs the library prodigyopt: install it, or choose adamw.") from e
        # As diffusers' scripts set it up.
        return Prodigy(parameters, lr=learning_rate, weight_decay=1e-2, decouple=True, use_bias_correction=True, safeguard_warmup=True)
    raise TrainingError(f"There is no optimizer {name!r}: choose one of {', '.join(OPTIMIZERS)}.")


def schedule(name: str, of: torch.optim.Optimizer, warmup_steps: int, steps: int):
    """The learning rate over the steps, by diffusers; a constant one needs nothing."""
    if name == "constant":
        return torch.optim.lr_scheduler.LambdaLR(of, _one)
    if name not in SCHEDULES:
        raise TrainingError(f"There is no schedule {name!r}: choose one of {', '.join(SCHEDULES)}.")
    try:
        from diffusers.optimization import get_scheduler
    except ImportError as e:
        raise TrainingError(f"The schedule {name} needs the library diffusers: install it, or choose constant.") from e
    return get_scheduler(name, of, num_warmup_steps=warmup_steps, num_training_steps=steps)


def average(decay: float, parameters: Iterable[nn.Parameter]):
    """diffusers' EMA of the parameters; None when ``decay`` is 0."""
    if decay == 0.0:
        return None
    try:
        from diffusers.training_utils import EMAModel
    except ImportError as e:
        raise TrainingError("An average of the weights needs the library diffusers: install it, or set ema to 0.") from e
    return EMAModel(parameters, decay=decay)


def _one(step: int) -> float:
    return 1.0
