"""Models of other libraries under the host's memory management."""

from __future__ import annotations

import torch


def torch_device() -> torch.device:
    """The device that the host computes on."""
    import comfy.model_management

    return comfy.model_management.get_torch_device()


def runs_bf16(device: torch.device) -> bool:
    import comfy.model_management

    return device.type == "cpu" or comfy.model_management.should_use_bf16(device)


class OtherModel(torch.nn.Module):
    """What the host's log calls a model of another library."""


class Managed:
    """A module of another library under the host's memory management, for as long as this object is kept.

    The module is built on the CPU, moved to the host's device when it is used, and moved back when the host needs the room
    for other models; where it does not fit, its Linear layers stream their weights like the host's own.
    """

    def __init__(self, module: torch.nn.Module):
        self._holder = OtherModel()  # the patcher writes attributes such as `device`, which other libraries reserve
        self._holder.module = module
        for layer in module.modules():
            if type(layer) is torch.nn.Linear:
                layer.__class__ = _streaming_linear()
        self._patcher = _patcher(self._holder, 0)
        _on_load(self._patcher, self._rest_to_device)

    @property
    def size(self) -> int:
        """Bytes of all weights."""
        return self._patcher.model_size()

    def use(self, extra_memory: int = 0) -> torch.nn.Module:
        """The module, ready on ``torch_device()``, with ``extra_memory`` bytes free beside it."""
        _load(self._patcher, extra_memory)
        return self._holder.module

    def _rest_to_device(self, patcher, device, *args) -> None:
        """What cannot stream is always on the device: small layers, and buffers, which the host leaves behind."""
        for layer in self._holder.modules():
            if not hasattr(layer, "comfy_cast_weights"):
                for name, tensor in [*layer._parameters.items(), *layer._buffers.items()]:
                    if tensor is not None and tensor.device != device:
                        if name in layer._parameters:
                            tensor.data = tensor.data.to(device)
                        else:
                            layer._buffers[name] = tensor.to(device)


class Rebuilt:
    """Like ``Managed``, for a module that cannot be moved once it is built (quantised weights).

    ``build(device)`` makes it on the host's device when it is used; it is dropped when the host needs the room, and built
    again at the next use. ``size`` is the expected number of bytes.
    """

    def __init__(self, build, size: int):
        from comfy.patcher_extension import CallbacksMP

        self.size, self._build = size, build
        self._holder = OtherModel()
        self._held: list[torch.nn.Module] = []  # not a child: the host would move it
        self._patcher = _patcher(self._holder, size)
        _on_load(self._patcher, lambda patcher, device, *args: self._held or self._held.append(self._build(device)))
        # The host also detaches a model that it loads again; only a full one gives the memory back.
        self._patcher.add_callback(CallbacksMP.ON_DETACH, lambda patcher, unpatch_all: unpatch_all and self._held.clear())

    def use(self, extra_memory: int = 0) -> torch.nn.Module:
        _load(self._patcher, extra_memory)
        return self._held[0]


def _patcher(module: torch.nn.Module, size: int):
    import comfy.model_management
    import comfy.model_patcher

    return comfy.model_patcher.ModelPatcher(
        module, load_device=torch_device(), offload_device=comfy.model_management.text_encoder_offload_device(), size=size
    )


def _on_load(patcher, callback) -> None:
    from comfy.patcher_extension import CallbacksMP

    patcher.add_callback(CallbacksMP.ON_LOAD, callback)


def _load(patcher, extra_memory: int) -> None:
    import comfy.model_management

    comfy.model_management.load_models_gpu([patcher], memory_required=extra_memory)


def _streaming_linear() -> type:
    import comfy.ops

    return comfy.ops.disable_weight_init.Linear
