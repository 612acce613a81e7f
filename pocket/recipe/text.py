"""Captions to token rows, and the host's text encoder made trainable."""

import copy
import random
from dataclasses import replace

import torch
from torch import Tensor, nn

from .captions import FILLERS, SHARES, TAILS, caption, draw_spec, group_of, words_for

LENGTH = 77


class Words:
    """The host's CLIP tokenizer on the words training uses; index 0 stands for any unknown word."""

    def __init__(self, tokenizer, vocabulary: dict):
        self.tokenizer = tokenizer
        texts = ["", ",", ".", "a in with, on and the next to beside left of that is", *FILLERS, *TAILS]
        texts += [w for part in SHARES for s in vocabulary["subjects"][part].values() for w in s["words"]]
        texts += [w for group in vocabulary["attributes"].values() for wordings in group.values() for w in wordings]
        self.ids = sorted({t for text in texts for t in self.tokens(text)})
        self.index = {token: i + 1 for i, token in enumerate(self.ids)}
        self.start, self.end = self.tokens("")

    def tokens(self, text: str) -> list[int]:
        return self.tokenizer(text)["input_ids"]

    def encode(self, text: str, rng: random.Random, noise: float = 0.0) -> list[int]:
        """Text → LENGTH row indices; ``noise`` is the chance that unknown words creep in or drop a word."""
        row = [self.index.get(t, 0) for t in self.tokens(text)[1:-1]]
        if rng.random() < noise:
            for _ in range(rng.randint(1, 4)):
                row.insert(rng.randint(0, len(row)), 0)
        if rng.random() < noise / 3 and row:
            row[rng.randrange(len(row))] = 0
        end = self.index[self.end]
        return ([self.index[self.start], *row[: LENGTH - 2]] + [end] * LENGTH)[:LENGTH]


class TrainableText(nn.Module):
    """Runs the host's CLIPTextModel layers out of place (the host's own forward adds in place, which breaks
    backward), over the compact table of the words in use."""

    def __init__(self, transformer: nn.Module, words: Words, seed: int):
        super().__init__()
        model = transformer.text_model
        width = model.final_layer_norm.weight.shape[0]
        self.rows = nn.Parameter(torch.randn(len(words.ids), width, generator=torch.Generator().manual_seed(seed)) * 0.05)
        self.positions = model.embeddings.position_embedding.weight
        self.encoder, self.norm = model.encoder, model.final_layer_norm
        self.register_buffer("mask", torch.full((LENGTH, LENGTH), -1e4).triu_(1), persistent=False)

    def forward(self, index: Tensor, generator: torch.Generator, attention) -> Tensor:
        """(B, 77) row indices → (B, 77, width)."""
        known = self.rows[(index - 1).clamp(min=0)]
        spread = self.rows.detach().mean(0) + 0.5 * self.rows.detach().std(0) * torch.randn(known.shape, generator=generator).to(known)
        x = torch.where((index == 0)[..., None], spread, known) + self.positions
        for layer in self.encoder.layers:
            x = x + layer.self_attn(layer.layer_norm1(x), self.mask, attention)
            x = x + layer.mlp(layer.layer_norm2(x))
        return self.norm(x)

    def take(self, sd: dict[str, Tensor], words: Words) -> None:
        """Go on from exported weights: layers as they are, rows of the words they knew; new words keep theirs, at the same spread."""
        rows, known = sd["rows"].float(), {int(token): i for i, token in enumerate(sd["row_ids"])}
        self.rows.data.mul_(rows.std(0) / self.rows.data.std(0)).add_(rows.mean(0))
        for i, token in enumerate(words.ids):
            if token in known:
                self.rows.data[i] = rows[known[token]]
        parts = {"encoder.": self.encoder, "final_layer_norm.": self.norm}
        for prefix, module in parts.items():
            full = f"text_model.{prefix}"
            module.load_state_dict({k.removeprefix(full): v for k, v in sd.items() if k.startswith(full)})
        self.positions.data.copy_(sd["text_model.embeddings.position_embedding.weight"])

    def export(self, ids: list[int]) -> dict[str, Tensor]:
        """Keys of the host's CLIPTextModel, with the token table as ``rows`` at ``row_ids``."""
        sd = {"text_model.embeddings.position_embedding.weight": self.positions.detach()}
        sd |= {f"text_model.encoder.{k}": v for k, v in self.encoder.state_dict().items()}
        sd |= {f"text_model.final_layer_norm.{k}": v for k, v in self.norm.state_dict().items()}
        return sd | {"rows": self.rows.detach(), "row_ids": torch.tensor(ids, dtype=torch.int32)}


