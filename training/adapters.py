"""Adapters on the side of a frozen network: ``y + s · B(A(x))`` next to each layer, never ``W + ΔW``.

A forward hook adds what the adapter says to what the layer said. Weights, ``requires_grad``, weight functions and forward
methods stay what they are, so it does not matter in which precision, quantisation or place the host keeps the weights, nor
whether it moves them meanwhile; and when the hooks are gone, nothing is left. One file for each kind of adapter.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LAYERS = ("attention", "linear", "all")
KINDS = ("lora", "dora", "full")

_ATTENTION = re.compile(r"(^|[._])\w*(attn|attention)\w*[._]|(^|\.)single_blocks\.\d+\.linear[12]$")

# Embedders of time and size: LoRA tools leave them alone, and files have no name for them that all tools read.
_EMBEDDERS = re.compile(r"^(time_embed|label_emb|t_embedder|y_embedder|time_in|vector_in|guidance_in)\.")


class AdapterError(ValueError):
    """Adapters cannot be built, attached or loaded; said in one sentence."""


@dataclass(frozen=True)
class AdapterSettings:
    """What decides the shape of a set of adapters.

    ``rank`` r and ``alpha``: the side path is scaled by alpha/r. ``layers``: ``attention``; ``linear`` (every linear map but the
    embedders of time and size, 1×1 convolutions included); ``all`` (larger convolutions too); or regular expressions, one a
    line, of which a layer's name must hold one. ``rank_dropout``: the share of ranks left out in each step. None of them counts for
    the kind ``full``, which has no adapters: see `full`.
    """

    kind: str = "lora"
    rank: int = 16
    alpha: float = 16.0
    layers: str = "attention"
    rank_dropout: float = 0.0


@dataclass(frozen=True)
class Shape:
    """What an adapter needs to know of a layer; ``conv`` are the arguments of a convolution, None for a linear map."""

    n_in: int
    n_out: int
    kernel: tuple[int, ...] = ()
    conv: dict | None = None

    @classmethod
    def of(cls, layer: nn.Module) -> Shape | None:
        """None for what is no linear map or plain convolution. Read from the layer, not from its weight, which may be packed."""
        if hasattr(layer, "in_features") and hasattr(layer, "out_features") and hasattr(layer, "weight"):
            return cls(layer.in_features, layer.out_features)
        plain = isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)) and layer.groups == 1 and layer.padding_mode == "zeros"
        if not plain:
            return None
        how = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
        return cls(layer.in_channels, layer.out_channels, tuple(layer.kernel_size), how)

    @property
    def pointwise(self) -> bool:
        return all(k == 1 for k in self.kernel)


class Adapter(nn.Module):
    """One layer's adapter. A kind overrides `before`, `after`, `weaken` and `tensors`, and keeps its weights in float32."""

    def before(self, x: Tensor) -> Tensor | None:
        """What the layer shall read instead of ``x``; None for ``x`` itself."""
        return None

    def after(self, x: Tensor, y: Tensor) -> Tensor:
        """The layer read ``x`` and said ``y``."""
        raise NotImplementedError

    def new_step(self, generator: torch.Generator) -> None:
        """Draw what is random in a step. Not in the forward pass, which checkpointing repeats."""

    def weaken(self, strength: float) -> None:
        """Leave this share of what was learned, in place: 0 is a new adapter, 1 changes nothing."""
        raise NotImplementedError

    def tensors(self) -> dict[str, Tensor]:
        """What a file holds, by the ending of its key; views of the weights, in the host's layout."""
        raise NotImplementedError

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The reverse; raises AdapterError when shapes differ."""
        for name, tensor in self.tensors().items():
            given = tensors.get(name)
            if given is None or given.numel() != tensor.numel():
                raise AdapterError(f"The saved {name} does not fit: other rank, layers or model.")
            with torch.no_grad():
                tensor.copy_(given.reshape(tensor.shape))


def maker(kind: str) -> Callable[..., Adapter]:
    """The class of a kind of adapter."""
    if kind == "lora":
        from .lora import Lora

        return Lora
    if kind == "dora":
        from .dora import Dora

        return Dora
    raise AdapterError(f"There is no adapter {kind!r}: choose one of {', '.join(KINDS)}.")


def chosen_layers(network: nn.Module, layers: str) -> dict[str, Shape]:
    """Name → shape of the layers that get an adapter, in the network's order. Raises AdapterError when there is none."""
    patterns = None
    if layers not in LAYERS:
        try:
            patterns = [re.compile(line.strip()) for line in layers.splitlines() if line.strip()]
        except re.error as e:
            raise AdapterError(f"The pattern of layers cannot be read ({e}): use {', '.join(LAYERS)} or regular expressions.") from e
    found = {}
    for name, layer in network.named_modules():
        shape = Shape.of(layer)
        if shape is None:
            continue
        if patterns is not None:
            wanted = any(p.search(name) for p in patterns)
        elif layers == "attention":
            wanted = shape.pointwise and _ATTENTION.search(name) is not None
        else:
            wanted = (layers == "all" or shape.pointwise) and _EMBEDDERS.search(name) is None
        if wanted:
            found[name] = shape
    if not found:
        raise AdapterError(f"No layer of this model is called like {layers!r}: choose another setting of layers.")
    return found


