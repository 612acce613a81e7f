"""Prompt preservation: which words a subject's samples wear, what they are then answered, and that nothing changes without it."""

from dataclasses import replace

import pytest
import torch

from viper.tests.test_training_lessons import JOB, Subject, trained, values  # brings the host along
from viper.training import draws, objective, wordings
from viper.training.errors import TrainingError
from viper.training.lesson_files import load_lessons, save_lessons
from viper.training.lessons import Wording
from viper.training.trainer import Trainer

WORN = replace(JOB, prompt_preservation=0.6)


class Worded(Subject):
    """Its first picture has two wordings; all prompts are random, and none like another."""

    def __init__(self, made=None):
        super().__init__(made)
        lesson = self.instances[0]
        self.instances[0] = replace(lesson, wordings=[self.wording(lesson, n) for n in range(2)])

    def wording(self, lesson, n):
        generator = torch.Generator().manual_seed(70 + n)

        def conds():
            cond, more = self.cond[0]
            return self.native.conds([[torch.randn(cond.shape, generator=generator), more]], lesson.latent)

        return Wording(f"words {n}", conds(), conds(), conds())


@pytest.fixture(scope="module")
def subject():
    return Worded()


# --- the target ----------------------------------------------------------------------------------------------------------


def test_words_are_answered_by_the_untrained_model_and_by_the_picture_as_far_as_noise_covers_it():
    wanted, of_words, of_class = torch.randn(3, 2, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([0.0, 1.0], dtype=torch.float64)
    clear, noise = objective.preserved_target(wanted, of_words, of_class, sigma)
    assert torch.equal(clear, of_words[0]) and torch.equal(noise, of_words[1] + (wanted[1] - of_class[1]))
    stronger = objective.preserved_target(wanted, of_words, of_class, sigma, 1.5)
    torch.testing.assert_close(stronger[0], of_class[0] + 1.5 * (of_words - of_class)[0], rtol=0, atol=1e-15)
    torch.testing.assert_close(stronger[1], 1.5 * (of_words - of_class)[1] + wanted[1], rtol=0, atol=1e-14)
    between = objective.preserved_target(wanted, of_words, of_class, torch.full((2,), 0.5, dtype=torch.float64))
    torch.testing.assert_close(between, of_words + 0.25 * (wanted - of_class), rtol=0, atol=1e-15)


@pytest.mark.parametrize("strength", [1.0, 1.5])
@pytest.mark.parametrize("name", objective.TARGETS)
def test_target_is_the_same_picture_whatever_the_network_predicts(name, strength):
    """What is asked for is one mixture of predictions, so it converts like any of them."""
    generator = torch.Generator().manual_seed(1)
    x0, eps, a, b = torch.randn(4, 3, 2, 4, 4, dtype=torch.float64, generator=generator)
    alpha, sigma = objective.levels("eps", torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64))
    x_t = objective.noised(x0, eps, alpha, sigma)
    said = [objective.convert(noise, "eps", name, x_t, alpha, sigma) for noise in (eps, a, b)]
    found = objective.preserved_target(*said, sigma, strength)
    asked = objective.preserved_target(eps, a, b, sigma, strength)
    torch.testing.assert_close(objective.convert(found, name, "eps", x_t, alpha, sigma), asked, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_loss_of_a_worded_sample_by_hand(subject, strength):
    task = subject.task(replace(WORN, preservation_strength=strength), priors=[])
    with torch.no_grad():
        for p in task.adapters.parameters():
            p.add_(0.02)
    worn = [k for k in range(40) if task._instance(k).wording is not None]
    assert 8 <= len(worn) <= 16, "0.6 of the samples of the one picture that has wordings"
    chosen = {task._instance(k).prompt for k in worn}
    assert chosen == {"words 0", "words 1"}
    k = worn[0]
    sample = task._instance(k)
    with task.attached(), task.step(), torch.no_grad():
        told = float(task.loss([k]).instance)
        generator = draws.generator(1, f"instance {k}", 0)
        latent = sample.lesson.latent
        eps = torch.randn(latent.shape, generator=generator)
        s = task.native.model.model.model_sampling.sigmas[int(objective.sample_times(1, "uniform", generator) * 1000)]
        alpha, sigma = (1 + s**2) ** -0.5, s * (1 + s**2) ** -0.5
        x_t = alpha * latent + sigma * eps
        with task.off():
            with_words, without = (task.native.predict(x_t, s[None], [c]) for c in (sample.wording.of_words, sample.wording.of_class))
        picture = alpha * eps - sigma * latent  # the tiny model predicts v
        wanted = without + strength * (with_words - without) + sigma**2 * (picture - without)
        said = task.native.predict(x_t, s[None], [sample.wording.conds])
    assert told == pytest.approx(float(((said - wanted) ** 2).mean()), rel=1e-4)


# --- what does not change -------------------------------------------------------------------------------------------------


def test_without_it_a_training_is_the_same_bit_for_bit(subject, tmp_path):
    plain = [replace(lesson, wordings=()) for lesson in subject.instances]
    runs = [trained(subject, JOB, tmp_path / str(n), instances=own) for n, own in enumerate((plain, subject.instances))]
    assert runs[0].series == runs[1].series
    assert all(torch.equal(p, values(runs[1].task)[name]) for name, p in values(runs[0].task).items())


def test_noise_and_times_of_all_samples_stay_and_other_samples_lose_nothing(subject):
    """Only what a sample is answered changes, so that trainings with and without can be compared."""
    tasks = [subject.task(job, priors=[]) for job in (JOB, WORN)]
    plain = next(k for k in range(20) if tasks[1]._instance(k).wording is None)
    losses = []
    for task in tasks:
        with task.attached(), task.step(), torch.no_grad():
            losses.append(float(task.loss([plain]).total))
    assert losses[0] == losses[1]


def test_mask_does_not_hide_what_words_change(subject):
    lesson, mask = subject.instances[0], torch.zeros(1, 1, 8, 8)
    losses = []
    for more in ({}, {"mask": mask}):
        task = subject.task(replace(WORN, prompt_preservation=1.0), instances=[replace(lesson, **more)], priors=[])
        with task.attached(), task.step(), torch.no_grad():
            losses.append(float(task.loss([0]).total))
    assert losses[0] == losses[1] > 0


def test_frozen_prior_and_words_ask_the_untrained_model_in_one_call(subject):
    frozen = [replace(lesson, frozen=True) for lesson in subject.priors[:1]]
    task = subject.task(replace(WORN, prompt_preservation=1.0), instances=subject.instances[:1], priors=frozen)
    calls, predict = [], task.native.predict
    task.native.predict = lambda x_t, level, conds: calls.append(len(conds)) or predict(x_t, level, conds)
    try:
        with task.attached(), task.step(), torch.no_grad():
            loss = task.loss([0, 1])
    finally:
        del task.native.predict
    assert calls == [2 + 2 * 2, 4] and float(loss.prior) < 1e-10 < float(loss.instance)


def test_stopped_training_goes_on_bit_for_bit(subject, tmp_path):
    job = replace(WORN, steps=5, accumulation=2)
    whole = trained(subject, job, tmp_path / "whole")

    def on_step(t):
        if t.done == 2:
            raise KeyboardInterrupt

    task = subject.task(job)
    with pytest.raises(KeyboardInterrupt), task.adapters.attached():
        Trainer(job, task, tmp_path / "stopped").run(on_step=on_step)
    task = subject.task(job)
    again = Trainer(job, task, tmp_path / "stopped")
    assert again.resume()
    with task.adapters.attached():
        again.run()
    assert again.series == whole.series and all(torch.equal(p, values(whole.task)[name]) for name, p in values(task).items())


def test_another_share_is_another_training():
    assert JOB.differences(WORN) == ["prompt preservation 0.6 instead of 0.0"]


def test_another_strength_is_another_training_where_it_counts():
    assert WORN.differences(replace(WORN, preservation_strength=1.5)) == ["preservation strength 1.5 instead of 1.0"]
    assert JOB.differences(replace(JOB, preservation_strength=1.5)) == []


# --- words ------------------------------------------------------------------------------------------------------------------


def test_prompts_come_with_the_classs_own():
    assert wordings.prompts("a [V] [class] at sea\n\n  a blue [v] [CLASS]", "vuqix", "dog") == [
        ("a vuqix dog at sea", "a dog at sea"), ("a blue vuqix dog", "a blue dog")]  # fmt: skip
    usual = wordings.prompts("", "vuqix", "dog")
    assert ("a vuqix dog, oil painting", "a dog, oil painting") in usual and ("a red vuqix dog", "a red dog") in usual
    assert len(usual) == len(set(usual)) == len(wordings.PROMPTS) == 46
    assert wordings.prompts("a [V] [class] at sea", "vuqix", "") == [("a vuqix at sea", "a at sea")]


def test_prompt_without_the_subject_is_refused_with_a_sentence():
    with pytest.raises(TrainingError, match=r'"a dog at sea" does not name the subject: write \[V\] \[class\]'):
        wordings.prompts("a [V] [class] at night\na dog at sea", "vuqix", "dog")


def test_wordings_go_through_a_file_and_cost_little(subject, tmp_path):
    save_lessons(tmp_path / "lessons.pt", subject.instances, [])
    torch.load(tmp_path / "lessons.pt", weights_only=True)
    (first, second), _ = load_lessons(tmp_path / "lessons.pt")
    assert not second.wordings and [w.prompt for w in first.wordings] == ["words 0", "words 1"]
    for a, b in zip(subject.instances[0].wordings, first.wordings, strict=True):
        for name in ("conds", "of_words", "of_class"):
            mine, read = getattr(a, name), getattr(b, name)
            assert mine.keys() == read.keys() and torch.equal(mine["c_crossattn"].cond, read["c_crossattn"].cond)
    shared = [replace(subject.instances[0], latent=torch.randn(1, 8, 8, 8)) for _ in range(5)]
    save_lessons(tmp_path / "five.pt", shared, [])
    assert (tmp_path / "five.pt").stat().st_size < (tmp_path / "lessons.pt").stat().st_size + 40_000
