"""Train the decoder's detail network; the encoder is fitted in closed form and stays."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass
class DecoderConfig:
    steps: int = 2000
    minutes: float = 1e9
    batch: int = 12
    lr: float = 2e-3
    noise: float = 0.04  # added to latents, so that a sampler's small errors stay small
    save_every: int = 200
    seed: int = 0


def decibels(a: Tensor, b: Tensor) -> float:
    """PSNR of pictures (B, 3, H, W) in [-1, 1], from the mean squared error over all of them."""
    return float(10 * torch.log10(4 / (a.clamp(-1, 1) - b).square().mean()))


def slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.diff(dim=2), x.diff(dim=3)


def loss_of(out: Tensor, x: Tensor) -> Tensor:
    """L2 for fidelity, L1 of values and slopes for crisp edges."""
    edge = sum((a - b).abs().mean() for a, b in zip(slopes(out), slopes(x), strict=True))
    return 2 * F.mse_loss(out, x) + 0.5 * F.l1_loss(out, x) + 0.5 * edge


def train(autoencoder, data: Path, out: Path, config: DecoderConfig, fresh: bool = True):
    """Trains ``autoencoder.detail`` and ``unproject`` in place; resumes from ``out/decoder.pt``.

    ``fresh``: start from the bare transpose of the encoder, not from weights that were trained before.
    """
    pixels = np.load(data / "pixels.npy", mmap_mode="r").reshape(-1, 3, 128, 128)
    rng, generator = np.random.default_rng(config.seed), torch.Generator().manual_seed(config.seed)
    if fresh:
        autoencoder.detail[-2].weight.data.zero_()
    parameters = [p.requires_grad_() for p in (*autoencoder.detail.parameters(), *autoencoder.unproject.parameters())]
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=0.0, betas=(0.9, 0.98))
    step, elapsed, losses, path = 0, 0.0, [], out / "decoder.pt"
    if path.exists():
        saved = torch.load(path, weights_only=False)
        autoencoder.load_state_dict(saved["autoencoder"])
        optimizer.load_state_dict(saved["optimizer"])
        step, elapsed, rng = saved["step"], saved["elapsed"], saved["rng"]
        generator.set_state(saved["generator"])
    began = time.monotonic() - elapsed
    done = False
    while not done:
        elapsed = time.monotonic() - began
        progress = max(step / config.steps, elapsed / 60 / config.minutes)
        done = progress >= 1
        x = torch.from_numpy(pixels[np.sort(rng.integers(len(pixels), size=config.batch))]).float() / 127.5 - 1
        with torch.no_grad():
            z = autoencoder.encode(x)
            z = z + config.noise * torch.randn(z.shape, generator=generator)
        with torch.autocast(x.device.type, torch.bfloat16):
            detail = autoencoder.detail(z)
        loss = loss_of(autoencoder.unproject(z) + detail.float(), x)
        for group in optimizer.param_groups:
            group["lr"] = config.lr * min(1, (step + 1) / 50) * max(0.0, 1 - progress)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.5)
        optimizer.step()
        step += 1
        losses.append(loss.item())
        if step % 50 == 0:
            with (out / "decoder.log").open("a") as log:
                log.write(f"{step} {np.mean(losses[-50:]):.4f} {elapsed:.0f}s\n")
        if done or step % config.save_every == 0:
            state = {"autoencoder": autoencoder.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "elapsed": elapsed}
            torch.save(state | {"rng": rng, "generator": generator.get_state()}, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
    return autoencoder.requires_grad_(False)
