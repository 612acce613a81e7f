"""Captions to token rows, and the host's text encoder made trainable."""

import random

import torch
from torch import Tensor, nn

from .captions import FILLERS, TAILS

LENGTH = 77


class Words:
    """The host's CLIP tokenizer on the words training uses; index 0 stands for any unknown word."""

    def __init__(self, tokenizer, vocabulary: dict):
        self.tokenizer = tokenizer
        texts = ["", ",", ".", "a in with, on and the", *FILLERS, *TAILS]
        texts += [w for part in ("simple", "common") for s in vocabulary["subjects"][part].values() for w in s["words"]]
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

    def export(self, ids: list[int]) -> dict[str, Tensor]:
        """Keys of the host's CLIPTextModel, with the token table as ``rows`` at ``row_ids``."""
        sd = {"text_model.embeddings.position_embedding.weight": self.positions.detach()}
        sd |= {f"text_model.encoder.{k}": v for k, v in self.encoder.state_dict().items()}
        sd |= {f"text_model.final_layer_norm.{k}": v for k, v in self.norm.state_dict().items()}
        return sd | {"rows": self.rows.detach(), "row_ids": torch.tensor(ids, dtype=torch.int32)}
