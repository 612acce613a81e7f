"""The embedding shift of ViPer (ECCV 2024, arXiv 2407.17365): pure tensors, no host.

``p = E(p) + β (E(VP+) − E(VP−))``

Shapes: an embedding E is ``(B, T, C)``: B prompts, T tokens, C channels.
"""

from __future__ import annotations

import torch


def shift(
    E_p: torch.Tensor,
    E_liked: torch.Tensor | None,
    E_disliked: torch.Tensor | None,
    d_liked: float,
    d_disliked: float,
) -> torch.Tensor:
    """``p = E(p) + d₊ E(VP+) − d₋ E(VP−)``; with d₊ = d₋ = β this is the paper's formula.

    The sides stand for themselves so that the official code's variant is the same function: it adds
    ``d₊ E(VP+)`` to the prompt (no disliked side) and ``d₋ E(VP−)`` to the negative prompt
    (``shift(E_neg, E_disliked, None, d₋, 0)``).

    A side that is None or has degree 0 is left out. All embeddings have one ``T`` and ``C`` (see `pad_tokens`);
    B is broadcast. Computed in float32 at least, returned in the dtype and on the device of ``E_p``.
    """
    p = E_p.to(torch.promote_types(E_p.dtype, torch.float32))
    if E_liked is not None and d_liked != 0.0:
        p = p + d_liked * E_liked.to(p)
    if E_disliked is not None and d_disliked != 0.0:
        p = p - d_disliked * E_disliked.to(p)
    return p.to(E_p.dtype)


def hold_norm(p: torch.Tensor, E_p: torch.Tensor) -> torch.Tensor:
    """Give every token of the shifted ``p`` the length it had in ``E_p``: the direction moves, the norm stays."""
    wide = torch.promote_types(p.dtype, torch.float32)
    now = torch.linalg.vector_norm(p.to(wide), dim=-1, keepdim=True)
    then = torch.linalg.vector_norm(E_p.to(wide), dim=-1, keepdim=True)
    return (p.to(wide) * (then / now.clamp_min(torch.finfo(wide).tiny))).to(p.dtype)


def pad_tokens(E: torch.Tensor, length: int, E_empty: torch.Tensor) -> torch.Tensor:
    """Lengthen ``(B, …, T, C)`` to ``(B, …, length, C)`` with the encoder's own empty prompt ``(1, …, T₀, C)``.

    The empty prompt is repeated as often as needed and cut to fit: for a CLIP, whose prompts come in chunks of
    77 tokens, this appends whole empty chunks, which is what the encoder itself does with a longer neighbour.
    A tensor of zeros would be no prompt the model has ever seen; it is taken only where the empty prompt has no token.
    """
    missing = length - E.shape[-2]
    if missing <= 0:
        return E
    if E_empty.shape[-2] == 0:
        return torch.nn.functional.pad(E, (0, 0, 0, missing))
    times = -(-missing // E_empty.shape[-2])
    filler = E_empty.to(E).repeat(*[1] * (E.ndim - 2), times, 1)[..., :missing, :]
    return torch.cat((E, filler.expand(E.shape[0], *[-1] * (E.ndim - 1))), dim=-2)
