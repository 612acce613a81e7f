"""A network that somebody else owns, as something autograd can go through, for the length of one step.

Nodes run under inference mode, and so does the loading of models: such weights cannot take part in autograd; others have
``requires_grad`` on. So for the time of a forward and backward pass every weight is represented by a plain, frozen tensor on the
same memory, and afterwards the very same objects are put back: nothing is copied, nothing is marked, no ``.grad`` is left.

Hosts save memory by ``x += …``, which overwrites what the backward pass needs; within the block such a statement makes a new
tensor.

Linear layers whose weights are packed into eight bits, stored in another type than they compute in, or lie on another device,
read them once more in the backward pass. Autograd alone would keep every unpacked weight until then: the whole model at full size.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_ANEW = {Tensor.add_: torch.add, Tensor.sub_: torch.sub, Tensor.mul_: torch.mul, Tensor.div_: torch.div}

ReadWeights = Callable[[nn.Module, torch.device, torch.dtype], tuple[Tensor, Tensor | None]]


@contextmanager
def borrowed(network: nn.Module, device: torch.device, read_weights: ReadWeights | None = None, dtype: torch.dtype | None = None):
    """The network, differentiable with respect to what goes through it, until the block is left, however it is left.

    Outside inference mode. ``device`` is where it computes, ``dtype`` what in (None: whatever its weights have);
    ``read_weights(layer, device, dtype)`` → W, bias unpacks a layer. The owner must not move or patch weights meanwhile: keep the
    block as short as one step.
    """
    routed: list[nn.Module] = []
    replaced: list[tuple[dict, str, Tensor]] = []
    stand_ins: dict[int, Tensor] = {}  # shared weights stay shared
    with torch.inference_mode(False), torch.enable_grad():
        try:
            for layer in network.modules():
                if read_weights is not None and _reads_again(layer, device, dtype):
                    _route(layer, read_weights)
                    routed.append(layer)
                for table in (layer._parameters, layer._buffers):
                    for name, tensor in table.items():
                        if tensor is not None and _needs_stand_in(tensor):
                            key = id(tensor)
                            if key not in stand_ins:
                                stand_ins[key] = _stand_in(tensor)
                            replaced.append((table, name, tensor))
                            table[name] = stand_ins[key]
            with Anew():
                yield network
        finally:
            for table, name, tensor in replaced:
                table[name] = tensor
            for layer in routed:
                del layer.forward


class Anew(TorchFunctionMode):
    """``x += y`` as ``x = x + y``, for the four operators. (``x[i] += y`` still changes x: Python assigns the item.)

    To torch the statement is ``x.add_(y)``; but whoever calls that himself may drop the result, so those calls stay, and autograd
    says if they do harm. Which of the two it is, is told by the instruction that the calling frame is at.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in _ANEW and not kwargs and _is_statement(sys._getframe(1)):
            return _ANEW[function](*args).to(args[0].dtype)  # the statement keeps the type of its left side
        return function(*args, **(kwargs or {}))


def _is_statement(frame) -> bool:
    return _statement_at(frame.f_code, frame.f_lasti)


@lru_cache(4096)
def _statement_at(code, place: int) -> bool:
    operation, what = code.co_code[place], code.co_code[place + 1]
    name = dis.opname[operation]
    if name == "BINARY_OP":  # since Python 3.11 one instruction for all operators
        return dis._nb_ops[what][0].startswith("NB_INPLACE")
    return name.startswith("INPLACE")


def _needs_stand_in(tensor: Tensor) -> bool:
    return (tensor.requires_grad or tensor.is_inference()) and type(tensor) in (nn.Parameter, Tensor)


def _stand_in(tensor: Tensor) -> Tensor:
    if tensor.is_inference():
        bare = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        bare.set_(tensor.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())
    else:
        bare = tensor.detach()
    if isinstance(tensor, nn.Parameter):
        bare = nn.Parameter(bare, requires_grad=False)
    if tensor.__dict__:
        bare.__dict__.update(tensor.__dict__)  # hosts keep notes on their weights
    return bare


def _reads_again(layer: nn.Module, device: torch.device, dtype: torch.dtype | None) -> bool:
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or not hasattr(layer, "in_features") or "forward" in vars(layer):
        return False
    packed = type(weight).__name__ == "QuantizedTensor" or (weight.is_floating_point() and weight.element_size() == 1)
    cast = dtype is not None and weight.is_floating_point() and weight.dtype is not dtype
    return packed or cast or weight.device.type != device.type


def _route(layer: nn.Module, read_weights: ReadWeights) -> None:
    def forward(x):
        if torch.is_autocast_enabled(x.device.type):  # which knows nothing of functions like this one
            x = x.to(torch.get_autocast_dtype(x.device.type))
        return _Linear.apply(x, layer, read_weights)

    layer.forward = forward


class _Linear(torch.autograd.Function):
    """``x Wᵀ + b`` of a frozen layer; what is kept for the backward pass is nothing."""

    @staticmethod
    def forward(ctx, x, layer, read_weights):
        ctx.layer, ctx.read_weights, ctx.dtype = layer, read_weights, x.dtype
        W, b = read_weights(layer, x.device, x.dtype)
        y = x.new_empty((*x.shape[:-1], W.shape[0]))  # F.linear would return a view, which nobody may write to
        rows, out = x.reshape(-1, W.shape[1]), y.view(-1, W.shape[0])
        torch.mm(rows, W.T, out=out) if b is None else torch.addmm(b, rows, W.T, out=out)
        return y

    @staticmethod
    def backward(ctx, grad):
        W, _ = ctx.read_weights(ctx.layer, grad.device, ctx.dtype)
        return grad @ W, None, None
