"""The formulation of the authors' pipeline, in diffusers, against our nodes in the host: same weights, same latents, 20 Euler steps."""

from types import SimpleNamespace

import pytest
import torch

from viper.tests import families as f
from viper.tests import guided as g

diffusers = pytest.importorskip("diffusers", reason="needs the optional package diffusers")

pytestmark = pytest.mark.usefixtures("as_in_the_host")

STEPS, CFG = 20, 5.0
SIZES = {"height": 1216, "width": 832, "crop_h": 8, "crop_w": 16, "target_height": 1216, "target_width": 832}
SHARED = {"in_channels": 4, "out_channels": 4, "block_out_channels": (32, 64), "layers_per_block": 1, "sample_size": 16}


def sd():
    unet = diffusers.UNet2DConditionModel(
        **SHARED,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=8,  # the number of heads, as in all checkpoints of that time
        cross_attention_dim=64,
    )
    import comfy.supported_models as families

    config = {**f.UNET, "use_linear_in_transformer": False, "transformer_depth": [1, 1], "transformer_depth_output": [1, 1, 1, 1]}
    _, clip = f.sd15()
    return unet, f.model_of(families.SD15, config, 0), clip


def sdxl():
    unet = diffusers.UNet2DConditionModel(
        **SHARED,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=1,  # heads of 64 channels
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        cross_attention_dim=128,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=64 + 6 * 256,
    )
    import comfy.supported_models as families

    config = {
        **f.UNET,
        "use_linear_in_transformer": True,
        "transformer_depth": [0, 2],
        "transformer_depth_output": [0, 0, 2, 2],
        "transformer_depth_middle": 2,
        "context_dim": 128,
        "num_classes": "sequential",
        "adm_in_channels": 64 + 6 * 256,
    }
    _, clip = f.sdxl()
    return unet, f.model_of(families.SDXL, config, 0), clip


@pytest.fixture(scope="module", params=[sd, sdxl], ids=["sd", "sdxl"])
def pair(request, host):
    """One set of weights in both libraries, and a host CLIP."""
    import comfy.utils

    with torch.inference_mode():
        unet, model, clip = request.param()
        unet = f.fill(unet, 21).eval()
        names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)
        weights = {names[k]: v for k, v in unet.state_dict().items()}
        model.model.diffusion_model.load_state_dict(weights)  # all of them, or it fails
    return SimpleNamespace(unet=unet, model=model, clip=clip, is_xl=request.param is sdxl)


class Authors:
    """Sampling as their pipeline does it: Euler on ε, the network called twice a step on batches of two."""

    def __init__(self, pair, noise, sigmas):
        self.pair, self.noise, self.sigmas = pair, noise, sigmas
        table = diffusers.DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod
        self.trained = ((1 - table) / table).sqrt()

    def sample(self, combine, first, second):
        """``first``/``second``: the (embedding, pooled) pairs of the two batches; ``combine`` their four noise predictions."""
        latents = self.noise * (1.0 + self.sigmas[0] ** 2).sqrt()
        for sigma, sigma_next in zip(self.sigmas, self.sigmas[1:], strict=False):
            x = torch.cat([latents] * 2) / (sigma**2 + 1.0).sqrt()
            t = (self.trained - sigma).abs().argmin()
            eps = [branch for pairs in (first, second) for branch in self.predict(x, t, pairs).chunk(2)]
            latents = latents + combine(*eps) * (sigma_next - sigma)
        return latents

    def predict(self, x, t, pairs):
        added = None
        if self.pair.is_xl:
            order = ("height", "width", "crop_h", "crop_w", "target_height", "target_width")
            time_ids = torch.tensor([[SIZES[k] for k in order]] * 2, dtype=torch.float32)
            added = {"text_embeds": torch.cat([pooled for _, pooled in pairs]), "time_ids": time_ids}
        return self.pair.unet(x, t, encoder_hidden_states=torch.cat([E for E, _ in pairs]), added_cond_kwargs=added).sample


def sigmas_of(model):
    import comfy.samplers

    return comfy.samplers.calculate_sigmas(model.model.model_sampling, "simple", STEPS)


def encodings(clip):
    """(embedding, pooled) of prompt, negative, VP+ and VP−, as the text encoder gives them."""
    from viper import host

    texts = (f.PROMPT, f.NEGATIVE, f.LIKED, f.DISLIKED)
    return [(e.cond, e.pooled) for e in (host.encode_text(clip, text) for text in texts)]


def ours(pair, mode, d_plus, d_minus, seed, way=g.by_node):
    """The guidance on the conditionings of Preference Conditioning: the latents as the network sees them, and the noise."""
    import comfy.sample
    import node_helpers

    latent = {"samples": torch.zeros(1, 4, 16, 16)}
    positive, negative = (node_helpers.conditioning_set_values(g.encode(pair.clip, text), SIZES) for text in (f.PROMPT, f.NEGATIVE))
    c = g.personalised(pair.clip, positive, negative, f.LIKED, f.DISLIKED, d_plus, mode=mode, beta_disliked=d_minus)
    out = way(pair.model, c, latent, d_plus, d_minus, cfg=CFG, sampler="euler", scheduler="simple", steps=STEPS, seed=seed)
    return pair.model.model.process_latent_in(out), comfy.sample.prepare_noise(latent["samples"], seed)


@pytest.mark.parametrize(("way", "d_plus", "d_minus"), [("ksampler", 0.85, 0.85), ("guider", 0.85, 0.85), ("apply", 0.7, 0.4)])
def test_official_mode_is_the_authors_pipeline(pair, way, d_plus, d_minus):
    picture, noise = ours(pair, "official", d_plus, d_minus, 7, g.THREE_WAYS[way])
    (E_p, P_p), (E_n, P_n), (E_liked, _), (E_disliked, _) = encodings(pair.clip)

    def combine(eps_u, eps_p, eps_disliked, eps_liked):
        return eps_u + CFG * (eps_p + d_plus * eps_liked - eps_u - d_minus * eps_disliked)

    # Embeddings are added on both sides; the passes of the preferences have the pooled vectors of the prompts.
    shifted = [(E_n + d_minus * E_disliked, P_n), (E_p + d_plus * E_liked, P_p)]
    authors = Authors(pair, noise, sigmas_of(pair.model)).sample(combine, shifted, [(E_disliked, P_n), (E_liked, P_p)])
    assert relative(picture, authors) < 1e-4


def test_paper_mode_is_the_paper_in_diffusers(pair):
    beta = 0.6
    picture, noise = ours(pair, "paper", beta, None, 8)
    (E_p, P_p), negative, (E_liked, _), (E_disliked, _) = encodings(pair.clip)

    def combine(eps_u, eps_p, eps_disliked, eps_liked):
        return (1 - CFG) * eps_u + CFG * (eps_p + beta * (eps_liked - eps_disliked))

    p = (E_p + beta * (E_liked - E_disliked), P_p)
    paper = Authors(pair, noise, sigmas_of(pair.model)).sample(combine, [negative, p], [(E_disliked, P_p), (E_liked, P_p)])
    assert relative(picture, paper) < 1e-4
    assert relative(ours(pair, "official", beta, None, 8)[0], paper) > 1e-2, "both modes are alike"


def relative(a, b):
    assert torch.isfinite(a).all() and torch.isfinite(b).all()
    return ((a - b).norm() / b.norm()).item()
