"""DreamBooth's objective (CVPR 2023, arXiv 2208.12242) in a model's own prediction target: pure tensors, no host.

``E[ w_t ‖x̂(α x + σ ε, c) − x‖² + λ w_t' ‖x̂(α' x_pr + σ' ε', c_pr) − x_pr‖² ]``

A noisy latent is ``x_t = α x₀ + σ ε``. Every network predicts one linear combination ``p = c₀ x₀ + c₁ ε`` of the two:
ε-prediction ``(0, 1)``, v-prediction ``(−σ, α)``, rectified flow ``(−1, 1)``, x₀-prediction ``(1, 0)``. All that follows is
written once, for ``(α, σ, c₀, c₁)``. Latents are ``(B, C, …)``; α, σ, weights and errors are one number a sample, ``(B,)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TARGETS = ("eps", "v", "flow", "x0")
WEIGHTINGS = ("paper", "min_snr", "debiased", "high_noise")
TIMES = ("uniform", "logit_normal")


# --- noise levels and targets ------------------------------------------------------------------------------------------


def levels(target: str, noise_level: Tensor) -> tuple[Tensor, Tensor]:
    """``(α, σ)`` of the noise level that the host hands to a model.

    Flow models count it as the share of noise, ``x_t = (1 − s) x₀ + s ε``. The others count ``s = σ/α`` and keep the
    variance: ``α = 1/√(1+s²)``, ``σ = s/√(1+s²)``.
    """
    if target == "flow":
        return 1.0 - noise_level, noise_level
    alpha = (1.0 + noise_level**2).rsqrt()
    return alpha, noise_level * alpha


def coefficients(target: str, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """``(c₀, c₁)`` of what the network predicts, ``p = c₀ x₀ + c₁ ε``."""
    zero, one = torch.zeros_like(alpha), torch.ones_like(alpha)
    if target == "eps":
        return zero, one
    if target == "v":  # Salimans & Ho, arXiv 2202.00512
        return -sigma, alpha
    if target == "flow":  # Liu et al., arXiv 2209.03003: the velocity ε − x₀
        return -one, one
    if target == "x0":
        return one, zero
    raise ValueError(f"A model predicts one of {', '.join(TARGETS)}, not {target!r}.")


def noised(x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """``x_t = α x₀ + σ ε``."""
    return _wide(alpha, x0) * x0 + _wide(sigma, x0) * eps


def native_target(target: str, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What a perfect network would say: ``c₀ x₀ + c₁ ε``."""
    c0, c1 = coefficients(target, alpha, sigma)
    return _wide(c0, x0) * x0 + _wide(c1, x0) * eps


