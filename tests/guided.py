"""What the tests of guided sampling share: a tiny model, a hand-written reference, features to put into the graph."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace

import torch

STEPS = 4


def tiny_model(seed: int = 0):
    """(MODEL, CLIP, VAE) of the pocket architecture, but smaller, with seeded random weights."""
    from viper.pocket.loader import PocketConfig, build

    config = PocketConfig(
        model_channels=32,
        channel_mult=(1, 2),
        num_res_blocks=(1, 1),
        transformer_depth=(0, 1),
        transformer_depth_output=(0, 0, 1, 1),
        text_layers=1,
    )
    return SimpleNamespace(**dict(zip(("model", "clip", "vae"), build(seed=seed, config=config), strict=True)))


def encode(clip, text):
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))


def empty_latent(batch=1, size=16):
    return {"samples": torch.zeros(batch, 4, size, size)}


def personalised(clip, positive, negative, liked="pastel, soft light", disliked="dark, grainy", beta=0.6, **options):
    """The four conditionings out of the node itself."""
    from viper.nodes.conditioning import PreferenceConditioning
    from viper.vpe.preferences import Preferences

    out = PreferenceConditioning.execute(
        clip, Preferences.from_text(liked, disliked), positive, negative, beta, options.pop("mode", "paper"), **options
    )
    return SimpleNamespace(**dict(zip(("positive", "negative", "liked", "disliked", "beta"), out.result, strict=True)))


def host_ksample(model, c, latent, cfg=5.0, sampler="euler", scheduler="normal", steps=STEPS, seed=3, denoise=1.0):
    import nodes

    return nodes.common_ksampler(model, seed, steps, cfg, sampler, scheduler, c.positive, c.negative, latent, denoise=denoise)[0]["samples"]


def by_node(
    model,
    c,
    latent,
    beta=0.6,
    beta_disliked=None,
    guidance=None,
    cfg=5.0,
    sampler="euler",
    scheduler="normal",
    steps=STEPS,
    seed=3,
    denoise=1.0,
):
    """ViPerKSampler."""
    from viper.nodes.sampling import KSamplerPreference

    out = KSamplerPreference.execute(
        model,
        seed,
        steps,
        cfg,
        sampler,
        scheduler,
        c.positive,
        c.negative,
        c.liked,
        c.disliked,
        latent,
        denoise,
        beta,
        guidance,
        beta_disliked,
    )
    return out.result[0]["samples"]


def by_apply(model, c, latent, beta=0.6, beta_disliked=None, guidance=None, **sampling):
    """ViPerApplyGuidance and the host's KSampler."""
    from viper.nodes.sampling import ApplyPreferenceGuidance

    patched = ApplyPreferenceGuidance.execute(model, c.liked, c.disliked, beta, guidance, beta_disliked).result[0]
    return host_ksample(patched, c, latent, **sampling)


def by_guider(model, c, latent, beta=0.6, beta_disliked=None, guidance=None, cfg=5.0, **sampling):
    """ViPerGuider and the host's SamplerCustomAdvanced."""
    from viper.nodes.sampling import PreferenceGuider

    guider = PreferenceGuider.execute(model, c.positive, c.negative, c.liked, c.disliked, cfg, beta, guidance, beta_disliked).result[0]
    return sample_custom(guider, latent, **sampling)


THREE_WAYS = {"ksampler": by_node, "guider": by_guider, "apply": by_apply}


def sample_custom(guider, latent, sampler="euler", scheduler="normal", steps=STEPS, seed=3, denoise=1.0):
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import BasicScheduler, RandomNoise, SamplerCustomAdvanced

    sigmas = BasicScheduler.execute(guider.model_patcher, scheduler, steps, denoise).result[0]
    noise = RandomNoise.execute(seed).result[0]
    return SamplerCustomAdvanced.execute(noise, guider, comfy.samplers.sampler_object(sampler), sigmas, latent).result[0]["samples"]


