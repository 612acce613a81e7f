"""Train the pocket encoders: pictures and texts that belong together get embeddings that point the same way.

``draw`` keeps training pictures on disk, ``train`` runs the host's own CLIP layers on them, ``export`` writes the
weights and ``measure`` the figures of the model card.
"""

import json
import random
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .captions import FILLERS, SHARES, Spec, caption, group_of, name_of, phrase
from .dataset import VARIANTS, pictures
from .diffusion import encoder_attention, learning_rate
from .icons import SIZE
from .text import TrainableText, Words

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of the host's CLIP vision


@dataclass
class EncodersConfig:
    count: int = 14000  # captions drawn, each with VARIANTS pictures
    steps: int = 12000
    minutes: float = 1e9  # training also ends (with its cooldown) when this is over
    batch: int = 64
    names: int = 96  # subjects beside those of the batch that each picture is told apart from
    lr: float = 1e-3
    warmup: int = 150
    cooldown: float = 0.6  # last share of the run, learning rate falling to zero
    noise: float = 0.15  # texts with unknown words in them
    save_minutes: float = 4.0
    seed: int = 0


class TrainableVision(nn.Module):
    """Runs the host's CLIPVisionModelProjection out of place, as TrainableText does."""

    def __init__(self, host: nn.Module):
        super().__init__()
        self.host = host

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, 128, 128) in [0, 1] → (B, d)."""
        model = self.host.vision_model
        x = model.pre_layrnorm(model.embeddings((pixels - pixels.new_tensor(MEAN).view(3, 1, 1)) / pixels.new_tensor(STD).view(3, 1, 1)))
        for layer in model.encoder.layers:
            x = x + layer.self_attn(layer.layer_norm1(x), None, encoder_attention)
            x = x + layer.mlp(layer.layer_norm2(x))
        return self.host.visual_projection(model.post_layernorm(x[:, 0]))


class PooledText(TrainableText):
    """Its projected state at the first end token; what stands after that token is never seen, so never computed."""

    def __init__(self, transformer: nn.Module, words: Words, seed: int):
        super().__init__(transformer, words, seed)
        self.projection = transformer.text_projection.weight
        self.end = words.index[words.end]

    def forward(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 77) row indices → (B, d)."""
        last = (index == self.end).int().argmax(1)
        length = int(last.max()) + 1
        index = index[:, :length]
        known, rows = self.rows[(index - 1).clamp(min=0)], self.rows.detach()
        spread = rows.mean(0) + 0.5 * rows.std(0) * torch.randn(known.shape, generator=generator)
        x = torch.where((index == 0)[..., None], spread, known) + self.positions[:length]
        for layer in self.encoder.layers:
            x = x + layer.self_attn(layer.layer_norm1(x), self.mask[:length, :length], encoder_attention)
            x = x + layer.mlp(layer.layer_norm2(x))
        return F.linear(self.norm(x[torch.arange(len(x)), last]), self.projection)


class Encoders(nn.Module):
    """Both towers and the learned inverse temperature (as a logarithm, at most 100)."""

    def __init__(self, vision: TrainableVision, text: PooledText):
        super().__init__()
        self.vision, self.text = vision, text
        self.logit_scale = nn.Parameter(torch.tensor(2.5))

    def scores(self, images: Tensor, texts: Tensor) -> Tensor:
        return self.logit_scale.clamp(max=4.6).exp() * F.normalize(images.float(), dim=-1) @ F.normalize(texts.float(), dim=-1).T


def networks(vocabulary: dict, tokenizer) -> tuple[Encoders, Words]:
    """Host CLIP vision and host CLIP text transformer with seeded weights, wrapped for training."""
    import comfy.clip_model
    import comfy.ops
    import comfy.sd1_clip

    from ..encoders import TEXT, VISION
    from ..loader import initialise

    words = Words(lru_cache(1 << 16)(tokenizer), vocabulary)
    ops, kind = comfy.ops.disable_weight_init, (torch.float32, "cpu")
    clip = json.loads((Path(comfy.sd1_clip.__file__).parent / "sd1_clip_config.json").read_text()) | TEXT.text()
    text = initialise(comfy.clip_model.CLIPTextModel(clip, *kind, ops), 1, 0.5)
    vision = initialise(comfy.clip_model.CLIPVisionModelProjection(json.loads(VISION.read_text()), *kind, ops), 0, 0.5)
    return Encoders(TrainableVision(vision), PooledText(text, words, 2)), words