def pretrain(
    text: TrainableText, words: Words, vocabulary: dict, attention, steps: int, batch: int = 32, seed: int = 4, known: Tensor | None = None
) -> float:
    """Before pictures: from any padding position, linear heads must read off subject, second subject and looks.

    The padding is most of what cross-attention sees, so the UNet then finds its condition at once
    instead of after thousands of steps. ``known`` tokens (ids) were trained before: captions of one subject made
    of them alone must go on coming out as they did. → accuracy of both subject heads on the last 50 batches.
    """
    ids = set(known.tolist()) if known is not None else set()
    before = copy.deepcopy(text).requires_grad_(False) if known is not None else None
    old = torch.tensor([False, *(token in ids for token in words.ids)])
    rng, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    groups = group_of(vocabulary)
    subjects, looks = [s for part in SHARES for s in vocabulary["subjects"][part]], list(groups)
    n = len(subjects)
    heads = nn.Linear(text.rows.shape[1], 2 * n + 1 + len(looks))
    parameters = [p.requires_grad_() for p in (*text.parameters(), *heads.parameters())]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01, betas=(0.9, 0.98))
    right = []
    for step in range(steps):
        index, which, beside, has, said = [], [], [], torch.zeros(batch, len(looks)), torch.zeros(batch, dtype=torch.bool)
        for i in range(batch):
            spec = draw_spec(rng, vocabulary)
            spec = replace(spec, look=rng.choice(list(vocabulary["attributes"]["look"])) if spec.look else None)
            line = caption(spec, vocabulary, rng)
            index.append(words.encode(line, rng, 0.15))
            which.append(subjects.index(spec.subject))
            beside.append(subjects.index(spec.second) if spec.second else n)
            said[i] = any(w in line for w in words_for(spec.subject, vocabulary))
            for name in (*spec.attributes, *filter(None, [spec.look])):
                has[i, looks.index(name)] = 1
        positions = torch.randint(20, LENGTH, (batch, 6), generator=generator)
        with torch.autocast("cpu", torch.bfloat16):
            states = text(torch.tensor(index), generator, attention)
        logits = heads(states.float().gather(1, positions[..., None].expand(-1, -1, states.shape[-1])))
        rows = torch.tensor(index)
        keep = old[rows].all(1) & (torch.tensor(beside) == n)
        drift = states.new_zeros(())
        if keep.any():
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                target = before(rows[keep], generator, attention)
            drift = nn.functional.mse_loss(states[keep].float(), target.float())
        which, beside = (torch.tensor(x)[:, None].expand(-1, 6) for x in (which, beside))
        name_loss = nn.functional.cross_entropy(logits[..., :n].flatten(0, 1), which.flatten(), reduction="none")
        beside_loss = nn.functional.cross_entropy(logits[..., n : 2 * n + 1].flatten(0, 1), beside.flatten(), reduction="none")
        look_loss = nn.functional.binary_cross_entropy_with_logits(logits[..., 2 * n + 1 :], has[:, None].expand(-1, 6, -1))
        loss = ((name_loss + beside_loss).view(batch, 6) * said[:, None]).mean() + 20 * look_loss + 10 * drift
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1, (step + 1) / 30)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        both = (logits[..., :n].argmax(-1) == which) & (logits[..., n : 2 * n + 1].argmax(-1) == beside)
        right.append(both.float()[said].mean().item())
    return sum(right[-50:]) / len(right[-50:])
