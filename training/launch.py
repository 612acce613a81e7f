"""A training out of a file, on as many processes as Accelerate starts: the same `Trainer`, the same state, whatever their number.

Each process holds the whole model and sees its share of every batch; gradients are averaged, so all take the same step.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..vpe.files import write_whole
from .errors import TrainingError
from .job import Job

VERSION = 1
RESULT = "trained.safetensors"
_BUCKET = 1 << 25  # numbers sent at once

log = logging.getLogger("viper")


@dataclass(frozen=True)
class JobFile:
    """What a machine needs to know: the job, the folder of its state, the lessons (`lesson_files`), and where the model is.

    ``model`` is ``{"pocket": true}``, ``{"checkpoint": path}``, or ``{"unet": path, "clip": [paths], "clip_type": "flux"}``; a
    ``vae`` may stand there and is not read, and text encoders only when they learn. Paths are relative to the file.
    """

    job: Job
    folder: Path
    lessons: Path
    model: dict = field(default_factory=lambda: {"pocket": True})

    def write(self, path: Path) -> None:
        values = {
            "version": VERSION,
            "job": json.loads(self.job.to_json()),
            "folder": str(self.folder),
            "model": self.model,
            "lessons": str(self.lessons),
        }
        write_whole(path, json.dumps(values, indent=1).encode("utf-8"))

    @classmethod
    def read(cls, path: Path) -> JobFile:
        """Raises TrainingError for what is no job file, or one of a newer version."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values["version"] != VERSION:
                raise TrainingError("This job was written by a newer version of the pack: update it.")
            at = path.resolve().parent
            where = {name: _placed(at, name, value) for name, value in values["model"].items()}
            return cls(Job.from_json(json.dumps(values["job"])), at / values["folder"], at / values["lessons"], where)
        except TrainingError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
            raise TrainingError(f"{path} is no job file that can be read ({type(e).__name__}: {e}).") from e


class Together:
    """`trainer.Peers` by Accelerate."""

    def __init__(self, accelerator):
        self._accelerator = accelerator
        self.index, self.count, self.device = accelerator.process_index, accelerator.num_processes, accelerator.device

    def mean(self, tensors: Iterable[Tensor]) -> None:
        """Many small tensors go as one; no large one is copied with others."""
        bucket: list[Tensor] = []
        for tensor in tensors:
            if bucket and (tensor.dtype, tensor.device) != (bucket[0].dtype, bucket[0].device):
                self._send(bucket)
                bucket = []
            bucket.append(tensor)
            if sum(t.numel() for t in bucket) >= _BUCKET:
                self._send(bucket)
                bucket = []
        self._send(bucket)

    def end(self) -> None:
        self._accelerator.end_training()

    def _send(self, bucket: list[Tensor]) -> None:
        if not bucket:
            return
        flat = self._accelerator.reduce(torch.cat([t.detach().reshape(-1) for t in bucket]).to(self.device), "mean")
        for tensor, part in zip(bucket, flat.split([t.numel() for t in bucket]), strict=True):
            tensor.detach().copy_(part.reshape(tensor.shape))


def together() -> Together:
    """The processes that ``accelerate launch`` started (alone: this one), each on a device of its own. Raises TrainingError."""
    try:
        from accelerate import Accelerator
        from accelerate.utils import DistributedType
    except ImportError as e:
        raise TrainingError("Training on several processes needs the library accelerate: install it (pip install accelerate).") from e
    accelerator = Accelerator(mixed_precision="no")  # the job says what to compute in
    known = (DistributedType.NO, DistributedType.MULTI_GPU, DistributedType.MULTI_CPU)
    if accelerator.distributed_type not in known:
        raise TrainingError("Here each process holds the whole model: choose multi-GPU (DDP) or multi-CPU in Accelerate's configuration.")
    return Together(accelerator)


def train(path: Path, peers: Together) -> None:
    """Go on with the job of a file until it is done; the first process writes the state and what was learned."""
    from .lesson_files import load_lessons
    from .lessons import DreamBooth
    from .native import NativeModel
    from .text import Text, TextModel
    from .trainer import Trainer

    order = JobFile.read(path)
    job = order.job
    instances, priors = load_lessons(order.lessons)
    model, clip = _model(order.model, job.text_encoder)
    if job.text_encoder and clip is None:
        raise TrainingError("The job trains the text encoder, and its model has none: name it under clip.")
    native = NativeModel(model)
    native.load()
    text = None
    if job.text_encoder:
        of_text = TextModel(clip)
        text = Text(of_text, of_text.adapters(job.adapter, job.seed))
    task = DreamBooth(native, native.adapters(job.adapter, job.seed), instances, priors, job, text)
    trainer = Trainer(job, task, order.folder, peers=peers)
    with task.attached():
        trainer.resume()
        task.preflight(trainer.share)
        trainer.run(on_step=_tell)
        if peers.index == 0:
            from safetensors.torch import save_file

            with trainer.outcome():
                network, words = task.tensors(torch.bfloat16)
            save_file({**network, **words}, order.folder / RESULT)
            log.info("Trained %d steps: %s", trainer.done, order.folder / RESULT)


def _tell(trainer) -> None:
    if trainer.peers.index == 0 and (trainer.done % 10 == 0 or trainer.done == trainer.job.steps):
        log.info("step %d of %d, loss %.4f", trainer.done, trainer.job.steps, trainer.series["loss"][-1])


def _model(where: dict, with_text: bool):
    if where.get("pocket"):
        from ..pocket.loader import load_pocket_model

        return load_pocket_model()[:2]
    from ..host import training as hosted

    try:
        return hosted.model_from_files(where, with_text)
    except (ValueError, OSError) as e:
        raise TrainingError(f"The model cannot be loaded: {e}") from e


def _placed(at: Path, name: str, value):
    if name in ("checkpoint", "unet", "clip", "vae"):
        return [str(at / path) for path in value] if isinstance(value, list) else str(at / value)
    return value
