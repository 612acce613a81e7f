"""Full fine-tuning: that it is one, that the host's weights stay, and that its file is the model it made."""

import copy
import logging
from dataclasses import replace

import pytest
import torch
from torch import nn

from viper.tests import families
from viper.tests.host_server import use_host

use_host()

from viper.tests.test_training_lessons import JOB, Subject, of_family  # noqa: E402
from viper.tests.test_training_text import SUBJECT, Ready, assert_same  # noqa: E402
from viper.training import draws, objective  # noqa: E402
from viper.training.adapters import AdapterSettings  # noqa: E402
from viper.training.errors import TrainingError  # noqa: E402
from viper.training.full import Full  # noqa: E402
from viper.training.native import NativeModel  # noqa: E402
from viper.training.trainer import Trainer  # noqa: E402

FULL = replace(JOB, adapter=AdapterSettings("full"), learning_rate=1e-3, steps=3)


@pytest.fixture(scope="module")
def subject():
    return Subject()


def bits(model):
    return {name: (id(p), p.requires_grad, p.grad, p.detach().clone()) for name, p in model.model.named_parameters()}


def same(before, model):
    return all(mark[:3] == before[name][:3] and torch.equal(mark[3], before[name][3]) for name, mark in bits(model).items())


def grow(full, seed=7):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in full.parameters():
            p.add_(0.02 * torch.randn(p.shape, generator=generator))
    return full


def test_training_is_a_hand_written_full_fine_tuning(subject, tmp_path):
    """torch's AdamW on a copy of the weights, the loss written out: same samples, same noise.

    Weights whose gradient is only rounding (a bias in front of a norm) are left out: Adam makes full steps of them.
    """
    job = replace(FULL, learning_rate=1e-4)
    task = subject.task(job, priors=[])
    trainer = Trainer(job, task, tmp_path)
    with task.attached():
        trainer.run()

    sampling, network = subject.model.model.model_sampling, copy.deepcopy(subject.model.model.diffusion_model)
    weights = {name: nn.Parameter(p.detach().clone()) for name, p in network.named_parameters()}
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-4, weight_decay=0.0)
    smallest = {}
    for step in range(3):
        terms = []
        for k in (2 * step, 2 * step + 1):
            lesson = task.instances[draws.place(1, "instances", k, 2)]
            generator = draws.generator(1, f"instance {k}", 0)
            eps = torch.randn(lesson.latent.shape, generator=generator)
            s = sampling.sigmas[int(objective.sample_times(1, "uniform", generator) * 1000)]
            alpha, sigma = (1 + s**2) ** -0.5, s * (1 + s**2) ** -0.5
            noisy, wanted = alpha * lesson.latent + sigma * eps, alpha * eps - sigma * lesson.latent
            given = (noisy, sampling.timestep(s[None]).float())
            said = torch.func.functional_call(network, weights, given, {"context": lesson.conds["c_crossattn"].cond})
            terms.append(((said - wanted) ** 2).mean())
        optimizer.zero_grad()
        torch.stack(terms).mean().backward()
        nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        for name, p in weights.items():
            smallest[name] = p.grad.abs().minimum(smallest.get(name, p.grad.abs()))
    moved, told, all_ = 0.0, 0, 0
    for name, p in network.named_parameters():
        ours = p.detach() + task.adapters.named_parameters()[name].detach()
        sound = smallest[name] > 1e-6
        told, all_ = told + int(sound.sum()), all_ + sound.numel()
        torch.testing.assert_close(ours[sound], weights[name].detach()[sound], rtol=0, atol=1e-5)
        moved = max(moved, float((ours - p.detach()).abs().max()))
    assert moved > 2e-4 and told > 0.9 * all_
    assert task.adapters.named_parameters().keys() == weights.keys(), "every weight learns"


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sd3", "flux", "z_image", "hidream"])
def test_host_loads_the_file_whole_and_predicts_what_training_saw(name, caplog, ready):
    import comfy.sd

    s = ready(name)
    caplog.set_level(logging.INFO)
    task = s.task(FULL)
    grow(task.adapters)
    trained = set(task.adapters.named_parameters())
    floats = {n for n, p in s.native.model.model.diffusion_model.named_parameters() if p.is_floating_point() and p.numel()}
    left = {"x_pad_token", "cap_pad_token"} if name == "z_image" else set()  # the host would read them and apply nothing
    assert trained == floats - left and ("have no name for them: x_pad_token, cap_pad_token." in caplog.text) == bool(left)
    x, level = s.instances[0].latent, torch.tensor([0.6])
    conds = [s.instances[0].conds]

    def said(native):
        with torch.no_grad(), native.step():
            return native.predict(x, level, conds)

    plain = said(s.native)
    with task.attached():
        ours = said(s.native)
        with task.off():
            assert torch.equal(said(s.native), plain)
        with torch.no_grad(), task.step(), task.off():
            assert torch.equal(s.native.predict(x, level, conds), plain)
    assert torch.equal(said(s.native), plain)
    saved, _ = task.tensors()
    caplog.clear()
    patched, _ = comfy.sd.load_lora_for_models(s.model, None, saved, 1.0, 0.0)
    assert "not loaded" not in caplog.text and "NOT LOADED" not in caplog.text
    assert len(patched.patches) == len(saved) == len(trained)
    loaded = NativeModel(patched)
    loaded.load()
    theirs = said(loaded)
    s.native.load()  # the clean clone again
    assert torch.equal(ours, theirs) and not torch.allclose(ours, plain, atol=1e-3) and "ERROR" not in caplog.text
    fresh = s.task(FULL).adapters
    fresh.load_state_dict(saved, s.native.names())
    assert all(torch.equal(p, fresh.named_parameters()[key]) for key, p in task.adapters.named_parameters().items())
    with pytest.raises(TrainingError, match="nothing that fits"):
        fresh.load_state_dict(dict(list(saved.items())[1:]), s.native.names())


