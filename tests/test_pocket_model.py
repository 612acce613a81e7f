"""The shipped pocket model as host objects: every sampler, and the things people do with an SD model."""

import pytest
import torch


@pytest.fixture(scope="module")
def pocket(host):
    from viper.pocket.loader import load_pocket_model

    return load_pocket_model()


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def encode(clip, text):
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))


def empty(size=16):
    return {"samples": torch.zeros(1, 4, size, size)}


def draw(pocket, text="apple", steps=3, sampler="euler", scheduler="normal", latent=None, denoise=1.0, seed=5, positive=None, model=None):
    import nodes

    model_, clip, _ = pocket
    positive = positive or encode(clip, text)
    out = nodes.common_ksampler(
        model or model_, seed, steps, 4.0, sampler, scheduler, positive, encode(clip, ""), latent or empty(), denoise=denoise
    )
    return out[0]["samples"]


def decode(pocket, samples):
    import nodes

    return nodes.VAEDecode().decode(pocket[2], {"samples": samples})[0]


def samplers():
    from viper.tests.host_server import host_path, use_host

    if host_path() is None:
        return [], []
    use_host()
    import comfy.samplers

    return comfy.samplers.SAMPLER_NAMES, comfy.samplers.SCHEDULER_NAMES


SAMPLERS, SCHEDULERS = samplers()


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler(pocket, name):
    assert torch.isfinite(draw(pocket, sampler=name)).all()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler(pocket, name):
    assert torch.isfinite(draw(pocket, scheduler=name)).all()


def test_same_seed_same_picture_and_other_prompt_other_picture(pocket):
    a, b, c = draw(pocket), draw(pocket), draw(pocket, "tree, blue tones")
    assert torch.equal(a, b) and (a - c).abs().mean() > 0.05


def test_a_word_about_looks_bends_the_picture(pocket):
    # "dark" by itself is one of the looks that these weights hardly show (see the model card); a night they do.
    plain, grey, dark = (decode(pocket, draw(pocket, t, 12)) for t in ("apple", "apple, black and white", "apple, dark"))

    def saturation(x):
        return (x.amax(-1) - x.amin(-1)).mean()

    assert saturation(grey) < 0.5 * saturation(plain)
    assert dark.mean() < plain.mean() - 0.2


def test_an_unknown_word_costs_little(pocket):
    apple, other = draw(pocket, "apple", 12), draw(pocket, "pumpkin", 12)
    noisy = draw(pocket, "apple, zyxomma", 12)
    assert (noisy - apple).square().mean() < (other - apple).square().mean()


def test_latents_are_of_about_unit_scale(pocket):
    z = draw(pocket, "house", 12)
    assert 0.4 < z.std() < 2.0
    assert z.shape == (1, pocket[2].latent_channels, 16, 16)
    assert decode(pocket, z).shape == (1, 128, 128, 3)


def test_image_to_image_keeps_most_of_the_picture(pocket):
    import nodes

    picture = decode(pocket, draw(pocket, "car", 8))
    latent = nodes.VAEEncode().encode(pocket[2], picture)[0]
    near = draw(pocket, "car, sepia", 4, latent=latent, denoise=0.3)
    assert (near - latent["samples"]).square().mean() < latent["samples"].var()


def test_inpainting_touches_only_the_mask(pocket):
    import nodes

    latent = nodes.VAEEncode().encode(pocket[2], torch.full((1, 128, 128, 3), 0.7))[0]
    mask = torch.zeros(1, 128, 128)
    mask[:, :, 64:] = 1
    masked = nodes.SetLatentNoiseMask().set_mask(latent, mask)[0]
    out = draw(pocket, latent=masked)
    assert torch.allclose(out[..., :7], latent["samples"][..., :7], atol=1e-3)
    assert not torch.allclose(out[..., 9:], latent["samples"][..., 9:], atol=1e-1)
    for_inpaint = nodes.VAEEncodeForInpaint().encode(pocket[2], torch.rand(1, 128, 128, 3), mask)[0]
    assert torch.isfinite(draw(pocket, latent=for_inpaint)).all()


