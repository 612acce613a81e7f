"""The loop: what it does in a step, and that nothing stops it for good."""

import shutil
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import nn

from viper.training import draws, optimizers, trainer
from viper.training.adapters import AdapterSettings
from viper.training.errors import TrainingError
from viper.training.job import Job
from viper.training.objective import dreambooth_loss, squared_errors
from viper.training.trainer import STATE, Trainer

JOB = Job(seed=3, steps=12, batch_size=2, accumulation=2, learning_rate=0.05, data="toy")


class Toy:
    """A line through noisy points; every sample is drawn from its number, as in a real task."""

    def __init__(self, job=JOB, priors=True):
        self.net, self.job, self.priors = nn.Linear(3, 2), job, priors
        with torch.no_grad():
            for p, value in zip(self.net.parameters(), (0.5, -0.1), strict=True):
                p.fill_(value)
        self.seen, self.dropped = [], None

    def named_parameters(self):
        return dict(self.net.named_parameters())

    def new_step(self, step):
        self.dropped = (torch.rand(2, generator=draws.generator(self.job.seed, "dropout", step)) > 0.3).float()

    def step(self):
        return nullcontext()

    def weaken(self, strength):
        with torch.no_grad():
            for p in self.net.parameters():
                p.mul_(strength)

    def loss(self, numbers):
        self.seen += numbers
        rows = [(k, what) for what in ("instance", "prior")[: 1 + self.priors] for k in numbers]
        x = torch.stack([torch.randn(3, generator=draws.generator(self.job.seed, what, k)) for k, what in rows])
        places = torch.tensor([draws.place(self.job.seed, "data", k, 5) + 1.0 for k, _ in rows])
        y = torch.stack([x.sum(1), x[:, 0] * places], 1)
        errors = squared_errors(self.net(x) * self.dropped, y)
        return dreambooth_loss(errors, torch.ones(len(rows)), [what == "prior" for _, what in rows], 0.5)