@pytest.fixture(scope="module")
def ready():
    made = {}

    def get(name):
        if name not in made:
            made[name] = Subject(of_family(name))
        return made[name]

    return get


def test_every_weight_gets_a_gradient_with_checkpointing_too(ready):
    s, got = ready("flux"), []
    before = bits(s.model)
    for s.native.checkpointing in (False, True):
        task = s.task(replace(FULL, batch_size=1, times="logit_normal"))
        grow(task.adapters)
        with torch.inference_mode(), task.attached(), torch.inference_mode(False):
            assert task.preflight().unreached == []
            with task.step():
                task.loss([0]).total.backward()
        got.append([p.grad for p in task.adapters.parameters()])
    s.native.checkpointing = False
    for plain, repeated in zip(*got, strict=True):
        torch.testing.assert_close(repeated, plain, rtol=1e-4, atol=1e-6)
    assert same(before, s.model)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError], ids=["cancel", "error"])
def test_model_is_unchanged_bit_for_bit_however_the_training_ends(error, subject, tmp_path, monkeypatch):
    before = bits(subject.model)
    task = subject.task(FULL)
    trainer, predict = Trainer(FULL, task, tmp_path), subject.native.predict

    def breaking(*args):
        if trainer.done == 1:
            raise error("in the middle of a step")
        return predict(*args)

    monkeypatch.setattr(subject.native, "predict", breaking)
    with pytest.raises(error), task.attached():
        trainer.run()
    assert trainer.done == 1 and same(before, subject.model) and subject.native.within == []
    assert all("forward" not in vars(m) for m in subject.model.model.diffusion_model.modules())


def test_previews_while_it_is_attached_show_what_was_learned(subject):
    """The host samples with its own calls, under inference mode and outside of steps."""
    import comfy.sample

    task = subject.task(FULL)
    grow(task.adapters)
    before, noise = bits(subject.model), torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0))

    def sampled(model):
        with torch.inference_mode():
            cond = (subject.cond, subject.class_cond)
            return comfy.sample.sample(model, noise, 2, 3.0, "euler", "normal", *cond, torch.zeros_like(noise), disable_pbar=True)

    plain = sampled(subject.model)
    with task.attached():
        ours = sampled(subject.model)
    assert torch.equal(sampled(subject.model), plain) and same(before, subject.model)
    import comfy.sd

    patched, _ = comfy.sd.load_lora_for_models(subject.model, None, task.tensors()[0], 1.0, 0.0)
    theirs = sampled(patched)
    subject.native.load()
    assert torch.equal(ours, theirs) and not torch.equal(ours, plain)


def test_cancelled_training_goes_on_bit_for_bit(subject, tmp_path):
    whole, stopped = (Trainer(FULL, subject.task(FULL), tmp_path / name) for name in ("whole", "stopped"))
    with whole.task.attached():
        whole.run()

    def stop():
        if stopped.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), stopped.task.attached():
        stopped.run(stop=stop)
    fresh = Subject()  # as after a restart
    again = Trainer(FULL, fresh.task(FULL), tmp_path / "stopped")
    assert again.resume() and again.done == 2
    with again.task.attached():
        again.run()
    assert all(torch.equal(p, whole.task.named_parameters()[name]) for name, p in again.task.named_parameters().items())
    assert again.series == whole.series