def split(target: str, prediction: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """``(x̂₀, ε̂)`` out of a prediction: solves ``x_t = α x₀ + σ ε`` and ``p = c₀ x₀ + c₁ ε``, α c₁ ≠ σ c₀."""
    c0, c1 = coefficients(target, alpha, sigma)
    det = _wide(alpha * c1 - sigma * c0, x_t)
    x0 = (_wide(c1, x_t) * x_t - _wide(sigma, x_t) * prediction) / det
    eps = (_wide(alpha, x_t) * prediction - _wide(c0, x_t) * x_t) / det
    return x0, eps


def convert(prediction: Tensor, source: str, target: str, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The same prediction, as a network of another target would have said it."""
    x0, eps = split(source, prediction, x_t, alpha, sigma)
    return native_target(target, x0, eps, alpha, sigma)


def preserved_target(wanted: Tensor, of_words: Tensor, of_class: Tensor, sigma: Tensor, strength: float = 1.0) -> Tensor:
    """What a prompt with further words shall be answered while a picture without them is learned.

    ``p₀(x_t, c) + η (p₀(x_t, c_w) − p₀(x_t, c)) + σ² (p − p₀(x_t, c))``, at ``strength`` η = 1 ``p₀(x_t, c_w) + σ² (p − p₀(x_t, c))``.

    ``wanted`` p is the picture's own target; ``of_words`` and ``of_class`` are what the untrained model predicts for ``a [class], words``
    and for ``a [class]``, all ``(B, C, …)`` in the native target; ``sigma`` ``(B,)``. Where noise covers the picture (σ → 1) this is the
    picture, moved as the words move its class: the composition of scores of Liu et al. (arXiv 2206.01714) that Concept Sliders
    (arXiv 2311.12092) train towards. Where the picture shows (σ → 0) it is the untrained model's answer alone: the texture that words ask
    for is not in the picture, and learning the picture's would unlearn theirs. A strength above 1 asks for more of the words than the
    untrained model draws, as the η of Concept Sliders does: it makes up for what the plain samples teach against them.
    """
    said = of_words if strength == 1.0 else of_class + strength * (of_words - of_class)
    return said + _wide(sigma, wanted) ** 2 * (wanted - of_class)


# --- drawing noise and times -------------------------------------------------------------------------------------------


def sample_times(n: int, how: str, generator: torch.Generator, mean: float = 0.0, std: float = 1.0, shift: float = 1.0) -> Tensor:
    """``n`` times in (0, 1), 1 is pure noise; float64 on the CPU, so that every device trains on the same ones.

    ``uniform`` is the paper's; ``logit_normal`` is ``sigmoid(N(mean, std))`` of SD3 (Esser et al., arXiv 2403.03206, eq. 19).
    ``shift`` then moves them towards noise, ``t' = s t / (1 + (s − 1) t)`` (eq. 23).
    """
    if how == "uniform":
        t = torch.rand(n, generator=generator, dtype=torch.float64)
    elif how == "logit_normal":
        t = torch.sigmoid(mean + std * torch.randn(n, generator=generator, dtype=torch.float64))
    else:
        raise ValueError(f"Times are drawn {' or '.join(TIMES)}, not {how!r}.")
    return t if shift == 1.0 else shift * t / (1.0 + (shift - 1.0) * t)


def noise_levels(times: Tensor, table: Tensor | None) -> Tensor:
    """Noise levels as the host counts them: the time itself for flow (no ``table``), else a row of the model's table.

    ``table`` ``(T,)`` rises with the time; a time in ``[k/T, (k+1)/T)`` is row k, so that uniform times are uniform rows.
    """
    if table is None:
        return times
    rows = (times * len(table)).floor().long().clamp(0, len(table) - 1)
    return table.to(times)[rows.to(table.device)].to(times)


def offset_noise(eps: Tensor, offset: float, generator: torch.Generator) -> Tensor:
    """``ε + offset · δ``, one δ ~ N(0, 1) a sample and channel: lets a model learn very dark and very bright pictures.

    Guttenberg, "Diffusion with offset noise" (2023). The network's target is made of the noise that comes out.
    """
    if offset == 0.0:
        return eps
    delta = torch.randn(eps.shape[:2], generator=generator, dtype=torch.float32, device=generator.device)
    return eps + offset * _wide(delta.to(eps), eps)


# --- weights and the loss ----------------------------------------------------------------------------------------------


def loss_weight(how: str, target: str, alpha: Tensor, sigma: Tensor, gamma: float = 5.0) -> Tensor:
    """``w_t`` on the squared error in the native target.

    The literature weights the error in x₀; an error Δp of the network is an error ``σ/(α c₁ − σ c₀) Δp`` in x₀, hence
    ``w_native = w_x₀ σ² / (α c₁ − σ c₀)²``: ``w/SNR`` for ε, ``w/(SNR+1)`` for v, ``w t²`` for flow. With ``SNR = α²/σ²``:

    - ``paper``: 1 in the native target;
    - ``min_snr``: ``min(SNR, γ)`` in x₀ (Hang et al., arXiv 2303.09556);
    - ``debiased``: ``1/√SNR`` on ε, that is ``√SNR`` in x₀ (Yu et al., arXiv 2310.08442);
    - ``high_noise``: ``σ²`` in the native target. For v and flow that is 1 in x₀, the error of the picture that eq. 2 of DreamBooth
      writes; for ε, where 1 in x₀ is ``1/SNR`` and outweighs all else at the noisiest levels, it stays bounded. What is learned is what
      a picture shows, and less of how its surface is drawn.
    """
    if how == "paper":
        return torch.ones_like(alpha)
    if how == "high_noise":
        return sigma**2
    c0, c1 = coefficients(target, alpha, sigma)
    tiny = torch.finfo(alpha.dtype).tiny ** 0.25  # its square is a number still
    snr = (alpha / sigma.clamp_min(tiny)) ** 2
    to_native = (sigma / _away_from_zero(alpha * c1 - sigma * c0, tiny)) ** 2
    if how == "min_snr":
        return snr.clamp_max(gamma) * to_native
    if how == "debiased":
        return snr.sqrt() * to_native
    raise ValueError(f"The loss is weighted by one of {', '.join(WEIGHTINGS)}, not {how!r}.")


def squared_errors(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of each sample, ``(B,)``, in float32 at least whatever the network computes in.

    ``mask`` ``(B, 1, …)`` in [0, 1] weights the places and is broadcast over channels; the mean is over its weights, so that a
    small subject counts as much as a large one. A mask of zeros gives zero.
    """
    wide = torch.promote_types(prediction.dtype, torch.float32)
    error = (prediction.to(wide) - target.to(wide)) ** 2
    if mask is None:
        return error.flatten(1).mean(1)
    m = mask.to(error).expand_as(error).flatten(1)
    return (m * error.flatten(1)).sum(1) / m.sum(1).clamp_min(torch.finfo(wide).eps)


@dataclass(frozen=True)
class Loss:
    """``total`` is what is minimised; ``instance`` and ``prior`` are its two terms before λ (None: no such sample)."""

    total: Tensor
    instance: Tensor | None
    prior: Tensor | None


def dreambooth_loss(errors: Tensor, weights: Tensor, is_prior: Sequence[bool], lam: float) -> Loss:
    """``mean(w e | instance) + λ mean(w' e' | prior)`` of one batch that holds both.

    Each term is a mean over its own samples: a batch of four of each has the mean of the gradients of four batches of one of each.
    """
    each = errors * weights.to(errors)
    prior = torch.as_tensor(list(is_prior), dtype=torch.bool, device=each.device)
    terms = [each[chosen].mean() if bool(chosen.any()) else None for chosen in (~prior, prior)]
    total = each.new_zeros(())
    if terms[0] is not None:
        total = total + terms[0]
    if terms[1] is not None and lam != 0.0:
        total = total + lam * terms[1]
    return Loss(total, *terms)


def _wide(per_sample: Tensor, like: Tensor) -> Tensor:
    """``(B,)`` → ``(B, 1, …)`` or ``(B, C)`` → ``(B, C, 1, …)``."""
    return per_sample.to(like).reshape(*per_sample.shape, *[1] * (like.ndim - per_sample.ndim))


def _away_from_zero(x: Tensor, tiny: float) -> Tensor:
    return torch.where(x.abs() < tiny, torch.full_like(x, tiny), x)
