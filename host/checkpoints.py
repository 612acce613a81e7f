"""Knowing a checkpoint again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch


def fingerprint(model, clip, vae) -> str:
    """Tells checkpoints apart, also after a restart, in milliseconds.

    Hashed of each part: its class, the names and shapes of all weights, 64 values each of 16 weights spread over it (the
    unpatched ones), LoRA and other weight patches with their strengths and 16 samples, object patches with their numbers
    (ModelSampling nodes), and which functions patch the model. Of these functions only the host's own are known by their
    numbers too: other packs keep counters there, which would make every run look like another checkpoint. So a number
    changed in another pack's model patch, or a few weights edited by hand, go unseen: give the set another name.
    """
    digest = hashlib.sha256()
    for part, patcher in (("model", model), ("clip", clip.patcher), ("vae", getattr(vae, "patcher", None))):
        digest.update(part.encode())
        for clue in _clues(patcher) if patcher is not None else ():
            digest.update(clue if isinstance(clue, bytes) else f"{clue};".encode())
    digest.update(str(getattr(clip, "layer_idx", None)).encode())
    return digest.hexdigest()[:32]


def _clues(patcher) -> Iterator[str | bytes]:
    weights = sorted(patcher.model.named_parameters(), key=lambda item: item[0])
    yield type(patcher.model).__name__
    yield from (f"{name}{tuple(w.shape)}" for name, w in weights)
    backup = getattr(patcher, "backup", {})  # where the host keeps a weight while a LoRA is merged into it
    yield from (_sample(getattr(backup.get(name), "weight", w)) for name, w in _spread(weights))
    patches = sorted(getattr(patcher, "patches", {}).items(), key=lambda item: str(item[0]))
    yield from (f"{key} {[[x for x in entry if isinstance(x, (int, float))] for entry in entries]}" for key, entries in patches)
    for _, entries in _spread(patches):
        yield from (_sample(t) for entry in entries for t in _tensors(entry))
    for name, value in sorted(getattr(patcher, "object_patches", {}).items()):
        # The host builds some of these classes on the spot: their bases tell them apart.
        kind = [base.__qualname__ for base in type(value).__mro__]
        yield f"{name} {kind} {_numbers(vars(value)) if hasattr(value, '__dict__') else ''}"
        if isinstance(value, torch.nn.Module):
            yield from (_sample(t) for _, t in sorted(value.state_dict().items()))
    yield from sorted(_functions(getattr(patcher, "model_options", {})))


def _spread(items: list, most: int = 16) -> list:
    return [items[i * len(items) // most] for i in range(most)] if len(items) > most else items


def _sample(weight, most: int = 64) -> bytes:
    try:
        flat = weight.detach().reshape(-1)
        if flat.element_size() == 1:
            flat = flat.view(torch.uint8)  # eight-bit floats cannot be picked from everywhere
        n = min(most, flat.numel())
        # Whole numbers: above 2²⁴ elements a float32 place could lie behind the end.
        places = torch.arange(n, device=flat.device) * (flat.numel() - 1) // max(n - 1, 1)
        return flat[places].float().cpu().numpy().tobytes()
    except Exception:  # a quantised weight of another pack that is no plain tensor: its name and shape must do
        return b""


def _tensors(value, depth: int = 4) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif depth and isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item, depth - 1)
    elif depth and hasattr(value, "weights"):  # the host's weight adapters
        yield from _tensors(value.weights, depth - 1)


def _numbers(values: dict) -> list[str]:
    return [f"{k}={v}" for k, v in sorted(values.items()) if isinstance(v, (int, float)) and k != "training"]


def _functions(value, depth: int = 6) -> Iterator[str]:
    """Names of the functions in a MODEL's options; keys are left out, since packs make them up anew."""
    if depth and isinstance(value, dict):
        yield from _numbers({k: v for k, v in value.items() if isinstance(k, str)})
        for item in value.values():
            yield from _functions(item, depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for item in value:
            yield from _functions(item, depth - 1)
    elif callable(value):
        name = getattr(value, "__qualname__", type(value).__qualname__)
        numbers = []
        if "comfy_extras" in (getattr(value, "__module__", None) or "") and getattr(value, "__closure__", None):
            numbers = _numbers(dict(zip(value.__code__.co_freevars, (_cell_value(c) for c in value.__closure__), strict=True)))
        yield f"{name} {numbers}"


def _cell_value(cell):
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None