class Adapters:
    """The adapters of one network, by the names of its layers.

    ``read_weight(layer)`` gives a layer's weight as a plain float tensor (DoRA measures it); ``seed`` fixes the initial
    weights, layer by layer, whatever the order.
    """

    def __init__(self, network: nn.Module, settings: AdapterSettings, seed: int, read_weight: Callable[[nn.Module], Tensor] | None = None):
        if settings.rank < 1:
            raise AdapterError("The rank must be at least 1.")
        make, read = maker(settings.kind), read_weight or _plain_weight
        self.settings = settings
        self._network = network
        self._parts: dict[str, Adapter] = {}
        for name, shape in chosen_layers(network, settings.layers).items():
            layer = network.get_submodule(name)
            self._parts[name] = make(shape, settings, _generator(seed, name), lambda layer=layer: read(layer))
        self._handles: list = []
        self._on = True

    def __iter__(self) -> Iterator[tuple[str, Adapter]]:
        return iter(self._parts.items())

    def __len__(self) -> int:
        return len(self._parts)

    def named_parameters(self) -> dict[str, nn.Parameter]:
        return {f"{name}.{key}": p for name, part in self._parts.items() for key, p in part.named_parameters()}

    def parameters(self) -> list[nn.Parameter]:
        return list(self.named_parameters().values())

    def to(self, device: torch.device) -> Adapters:
        for part in self._parts.values():
            part.to(device)
        return self

    def train(self, mode: bool = True) -> Adapters:
        """Whether ranks are dropped: not for previews."""
        for part in self._parts.values():
            part.train(mode)
        return self

    def leave_out(self, names: Iterable[str]) -> None:
        """Layers that get no adapter after all; not while attached."""
        for name in list(names):
            del self._parts[name]

    def new_step(self, generator: torch.Generator) -> None:
        for part in self._parts.values():
            part.new_step(generator)

    def weaken(self, strength: float) -> None:
        """Leave this share of what was learned, in place."""
        for part in self._parts.values():
            part.weaken(strength)

    @contextmanager
    def attached(self):
        """The network with its adapters, until the block is left, however it is left."""
        if self._handles:
            raise AdapterError("These adapters are attached already.")
        try:
            for name, part in self._parts.items():
                layer = self._network.get_submodule(name)
                self._handles += [layer.register_forward_pre_hook(self._before(part)), layer.register_forward_hook(self._after(part))]
            yield self
        finally:
            for handle in self._handles:
                handle.remove()
            self._handles = []

    @contextmanager
    def off(self):
        """The network as it came, while adapters stay attached: the target of a prior without pictures, or a comparison."""
        was, self._on = self._on, False
        try:
            yield
        finally:
            self._on = was

    def _before(self, part: Adapter):
        def hook(layer, args):
            x = part.before(args[0]) if self._on else None
            return None if x is None else (x, *args[1:])

        return hook

    def _after(self, part: Adapter):
        return lambda layer, args, y: part.after(args[0], y) if self._on else None

    # --- files ---

    def state_dict(self, names: Mapping[str, str], dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """``{"lora_unet_….lora_up.weight": …}``; ``names``: a layer's name → how LoRA files call it. Copies, on the CPU."""
        missing = [name for name in self._parts if name not in names]
        if missing:
            raise AdapterError(f"LoRA files have no name for the layer {missing[0]}: choose another setting of layers.")
        return {
            f"{names[name]}.{key}": tensor.detach().to("cpu", dtype, copy=True).contiguous()
            for name, part in self._parts.items()
            for key, tensor in part.tensors().items()
        }

    def load_state_dict(self, tensors: Mapping[str, Tensor], names: Mapping[str, str | Iterable[str]]) -> None:
        """The reverse, all or nothing; ``names`` may give several spellings of a layer. Raises AdapterError."""
        parts, used = [], set()
        for name, part in self._parts.items():
            spellings = names.get(name, ())
            for spelling in [spellings] if isinstance(spellings, str) else spellings:
                mine = {key[len(spelling) + 1:]: t for key, t in tensors.items() if key.startswith(f"{spelling}.")}
                if mine:
                    break
            else:
                raise AdapterError(f"The saved adapters have nothing for the layer {name}: other layers or another model.")
            parts.append((name, part, mine))
            used.update(f"{spelling}.{key}" for key in mine)
        if len(used) != len(tensors):
            extra = next(key for key in tensors if key not in used)
            raise AdapterError(f"The saved adapters have more than this training: {extra}. Choose the layers they were trained with.")
        before = {name: {key: t.detach().clone() for key, t in part.tensors().items()} for name, part, _ in parts}
        try:
            for _, part, mine in parts:
                part.load(mine)
        except AdapterError:
            for name, part, _ in parts:
                part.load(before[name])
            raise


def _plain_weight(layer: nn.Module) -> Tensor:
    return layer.weight


def _generator(seed: int, name: str) -> torch.Generator:
    number = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big") >> 1
    return torch.Generator().manual_seed(number)


def kaiming(shape: tuple[int, ...], generator: torch.Generator) -> nn.Parameter:
    """``U(−1/√n, 1/√n)``, n values read by each output: how LoRA's authors initialise A. Float32, drawn on the CPU."""
    bound = 1.0 / math.sqrt(math.prod(shape[1:]))
    return nn.Parameter((2.0 * torch.rand(shape, generator=generator) - 1.0) * bound)
