"""The span tagger's teacher: a pretrained encoder fine-tuned on the same marked comments.

The shipped weights had all-mpnet-base-v2 (Song et al. 2020; Apache-2.0). Far too large to ship; it tells the small network how
likely each tag is, also for comments that nobody marked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tagger import TAGS, Word


@dataclass
class TeacherConfig:
    epochs: int = 3
    batch: int = 32
    lr: float = 6e-5
    seed: int = 0


class Teacher(nn.Module):
    """A transformers encoder from a local folder with a head for TAGS at the first piece of each word."""

    def __init__(self, folder: Path):
        super().__init__()
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.body = AutoModel.from_pretrained(folder, local_files_only=True)
        self.out = nn.Linear(self.body.config.hidden_size, len(TAGS))

    def forward(self, sentences: list[list[Word]]) -> tuple[Tensor, Tensor]:
        """→ logits (sum of words seen, 5) and, for each, the index of its word over all sentences."""
        words = [[w.text if w.text.strip() else "." for w in s] for s in sentences]
        told = self.tokenizer(words, is_split_into_words=True, padding=True, truncation=True, max_length=256, return_tensors="pt")
        states = self.body(**told).last_hidden_state
        rows, columns, places, start = [], [], [], 0
        for i, sentence in enumerate(sentences):
            before = None
            for j, word in enumerate(told.word_ids(i)):
                if word is not None and word != before:
                    rows.append(i), columns.append(j), places.append(start + word)
                before = word
            start += len(sentence)
        return self.out(F.dropout(states[rows, columns].float(), 0.1, self.training)), torch.tensor(places)


def descend(net: nn.Module, loss: Tensor, optimizer, plan) -> float:
    """One step down, gradients cut at norm 1 → the loss."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    plan.step()
    return loss.item()


def train(folder: Path, examples: list[tuple[list[Word], Tensor]], config: TeacherConfig | None = None, log=print) -> Teacher:
    """``examples``: words and the index in TAGS of each."""
    config = config or TeacherConfig()
    torch.manual_seed(config.seed)
    rng, net = random.Random(config.seed), Teacher(folder)
    rates = [{"params": net.body.parameters(), "lr": config.lr}, {"params": net.out.parameters(), "lr": 5 * config.lr}]
    optimizer = torch.optim.AdamW(rates, weight_decay=0.01)
    steps = config.epochs * (len(examples) // config.batch + 1)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, [r["lr"] for r in rates], steps, pct_start=0.1)
    net.train()
    for epoch in range(config.epochs):
        losses, order = [], sorted(range(len(examples)), key=lambda i: len(examples[i][0]) + rng.random() * 8)
        cut = [order[a:a + config.batch] for a in range(0, len(order), config.batch)]
        rng.shuffle(cut)
        for some in cut:
            with torch.autocast("cpu", torch.bfloat16):
                logits, places = net([examples[i][0] for i in some])
            tags = torch.cat([examples[i][1] for i in some])[places]
            loss = F.cross_entropy(logits.float(), tags, label_smoothing=0.05)
            losses.append(descend(net, loss, optimizer, plan))
        log(f"teacher epoch {epoch + 1} loss {sum(losses) / len(losses):.3f}")
    return net.eval()


@torch.no_grad()
def opinions(net: Teacher, sentences: list[list[Word]], batch: int = 64) -> list[Tensor]:
    """The chances of TAGS for every word (n, 5); a word beyond the teacher's length is O."""
    out: list[Tensor] = [torch.tensor([])] * len(sentences)
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    for a in range(0, len(order), batch):
        some = order[a:a + batch]
        with torch.autocast("cpu", torch.bfloat16):
            logits, places = net([sentences[i] for i in some])
        whole = F.one_hot(torch.zeros(sum(len(sentences[i]) for i in some), dtype=torch.long), len(TAGS)).float()
        whole[places] = logits.float().softmax(-1)
        for i, p in zip(some, whole.split([len(sentences[i]) for i in some]), strict=True):
            out[i] = p
    return out
