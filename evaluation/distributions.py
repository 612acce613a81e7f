"""Two sets of pictures as distributions of embeddings: the Fréchet distance, and the inception score of one set."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .errors import EvaluationError

SHUFFLE = 2020  # torch-fidelity's seed: pictures that stand together by prompt must not make a split of their own


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """d² = ‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½) of (N, d) and (M, d) (FID, Heusel et al. 2017, arXiv 1706.08500, eq. 6).

    With Σ₁ = AᵀA and Σ₂ = BᵀB the last trace is the sum of the singular values of A Bᵀ, which is exact where the covariances have
    no full rank, as with few pictures.
    """
    a, b = _root(x), _root(y)
    apart = (x.double().mean(0) - y.double().mean(0)).square().sum()
    return max(float(apart + a.square().sum() + b.square().sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()), 0.0)


def _root(x: Tensor) -> Tensor:
    """A with AᵀA = Σ, the covariance with divisor N − 1: at most (d, d)."""
    centred = (x.double() - x.double().mean(0)) / (len(x) - 1) ** 0.5
    return torch.linalg.qr(centred, mode="r").R if len(x) > x.shape[1] else centred


def resampled_distance(x: Tensor, y: Tensor, rng: np.random.Generator) -> float:
    """The distance of pictures drawn anew from both sets; NaN where one of them came out as a single picture."""
    drawn = [z[torch.from_numpy(rng.integers(0, len(z), len(z)))] for z in (x, y)]
    return frechet_distance(*drawn)


def resamples(pictures: int, width: int) -> int:
    """How many draws are worth their time: a decomposition of 1024 × 1024 takes about a second."""
    size = min(pictures, width)
    return 200 if size <= 256 else 40 if size <= 1024 else 0


def inception_score(logits: Tensor, splits: int) -> tuple[float, float]:
    """exp(E_x KL(p(y|x) ‖ p(y))) → mean and standard deviation over splits (Salimans et al. 2016, arXiv 1606.03498, section 4).

    ``logits`` (N, classes). Raises EvaluationError where there are fewer pictures than splits.
    """
    if len(logits) < splits:
        raise EvaluationError(
            f"{len(logits)} pictures make no {splits} splits: make more pictures, or set splits to {len(logits)} or fewer."
        )
    order = np.random.RandomState(SHUFFLE).permutation(len(logits))
    found = [_score(part) for part in _parts(logits.double()[torch.from_numpy(order)], splits)]
    return float(np.mean(found)), float(np.std(found))


def resampled_score(logits: Tensor, splits: int, rng: np.random.Generator) -> float:
    return inception_score(logits[torch.from_numpy(rng.integers(0, len(logits), len(logits)))], splits)[0]


def _parts(x: Tensor, splits: int) -> list[Tensor]:
    return [x[i * len(x) // splits : (i + 1) * len(x) // splits] for i in range(splits)]


def _score(logits: Tensor) -> float:
    log_p = logits.log_softmax(1)
    log_marginal = log_p.logsumexp(0) - np.log(len(log_p))
    return float((log_p.exp() * (log_p - log_marginal)).sum(1).mean().exp())
