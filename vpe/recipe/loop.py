"""The training loop of both models: accumulated steps on one or many devices, checkpoints, exact resumption.

Example n of a run is the same whenever it is asked for, the learning rate is a function of the step, and a checkpoint holds the trained
weights, the optimizer's state and every process's random state: a run that was stopped and goes on is the run that was not stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .options import RecipeError, arguments, configured, needed, option

FREE = {"steps", "evaluate_every", "evaluate_people", "longest_answer", "save_every", "out"}  # options that a resumed run may change


@dataclass(frozen=True)
class TrainConfig:
    model: Path  # a folder with a vision-language model, as transformers saves it
    people: Path  # people.jsonl
    out: Path
    pictures: Path | None = option(None, "the pictures' folder")
    longest_edge: int = option(448, "of a picture, in pixels; IDEFICS2's shortest follows (378)")
    tune: str = option("lora", "low-rank updates, or all weights", ("lora", "full"))
    quantise: str = option("none", "the base under the low-rank updates: 4bit is QLoRA", ("none", "4bit"))
    rank: int = option(8, "of the updates")
    alpha: int = option(8, "the updates are scaled by alpha / rank")
    dropout: float = option(0.1, "in front of the updates")
    targets: str = option("", "a pattern of modules that get updates; default ViPer's for IDEFICS2, else all linear of the language model")
    also: str = option("", "further modules trained in full and kept with the adapter, such as embed_tokens,lm_head")
    precision: str = option("no", "mixed precision", ("no", "bf16", "fp16"))
    gradient_checkpointing: bool = option(False, "less memory, a third more time")
    steps: int = option(1000, "updates of the weights")
    batch: int = option(1, "examples at once in each process")
    accumulate: int = option(4, "batches in each process before an update")
    lr: float = option(1e-5, "learning rate, after the warm-up and before its linear decay")
    warmup: int = option(0, "steps")
    decay: bool = option(True, "linearly to zero at the last step")
    weight_decay: float = option(0.01, "of AdamW")
    clip: float = option(1.0, "largest norm of the gradient")
    evaluate_every: int = option(100, "steps between evaluations on held-out people")
    evaluate_people: int = option(32, "held-out people of an evaluation")
    save_every: int = option(50, "steps between checkpoints")
    seed: int = 0
    cpu: bool = option(False, "leave the GPU alone")


def accelerator_for(config: TrainConfig) -> Any:
    needed("accelerate", "transformers")
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    # Vision towers have layers, and text alone leaves adapters, that no loss reaches.
    unused = DistributedDataParallelKwargs(find_unused_parameters=config.tune == "full" or config.pictures is None)
    return Accelerator(mixed_precision=config.precision, cpu=config.cpu, kwargs_handlers=[unused])


def rate(config: TrainConfig, step: int) -> float:
    """Learning rate of step 0, 1, …"""
    return config.lr * min(1.0, (step + 1) / max(1, config.warmup)) * (1 - step / config.steps if config.decay else 1.0)


def drawn(everyone: Sequence[Any], config: TrainConfig, n: int) -> Iterator[tuple[Any, random.Random]]:
    """Batch n: people with a source of chance each. All people come once in random order, then again in another."""
    for k in range(n * config.batch, (n + 1) * config.batch):
        turn, at = divmod(k, len(everyone))
        order = random.Random(f"{config.seed} order {turn}").sample(range(len(everyone)), len(everyone))
        yield everyone[order[at]], random.Random(f"{config.seed} example {k}")


def train(
    config: TrainConfig, accelerator: Any, model: Any, loss: Callable[[Any, int], Any], evaluate: Callable[[Any], dict],
    log: Callable[[dict], None] | None = None,
) -> bool:
    """Minimise ``loss(model, n)``, the mean over batch n; True at the last step, False when stopped (SIGINT, SIGTERM) before.

    ``out`` gets ``log.jsonl`` (a line for each step and evaluation) and ``checkpoints/``; with these there, the run goes on.
    """
    import torch

    trained = [p for p in model.parameters() if p.requires_grad]
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(trained, config.lr, weight_decay=config.weight_decay))
    torch.manual_seed(config.seed + accelerator.process_index)  # of dropout
    checkpoints = Checkpoints(config, accelerator)
    step = checkpoints.resume()
    note = Log(config.out / "log.jsonl", step, accelerator, log)
    stopped, began = False, time.monotonic()
    with stop_signals() as stop:
        if step == 0:
            note(0, evaluate(accelerator.unwrap_model(model)))
        while step < config.steps and not stopped:
            model.train()
            for group in optimizer.param_groups:
                group["lr"] = rate(config, step)
            total = 0.0
            for k in range(config.accumulate):
                last = k + 1 == config.accumulate
                n = (step * config.accumulate + k) * accelerator.num_processes + accelerator.process_index
                with contextlib.nullcontext() if last else accelerator.no_sync(model):
                    part = loss(model, n) / config.accumulate
                    accelerator.backward(part)
                total += part.detach()
            accelerator.clip_grad_norm_(trained, config.clip)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            total = accelerator.reduce(total, "mean").item()
            note(step, {"loss": total, "lr": rate(config, step - 1), "seconds": round(time.monotonic() - began, 2)})
            if step % config.evaluate_every == 0 or step == config.steps:
                note(step, evaluate(accelerator.unwrap_model(model)))
            if stop.is_set():
                accelerator.set_trigger()
            stopped = accelerator.check_trigger()  # all processes stop behind the same step
            if stopped or step % config.save_every == 0 or step == config.steps:
                checkpoints.save(step)
    return step == config.steps


def train_from_command_line(doc: str, config: type, run: Callable[[Any, Callable[[dict], None]], Path | None]) -> None:
    """The options of ``config`` from the command line, handed to ``run``, and where the model is in the end."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser, config)
    try:
        folder = run(configured(config, parser.parse_args()), print)
    except RecipeError as error:
        raise SystemExit(str(error)) from None
    if int(os.environ.get("RANK", 0)) == 0:  # one of several processes speaks
        print(f"The model is in {folder}" if folder else "Stopped; the same command goes on.")


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl+C or a termination sets; a second one ends the process as usual."""
    stop, before = threading.Event(), {}

    def ask(number: int, _frame: Any) -> None:
        stop.set()
        signal.signal(number, before[number])

    if threading.current_thread() is threading.main_thread():  # signals reach no other
        before.update({number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)})
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Log:
    """``log.jsonl``: of a run that goes on, the lines behind its checkpoint are dropped."""

    def __init__(self, path: Path, step: int, accelerator: Any, also: Callable[[dict], None] | None):
        self.path, self.also, self.main = path, also, accelerator.is_main_process
        if self.main:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() and step else []
            path.write_text("".join(f"{line}\n" for line in lines if json.loads(line)["step"] <= step), encoding="utf-8")

    def __call__(self, step: int, entry: dict) -> None:
        if self.main:
            entry = {"step": step, **entry}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            if self.also:
                self.also(entry)


class Checkpoints:
    """``checkpoints/step-000050``, written under another name first, so that a folder of that name is whole; the newest is kept."""

    def __init__(self, config: TrainConfig, accelerator: Any):
        self.folder, self.accelerator = config.out / "checkpoints", accelerator
        told = {k: v for k, v in asdict(config).items() if k not in FREE}
        self.settings = json.loads(json.dumps({**told, "processes": accelerator.num_processes}, default=str))
        accelerator.register_save_state_pre_hook(self._save_trained)
        accelerator.register_load_state_pre_hook(self._load_trained)

    def resume(self) -> int:
        """The step of the newest checkpoint, loaded; 0 without any. Raises RecipeError when it was made with other options."""
        found = sorted(self.folder.glob("step-??????"))
        if not found:
            return 0
        before = json.loads((found[-1] / "settings.json").read_text(encoding="utf-8"))
        other = sorted(k for k in before.keys() | self.settings.keys() if before.get(k) != self.settings.get(k))
        if other:
            where = self.folder.parent
            raise RecipeError(f"{where} was begun with another {', '.join(other)}: go on with the same, or take another --out.")
        self.accelerator.load_state(str(found[-1]))
        return int(found[-1].name[5:])

    def save(self, step: int) -> None:
        main, new = self.accelerator.is_main_process, self.folder / "new"
        if main:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(new))
        self.accelerator.wait_for_everyone()
        if main:
            (new / "settings.json").write_text(json.dumps(self.settings), encoding="utf-8")
            older = list(self.folder.glob("step-??????"))
            new.replace(self.folder / f"step-{step:06d}")
            for folder in older:
                if folder.name != f"step-{step:06d}":
                    shutil.rmtree(folder)

    def _save_trained(self, models: list, weights: list, folder: str) -> None:
        """Only what is trained: the base of an adapter is known."""
        from safetensors.torch import save_file

        if self.accelerator.is_main_process:
            named = self.accelerator.unwrap_model(models[0]).named_parameters()
            save_file({name: p.detach().contiguous() for name, p in named if p.requires_grad}, Path(folder) / "trained.safetensors")
        weights.clear()

    def _load_trained(self, models: list, folder: str) -> None:
        from safetensors.torch import load_file

        self.accelerator.unwrap_model(models.pop()).load_state_dict(load_file(Path(folder) / "trained.safetensors"), strict=False)
