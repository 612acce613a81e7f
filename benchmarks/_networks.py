"""Networks to measure the guidance on, and the ways to sample with them: ours, the host's own, and the authors' in diffusers.

    network = pocket()                      # or true_size("sd15" | "sdxl"), with random weights
    ways(network)["exact"](Run(steps=30))   # one whole sampling run
"""

import contextlib
import ctypes
import gc
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import torch

from viper.benchmarks import _host_training, _true_size
from viper.samplers.guidance import combine_official
from viper.samplers.guider import sample
from viper.samplers.schedule import GuidanceOptions

BETA, CFG, SEED = 0.6, 5.0, 11
HOST = "host's KSampler"
AUTHORS = "official formulation in diffusers, two calls of two"
SHORT = {AUTHORS: "official (diffusers)"}
TOKENS = 77
OURS = {"exact": GuidanceOptions(), "adaptive": GuidanceOptions(schedule="adaptive"), "reuse 4": GuidanceOptions(schedule="reuse")}


@dataclass(frozen=True)
class Run:
    """One sampling run: ``cells`` of the latent a side (8 pixels each)."""

    steps: int = 30
    cells: int = 16
    batch: int = 1
    sampler: str = "euler"
    scheduler: str = "normal"
    seed: int = SEED


@dataclass
class Network:
    """A MODEL, the four CONDITIONINGs (positive, negative, liked, disliked), and ``unet``: the same weights in diffusers."""

    name: str
    model: object
    conds: tuple
    channels: int
    cells: int  # of the size it was made for
    unet: Callable[..., torch.Tensor]
    pooled: int = 0

    @property
    def device(self) -> torch.device:
        return self.model.load_device

    def noise(self, run: Run) -> torch.Tensor:
        shape = run.batch, self.channels, run.cells, run.cells
        return torch.randn(shape, generator=torch.Generator().manual_seed(run.seed))


def pocket() -> Network:
    import comfy.model_management

    from viper import host
    from viper.nodes.conditioning import PreferenceConditioning
    from viper.pocket.loader import load_pocket_model
    from viper.vpe.preferences import Preferences

    model, clip, vae = load_pocket_model()
    words = [host.encode_prompt(clip, text) for text in ("a house", "")]
    preferences = Preferences.from_text("pastel, soft lighting", "neon, grainy")
    conds = PreferenceConditioning.execute(clip, preferences, *words, BETA, "paper").result[:4]
    comfy.model_management.load_models_gpu([model])  # its weights stand where they are used before the twin shares them
    return Network("pocket", model, conds, vae.latent_channels, 16, twin(model))


def true_size(family: str, device: torch.device) -> Network:
    """Random weights and random words: what is drawn means nothing, what it costs does."""
    size = _true_size.SIZES[family]
    model = _true_size.build(size, device, torch.float16 if device.type == "cuda" else torch.bfloat16)
    generator, conds = torch.Generator().manual_seed(SEED), []
    for _ in range(4):
        words = torch.randn(1, TOKENS, size.config["context_dim"], generator=generator)
        conds.append([[words, {"pooled_output": torch.randn(1, size.pooled, generator=generator)}]])
    return Network(family, model, tuple(conds), 4, size.latent, twin(model), size.pooled if family == "sdxl" else 0)


