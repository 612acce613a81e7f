"""The host's own ``TrainLoraNode`` beside the pack's training: the same pictures, rank, steps and batch; seconds a step and memory.

The node runs as it is, called like a graph calls it. It trains every layer, norms and biases too, at an alpha of 1 and with no
prior; the pack trains what its preset says.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch

from viper.training.adapters import AdapterSettings
from viper.training.lessons import DreamBooth, Lesson
from viper.training.native import NativeModel
from viper.training.options import Training
from viper.training.trainer import Trainer

RANK = 16


def train_lora(model, latents: list, words: list, steps: int, batch: int, learning_rate: float = 5e-4, precision: str = "fp32",
               checkpointing: bool = False):  # fmt: skip
    """The node's (MODEL, LoRA weights). ``latents`` (1, C, H, W) as VAE Encode gives them; ``words`` the CONDITIONING of all.

    The model given is changed by the node: give one that nobody else uses.
    """
    from comfy_extras.nodes_train import TrainLoraNode

    settings = dict(batch_size=batch, steps=steps, grad_accumulation_steps=1, learning_rate=learning_rate, rank=RANK, optimizer="AdamW",
                    loss_function="MSE", seed=0, training_dtype=precision, lora_dtype=precision, algorithm="LoRA",
                    gradient_checkpointing=checkpointing, existing_lora="[None]")  # fmt: skip
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(0)  # it draws its batches and times from the global generator
        given = {"model": [model], "latents": [{"samples": x} for x in latents], "positive": [words]}
        return TrainLoraNode.execute(**given, **{name: [value] for name, value in settings.items()}).result[:2]


class _Watched:
    """In the place of the node's progress bar: when each step began."""

    def __init__(self, times: list[float], count: int):
        self.times, self.count = times, count

    def __iter__(self):
        for i in range(self.count):
            self.times.append(time.perf_counter())
            yield i
        self.times.append(time.perf_counter())

    def set_postfix(self, *args, **kwargs) -> None:
        _wait()


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _between(times: list[float]) -> list[float]:
    return [b - a for a, b in zip(times, times[1:], strict=False)]


def host_steps(model, latents, words, steps: int, batch: int, **how) -> list[float]:
    """Seconds of each step of the node."""
    from comfy_extras import nodes_train

    times: list[float] = []
    with mock.patch.object(nodes_train, "trange", lambda count, **kwargs: _Watched(times, count)):
        train_lora(model, latents, words, steps, batch, **how)
    return _between(times)


def our_steps(native: NativeModel, instances: list[Lesson], priors: list[Lesson], steps: int, batch: int, family: str = "pocket",
              layers: str = "", checkpointing: bool = False) -> list[float]:  # fmt: skip
    """Seconds of each step of the pack's training with the preset of ``family``."""
    options = Training().options(family)
    job = replace(options.job(0, steps, ""), batch_size=batch, accumulation=1)
    job = replace(job, adapter=AdapterSettings("lora", RANK, float(RANK), layers or options.layers))
    native.checkpointing = checkpointing
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode(False), torch.enable_grad():
        task = DreamBooth(native, native.adapters(job.adapter, 0), instances, priors, job)
        trainer = Trainer(job, task, Path(folder), save_every=10**9)
        times: list[float] = []

        def note(trainer=None) -> None:
            _wait()
            times.append(time.perf_counter())

        with task.attached(), mock.patch.object(Trainer, "save"):
            note()
            trainer.run(note)
    return _between(times)


def interleaved(runs: dict[str, Callable[[int], list[float]]], rounds: int, steps: int) -> dict[str, list[float]]:
    """Median seconds a step of each run in each round, one after the other, so that whatever else the machine does hits all alike.

    A run's first step, which warms up, does not count.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(sorted(run(steps + 1)[1:])[steps // 2])
    return found


# --- on the pocket model -------------------------------------------------------------------------------------------------


def pocket_runs(batch: int, latents: list, words: list, prior_words: list) -> dict[str, Callable[[int], list[float]]]:
    """``run(steps)`` of ours (with and without prior, and on all layers) and of the host's."""
    from viper.pocket.loader import load_pocket_model

    with torch.inference_mode():
        native = NativeModel(load_pocket_model()[0])
    native.load()
    instances, priors = lessons(native, latents, words), lessons(native, latents, prior_words)

    def host_run(steps: int) -> list[float]:
        with torch.inference_mode():
            fresh = load_pocket_model()[0]
        return host_steps(fresh, latents, words, steps, batch)

    ours = {"prior": (priors, ""), "no prior": ([], ""), "no prior, all layers": ([], "all")}
    runs = {f"ours, {name}": (lambda steps, p=p, layers=layers: our_steps(native, instances, p, steps, batch, layers=layers))
            for name, (p, layers) in ours.items()}  # fmt: skip
    return {**runs, "host": host_run}


def lessons(native: NativeModel, latents: list, words: list) -> list[Lesson]:
    """``latents`` as the network takes them, all with one prompt."""
    with torch.inference_mode(False):
        own = [x.detach().clone().to(native.device).float() for x in latents]
    with torch.inference_mode():
        return [Lesson(x, native.conds(words, x)) for x in own]


# --- memory --------------------------------------------------------------------------------------------------------------

PROBES = ("ours, prior", "ours, no prior", "host", "host, its defaults")  # its defaults: bf16 and gradient checkpointing


def memory(who: str, batch: int, threads: int, steps: int = 3) -> int:
    """Bytes that a training takes at most beside what its process held before, measured in a process of its own."""
    script = Path(__file__).with_name("dreambooth.py")
    command = [sys.executable, str(script), "--probe", json.dumps([who, batch, steps]), "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The memory of {who} could not be measured: {done.stderr.strip()[-600:]}")
    return int(done.stdout.strip().splitlines()[-1])


def probe(who: str, batch: int, steps: int) -> int:
    """What `memory` runs: one training on random latents, nothing else."""
    from viper import host
    from viper.pocket.loader import load_pocket_model

    with torch.inference_mode():
        model, clip, vae = load_pocket_model()
        words, prior_words = host.encode_prompt(clip, "a vuqix dog"), host.encode_prompt(clip, "a dog")
        latents = [torch.randn(1, vae.latent_channels, 16, 16) for _ in range(4)]
    if who.startswith("host"):
        how = {"precision": "bf16", "checkpointing": True} if "defaults" in who else {}
        import comfy_extras.nodes_train  # noqa: F401 (its imports are no part of the training)

        run = lambda: host_steps(model, latents, words, steps, batch, **how)  # noqa: E731
    else:
        native = NativeModel(model)
        native.load()
        instances = lessons(native, latents, words)
        priors = lessons(native, latents, prior_words) if who == "ours, prior" else []
        run = lambda: our_steps(native, instances, priors, steps, batch)  # noqa: E731
    with contextlib.suppress(OSError):  # on Linux: forget what loading took at most
        Path("/proc/self/clear_refs").write_text("5")
    before = high_water()
    run()
    return high_water() - before


def high_water() -> int:
    """Most bytes this process has held. On Linux its own: what ``getrusage`` tells begins with the parent's."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
