"""The one mechanism of the guidance inside the host's own sampling code, on a tiny random model."""

import copy

import pytest
import torch

from viper.tests import guided as g

pytestmark = pytest.mark.usefixtures("as_in_the_host")

# --- the formula -----------------------------------------------------------------------------------------------------

ways = pytest.mark.parametrize("way", g.THREE_WAYS.values(), ids=g.THREE_WAYS.keys())


@ways
@pytest.mark.parametrize("degrees", [(0.6, None), (1.0, None), (0.85, 0.3), (0.4, 0.9), (0.7, 0.0), (0.0, 0.7)])
def test_every_way_equals_four_branches_written_by_hand(tiny, c, way, degrees):
    ours = way(tiny.model, c, g.empty_latent(), *degrees)
    g.assert_close(ours, g.by_hand(tiny.model, c, g.empty_latent(), *degrees))
    assert g.differ(ours, g.host_ksample(tiny.model, c, g.empty_latent())) > 0.01


@pytest.mark.parametrize("sampling", ["eps", "v_prediction", "x0", "lcm"])
@pytest.mark.parametrize("degrees", [(0.6, None), (0.85, 0.3)])
def test_every_parameterisation_of_the_host_is_combined_in_eps(tiny, c, sampling, degrees):
    from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete

    model = ModelSamplingDiscrete().patch(tiny.model, sampling, False)[0]
    ours = g.by_node(model, c, g.empty_latent(), *degrees)
    g.assert_close(ours, g.by_hand(model, c, g.empty_latent(), *degrees))


def test_flow_models_are_guided_from_the_first_step_where_sigma_is_one(tiny, c):
    from comfy_extras.nodes_model_advanced import ModelSamplingSD3

    model = ModelSamplingSD3().patch(tiny.model, 3.0)[0]
    ours = g.by_node(model, c, g.empty_latent(), 0.85, 0.3, scheduler="simple")
    g.assert_close(ours, g.by_hand(model, c, g.empty_latent(), 0.85, 0.3, scheduler="simple"))


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m", "dpmpp_sde", "uni_pc", "euler_ancestral", "lcm"])
def test_samplers_of_several_stages_and_with_noise_agree_with_the_hand_written_guider(tiny, c, sampler):
    ours = g.by_guider(tiny.model, c, g.empty_latent(), sampler=sampler)
    g.assert_close(ours, g.by_hand(tiny.model, c, g.empty_latent(), sampler=sampler), tolerance=1e-3)
    g.assert_close(
        g.by_node(tiny.model, c, g.empty_latent(), sampler=sampler), g.by_apply(tiny.model, c, g.empty_latent(), sampler=sampler)
    )


def test_img2img_and_noise_masks_are_guided_too(tiny, c):
    latent = {"samples": torch.randn(1, tiny.model.model.latent_format.latent_channels, 16, 16), "noise_mask": torch.zeros(1, 1, 128, 128)}
    latent["noise_mask"][..., :64] = 1.0
    ours = g.by_node(tiny.model, c, latent, denoise=0.7)
    g.assert_close(ours, g.by_hand(tiny.model, c, latent, denoise=0.7))
    assert torch.allclose(ours[..., 8:], latent["samples"][..., 8:], atol=1e-4), "the kept half was touched"
    assert g.differ(ours[..., :8], g.host_ksample(tiny.model, c, latent, denoise=0.7)[..., :8]) > 0.01


def test_batches_and_sizes_that_are_not_square(tiny, c):
    latent = {"samples": torch.zeros(3, 4, 16, 24)}
    g.assert_close(g.by_node(tiny.model, c, latent), g.by_hand(tiny.model, c, latent))


# --- β = 0, cleanliness, determinism ---------------------------------------------------------------------------------


@ways
def test_beta_zero_is_the_hosts_ksampler_bit_for_bit(tiny, c, way):
    for sampler in ("euler", "dpmpp_sde"):
        plain = g.host_ksample(tiny.model, c, g.empty_latent(), sampler=sampler)
        assert torch.equal(way(tiny.model, c, g.empty_latent(), 0.0, sampler=sampler), plain)
        assert torch.equal(way(tiny.model, c, g.empty_latent(), 0.0, 0.0, sampler=sampler), plain)


def test_both_betas_zero_are_the_plain_prompt_bit_for_bit(tiny):
    positive, negative = g.encode(tiny.clip, "a red apple"), g.encode(tiny.clip, "")
    c = g.personalised(tiny.clip, positive, negative, beta=0.0)
    plain = g.host_ksample(tiny.model, c.__class__(positive=positive, negative=negative), g.empty_latent())
    assert torch.equal(g.by_node(tiny.model, c, g.empty_latent(), 0.0), plain)


@ways
def test_the_model_and_conditionings_that_come_in_are_not_changed(tiny, c, way):
    before = g.host_ksample(tiny.model, c, g.empty_latent())
    options, wrappers = copy.deepcopy(tiny.model.model_options), copy.deepcopy(tiny.model.wrappers)
    conds = copy.deepcopy(vars(c))
    way(tiny.model, c, g.empty_latent())
    assert tiny.model.model_options == options and tiny.model.wrappers == wrappers
    for name, cond in vars(c).items():
        if name != "beta":
            assert all(torch.equal(a[0], b[0]) and a[1].keys() == b[1].keys() for a, b in zip(cond, conds[name], strict=True))
    assert torch.equal(g.host_ksample(tiny.model, c, g.empty_latent()), before)


@ways
def test_the_same_seed_gives_the_same_latent_again(tiny, c, way):
    first = way(tiny.model, c, g.empty_latent(), sampler="euler_ancestral")
    g.by_node(tiny.model, c, g.empty_latent(), 1.4, seed=99)  # another workflow in between
    assert torch.equal(way(tiny.model, c, g.empty_latent(), sampler="euler_ancestral"), first)