def weights(task):
    return {name: p.detach().clone() for name, p in task.named_parameters().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


class Cancelled(BaseException):
    """As the host's own."""


def stop_at(step, then=Cancelled):
    def on_step(t):
        if t.done == step:
            raise then

    return on_step


@pytest.fixture
def whole(tmp_path):
    """A training that nothing stopped."""
    t = Trainer(JOB, Toy(), tmp_path / "whole")
    t.run()
    return t


def test_loss_falls_and_every_series_has_a_value_a_step(tmp_path):
    job = replace(JOB, steps=150)
    t = Trainer(job, Toy(job), tmp_path / "a")
    t.run()
    assert sum(t.series["loss"][-20:]) < 0.8 * sum(t.series["loss"][:20])
    assert {name: len(values) for name, values in t.series.items()} == {name: 150 for name in trainer.SERIES}
    assert t.series["loss"][3] == pytest.approx(t.series["instance"][3] + 0.5 * t.series["prior"][3], rel=1e-5)
    alone = Trainer(JOB, Toy(priors=False), tmp_path / "b")
    alone.run()
    assert alone.series["prior"] == [] and alone.series["loss"] == alone.series["instance"]


def test_steps_see_all_samples_in_turn_whatever_the_batch(whole):
    assert whole.task.seen == list(range(12 * 4))


@pytest.mark.parametrize("batch, accumulation", [(2, 2), (1, 4)])
def test_gradient_of_accumulated_batches_is_that_of_one_large_batch(batch, accumulation, tmp_path):
    def gradient(batch, accumulation):
        job = replace(JOB, batch_size=batch, accumulation=accumulation, max_grad_norm=0.0)
        t = Trainer(job, Toy(job), tmp_path / "a")
        t._gradients(lambda: None)
        return {name: p.grad for name, p in t.task.named_parameters().items()}

    large = gradient(4, 1)
    for name, grad in gradient(batch, accumulation).items():
        torch.testing.assert_close(grad, large[name])


@pytest.mark.parametrize("settings", [{}, {"ema": 0.9}, {"schedule": "cosine", "warmup_steps": 3}], ids=["plain", "ema", "cosine"])
@pytest.mark.parametrize("step", [1, 7])
def test_cancelled_training_goes_on_bit_for_bit(settings, step, tmp_path):
    if settings:
        pytest.importorskip("diffusers", reason="needs the optional package diffusers")
    job = replace(JOB, **settings)
    through = Trainer(job, Toy(job), tmp_path / "through")
    through.run()
    first = Trainer(job, Toy(job), tmp_path / "stopped")
    with pytest.raises(Cancelled):
        first.run(on_step=stop_at(step))
    second = Trainer(job, Toy(job), tmp_path / "stopped")
    assert second.resume() and second.done == step and second.series["loss"] == through.series["loss"][:step]
    second.run()
    assert same(weights(second.task), weights(through.task)) and second.series == through.series
    with through.outcome(), second.outcome():
        assert same(weights(second.task), weights(through.task))


def test_average_is_lent_and_given_back(tmp_path):
    pytest.importorskip("diffusers", reason="needs the optional package diffusers")
    t = Trainer(replace(JOB, ema=0.9), Toy(), tmp_path / "a")
    t.run()
    last = weights(t.task)
    with t.outcome():
        assert not same(weights(t.task), last)
    assert same(weights(t.task), last)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_strength_acts_on_what_comes_out_and_never_on_the_training(ema, whole, tmp_path):
    if ema:
        pytest.importorskip("diffusers", reason="needs the optional package diffusers")
    job = replace(JOB, subject_strength=0.5, ema=ema)

    def through(t):
        def look(t):
            with t.outcome():
                seen.append(weights(t.task))

        seen = []
        t.run(on_step=look)
        return seen

    strong, weak = Trainer(replace(job, subject_strength=1.0), Toy(), tmp_path / "strong"), Trainer(job, Toy(), tmp_path / "weak")
    for full, half in zip(through(strong), through(weak), strict=True):
        assert all(torch.equal(half[name], 0.5 * full[name]) for name in full)
    assert same(weights(weak.task), weights(strong.task)) and weak.series == strong.series
    if not ema:
        assert same(weights(weak.task), weights(whole.task))
    with pytest.raises(Cancelled), weak.outcome():
        raise Cancelled
    assert same(weights(weak.task), weights(strong.task)), "given back after an error too"
    other = Trainer(replace(job, subject_strength=0.8), Toy(), tmp_path / "weak")
    assert other.resume() and other.done == JOB.steps, "another strength is the same training"


def test_power_cut_costs_at_most_one_interval(whole, tmp_path):
    """What lies on the disk at any moment is a state of whole steps."""
    seen = []

    def on_step(t):
        if (tmp_path / "live" / STATE).exists():
            shutil.copytree(tmp_path / "live", tmp_path / f"cut {t.done}")
            seen.append(t.done)

    Trainer(JOB, Toy(), tmp_path / "live", save_every=4).run(on_step=on_step)
    for step in (5, 8, 9, 12):
        assert step in seen
        late = Trainer(JOB, Toy(), tmp_path / f"cut {step}", save_every=4)
        assert late.resume() and step - late.done <= 4
        late.run()
        assert same(weights(late.task), weights(whole.task)) and late.series == whole.series


def test_interrupted_write_leaves_the_former_state(tmp_path, monkeypatch):
    t = Trainer(JOB, Toy(), tmp_path / "a")
    with pytest.raises(Cancelled):
        t.run(on_step=stop_at(5))
    before = (tmp_path / "a" / STATE).read_bytes()

    def half(state, file):
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(trainer.torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        t.save()
    assert (tmp_path / "a" / STATE).read_bytes() == before and len(list((tmp_path / "a").iterdir())) == 1


def test_stop_is_asked_before_every_batch_and_an_unfinished_step_leaves_no_trace(tmp_path):
    t, calls = Trainer(JOB, Toy(), tmp_path / "a"), []

    def stop():
        calls.append(t.done)
        if len(calls) == 3 * 3 + 2:  # once a step, once each of its two batches: within the fourth step
            raise Cancelled

    with pytest.raises(Cancelled):
        t.run(stop=stop)
    assert calls == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 2 and t.done == 3
    assert all(p.grad is None for p in t.task.named_parameters().values())
    again = Trainer(JOB, Toy(), tmp_path / "a")
    assert again.resume() and again.done == 3 and same(weights(again.task), weights(t.task))


def test_cancel_before_the_first_step_writes_nothing(tmp_path):
    t = Trainer(JOB, Toy(), tmp_path / "a")

    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        t.run(stop=stop)
    assert not (tmp_path / "a").exists() and not Trainer(JOB, Toy(), tmp_path / "a").resume()


def test_numbers_that_are_not_finite_stop_the_training_at_the_last_good_step(tmp_path):
    class Breaking(Toy):
        def loss(self, numbers):
            loss = super().loss(numbers)
            return replace(loss, total=loss.total * (float("nan") if numbers[0] >= 16 else 1.0))

    t = Trainer(JOB, Breaking(), tmp_path / "a")
    with pytest.raises(TrainingError, match="Step 5 gives numbers that are not finite"):
        t.run()
    assert t.done == 4 and all(torch.isfinite(p).all() for p in t.task.named_parameters().values())
    assert Trainer(JOB, Toy(), tmp_path / "a").resume()


@pytest.mark.parametrize("change, why", [
    ({"learning_rate": 0.1}, "learning rate 0.1 instead of 0.05"), ({"adapter": AdapterSettings(rank=8)}, "rank 8 instead of 16"),
    ({"data": "else"}, "other pictures"), ({"seed": 4}, "seed 4 instead of 3"),
])  # fmt: skip
def test_other_configuration_is_refused_with_what_differs(whole, change, why):
    with pytest.raises(TrainingError, match=why):
        Trainer(replace(JOB, **change), Toy(), whole.folder).resume()


def test_more_steps_go_on_at_a_constant_rate_only(whole, tmp_path):
    longer = Trainer(replace(JOB, steps=20), Toy(), whole.folder)
    assert longer.resume() and longer.done == 12
    longer.run()
    through = Trainer(replace(JOB, steps=20), Toy(), tmp_path / "through")
    through.run()
    assert same(weights(longer.task), weights(through.task))
    cosine = replace(JOB, schedule="cosine")
    assert cosine.differences(replace(cosine, steps=20)) == ["steps 20 instead of 12"]


def test_unreadable_state_and_other_model_are_named(whole):
    class Wider(Toy):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(4, 2)

    with pytest.raises(TrainingError, match="another model"):
        Trainer(JOB, Wider(), whole.folder).resume()
    (whole.folder / STATE).write_bytes(b"not a state")
    with pytest.raises(TrainingError, match="cannot be read"):
        Trainer(JOB, Toy(), whole.folder).resume()


def test_finished_training_has_nothing_left_to_do(whole):
    again = Trainer(JOB, Toy(), whole.folder)
    assert again.resume()
    again.run()
    assert again.task.seen == [] and same(weights(again.task), weights(whole.task))


def test_training_works_where_nodes_run(whole, tmp_path):
    with torch.inference_mode():
        with torch.inference_mode(False):
            task = Toy()
        t = Trainer(JOB, task, tmp_path / "a")
        t.run()
    assert same(weights(t.task), weights(whole.task))


def test_gradients_are_clipped(tmp_path):
    t = Trainer(replace(JOB, max_grad_norm=1e-3, optimizer="adamw"), Toy(), tmp_path / "a")
    seen = []
    t._optimizer.register_step_pre_hook(lambda *args: seen.append(float(torch.stack([p.grad.norm() for p in t._parameters]).norm())))
    t.run()
    assert max(seen) <= 1.001e-3 and min(t.series["grad_norm"]) > 1e-3, "the series has the norm before clipping"


# --- jobs and draws ----------------------------------------------------------------------------------------------------------


def test_job_goes_through_a_file():
    job = replace(JOB, adapter=AdapterSettings("dora", 8, 4.0, "all", 0.1), schedule="cosine")
    assert Job.from_json(job.to_json()) == job and job.differences(Job.from_json(job.to_json())) == []


@pytest.mark.parametrize("text, why", [("", "no training"), ("[]", "no training"), ('{"version": 1}', "no training"),
                                       ('{"version": 2, "adapter": {}}', "newer version"),
                                       ('{"version": 1, "adapter": {}, "magic": 1}', "newer version")])  # fmt: skip
def test_unreadable_jobs_are_named(text, why):
    with pytest.raises(TrainingError, match=why):
        Job.from_json(text)


def test_every_picture_comes_once_before_any_comes_again():
    places = [draws.place(1, "instances", k, 5) for k in range(25)]
    assert all(sorted(places[i:i + 5]) == [0, 1, 2, 3, 4] for i in range(0, 25, 5))
    assert len({tuple(places[i:i + 5]) for i in range(0, 25, 5)}) > 1 and places != [draws.place(2, "instances", k, 5) for k in range(25)]


def test_two_processes_see_together_what_one_with_the_double_batch_sees():
    for step in range(3):
        for part in range(2):
            both = draws.numbers(step, part, 2, 2, 0, 2) + draws.numbers(step, part, 2, 2, 1, 2)
            assert both == draws.numbers(step, part, 4, 2)


def test_libraries_that_are_missing_are_named(monkeypatch):
    import sys

    p = [nn.Parameter(torch.zeros(1))]
    for module, call in (("bitsandbytes", lambda: optimizers.optimizer("adamw8bit", p, 1.0)),
                         ("prodigyopt", lambda: optimizers.optimizer("prodigy", p, 1.0)),
                         ("diffusers.optimization", lambda: optimizers.schedule("cosine", torch.optim.SGD(p, 1.0), 0, 5)),
                         ("diffusers.training_utils", lambda: optimizers.average(0.9, p))):  # fmt: skip
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(TrainingError, match=f"needs the library {module.split('.')[0]}"):
            call()
    for call in (lambda: optimizers.optimizer("lion", p, 1.0), lambda: optimizers.schedule("wave", torch.optim.SGD(p, 1.0), 0, 5)):
        with pytest.raises(TrainingError, match="choose one of"):
            call()
