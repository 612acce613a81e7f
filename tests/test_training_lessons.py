"""DreamBooth on models of the host: what it learns, and that it learns the same however it runs."""

from dataclasses import replace

import pytest
import torch

from viper.tests import families
from viper.tests.guided import encode, tiny_model
from viper.tests.host_server import use_host

use_host()

from viper.training import draws, objective  # noqa: E402
from viper.training.adapters import AdapterSettings  # noqa: E402
from viper.training.job import Job  # noqa: E402
from viper.training.lessons import DreamBooth, Lesson  # noqa: E402
from viper.training.native import NativeModel  # noqa: E402
from viper.training.trainer import Trainer  # noqa: E402

JOB = Job(seed=1, steps=4, batch_size=2, learning_rate=1e-2, adapter=AdapterSettings(rank=4, alpha=4.0))


def tiny():
    with torch.inference_mode():  # where checkpoints are loaded
        made = tiny_model()
        return made.model, [encode(made.clip, text) for text in ("a vuqix dog", "a dog")], (1, 8, 8, 8)


def of_family(name):
    family = families.FAMILIES[name]
    with torch.inference_mode():
        model, clip = family.build()
        return model, [family.dress(encode(clip, text)) for text in ("a vuqix dog", "a dog")], family.latent


class Subject:
    """A model and its lessons: two pictures of the subject, three of the class, of two sizes."""

    def __init__(self, made=None):
        self.model, (self.cond, self.class_cond), shape = made or tiny()
        self.native = NativeModel(self.model)
        self.native.load()
        flat = (*shape[:-2], shape[-2] // 2, shape[-1])
        self.instances = [self.lesson(self.cond, size, i) for i, size in enumerate((shape, shape))]
        self.priors = [self.lesson(self.class_cond, size, i + 9) for i, size in enumerate((shape, flat, shape))]

    def lesson(self, cond, shape, seed, **more):
        latent = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        return Lesson(latent, self.native.conds(cond, latent), **more)

    def task(self, job=JOB, instances=None, priors=None):
        adapters = self.native.adapters(job.adapter, job.seed)
        return DreamBooth(self.native, adapters, self.instances if instances is None else instances,
                          self.priors if priors is None else priors, job)  # fmt: skip


@pytest.fixture(scope="module")
def subject():
    return Subject()


def trained(subject, job, folder, **more):
    task = subject.task(job, **more)
    t = Trainer(job, task, folder)
    with task.adapters.attached():
        t.run()
    return t


def values(task):
    return {name: p.detach().clone() for name, p in task.named_parameters().items()}


def test_subject_is_learned_and_the_class_kept(subject, tmp_path):
    job = replace(JOB, steps=40, weighting="min_snr")
    t = trained(subject, job, tmp_path)
    first, last = (sum(t.series["instance"][rows]) for rows in (slice(0, 10), slice(-10, None)))
    assert last < 0.9 * first and len(t.series["prior"]) == 40


def test_gradient_of_four_samples_is_the_mean_of_four_single_ones(subject):
    job = replace(JOB, batch_size=4, noise_offset=0.05)
    task = subject.task(job)
    with torch.no_grad():
        for p in task.adapters.parameters():
            p.add_(0.02)

    def gradient(numbers):
        with task.adapters.attached(), task.step():
            task.loss(numbers).total.backward()
        grads = [p.grad for p in task.adapters.parameters()]
        for p in task.adapters.parameters():
            p.grad = None
        return grads

    whole = gradient([0, 1, 2, 3])
    parts = [gradient([k]) for k in range(4)]
    for i, grad in enumerate(whole):
        torch.testing.assert_close(grad, torch.stack([p[i] for p in parts]).mean(0), rtol=1e-3, atol=1e-6)


def test_loss_is_the_papers_by_hand(subject):
    """λ times the prior, in the model's own target, at the noise and time of each sample."""
    task = subject.task(replace(JOB, prior_weight=0.3))
    with task.adapters.attached(), task.adapters.off(), task.step(), torch.no_grad():
        loss = task.loss([5, 6])
        errors = []
        for what, k in (("instance", 5), ("instance", 6), ("prior", 5), ("prior", 6)):
            lessons = {"instance": task.instances, "prior": task.priors}[what]
            lesson = lessons[draws.place(1, f"{what}s", k, len(lessons))]
            generator = draws.generator(1, f"{what} {k}", 0)
            eps = torch.randn(lesson.latent.shape, generator=generator)
            row = int(objective.sample_times(1, "uniform", generator) * 1000)
            s = task.native.model.model.model_sampling.sigmas[row]
            alpha, sigma = (1 + s**2) ** -0.5, s * (1 + s**2) ** -0.5
            wanted = alpha * eps - sigma * lesson.latent  # the tiny model predicts v
            said = task.native.predict(alpha * lesson.latent + sigma * eps, s[None], [lesson.conds])
            errors.append(float(((said - wanted) ** 2).mean()))
    assert float(loss.instance) == pytest.approx((errors[0] + errors[1]) / 2, rel=1e-4)
    assert float(loss.prior) == pytest.approx((errors[2] + errors[3]) / 2, rel=1e-4)
    assert float(loss.total) == pytest.approx(float(loss.instance) + 0.3 * float(loss.prior), rel=1e-4)


def test_frozen_prior_costs_nothing_at_first_and_holds_the_model_later(subject, tmp_path):
    frozen = [replace_lesson(lesson, subject) for lesson in subject.instances]
    task = subject.task(priors=frozen)
    with task.adapters.attached(), task.step():
        assert float(task.loss([0, 1]).prior.detach()) < 1e-10, "the same call in a batch of another size"
    t = trained(subject, replace(JOB, steps=3), tmp_path, priors=frozen)
    assert t.series["prior"][0] < 1e-10 and t.series["prior"][2] > 1e-8


def replace_lesson(lesson, subject):
    return Lesson(lesson.latent, subject.native.conds(subject.class_cond, lesson.latent), frozen=True)


def test_mask_hides_the_background(subject):
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1.0
    plain, masked = (subject.task(instances=[subject.lesson(subject.cond, (1, 8, 8, 8), 0, **m)], priors=[]) for m in ({}, {"mask": mask}))
    mixed = subject.task(instances=[plain.instances[0], masked.instances[0]], priors=[])
    with torch.no_grad():
        losses = []
        for task in (plain, masked, mixed):
            with task.adapters.attached(), task.step():
                losses.append(float(task.loss([0, 1]).total.detach()))
    assert losses[0] != losses[1] and min(losses[:2]) != losses[2]


def test_cancelled_training_on_a_host_model_goes_on_bit_for_bit(subject, tmp_path):
    job = replace(JOB, steps=5, adapter=AdapterSettings("dora", 4, 4.0, rank_dropout=0.3), accumulation=2)
    whole = trained(subject, job, tmp_path / "whole")

    class Cancelled(BaseException):
        pass

    def on_step(t):
        if t.done == 2:
            raise Cancelled

    task = subject.task(job)
    with pytest.raises(Cancelled), task.adapters.attached():
        Trainer(job, task, tmp_path / "stopped").run(on_step=on_step)
    fresh = Subject()  # as after a restart
    task = fresh.task(job)
    again = Trainer(job, task, tmp_path / "stopped")
    assert again.resume()
    with task.adapters.attached():
        again.run()
    assert all(torch.equal(p, values(whole.task)[name]) for name, p in values(task).items())
    assert again.series == whole.series


def test_model_is_untouched_by_a_cancelled_training(subject, tmp_path):
    before = {name: (id(p), p.requires_grad, p.detach().clone()) for name, p in subject.model.model.named_parameters()}
    lesson = subject.instances[0]
    with torch.no_grad(), subject.native.step():
        said = subject.native.predict(lesson.latent, torch.tensor([1.0]), [lesson.conds])
    task = subject.task()
    calls = []

    def stop():
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), task.adapters.attached():
        Trainer(JOB, task, tmp_path).run(stop=stop)
    for name, p in subject.model.model.named_parameters():
        assert (id(p), p.requires_grad) == before[name][:2] and torch.equal(p, before[name][2]) and p.grad is None
    with torch.no_grad(), subject.native.step():
        assert torch.equal(subject.native.predict(lesson.latent, torch.tensor([1.0]), [lesson.conds]), said)


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sd3", "flux"])
def test_each_family_trains_saves_and_loads(name, tmp_path, caplog):
    import comfy.sd

    s = Subject(of_family(name))
    times = "uniform" if s.native.table is not None else "logit_normal"
    job = replace(JOB, steps=8, times=times, batch_size=1)
    t = trained(s, job, tmp_path)
    names = s.native.names()
    saved = t.task.adapters.state_dict({layer: spellings[0] for layer, spellings in names.items()}, torch.bfloat16)
    patched, _ = comfy.sd.load_lora_for_models(s.model, None, saved, 1.0, 0.0)
    assert "not loaded" not in caplog.text and len(patched.patches) == len(t.task.adapters)
    assert all(float(part.B.detach().abs().max()) > 0 for _, part in t.task.adapters), "every layer has learned"


def test_all_that_learns_is_attached_together_and_saved_under_the_names_of_files(subject):
    task = subject.task()
    with torch.no_grad():
        for p in task.adapters.parameters():
            p.add_(0.1)
    lesson = subject.instances[0]

    def said():
        with torch.no_grad(), subject.native.step():
            return subject.native.predict(lesson.latent, torch.tensor([1.0]), [lesson.conds])

    plain = said()
    with pytest.raises(KeyError), task.attached() as same:
        assert same is task and not torch.equal(said(), plain)
        raise KeyError
    assert torch.equal(said(), plain)
    unet, text = task.tensors(torch.float16)
    names = {layer: spellings[0] for layer, spellings in subject.native.names().items()}
    want = task.adapters.state_dict(names, torch.float16)
    assert unet.keys() == want.keys() and all(torch.equal(unet[key], want[key]) for key in want) and text == {}
