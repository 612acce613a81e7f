"""The text encoder as it is trained: the same words as without, a gradient in every adapter, files, and nothing left behind."""

from dataclasses import replace

import pytest
import torch

from viper.tests import families
from viper.tests.host_server import use_host

use_host()

from viper.training.adapters import AdapterSettings  # noqa: E402
from viper.training.errors import TrainingError  # noqa: E402
from viper.training.job import Job  # noqa: E402
from viper.training.lessons import DreamBooth, Lesson  # noqa: E402
from viper.training.native import NativeModel  # noqa: E402
from viper.training.optimizers import optimizer  # noqa: E402
from viper.training.text import Text, TextModel  # noqa: E402
from viper.training.trainer import Trainer  # noqa: E402

FAMILIES = ("sd15", "sdxl", "sd3", "flux")
SUBJECT, CLASS = "a vuqix dog", "a dog"
JOB = Job(seed=1, steps=4, learning_rate=1e-2, adapter=AdapterSettings(rank=2, alpha=2.0), text_encoder=True)


class Ready:
    """A family's MODEL and CLIP, as nodes get them, and lessons of words."""

    def __init__(self, name, skip=None):
        self.family = families.FAMILIES[name]
        with torch.inference_mode():
            self.model, self.clip = self.family.build()
            if skip is not None:
                self.clip.clip_layer(skip)
        self.native, self.text = NativeModel(self.model), TextModel(self.clip)
        self.native.load(), self.text.load()

    def given(self):
        with torch.inference_mode():
            return {k: v for k, v in self.family.dress([[torch.zeros(1, 1, 1), {}]])[0][1].items() if k != "pooled_output"}

    def lesson(self, prompt, seed, **more):
        latent = torch.randn(self.family.latent, generator=torch.Generator().manual_seed(seed))
        return Lesson(latent, {}, prompt=prompt, given=self.given(), **more)

    def task(self, job=JOB, priors=None, grown=False):
        text = Text(self.text, self.text.adapters(job.adapter, job.seed))
        adapters = self.native.adapters(job.adapter, job.seed)
        if grown:
            generator = torch.Generator().manual_seed(7)
            with torch.no_grad():
                for p in (*adapters.parameters(), *text.adapters.parameters()):
                    p.add_(0.05 * torch.randn(p.shape, generator=generator))
        instances = [self.lesson(SUBJECT, i) for i in range(2)]
        priors = [self.lesson(CLASS, 9)] if priors is None else priors
        return DreamBooth(self.native, adapters, instances, priors, job, text)

    def by_the_host(self, clip=None, prompt=SUBJECT):
        clip = clip or self.clip
        with torch.inference_mode():
            return flat(clip.encode_from_tokens_scheduled(clip.tokenize(prompt)))

    def ours(self, prompt=SUBJECT):
        with torch.no_grad(), self.text.step():
            return flat(self.text.encode(prompt))

    def state(self):
        stage = self.clip.cond_stage_model
        weights = {name: (id(p), p.requires_grad, p.grad, p.detach().clone()) for name, p in stage.named_parameters()}
        hooks = {name: (len(m._forward_hooks), len(m._forward_pre_hooks), "forward" in vars(m)) for name, m in stage.named_modules()}
        return weights, hooks, (dict(self.clip.patcher.patches), self.clip.layer_idx, "load_model" in vars(self.clip))

    def is_untouched(self, before):
        weights, hooks, rest = self.state()
        same = all(w[:3] == before[0][name][:3] and torch.equal(w[3], before[0][name][3]) for name, w in weights.items())
        return same and hooks == before[1] and rest == before[2]


def flat(conditioning):
    (cond, more), = conditioning
    return {"cond": cond, **{k: v for k, v in more.items() if isinstance(v, torch.Tensor)}}


def assert_same(a, b, **close):
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(a[key], b[key].clone(), **close)


@pytest.fixture(scope="module")
def ready():
    made = {}

    def get(name, skip=None):
        if (name, skip) not in made:
            made[name, skip] = Ready(name, skip)
        return made[name, skip]

    return get


@pytest.mark.parametrize("name", [*FAMILIES, "z_image", "hidream"])
def test_words_without_adapters_are_the_hosts_own(name, ready):
    r = ready(name)
    assert_same(r.ours(), r.by_the_host(), rtol=0, atol=0)


