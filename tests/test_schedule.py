"""Guidance that computes ε_vp at some evaluations only: how many, how right, and that nothing outlives a run."""

import math
from types import SimpleNamespace

import pytest
import torch

from viper.samplers import guidance
from viper.samplers.schedule import Adaptive, Every, GuidanceOptions, Memory
from viper.tests import guided as g

pytestmark = pytest.mark.usefixtures("as_in_the_host")

REUSE, ADAPTIVE = GuidanceOptions(schedule="reuse"), GuidanceOptions(schedule="adaptive")
STEPS = 12
ways = pytest.mark.parametrize("way", g.THREE_WAYS.values(), ids=g.THREE_WAYS)


def drawn(tiny, c, options, **sampling):
    """(latents, evaluations of the network)."""
    model, seen = g.counting(tiny.model)
    return g.by_node(model, c, g.empty_latent(), guidance=options, **{"steps": STEPS, **sampling}), seen["evaluations"]


# --- the mathematics -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [(0.6, 0.6), (0.7, 0.4), (0.5, 0.0)])
def test_what_is_remembered_gives_back_the_move(degrees):
    x, D_p, D_liked, D_disliked = torch.randn(4, 2, 4, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    side = D_disliked if degrees[1] else None
    V = guidance.remembered(D_p, D_liked, side, 3.0, *degrees)
    # By hand: ε_p + d₊ ε₊ − d₋ ε₋ with ε = (x − D) / σ.
    eps = (x - D_p) / 3.0 + degrees[0] * (x - D_liked) / 3.0 - degrees[1] * (x - D_disliked) / 3.0
    torch.testing.assert_close(guidance.move_by_remembered(D_p, V, x, 3.0, *degrees), x - 3.0 * eps)
    torch.testing.assert_close(guidance.move_denoised(D_p, D_liked, side, x, *degrees), x - 3.0 * eps)


def test_a_line_over_the_noise_level_is_foretold_exactly():
    at = lambda sigma: torch.full((1, 1, 2, 2), 5.0 - 2.0 * sigma)  # noqa: E731
    memory = Memory(Every(2))
    memory.keep(10.0, 0, at(10.0), at(1.0))
    assert torch.equal(memory.recall(7.0), at(10.0)), "one value can only be held"
    memory.keep(6.0, 2, at(6.0), at(1.0))
    torch.testing.assert_close(memory.recall(4.0), at(4.0))
    held = Memory(Every(2), "hold", list(memory.nodes))
    assert torch.equal(held.recall(4.0), at(6.0))


def test_levels_are_counted_and_a_rise_of_the_noise_forgets():
    memory, V = Memory(Every(3)), torch.zeros(1, 1, 2, 2)
    asked = []
    for level, sigma in enumerate((9.0, 8.0, 7.0, 6.0, 5.0)):
        if memory.due(sigma, level):
            asked.append(sigma)
            memory.keep(sigma, level, V, V)
        assert not memory.due(sigma, level), "a second evaluation of this level has what the first one computed"
    assert asked == [9.0, 6.0]
    assert memory.due(6.5, 5) and not memory.nodes


def test_distances_follow_what_was_measured():
    rule, one = Adaptive(0.2), torch.ones(2)
    assert not rule.due(1, 5.0) and rule.due(2, 0.01), "the second time comes early: nothing is known of the change"
    rule.learn(0.5, 0.4 * one, one, 0.0 * one)
    assert rule.reach == pytest.approx(0.25)  # twice as wrong as allowed: half the distance
    rule.learn(0.25, torch.tensor([0.0, 0.2 * 2**0.5]), one, 0.0 * one)
    assert rule.reach == pytest.approx(0.25), "of a batch the root of the mean square counts"
    rule.learn(0.25, torch.tensor([0.001, 0.1]), one, 0.0 * one)
    assert rule.reach == pytest.approx(0.5)
    rule.learn(0.5, 1e-9 * one, one, 0.0 * one)
    assert rule.reach == pytest.approx(1.0), "at most twice the last distance"
    rule.learn(1.0, 0.3 * one, one, 5.0 * one)
    assert rule.reach == pytest.approx(1.0), "0.3 of 1 + a tenth of 5 is the tolerance"


# --- in the host ---------------------------------------------------------------------------------------------------------


@ways
@pytest.mark.parametrize(
    "options", [GuidanceOptions(schedule="reuse", every=1), GuidanceOptions(schedule="adaptive", tolerance=0.0),
                GuidanceOptions(schedule="interval")], ids=["every 1", "tolerance 0", "whole interval"])  # fmt: skip
def test_a_schedule_that_leaves_nothing_out_is_exact_bit_for_bit(tiny, c, way, options):
    assert torch.equal(way(tiny.model, c, g.empty_latent(), guidance=options), way(tiny.model, c, g.empty_latent()))


@ways
def test_reuse_computes_every_fourth_level(tiny, c, way):
    model, seen = g.counting(tiny.model)
    picture = way(model, c, g.empty_latent(), guidance=REUSE, steps=STEPS)
    assert seen["evaluations"] == 2 * STEPS + 2 * math.ceil(STEPS / 4)
    assert seen["calls"] == STEPS, "what is computed goes into the one call of a step"
    exact, plain = way(tiny.model, c, g.empty_latent(), steps=STEPS), g.host_ksample(tiny.model, c, g.empty_latent(), steps=STEPS)
    assert 0 < g.differ(picture, exact) < 0.5 * g.differ(plain, exact)


@pytest.mark.parametrize(
    ("sampler", "calls"),
    [("euler", STEPS), ("dpmpp_2m", STEPS), ("ddim", STEPS), ("euler_ancestral", STEPS), ("lcm", STEPS), ("uni_pc", STEPS),
     ("heun", 2 * STEPS - 1), ("dpm_2", 2 * STEPS - 1), ("dpmpp_sde", 2 * STEPS - 1), ("dpmpp_2s_ancestral", 2 * STEPS - 1)])  # fmt: skip
def test_every_sampler_pays_what_the_schedule_says(tiny, c, sampler, calls):
    exact, all_ = drawn(tiny, c, None, sampler=sampler)
    plain, least = drawn(tiny, SimpleNamespace(**{**vars(c), "liked": c.disliked}), None, sampler=sampler)  # nothing to say: two branches
    assert (all_, least) == (4 * calls, 2 * calls)
    for options in (REUSE, ADAPTIVE):
        picture, evaluations = drawn(tiny, c, options, sampler=sampler)
        computed = (evaluations - 2 * calls) / 2
        assert torch.isfinite(picture).all()
        if sampler != "lcm":  # whose picture is the last step's alone: of a random model, anything
            assert (picture - exact).norm() < (plain - exact).norm()
        # A level is computed for both of its evaluations at most; the random model changes faster than one that has learned.
        assert computed <= (calls / 4 + 1 if options is REUSE else 0.7 * calls), f"{computed} of {calls}"


def test_a_higher_tolerance_computes_less(tiny, c):
    found = [drawn(tiny, c, GuidanceOptions(schedule="adaptive", tolerance=t), steps=24)[1] for t in (0.01, 0.3, 2.0)]
    assert found[0] > found[1] > found[2]


def test_an_interval_is_guided_inside_only(tiny, c):
    import comfy.samplers

    sigmas = comfy.samplers.calculate_sigmas(tiny.model.model.model_sampling, "normal", STEPS)
    options = GuidanceOptions(schedule="interval", sigma_start=float(sigmas[2]) + 1e-4, sigma_end=float(sigmas[6]) - 1e-4)
    assert drawn(tiny, c, options)[1] == 2 * STEPS + 2 * 5
    nowhere = GuidanceOptions(schedule="interval", sigma_start=1e-6, sigma_end=1e-7)
    assert torch.equal(drawn(tiny, c, nowhere)[0], g.host_ksample(tiny.model, c, g.empty_latent(), steps=STEPS))


@pytest.mark.parametrize("options", [REUSE, ADAPTIVE], ids=["reuse", "adaptive"])
def test_no_run_remembers_another(tiny, c, options):
    from viper.nodes.sampling import ApplyPreferenceGuidance

    guided = ApplyPreferenceGuidance.execute(tiny.model, c.liked, c.disliked, 0.6, options).result[0]
    first = g.host_ksample(guided, c, g.empty_latent(), steps=STEPS)
    g.host_ksample(guided, c, g.empty_latent(2), steps=5, seed=9, denoise=0.4)
    assert torch.equal(first, g.host_ksample(guided, c, g.empty_latent(), steps=STEPS))


def test_unequal_degrees_are_reused_too(tiny, c):
    exact = g.by_node(tiny.model, c, g.empty_latent(), 0.6, 0.3, steps=STEPS)
    near = g.by_node(tiny.model, c, g.empty_latent(), 0.6, 0.3, guidance=GuidanceOptions(schedule="reuse", every=2), steps=STEPS)
    plain = g.host_ksample(tiny.model, c, g.empty_latent(), steps=STEPS)
    assert 0 < g.differ(near, exact) < 0.5 * g.differ(plain, exact)


def test_a_restart_is_computed_anew(tiny, c):
    """Noise levels that rise again, as restart samplers have them."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import RandomNoise, SamplerCustomAdvanced

    model, seen = g.counting(tiny.model)
    sigmas = comfy.samplers.calculate_sigmas(model.model.model_sampling, "normal", 8)
    sigmas = torch.cat([sigmas[:6], sigmas[2:]])
    from viper.nodes.sampling import PreferenceGuider

    guider = PreferenceGuider.execute(model, c.positive, c.negative, c.liked, c.disliked, 5.0, 0.6, REUSE).result[0]
    SamplerCustomAdvanced.execute(
        RandomNoise.execute(3).result[0], guider, comfy.samplers.sampler_object("euler"), sigmas, g.empty_latent()
    )
    evaluated = len(sigmas) - 1  # levels 0 to 5, then 2 to 7
    assert seen["evaluations"] == 2 * evaluated + 2 * 4  # computed at 0, 4, and anew at 2 and 6


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"every": 0}, "every to 1"), ({"between": "guess"}, "extrapolate, hold"), ({"tolerance": -1.0}, "0 (exact) or more"),
     ({"sigma_start": 0.0, "sigma_end": -1.0}, "not below 0"),
     ({"schedule": "interval", "sigma_start": 1.0, "sigma_end": 2.0}, "sigma_start above")])  # fmt: skip
def test_options_that_make_no_sense_are_refused(wrong, says):
    from viper.nodes.sampling import GuidanceOptionsNode

    with pytest.raises(ValueError, match=says.replace("(", r"\(").replace(")", r"\)")):
        GuidanceOptions(**wrong)
    assert says in GuidanceOptionsNode.validate_inputs(**{"schedule": "reuse", **wrong})
