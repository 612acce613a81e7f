"""p = E(p) + β (E(VP+) − E(VP−)) against float64 by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from viper.samplers.shift import hold_norm, pad_tokens, shift


def embeddings(seed, *shapes, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=g, dtype=torch.float64).to(dtype) for shape in shapes]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(-2, 2), st.floats(-2, 2), st.integers(1, 3), st.integers(1, 9), st.integers(1, 5))
def test_shift_is_the_formula_in_float64(seed, d_plus, d_minus, B, T, C):
    E_p, E_l, E_d = embeddings(seed, (B, T, C), (1, T, C), (1, T, C))
    by_hand = E_p.double().clone()
    for b in range(B):
        for t in range(T):
            for c in range(C):
                by_hand[b, t, c] = E_p[b, t, c].item() + d_plus * E_l[0, t, c].item() - d_minus * E_d[0, t, c].item()
    assert torch.allclose(shift(E_p, E_l, E_d, d_plus, d_minus).double(), by_hand, atol=1e-5)


def test_equal_degrees_are_the_papers_formula():
    E_p, E_l, E_d = embeddings(0, (1, 77, 8), (1, 77, 8), (1, 77, 8), dtype=torch.float64)
    assert torch.allclose(shift(E_p, E_l, E_d, 0.6, 0.6), E_p + 0.6 * (E_l - E_d), rtol=0, atol=1e-14)


def test_degree_zero_is_the_prompt_bit_for_bit():
    E_p, E_l, E_d = embeddings(1, (2, 77, 8), (1, 77, 8), (1, 77, 8))
    assert torch.equal(shift(E_p, E_l, E_d, 0.0, 0.0), E_p)


def test_liked_equal_to_disliked_moves_nothing_measurable():
    E_p, E_l = embeddings(2, (1, 77, 8), (1, 77, 8), dtype=torch.float64)
    assert torch.allclose(shift(E_p, E_l, E_l, 0.9, 0.9), E_p, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_loses_only_the_last_rounding(dtype):
    E_p, E_l, E_d = embeddings(3, (1, 20, 8), (1, 20, 8), (1, 20, 8), dtype=dtype)
    exact = E_p.double() + 0.6 * (E_l.double() - E_d.double())
    out = shift(E_p, E_l, E_d, 0.6, 0.6)
    assert out.dtype == dtype
    assert torch.equal(out, exact.to(dtype)) or (out.double() - exact).abs().max() <= torch.finfo(dtype).eps * exact.abs().max()


def test_the_inputs_are_never_changed():
    tensors = embeddings(4, (1, 5, 4), (1, 5, 4), (1, 5, 4))
    copies = [t.clone() for t in tensors]
    shift(*tensors, 0.5, 0.7)
    hold_norm(tensors[0], tensors[1])
    pad_tokens(tensors[0], 11, tensors[1])
    assert all(torch.equal(a, b) for a, b in zip(tensors, copies, strict=True))


def test_hold_norm_keeps_direction_and_length():
    E_p, E_l, E_d = embeddings(5, (2, 9, 16), (1, 9, 16), (1, 9, 16), dtype=torch.float64)
    p = shift(E_p, E_l, E_d, 1.0, 1.0)
    held = hold_norm(p, E_p)
    assert torch.allclose(held.norm(dim=-1), E_p.norm(dim=-1))
    assert torch.allclose(torch.cosine_similarity(held, p, dim=-1), torch.ones(2, 9, dtype=torch.float64))
    assert not torch.allclose(held, p)


def test_hold_norm_survives_a_zero_token():
    E_p, p = torch.ones(1, 2, 4), torch.zeros(1, 2, 4)
    assert torch.isfinite(hold_norm(p, E_p)).all()


def test_padding_appends_the_empty_prompt_chunk_by_chunk():
    E, E_empty = embeddings(6, (2, 77, 4), (1, 77, 4))
    out = pad_tokens(E, 3 * 77, E_empty)
    assert torch.equal(out[:, :77], E)
    assert torch.equal(out[:, 77:154], E_empty.expand(2, -1, -1)) and torch.equal(out[:, 154:], E_empty.expand(2, -1, -1))


def test_padding_to_a_length_that_is_no_multiple_is_cut_to_fit():
    E, E_empty = embeddings(7, (1, 5, 4), (1, 3, 4))
    out = pad_tokens(E, 9, E_empty)
    assert out.shape == (1, 9, 4) and torch.equal(out[:, 5:8], E_empty) and torch.equal(out[:, 8], E_empty[:, 0])


def test_a_long_enough_prompt_is_not_padded():
    E, E_empty = embeddings(8, (1, 5, 4), (1, 3, 4))
    assert pad_tokens(E, 5, E_empty) is E