@pytest.mark.parametrize("prompt", ["a (vuqix:1.3) dog, [night]", families.MANY], ids=["weighted", "long"])
@pytest.mark.parametrize("skip", [None, -2])
def test_weights_of_words_long_prompts_and_clip_skip_count(prompt, skip, ready):
    r = ready("sd15", skip)
    assert_same(r.ours(prompt), r.by_the_host(prompt=prompt), rtol=0, atol=0)
    adapters = r.text.adapters(JOB.adapter, 1)
    assert len(adapters) == 4 * 3, "the pooled output is read from the last layer"
    with adapters.attached(), r.text.step():
        sum(t.sum() for t in flat(r.text.encode(prompt)).values() if t.requires_grad).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in adapters.parameters())


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_arrive_in_every_text_adapter_of_every_tower(name, ready):
    r = ready(name)
    before, task = r.state(), r.task(grown=True)
    with torch.inference_mode(), task.attached():  # where nodes run
        with torch.inference_mode(False):
            assert task.preflight().unreached == []
            with task.step():
                task.loss([0]).total.backward()
    grads = {name: p.grad for name, p in task.named_parameters().items()}
    assert all(g is not None and torch.isfinite(g).all() and g.abs().sum() > 0 for g in grads.values())
    towers = {n.split(".")[1] for n in grads if n.startswith("text_encoder.")}
    want = {"sd15": {"clip_l"}, "sdxl": {"clip_l", "clip_g"}, "sd3": {"clip_l", "clip_g", "t5xxl"}, "flux": {"clip_l", "t5xxl"}}
    assert towers == want[name]
    assert r.is_untouched(before)


def test_text_encoder_stored_in_16_bits_computes_in_float32_and_keeps_no_second_copy():
    r, kept = Ready("flux"), {}
    with torch.inference_mode():
        for p in r.clip.cond_stage_model.parameters():
            p.data = p.data.to(torch.float16)
    before = r.state()
    assert_same(r.ours(), r.by_the_host(), rtol=1e-4, atol=1e-5)
    task = r.task(grown=True)

    def keep(t):
        kept[t.data_ptr()] = tuple(t.shape)
        return t

    with task.attached(), r.text.step(), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        sum(t.sum() for t in flat(r.text.encode(SUBJECT)).values()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in task.text.adapters.parameters())
    assert not {(64, 64)} & set(kept.values()) and r.is_untouched(before)


def test_layers_that_no_word_comes_through_get_no_adapter(ready):
    """SDXL reads CLIP-L before its last layer, and nothing of its pooled output."""
    names = [name for name, _ in ready("sdxl").text.adapters(JOB.adapter, 1)]
    assert not any(n.startswith("clip_l") and ".layers.2." in n for n in names)
    assert any(n.startswith("clip_g") and ".layers.2." in n for n in names)


def test_checkpointing_gives_the_same_gradients(ready):
    r, got = ready("flux"), []
    for r.native.checkpointing in (False, True):
        task = r.task(grown=True)
        with task.attached(), task.step():
            task.loss([0]).total.backward()
        got.append([p.grad for p in task.named_parameters().values()])
    r.native.checkpointing = False
    for plain, repeated in zip(*got, strict=True):
        torch.testing.assert_close(repeated, plain, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", FAMILIES)
def test_host_loads_the_file_whole_and_hears_the_words_that_training_heard(name, ready, caplog):
    import comfy.sd

    r = ready(name)
    task = r.task(grown=True)
    with task.attached():
        ours = r.ours()
    plain = r.ours()
    unet, text = task.tensors()
    prefixes = {key.split("_")[1] for key in text}
    assert prefixes == {"sd15": {"te"}, "sdxl": {"te1", "te2"}, "sd3": {"te1", "te2", "te3"}, "flux": {"te1", "te3"}}[name]
    model, clip = comfy.sd.load_lora_for_models(r.model, r.clip, {**unet, **text}, 1.0, 1.0)
    assert "not loaded" not in caplog.text and "NOT LOADED" not in caplog.text
    assert len(clip.patcher.patches) == len(task.text.adapters) and len(model.patches) == len(task.adapters)
    theirs = r.by_the_host(clip)
    r.text.load()  # the clean one again
    assert_same(ours, theirs, rtol=1e-3, atol=1e-4)
    assert (ours["cond"] - plain["cond"]).abs().max() > 20 * (ours["cond"] - theirs["cond"]).abs().max()
    fresh = r.task()
    fresh.text.adapters.load_state_dict(text, r.text.names())
    assert all(torch.equal(p, fresh.named_parameters()[key]) for key, p in task.named_parameters().items() if key.startswith("text"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError], ids=["cancel", "error"])
def test_clip_is_untouched_bit_for_bit_by_what_ends_a_training(error, ready, tmp_path, monkeypatch):
    r = ready("sdxl")
    before, said, task = r.state(), r.by_the_host(), r.task()
    trainer, encode = Trainer(JOB, task, tmp_path), r.text.encode

    def breaking(prompt):
        if trainer.done == 2:
            raise error("in the middle of a step")
        return encode(prompt)

    monkeypatch.setattr(r.text, "encode", breaking)
    with pytest.raises(error), task.attached():
        trainer.run()
    assert trainer.done == 2 and r.is_untouched(before)
    assert_same(r.by_the_host(), said, rtol=0, atol=0)
    assert_same(r.by_the_host(r.clip.clone()), said, rtol=0, atol=0)


def test_cancelled_training_of_both_goes_on_bit_for_bit(ready, tmp_path):
    job = replace(JOB, adapter=replace(JOB.adapter, rank_dropout=0.3))
    r = ready("sd15")

    def trainer(folder, r=r):
        return Trainer(job, r.task(job), tmp_path / folder)

    whole, first = trainer("whole"), trainer("stopped")
    with whole.task.attached():
        whole.run()

    def stop():
        if first.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), first.task.attached():
        first.run(stop=stop)
    again = trainer("stopped", Ready("sd15"))  # as after a restart
    assert again.resume() and again.done == 2
    with again.task.attached():
        again.run()
    assert again.series == whole.series
    assert all(torch.equal(p, whole.task.named_parameters()[name]) for name, p in again.task.named_parameters().items())
    moved = [name for name, p in whole.task.named_parameters().items() if name.endswith(".B") and p.abs().sum() > 0]
    assert len(moved) == len(whole.task.adapters) + len(whole.task.text.adapters)


