"""The one mechanism of the guidance inside the host's own sampling code, on a tiny random model."""

import copy

import pytest
import torch

from viper.tests import guided as g


@pytest.fixture(scope="module")
def tiny(host):
    with torch.inference_mode():
        yield g.tiny_model()


@pytest.fixture(scope="module")
def c(tiny):
    with torch.inference_mode():
        yield g.personalised(tiny.clip, g.encode(tiny.clip, "a red apple"), g.encode(tiny.clip, ""))


@pytest.fixture(autouse=True)
def as_in_the_host():
    """Nodes run under inference mode."""
    with torch.inference_mode():
        yield


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


# --- with other nodes in the graph -----------------------------------------------------------------------------------


def rescale_cfg(model):
    from comfy_extras.nodes_model_advanced import RescaleCFG

    return RescaleCFG().patch(model, 0.7)[0]


def pag(model):
    from comfy_extras.nodes_pag import PerturbedAttentionGuidance

    return PerturbedAttentionGuidance.execute(model, 3.0).result[0]


def tcfg(model):
    from comfy_extras.nodes_tcfg import TCFG

    return TCFG.execute(model).result[0]


@ways
@pytest.mark.parametrize("patch", [rescale_cfg, pag, tcfg])
def test_model_patches_of_the_host_keep_their_effect(tiny, c, way, patch):
    ours = way(patch(tiny.model), c, g.empty_latent())
    g.assert_close(ours, g.by_hand(patch(tiny.model), c, g.empty_latent()), tolerance=1e-3)
    assert g.differ(ours, way(tiny.model, c, g.empty_latent())) > 1e-3, "taking the node away changes nothing"
    assert g.differ(ours, g.host_ksample(patch(tiny.model), c, g.empty_latent())) > 1e-3, "taking the guidance away changes nothing"


@pytest.mark.parametrize("patch", [rescale_cfg, pag, tcfg])
def test_before_or_after_the_guidance_is_the_same(tiny, c, patch):
    from viper.samplers.guider import apply_guidance

    before = apply_guidance(patch(tiny.model), c.liked, c.disliked, 0.6)
    after = patch(apply_guidance(tiny.model, c.liked, c.disliked, 0.6))
    assert torch.equal(g.host_ksample(before, c, g.empty_latent()), g.host_ksample(after, c, g.empty_latent()))


@pytest.mark.parametrize("style", ["regular", "nested"])
def test_a_dual_cfg_guider_is_moved_in_its_positive_only(tiny, c, style):
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import DualCFGGuider

    from viper.samplers.guider import apply_guidance

    middle = g.encode(tiny.clip, "a green pear")

    def run(model, guider=None):
        return g.sample_custom(
            guider or DualCFGGuider.execute(model, c.positive, middle, c.negative, 4.0, 2.0, style).result[0], g.empty_latent()
        )

    ours = run(apply_guidance(tiny.model, c.liked, c.disliked, 0.6))

    class ByHand(comfy.samplers.CFGGuider):
        def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006
            n, m, p, liked, disliked = comfy.samplers.calc_cond_batch(
                self.inner_model,
                [self.conds[k] for k in ("negative", "middle", "positive", "liked", "disliked")],
                x,
                timestep,
                model_options,
            )
            p = p + 0.6 * (liked - disliked)
            if style == "nested":
                return n + 2.0 * (m + 4.0 * (p - m) - n)
            return n + 2.0 * (m - n) + 4.0 * (p - m)

    hand = ByHand(tiny.model)
    hand.inner_set_conds({"positive": c.positive, "middle": middle, "negative": c.negative, "liked": c.liked, "disliked": c.disliked})
    g.assert_close(ours, run(None, hand))
    assert g.differ(ours, run(tiny.model)) > 1e-3


def test_two_tastes_on_one_model_add_up(tiny, c):
    from viper.samplers.guider import apply_guidance

    other = g.personalised(tiny.clip, g.encode(tiny.clip, "a red apple"), g.encode(tiny.clip, ""), liked="neon glow", disliked="flat")
    both = apply_guidance(apply_guidance(tiny.model, c.liked, c.disliked, 0.6), other.liked, other.disliked, 0.3)
    swapped = apply_guidance(apply_guidance(tiny.model, other.liked, other.disliked, 0.3), c.liked, c.disliked, 0.6)
    one = g.by_apply(tiny.model, c, g.empty_latent())
    g.assert_close(g.host_ksample(both, c, g.empty_latent()), g.host_ksample(swapped, c, g.empty_latent()))
    assert g.differ(g.host_ksample(both, c, g.empty_latent()), one) > 1e-3


def test_a_guider_without_a_positive_conditioning_gets_a_sentence(tiny, c):
    import comfy.samplers

    from viper.samplers.guider import apply_guidance

    guider = comfy.samplers.CFGGuider(apply_guidance(tiny.model, c.liked, c.disliked, 0.6))
    guider.inner_set_conds({"main": c.positive})
    with pytest.raises(ValueError, match="needs a guider with a positive conditioning"):
        g.sample_custom(guider, g.empty_latent())


# --- features of the conditioning entries ----------------------------------------------------------------------------


def two_areas(tiny, cond):
    import nodes

    return (
        nodes.ConditioningSetArea().append(cond, 64, 128, 0, 0, 1.0)[0]
        + nodes.ConditioningSetArea().append(g.encode(tiny.clip, "a blue house"), 64, 128, 64, 0, 0.8)[0]
    )


def two_masks(tiny, cond):
    import nodes

    left = torch.zeros(1, 128, 128)
    left[..., :64] = 1.0
    set_mask = nodes.ConditioningSetMask().append
    return set_mask(cond, left, "default", 1.0)[0] + set_mask(g.encode(tiny.clip, "a blue house"), 1 - left, "default", 0.7)[0]


