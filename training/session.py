"""One training as a graph runs it: pictures and words encoded once, a first step that measures, the long work, and what comes out."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from .. import host
from ..vpe.files import plain_name, write_png
from . import class_pictures, wordings
from .adapters import AdapterError
from .dataset import Dataset, View
from .errors import TrainingError
from .gather import fill
from .job import Job
from .launch import JobFile
from .lesson_files import save_lessons
from .lessons import DreamBooth, Lesson, Wording
from .native import NativeModel
from .options import Options, Preset, Training
from .plot import loss_plot
from .sheet import labelled_rows
from .subject import Subject
from .text import Text, TextModel
from .trainer import STATE, Trainer, other_settings

log = logging.getLogger("viper")

JOB, LESSONS = "job.json", "lessons.pt"
PREVIEW_STEPS, PREVIEW_SEED, PREVIEWS = 20, 42, 4  # at most four prompts a preview


def training_name(name: str) -> str:
    """The name as a folder's. Raises TrainingError."""
    return plain_name(name, "training", "my dog", TrainingError)


@dataclass
class Outcome:
    """What a graph gets: clones that carry the subject, its weights, the series of the training, and pictures ``(H, W, 3)`` uint8."""

    model: object
    clip: object
    subject: Subject
    series: dict[str, list[float]]
    plot: np.ndarray
    sheet: np.ndarray


