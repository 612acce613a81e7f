"""Train the span tagger on marked comments: ``python -m vpe.recipe.tagger --language en --teacher FOLDER`` from the pack's folder.

The folder holds a pretrained encoder (``teacher.py``) for English; Korean is trained on the marks alone. Every twelfth marked comment
is set aside. Needs the PyPI packages textblob, vaderSentiment and transformers.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..comments import Comment
from ..lexical import understand
from ..tagger import BUCKETS, KINDS, RULES, TAGS, WEIGHTS, Word, features, pieces, spans, tokenise
from .marked import Mark, Marked, comments, to_train
from .teacher import descend, opinions
from .teacher import train as train_teacher


@dataclass
class TaggerConfig:
    epochs: int = 22
    batch: int = 32
    lr: float = 3e-3
    width: int = 48  # of the pieces
    hidden: int = 128  # a direction
    forget: float = 0.1  # tokens whose pieces are hidden
    doubt: float = 0.3  # comments without the rules' opinion
    swap: float = 0.4  # features replaced by others
    varieties: int = 3  # of each comment, with features replaced
    trust: float = 0.9  # weight of the teacher's opinion beside the marks
    words: bool = True  # learn the words' classes and valences first
    seed: int = 0


class Net(nn.Module):
    """(B, n, PIECES) and (B, n, 3) → logits (B, n, 5)."""

    def __init__(self, config: TaggerConfig):
        super().__init__()
        self.pieces = nn.Embedding(BUCKETS, config.width)
        self.kind, self.rule, self.verdict = nn.Embedding(len(KINDS), 16), nn.Embedding(len(RULES), 12), nn.Embedding(3, 4)
        nn.init.normal_(self.pieces.weight, std=0.5)
        self.gru = nn.GRU(config.width + 32, config.hidden, 2, batch_first=True, bidirectional=True, dropout=0.3)
        self.out = nn.Linear(2 * config.hidden, len(TAGS))

    def forward(self, buckets: Tensor, extra: Tensor) -> Tensor:
        x = [self.pieces(buckets).mean(2), self.kind(extra[..., 0]), self.rule(extra[..., 1]), self.verdict(extra[..., 2])]
        x, _ = self.gru(F.dropout(torch.cat(x, -1), 0.3, self.training))
        return self.out(F.dropout(x, 0.3, self.training))


def learn_words(net: Net, config: TaggerConfig, log=None, teacher=None) -> None:
    """Before any comment: the pieces of some 90,000 English words must tell what kind of word it is and how it sounds.

    Word classes are from Brill's lexicon (TextBlob, MIT), valences from VADER (MIT); both packages serve training alone.
    With a teacher, also the 32 principal components of its word's embedding, where it has one.
    """
    folder = {name: Path(find_spec(name).origin).parent for name in ("textblob", "vaderSentiment")}
    classes: dict[str, str] = {}
    for line in (folder["textblob"] / "en" / "en-lexicon.txt").read_text(encoding="utf-8").splitlines():
        word, _, tag = line.partition(" ")
        if word.isalpha() and tag and not line.startswith(";"):
            classes.setdefault(word.lower(), tag[:3])
    valence = {}
    for line in (folder["vaderSentiment"] / "vader_lexicon.txt").read_text(encoding="utf-8").splitlines():
        word, value, *_ = line.split("\t")
        if word.isalpha():
            valence[word.lower()] = float(value) / 4
    kinds = sorted(set(classes.values()))
    words = sorted(classes.keys() | valence.keys())
    buckets = torch.tensor([pieces(Word(w, 0, len(w), w)) for w in words])
    kind = torch.tensor([kinds.index(classes[w]) if w in classes else -1 for w in words])
    value = torch.tensor([valence.get(w, 0.0) for w in words])
    told = torch.tensor([w in valence for w in words])
    weight = torch.where(told, 1.0, 0.05)  # a word that VADER leaves out is neutral, or unknown to it
    meaning, has = torch.zeros(len(words), 32), torch.zeros(len(words), 1)
    if teacher:
        rows = teacher.body.embeddings.word_embeddings.weight.detach()
        rows = (rows - rows.mean(0)) @ torch.pca_lowrank(rows, 32)[2]
        entries = teacher.tokenizer.get_vocab()
        at = torch.tensor([entries.get(w, -1) for w in words])
        meaning, has = rows[at] / rows.std(0), (at >= 0).float()[:, None]
    head = nn.Linear(config.width, 32 + len(kinds) + 1)
    optimizer = torch.optim.AdamW([*net.pieces.parameters(), *head.parameters()], 1e-2, weight_decay=0.0)
    g = torch.Generator().manual_seed(config.seed)
    steps = 900
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps)
    many, few = torch.arange(len(words)), told.nonzero()[:, 0]
    for _ in range(steps):
        i = torch.cat([many[torch.randint(len(many), (768,), generator=g)], few[torch.randint(len(few), (256,), generator=g)]])
        x = head(net.pieces(buckets[i]).mean(1))
        loss = F.cross_entropy(x[:, 33:], kind[i], ignore_index=-1) + 4 * (weight[i] * (x[:, 0] - value[i]).square()).mean()
        loss = loss + (has[i] * (x[:, 1:33] - meaning[i]).square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plan.step()
    if log:
        with torch.no_grad():
            x = head(net.pieces(buckets[few]).mean(1))[:, 0]
        log(f"words: loss {loss.item():.3f}, sign of valence right for {((x > 0) == (value[few] > 0)).float().mean():.0%}")


def tags(found: list[Word], marks: tuple[Mark, ...]) -> np.ndarray:
    """Index in TAGS of each token."""
    out = np.zeros(len(found), np.int64)
    for mark in marks:
        inside = [i for i, w in enumerate(found) if w.start < mark.end and mark.start < w.end]
        for n, i in enumerate(inside):
            out[i] = (1 if mark.liked else 3) + (n > 0)
    return out


def varied(marked: Marked, pools: dict[bool, list[str]], rng: random.Random, chance: float) -> Marked:
    """Some features replaced by others, mostly of their side: some say by themselves what people think of them."""

    def choose(mark: Mark) -> str:
        if rng.random() >= chance:
            return marked.text[mark.start:mark.end]
        return rng.choice(pools[mark.liked if rng.random() < 0.85 else not mark.liked])

    return marked.filled(choose)


def example(marked: Marked, verdict: str | None = None):
    """→ words, buckets (n, PIECES), extra (n, 3), tags (n,)."""
    comment = Comment(marked.text, verdict)
    found, buckets, extra = features(comment, understand(comment))
    return found, buckets, extra, tags(found, marked.marks)


def batches(some: list, size: int, rng: random.Random):
    """Random batches of examples of about the same length."""
    rng.shuffle(some)
    rooms = [sorted(some[a:a + 16 * size], key=lambda e: len(e[0])) for a in range(0, len(some), 16 * size)]
    cut = [room[a:a + size] for room in rooms for a in range(0, len(room), size)]
    rng.shuffle(cut)
    return cut


def marked_by(teacher, texts: list[str]) -> list[Marked]:
    """Comments that nobody marked, with the features that the teacher sees in them."""
    found = [tokenise(text) for text in texts]
    seen = [spans(words, p.numpy()) for words, p in zip(found, opinions(teacher, found), strict=True)]
    return [Marked(text, tuple(Mark(s.start, s.end, s.liked > 0.5) for s in some)) for text, some in zip(texts, seen, strict=True)]


def prepare(data: list[Marked], config: TaggerConfig, teacher=None) -> list[list[tuple]]:
    """For each comment its varieties: buckets, extra, tags and the teacher's opinion of each word (zeros without one)."""
    rng = random.Random(config.seed)
    pools = {liked: [m.text[k.start:k.end] for m in data for k in m.marks if k.liked is liked] for liked in (True, False)}

    def varieties(m: Marked) -> list:
        sides = {mark.liked for mark in m.marks}
        told = [None] if len(sides) != 1 else [None, None, "like" if sides == {True} else "dislike"]
        return [example(m), *(example(varied(m, pools, rng, config.swap), rng.choice(told)) for _ in range(config.varieties))]

    examples = [varieties(m) for m in data if m.text.strip()]
    flat = [e[0] for some in examples for e in some]
    told = iter(opinions(teacher, flat) if teacher else [torch.zeros(len(found), len(TAGS)) for found in flat])
    return [[tuple(map(torch.as_tensor, e[1:])) + (next(told),) for e in some] for some in examples]


