"""ε_vp and its two combinations against float64 by hand, for ε-, v-prediction and flow."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from viper.samplers.guidance import combine_official, combine_paper, eps_vp, move_denoised, rescale
from viper.samplers.schedule import GuidanceOptions


def tensors(seed, n, shape=(2, 4, 3, 3), dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=g, dtype=torch.float64).to(dtype) for _ in range(n)]


def cfg(D_u, D_p, w):
    return D_u + w * (D_p - D_u)


degrees = pytest.mark.parametrize("d_plus, d_minus", [(0.6, 0.6), (1.0, 1.0), (0.85, 0.3), (0.2, 1.1), (0.7, 0.0), (0.0, 0.7)])
sigmas = pytest.mark.parametrize("sigma", [0.03, 1.0, 14.6])


def test_eps_vp_is_liked_minus_disliked():
    a, b = tensors(0, 2)
    assert torch.equal(eps_vp(a, b), a - b)


def test_paper_combination_element_by_element():
    e_u, e_p, e_l, e_d = tensors(1, 4)
    out, beta, w = combine_paper(e_u, e_p, e_l, e_d, 0.6, 5.0), 0.6, 5.0
    for u, p, a, b, o in zip(*(t.flatten().tolist() for t in (e_u, e_p, e_l, e_d, out)), strict=True):
        assert o == pytest.approx((1 - w) * u + w * (p + beta * (a - b)), abs=1e-12)


def test_official_combination_element_by_element():
    e_u, e_p, e_l, e_d = tensors(2, 4)
    dp, dm, w = 0.85, 0.4, 5.0
    out = combine_official(e_u, e_p, e_l, e_d, dp, dm, w)
    for u, p, a, b, o in zip(*(t.flatten().tolist() for t in (e_u, e_p, e_l, e_d, out)), strict=True):
        assert o == pytest.approx(u + w * (p + dp * a - u - dm * b), abs=1e-12)


def test_official_with_equal_degrees_is_the_paper():
    e = tensors(3, 4)
    assert torch.allclose(combine_official(*e, 0.6, 0.6, 5.0), combine_paper(*e, 0.6, 5.0), atol=1e-12)


@degrees
@sigmas
def test_eps_prediction_moving_denoised_then_cfg_is_the_official_combination(d_plus, d_minus, sigma):
    e_u, e_p, e_l, e_d, x = tensors(4, 5)
    D = [x - sigma * e for e in (e_u, e_p, e_l, e_d)]  # the host's EPS.calculate_denoised
    moved = cfg(D[0], move_denoised(D[1], D[2], D[3], x, d_plus, d_minus), 5.0)
    expected = x - sigma * combine_official(e_u, e_p, e_l, e_d, d_plus, d_minus, 5.0)
    assert torch.allclose(moved, expected, atol=1e-10 * max(1.0, sigma))


@degrees
@sigmas
def test_v_prediction_is_combined_in_eps(d_plus, d_minus, sigma):
    """v = α ε − σ' x₀ with α = 1/√(1+σ²), σ' = σ/√(1+σ²), x = x₀ + σ ε: converted to ε by hand, combined there, converted back."""
    v_u, v_p, v_l, v_d, x = tensors(5, 5)
    alpha, s = 1 / (1 + sigma**2) ** 0.5, sigma / (1 + sigma**2) ** 0.5
    D = [alpha * (alpha * x) - s * v for v in (v_u, v_p, v_l, v_d)]  # x₀ = α x_vp − σ' v, with x_vp = α x
    eps = [alpha * v + s * (alpha * x) for v in (v_u, v_p, v_l, v_d)]  # ε = α v + σ' x_vp
    moved = cfg(D[0], move_denoised(D[1], D[2], D[3], x, d_plus, d_minus), 5.0)
    expected = x - sigma * combine_official(*eps, d_plus, d_minus, 5.0)
    assert torch.allclose(moved, expected, atol=1e-10 * max(1.0, sigma**2))


@degrees
@pytest.mark.parametrize("sigma", [0.05, 0.5, 1.0])
def test_flow_is_combined_in_the_velocity_the_network_predicts(d_plus, d_minus, sigma):
    """x = (1 − σ) x₀ + σ ε, u = ε − x₀, x₀ = x − σ u; finite at σ = 1, where ε would be singular."""
    u = tensors(6, 5)
    x = u.pop()
    D = [x - sigma * v for v in u]
    moved = cfg(D[0], move_denoised(D[1], D[2], D[3], x, d_plus, d_minus), 5.0)
    expected = x - sigma * combine_official(*u, d_plus, d_minus, 5.0)
    assert torch.isfinite(moved).all() and torch.allclose(moved, expected, atol=1e-10)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 0.95])
def test_flow_with_equal_degrees_is_the_papers_formula_in_eps_too(sigma):
    D_p, D_l, D_d, x = tensors(7, 4)
    eps = [(x - (1 - sigma) * D) / sigma for D in (D_p, D_l, D_d)]
    e = eps[0] + 0.6 * (eps[1] - eps[2])
    assert torch.allclose(move_denoised(D_p, D_l, D_d, x, 0.6, 0.6), (x - sigma * e) / (1 - sigma), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 2), st.floats(0, 2))
def test_a_missing_side_is_a_degree_of_zero(seed, d_plus, d_minus):
    D_p, D_l, D_d, x = tensors(seed, 4, shape=(1, 2, 2, 2))
    assert torch.allclose(move_denoised(D_p, D_l, None, x, d_plus, d_minus), move_denoised(D_p, D_l, D_d, x, d_plus, 0.0))
    assert torch.allclose(move_denoised(D_p, None, D_d, x, d_plus, d_minus), move_denoised(D_p, D_l, D_d, x, 0.0, d_minus))


def test_degree_zero_returns_the_prediction_itself():
    D_p, D_l, D_d, x = tensors(8, 4)
    assert move_denoised(D_p, D_l, D_d, x, 0.0, 0.0) is D_p


def test_equal_degrees_lose_nothing_to_a_high_sigma():
    """At σ = 14.6 the latent is 15 times larger than the predictions: the formula must not add and subtract it."""
    D_p, D_l, D_d, x = tensors(9, 4, dtype=torch.float16)
    exact = D_p.double() + 0.6 * (D_l.double() - D_d.double())
    out = move_denoised(D_p, D_l, D_d, 1000 * x, 0.6, 0.6)
    assert (out.double() - exact).abs().max() < 0.01


def test_rescale_restores_the_spread_of_each_sample():
    D_p, other = tensors(10, 2)
    moved = 3.0 * D_p + other
    full = rescale(moved, D_p, 1.0)
    assert torch.allclose(full.flatten(1).std(dim=1), D_p.flatten(1).std(dim=1))
    half = rescale(moved, D_p, 0.5)
    assert torch.allclose(half, 0.5 * full + 0.5 * moved)
    assert rescale(moved, D_p, 0.0) is moved


@pytest.mark.parametrize(
    "values, word",
    [((0.6, 0.2), "ends?|end"), ((-0.1, 1.0), "between 0 and 1"), ((0, 1, "fast"), "schedule"), ((0, 1, "exact", 2.0), "rescale")],
)
def test_impossible_options_are_refused_with_a_sentence(values, word):
    with pytest.raises(ValueError, match=word):
        GuidanceOptions(*values)
