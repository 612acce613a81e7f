"""The training loop: what is learned, and from what, is a `Task`; where it stands is one file, written whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from ..vpe.files import write_whole
from . import draws, optimizers
from .errors import TrainingError
from .job import Job
from .objective import Loss
from .precision import LossScale

STATE = "state.pt"
SERIES = ("loss", "instance", "prior", "learning_rate", "grad_norm")


class Task(Protocol):
    """What a training needs of a model and its data. ``scaled`` may be missing, which is False."""

    scaled: bool  # gradients are computed in float16: the loss needs a factor

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """What learns, float32, in an order that never changes."""

    def new_step(self, step: int) -> None:
        """Draw what stays the same for all batches of a step."""

    def loss(self, numbers: list[int]) -> Loss:
        """The loss of one batch: the samples of these numbers (see `draws`)."""

    def step(self) -> AbstractContextManager:
        """Around each forward and backward pass."""

    def weaken(self, strength: float) -> None:
        """Leave this share of what was learned, in place."""


class Peers(Protocol):
    """The processes that take each step together; the one of index 0 writes."""

    index: int
    count: int

    def mean(self, tensors: Iterable[Tensor]) -> None:
        """Make each tensor the mean of it over all processes, in place."""


class Alone:
    """One process."""

    index, count = 0, 1

    def mean(self, tensors: Iterable[Tensor]) -> None:
        pass


@dataclass
class Trainer:
    """One training in one folder. `run` it; run it again after whatever stopped it, and the outcome is the same, bit for bit.

    ``save_every`` steps the state is written, and also when a run is left by Cancel or an error. ``peers`` share the job's batches
    evenly, so that their number decides nothing but the time.
    """

    job: Job
    task: Task
    folder: Path
    save_every: int = 100
    peers: Peers = field(default_factory=Alone)

    def __post_init__(self):
        self.share, rest = divmod(self.job.batch_size, self.peers.count)  # samples of a batch that this process sees
        if rest:
            raise TrainingError(
                f"A batch of {self.job.batch_size} cannot be shared by {self.peers.count} processes: make it a multiple of their number."
            )
        with torch.inference_mode(False):
            named = self.task.named_parameters()
            self._parameters = list(named.values())
            groups = optimizers.groups(named, self.job.learning_rate_of)
            self._optimizer = optimizers.optimizer(self.job.optimizer, groups, self.job.learning_rate)
            self._schedule = optimizers.schedule(self.job.schedule, self._optimizer, self.job.warmup_steps, self.job.steps)
            self._scale = LossScale() if getattr(self.task, "scaled", False) else None
            self._average = optimizers.average(self.job.ema, self._parameters)
        self.done = 0
        self.series: dict[str, list[float]] = {name: [] for name in SERIES}  # without prior pictures "prior" stays empty

    def halve_batches(self) -> Job:
        """The same steps in less memory: every batch in two. Returns the job that says so; the share of a process must be even."""
        self.job = replace(self.job, batch_size=self.job.batch_size // 2, accumulation=self.job.accumulation * 2)
        self.share //= 2
        return self.job

    def run(self, on_step: Callable[[Trainer], None] = lambda trainer: None, stop: Callable[[], None] = lambda: None) -> None:
        """Train to the last step. ``stop()`` raises when Cancel was pressed; ``on_step`` shows progress, previews.

        Raises TrainingError for numbers that are not finite; the state then is that of the last good step.
        """
        with torch.inference_mode(False), torch.enable_grad():
            whole, saved = True, self.done
            try:
                while self.done < self.job.steps:
                    stop()
                    told = self._gradients(stop)
                    whole = False
                    self._update(told)
                    whole = True
                    on_step(self)
                    if self.done % self.save_every == 0 or self.done == self.job.steps:
                        self.save()
                        saved = self.done
            except BaseException:
                self._clear()
                if whole and self.done > saved:
                    self.save()
                raise

    def _gradients(self, stop) -> dict[str, float]:
        """The step's gradients, clipped, in the parameters, and its figures; tried again while a factor on the loss is too large."""
        while True:
            told = self._attempt(stop)
            if self._scale is None or not math.isfinite(told["loss"]) or self._scale.tell(told["grad_norm"]):
                break
        if not (math.isfinite(told["loss"]) and math.isfinite(told["grad_norm"])):
            raise TrainingError(f"Step {self.done + 1} gives numbers that are not finite: lower the learning rate, or train in bf16.")
        return told

    def _attempt(self, stop) -> dict[str, float]:
        job, told = self.job, {}
        factor = 1.0 if self._scale is None else self._scale.factor
        self._clear()
        self.task.new_step(self.done)
        for part in range(job.accumulation):
            stop()
            with self.task.step():
                loss = self.task.loss(draws.numbers(self.done, part, self.share, job.accumulation, self.peers.index, self.peers.count))
                (loss.total / job.accumulation * factor).backward()
            for name, term in (("loss", loss.total), ("instance", loss.instance), ("prior", loss.prior)):
                if term is not None:
                    told[name] = told.get(name, 0.0) + float(term.detach()) / job.accumulation
        if self.peers.count > 1:
            self._share(told)
        if self._scale is not None:
            self._scale.undo(self._parameters)
        limit = job.max_grad_norm or math.inf
        told["grad_norm"] = float(torch.nn.utils.clip_grad_norm_(self._parameters, limit))
        told["learning_rate"] = self._schedule.get_last_lr()[0]
        return told

    def _share(self, told: dict[str, float]) -> None:
        """Gradients and figures of the whole batch, out of every process's share."""
        device = self._parameters[0].device
        reached = torch.tensor([float(p.grad is not None) for p in self._parameters], device=device)
        figures = torch.tensor(list(told.values()), device=device)
        self.peers.mean([reached, figures])
        for p, anywhere in zip(self._parameters, reached.tolist(), strict=True):
            if anywhere and p.grad is None:
                p.grad = torch.zeros_like(p)
        self.peers.mean(p.grad for p in self._parameters if p.grad is not None)
        told.update(zip(told, figures.tolist(), strict=True))

    def _update(self, told: dict[str, float]) -> None:
        self._optimizer.step()
        self._schedule.step()
        if self._average is not None:
            self._average.step(self._parameters)
        self._clear()
        for name, value in told.items():
            self.series[name].append(value)
        self.done += 1

    def _clear(self) -> None:
        for p in self._parameters:
            p.grad = None

    @contextmanager
    def outcome(self):
        """A context in which the parameters are what comes out: their average, where there is one, at the job's ``subject_strength``.

        They are then put back bit for bit. The copies wait on the CPU: a full fine-tuning's are as large as the model.
        """
        strength = self.job.subject_strength
        if self._average is None and strength == 1.0:
            yield
            return
        kept = [p.detach().to("cpu", copy=True) for p in self._parameters]
        try:
            if self._average is not None:
                self._average.copy_to(self._parameters)
            if strength != 1.0:
                self.task.weaken(strength)
            yield
        finally:
            with torch.no_grad():
                for p, was in zip(self._parameters, kept, strict=True):
                    p.copy_(was)

    # --- the state ---

    def save(self) -> None:
        """Raises OSError; the former state then stays. Of several processes the first one writes: all are in the same state."""
        if self.peers.index:
            return
        state = {
            "job": self.job.to_json(),
            "done": self.done,
            "series": self.series,
            "weights": {name: p.detach() for name, p in self.task.named_parameters().items()},
            "optimizer": self._optimizer.state_dict(),
            "schedule": {k: v for k, v in self._schedule.state_dict().items() if k != "lr_lambdas"},
            "scale": None if self._scale is None else self._scale.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        # A full fine-tuning's state is too large for memory twice.
        write_whole(self.folder / STATE, lambda file: torch.save(state, file))

    def resume(self) -> bool:
        """Go on where the folder's training stands; False when there is none. Raises TrainingError for another training."""
        path = self.folder / STATE
        if not path.is_file():
            return False
        state = _read(path)
        was = Job.from_json(state["job"])
        differing = was.differences(self.job)
        if differing:
            raise TrainingError(other_settings(self.folder.name, differing))
        parameters = self.task.named_parameters()
        shapes = {name: tuple(p.shape) for name, p in parameters.items()}
        if shapes != {name: tuple(t.shape) for name, t in state["weights"].items()}:
            raise TrainingError(f'"{self.folder.name}" was begun on another model: start over, or choose another name.')
        with torch.inference_mode(False), torch.no_grad():
            for name, p in parameters.items():
                p.copy_(state["weights"][name])
            self._optimizer.load_state_dict(state["optimizer"])
            self._schedule.load_state_dict({**self._schedule.state_dict(), **state["schedule"]})
            if self._scale is not None and state["scale"] is not None:  # on another device it may have needed none
                self._scale.load_state_dict(state["scale"])
            if self._average is not None:
                self._average.load_state_dict(state["average"])
        self.done, self.series = state["done"], state["series"]
        return True


def other_settings(name: str, differing: list[str]) -> str:
    return f'"{name}" was begun with other settings: {"; ".join(differing)}. Set them back, or start over.'


def _read(path: Path) -> dict:
    try:
        # weights_only: a file from elsewhere can hold numbers, not code.
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as e:
        raise TrainingError(f'The state of "{path.parent.name}" cannot be read ({type(e).__name__}): start over.') from e