@pytest.mark.parametrize("name", ["sd15", "sdxl", "flux"])
def test_text_encoder_is_trained_whole_and_its_file_says_the_same(name, caplog):
    import comfy.sd

    r = Ready(name)
    caplog.set_level(logging.INFO)
    before = r.state()
    task = r.task(replace(FULL, text_encoder=True, times="logit_normal" if name == "flux" else "uniform"))
    assert {t.split(".logit_scale")[0] for t in caplog.text.split(": ")[-1].strip(" .\n").split(", ")} <= {"clip_l", "clip_g", "t5xxl"}
    grow(task.adapters), grow(task.text.adapters)
    with task.attached():
        assert task.preflight().unreached == []
        ours = r.ours()
        previewed = r.by_the_host()
    assert r.is_untouched(before) and r.text.within == []
    caplog.clear()
    unet, text = task.tensors()
    model, clip = comfy.sd.load_lora_for_models(r.model, r.clip, {**unet, **text}, 1.0, 1.0)
    assert "not loaded" not in caplog.text and "NOT LOADED" not in caplog.text
    assert len(clip.patcher.patches) == len(text) and len(model.patches) == len(unet)
    theirs = r.by_the_host(clip)
    r.text.load()
    assert_same(ours, theirs, rtol=1e-5, atol=1e-6)
    assert_same(ours, previewed, rtol=1e-5, atol=1e-6)
    assert (ours["cond"] - r.by_the_host(prompt=SUBJECT)["cond"]).abs().max() > 1e-2


def test_shared_weights_learn_once_and_are_saved_under_each_name():
    net = nn.ModuleDict({"a": nn.Linear(3, 3, bias=False), "b": nn.Linear(3, 3, bias=False)})
    net["b"].weight = net["a"].weight
    names = {"a": ["lora_unet_a"], "b": ["lora_unet_b"]}
    within = []
    full = Full(net, AdapterSettings("full"), names, torch.device("cpu"), within, [])
    grow(full)
    W = net["a"].weight
    with full.attached(), within[0]():
        assert net["a"].weight is net["b"].weight and net["a"].weight is not W
        net["b"].weight.sum().backward()
    assert net["a"].weight is W is net["b"].weight
    saved = full.state_dict({k: v[0] for k, v in names.items()})
    assert len(full) == 1 and list(saved) == ["lora_unet_a.diff", "lora_unet_b.diff"] and full.parameters()[0].grad.eq(1).all()


def test_weights_without_a_name_in_files_are_named_and_left(caplog):
    caplog.set_level(logging.INFO)
    net = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)})
    full = Full(net, AdapterSettings("full"), {"a": ["lora_unet_a"]}, torch.device("cpu"), [], [])
    assert list(full.named_parameters()) == ["a.weight", "a.bias"]
    assert "Not trained, because LoRA files have no name for them: b.weight, b.bias." in caplog.text
    with pytest.raises(TrainingError, match="no name for any weight"):
        Full(net, AdapterSettings("full"), {}, torch.device("cpu"), [], [])


def test_half_precision_weights_learn_in_float32_and_show_what_the_host_would_load():
    net = nn.Linear(2, 1, bias=False).to(torch.bfloat16)
    within = []
    full = Full(nn.ModuleDict({"a": net}), AdapterSettings("full"), {"a": ["x"]}, torch.device("cpu"), within, [])
    with torch.no_grad():
        full.parameters()[0].fill_(1e-4)  # far below what bfloat16 tells apart
    with full.attached(), within[0]():
        assert net.weight.dtype is torch.bfloat16
        net.weight.float().sum().backward()
    assert full.parameters()[0].grad.dtype is torch.float32 and float(full.state_dict({"a": "x"})["x.diff"][0, 0]) == pytest.approx(1e-4)


def test_weakened_differences_are_the_interpolated_weights(subject):
    full = grow(subject.task(FULL).adapters)
    whole = full.state_dict({name: names[0] for name, names in subject.native.names().items()})
    full.weaken(0.25)
    weak = full.state_dict({name: names[0] for name, names in subject.native.names().items()})
    assert weak.keys() == whole.keys() and all(torch.equal(weak[name], 0.25 * whole[name]) for name in whole)


def test_packed_weights_are_refused_with_what_trains_them():
    family = families.FAMILIES["sd15"]
    with torch.inference_mode():
        model, _ = family.build()
        for layer in model.model.diffusion_model.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight = torch.nn.Parameter(layer.weight.detach().to(torch.float8_e4m3fn), requires_grad=False)
    with pytest.raises(TrainingError, match="train lora, or load the model in 16 bits"):
        NativeModel(model).adapters(AdapterSettings("full"), 0)


def test_model_that_lies_only_partly_on_the_device_is_refused(subject):
    task = subject.task(FULL)
    subject.model.unpatch_model(subject.model.offload_device)
    patched = subject.model.clone()
    weight = "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.weight"
    patched.add_patches({weight: (torch.zeros_like(subject.model.model.state_dict()[weight]),)})
    patched.patch_model(patched.load_device, lowvram_model_memory=1)  # patched on the way, again at every call
    try:
        with task.attached(), pytest.raises(TrainingError, match="needs the whole model on the device"):
            task.preflight()
    finally:
        patched.unpatch_model(patched.offload_device)
        subject.native.load()


def test_rank_and_layers_do_not_tell_full_trainings_apart():
    assert FULL.differences(replace(FULL, adapter=AdapterSettings("full", 4, 2.0, "all", 0.5))) == []
    assert FULL.differences(replace(FULL, adapter=AdapterSettings("lora"))) == ["kind lora instead of full"]