def draw(icons: dict, vocabulary: dict, out: Path, count: int, seed: int) -> None:
    """``pictures.npy`` (count, VARIANTS, 3, 128, 128) uint8 and, when that is whole, ``specs.json``."""
    stack = np.lib.format.open_memmap(out / "pictures.npy", "w+", np.uint8, (count, VARIANTS, 3, SIZE, SIZE))
    specs = []
    for i, (spec, x) in zip(range(count), pictures(icons, vocabulary, seed), strict=False):
        specs.append(asdict(spec))
        stack[i] = (x * 255).round().byte().numpy()
    (out / "specs.json").write_text(json.dumps(specs))


def contrast(scores: Tensor, truth: Tensor) -> Tensor:
    """Symmetric InfoNCE of scores (B, T) with any number of positives (van den Oord et al. 2018; Radford et al. 2021).

    ``truth`` is 1 where text and picture belong together, 0 where not, -1 where nobody can say. Every positive
    competes with the negatives of its row and of its column; other positives stay out of it.
    """
    negative = scores.masked_fill(truth != 0, float("-inf"))
    pairs = truth == 1
    rows, columns = negative.logsumexp(1, keepdim=True), negative.logsumexp(0, keepdim=True)
    return 0.5 * (F.softplus(rows - scores)[pairs].mean() + F.softplus(columns - scores)[pairs].mean())


class Texts:
    """What a batch of pictures is compared with: their captions, names of subjects, and looks one by one."""

    def __init__(self, vocabulary: dict):
        self.vocabulary, self.groups = vocabulary, group_of(vocabulary)
        self.subjects = [s for part in SHARES for s in vocabulary["subjects"][part]]

    def captions(self, specs: list[Spec], rng: random.Random) -> tuple[list[str], Tensor]:
        same = torch.tensor([[-1 if a == b else 0 for b in specs] for a in specs])
        return [caption(s, self.vocabulary, rng) for s in specs], same.fill_diagonal_(1)

    def names(self, specs: list[Spec], rng: random.Random, more: int) -> tuple[list[str], Tensor]:
        said = [n for s in specs for n in (s.subject, s.second) if n]
        shown = dict.fromkeys(said + rng.sample(self.subjects, min(more, len(self.subjects))))
        texts = [f"{rng.choice(FILLERS)} {name_of(n, self.vocabulary, rng)}".strip() for n in shown]
        return texts, torch.tensor([[int(n in (s.subject, s.second)) for n in shown] for s in specs])

    def looks(self, specs: list[Spec], rng: random.Random) -> tuple[list[str], Tensor]:
        """A picture whose icon set was left open may have any of the sets' looks: nobody can say."""
        texts = [phrase(a, self.vocabulary, self.groups, rng) for a in self.groups]
        truth = [[int(a in s.attributes or a == s.look) if g != "look" or s.look else -1 for a, g in self.groups.items()] for s in specs]
        return texts, torch.tensor(truth)


def vary(x: Tensor, fixed: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrored half of the time (unless ``fixed``: left and right are told), moved a little; some softened and noisy."""
    n = len(x)
    mirror = (torch.rand(n, generator=generator) < 0.5) & ~fixed
    x = torch.where(mirror.view(-1, 1, 1, 1), x.flip(3), x)
    dy, dx = torch.randint(0, 9, (2,), generator=generator).tolist()
    x = F.pad(x, (4, 4, 4, 4), mode="replicate")[..., dy : dy + SIZE, dx : dx + SIZE]
    some = torch.rand(n, generator=generator) < 0.3
    y, amount = x[some], torch.rand(2, int(some.sum()), 1, 1, 1, generator=generator)
    y = torch.lerp(y, F.avg_pool2d(y, 3, 1, 1, count_include_pad=False), 0.7 * amount[0])
    return x.index_put((some,), (y + 0.03 * amount[1] * torch.randn(y.shape, generator=generator)).clamp(0, 1))


def train(icons: dict, vocabulary: dict, words_tokenizer, out: Path, config: EncodersConfig) -> tuple[Encoders, Words]:
    """→ the trained towers. Resumes from ``out/encoders.pt`` with its optimizer, clock and random state."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "specs.json").exists():
        draw(icons, vocabulary, out, config.count, config.seed + 11)
    specs = [Spec(**{**s, "attributes": tuple(s["attributes"])}) for s in json.loads((out / "specs.json").read_text())]
    stack, texts = np.load(out / "pictures.npy", mmap_mode="r"), Texts(vocabulary)
    net, words = networks(vocabulary, words_tokenizer)
    rng, generator = random.Random(config.seed), torch.Generator().manual_seed(config.seed)
    parameters = [p.requires_grad_() for p in net.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.05},
         {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}],
        lr=config.lr, betas=(0.9, 0.98), fused=True,
    )  # fmt: skip
    step, elapsed, losses, path = 0, 0.0, [], out / "encoders.pt"
    if path.exists():
        saved = torch.load(path, weights_only=False)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        step, elapsed = saved["step"], saved["elapsed"]
        rng.setstate(saved["rng"])
        generator.set_state(saved["generator"])
    kept, before = elapsed, time.monotonic()

    while elapsed < config.minutes * 60 and step < config.steps:
        pick = rng.sample(range(len(specs)), config.batch)
        shown = [specs[i] for i in pick]
        x = torch.from_numpy(np.stack([stack[i, rng.randrange(VARIANTS)] for i in pick])).float() / 255
        x = vary(x, torch.tensor([s.second is not None for s in shown]), generator)
        told = texts.captions(shown, rng), texts.names(shown, rng, config.names), texts.looks(shown, rng)
        # Names and looks are short: run apart from the captions they need not be padded to their length.
        long, short = ([words.encode(t, rng, config.noise) for t in some] for some in (told[0][0], told[1][0] + told[2][0]))
        with torch.autocast("cpu", torch.bfloat16):
            images = net.vision(x)
            captioned, named = net.text(torch.tensor(long), generator), net.text(torch.tensor(short), generator)
        parts = captioned, named[: len(told[1][0])], named[len(told[1][0]) :]
        each = [contrast(net.scores(images, part), truth) for part, (_, truth) in zip(parts, told, strict=True)]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step, elapsed)
        optimizer.zero_grad()
        sum(each).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        losses.append([loss.item() for loss in each])
        # A step that took longer stood still while other work had the machine: its time is given back.
        elapsed, before = elapsed + min(10.0, (now := time.monotonic()) - before), now
        if step % 50 == 0:
            captions, names, looks = np.mean(losses[-50:], axis=0)
            with (out / "encoders.log").open("a") as log:
                log.write(f"{step} captions {captions:.3f} names {names:.3f} looks {looks:.3f} {elapsed:.0f}s\n")
        if elapsed - kept > config.save_minutes * 60:
            save(path, net, optimizer, step, elapsed, rng, generator)
            kept = elapsed
    save(path, net, optimizer, step, elapsed, rng, generator)
    return net, words


