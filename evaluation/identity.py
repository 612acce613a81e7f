"""Whether a person stays the same person: Stellar's Stability of Identity Score.

SIS of Achlioptas, Benetatos, Fostiropoulos and Skourtis 2023 (arXiv 2312.06116), as the authors' ``stellar_metrics/identity_stability.py``
computes it: for each generated picture the least similarity to the person's other pictures, those that the model was not given. A
model that copies its input is no better for it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .errors import EvaluationError


def identity_stability(pictures: Tensor, others: Tensor) -> Tensor:
    """(N, d) and (K, d) of unit length → (N,) the least cosine of each picture to the person's other pictures."""
    return (pictures.double() @ others.double().T).min(1).values


def others_of(identity: Tensor, input_index: int) -> Tensor:
    """(K + 1, …) → (K, …) without the one that the model was given. Raises EvaluationError where there is none, or no other."""
    if len(identity) < 2:
        raise EvaluationError("Identity stability needs pictures of the person beside the one that the model was given: connect more.")
    if not 0 <= input_index < len(identity):
        raise EvaluationError(
            f"input_index is {input_index}, and the person's {len(identity)} pictures have the numbers 0 to {len(identity) - 1}: choose "
            "the one that the model was given."
        )
    return torch.cat([identity[:input_index], identity[input_index + 1 :]])
