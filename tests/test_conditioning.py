"""Preference Conditioning on CONDITIONING lists: the formulas of both modes, and everything an entry carries."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from viper.samplers.conditioning import Texts, joined_text, personalise

C, CHUNK, POOLED = 6, 7, 5


def encoded(seed, chunks=1, **extra):
    g = torch.Generator().manual_seed(seed)
    cond = torch.randn(1, CHUNK * chunks, C, generator=g, dtype=torch.float64)
    return SimpleNamespace(cond=cond, pooled=torch.randn(1, POOLED, generator=g, dtype=torch.float64), extra=extra)


def entry(seed, chunks=1, batch=1, **extra):
    g = torch.Generator().manual_seed(100 + seed)
    E = torch.randn(batch, CHUNK * chunks, C, generator=g, dtype=torch.float64)
    return [E, {"pooled_output": torch.randn(batch, POOLED, generator=g, dtype=torch.float64), **extra}]


def texts(liked_chunks=1, disliked_chunks=1):
    return Texts(encoded(1, liked_chunks), encoded(2, disliked_chunks), encoded(3))


def padded(E, length, empty):
    """The padding written by hand: whole empty chunks."""
    while E.shape[1] < length:
        E = torch.cat((E, empty.expand(E.shape[0], -1, -1)), dim=1)
    return E


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.floats(0.05, 2), st.floats(0, 2), st.integers(1, 3))
def test_paper_mode_is_the_formula_for_any_number_of_chunks(p_chunks, l_chunks, d_chunks, d_plus, d_minus, batch):
    t, p, n = texts(l_chunks, d_chunks), entry(0, p_chunks, batch), entry(9)
    out = personalise([p], [n], t, d_plus, "paper", d_minus)
    T = CHUNK * max(p_chunks, l_chunks, d_chunks)
    by_hand = (
        padded(p[0], T, t.empty.cond) + d_plus * padded(t.liked.cond, T, t.empty.cond) - d_minus * padded(t.disliked.cond, T, t.empty.cond)
    )
    assert torch.allclose(out.positive[0][0], by_hand, atol=1e-12)
    assert torch.equal(out.liked[0][0], t.liked.cond) and torch.equal(out.disliked[0][0], t.disliked.cond)
    assert out.negative[0] is n


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.floats(0.05, 2), st.floats(0.05, 2))
def test_official_mode_adds_on_both_sides_and_subtracts_nowhere(p_chunks, n_chunks, d_chunks, d_plus, d_minus):
    t, p, n = texts(1, d_chunks), entry(0, p_chunks), entry(9, n_chunks)
    out = personalise([p], [n], t, d_plus, "official", d_minus)
    T = CHUNK * p_chunks
    assert torch.allclose(out.positive[0][0], padded(p[0], T, t.empty.cond) + d_plus * padded(t.liked.cond, T, t.empty.cond), atol=1e-12)
    N = CHUNK * max(n_chunks, d_chunks)
    assert torch.allclose(
        out.negative[0][0], padded(n[0], N, t.empty.cond) + d_minus * padded(t.disliked.cond, N, t.empty.cond), atol=1e-12
    )


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_degree_zero_returns_the_very_entries(mode):
    p, n = [entry(0), entry(1)], [entry(2)]
    out = personalise(p, n, texts(2, 3), 0.0, mode)
    assert all(a is b for a, b in zip(out.positive + out.negative, p + n, strict=True))


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_one_liked_and_one_disliked_entry_for_every_positive_entry_with_all_it_carries(mode):
    control, hooks = object(), object()
    carried = [
        {"area": (8, 8, 0, 0), "strength": 0.7, "set_area_to_bounds": False},
        {"mask": torch.ones(1, 4, 4), "mask_strength": 0.4, "start_percent": 0.2, "end_percent": 0.8},
        {"control": control, "control_apply_to_uncond": False, "hooks": hooks, "width": 512, "crop_w": 3, "guidance": 3.5},
    ]
    p = [entry(i, **extra) for i, extra in enumerate(carried)]
    out = personalise(p, [entry(9)], texts(), 0.6, mode)
    for side in (out.positive, out.liked, out.disliked):
        assert len(side) == len(p)
        for (_, got), extra in zip(side, carried, strict=True):
            for key, value in extra.items():
                assert got[key] is value


def test_pooled_output_stays_the_prompts_unless_asked():
    t, p, n = texts(), entry(0), entry(9)
    paper, official = personalise([p], [n], t, 0.6), personalise([p], [n], t, 0.6, "official")
    for side in (paper.positive, paper.liked, paper.disliked, official.positive, official.liked):
        assert side[0][1]["pooled_output"] is p[1]["pooled_output"]
    # the authors' code evaluates VP− with the negative prompt's pooled vector
    assert official.disliked[0][1]["pooled_output"] is n[1]["pooled_output"]


def test_shift_pooled_moves_it_with_the_same_formula():
    t, p, n = texts(), entry(0), entry(9)
    out = personalise([p], [n], t, 0.6, "paper", 0.3, shift_pooled=True)
    assert torch.allclose(out.positive[0][1]["pooled_output"], p[1]["pooled_output"] + 0.6 * t.liked.pooled - 0.3 * t.disliked.pooled)
    assert out.liked[0][1]["pooled_output"] is t.liked.pooled and out.disliked[0][1]["pooled_output"] is t.disliked.pooled
    official = personalise([p], [n], t, 0.6, "official", 0.3, shift_pooled=True)
    assert torch.allclose(official.negative[0][1]["pooled_output"], n[1]["pooled_output"] + 0.3 * t.disliked.pooled)


def test_hold_norm_keeps_every_tokens_length():
    p = entry(0)
    out = personalise([p], [entry(9)], texts(), 1.5, keep_norm=True)
    assert torch.allclose(out.positive[0][0].norm(dim=-1), p[0].norm(dim=-1))
    assert not torch.allclose(out.positive[0][0], p[0])


def test_the_conditionings_that_come_in_are_not_changed():
    p, n, t = entry(0), entry(9), texts(2, 1)
    E, keys, E_n = p[0].clone(), dict(p[1]), n[0].clone()
    personalise([p], [n], t, 0.6, "official", shift_pooled=True, keep_norm=True)
    assert torch.equal(p[0], E) and p[1] == keys and torch.equal(n[0], E_n)


def test_attention_masks_cover_every_token_that_any_summed_prompt_has():
    def masked(seed, chunks, ones):
        mask = torch.zeros(1, CHUNK * chunks)
        mask[:, :ones] = 1
        return mask

    t = Texts(encoded(1, 2, attention_mask=masked(1, 2, 9)), encoded(2, 1, attention_mask=masked(2, 1, 5)), encoded(3))
    out = personalise([entry(0, attention_mask=masked(0, 1, 3))], [entry(9)], t, 0.6)
    assert out.positive[0][1]["attention_mask"].sum() == 9 and out.positive[0][1]["attention_mask"].shape == (1, 2 * CHUNK)
    assert out.liked[0][1]["attention_mask"].sum() == 9
    assert out.disliked[0][1]["attention_mask"].sum() == 5 and out.disliked[0][1]["attention_mask"].shape == (1, CHUNK)


def test_a_conditioning_of_another_text_encoder_is_refused_with_a_sentence():
    other = [torch.zeros(1, 77, 2048), {}]
    with pytest.raises(ValueError, match="2048 channels and this CLIP gives 6: connect the CLIP"):
        personalise([other], [entry(9)], texts(), 0.6)


def test_a_conditioning_without_a_text_embedding_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="no text embedding"):
        personalise([[None, {}]], [entry(9)], texts(), 0.6)


def test_no_entries_at_all_are_fine():
    assert personalise([], [], texts(), 0.6) == ([], [], [], [])


def test_features_are_joined_as_in_the_paper():
    features = [SimpleNamespace(text="soft light", weight=1.0), SimpleNamespace(text="neon (pink)", weight=1.3)]
    assert joined_text(features, weighted=False) == "soft light, neon (pink)"
    assert joined_text(features, weighted=True) == "soft light, (neon \\(pink\\):1.30)"
    assert joined_text([], weighted=True) == ""