def save(path: Path, net: Encoders, optimizer, step: int, elapsed: float, rng: random.Random, generator: torch.Generator) -> None:
    state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "elapsed": elapsed}
    torch.save(state | {"rng": rng.getstate(), "generator": generator.get_state()}, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def export(vocabulary: dict, words_tokenizer, out: Path, path: Path) -> None:
    """What ``train`` left in ``out``, fp16, into one safetensors file."""
    from safetensors.torch import save_file

    net, words = networks(vocabulary, words_tokenizer)
    net.load_state_dict(torch.load(out / "encoders.pt", weights_only=False)["net"])
    text = net.text.export(words.ids) | {"text_projection.weight": net.text.projection, "logit_scale": net.logit_scale}
    sd = {f"vision.{k}": v for k, v in net.vision.host.state_dict().items()} | {f"text.{k}": v for k, v in text.items()}
    sd = {k: (v if k == "text.row_ids" else v.detach().half()).contiguous() for k, v in sd.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(sd, path, metadata={"format": "pt", "model": "ViPer pocket encoders 1"})


@torch.no_grad()
def measure(clip_vision, clip, icons: dict, vocabulary: dict, seed: int, count: int = 500) -> dict[str, float]:
    """Shares of fresh pictures (``count`` captions × VARIANTS) whose best text is the right one.

    "subject" is the best of all simple, common and more subjects as "a …"; each group of looks, and "looks" over all
    of them, is the best of the group's first wordings. The icon sets' own looks are left out.
    """
    from ..encoders import image_embeddings, text_embeddings

    groups, names = group_of(vocabulary), [s for part in list(SHARES)[:3] for s in vocabulary["subjects"][part]]
    subjects = text_embeddings(clip, [f"a {name}" for name in names])
    sides = {g: text_embeddings(clip, [w[0] for w in looks.values()]) for g, looks in vocabulary["attributes"].items() if g != "look"}
    right: dict[str, list[float]] = {name: [] for name in ("subject", "subject, plain", "looks", *sides)}
    for spec, x in islice(pictures(icons, vocabulary, seed), count):
        images = image_embeddings(clip_vision, x.movedim(1, -1))
        if spec.subject in names and not spec.second:
            found = (images @ subjects.T).argmax(1) == names.index(spec.subject)
            right["subject"] += found.tolist()
            right["subject, plain"] += found.tolist() if not spec.attributes else []
        for name in spec.attributes:
            group = groups[name]
            found = (images @ sides[group].T).argmax(1) == list(vocabulary["attributes"][group]).index(name)
            right[group] += found.tolist()
            right["looks"] += found.tolist()
    return {name: sum(found) / max(1, len(found)) for name, found in right.items()}
