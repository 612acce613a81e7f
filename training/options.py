"""Settings of a training (``VIPER_TRAINING``), the published presets behind them, and what follows from both.

The value holds only what its owner has set; the rest follows the preset, and that follows the model.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType

from .adapters import AdapterSettings
from .errors import TrainingError
from .job import Job

VERSION = 1
AS_PRESET = "preset"
METHODS = ("lora", "dora", "full")
PRIORS = ("auto", "made", "supplied", "frozen", "off")
CHECKPOINTING = ("auto", "on", "off")
PRECISIONS = ("auto", "bf16", "float16", "float32")


@dataclass(frozen=True)
class Preset:
    """Published settings of a family; the table with its sources stands in ``docs/dreambooth_nodes.md``.

    ``given``: what a prompt carries while training. ``cfg`` and ``preview_given`` are for previews and for class pictures.
    """

    resolution: int
    learning_rate: float
    full_learning_rate: float
    accumulation: int = 4
    batch_size: int = 1
    rank: int = 16
    layers: str = "attention"
    optimizer: str = "adamw"
    schedule: str = "constant"
    times: str = "uniform"
    shift: float = 1.0
    weighting: str = "paper"
    given: dict = field(default_factory=dict)
    cfg: float = 5.0
    preview_given: dict = field(default_factory=dict)


PRESETS = MappingProxyType({
    "SD 1.5": Preset(512, 1e-4, 5e-6, accumulation=1, cfg=7.0),
    "SDXL": Preset(1024, 1e-4, 5e-6),
    "SD 3": Preset(512, 4e-4, 1e-4, times="logit_normal"),
    "Flux": Preset(512, 1e-4, 1e-5, times="logit_normal", given={"guidance": 1.0}, cfg=1.0, preview_given={"guidance": 3.5}),
    # Our own, measured: a network of eight million weights takes, and needs, larger steps.
    "pocket": Preset(128, 2e-3, 2e-4, accumulation=1, batch_size=4, layers="linear", cfg=4.0),
})  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Every setting, all resolved: what ``preset`` and 0 stand for in the node is replaced."""

    method: str = "lora"
    rank: int = 16
    alpha: float = 0.0
    layers: str = "attention"
    text_encoder: bool = False
    learning_rate: float = 1e-4
    text_encoder_lr: float = 0.0
    optimizer: str = "adamw"
    schedule: str = "constant"
    warmup_steps: int = 0
    batch_size: int = 1
    accumulation: int = 1
    prior: str = "auto"
    prior_weight: float = 1.0
    class_images: int = 100
    weighting: str = "paper"
    gamma: float = 5.0
    times: str = "uniform"
    shift: float = 1.0
    noise_offset: float = 0.0
    rank_dropout: float = 0.0
    ema: float = 0.0
    max_grad_norm: float = 1.0
    gradient_checkpointing: str = "auto"
    precision: str = "auto"
    preview_prompt: str = ""
    preview_every: int = 100
    save_every: int = 100
    prompt_preservation: float = 0.0
    preserved_prompts: str = ""
    preservation_strength: float = 1.0
    subject_strength: float = 1.0

    def job(self, seed: int, steps: int, data: str) -> Job:
        """The part of the settings that decides what is learned."""
        alpha = self.alpha or float(self.rank)
        adapter = AdapterSettings(self.method, self.rank, alpha, self.layers, self.rank_dropout)
        mine = asdict(self)
        shared = {f.name: mine[f.name] for f in fields(Job) if f.name in mine}
        return Job(**{**shared, "seed": seed, "steps": steps, "data": data, "adapter": adapter})


# In the node, these mean "as the preset says"; every other 0 or word is a value of its own.
UNSET = MappingProxyType({
    "method": AS_PRESET, "rank": 0, "layers": AS_PRESET, "learning_rate": 0.0, "optimizer": AS_PRESET, "schedule": AS_PRESET,
    "batch_size": 0, "accumulation": 0, "weighting": AS_PRESET, "times": AS_PRESET, "shift": 0.0,
})  # fmt: skip
DEFAULTS = MappingProxyType({**asdict(Options()), **UNSET})


@dataclass(frozen=True)
class Training:
    """``VIPER_TRAINING``: ``preset`` is "auto" or a name of `PRESETS`; ``set`` has what its owner changed.

    ``adapter``, ``objectives`` and ``augmentations`` are where further methods go, each a ``{"kind": …}``.
    """

    preset: str = "auto"
    set: dict = field(default_factory=dict)
    adapter: dict | None = None
    objectives: tuple = ()
    augmentations: tuple = ()

    def with_settings(self, preset: str, **settings) -> Training:
        """These settings on top: what is at its default stays as it was. Raises TrainingError for an unknown name."""
        unknown = [name for name in settings if name not in DEFAULTS]
        if unknown:
            raise TrainingError(f"There is no setting {unknown[0]!r} in a training.")
        changed = {name: value for name, value in settings.items() if value != DEFAULTS[name]}
        return replace(self, preset=self.preset if preset == "auto" else preset, set={**self.set, **changed})

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Training:
        """Raises TrainingError for what is no training, or one of a newer version."""
        try:
            values = json.loads(text)
            if values.pop("version") != VERSION or set(values) - {f.name for f in fields(cls)}:
                raise TrainingError("These training options were written by a newer version of the pack: update it.")
            values["objectives"], values["augmentations"] = tuple(values["objectives"]), tuple(values["augmentations"])
            return cls(**values)
        except TrainingError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            raise TrainingError(f"These are no training options that can be read ({e}).") from e

    def preset_of(self, family: str) -> Preset:
        """The chosen preset, or the family's own. Raises TrainingError."""
        name = family if self.preset == "auto" else self.preset
        if name not in PRESETS:
            raise TrainingError(f'There is no preset "{name}": choose auto, {", ".join(PRESETS)}.')
        return PRESETS[name]

    def options(self, family: str) -> Options:
        """All settings for a model of ``family`` (a name of `PRESETS`). Raises TrainingError for values that cannot be trained with."""
        for kind, entries in (("adapter", [self.adapter] if self.adapter else []), ("objective", self.objectives),
                              ("augmentation", self.augmentations)):  # fmt: skip
            if entries:
                name = entries[0].get("kind") if isinstance(entries[0], dict) else entries[0]
                raise TrainingError(f'This version of the pack has no {kind} "{name}": update it, or remove the node that adds it.')
        preset = self.preset_of(family)
        unknown = [name for name in self.set if name not in DEFAULTS]
        if unknown:
            raise TrainingError(f"There is no setting {unknown[0]!r} in a training.")
        chosen = {name: value for name, value in self.set.items() if value != UNSET.get(name, DEFAULTS[name])}
        full = chosen.get("method") == "full"
        from_preset = {
            "method": "lora", "rank": preset.rank, "layers": preset.layers, "optimizer": preset.optimizer, "schedule": preset.schedule,
            "learning_rate": preset.full_learning_rate if full else preset.learning_rate, "weighting": preset.weighting,
            "batch_size": preset.batch_size, "accumulation": preset.accumulation, "times": preset.times, "shift": preset.shift,
        }  # fmt: skip
        options = Options(**{**from_preset, **chosen})
        if options.optimizer == "prodigy" and "learning_rate" not in chosen:
            options = replace(options, learning_rate=1.0)  # Prodigy finds the rate; 1 is its authors' factor
        if options.warmup_steps and options.schedule == "constant":
            options = replace(options, schedule="constant_with_warmup")
        return options