def by_hand(model, c, latent, beta=0.6, beta_disliked=None, cfg=5.0, **sampling):
    """Four branches written out in ε and float64, on a guider that shares no code with ours."""
    import comfy.samplers

    d_plus, d_minus = beta, beta if beta_disliked is None else beta_disliked

    class FourBranches(comfy.samplers.CFGGuider):
        def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006 the host's signature
            four = [
                self.conds["positive"],
                None if math.isclose(self.cfg, 1.0) else self.conds["negative"],
                self.conds["liked"],
                self.conds["disliked"],
            ]
            D = comfy.samplers.calc_cond_batch(self.inner_model, four, x, timestep, model_options)
            sigma = timestep.double().view(-1, *[1] * (x.ndim - 1))
            e_p, e_l, e_d = ((x.double() - D[i].double()) / sigma for i in (0, 2, 3))
            D_p = (x.double() - sigma * (e_p + d_plus * e_l - d_minus * e_d)).to(x.dtype)
            out = [D_p, D[1]]
            for fn in model_options.get("sampler_pre_cfg_function", []):
                out = fn(
                    {
                        "conds": four[:2],
                        "conds_out": out,
                        "cond_scale": self.cfg,
                        "timestep": timestep,
                        "input": x,
                        "sigma": timestep,
                        "model": self.inner_model,
                        "model_options": model_options,
                    }
                )
            return comfy.samplers.cfg_function(
                self.inner_model, out[0], out[1], self.cfg, x, timestep, model_options=model_options, cond=four[0], uncond=four[1]
            )

    guider = FourBranches(model)
    guider.inner_set_conds({"positive": c.positive, "negative": c.negative, "liked": c.liked, "disliked": c.disliked})
    guider.set_cfg(cfg)
    return sample_custom(guider, latent, **sampling)


def by_formula(model, c, latent, beta=0.6, beta_disliked=None, cfg=5.0, **sampling):
    """``ε_u + w (ε_p + d₊ ε₊ − ε_u − d₋ ε₋)`` written out in float64, every branch evaluated by itself.

    ε is the direction ``(x − D) / σ`` of the sampling ODE, which is what a network of ε- or flow-prediction predicts, and what
    follows from one of v-prediction. At scale 1 the unconditional branch has no share, and guiders may not have it.
    """
    import comfy.samplers

    d_plus, d_minus = beta, beta if beta_disliked is None else beta_disliked

    class Written(comfy.samplers.CFGGuider):
        def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006 the host's signature
            sigma = timestep.double().view(-1, *[1] * (x.ndim - 1))

            def eps(branch):
                D = comfy.samplers.calc_cond_batch(self.inner_model, [self.conds[branch]], x, timestep, model_options)[0]
                return (x.double() - D.double()) / sigma

            moved = eps("positive") + d_plus * eps("liked") - d_minus * eps("disliked")
            e = moved if self.cfg == 1.0 else eps("negative") + self.cfg * (moved - eps("negative"))
            return (x.double() - sigma * e).to(x.dtype)

    guider = Written(model)
    guider.inner_set_conds({"positive": c.positive, "negative": c.negative, "liked": c.liked, "disliked": c.disliked})
    guider.set_cfg(cfg)
    return sample_custom(guider, latent, **sampling)


def counting(model):
    """A clone of the MODEL and a Counter: 'calls' of the network, 'evaluations' (batch items) in them."""
    seen = Counter()
    clone = model.clone()

    def wrapper(apply_model, args):
        seen["calls"] += 1
        seen["evaluations"] += len(args["cond_or_uncond"])
        return apply_model(args["input"], args["timestep"], **args["c"])

    clone.set_model_unet_function_wrapper(wrapper)
    return clone, seen


def differ(a, b):
    return (a - b).abs().max().item()


def assert_close(a, b, tolerance=2e-4):
    """Equal up to the float32 rounding that a few sampling steps amplify, relative to the size of the latent."""
    assert torch.isfinite(a).all()
    assert differ(a, b) <= tolerance * max(1.0, b.abs().max().item()), f"they differ by {differ(a, b):.2e}"
