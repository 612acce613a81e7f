"""Files of the training in diffusers: the same weights in both libraries, the same file, the same prediction and picture."""

from types import SimpleNamespace

import pytest
import torch

from viper.tests import families as f
from viper.tests import test_diffusers_parity as parity

diffusers = pytest.importorskip("diffusers", reason="needs the optional package diffusers")
pytest.importorskip("peft", reason="needs the optional package peft")

LOADERS = {False: diffusers.loaders.StableDiffusionLoraLoaderMixin, True: diffusers.loaders.StableDiffusionXLLoraLoaderMixin}


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def pair(request, host):
    """A network with one set of weights in both libraries."""
    import comfy.utils

    with torch.inference_mode():
        unet, model, clip = getattr(parity, request.param)()
        unet = f.fill(unet, 21).eval()
        names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)
        model.model.diffusion_model.load_state_dict({names[k]: v for k, v in unet.state_dict().items()})
        cond = clip.encode_from_tokens_scheduled(clip.tokenize("a vuqix dog"))
    is_xl = request.param == "sdxl"
    return SimpleNamespace(unet=unet, model=model, clip=clip, cond=f.sdxl_sizes(cond) if is_xl else cond, is_xl=is_xl)


def learned(pair, layers):
    """The model, and adapters that say something."""
    from viper.training.adapters import AdapterSettings
    from viper.training.native import NativeModel

    native = NativeModel(pair.model)
    native.load()
    adapters = native.adapters(AdapterSettings(rank=4, alpha=2.0, layers=layers), seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in adapters.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return native, adapters


@pytest.mark.parametrize("layers", ["attention", "linear"])
def test_saved_lora_loads_in_diffusers_and_predicts_the_same(pair, layers):
    native, adapters = learned(pair, layers)
    generator = torch.Generator().manual_seed(2)
    x, row = torch.randn(1, 4, 16, 16, generator=generator), 500
    level = native.table[row:row + 1].float()
    conds = native.conds(pair.cond, x)
    with native.step():
        plain = native.predict(x, level, [conds]).detach()
        with adapters.attached():
            ours = native.predict(x, level, [conds]).detach()

    saved = adapters.state_dict({layer: names[0] for layer, names in native.names().items()})
    loader = diffusers.StableDiffusionXLPipeline if pair.is_xl else diffusers.StableDiffusionPipeline
    weights, alphas, *_ = loader.lora_state_dict(dict(saved), unet_config=pair.unet.config, return_lora_metadata=True)
    loader.load_lora_into_unet(weights, alphas, pair.unet, adapter_name="subject")
    try:
        trained = [name for name, _ in pair.unet.named_modules() if name.endswith("lora_A.subject")]
        assert len(trained) == len(adapters)
        extra = {}
        if pair.is_xl:
            extra = {"added_cond_kwargs": {"text_embeds": pair.cond[0][1]["pooled_output"].clone(),
                                           "time_ids": torch.tensor([[1216.0, 832.0, 8.0, 16.0, 1216.0, 832.0]])}}  # fmt: skip
        with torch.no_grad():
            theirs = pair.unet(x, torch.tensor([row]), pair.cond[0][0].clone(), **extra).sample
    finally:
        pair.unet.delete_adapters("subject")
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-4)
    assert (ours - plain).abs().max() > 20 * (ours - theirs).abs().max(), "the adapters say something"


@pytest.mark.parametrize("layers", ["attention", "linear"])
def test_a_saved_subject_draws_the_same_picture_in_the_host_and_in_diffusers(pair, layers, tmp_path, monkeypatch):
    """From the file alone: the host's LoraLoader and KSampler; diffusers' load_lora_weights and 20 Euler steps written out."""
    import comfy.sample
    import folder_paths
    import node_helpers

    import nodes
    from viper.training.subject import Subject

    native, adapters = learned(pair, layers)
    saved = adapters.state_dict({layer: names[0] for layer, names in native.names().items()})
    Subject("a vuqix dog", unet=saved).save(tmp_path / "dog.safetensors", "float32")

    class Pipeline(LOADERS[pair.is_xl]):
        unet, text_encoder, text_encoder_2, components, hf_device_map = pair.unet, None, None, {"unet": pair.unet}, None

    monkeypatch.setitem(folder_paths.folder_names_and_paths, "loras", ([str(tmp_path)], {".safetensors"}))
    with torch.inference_mode():
        words = [parity.g.encode(pair.clip, text) for text in ("a vuqix dog in the snow", "blurry")]
        positive, negative = (node_helpers.conditioning_set_values(w, parity.SIZES) for w in words)
        latent = {"samples": torch.zeros(1, 4, 16, 16)}

        def host_draws(model):
            sampled = nodes.common_ksampler(model, 7, parity.STEPS, parity.CFG, "euler", "simple", positive, negative, latent)
            return model.model.process_latent_in(sampled[0]["samples"])

        noise, sigmas = comfy.sample.prepare_noise(latent["samples"], 7), parity.sigmas_of(pair.model)
        plain = host_draws(pair.model)
        ours = host_draws(nodes.LoraLoader().load_lora(pair.model, pair.clip, "dog.safetensors", 1.0, 1.0)[0])

        pipeline = Pipeline()
        pipeline.load_lora_weights(str(tmp_path), weight_name="dog.safetensors", adapter_name="subject")
        try:
            branches = [(w[0][0], w[0][1]["pooled_output"]) for w in words]
            theirs = parity.Authors(pair, noise, sigmas).sample(
                lambda eps_p, eps_u, *_: eps_u + parity.CFG * (eps_p - eps_u), branches, branches)  # fmt: skip
        finally:
            pair.unet.delete_adapters("subject")
    assert parity.relative(ours, theirs) < 1e-3
    assert parity.relative(plain, theirs) > 100 * parity.relative(ours, theirs), "the subject is in the picture"


def test_dora_is_no_dora_in_diffusers_and_it_says_so(pair, caplog):
    """It leaves every file's dora_scale out: the docs say that DoRA is not for diffusers."""
    from viper.training.adapters import AdapterSettings
    from viper.training.native import NativeModel

    native = NativeModel(pair.model)
    adapters = native.adapters(AdapterSettings("dora", rank=4, layers="attention"), seed=0)
    saved = adapters.state_dict({layer: names[0] for layer, names in native.names().items()})
    loader = diffusers.StableDiffusionXLPipeline if pair.is_xl else diffusers.StableDiffusionPipeline
    weights, *_ = loader.lora_state_dict(dict(saved), unet_config=pair.unet.config, return_lora_metadata=True)
    assert any("dora_scale" in key for key in saved) and not any("magnitude" in key or "dora" in key for key in weights)
    assert "DoRA" in caplog.text
