"""Models of the host as they are trained: native target, gradients, files, and nothing left behind. Tiny random ones of each family."""

import copy
import logging

import pytest
import torch

from viper.tests import families
from viper.tests.host_server import use_host

use_host()

from viper.host import training as hosted  # noqa: E402
from viper.training import objective  # noqa: E402
from viper.training.adapters import AdapterSettings  # noqa: E402
from viper.training.errors import TrainingError  # noqa: E402
from viper.training.native import NativeModel, native_target  # noqa: E402

TARGETS = {"sd15": "eps", "sd2": "v", "sdxl": "eps", "sd3": "flow", "flux": "flow", "z_image": "flow", "hidream": "flow", "ltxv": "flow"}
TRAINED = [name for name in TARGETS if name != "ltxv"]
SAVED = ("sd15", "sdxl", "sd3", "flux")


class Ready:
    """A family's MODEL as nodes get it (made under inference mode), a batch of two of its samples, each with its own prompt."""

    def __init__(self, name):
        family = families.FAMILIES[name]
        with torch.inference_mode():
            self.model, clip = family.build()
            conds = [family.dress(clip.encode_from_tokens_scheduled(clip.tokenize(p))) for p in ("a vuqix dog", "a dog")]
        generator = torch.Generator().manual_seed(3)
        self.x0, self.eps = (torch.randn((2, *family.latent[1:]), generator=generator) for _ in range(2))
        self.native = NativeModel(self.model)
        self.native.load()
        self.conds = [self.native.conds(cond, self.x0[:1]) for cond in conds]
        times = torch.tensor([0.3, 0.7], dtype=torch.float64)
        self.level = objective.noise_levels(times, self.native.table).float()
        self.alpha, self.sigma = objective.levels(self.native.target, self.level)
        self.x_t = objective.noised(self.x0, self.eps, self.alpha, self.sigma)

    def predict(self, rows=(0, 1)):
        rows = list(rows)
        return self.native.predict(self.x_t[rows], self.level[rows], [self.conds[i] for i in rows])

    def loss(self):
        target = objective.native_target(self.native.target, self.x0, self.eps, self.alpha, self.sigma)
        errors = objective.squared_errors(self.predict(), target)
        return objective.dreambooth_loss(errors, torch.ones(2), [False, True], 1.0).total

    def adapters(self, kind="lora", layers="attention", moved=True):
        adapters = self.native.adapters(AdapterSettings(kind, 4, 2.0, layers), seed=1)
        if moved:
            generator = torch.Generator().manual_seed(7)
            with torch.no_grad():
                for p in adapters.parameters():
                    p.add_(0.05 * torch.randn(p.shape, generator=generator))
        return adapters


@pytest.fixture(scope="module")
def ready():
    made = {}

    def get(name):
        if name not in made:
            made[name] = Ready(name)
        return made[name]

    return get


def bits(model):
    return {name: t.detach().clone().contiguous().view(torch.uint8) for name, t in model.model.state_dict().items() if t.numel()}


def marks(model):
    def own(layer):
        told = {k: v for k, v in vars(layer).items() if k not in ("_parameters", "_buffers", "_modules")}
        return {k: dict(v) if isinstance(v, dict) else str(v) for k, v in told.items()}

    layers = {name: own(layer) for name, layer in model.model.named_modules() if name}
    weights = {name: (id(p), p.requires_grad, p.grad, p.data_ptr()) for name, p in model.model.named_parameters()}
    return layers, weights, copy.copy(model.patches), dict(model.object_patches), str(model.model_options)


@pytest.mark.parametrize("name", TARGETS)
def test_native_target_is_the_familys_own(name, ready):
    assert ready(name).native.target == TARGETS[name]


def test_native_target_follows_a_modelsampling_node_and_refuses_what_it_cannot_train(ready):
    from comfy_extras.nodes_model_advanced import ModelSamplingContinuousEDM, ModelSamplingDiscrete

    model = ready("sd15").model
    for name, want in (("v_prediction", "v"), ("x0", "x0"), ("eps", "eps")):
        patched = ModelSamplingDiscrete().patch(model, name, False)[0]
        assert native_target(hosted.sampling_of(patched)) == want
    with pytest.raises(TrainingError, match="predicts something that cannot be trained"):
        native_target(hosted.sampling_of(ModelSamplingContinuousEDM().patch(model, "edm_playground_v2.5", 120.0, 0.002)[0]))


