"""A training as a value that a file can hold: everything that decides what comes out, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields

from .adapters import AdapterSettings
from .errors import TrainingError

VERSION = 1
TEXT_ENCODER = "text_encoder."  # how the names of its parameters begin


@dataclass(frozen=True)
class Job:
    """Settings of one training; ``data`` tells the pictures, words and base model apart (a digest).

    A step is ``accumulation`` batches of ``batch_size`` instance pictures and as many prior pictures. ``ema`` 0 and
    ``max_grad_norm`` 0 switch these off. ``text_encoder``: it learns too, at ``text_encoder_lr`` (0: half the learning rate).
    ``precision`` is what the network computes in (see `precision`). ``prompt_preservation``: the share of instance samples that are
    learned under a prompt with further words, and ``preservation_strength`` how much of these (see `objective.preserved_target`).
    ``subject_strength``: the share of what was learned that comes out (see `lessons.DreamBooth.weaken`).
    """

    seed: int = 0
    steps: int = 500
    batch_size: int = 1
    accumulation: int = 1
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    optimizer: str = "adamw"
    learning_rate: float = 1e-4
    text_encoder: bool = False
    text_encoder_lr: float = 0.0
    schedule: str = "constant"
    warmup_steps: int = 0
    max_grad_norm: float = 1.0
    ema: float = 0.0
    prior_weight: float = 1.0
    weighting: str = "paper"
    gamma: float = 5.0
    times: str = "uniform"
    times_mean: float = 0.0
    times_std: float = 1.0
    shift: float = 1.0
    noise_offset: float = 0.0
    precision: str = "auto"
    prompt_preservation: float = 0.0
    preservation_strength: float = 1.0
    subject_strength: float = 1.0
    data: str = ""

    def learning_rate_of(self, parameter: str) -> float:
        """The rate of a parameter by its name. Prodigy finds out its rates itself, all relative to one."""
        if not parameter.startswith(TEXT_ENCODER):
            return self.learning_rate
        return self.text_encoder_lr or (self.learning_rate if self.optimizer == "prodigy" else self.learning_rate / 2.0)

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Raises TrainingError for what is no job, or one of a newer version."""
        try:
            values = json.loads(text)
            version = values.pop("version")
            known = {f.name for f in fields(cls)}
            unknown = [name for name in values if name not in known]
            if version != VERSION or unknown:
                raise TrainingError("This training was written by a newer version of the pack: update it.")
            return cls(**{**values, "adapter": AdapterSettings(**values["adapter"])})
        except TrainingError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            raise TrainingError(f"This is no training that can be read ({e}).") from e

    def differences(self, other: Job) -> list[str]:
        """What makes ``other`` another training: ``rank 16 instead of 8``.

        More steps are the same one, at a constant rate; so is a step cut into more parts, as where memory is short; and how much of
        what was learned comes out is asked at its end.
        """
        mine, others = (_flat(asdict(job)) for job in (self, other))
        mine.pop("subject_strength"), others.pop("subject_strength")
        if self.batch_size * self.accumulation == other.batch_size * other.accumulation:
            for values in (mine, others):
                values.pop("batch_size"), values.pop("accumulation")
        if self.schedule.startswith("constant") and other.schedule == self.schedule:
            mine.pop("steps"), others.pop("steps")
        if not (self.text_encoder or other.text_encoder):
            mine.pop("text_encoder_lr"), others.pop("text_encoder_lr")
        if not (self.prompt_preservation or other.prompt_preservation):
            mine.pop("preservation_strength"), others.pop("preservation_strength")
        if mine["kind"] == others["kind"] == "full":
            for values in (mine, others):
                for name in ("rank", "alpha", "layers", "rank_dropout"):
                    values.pop(name)
        if mine.pop("data") != others.pop("data"):
            return ["other pictures, words or another model", *_differing(mine, others)]
        return _differing(mine, others)


def _flat(values: dict) -> dict:
    return {**{k: v for k, v in values.items() if k != "adapter"}, **values["adapter"]}


def _differing(mine: dict, others: dict) -> list[str]:
    return [f"{name.replace('_', ' ')} {others[name]} instead of {value}" for name, value in mine.items() if others[name] != value]
