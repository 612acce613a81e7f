"""Optimizers, schedules and weight averages of well-kept libraries, imported when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from .errors import TrainingError

OPTIMIZERS = ("adamw", "adamw8bit", "prodigy")
SCHEDULES = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial")


def optimizer(name: str, parameters: Iterable[nn.Parameter] | Iterable[dict], learning_rate: float) -> torch.optim.Optimizer:
    """``parameters`` may be torch's groups, ``{"params": […], "lr": …}``. Raises TrainingError when its library is missing."""
    parameters = list(parameters)
    if name == "adamw":
        return _adamw(parameters, learning_rate)
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
        if any(isinstance(group, dict) and group["lr"] != learning_rate for group in parameters):
            raise TrainingError("Prodigy has one learning rate for all: set the text encoder's to 0, or choose adamw.")
        # As diffusers' scripts set it up.
        return Prodigy(parameters, lr=learning_rate, weight_decay=1e-2, decouple=True, use_bias_correction=True, safeguard_warmup=True)
    raise TrainingError(f"There is no optimizer {name!r}: choose one of {', '.join(OPTIMIZERS)}.")


def _adamw(parameters: list, learning_rate: float) -> torch.optim.Optimizer:
    """In one pass over all parameters where this torch and device have that: else a few operations for each of hundreds."""
    try:
        return torch.optim.AdamW(parameters, lr=learning_rate, fused=True)
    except RuntimeError:
        return torch.optim.AdamW(parameters, lr=learning_rate)


def groups(named: Mapping[str, nn.Parameter], rate_of: Callable[[str], float]) -> list[dict]:
    """torch's groups, one for each learning rate, in the order in which they come."""
    found: dict[float, list[nn.Parameter]] = {}
    for name, p in named.items():
        found.setdefault(rate_of(name), []).append(p)
    return [{"params": parameters, "lr": rate} for rate, parameters in found.items()]


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