def twin(model):
    """diffusers' UNet2DConditionModel on the very tensors of ``model``."""
    import diffusers

    config, own = model.model.model_config.unet_config, model.model.diffusion_model.state_dict()
    blocks = list(config["num_res_blocks"])
    starts = [sum(blocks[:level]) for level in range(len(blocks))]
    depths = [config["transformer_depth"][start] for start in starts]
    levels = range(len(blocks))
    xl = config.get("adm_in_channels") is not None
    widths, heads = [m * config["model_channels"] for m in config["channel_mult"]], config.get("num_heads", -1)
    sizes = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256,
             "projection_class_embeddings_input_dim": config.get("adm_in_channels")}  # fmt: skip
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(
            in_channels=config["in_channels"],
            out_channels=config["out_channels"],
            block_out_channels=widths,
            layers_per_block=blocks,
            down_block_types=["CrossAttnDownBlock2D" if depths[level] else "DownBlock2D" for level in levels],
            up_block_types=["CrossAttnUpBlock2D" if depths[level] else "UpBlock2D" for level in reversed(levels)],
            transformer_layers_per_block=[max(depth, 1) for depth in depths],
            attention_head_dim=heads if heads > 0 else [width // config["num_head_channels"] for width in widths],  # how many
            cross_attention_dim=config["context_dim"],
            use_linear_projection=config["use_linear_in_transformer"],
            resnet_time_scale_shift="scale_shift" if config.get("use_scale_shift_norm") else "default",
            **(sizes if xl else {}),
        )
    names = _names(config)
    unet.load_state_dict({name: own[names[name]] for name in unet.state_dict()}, assign=True)
    return unet.eval().requires_grad_(False)


def _names(config: dict) -> dict[str, str]:
    """The host's table of diffusers' names, which counts as if all levels had as many blocks; places are then moved to where they are."""
    import comfy.utils

    blocks, depths = config["num_res_blocks"], config["transformer_depth"]
    most, starts = max(blocks), [sum(blocks[:level]) for level in range(len(blocks))]
    even = [depths[start] for start in starts]
    alike = {"num_res_blocks": [most] * len(blocks), "transformer_depth": [d for d in even for _ in range(most)],
             "transformer_depth_output": [d for d in even for _ in range(most + 1)]}  # fmt: skip

    def moved(name: str) -> str:
        side, _, rest = name.partition(".")
        if side not in ("input_blocks", "output_blocks"):
            return name
        place, _, rest = rest.partition(".")
        down = side == "input_blocks"
        if down and place == "0":
            return name
        level, inside = divmod(int(place) - down, most + 1)
        before = blocks[:level] if down else blocks[::-1][:level]
        own = blocks[level] if down else blocks[::-1][level]
        # Down- and upsamplers stand behind the last block.
        return f"{side}.{down + sum(before) + level + min(inside, own)}.{rest}"

    return {theirs: moved(ours) for theirs, ours in comfy.utils.unet_to_diffusers({**config, **alike}).items()}


def authors(network: Network, run: Run) -> torch.Tensor:
    """ViPer's official code, its sampling alone: Euler on ε, each step the prompt's two branches and then those of the preferences."""
    sampling, unet, dtype = network.model.model.model_sampling, network.unet, next(network.unet.parameters()).dtype
    import comfy.samplers

    sigmas = comfy.samplers.calculate_sigmas(sampling, run.scheduler, run.steps)
    words = [c[0][0].to(network.device, dtype) for c in network.conds]
    longest = max(w.shape[1] for w in words)
    words = [w.repeat(1, -(-longest // w.shape[1]), 1)[:, :longest] for w in words]
    pairs = [torch.cat([w.expand(run.batch, -1, -1) for w in words[::-1][2:]]), torch.cat([w.expand(run.batch, -1, -1) for w in words[2:]])]
    added = None
    if network.pooled:
        pooled = [c[0][1]["pooled_output"].to(network.device, dtype).expand(run.batch, -1) for c in network.conds[::-1][2:]]
        side = 8.0 * run.cells
        times = torch.tensor([[side, side, 0, 0, side, side]] * 2 * run.batch, device=network.device, dtype=dtype)
        added = {"text_embeds": torch.cat(pooled), "time_ids": times}
    x = network.noise(run).to(network.device) * (1 + sigmas[0] ** 2) ** 0.5
    for sigma, following in zip(sigmas, sigmas[1:], strict=False):
        given = (torch.cat([x] * 2) / (sigma**2 + 1) ** 0.5).to(dtype)
        t = sampling.timestep(sigma).to(network.device)
        branches = [unet(given, t, encoder_hidden_states=pair, added_cond_kwargs=added).sample.float().chunk(2) for pair in pairs]
        (e_u, e_p), (e_liked, e_disliked) = branches
        x = x + combine_official(e_u, e_p, e_liked, e_disliked, BETA, BETA, CFG) * (following - sigma)
    return x


def perp_neg(network: Network, run: Run) -> torch.Tensor:
    """The host's own guider of three branches: the disliked side as its negative."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import BasicScheduler, RandomNoise, SamplerCustomAdvanced
    from comfy_extras.nodes_perpneg import PerpNegGuider

    positive, empty, _, disliked = network.conds
    guider = PerpNegGuider.execute(network.model, positive, disliked, empty, CFG, 1.0).result[0]
    sigmas = BasicScheduler.execute(network.model, run.scheduler, run.steps, 1.0).result[0]
    latent = {"samples": torch.zeros(run.batch, network.channels, run.cells, run.cells)}
    noise, how = RandomNoise.execute(run.seed).result[0], comfy.samplers.sampler_object(run.sampler)
    return SamplerCustomAdvanced.execute(noise, guider, how, sigmas, latent).result[0]["samples"]


def guided(network: Network, run: Run, options: GuidanceOptions | None) -> torch.Tensor:
    """KSampler (Preference); without ``options`` β is 0, which is the host's own."""
    latent = {"samples": torch.zeros(run.batch, network.channels, run.cells, run.cells)}
    positive, negative, liked, disliked = network.conds
    how = (run.seed, run.steps, CFG, run.sampler, run.scheduler)
    return sample(network.model, *how, positive, negative, liked, disliked, latent, 1.0, BETA if options else 0.0, None, options)["samples"]


def ways(network: Network) -> dict[str, Callable[[Run], torch.Tensor]]:
    from nodes import common_ksampler

    def host(run: Run):
        latent = {"samples": torch.zeros(run.batch, network.channels, run.cells, run.cells)}
        return common_ksampler(network.model, run.seed, run.steps, CFG, run.sampler, run.scheduler, *network.conds[:2], latent)[0]

    ours = {name: (lambda run, o=o: guided(network, run, o)) for name, o in OURS.items()}
    return {HOST: host, **ours, "PerpNegGuider": lambda run: perp_neg(network, run), AUTHORS: lambda run: authors(network, run)}


def check_twin(network: Network) -> None:
    """Both libraries compute the same from these weights, or there is nothing to compare."""
    dtype = next(network.unet.parameters()).dtype
    generator = torch.Generator().manual_seed(SEED)
    x = torch.randn(1, network.channels, 16, 16, generator=generator).to(network.device, dtype)
    words, t = network.conds[0][0][0].to(network.device, dtype), torch.tensor([500.0], device=network.device)
    y = added = None
    if network.pooled:
        added = {"text_embeds": network.conds[0][0][1]["pooled_output"].to(network.device, dtype),
                 "time_ids": torch.full((1, 6), 128.0, device=network.device, dtype=dtype)}  # fmt: skip
        sizes = network.unet.add_time_proj(added["time_ids"].flatten()).reshape(1, -1).to(dtype)
        y = torch.cat([added["text_embeds"], sizes], 1)
    own = network.model.model.diffusion_model(x, t, words, y=y).float()
    theirs = network.unet(x, t, encoder_hidden_states=words, added_cond_kwargs=added).sample.float()
    off = float((own - theirs).norm() / own.norm())
    if off > (1e-4 if dtype == torch.float32 else 0.05):
        raise SystemExit(f"{network.name}: diffusers and the host differ by {off:.1%} on the same weights.")


# --- what is read off a run ----------------------------------------------------------------------------------------------


def count(network: Network, way: str, run: Run) -> str:
    """Evaluations of the liked and the disliked side, a picture."""
    if way not in OURS:
        return {HOST: "0", AUTHORS: str(2 * run.steps)}.get(way, f"({run.steps} of its third branch)")
    model, seen = counting(network.model)
    guided(replace(network, model=model), run, OURS[way])
    return f"{seen['samples'] // run.batch - 2 * run.steps}"


def counting(model) -> tuple[object, Counter]:
    """A clone of the MODEL, and a Counter of the ``samples`` that its network is given."""
    seen: Counter = Counter()

    def counted(apply_model, args):
        seen["samples"] += len(args["input"])
        return apply_model(args["input"], args["timestep"], **args["c"])

    clone = model.clone()
    clone.set_model_unet_function_wrapper(counted)
    return clone, seen


def own_share(network: Network, run: Run) -> float:
    """The part of an exact run that is spent in the guidance's own code: in its wrapper, less what it calls."""
    from viper.samplers import guider

    around = inside = 0.0
    wrapped = guider._Run.calc_cond_batch

    def timed(self, executor, *args):
        def call(*given):
            nonlocal inside
            began = time.perf_counter()
            try:
                return executor(*given)
            finally:
                inside += time.perf_counter() - began

        nonlocal around
        began = time.perf_counter()
        try:
            return wrapped(self, call, *args)
        finally:
            around += time.perf_counter() - began

    with mock.patch.object(guider._Run, "calc_cond_batch", timed):
        began = time.perf_counter()
        guided(network, run, OURS["exact"])
        whole = time.perf_counter() - began
    return (around - inside) / whole


def peak(draw: Callable[[], object], device: torch.device) -> int:
    """Bytes that a run takes at most beside what was held before it."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        draw()
        return torch.cuda.max_memory_allocated(device) - before
    with contextlib.suppress(OSError, AttributeError):  # with glibc: what was freed goes back, or the run would take it from there
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    with contextlib.suppress(OSError):  # on Linux: forget what was taken at most
        Path("/proc/self/clear_refs").write_text("5")
    before = _host_training.high_water()
    draw()
    return _host_training.high_water() - before


def forget() -> None:
    """Give back what the network before held."""
    import comfy.model_management

    comfy.model_management.unload_all_models()
    gc.collect()
    comfy.model_management.soft_empty_cache()