class Session:
    """``run()`` it. ``say(text)`` shows a line on the node; pictures of the training appear with the host's progress."""

    def __init__(self, model, clip, vae, dataset: Dataset, name: str, steps: int, seed: int, training: Training | None = None,
                 resume: bool = True, say: Callable[[str], None] = log.info):  # fmt: skip
        self.model, self.clip, self.vae, self.dataset = model, clip, vae, dataset
        self.name, self.folder = training_name(name), host.training_folder(training_name(name))
        self.steps, self.seed, self.resume, self.say = steps, seed, resume, say
        self.family = host.family(model)
        training = training or Training()
        self.options: Options = training.options(self.family)
        self.preset: Preset = training.preset_of(self.family)
        self.resolution = dataset.resolution or self.preset.resolution
        self.base, self.whole = host.fingerprint(model, clip, None), host.fingerprint(model, clip, vae)
        self._conds: dict[tuple, dict] = {}
        self._words: dict[str, list] = {}

    # --- what is learned from ---

    @property
    def prior(self) -> str:
        """``made``, ``supplied``, ``frozen`` or ``off``."""
        wish, have = self.options.prior, bool(self.dataset.class_pictures)
        if self.options.prior_weight == 0.0:
            return "off"
        if wish == "supplied" and not have:
            raise TrainingError("The prior is set to supplied, but the dataset has no class pictures: give some, or choose auto or made.")
        if wish == "auto":
            return "supplied" if have else "made"
        return wish

    @cached_property
    def wordings(self) -> list[tuple[str, str]]:
        """The prompts that are preserved, of the subject and of its class."""
        if not self.options.prompt_preservation:
            return []
        return wordings.prompts(self.options.preserved_prompts, self.dataset.identifier, self.dataset.class_noun)

    def job(self) -> Job:
        """Everything that decides what comes out."""
        made = [self.prior, self.options.class_images if self.prior == "made" else 0]
        what = [self.base, self.whole, self.dataset.digest(), self.resolution, made,
                self.preset.given, self.preset.cfg if self.prior == "made" else 0]  # fmt: skip
        if self.wordings:
            what.append(self.wordings)
        return self.options.job(self.seed, self.steps, hashlib.sha256(repr(what).encode()).hexdigest()[:32])

    def _class_views(self, multiple: int) -> list[View]:
        """The class's pictures, as they are trained on; made ones are drawn where they lack."""
        if self.prior == "supplied":
            return self.dataset.class_views(self.resolution, multiple, self.seed)
        if self.prior != "made":
            return []
        prompt, size = self.dataset.class_prompt, self.resolution
        folder = host.class_picture_folder(class_pictures.key(self.whole, prompt, size, self.preset.cfg, self.preset.preview_given))
        painter = positive = None
        count = self.options.class_images

        def draw(seeds, done):
            nonlocal painter, positive
            host.stop_if_cancelled()
            if painter is None:
                self.say(f'Making {count - done} class pictures of "{prompt}" …')
                positive = host.with_values(self.words(prompt), **self.preset.preview_given)
                how = class_pictures.SETTINGS
                painter = host.Painter(self.model, self.vae, self.words(""), how["steps"], self.preset.cfg, how["sampler_name"],
                                       how["scheduler"], size, size, count)  # fmt: skip
            drawn = painter.draw(list(seeds), [positive] * len(seeds), done)
            return [host.eight_bit(image) for image in drawn]

        pictures = class_pictures.complete(folder, count, draw, batch=4 if size <= 512 else 1)
        pixels = [torch.from_numpy(p).float().div(255.0) for p in pictures]
        return [View(p, None, prompt, (size, size), (0, 0), n) for n, p in enumerate(pixels)]

    def words(self, prompt: str) -> list:
        """A prompt's CONDITIONING, encoded once."""
        if prompt not in self._words:
            host.stop_if_cancelled()
            self._words[prompt] = host.encode_prompt(self.clip, prompt)
        return self._words[prompt]

    def lesson(self, native: NativeModel, view: View, prompt: str | None = None, frozen: bool = False,
               latent: Tensor | None = None) -> Lesson:  # fmt: skip
        """A view, encoded."""
        prompt = view.caption if prompt is None else prompt
        if latent is None:
            host.stop_if_cancelled()
            latent = host.latent_of(self.model, self.vae, view.pixels)
        given = {**self.preset.given, **host.sizes(self.model, view.size, view.corner, tuple(view.pixels.shape[:2]))}
        mask = None
        if view.mask is not None and not frozen:
            with torch.inference_mode(False):
                mask = functional.interpolate(view.mask.detach().clone()[None, None].float(), latent.shape[-2:], mode="area")
                mask = mask.reshape(1, 1, *[1] * (latent.ndim - 4), *mask.shape[-2:])
        return Lesson(latent, self._conds_of(native, prompt, latent, given), mask, frozen, prompt, given)

    def _conds_of(self, native: NativeModel, prompt: str, latent: Tensor, given: dict) -> dict:
        """A prompt's conds, made once for all lessons of a size."""
        key = (prompt, tuple(latent.shape), tuple(sorted(given.items())))
        if key not in self._conds:
            self._conds[key] = native.conds(self.words(prompt), latent.to(native.device), **given)
        return self._conds[key]

    def _with_wordings(self, native: NativeModel, lesson: Lesson) -> Lesson:
        def conds(prompt: str) -> dict:
            return self._conds_of(native, prompt, lesson.latent, lesson.given)

        plain = conds(self.dataset.class_prompt)
        return replace(lesson, wordings=[Wording(own, conds(own), conds(of_class), plain) for own, of_class in self.wordings])

    def lessons(self, native: NativeModel) -> tuple[list[Lesson], list[Lesson]]:
        """Those of the subject and those of its class."""
        multiple = host.cell(self.vae)
        views = list(self.dataset.views(self.resolution, multiple, self.seed))
        class_views = self._class_views(multiple)
        bar = host.progress(len(views) + len(class_views))
        instances, priors = [], []
        for view in views:
            lesson = self.lesson(native, view)
            instances.append(self._with_wordings(native, lesson) if self.wordings else lesson)
            bar.update(1)
        if self.prior == "frozen":
            pairs = zip(views, instances, strict=True)
            priors = [self.lesson(native, view, self.dataset.class_prompt, True, lesson.latent) for view, lesson in pairs]
        for view in class_views:
            priors.append(self.lesson(native, view))
            bar.update(1)
        return instances, priors

    # --- the work ---

    def run(self) -> Outcome:
        """Train to the last step, or raise; what was trained before stays in the folder. Raises TrainingError."""
        job = self.job()
        self._make_room(job)
        for prompt in self._preview_prompts:
            self.words(prompt)
        self.words("")
        if self.prior in ("made", "frozen"):
            self.words(self.dataset.class_prompt)
        native = NativeModel(self.model)
        with torch.inference_mode(False), torch.enable_grad():
            native.load()
            trainer, task = self._prepared(native, job)
            resumed = trainer.resume()
        if trainer.done < job.steps:
            task.instances, task.priors = self.lessons(native)
            host.release(self.vae, None if self.options.text_encoder else self.clip)
        with torch.inference_mode(False), torch.enable_grad():
            with task.attached():
                if trainer.done < job.steps:
                    task.load(self._extra_memory(task.instances, job))
                    job = self._first_step(native, trainer, task)
                    self._write_job(job, task)
                    self._work(trainer, task, resumed)
                with trainer.outcome(), torch.no_grad():
                    unet, text = task.tensors()
                    if not self._shot(trainer.done).exists():
                        self._preview(trainer, task)
        host.release(self.model)
        return self._outcome(job, trainer.series, unet, text)

    def _prepared(self, native: NativeModel, job: Job) -> tuple[Trainer, DreamBooth]:
        text = None
        if job.text_encoder:
            model = TextModel(self.clip)
            model.load()
            text = Text(model, model.adapters(job.adapter, job.seed))
        native.checkpointing = self.options.gradient_checkpointing == "on"
        try:
            adapters = native.adapters(job.adapter, job.seed)
        except AdapterError as e:
            raise TrainingError(str(e)) from e
        task = DreamBooth(native, adapters, [], [], job, text)
        return Trainer(job, task, self.folder, self.options.save_every), task

    def _extra_memory(self, instances, job: Job) -> int:
        """What training needs beside the weights, roughly: activations of forward and backward."""
        shape = instances[0].latent.shape
        return 3 * host.needed_memory(self.model, (2 * job.batch_size, *shape[1:]))

    def _first_step(self, native: NativeModel, trainer: Trainer, task: DreamBooth) -> Job:
        """The preflight; where memory is short, ``auto`` repeats blocks in the backward pass and cuts the batch into parts."""
        job = trainer.job
        while True:
            try:
                self.say("First step: checking gradients and memory …")
                told = task.preflight()
                break
            except Exception as error:
                if not host.is_out_of_memory(error):
                    raise
                log.info("The first step does not fit into memory (%s).", error)
            host.release(self.vae, self.clip)
            if self.options.gradient_checkpointing == "auto" and not native.checkpointing:
                native.checkpointing = True
            elif self.options.gradient_checkpointing == "auto" and job.batch_size > 1 and job.batch_size % 2 == 0:
                task.job = job = trainer.halve_batches()
            else:
                raise self._no_memory(job)
            task.load(self._extra_memory(task.instances, job))
        seconds = told.seconds * job.accumulation
        memory = (told.peak_memory or host.used_memory(native.device)) / 2**30
        how = [f"{seconds:.2f} s a step, about {_duration(seconds * (job.steps - trainer.done))} for {job.steps - trainer.done} steps",
               f"{memory:.1f} GB in use"]  # fmt: skip
        if native.checkpointing:
            how.append("gradient checkpointing is on")
        if job.accumulation != self.options.accumulation:
            how.append(f"each batch in {job.accumulation // self.options.accumulation} parts")
        self.say(" · ".join(how))
        log.info('DreamBooth Train "%s": %s; %d adapters, %d pictures, %d of the class.', self.name, ", ".join(how), len(task.adapters),
                 len(task.instances), len(task.priors))  # fmt: skip
        return job

    def _no_memory(self, job: Job) -> TrainingError:
        smaller = [f"resolution (now {self.resolution})"] + [f"batch_size (now {job.batch_size})"] * (job.batch_size > 1)
        smaller += [f"rank (now {job.adapter.rank})"] if job.adapter.kind != "full" else ["method: lora instead of full"]
        on = "" if self.options.gradient_checkpointing != "off" else ", or turn gradient_checkpointing on"
        return TrainingError(f"There is not enough memory to train: lower {', '.join(smaller)}{on}. What was trained so far is kept.")

    def _work(self, trainer: Trainer, task: DreamBooth, resumed: bool) -> None:
        bar, began, first = host.progress(trainer.job.steps), time.monotonic(), trainer.done
        if resumed:
            log.info('DreamBooth Train "%s" goes on at step %d.', self.name, first)
        bar.update_absolute(first, trainer.job.steps)

        def on_step(t: Trainer) -> None:
            each = (time.monotonic() - began) / (t.done - first)
            loss = t.series["loss"][-10:]
            self.say(f"step {t.done} of {t.job.steps} · loss {sum(loss) / len(loss):.4f} · {each:.2f} s a step · "
                     f"{_duration(each * (t.job.steps - t.done))} left")  # fmt: skip
            every, shown = self.options.preview_every, None
            if every and t.done % every == 0 and t.done < t.job.steps:
                with t.outcome(), torch.no_grad():
                    shown = self._preview(t, task)
                task.load(self._extra_memory(task.instances, t.job))
            bar.update_absolute(t.done, t.job.steps, shown)

        try:
            trainer.run(on_step, host.stop_if_cancelled)
        except Exception as error:
            if host.is_out_of_memory(error):
                raise self._no_memory(trainer.job) from error
            raise

    # --- previews ---

    @property
    def _preview_prompts(self) -> list[str]:
        """One a line; ``[V]`` and ``[class]`` as in captions. Empty: the trigger."""
        lines = (fill(line, self.dataset.identifier, self.dataset.class_noun) for line in self.options.preview_prompt.splitlines())
        prompts = [line for line in lines if line]
        return (prompts or [self.dataset.trigger])[:PREVIEWS]

    def _shot(self, step: int) -> Path:
        told = [self._preview_prompts, self.resolution]
        if self.options.subject_strength != 1.0:
            told.append(self.options.subject_strength)
        return self.folder / "previews" / f"{step:06}-{hashlib.sha256(repr(told).encode()).hexdigest()[:6]}.png"

    def _preview(self, trainer: Trainer, task: DreamBooth):
        """Draw the preview prompts as the model stands, side by side into one file; the last one for the progress bar."""
        prompts, size = self._preview_prompts, self.resolution
        task.train(False)
        with torch.inference_mode():
            words = {p: host.encode_prompt(self.clip, p) if task.job.text_encoder else self.words(p) for p in prompts}
            painter = host.Painter(self.model, self.vae, self.words(""), PREVIEW_STEPS, self.preset.cfg, "euler", "simple", size, size,
                                   len(prompts))  # fmt: skip
            drawn = [painter.draw([PREVIEW_SEED], [host.with_values(words[p], **self.preset.preview_given)], n)[0]
                     for n, p in enumerate(prompts)]  # fmt: skip
        task.train(True)
        row = host.eight_bit(torch.cat(drawn, dim=1))
        path = self._shot(trainer.done)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, row)
        except OSError as e:
            log.warning("The preview of step %d could not be kept (%s).", trainer.done, e)
        return "JPEG", Image.fromarray(row), 512

    def _sheet(self, steps: int) -> np.ndarray:
        """Every preview so far, one row a step; the subject's own pictures above."""
        multiple = host.cell(self.vae)
        own = [host.eight_bit(v.pixels) for v in self.dataset.views(self.resolution, multiple, self.seed, warn=False)[:PREVIEWS]]
        rows = [("your pictures", own)]
        prompts = self._preview_prompts
        for path in sorted((self.folder / "previews").glob(f"*{self._shot(0).name[6:]}")):
            step = int(path.name[:6])
            if step <= steps:
                with Image.open(path) as image:
                    pixels = np.array(image.convert("RGB"))
                rows.append((f"step {step}", np.split(pixels, len(prompts), axis=1)))
        return labelled_rows(rows, prompts, side=min(max(self.resolution, 128), 256))

    # --- files ---

    def _make_room(self, job: Job) -> None:
        """Refuse another configuration before anything is made; ``start over`` moves the old state aside."""
        if not self.folder.exists():
            return
        if not self.resume and (self.folder / STATE).exists():
            n = 1
            while (aside := self.folder.with_name(f"{self.folder.name}.old-{n}")).exists():
                n += 1
            os.replace(self.folder, aside)
            log.info('The former training "%s" was moved to "%s".', self.name, aside)
            return
        if (self.folder / JOB).is_file() and (self.folder / STATE).is_file():
            try:
                was = JobFile.read(self.folder / JOB).job
            except TrainingError as e:
                log.warning("%s", e)  # the state knows its job too
                return
            if differing := was.differences(job):
                raise TrainingError(other_settings(self.name, differing))

    def _write_job(self, job: Job, task: DreamBooth) -> None:
        """What ``accelerate launch train.py`` needs to do the same elsewhere; a checkpoint's place is for its owner to fill in."""
        self.folder.mkdir(parents=True, exist_ok=True)
        model = {"pocket": True} if self.family == "pocket" else {"checkpoint": ""}
        try:
            if not (self.folder / LESSONS).exists():
                save_lessons(self.folder / LESSONS, task.instances, task.priors)
        except TrainingError as e:
            log.info("This training cannot be taken to another machine: %s", e)
        JobFile(job, Path("."), Path(LESSONS), model).write(self.folder / JOB)

    def _outcome(self, job: Job, series, unet: dict[str, Tensor], text: dict[str, Tensor]) -> Outcome:
        dataset = self.dataset
        subject = Subject(dataset.trigger, dataset.identifier, dataset.class_noun, self.base, self.family, asdict(job), unet, text)
        model, clip, _ = host.with_lora(self.model, self.clip, subject.tensors, 1.0, 1.0)
        title = f"{self.name}: {job.steps} steps, {job.adapter.kind}"
        sheet = self._sheet(job.steps)
        # The page keeps the last preview in front of what a node puts out.
        host.progress(1).update_absolute(1, 1, ("JPEG", Image.fromarray(sheet), 1024))
        return Outcome(model, clip, subject, series, loss_plot(series, title), sheet)


def _duration(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{hours:.1f} h"
