"""DreamBooth as a task: latents with their prompts, seen by a model with adapters (arXiv 2208.12242)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import draws, objective
from .adapters import Adapters
from .job import Job
from .native import NativeModel, Preflight


@dataclass
class Lesson:
    """One picture: ``latent`` ``(1, C, …)`` as the network takes it, ``conds`` of `NativeModel.conds`, ``mask`` ``(1, 1, …)`` or None.

    ``frozen``: the target is what the model says without adapters, instead of the latent.
    """

    latent: Tensor
    conds: dict
    mask: Tensor | None = None
    frozen: bool = False


class DreamBooth:
    """The `trainer.Task` of a subject: ``instances`` are its pictures, ``priors`` those of its class (none: no prior loss)."""

    def __init__(self, native: NativeModel, adapters: Adapters, instances: Sequence[Lesson], priors: Sequence[Lesson], job: Job):
        self.native, self.adapters, self.job = native, adapters, job
        self.instances, self.priors = list(instances), list(priors)

    def named_parameters(self) -> dict[str, nn.Parameter]:
        return self.adapters.named_parameters()

    @contextmanager
    def attached(self):
        """The model with all that learns here, until the block is left: around `preflight`, training and previews."""
        with self.adapters.attached():
            yield self

    def tensors(self, dtype: torch.dtype = torch.float32) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What LoRA files hold of the network and of the text encoder, under the names to write; copies on the CPU.

        Inside `Trainer.averaged`, the average.
        """
        return self.adapters.state_dict(_first(self.native.names()), dtype), {}

    def new_step(self, step: int) -> None:
        self.adapters.new_step(draws.generator(self.job.seed, "ranks", step))

    def step(self):
        return self.native.step()

    def loss(self, numbers: list[int]) -> objective.Loss:
        """Instance and prior samples in one batch; pictures of other sizes make a call of their own."""
        seed = self.job.seed
        batch = [(self.instances[draws.place(seed, "instances", k, len(self.instances))], f"instance {k}", False) for k in numbers]
        if self.priors and self.job.prior_weight:
            batch += [(self.priors[draws.place(seed, "priors", k, len(self.priors))], f"prior {k}", True) for k in numbers]
        errors, weights = [None] * len(batch), [None] * len(batch)
        for shape in dict.fromkeys(lesson.latent.shape for lesson, _, _ in batch):
            rows = [i for i, (lesson, _, _) in enumerate(batch) if lesson.latent.shape == shape]
            e, w = self._errors([batch[i][:2] for i in rows])
            for row, i in enumerate(rows):
                errors[i], weights[i] = e[row], w[row]
        return objective.dreambooth_loss(torch.stack(errors), torch.stack(weights), [prior for *_, prior in batch], self.job.prior_weight)

    def _errors(self, batch: list[tuple[Lesson, str]]) -> tuple[Tensor, Tensor]:
        """Squared error and weight of each sample; all latents have one shape."""
        job, target, device = self.job, self.native.target, self.native.device
        lessons = [lesson for lesson, _ in batch]
        x0 = torch.cat([lesson.latent for lesson in lessons]).to(device, torch.float32)
        noises, times = [], []
        for lesson, name in batch:
            generator = draws.generator(job.seed, name, 0)
            noise = torch.randn(lesson.latent.shape, generator=generator)
            noises.append(objective.offset_noise(noise, job.noise_offset, generator))
            times.append(objective.sample_times(1, job.times, generator, job.times_mean, job.times_std, job.shift))
        eps = torch.cat(noises).to(device)
        # Float32 from here on: some devices have no float64.
        level = objective.noise_levels(torch.cat(times), self.native.table).float().to(device)
        alpha, sigma = objective.levels(target, level)
        x_t = objective.noised(x0, eps, alpha, sigma)
        wanted = objective.native_target(target, x0, eps, alpha, sigma)
        conds = [lesson.conds for lesson in lessons]
        frozen = [i for i, lesson in enumerate(lessons) if lesson.frozen]
        if frozen:
            with torch.no_grad(), self.adapters.off():
                wanted[frozen] = self.native.predict(x_t[frozen], level[frozen], [conds[i] for i in frozen])
        mask = None
        if any(lesson.mask is not None for lesson in lessons):
            mask = torch.cat([torch.ones_like(lesson.latent[:, :1]) if lesson.mask is None else lesson.mask for lesson in lessons])
        predicted = self.native.predict(x_t, level, conds)
        errors = objective.squared_errors(predicted, wanted, None if mask is None else mask.to(device))
        return errors, objective.loss_weight(job.weighting, target, alpha, sigma, job.gamma)

    def preflight(self) -> Preflight:
        """One batch, before the long work; adapters must be attached."""
        self.new_step(0)
        first = draws.numbers(0, 0, self.job.batch_size, self.job.accumulation)
        return self.native.preflight(self.adapters, lambda: self.loss(first).total)


def _first(names: dict[str, list[str]]) -> dict[str, str]:
    return {layer: spellings[0] for layer, spellings in names.items()}
