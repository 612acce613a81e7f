"""How various the pictures of one prompt are: DIV, the mean distance of their pairs (DreamBooth, arXiv 2208.12242, section 4.3).

The distance is LPIPS (Zhang et al. 2018, arXiv 1801.03924), as in the paper, or one less the cosine of an encoder.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .errors import EvaluationError
from .metrics import NAN, RESAMPLES, SEED

BLOCK = 8  # pictures whose features are held at once: those of large pictures take a hundred megabytes each


def cosine_distances(embeddings: Tensor) -> Tensor:
    """(N, d) of unit length → (N, N)."""
    x = embeddings.double()
    return (1 - x @ x.T).fill_diagonal_(0)


def lpips(a: list[Tensor], b: list[Tensor], weights: list[Tensor]) -> float:
    """d(x, x₀) = Σ_l 1/(H_l W_l) Σ_hw ‖w_l ⊙ (ŷ_l − ŷ₀_l)‖² (eq. 1): ``a``, ``b`` are layers ŷ (C, H, W) of unit channels.

    ``weights``: the learned w_l² (C,) of each layer.
    """
    return float(sum(((x - y).square() * w[:, None, None]).sum(0).mean() for x, y, w in zip(a, b, weights, strict=True)))


def unit_channels(layer: Tensor) -> Tensor:
    """ŷ: (…, C, H, W) with channels of unit length at every place."""
    return F.normalize(layer, dim=-3, eps=1e-8)


def pairwise(features: Callable[[int], list[Tensor]], distance: Callable[[list, list], float], count: int) -> Tensor:
    """(N, N) distances of all pairs; features are made again rather than all held."""
    found = torch.zeros(count, count, dtype=torch.float64)
    for start in range(0, count, BLOCK):
        held = [features(i) for i in range(start, min(start + BLOCK, count))]
        for j in range(start + 1, count):
            other = held[j - start] if j < start + len(held) else features(j)
            for i, one in enumerate(held, start):
                if i < j:
                    found[i, j] = found[j, i] = distance(one, other)
    return found


def prompts_apart(count: int, per_prompt: int) -> list[range]:
    """The pictures of each prompt, which stand together; 0: all are of one. Raises EvaluationError where they do not come out even."""
    size = per_prompt or count
    if size < 2:
        raise EvaluationError(f"Diversity compares pictures of one prompt, and {size} has no other: make two or more of each.")
    if count % size:
        raise EvaluationError(f"{count} pictures are not so many times {size}: set per_prompt to the pictures of one prompt.")
    return [range(start, start + size) for start in range(0, count, size)]


def diversity(distances: Tensor) -> float:
    """(N, N) of one prompt → the mean over its pairs."""
    return float(distances.sum() / (len(distances) * (len(distances) - 1)))


def diversity_interval(groups: list[Tensor]) -> tuple[float, float]:
    """95 % bootstrap of the mean over prompts: of the prompts where there are several, else of the one prompt's pictures.

    A picture drawn twice makes no pair with itself. Two pictures alone give no interval.
    """
    rng = np.random.default_rng(SEED)
    if len(groups) > 1:
        each = np.array([diversity(group) for group in groups])
        found = each[rng.integers(0, len(each), (RESAMPLES, len(each)))].mean(1)
    else:
        d = groups[0].numpy()
        if len(d) < 3:
            return NAN
        times = rng.multinomial(len(d), np.full(len(d), 1 / len(d)), RESAMPLES).astype(float)  # how often each was drawn
        total = len(d) ** 2 - (times**2).sum(1)  # pairs of two different pictures
        found = ((times @ d) * times).sum(1)[total > 0] / total[total > 0]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)
