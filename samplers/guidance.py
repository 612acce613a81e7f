"""The guidance of ViPer (ECCV 2024, arXiv 2407.17365): pure tensors, no host.

Symbols as in the paper. ``ε_u, ε_p, ε₊, ε₋`` are the model's noise predictions for the negative prompt, the
(shifted) prompt, VP+ and VP−; ``w`` is the CFG scale; ``d₊, d₋`` are the degrees (``β`` when they are equal).
``D`` is a denoised prediction x₀, the space the host's samplers work in. All tensors have the shape of the latent.
"""

from __future__ import annotations

import torch


def eps_vp(eps_liked: torch.Tensor, eps_disliked: torch.Tensor) -> torch.Tensor:
    """``ε_vp(x_t, t) = ε(x_t, t, E(VP+)) − ε(x_t, t, E(VP−))``."""
    return eps_liked - eps_disliked


def combine_paper(eps_u, eps_p, eps_liked, eps_disliked, beta: float, w: float) -> torch.Tensor:
    """The paper's combination: ``ε̄ = (1 − w) ε_u + w (ε_p + β ε_vp)``."""
    return (1.0 - w) * eps_u + w * (eps_p + beta * eps_vp(eps_liked, eps_disliked))


def combine_official(eps_u, eps_p, eps_liked, eps_disliked, d_liked: float, d_disliked: float, w: float) -> torch.Tensor:
    """The authors' code: ``ε = ε_u + w (ε_p + d₊ ε₊ − ε_u − d₋ ε₋)``. With d₊ = d₋ it is `combine_paper`."""
    return eps_u + w * (eps_p + d_liked * eps_liked - eps_u - d_disliked * eps_disliked)


def move_denoised(
    D_p: torch.Tensor,
    D_liked: torch.Tensor | None,
    D_disliked: torch.Tensor | None,
    x: torch.Tensor,
    d_liked: float,
    d_disliked: float,
) -> torch.Tensor:
    """Move the conditional prediction: ``ε_p + d₊ ε₊ − d₋ ε₋``, written for denoised predictions.

    Both combinations above are plain CFG, ``ε_u + w (ε_p' − ε_u)``, on the conditional branch
    ``ε_p' = ε_p + d₊ ε₊ − d₋ ε₋``; so moving this one branch before CFG is all there is to do.

    In the host's samplers ``x`` is the noisy latent and ``(x − D) / σ`` the direction of the sampling ODE: for ε- and
    v-prediction (variance exploding scaling, x = x₀ + σ ε) it is ε itself, for flow models (x = (1 − σ) x₀ + σ ε) it is
    the velocity the network predicts (ε would be singular at σ = 1, where x holds no trace of D). Substituting
    ``D = x − σ ε`` makes σ drop out::

        D_p' = D_p + d₊ (D₊ − x) − d₋ (D₋ − x)

    With d₊ = d₋ the ``x`` cancels too, and the same formula holds on denoised predictions as it stands; it is then
    computed without ``x`` so that nothing is lost to rounding at high σ. A side that is None counts as degree 0.
    """
    if D_liked is None:
        d_liked = 0.0
    if D_disliked is None:
        d_disliked = 0.0
    if d_liked == d_disliked:
        return D_p if d_liked == 0.0 else D_p + d_liked * (D_liked - D_disliked)
    D = D_p - (d_liked - d_disliked) * x
    if d_liked != 0.0:
        D = D + d_liked * D_liked
    if d_disliked != 0.0:
        D = D - d_disliked * D_disliked
    return D


def remembered(
    D_p: torch.Tensor,
    D_liked: torch.Tensor | None,
    D_disliked: torch.Tensor | None,
    sigma: torch.Tensor | float,
    d_liked: float,
    d_disliked: float,
) -> torch.Tensor:
    """``V = [d₊ (D₊ − D_p) − d₋ (D₋ − D_p)] / σ``: what of the move is remembered (see `schedule`). A None side counts as degree 0."""
    V = torch.zeros_like(D_p)
    if D_liked is not None:
        V = V + d_liked * (D_liked - D_p)
    if D_disliked is not None:
        V = V - d_disliked * (D_disliked - D_p)
    return V / sigma


def move_by_remembered(D_p: torch.Tensor, V: torch.Tensor, x: torch.Tensor, sigma, d_liked: float, d_disliked: float) -> torch.Tensor:
    """`move_denoised` out of `remembered`: ``D_p' = D_p + σ V + (d₊ − d₋) (D_p − x)``."""
    D = D_p + sigma * V
    return D if d_liked == d_disliked else D + (d_liked - d_disliked) * (D_p - x)


def rescale(D_moved: torch.Tensor, D_p: torch.Tensor, phi: float) -> torch.Tensor:
    """Guided rescale after Lin et al. (arXiv 2305.08891, eq. 15–16), for the move instead of for CFG.

    ``σ_p = std(D_p)``, ``D_r = D' · σ_p / std(D')``, result ``φ D_r + (1 − φ) D'``: the move keeps its direction and
    loses the extra contrast that burns pictures at high β. std is taken per sample over all other dimensions.
    """
    if phi == 0.0:
        return D_moved
    dims = tuple(range(1, D_p.ndim))
    std_p = D_p.std(dim=dims, keepdim=True)
    std_moved = D_moved.std(dim=dims, keepdim=True).clamp_min(torch.finfo(D_moved.dtype).tiny)
    return phi * (D_moved * (std_p / std_moved)) + (1.0 - phi) * D_moved
