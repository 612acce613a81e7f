"""Which looks of the pocket vocabulary a picture wears, where it is a picture of that kind at all.

A linear classifier for each group of looks ("plain" is an answer, too) on what the pocket encoders see: their embedding, and mean
and spread of their patches. Another one tells icons from photographs and paintings, of which the encoders know nothing: there it
stays silent. Trained on icons that the recipe dressed (``benchmarks/_looks.py``); runs on the CPU, beside the host's memory
management, so that a page may ask while a picture is sampled.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .encoders import VISION
from .encoders import WEIGHTS as ENCODERS

WEIGHTS = Path(__file__).parent / "weights" / "looks.safetensors"
SIZE = 128
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@cache
def _vision() -> torch.nn.Module:
    import comfy.clip_model
    import comfy.ops
    from safetensors.torch import load_file

    config = json.loads(VISION.read_text(encoding="utf-8"))
    model = comfy.clip_model.CLIPVisionModelProjection(config, torch.float32, torch.device("cpu"), comfy.ops.disable_weight_init)
    weights = {key.removeprefix("vision."): value.float() for key, value in load_file(ENCODERS).items() if key.startswith("vision.")}
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)


def embed(pictures: Tensor) -> Tensor:
    """(B, H, W, 3) in [0, 1] → (B, 576): the embedding of unit length, mean and spread of the patches; of the middle square."""
    with torch.no_grad():
        x = pictures.float().cpu().movedim(-1, 1)
        if x.shape[2:] != (SIZE, SIZE):
            scale = SIZE / min(x.shape[2:])
            size = [max(SIZE, round(scale * n)) for n in x.shape[2:]]
            x = F.interpolate(x, size=size, mode="bicubic", antialias=True)
            top, left = ((n - SIZE) // 2 for n in size)
            x = x[..., top : top + SIZE, left : left + SIZE].clamp(0, 1)
        hidden, _, embedding, _ = _vision()(pixel_values=(x - x.new_tensor(MEAN).view(3, 1, 1)) / x.new_tensor(STD).view(3, 1, 1),
                                            intermediate_output=-2)  # fmt: skip
        patches = hidden[:, 1:]
        return torch.cat([F.normalize(embedding, dim=-1), patches.mean(1), patches.std(1)], 1)


@cache
def _head() -> tuple[dict[str, np.ndarray], list[list[str]]]:
    from safetensors import safe_open

    with safe_open(WEIGHTS, "numpy") as file:
        return {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}, json.loads(file.metadata()["groups"])  # noqa: SIM118


def icon(x: np.ndarray) -> float:
    """(576,) of `embed` → the chance that it is an icon or a picture of the pocket model, and no photograph or painting."""
    head, _ = _head()
    return float(1 / (1 + np.exp(-(head["gate"] @ ((x - head["mean"]) / head["scale"]) + head["gate_bias"][0]))))


def looks(x: np.ndarray) -> dict[str, float]:
    """(576,) of `embed` → each look with its chance. Each group's chances and that of no look of the group sum to 1."""
    head, groups = _head()
    scores, found, at = ((x - head["mean"]) / head["scale"]) @ head["weight"] + head["bias"], {}, 0
    for names in groups:
        part = scores[at : at + 1 + len(names)]
        chances = np.exp(part - part.max())
        found |= dict(zip(names, (chances[1:] / chances.sum()).tolist(), strict=True))
        at += 1 + len(names)
    return found


def see(picture: np.ndarray, least: float = 0.73) -> dict[str, float] | None:
    """(H, W, 3) in [0, 1] → the looks it wears, with chances of a tenth and more; None for what is no icon, or without the weights."""
    if not WEIGHTS.is_file():
        return None
    x = embed(torch.from_numpy(np.ascontiguousarray(picture, np.float32))[None])[0].numpy()
    return {name: chance for name, chance in looks(x).items() if chance >= 0.1} if icon(x) >= least else None