def mask_bounds(tiny, cond):
    import nodes

    left = torch.zeros(1, 128, 128)
    left[..., :64] = 1.0
    return cond + nodes.ConditioningSetMask().append(g.encode(tiny.clip, "a blue house"), left, "mask bounds", 1.0)[0]


def ranges(tiny, cond):
    import nodes

    set_range = nodes.ConditioningSetTimestepRange().set_range
    return set_range(cond, 0.0, 0.5)[0] + set_range(g.encode(tiny.clip, "a blue house"), 0.5, 1.0)[0]


def lora_hooks(tiny, cond):
    import comfy.hooks

    return comfy.hooks.set_hooks_for_conditioning(cond, comfy.hooks.create_hook_lora(lora(tiny.model), 1.0, 0.0))


def lora(model):
    generator = torch.Generator().manual_seed(5)
    sd = {}
    for key, weight in model.model.state_dict().items():
        if key.endswith(("attn2.to_k.weight", "attn2.to_v.weight")):
            name = "lora_unet_" + key[len("diffusion_model.") : -len(".weight")].replace(".", "_")
            sd[f"{name}.lora_up.weight"] = torch.randn(weight.shape[0], 4, generator=generator) * 0.3
            sd[f"{name}.lora_down.weight"] = torch.randn(4, weight.shape[1], generator=generator) * 0.3
            sd[f"{name}.alpha"] = torch.tensor(4.0)
    assert sd, "the tiny model has no cross-attention to adapt"
    return sd


def control_net(tiny, cond):
    import nodes

    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(1))
    return nodes.ControlNetApplyAdvanced().apply_controlnet(cond, [], tiny_control(tiny.model), hint, 1.0, 0.0, 1.0)[0]


def control_net_simple(tiny, cond):
    import nodes

    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(1))
    return nodes.ControlNetApply().apply_controlnet(cond, tiny_control(tiny.model), hint, 1.0)[0]


def tiny_control(model):
    """A random ControlNet of the tiny model's shape; its zero convolutions get weights, or it would do nothing."""
    import comfy.cldm.cldm
    import comfy.controlnet
    import comfy.model_management as mm
    import comfy.ops

    config = {k: v for k, v in model.model.model_config.unet_config.items() if k not in ("out_channels", "transformer_depth_output")}
    config |= {"hint_channels": 3, "operations": comfy.ops.manual_cast, "dtype": torch.float32, "device": torch.device("cpu")}
    net = comfy.cldm.cldm.ControlNet(**config)
    generator = torch.Generator().manual_seed(2)
    for p in net.parameters():
        fan_in = p[0].numel() if p.ndim > 1 else 1
        p.data.copy_(torch.randn(p.shape, generator=generator) * (0.5 * fan_in**-0.5 if p.ndim > 1 else 0.02))
    return comfy.controlnet.ControlNet(net, load_device=mm.get_torch_device())


FEATURES = [two_areas, two_masks, mask_bounds, ranges, lora_hooks, control_net, control_net_simple]


@pytest.mark.parametrize("feature", FEATURES)
def test_what_an_entry_carries_goes_for_its_liked_and_disliked_side(tiny, feature):
    plain, negative = g.encode(tiny.clip, "a red apple"), g.encode(tiny.clip, "")
    c = g.personalised(tiny.clip, feature(tiny, plain), negative)
    latent = g.empty_latent()
    reference = g.by_hand(tiny.model, c, latent)
    for way in g.THREE_WAYS.values():
        g.assert_close(way(tiny.model, c, latent), reference, tolerance=1e-3)
    without = g.by_node(tiny.model, g.personalised(tiny.clip, plain, negative), latent)
    assert g.differ(reference, without) > 1e-3, "taking the feature away changes nothing"
    assert g.differ(reference, g.host_ksample(tiny.model, c, latent)) > 1e-3, "taking the guidance away changes nothing"
    if feature not in (two_areas, lora_hooks, control_net):
        return  # masks and ranges of one wording cover the picture together, and the host spreads a simple ControlNet itself
    bare = copy.copy(c)
    bare.liked, bare.disliked = ([[e[0], {"pooled_output": e[1].get("pooled_output")}] for e in side[:1]] for side in (c.liked, c.disliked))
    assert g.differ(reference, g.by_node(tiny.model, bare, latent)) > 1e-4, "the liked and disliked sides did not carry the feature"


def test_hooks_that_only_the_liked_side_carries_are_registered(tiny, c):
    import comfy.hooks

    hooked = copy.copy(c)
    hooked.liked = comfy.hooks.set_hooks_for_conditioning(c.liked, comfy.hooks.create_hook_lora(lora(tiny.model), 1.0, 0.0))
    reference = g.by_hand(tiny.model, hooked, g.empty_latent())
    for way in g.THREE_WAYS.values():
        g.assert_close(way(tiny.model, hooked, g.empty_latent()), reference)
    assert g.differ(reference, g.by_node(tiny.model, c, g.empty_latent())) > 1e-4
    plain = g.host_ksample(tiny.model, c, g.empty_latent())
    assert torch.equal(g.host_ksample(tiny.model, c, g.empty_latent()), plain)


def test_a_lora_on_the_model_reaches_all_four_branches(tiny, c):
    import comfy.sd

    model, _ = comfy.sd.load_lora_for_models(tiny.model, None, lora(tiny.model), 1.0, 0.0)
    ours = g.by_node(model, c, g.empty_latent())
    g.assert_close(ours, g.by_hand(model, c, g.empty_latent()))
    assert g.differ(ours, g.by_node(tiny.model, c, g.empty_latent())) > 1e-3