def test_an_error_in_mid_run_leaves_nothing_behind(tiny, c):
    from viper.samplers.guider import apply_guidance

    good = g.by_apply(tiny.model, c, g.empty_latent())
    guided = apply_guidance(tiny.model, c.liked, c.disliked, 0.6)
    broken = guided.clone()

    def fail(args):
        raise RuntimeError("stopped by the test")

    broken.set_model_sampler_post_cfg_function(fail)
    with pytest.raises(RuntimeError, match="stopped by the test"):
        g.host_ksample(broken, c, g.empty_latent())
    assert torch.equal(g.host_ksample(guided, c, g.empty_latent()), good)


def test_one_guided_model_serves_many_runs_without_memory(tiny, c):
    from viper.samplers.guider import apply_guidance

    guided = apply_guidance(tiny.model, c.liked, c.disliked, 0.6)
    first = g.host_ksample(guided, c, g.empty_latent())
    g.host_ksample(guided, c, g.empty_latent(batch=2), steps=2, seed=8)
    assert torch.equal(g.host_ksample(guided, c, g.empty_latent()), first)


# --- cost ------------------------------------------------------------------------------------------------------------


@ways
def test_four_evaluations_a_step_in_one_call(tiny, c, way):
    model, seen = g.counting(tiny.model)
    way(model, c, g.empty_latent())
    assert seen == {"calls": g.STEPS, "evaluations": 4 * g.STEPS}


def test_where_memory_does_not_do_for_four_the_host_splits_the_call_and_the_picture_stays(tiny, c, monkeypatch):
    whole = g.by_node(tiny.model, c, g.empty_latent())
    model, seen = g.counting(tiny.model)
    room = model.model.memory_required([2, *g.empty_latent()["samples"].shape[1:]])  # for two samples, not for four
    import comfy.model_management

    real = comfy.model_management.get_free_memory

    def little(device=None, torch_free_too=False):
        return real(device, True) if torch_free_too else 1.6 * room  # attention asks for both, and has enough

    monkeypatch.setattr(comfy.model_management, "get_free_memory", little)
    g.assert_close(g.by_node(model, c, g.empty_latent()), whole)
    assert seen == {"calls": 2 * g.STEPS, "evaluations": 4 * g.STEPS}


def test_cfg_one_needs_no_unconditional_evaluation(tiny, c):
    model, seen = g.counting(tiny.model)
    ours = g.by_node(model, c, g.empty_latent(), cfg=1.0)
    assert seen["evaluations"] == 3 * g.STEPS
    g.assert_close(ours, g.by_hand(tiny.model, c, g.empty_latent(), cfg=1.0))


def test_an_empty_side_that_equals_the_negative_is_computed_once(tiny):
    c = g.personalised(tiny.clip, g.encode(tiny.clip, "a red apple"), g.encode(tiny.clip, ""), disliked="")
    model, seen = g.counting(tiny.model)
    ours = g.by_node(model, c, g.empty_latent())
    assert seen["evaluations"] == 3 * g.STEPS
    g.assert_close(ours, g.by_hand(tiny.model, c, g.empty_latent()))


def test_nothing_to_say_costs_nothing_and_is_the_plain_picture(tiny):
    positive, negative = g.encode(tiny.clip, "a red apple"), g.encode(tiny.clip, "blurry")
    c = g.personalised(tiny.clip, positive, negative, liked="", disliked="")
    model, seen = g.counting(tiny.model)
    ours = g.by_node(model, c, g.empty_latent())
    assert seen["evaluations"] == 2 * g.STEPS
    g.assert_close(ours, g.host_ksample(tiny.model, c.__class__(positive=positive, negative=negative), g.empty_latent()))


def test_a_side_of_degree_zero_is_not_evaluated(tiny, c):
    model, seen = g.counting(tiny.model)
    g.by_node(model, c, g.empty_latent(), 0.6, 0.0)
    assert seen["evaluations"] == 3 * g.STEPS


@ways
def test_outside_its_range_the_guidance_is_not_evaluated(tiny, c, way):
    from viper.samplers.schedule import GuidanceOptions

    model, seen = g.counting(tiny.model)
    half = way(model, c, g.empty_latent(), guidance=GuidanceOptions(0.0, 0.5), steps=10)
    assert 2 * 10 < seen["evaluations"] < 4 * 10 and seen["evaluations"] % 2 == 0
    whole = way(tiny.model, c, g.empty_latent(), steps=10)
    never = way(tiny.model, c, g.empty_latent(), guidance=GuidanceOptions(1.0, 1.0), steps=10)
    assert g.differ(half, whole) > 1e-3 and g.differ(half, never) > 1e-3
    assert torch.equal(never, g.host_ksample(tiny.model, c, g.empty_latent(), steps=10))


def test_early_and_late_halves_differ(tiny, c):
    from viper.samplers.schedule import GuidanceOptions

    early = g.by_node(tiny.model, c, g.empty_latent(), guidance=GuidanceOptions(0.0, 0.5), steps=8)
    late = g.by_node(tiny.model, c, g.empty_latent(), guidance=GuidanceOptions(0.5, 1.0), steps=8)
    assert g.differ(early, late) > 1e-3


def test_guided_rescale_changes_the_picture_and_holds_its_contrast(tiny, c):
    from viper.samplers.schedule import GuidanceOptions

    plain = g.host_ksample(tiny.model, c, g.empty_latent())
    burnt = g.by_node(tiny.model, c, g.empty_latent(), 2.0)
    held = g.by_node(tiny.model, c, g.empty_latent(), 2.0, guidance=GuidanceOptions(rescale=1.0))
    assert abs(held.std() - plain.std()) < abs(burnt.std() - plain.std())