def test_each_prompt_is_encoded_once_a_batch(ready, monkeypatch):
    r, seen = ready("sd15"), []
    job = replace(JOB, batch_size=3)
    task, encode = r.task(job), r.text.encode
    monkeypatch.setattr(r.text, "encode", lambda prompt: seen.append(prompt) or encode(prompt))
    with task.attached(), task.step():
        task.loss([0, 1, 2])
    assert seen == [SUBJECT, CLASS]


def test_frozen_prior_is_the_model_and_the_words_without_adapters(ready):
    r = ready("sd15")
    latent_and_words = r.lesson(CLASS, 0)
    frozen = replace(latent_and_words, frozen=True)
    job = replace(JOB, weighting="paper")
    for grown, holds in ((False, True), (True, False)):
        task = r.task(job, [frozen], grown)
        with torch.no_grad():
            for p in task.adapters.parameters():
                p.zero_()  # what is left are the words
        with task.attached(), task.step():
            prior = float(task.loss([0]).prior.detach())
        assert (prior < 1e-10) == holds


def test_text_encoder_has_a_learning_rate_of_its_own(ready, tmp_path):
    task = ready("sd15").task()
    for job, rate in ((JOB, 5e-3), (replace(JOB, text_encoder_lr=1e-4), 1e-4), (replace(JOB, optimizer="prodigy"), 1e-2)):
        assert job.learning_rate_of("text_encoder.x") == rate and job.learning_rate_of("x") == 1e-2
    groups = Trainer(JOB, task, tmp_path)._optimizer.param_groups
    assert [(g["lr"], len(g["params"])) for g in groups] == [(1e-2, 2 * len(task.adapters)), (5e-3, 2 * len(task.text.adapters))]
    assert JOB.differences(replace(JOB, text_encoder_lr=1e-4)) == ["text encoder lr 0.0001 instead of 0.0"]
    off = replace(JOB, text_encoder=False)
    assert off.differences(replace(off, text_encoder_lr=1e-4)) == []


def test_prodigy_with_two_rates_is_refused(monkeypatch):
    import sys
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "prodigyopt", SimpleNamespace(Prodigy=None))
    with pytest.raises(TrainingError, match="one learning rate for all"):
        optimizer("prodigy", [{"params": [], "lr": 1.0}, {"params": [], "lr": 0.5}], 1.0)


def test_model_that_reads_no_words_of_this_clip_is_told(ready, monkeypatch):
    r = ready("sd15")
    task, encode = r.task(), r.text.encode
    cut = lambda prompt: [[t.detach(), {k: v.detach() for k, v in more.items()}] for t, more in encode(prompt)]  # noqa: E731
    monkeypatch.setattr(r.text, "encode", cut)
    with task.attached(), pytest.raises(TrainingError, match="No gradient reaches the text encoder"):
        task.preflight()
