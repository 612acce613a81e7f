"""Train the text encoder and the UNet together, on cached latents (v-prediction, the SD schedule)."""

import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .captions import Spec, caption
from .text import TrainableText, Words


@dataclass
class DiffusionConfig:
    steps: int = 8000
    minutes: float = 1e9  # training also ends (with its cooldown) when this is over
    groups: int = 16  # captions a batch; each comes with VARIANTS pictures
    lr: float = 1e-3
    warmup: int = 150
    cooldown: float = 0.35  # last share of the run, learning rate falling to zero
    ema: float = 0.998
    empty: float = 0.12  # captions dropped, for classifier-free guidance
    noise: float = 0.15  # captions with unknown words in them
    save_every: int = 500
    seed: int = 0


def schedule() -> Tensor:
    """ᾱ_t of the host's default: 1000 steps, √β linear."""
    return (1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2).cumprod(0).float()


def attention(func, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None, **_) -> Tensor:
    """Plain softmax attention (B, N, heads·d); at these sizes several times faster to train on a CPU than the fused one.

    Keys of a smaller batch are shared: B/len(k) pictures of one caption lie one after the other.
    """
    shape, width = q.shape, q.shape[-1]
    b = len(k)
    q = q.reshape(b, -1, width)
    q, k, v = (x.view(b, -1, heads, width // heads).transpose(1, 2) for x in (q, k, v))
    score = (q * (width // heads) ** -0.5) @ k.transpose(2, 3)
    if mask is not None:
        score = score + mask
    return (score.softmax(-1).to(v.dtype) @ v).transpose(1, 2).reshape(shape)


OPTIONS = {"optimized_attention_override": attention}


def encoder_attention(q, k, v, heads, mask=None):
    return attention(None, q, k, v, heads, mask)


class Pocket(nn.Module):
    """The two networks that are trained together."""

    def __init__(self, unet: nn.Module, text: TrainableText):
        super().__init__()
        self.unet, self.text = unet, text


def learning_rate(config: DiffusionConfig, step: int, elapsed: float) -> float:
    progress = max(step / config.steps, elapsed / 60 / config.minutes)
    return config.lr * min(1, (step + 1) / config.warmup) * min(1, max(0.0, 1 - progress) / config.cooldown)


def train(net: Pocket, words: Words, vocabulary: dict, data: Path, out: Path, config: DiffusionConfig, on_save=None) -> Pocket:
    """→ the moving average. Resumes from ``out/diffusion.pt`` with its optimizer, clock and random state."""
    specs = [Spec(**{**s, "attributes": tuple(s["attributes"])}) for s in json.loads((data / "specs.json").read_text())]
    latents = np.load(data / "latents.npy", mmap_mode="r")
    abar, rng, generator = schedule(), random.Random(config.seed), torch.Generator().manual_seed(config.seed)
    parameters = [p.requires_grad_() for p in net.parameters()]
    decay = [p for p in parameters if p.ndim > 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}],
        lr=config.lr, betas=(0.9, 0.98), fused=True,
    )  # fmt: skip
    ema = [p.detach().clone() for p in parameters]
    step, elapsed, losses, path = 0, 0.0, [], out / "diffusion.pt"
    if path.exists():
        saved = torch.load(path, weights_only=False)
        for p, e, value, mean in zip(parameters, ema, saved["net"], saved["ema"], strict=True):
            p.data.copy_(value)
            e.copy_(mean)
        optimizer.load_state_dict(saved["optimizer"])
        for group in optimizer.param_groups:
            group |= {"fused": True, "foreach": False}
        step, elapsed = saved["step"], saved["elapsed"]
        rng.setstate(saved["rng"])
        generator.set_state(saved["generator"])
    began = time.monotonic() - elapsed

    while (elapsed := time.monotonic() - began) < config.minutes * 60 and step < config.steps:
        pick = rng.choices(range(len(specs)), k=config.groups)
        texts = ["" if rng.random() < config.empty else caption(specs[i], vocabulary, rng) for i in pick]
        index = torch.tensor([words.encode(t, rng, config.noise) for t in texts])
        x0 = torch.from_numpy(np.stack([latents[i] for i in pick]).astype(np.float32)).flatten(0, 1)
        n = len(x0)
        # Stratified timesteps, dealt so that each caption gets a spread of noise levels.
        t = ((torch.arange(n) + torch.rand(n, generator=generator)) / n * 1000).long().clamp(max=999)
        t = t.view(-1, config.groups).T.flatten()
        a, s = abar[t].sqrt().view(-1, 1, 1, 1), (1 - abar[t]).sqrt().view(-1, 1, 1, 1)
        eps = torch.randn(x0.shape, generator=generator)
        with torch.autocast(x0.device.type, torch.bfloat16):
            context = net.text(index, generator, encoder_attention)  # one for all pictures of a caption
            v = net.unet(a * x0 + s * eps, t.float(), context, transformer_options=OPTIONS)
        loss = F.mse_loss(v.float(), a * eps - s * x0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step, elapsed)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        torch._foreach_lerp_(ema, [p.detach() for p in parameters], 1 - min(config.ema, (step + 1) / (step + 10)))
        step += 1
        losses.append(loss.item())
        if step % 50 == 0:
            with (out / "diffusion.log").open("a") as log:
                log.write(f"{step} {np.mean(losses[-50:]):.4f} {elapsed:.0f}s\n")
        if step % config.save_every == 0:
            save(path, parameters, ema, optimizer, step, elapsed, rng, generator)
            if on_save:
                on_save(averaged(net, parameters, ema), step)
    save(path, parameters, ema, optimizer, step, elapsed, rng, generator)
    return averaged(net, parameters, ema)


def save(path: Path, parameters, ema, optimizer, step, elapsed, rng, generator) -> None:
    state = {"net": [p.detach() for p in parameters], "ema": ema, "optimizer": optimizer.state_dict(), "step": step}
    state |= {"elapsed": elapsed, "rng": rng.getstate(), "generator": generator.get_state()}
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def averaged(net: Pocket, parameters, ema) -> Pocket:
    """A copy of ``net`` with the moving-average weights (parameters() yields the same order)."""
    import copy

    other = copy.deepcopy(net)
    for p, value in zip(other.parameters(), ema, strict=True):
        p.data.copy_(value)
    return other.requires_grad_(False)


@torch.no_grad()
def sample(net: Pocket, words: Words, prompts: list[str], channels: int, cfg: float = 4.0, steps: int = 20, seed: int = 0) -> Tensor:
    """DDIM on the recipe's own code, for sample sheets: prompts → latents (B, channels, 16, 16)."""
    abar, rng, generator = schedule(), random.Random(0), torch.Generator().manual_seed(seed)
    index = torch.tensor([words.encode(p, rng) for p in [*prompts, *([""] * len(prompts))]])
    context = net.text(index, generator, encoder_attention)
    x = torch.randn(len(prompts), channels, 16, 16, generator=generator)
    ts = torch.linspace(999, 0, steps + 1).long()
    for now, after in zip(ts[:-1], ts[1:], strict=True):
        with torch.autocast(x.device.type, torch.bfloat16):
            v, vu = net.unet(torch.cat([x, x]), now.float().expand(2 * len(x)), context, transformer_options=OPTIONS).float().chunk(2)
        v = vu + cfg * (v - vu)
        a, s = abar[now].sqrt(), (1 - abar[now]).sqrt()
        x0, eps = a * x - s * v, s * x + a * v
        x = abar[after].sqrt() * x0 + (1 - abar[after]).sqrt() * eps
    return x0