@pytest.mark.parametrize("name", TARGETS)
def test_prediction_is_what_the_hosts_sampler_would_get(name, ready):
    """Denoised latents out of our native prediction equal those of the host's own calc_cond_batch."""
    import comfy.sampler_helpers
    import comfy.samplers

    r = ready(name)
    with torch.no_grad(), r.native.step():
        ours, _ = objective.split(r.native.target, r.predict().detach(), r.x_t, r.alpha, r.sigma)
        for i in range(2):
            scaled = r.x_t[i:i + 1] / (1.0 if r.native.target == "flow" else r.alpha[i])
            cond = {"model_conds": r.conds[i], "uuid": i}
            r.model.pre_run()
            theirs = comfy.samplers.calc_cond_batch(r.model.model, [[cond]], scaled, r.level[i:i + 1], {"transformer_options": {}})[0]
            torch.testing.assert_close(ours[i:i + 1], theirs, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("name", TARGETS)
def test_batch_of_two_predicts_what_each_alone_does(name, ready):
    r = ready(name)
    with torch.no_grad(), r.native.step():
        torch.testing.assert_close(r.predict(), torch.cat((r.predict([0]), r.predict([1]))), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("name", TRAINED)
def test_every_adapter_gets_a_finite_gradient_under_inference_mode(name, kind, ready):
    r = ready(name)
    adapters = r.adapters(kind)
    before, weights = marks(r.model), bits(r.model)
    with torch.inference_mode(), adapters.attached():  # where nodes run
        with torch.inference_mode(False):
            told = r.native.preflight(adapters, r.loss)
            with r.native.step():
                r.loss().backward()
    assert told.unreached == [] and told.loss > 0 and told.seconds > 0 and told.peak_memory is None
    assert all(p.grad is not None and torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in adapters.parameters())
    assert marks(r.model) == before
    after = bits(r.model)
    assert all(torch.equal(weights[key], after[key]) for key in weights) and weights.keys() == after.keys()


@pytest.mark.parametrize("name", TRAINED)
def test_checkpointing_gives_the_same_gradients_and_keeps_less(name, ready):
    r = ready(name)
    adapters = r.adapters("lora", "attention")
    before, got = marks(r.model), {}
    for r.native.checkpointing in (False, True):
        kept = {}

        def keep(t, kept=kept):
            kept[t.data_ptr()] = t.numel()
            return t

        with adapters.attached(), r.native.step(), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            r.loss().backward()
        got[r.native.checkpointing] = [p.grad for p in adapters.parameters()], sum(kept.values())
        for p in adapters.parameters():
            p.grad = None
    r.native.checkpointing = False
    for plain, repeated in zip(got[False][0], got[True][0], strict=True):
        torch.testing.assert_close(repeated, plain, rtol=1e-4, atol=1e-7)
    assert got[True][1] < 0.6 * got[False][1], "numbers kept for the backward pass"
    assert marks(r.model) == before


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("layers", ["attention", "all"])
@pytest.mark.parametrize("name", SAVED)
def test_host_loads_the_file_whole_and_predicts_the_same(name, layers, kind, ready, caplog):
    import comfy.sd

    r = ready(name)
    adapters = r.adapters(kind, layers)
    with torch.no_grad(), r.native.step():
        plain = r.predict()
        with adapters.attached():
            ours = r.predict()
    names = r.native.names()
    saved = adapters.state_dict({layer: spelling[0] for layer, spelling in names.items()})
    assert all(key.startswith("lora_unet_") for key in saved)
    with caplog.at_level(logging.WARNING):
        patched, _ = comfy.sd.load_lora_for_models(r.model, None, dict(saved), 1.0, 0.0)
    assert "not loaded" not in caplog.text and "NOT LOADED" not in caplog.text
    assert len(patched.patches) == len(adapters)
    loaded = NativeModel(patched)
    loaded.load()
    try:
        with torch.no_grad(), loaded.step():
            theirs = loaded.predict(r.x_t, r.level, r.conds)
    finally:
        r.native.load()  # the clean clone again: patches are taken off
    assert "ERROR" not in caplog.text
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    assert (ours - plain).abs().max() > 20 * (ours - theirs).abs().max(), "the adapters say something"
    fresh = r.adapters(kind, layers, moved=False)
    fresh.load_state_dict(saved, names)
    assert all(torch.equal(p, fresh.named_parameters()[key]) for key, p in adapters.named_parameters().items())


@pytest.mark.parametrize("name", ["sd15", "sdxl"])
def test_unet_files_use_the_names_that_diffusers_reads(name, ready):
    first = [spellings[0] for layer, spellings in ready(name).native.names().items() if "transformer_blocks" in layer]
    assert first and all(n.startswith(("lora_unet_down_blocks_", "lora_unet_mid_block_", "lora_unet_up_blocks_")) for n in first)


@pytest.mark.parametrize("name", ["sd15", "flux"])
def test_eight_bit_model_trains_and_its_file_fits(name, ready):
    """Weights in fp8, computed in float32: the host's manual cast."""
    family = families.FAMILIES[name]
    with torch.inference_mode():
        model, clip = family.build()
        cond = family.dress(clip.encode_from_tokens_scheduled(clip.tokenize("a dog")))
        for layer in model.model.diffusion_model.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight = torch.nn.Parameter(layer.weight.detach().to(torch.float8_e4m3fn), requires_grad=False)
                layer.comfy_cast_weights = True
    native = NativeModel(model)
    native.load()
    adapters = native.adapters(AdapterSettings("dora", 2, 2.0, "attention"), seed=0)
    x, level = torch.randn(1, *family.latent[1:], generator=torch.Generator().manual_seed(0)), torch.tensor([0.5])
    conds = [native.conds(cond, x)]
    weights = bits(model)
    with adapters.attached():
        told = native.preflight(adapters, lambda: native.predict(x, level, conds).square().mean())
    assert told.unreached == [] and all(torch.equal(weights[key], t) for key, t in bits(model).items())


@pytest.mark.parametrize("budget", [0.3, 0.0])
def test_partial_load_after_training_is_the_clean_model(budget, ready):
    """The host keeps weights away from a small device and patches them on the way: no adapter may be among the patches."""
    r = ready("sd15")
    with torch.no_grad(), r.native.step():
        plain = r.predict()
    adapters = r.adapters("dora", "all")
    with adapters.attached(), r.native.step():
        r.loss().backward()
    r.model.unpatch_model(r.model.offload_device)
    r.model.patch_model(r.model.load_device, lowvram_model_memory=max(1, int(budget * r.model.model_size())))
    try:
        with torch.no_grad(), r.native.step():
            assert torch.equal(r.predict(), plain)
        fresh = r.adapters("lora", "all")
        with fresh.attached():
            assert r.native.preflight(fresh, r.loss).unreached == []
    finally:
        r.model.unpatch_model(r.model.offload_device)
        r.native.load()


def test_attention_without_a_backward_pass_is_named(ready):
    r = ready("sd15")
    cut = r.model.clone()
    cut.set_model_attn1_output_patch(lambda n, extra: n.detach())
    cut.set_model_attn2_output_patch(lambda n, extra: n.detach())
    native = NativeModel(cut)
    adapters = native.adapters(AdapterSettings(layers=r"to_[qkv]$"), seed=0)
    with adapters.attached(), pytest.raises(TrainingError, match="No gradient comes through this model"):
        native.preflight(adapters, lambda: native.predict(r.x_t, r.level, r.conds).square().mean())


def test_family_that_overwrites_what_the_gradient_needs_is_refused(ready):
    r = ready("ltxv")  # the host's code calls x.addcmul_(…) and drops the result
    adapters = r.adapters()
    with adapters.attached(), pytest.raises(TrainingError, match="No gradient comes through this model"):
        r.native.preflight(adapters, r.loss)


def test_what_a_graph_puts_onto_a_prompt_can_be_given(ready):
    r = ready("flux")
    cond = [[torch.zeros(1, 4, 64), {"pooled_output": torch.zeros(1, 64), "guidance": 3.5}]]
    assert float(r.native.conds(cond, r.x0[:1])["guidance"].cond) == 3.5
    assert float(r.native.conds(cond, r.x0[:1], guidance=1.0)["guidance"].cond) == 1.0


def test_numbers_that_are_not_finite_are_named_before_the_long_work(ready):
    r = ready("sd15")
    adapters = r.adapters()
    with adapters.attached(), pytest.raises(TrainingError, match="not finite"):
        r.native.preflight(adapters, lambda: r.predict().square().mean() * float("inf"))
    assert all(p.grad is None for p in adapters.parameters())
