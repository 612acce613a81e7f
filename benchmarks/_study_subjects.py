"""Trainings and the pictures drawn after them, each made once: ``dreambooth.py`` goes on where it was cut off.

    study = Study(WORK, steps=60)
    drawn = study.drawn(Way(), 0)       # the first subject, trained as the node does
    drawn.prompts, drawn.of_class       # (prompts · samples, 128, 128, 3) and (16, 128, 128, 3) uint8
"""

import hashlib
import io
import json
import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from viper import host
from viper.benchmarks import _host_training, _subjects
from viper.benchmarks._subjects import SUBJECTS
from viper.pocket.loader import WEIGHTS, load_pocket_model
from viper.training.dataset import Dataset, prompt
from viper.training.options import Training
from viper.training.session import Session
from viper.vpe.files import write_whole

VERSION = 1  # count up when our training changes: what is kept of it then no longer counts
SIDE, STEPS, CFG, SAMPLER, SCHEDULER = 128, 20, 4.0, "euler", "simple"
SEEDS, CLASS_SEEDS = (1, 2, 3, 4), tuple(range(101, 117))
CLASS_IMAGES, BATCH = 16, 4


@dataclass(frozen=True)
class Way:
    """How a subject is learned: ``plain`` not at all, ``ours``, or by the host's node (which has no prior).

    0 is the preset's learning rate and the study's steps. ``strength``: the share of what was learned that draws: of ours by Training
    Options, of the node's by loading its weights so.
    """

    who: str = "ours"
    noun: str = "correct"
    prior: bool = True
    learning_rate: float = 0.0
    steps: int = 0
    settings: tuple[tuple[str, object], ...] = ()  # more of Training Options, of ours
    strength: float = 1.0


@dataclass(frozen=True)
class Drawn:
    """``seconds`` of the training."""

    prompts: Tensor
    of_class: Tensor
    seconds: float


class Study:
    def __init__(self, work: Path, steps: int, say=print):
        self.work, self.steps, self.say = work, steps, say
        self.model, self.clip, self.vae = load_pocket_model()
        self.weights = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:16]
        (work / "pictures").mkdir(parents=True, exist_ok=True)

    @cached_property
    def identifiers(self) -> list[str]:
        return [_subjects.rare_word(self.clip, place) for place in range(len(SUBJECTS))]

    def dataset(self, place: int, noun: str = "correct") -> Dataset:
        frames = _subjects.frames(self.work, SUBJECTS[place])
        return _subjects.dataset(frames, self.identifiers[place], _subjects.noun_of(place, noun))

    def reals(self, place: int) -> Tensor:
        """(4, 128, 128, 3) uint8: the subject's own pictures as they are trained on."""
        views = self.dataset(place).views(SIDE, host.cell(self.vae), 0)
        return torch.stack([_bytes(view.pixels) for view in views])

    def dressed(self, place: int) -> Tensor:
        """(prompts · 4, 128, 128, 3) uint8: the same pictures in the look that each prompt asks for, the best that can be hoped for."""
        return _subjects.dressed(_subjects.frames(self.work, SUBJECTS[place]))

    def key(self, way: Way, place: int) -> str:
        """Of all that decides the pictures."""
        drawing = [list(_subjects.PROMPTS), SEEDS, CLASS_SEEDS, STEPS, CFG, SAMPLER, SCHEDULER]
        training = [way.steps or self.steps, CLASS_IMAGES, BATCH] if way.who != "plain" else []
        told = {name: value for name, value in asdict(way).items() if name != "steps" and value != getattr(Way(), name)}
        version = VERSION if way.who == "ours" else 1
        what = [version, self.weights, SUBJECTS[place].code, self.identifiers[place], told, training, drawing]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]

    def drawn(self, way: Way, place: int) -> Drawn:
        path = self.work / "pictures" / f"{self.key(way, place)}.npz"
        if not path.exists():
            self.say(f"{SUBJECTS[place].name}: {way}")
            began = time.perf_counter()
            model, clip = self._trained(way, place)
            seconds, noun = time.perf_counter() - began, _subjects.noun_of(place, way.noun)
            asked = _subjects.texts("" if way.who == "plain" else self.identifiers[place], noun)
            of_prompts = self.draw(model, clip, [(text, seed) for text in asked for seed in SEEDS])
            of_class = self.draw(model, clip, [(prompt(SUBJECTS[place].noun), seed) for seed in CLASS_SEEDS])
            file = io.BytesIO()
            np.savez_compressed(file, prompts=of_prompts.numpy(), of_class=of_class.numpy(), seconds=seconds)
            write_whole(path, file.getvalue())
            self.say(f"… trained in {seconds:.0f} s, drawn in {time.perf_counter() - began - seconds:.0f} s")
        with np.load(path) as kept:
            return Drawn(torch.from_numpy(kept["prompts"]), torch.from_numpy(kept["of_class"]), float(kept["seconds"]))

    def _trained(self, way: Way, place: int):
        """(MODEL, CLIP) that draw the subject."""
        if way.who == "plain":
            return self.model, self.clip
        data, steps = self.dataset(place, way.noun), way.steps or self.steps
        if way.who == "host":
            fresh = load_pocket_model()[0]  # the node leaves its mark on the model
            latents = [self.vae.encode(v.pixels[None]) for v in data.views(SIDE, host.cell(self.vae), 0)]
            words = host.encode_prompt(self.clip, data.trigger)
            model, lora = _host_training.train_lora(fresh, latents, words, steps, BATCH, way.learning_rate)
            if way.strength != 1.0:
                with torch.inference_mode():
                    model = host.with_lora(self.model, self.clip, lora, way.strength, 0.0)[0]
            return model, self.clip
        settings = {"class_images": CLASS_IMAGES, "prior": "auto" if way.prior else "off", "batch_size": BATCH, "save_every": 20}
        settings |= {"learning_rate": way.learning_rate, "subject_strength": way.strength, **dict(way.settings)}
        training = Training().with_settings("pocket", **settings, rank=_host_training.RANK, preview_every=0)
        name = f"{SUBJECTS[place].name} {self.key(replace(way, strength=1.0), place)}"  # one training for all strengths
        with torch.inference_mode():
            made = Session(self.model, self.clip, self.vae, data, name, steps, 0, training, True, lambda text: None).run()
        return made.model, made.clip

    def draw(self, model, clip, jobs: list[tuple[str, int]], batch: int = 20) -> Tensor:
        """Prompts and seeds → (N, 128, 128, 3) uint8."""
        pictures = []
        with torch.inference_mode():
            words = {text: host.encode_prompt(clip, text) for text in dict.fromkeys(["", *(text for text, _ in jobs)])}
            painter = host.Painter(model, self.vae, words[""], STEPS, CFG, SAMPLER, SCHEDULER, SIDE, SIDE, len(jobs))
            for i in range(0, len(jobs), batch):
                some = jobs[i : i + batch]
                pictures.append(painter.draw([seed for _, seed in some], [words[text] for text, _ in some], i))
        return _bytes(torch.cat(pictures))


def _bytes(pictures: Tensor) -> Tensor:
    return (255 * pictures).round().clamp(0, 255).byte().clone()
