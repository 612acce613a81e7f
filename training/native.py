"""A host MODEL as a function for training: noisy latent and time in, the network's own prediction out, with a gradient."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..host import runs_bf16
from ..host import training as hosted
from . import objective
from .adapters import Adapters, AdapterSettings
from .checkpointing import checkpointed
from .errors import TrainingError
from .frozen import borrowed
from .full import Full
from .precision import computing

log = logging.getLogger("viper")


_NO_BACKWARD = ("does not require grad", "inplace operation", "is not implemented", "not differentiable")
_UNTRAINABLE = (
    "No gradient comes through this model: either its family cannot be trained here, or another pack computes a part of it "
    "(attention, mostly) in a way that has no backward pass. Switch that off, or choose another model."
)


def native_target(sampling) -> str:
    """What the network of a host's ``model_sampling`` predicts, one of `objective.TARGETS`. Raises TrainingError.

    Asked, not read off a class name, so that ModelSampling nodes and other packs' classes count: the latent that is noised
    tells the levels (α, σ), and ``denoised = a + b · output``, solved for the output that gives back a known latent, (c₀, c₁).
    """
    for target in objective.TARGETS:
        s = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
        alpha, sigma = objective.levels(target, s)
        if all(_agrees(sampling, target, s[i:i + 1], alpha[i:i + 1], sigma[i:i + 1]) for i in range(len(s))):
            return target
    raise TrainingError("This model predicts something that cannot be trained here: use one that predicts noise, v, flow or the picture.")


def _agrees(sampling, target: str, s: Tensor, alpha: Tensor, sigma: Tensor) -> bool:
    shape = (1, 1, 1, 1)
    one, zero = torch.ones(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
    # Noised latents of the host may be scaled: its σ/α is what counts.
    from_x0, from_eps = (sampling.noise_scaling(s, eps.clone(), x0.clone()) for x0, eps in ((one, zero), (zero, one)))
    if not torch.allclose(from_eps * alpha, from_x0 * sigma, rtol=1e-4):
        return False
    for x0, eps, x in ((one, zero, from_x0), (zero, one, from_eps)):
        a = sampling.calculate_denoised(s, zero, x)
        b = sampling.calculate_denoised(s, one, x) - a
        want = objective.native_target(target, x0, eps, alpha, sigma)
        if not torch.allclose((x0 - a) / b, want, rtol=1e-4, atol=1e-6):
            return False
    return True


@dataclass
class Preflight:
    """One step before the long work: its loss, seconds and bytes (peak on the device; None on a CPU), and layers out of reach."""

    loss: float
    seconds: float
    peak_memory: int | None
    unreached: list[str]


class NativeModel:
    """A MODEL to train beside: ``target``, ``table`` of noise levels (None for flow), and a call that gradients go through.

    The MODEL itself never changes. Under a node, all of this works outside inference mode.
    """

    def __init__(self, model):
        self.model = model
        sampling = hosted.sampling_of(model)
        self.target = native_target(sampling)
        self.table = None if self.target == "flow" else sampling.sigmas.detach().to("cpu", torch.float64, copy=True)
        self.device = hosted.device_of(model)
        self.checkpointing = False  # repeat blocks in the backward pass: slower, far less memory
        self.computes = self.dtype = hosted.computes_in(model)
        self.within: list[Callable[[], AbstractContextManager]] = []  # what each step is taken within: see `full`

    def load(self, extra_memory: int = 0) -> None:
        hosted.load_for_training(self.model, extra_memory)

    def adapters(self, settings: AdapterSettings, seed: int) -> Adapters | Full:
        """New adapters for this model, on its device, in float32; for the kind "full", differences of all its weights."""
        with torch.inference_mode(False):
            if settings.kind == "full":
                network = hosted.network(self.model)
                return Full(network, settings, self.names(), self.device, self.within, [network])
            read = lambda layer: hosted.read_weights(layer, layer.weight.device, torch.float32)[0]  # noqa: E731
            return Adapters(hosted.network(self.model), settings, seed, read).to(self.device)

    def compute_in(self, precision: str) -> None:
        """What predictions are computed in from now on (see `precision`), whatever the MODEL computes in elsewhere."""
        self.dtype = computing(precision, self.computes, runs_bf16(self.device))

    def names(self) -> dict[str, list[str]]:
        """Layer → its names in LoRA files."""
        return hosted.lora_names(self.model)

    def conds(self, conditioning, latent: Tensor, keep_graph: bool = False, **given) -> dict:
        """One sample's conditioning, ready for calls; ``latent`` ``(1, C, …)`` on the model's device gives the size.

        ``given``: what a graph's nodes would put onto the prompt, such as ``guidance=1.0`` for Flux or SDXL's sizes.
        ``keep_graph``: gradients go back into a conditioning of `text.TextModel.encode`.
        """
        return hosted.model_conds(self.model, conditioning, latent, keep_graph, **given)

    @contextmanager
    def step(self):
        """Around one forward and backward pass, gradients switched on; no loading, sampling or other use of the MODEL in between."""
        again = checkpointed(hosted.network(self.model)) if self.checkpointing else nullcontext()
        with ExitStack() as stack:
            if self.computes not in (self.dtype, torch.float32):
                stack.enter_context(hosted.computing_in(self.model, self.dtype))
            reread = None if self.within else self.dtype  # what learns itself must stay in sight of the gradient
            stack.enter_context(borrowed(self.model.model, self.device, hosted.read_weights, reread))
            for enter in self.within:
                stack.enter_context(enter())
            stack.enter_context(again)
            yield self

    def predict(self, x_t: Tensor, noise_level: Tensor, conds: Sequence[dict]) -> Tensor:
        """The network's prediction ``(B, C, …)``, float32, in its own target; inside `step`.

        ``x_t = α x₀ + σ ε``; ``conds`` one a sample. Samples whose conds have different sizes are called one after the other.
        """
        joined = hosted.join_conds(conds)
        if joined is None:
            parts = [self.predict(x_t[i:i + 1], noise_level[i:i + 1], [c]) for i, c in enumerate(conds)]
            return torch.cat(parts)
        if self.target != "flow":  # the host's latents are x₀ + s ε
            x_t = x_t / objective.levels(self.target, noise_level)[0].reshape(-1, *[1] * (x_t.ndim - 1)).to(x_t)
        with hosted.raw_output(self.model) as outputs:
            with self._autocast():
                hosted.apply_model(self.model, x_t, noise_level.to(x_t), joined)
        if len(outputs) != 1 or not isinstance(outputs[0], Tensor) or outputs[0].shape != x_t.shape:
            raise TrainingError("This model's network does not answer with one latent: its family cannot be trained here.")
        return outputs[0].float()

    def _autocast(self):
        """16 bits for a model in float32: what is summed over its layers stays float32."""
        lower = self.computes is torch.float32 and self.dtype is not torch.float32
        return torch.autocast(self.device.type, self.dtype) if lower else nullcontext()

    def preflight(
        self,
        adapters: Iterable[tuple[str, nn.Module]],
        loss: Callable[[], Tensor],
        step: Callable[[], AbstractContextManager] | None = None,
    ) -> Preflight:
        """Run ``loss()`` and its backward pass once, look at every adapter's gradient, and leave none behind.

        ``adapters``: names and parts, as `Adapters` gives them; ``step``: a task's own, when it takes more than this model's.
        Raises TrainingError when a loss or gradient is not finite or when no adapter has one. Layers that no gradient reaches
        (unused experts of a mixture, layers of other inputs) are named in the result.
        """
        cuda, adapters = self.device.type == "cuda", list(adapters)
        if cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        began = time.perf_counter()
        try:
            with (step or self.step)():
                value = loss()
                value.backward()
            value = float(value.detach())
            bad, unreached = [], []
            for name, part in adapters:
                grads = [p.grad for p in part.parameters()]
                if all(g is None for g in grads):
                    unreached.append(name)
                elif not all(g is not None and bool(torch.isfinite(g).all()) for g in grads):
                    bad.append(name)
        except RuntimeError as e:
            if isinstance(e, torch.OutOfMemoryError) or not any(sign in str(e) for sign in _NO_BACKWARD):
                raise
            raise TrainingError(_UNTRAINABLE) from e
        finally:
            for _, part in adapters:
                for p in part.parameters():
                    p.grad = None
        if bad or value != value or value in (float("inf"), float("-inf")):
            where = f" (first in {bad[0]})" if bad else ""
            raise TrainingError(f"The first step gives numbers that are not finite{where}: train in bf16 or float32 instead of float16.")
        if len(unreached) == len(adapters):
            raise TrainingError(_UNTRAINABLE)
        if unreached:
            log.warning("%d of %d adapters receive no gradient, the first is %s.", len(unreached), len(adapters), unreached[0])
        peak = torch.cuda.max_memory_allocated(self.device) if cuda else None
        return Preflight(value, time.perf_counter() - began, peak, unreached)
