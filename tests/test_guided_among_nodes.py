"""The guidance beside other nodes: model patches, guiders, and everything a conditioning entry can carry."""

import copy

import pytest
import torch

from viper.tests import guided as g

pytestmark = pytest.mark.usefixtures("as_in_the_host")

ways = pytest.mark.parametrize("way", g.THREE_WAYS.values(), ids=g.THREE_WAYS.keys())


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
