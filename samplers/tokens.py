"""What of a conditioning has a token axis, and how several of them are brought to one length.

Shapes: an embedding is ``(…, T, C)``: mostly ``(B, T, C)``, with a layer axis ``(B, L, T, C)`` where an encoder gives all its
layers (HiDream's Llama). An attention mask is ``(…, T)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .shift import hold_norm, pad_tokens, shift


def align(embeddings: Sequence[torch.Tensor], E_empty: torch.Tensor) -> list[torch.Tensor]:
    """All embeddings lengthened to one T with the encoder's own empty prompt.

    SD3 writes the tokens of its CLIPs before those of its T5. Each part is lengthened for itself: with a list of words longer
    than one CLIP chunk, T5's first words would otherwise be added to CLIP's second chunk.
    """
    leads = [_clip_tokens(E, E_empty) for E in embeddings]
    lead, rest = max(leads), max(E.shape[-2] - n for E, n in zip(embeddings, leads, strict=True))
    n_empty = _clip_tokens(E_empty, E_empty)
    if lead == 0:
        return [pad_tokens(E, rest, E_empty) for E in embeddings]
    return [
        torch.cat(
            (
                pad_tokens(E[..., :n, :], lead, E_empty[..., :n_empty, :]),
                pad_tokens(E[..., n:, :], rest, E_empty[..., n_empty:, :]),
            ),
            dim=-2,
        )
        for E, n in zip(embeddings, leads, strict=True)
    ]


def _clip_tokens(E: torch.Tensor, E_empty: torch.Tensor) -> int:
    """How many leading tokens are of SD3's CLIPs: the host fills them up with zeros to the width of T5, whose tokens are full."""
    if E.ndim != 3 or E.shape[1] == 0:
        return 0
    filled, written = (E[..., -1] == 0).all(dim=0), (E != 0).any(dim=-1).any(dim=0)
    if not written.any():  # zeroed out: such a prompt has the parts of the empty one
        return 0 if E is E_empty else min(E.shape[1], _clip_tokens(E_empty, E_empty))
    return int((filled & written).long().cumprod(0).sum())


def shift_fields(extra: dict, plus: dict, minus: dict, empty: dict, d_plus: float, d_minus: float, keep_norm: bool = False) -> dict:
    """The further embeddings of an entry (HiDream's ``conditioning_llama3``, HunyuanDiT's ``conditioning_mt5xl``), shifted too.

    They are as much E(p) as the first one: a model that reads mostly them would hardly notice a shift of the other. All
    arguments are the fields that came with an embedding; those that not all of the encodings have are left alone.
    """
    out = {}
    for key, E in extra.items():
        sides = [fields.get(key) for fields, d in ((plus, d_plus), (minus, d_minus)) if d != 0.0]
        if not sides or not all(_is_embedding(F) for F in (E, *sides, empty.get(key))):
            continue
        if any(F.shape[-1] != E.shape[-1] or F.ndim != E.ndim for F in sides):
            raise ValueError(f"The {key} of this conditioning is not of the connected CLIP: connect the CLIP that encoded the prompt.")
        E_p, *_ = aligned = align([E, *sides], empty[key])
        E_plus = aligned[1] if d_plus != 0.0 else None
        E_minus = aligned[-1] if d_minus != 0.0 else None
        p = shift(E_p, E_plus, E_minus, d_plus, d_minus)
        out[key] = hold_norm(p, E_p) if keep_norm else p
    return out


def _is_embedding(value) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim >= 3


def union_masks(extra: dict, T: int, sides: Sequence[tuple[dict, int]], T_out: int) -> dict:
    """The attention masks of a sum of prompts: a token that any of them has is a token of the sum.

    ``T`` and the number with each side are the lengths of the embeddings, ``T_out`` that of the sum. An encoder leaves
    ``attention_mask`` out where it would be all ones; other masks (``attention_mask_mt5xl``) have lengths of their own.
    """
    out = {}
    for key in sorted({k for fields in (extra, *(f for f, _ in sides)) for k in fields if is_mask(k)}):
        masks = [(fields.get(key), length) for fields, length in ((extra, T), *sides)]
        if key != "attention_mask":
            known = [m for m, _ in masks if m is not None]
            if len(known) == len(masks):
                out[key] = _union(known, max(m.shape[-1] for m in known))
            continue
        if masks[0][0] is not None and masks[0][0].shape[-1] != T:
            # Not a mask of tokens but a bias between them and an image (Apply Style Model).
            if T_out != T:
                raise ValueError(
                    "The positive conditioning carries the attention mask of a style model, and the preferences are longer than the "
                    "prompt: put Apply Style Model after Preference Conditioning, on all four conditionings."
                )
            continue
        if any(m is not None for m, _ in masks):
            out[key] = _union([torch.ones(1, length) if m is None else m for m, length in masks], T_out)
    return out


def is_mask(key: str) -> bool:
    return isinstance(key, str) and key.startswith("attention_mask") and key != "attention_mask_img_shape"


def _union(masks: Sequence[torch.Tensor], T: int) -> torch.Tensor:
    """Masks lengthened with zeros (padding is nothing to attend to) and united, in the dtype of a mask that was there."""
    like = next((m for m in masks if not m.is_floating_point()), masks[0])
    masks = [torch.nn.functional.pad(m.to(like), (0, T - m.shape[-1])) for m in masks]
    out = masks[0]
    for mask in masks[1:]:
        out = torch.maximum(out, mask)
    return out


def side_fields(entry: dict, encoded: dict, others: Sequence[dict]) -> dict:
    """What an entry of VP+ or VP− carries: all of the positive ``entry`` (area, mask, control …), but the words' own fields.

    A field that the encoder gives alike for every text (ACE-Step's lyrics, which are another input) is not about the words: it
    stays the entry's. Attention masks are never the entry's, since they count its tokens.
    """
    out = {key: value for key, value in entry.items() if not is_mask(key)}
    for key, value in encoded.items():
        if key not in entry or is_mask(key) or not _alike(value, [fields.get(key) for fields in others]):
            out[key] = value
    return out


def _alike(value, others: Sequence) -> bool:
    if isinstance(value, torch.Tensor):
        return not value.is_floating_point() and all(isinstance(o, torch.Tensor) and torch.equal(value, o) for o in others)
    return all(type(o) is type(value) and o == value for o in others)
