"""Full fine-tuning, as the paper does it: every weight learns, and what is kept of it is how far it moved.

The parameters are differences ΔW in float32. For the length of a step ``W' = W + ΔW``, in the precision of W, stands where the host
has W: the network's own forward runs on it, gradients come to ΔW, and the host's weights are never written to. Differences
instead of weights, so that small updates are not lost in 16 bits, the weight decay of an optimizer pulls towards the model as it
came instead of towards zero, and a file of them goes through LoRA loaders, with a strength.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn

from .adapters import AdapterSettings, Shape
from .errors import TrainingError

log = logging.getLogger("viper")

_PACKED = "This model's weights are packed into few bits, which full training cannot change: train lora, or load the model in 16 bits."
_PARTIAL = "Full training needs the whole model on the device, and it does not fit there: train lora, or free memory."


class Full:
    """The differences of one network, with what `adapters.Adapters` offers.

    ``names``: layer, or parameter that is neither weight nor bias → its names in LoRA files; what has none is not trained.
    ``within``: the list of what a model enters in each of its steps. ``called``: the modules whose calls, outside steps too
    (previews), shall run on W'.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: AdapterSettings,
        names: Mapping[str, Iterable[str]],
        device: torch.device,
        within: list[Callable[[], AbstractContextManager]],
        called: Iterable[nn.Module],
    ):
        self.settings, self._network, self._within, self._called = settings, network, within, list(called)
        self._places: dict[str, list[str]] = {}  # shared weights learn once, and are saved under each of their names
        self._deltas: dict[str, nn.Parameter] = {}
        self._lent: list[tuple[dict, str, Tensor, Tensor]] | None = None
        self._on, self._attached = True, False
        first, unnamed = {}, []
        _refuse_packed(network)
        for name, p in network.named_parameters(remove_duplicate=False):
            if not p.is_floating_point() or p.numel() == 0:
                continue
            if _key(name, names) is None:
                unnamed.append(name)
                continue
            places = self._places.setdefault(first.setdefault(id(p), name), [])
            places.append(name)
            if len(places) == 1:
                self._deltas[name] = nn.Parameter(torch.zeros(p.shape, dtype=torch.float32, device=device))
        if unnamed:
            log.info("Not trained, because LoRA files have no name for them: %s.", ", ".join(unnamed))
        if not self._deltas:
            raise TrainingError("LoRA files have no name for any weight of this model, so full training could not be saved.")

    def __iter__(self) -> Iterator[tuple[str, nn.Module]]:
        return iter((name, nn.ParameterList([p])) for name, p in self._deltas.items())

    def __len__(self) -> int:
        return len(self._deltas)

    def named_parameters(self) -> dict[str, nn.Parameter]:
        return dict(self._deltas)

    def parameters(self) -> list[nn.Parameter]:
        return list(self._deltas.values())

    def to(self, device: torch.device) -> Full:
        for p in self._deltas.values():
            p.data = p.data.to(device)
        return self

    def train(self, mode: bool = True) -> Full:
        return self

    def leave_out(self, names: Iterable[str]) -> None:
        for name in list(names):
            del self._deltas[name], self._places[name]

    def new_step(self, generator: torch.Generator) -> None:
        pass

    @torch.no_grad()
    def weaken(self, strength: float) -> None:
        """Leave this share of the differences, in place."""
        for p in self._deltas.values():
            p.mul_(strength)

    @contextmanager
    def attached(self):
        """The network with W', until the block is left, however it is left."""
        if self._attached:
            raise TrainingError("These weights are attached already.")
        forwards: list[tuple[dict, Callable | None]] = []
        self._attached = True
        self._within.append(self._step)
        try:
            for module in self._called:
                forwards.append((vars(module), vars(module).get("forward")))
                module.forward = self._on_new_weights(module.forward)
            yield self
        finally:
            for own, before in forwards:
                if before is None:
                    del own["forward"]
                else:
                    own["forward"] = before
            self._within.remove(self._step)
            self._attached = False

    @contextmanager
    def off(self):
        """The network as it came, while W' stays attached."""
        was, self._on = self._on, False
        self._put()
        try:
            yield
        finally:
            self._on = was
            self._put()

    @contextmanager
    def _step(self):
        """W' for a whole step: blocks that are repeated in the backward pass must find it too."""
        for name, places in self._places.items():
            for place in places:
                layer = self._network.get_submodule(place.rpartition(".")[0])
                moved = layer._parameters[place.rpartition(".")[2]].device.type != self._deltas[name].device.type
                if moved or getattr(layer, "weight_function", None) or getattr(layer, "bias_function", None):
                    raise TrainingError(_PARTIAL)
        with self._new_weights():
            yield

    def _on_new_weights(self, forward):
        def call(*args, **kwargs):
            if self._lent is not None or not self._on:
                return forward(*args, **kwargs)
            with torch.no_grad(), self._new_weights():
                return forward(*args, **kwargs)

        return call

    @contextmanager
    def _new_weights(self):
        self._lent = []
        try:
            for name, places in self._places.items():
                new = None
                for place in places:
                    layer, _, own = place.rpartition(".")
                    table = self._network.get_submodule(layer)._parameters
                    W = table[own]
                    if new is None:
                        new = (W.float() + self._deltas[name].to(W.device)).to(W.dtype)
                        new.__dict__.update(W.__dict__)  # hosts keep notes on their weights
                    self._lent.append((table, own, W, new))
            self._put()
            yield
        finally:
            for table, own, W, _ in self._lent:
                table[own] = W
            self._lent = None

    def _put(self) -> None:
        for table, own, W, new in self._lent or ():
            table[own] = new if self._on else W

    # --- files ---

    def state_dict(self, names: Mapping[str, str], dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """``{"lora_unet_….diff": ΔW, "lora_unet_….diff_b": Δb}``; ``names``: a layer's name → how files call it. Copies, on the CPU."""
        return {
            _key(place, {k: (v,) for k, v in names.items()}): self._deltas[name].detach().to("cpu", dtype, copy=True).contiguous()
            for name, places in self._places.items()
            for place in places
        }

    def load_state_dict(self, tensors: Mapping[str, Tensor], names: Mapping[str, Iterable[str]]) -> None:
        """The reverse, all or nothing. Raises TrainingError."""
        found, used = {}, set()
        for name, places in self._places.items():
            keys = [key for place in places for key in _keys(place, names) if key in tensors]
            if not keys or tensors[keys[0]].shape != self._deltas[name].shape:
                raise TrainingError(f"The saved differences have nothing that fits {name}: another model.")
            found[name] = tensors[keys[0]]
            used.update(keys)
        if len(used) != len(tensors):
            raise TrainingError(f"The saved file has more than this training: {next(key for key in tensors if key not in used)}.")
        with torch.no_grad():
            for name, tensor in found.items():
                self._deltas[name].copy_(tensor)


def _keys(parameter: str, names: Mapping[str, Iterable[str]]) -> list[str]:
    layer, _, own = parameter.rpartition(".")
    if own in ("weight", "bias") and layer in names:
        return [f"{name}.{'diff' if own == 'weight' else 'diff_b'}" for name in names[layer]]
    return [f"{name}.diff" for name in names.get(parameter, ())]


def _key(parameter: str, names: Mapping[str, Iterable[str]]) -> str | None:
    return next(iter(_keys(parameter, names)), None)


def _refuse_packed(network: nn.Module) -> None:
    for layer in network.modules():
        packed = Shape.of(layer) is not None and not layer.weight.is_floating_point()
        for p in layer._parameters.values():
            if p is not None and p.numel():
                packed = packed or type(p) not in (nn.Parameter, Tensor) or (p.is_floating_point() and p.element_size() == 1)
        if packed or getattr(layer, "scale_weight", None) is not None:
            raise TrainingError(_PACKED)
