"""DreamBooth as a task: latents with their prompts, seen by a model with adapters (arXiv 2208.12242)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from . import draws, objective
from .adapters import Adapters
from .errors import TrainingError
from .full import Full
from .job import TEXT_ENCODER, Job
from .native import NativeModel, Preflight
from .text import Text


@dataclass
class Wording:
    """A subject's prompt with further words (``prompt``, ``conds``), and the class with and without them, for the untrained model.

    All are `NativeModel.conds`; ``conds`` does not count where the text encoder learns.
    """

    prompt: str
    conds: dict
    of_words: dict
    of_class: dict


@dataclass
class Lesson:
    """One picture: ``latent`` ``(1, C, …)`` as the network takes it, ``conds`` of `NativeModel.conds`, ``mask`` ``(1, 1, …)`` or None.

    ``frozen``: the target is what the model says without adapters, instead of the latent. ``prompt`` and ``given`` (what a graph's
    nodes put onto it) are for training the text encoder, which encodes anew in each batch; ``conds`` then does not count.
    ``wordings``: what `Job.prompt_preservation` draws from.
    """

    latent: Tensor
    conds: dict
    mask: Tensor | None = None
    frozen: bool = False
    prompt: str = ""
    given: dict = field(default_factory=dict)
    wordings: Sequence[Wording] = ()


@dataclass
class _Sample:
    """One lesson in a batch: ``name`` decides its noise and time."""

    lesson: Lesson
    name: str
    prior: bool = False
    wording: Wording | None = None

    @property
    def prompt(self) -> str:
        return self.lesson.prompt if self.wording is None else self.wording.prompt

    @property
    def conds(self) -> dict:
        return self.lesson.conds if self.wording is None else self.wording.conds


class DreamBooth:
    """The `trainer.Task` of a subject: ``instances`` are its pictures, ``priors`` those of its class (none: no prior loss).

    ``text``: the text encoder, when it learns along.
    """

    def __init__(
        self,
        native: NativeModel,
        adapters: Adapters | Full,
        instances: Sequence[Lesson],
        priors: Sequence[Lesson],
        job: Job,
        text: Text | None = None,
    ):
        self.native, self.adapters, self.job, self.text = native, adapters, job, text
        self.instances, self.priors = list(instances), list(priors)
        native.compute_in(job.precision)

    @property
    def scaled(self) -> bool:
        """Whether gradients are computed in a type in which small ones vanish."""
        return self.native.dtype is torch.float16

    def named_parameters(self) -> dict[str, nn.Parameter]:
        of_text = {} if self.text is None else self.text.adapters.named_parameters()
        return {**self.adapters.named_parameters(), **{TEXT_ENCODER + name: p for name, p in of_text.items()}}

    def load(self, extra_memory: int = 0) -> None:
        """Bring all to the device: before the first step, and after previews, for which the host may have moved it away."""
        if self.text is not None:
            self.text.model.load(extra_memory)
        self.native.load(extra_memory)

    @contextmanager
    def attached(self):
        """The model with all that learns here, until the block is left: around `preflight`, training and previews."""
        with ExitStack() as stack:
            for adapters in self._all():
                stack.enter_context(adapters.attached())
            yield self

    @contextmanager
    def off(self):
        """The model as it came, while all stays attached."""
        with ExitStack() as stack:
            for adapters in self._all():
                stack.enter_context(adapters.off())
            yield self

    def train(self, mode: bool = True) -> None:
        """Whether ranks are dropped: not for previews."""
        for adapters in self._all():
            adapters.train(mode)

    def tensors(self, dtype: torch.dtype = torch.float32) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What LoRA files hold of the network and of the text encoder, under the names to write; copies on the CPU.

        Inside `Trainer.outcome`, what comes out.
        """
        text = {} if self.text is None else self.text.adapters.state_dict(_first(self.text.model.names()), dtype)
        return self.adapters.state_dict(_first(self.native.names()), dtype), text

    def weaken(self, strength: float) -> None:
        """Leave this share of what was learned, in place: ``θ₀ + s (θ_T − θ₀)``.

        WiSE-FT (Wortsman et al., arXiv 2109.01903): weights between the untrained and the trained ones lose less of what the model
        knew than as short a training does.
        """
        for adapters in self._all():
            adapters.weaken(strength)

    def new_step(self, step: int) -> None:
        self.adapters.new_step(draws.generator(self.job.seed, "ranks", step))
        if self.text is not None:
            self.text.adapters.new_step(draws.generator(self.job.seed, "text ranks", step))

    @contextmanager
    def step(self):
        """Around one forward and backward pass."""
        with ExitStack() as stack:
            stack.enter_context(self.native.step())
            if self.text is not None:
                self.text.model.checkpointing = self.native.checkpointing
                stack.enter_context(self.text.model.step())
            yield self

    def _all(self) -> list[Adapters | Full]:
        return [self.adapters] if self.text is None else [self.adapters, self.text.adapters]

    def loss(self, numbers: list[int]) -> objective.Loss:
        """Instance and prior samples in one batch; pictures of other sizes make a call of their own."""
        seed = self.job.seed
        batch = [self._instance(k) for k in numbers]
        if self.priors and self.job.prior_weight:
            batch += [_Sample(self.priors[draws.place(seed, "priors", k, len(self.priors))], f"prior {k}", True) for k in numbers]
        conds = self._conds(batch)
        errors, weights = [None] * len(batch), [None] * len(batch)
        for shape in dict.fromkeys(sample.lesson.latent.shape for sample in batch):
            rows = [i for i, sample in enumerate(batch) if sample.lesson.latent.shape == shape]
            e, w = self._errors([batch[i] for i in rows], [conds[i] for i in rows])
            for row, i in enumerate(rows):
                errors[i], weights[i] = e[row], w[row]
        return objective.dreambooth_loss(
            torch.stack(errors), torch.stack(weights), [sample.prior for sample in batch], self.job.prior_weight
        )

    def _instance(self, number: int) -> _Sample:
        """The picture of this number; a share of them under a prompt with further words."""
        job, name = self.job, f"instance {number}"
        lesson = self.instances[draws.place(job.seed, "instances", number, len(self.instances))]
        if lesson.wordings and job.prompt_preservation:
            generator = draws.generator(job.seed, "wording", number)
            if float(torch.rand((), generator=generator)) < job.prompt_preservation:
                chosen = int(torch.randint(len(lesson.wordings), (), generator=generator))
                return _Sample(lesson, name, wording=lesson.wordings[chosen])
        return _Sample(lesson, name)

    def _conds(self, samples: Sequence[_Sample]) -> list[dict]:
        """What each sample's call takes besides its latent; a text encoder that learns reads each prompt once."""
        if self.text is None:
            return [sample.conds for sample in samples]
        encoded = {prompt: self.text.model.encode(prompt) for prompt in dict.fromkeys(sample.prompt for sample in samples)}
        device = self.native.device
        return [self.native.conds(encoded[each.prompt], each.lesson.latent.to(device), keep_graph=True, **each.lesson.given)
                for each in samples]  # fmt: skip

    def _errors(self, batch: list[_Sample], conds: list[dict]) -> tuple[Tensor, Tensor]:
        """Squared error and weight of each sample; all latents have one shape."""
        job, target, device = self.job, self.native.target, self.native.device
        x0 = torch.cat([sample.lesson.latent for sample in batch]).to(device, torch.float32)
        noises, times = [], []
        for sample in batch:
            generator = draws.generator(job.seed, sample.name, 0)
            noise = torch.randn(sample.lesson.latent.shape, generator=generator)
            noises.append(objective.offset_noise(noise, job.noise_offset, generator))
            times.append(objective.sample_times(1, job.times, generator, job.times_mean, job.times_std, job.shift))
        eps = torch.cat(noises).to(device)
        # Float32 from here on: some devices have no float64.
        level = objective.noise_levels(torch.cat(times), self.native.table).float().to(device)
        alpha, sigma = objective.levels(target, level)
        x_t = objective.noised(x0, eps, alpha, sigma)
        wanted = self._of_the_untrained(batch, x_t, level, sigma, objective.native_target(target, x0, eps, alpha, sigma))
        predicted = self.native.predict(x_t, level, conds)
        errors = objective.squared_errors(predicted, wanted, self._mask(batch))
        return errors, objective.loss_weight(job.weighting, target, alpha, sigma, job.gamma)

    @torch.no_grad()
    def _of_the_untrained(self, batch: list[_Sample], x_t: Tensor, level: Tensor, sigma: Tensor, wanted: Tensor) -> Tensor:
        """``wanted``, changed where the model without adapters has a say in what is learned."""
        frozen = [i for i, sample in enumerate(batch) if sample.lesson.frozen]
        worded = [i for i, sample in enumerate(batch) if sample.wording is not None]
        if not frozen and not worded:
            return wanted
        rows, pairs = [*frozen, *worded, *worded], [batch[i].wording for i in worded]
        with self.off():
            conds = self._conds([batch[i] for i in frozen]) + [pair.of_words for pair in pairs] + [pair.of_class for pair in pairs]
            said = self.native.predict(x_t[rows], level[rows], conds)
        wanted[frozen], of_words, of_class = said.split([len(frozen), len(worded), len(worded)])
        if worded:
            strength = self.job.preservation_strength
            wanted[worded] = objective.preserved_target(wanted[worded], of_words, of_class, sigma[worded], strength)
        return wanted

    def _mask(self, batch: list[_Sample]) -> Tensor | None:
        """Words change the whole picture, so a mask counts only without them."""
        masks = [sample.lesson.mask if sample.wording is None else None for sample in batch]
        if all(mask is None for mask in masks):
            return None
        whole = [torch.ones_like(sample.lesson.latent[:, :1]) if mask is None else mask for sample, mask in zip(batch, masks, strict=True)]
        return torch.cat(whole).to(self.native.device)

    def preflight(self, batch_size: int = 0) -> Preflight:
        """One batch (0: of the job's size), before the long work; inside `attached`. Raises TrainingError when it cannot be trained."""
        self.new_step(0)
        first = draws.numbers(0, 0, batch_size or self.job.batch_size, self.job.accumulation)
        of_text = [] if self.text is None else [(TEXT_ENCODER + name, part) for name, part in self.text.adapters]
        told = self.native.preflight([*self.adapters, *of_text], lambda: self.loss(first).total, self.step)
        if of_text and {name for name, _ in of_text} <= set(told.unreached):
            raise TrainingError("No gradient reaches the text encoder of this model: switch its training off.")
        return told


def _first(names: dict[str, list[str]]) -> dict[str, str]:
    return {layer: spellings[0] for layer, spellings in names.items()}
