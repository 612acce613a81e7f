"""Many pictures with the host's own sampler and VAE."""

from __future__ import annotations

import torch

from .bases import cell
from .sampling import ksampler, wrap_outer_sample


class Painter:
    """Draws the pictures of a set through the host's own KSampler and VAE Decode, from empty latent to pixels.

    Each picture has the noise of its own seed, whatever it is drawn with; a sampler that adds noise on its way draws that
    for the batch as a whole. The host's progress bar counts over the ``total`` pictures, its previews stay as they are.
    Sizes are cut to whole latent cells of this VAE.
    """

    def __init__(self, model, vae, negative, steps, cfg, sampler_name, scheduler, width, height, total):
        self.vae, self.negative, self.total = vae, negative, total
        self.steps, self.sampling = steps, (cfg, sampler_name, scheduler)
        factor = cell(vae)
        # Four channels: the host widens an empty latent to what the model has.
        self.latent = (4, max(height // factor, 1), max(width // factor, 1))
        self.seeds, self.done = [], 0
        self.model = model.clone()  # one for the whole set: the host loads every new clone
        wrap_outer_sample(self.model, "viper_image_set", self._outer_sample)

    def draw(self, seeds: list[int], positives: list, done: int) -> torch.Tensor:
        """One picture per seed and CONDITIONING, (B, H, W, 3) in 0…1; ``done`` pictures are finished already.

        Prompts that this family cannot evaluate together (they hold more than text and pooled text of one shape) are drawn
        one after another.
        """
        import comfy.model_management

        positive = positives[0] if len(seeds) == 1 else _joined(positives)
        if positive is None:
            return torch.cat([self.draw([s], [p], done + i) for i, (s, p) in enumerate(zip(seeds, positives, strict=True))])
        self.seeds, self.done = seeds, done
        latent = {"samples": torch.zeros((len(seeds), *self.latent), device=comfy.model_management.intermediate_device())}
        out = ksampler(self.model, seeds[0], self.steps, *self.sampling, positive, self.negative, latent, 1.0)
        return decode(self.vae, out)

    def _outer_sample(self, executor, noise, latent_image, sampler, sigmas, denoise_mask=None, callback=None, *args, **kwargs):
        import comfy.sample

        if len(self.seeds) > 1:
            noise = torch.cat([comfy.sample.prepare_noise(latent_image[i : i + 1], seed) for i, seed in enumerate(self.seeds)])

        def over_the_set(step, x0, x, total_steps):
            part = (step + 1) / max(total_steps, 1) * len(self.seeds)
            callback(round((self.done + part) * self.steps) - 1, x0, x, self.total * self.steps)

        return executor(noise, latent_image, sampler, sigmas, denoise_mask, callback and over_the_set, *args, **kwargs)


def decode(vae, latent) -> torch.Tensor:
    """Pixels (B, H, W, 3) in 0…1 of a LATENT, as the host's VAE Decode makes them."""
    import nodes as host_nodes

    return host_nodes.VAEDecode().decode(vae, latent)[0][..., :3].float().clamp(0.0, 1.0).cpu()


def _joined(positives: list) -> list | None:
    """One CONDITIONING for a batch of different prompts; None where they hold more than the host can evaluate side by side."""
    if any(len(p) != 1 for p in positives):
        return None
    conds, extras = zip(*(p[0] for p in positives), strict=True)
    if len({c.shape for c in conds}) > 1 or any(set(e) - {"pooled_output"} for e in extras):
        return None
    pooled = [e.get("pooled_output") for e in extras]
    if all(p is None for p in pooled):
        return [[torch.cat(conds), dict(extras[0])]]
    if any(p is None for p in pooled) or len({p.shape for p in pooled}) > 1:
        return None
    return [[torch.cat(conds), {"pooled_output": torch.cat(pooled)}]]