def test_tiled_decoding_agrees(pocket):
    import nodes

    z = draw(pocket, latent=empty(32))
    whole = decode(pocket, z)
    tiled = nodes.VAEDecodeTiled().decode(pocket[2], {"samples": z}, 128, 32)[0]
    assert tiled.shape == whole.shape and (tiled - whole).abs().mean() < 0.05


def test_upscaled_latents_go_on(pocket):
    import nodes

    bigger = nodes.LatentUpscale().upscale({"samples": draw(pocket)}, "bilinear", 192, 192, "disabled")[0]
    assert draw(pocket, latent=bigger, denoise=0.5).shape[-2:] == (24, 24)


def test_areas_and_masks(pocket):
    import nodes

    clip = pocket[1]
    area = nodes.ConditioningSetArea().append(encode(clip, "tree"), 64, 128, 0, 0, 1.0)[0]
    mask = torch.zeros(1, 128, 128)
    mask[..., 64:] = 1
    masked = nodes.ConditioningSetMask().append(encode(clip, "house"), mask, "default", 1.0)[0]
    out = draw(pocket, positive=encode(clip, "sun") + area + masked)
    assert torch.isfinite(out).all() and not torch.equal(out, draw(pocket, "sun"))


def test_a_long_prompt_of_two_chunks(pocket):
    assert torch.isfinite(draw(pocket, ", ".join(["apple, pastel colors, soft focus"] * 20))).all()


def test_a_lora_with_standard_keys(pocket, tmp_path):
    """Every adapted layer is found by its ``lora_unet_…``/``lora_te_…`` name, and the picture changes."""
    import comfy.lora
    import comfy.sd
    from safetensors.torch import load_file, save_file

    model, clip, _ = pocket
    layers = {
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k": (128, 256),
        "lora_unet_up_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q": (128, 128),
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj": (256, 256),
        "lora_te_text_model_encoder_layers_1_mlp_fc1": (512, 256),
    }
    sd = {}
    for name, (out, inner) in layers.items():
        sd[f"{name}.lora_up.weight"] = torch.randn(out, 4)
        sd[f"{name}.lora_down.weight"] = torch.randn(4, inner)
        sd[f"{name}.alpha"] = torch.tensor(4.0)
    save_file(sd, tmp_path / "lora.safetensors")
    known = comfy.lora.model_lora_keys_unet(model.model, {}) | comfy.lora.model_lora_keys_clip(clip.cond_stage_model, {})
    assert set(layers) <= set(known)
    tuned, tuned_clip = comfy.sd.load_lora_for_models(model, clip, load_file(tmp_path / "lora.safetensors"), 1.0, 1.0)
    before = draw(pocket)
    assert not torch.equal(before, draw(pocket, model=tuned))
    assert not torch.equal(encode(clip, "apple")[0][0], encode(tuned_clip, "apple")[0][0])
    assert torch.equal(before, draw(pocket))


def test_previews_show_the_picture(pocket):
    from latent_preview import Latent2RGBPreviewer

    z = draw(pocket, "apple", 12)
    latent_format = pocket[0].model.latent_format
    previewer = Latent2RGBPreviewer(latent_format.latent_rgb_factors, latent_format.latent_rgb_factors_bias)
    preview = previewer.decode_latent_to_preview(z)
    small = torch.nn.functional.avg_pool2d(decode(pocket, z).movedim(-1, 1), 8)[0].movedim(0, -1)
    seen = torch.frombuffer(bytearray(preview.tobytes()), dtype=torch.uint8).view(16, 16, 3).float() / 255
    assert (seen - small).abs().mean() < 0.08


def test_random_weights_for_tests_are_seeded(host):
    from viper.pocket.loader import build

    a, b, c = build(seed=1)[0], build(seed=1)[0], build(seed=2)[0]
    first = [next(iter(m.model.diffusion_model.parameters())) for m in (a, b, c)]
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])


def test_missing_weights_say_what_to_do(host, tmp_path):
    from viper.pocket.loader import load_pocket_model

    with pytest.raises(FileNotFoundError, match="Reinstall the pack"):
        load_pocket_model(tmp_path / "none.safetensors")