def train(examples: list[list[tuple]], config: TaggerConfig, log=None, teacher=None) -> Net:
    """``examples`` as prepared. Marks, and where there is a teacher its opinion too (Hinton et al. 2015)."""
    g, rng = torch.Generator().manual_seed(config.seed), random.Random(config.seed)
    torch.manual_seed(config.seed)
    net = Net(config)
    if config.words:
        learn_words(net, config, log, teacher)
    optimizer = torch.optim.AdamW(net.parameters(), config.lr, weight_decay=0.02)
    steps = config.epochs * (-(-len(examples) // config.batch) + 1)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.lr, steps)
    trust = config.trust if teacher else 0.0
    for epoch in range(config.epochs):
        losses = []
        for some in batches([rng.choice(varieties) for varieties in examples], config.batch, rng):
            buckets, extra, tag, told = (nn.utils.rnn.pad_sequence([e[k] for e in some], True, v) for k, v in enumerate((0, 0, -1, 0.0)))
            buckets = torch.where(torch.rand(*buckets.shape[:2], 1, generator=g) < config.forget, 0, buckets)
            extra[..., 1] *= (torch.rand(len(extra), 1, generator=g) >= config.doubt).long()
            logits = net(buckets, extra)
            loss = (1 - trust) * F.cross_entropy(logits.flatten(0, 1), tag.flatten(), ignore_index=-1, label_smoothing=0.05)
            loss = loss - trust * (told * logits.log_softmax(-1)).sum() / (tag >= 0).sum()
            losses.append(descend(net, loss, optimizer, plan))
        if log:
            log(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.3f}")
    return net.eval()


def arrays(net: Net) -> dict[str, np.ndarray]:
    """Half precision; the pieces as bytes with one scale a column."""
    out = {k: v.detach().half().numpy() for k, v in net.state_dict().items()}
    pieces = net.pieces.weight.detach()
    scale = pieces.abs().quantile(0.9999, 0) / 127
    out["pieces.weight"] = (pieces / scale).round().clamp(-127, 127).to(torch.int8).numpy()
    return out | {"pieces.scale": scale.numpy()}


def main() -> None:
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", choices=("en", "ko"), default="en")
    parser.add_argument("--teacher", type=Path, help="a folder with MPNet or another encoder, as transformers saves it")
    parser.add_argument("--members", type=int, default=2, help="networks whose opinions are averaged")
    parser.add_argument("--to", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    data = [m for some in comments(options.language) for m in to_train(some)]
    teacher = None
    if options.teacher:
        words = [tokenise(m.text) for m in data]
        teacher = train_teacher(options.teacher, [(w, torch.from_numpy(tags(w, m.marks))) for w, m in zip(words, data, strict=True)])
        data += marked_by(teacher, (Path(__file__).parent / "unmarked.txt").read_text(encoding="utf-8").splitlines())
    members, examples = {}, prepare(data, TaggerConfig(), teacher)
    for seed in range(options.members):
        config = TaggerConfig(seed=seed) if options.language == "en" else TaggerConfig(seed=seed, epochs=20, hidden=64, words=False)
        members |= {f"{seed}.{k}": v for k, v in arrays(train(examples, config, print, teacher)).items()}
    options.to.mkdir(parents=True, exist_ok=True)
    save_file(members, options.to / f"tagger_{options.language}.safetensors", metadata={"model": "ViPer tagger 1"})


if __name__ == "__main__":
    main()
