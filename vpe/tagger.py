"""A small span tagger: which stretches of a comment name a liked feature, and which a disliked one.

Two layers of bidirectional GRU (Cho et al. 2014) over hashed words and word pieces, what the word lists know of each word,
and what the rules made of it. Trained by ``recipe/tagger.py``; runs in NumPy, about a millisecond a comment.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import korean
from . import lexicon as lx
from . import words as wd
from .attributes import from_taxonomy, wordings
from .comments import Comment
from .lexical import Reading
from .preferences import normalise

WEIGHTS = Path(__file__).parent / "weights"
TAGS = ("O", "B+", "I+", "B-", "I-")
KINDS = ("none", "mark", "good mark", "bad mark", "attribute", "attribute on", "good feature", "bad feature", "head", "likes", "hates",
         "praises", "blames", "negation", "contrast", "copula", "pronoun", "determiner", "cause", "too", "less", "more", "than", "and",
         "stop", "adverb", "no feature", "number", "line", "other script")  # fmt: skip
RULES = ("none", "liked", "disliked", "liked on", "disliked on")
BUCKETS, PIECES = 12288, 7
_TOKEN = re.compile(r"\n|[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|\d+|[^\s\w]")
_OPERATORS = {"too": "too", "overly": "too", "less": "less", "fewer": "less", "more": "more", "than": "than", "and": "and", "or": "and"}


@dataclass(frozen=True)
class Word:
    """One token of a comment at characters [start, end)."""

    text: str
    start: int
    end: int
    key: str  # as the word lists spell it


@dataclass(frozen=True)
class Span:
    """A feature found at characters [start, end); ``liked`` is the chance that its writer does."""

    start: int
    end: int
    liked: float


def tokenise(text: str) -> list[Word]:
    """Tokens with their places; a line break is one."""
    found = []
    for m in _TOKEN.finditer(text):
        key = m.group().lower().replace("\u2019", "'")
        found.append(Word(m.group(), m.start(), m.end(), wd.respell(key) if key.isascii() and key[0].isalpha() else key))
    return found


@from_taxonomy
def _table() -> dict[str, str]:
    """Word → its kind, from the word lists; the first list that has it counts."""
    table: dict[str, str] = {}

    def put(kind: str, some) -> None:
        for word in some:
            table.setdefault(word, kind)

    table.update(_OPERATORS)
    put("likes", ["like"])
    put("negation", [*lx.NEGATORS, "don't", "doesn't", "isn't", "aren't", "can't", "won't", "didn't", "wasn't", "wouldn't", "dont", "cant"])
    put("contrast", lx.CONTRAST)
    put("copula", lx.COPULAS)
    put("determiner", lx.DETERMINERS)
    put("pronoun", lx.PRONOUNS)
    put("cause", lx.CAUSE)
    put("likes", (w for w, v in lx.VERBS.items() if v > 0))
    put("hates", (w for w, v in lx.VERBS.items() if v < 0))
    put("praises", (w for w, v in lx.VALUES.items() if v > 0))
    put("blames", (w for w, v in lx.VALUES.items() if v < 0))
    put("good feature", lx.GOOD_FEATURES)
    put("bad feature", lx.BAD_FEATURES)
    put("head", lx.HEADS)
    put("attribute", wordings())
    put("stop", lx.STOP)
    put("adverb", lx.ADVERBS)
    put("no feature", lx.NO_FEATURE)
    return table


def kinds(found: list[Word]) -> np.ndarray:
    """What the word lists know of each token: indices in KINDS (n,)."""
    out = [_kind(word) for word in found]
    if any(_hangul(w.text) for w in found):
        for i, kind in enumerate(korean.kinds([w.text for w in found])):
            out[i] = kind if kind and _hangul(found[i].text) else out[i]
    for i in range(len(found)):
        for size in (4, 3, 2):
            some = found[i:i + size]
            if len(some) == size and all(w.text[0].isalnum() for w in some) and normalise(" ".join(w.key for w in some)) in wordings():
                out[i], out[i + 1:i + size] = "attribute", ["attribute on"] * (size - 1)
                break
    return np.array([KINDS.index(kind) for kind in out], np.int64)


def _kind(word: Word) -> str:
    if word.text == "\n":
        return "line"
    if word.text.isdigit():
        return "number"
    if not word.text[0].isalpha():
        return "good mark" if word.text in wd.GOOD_MARKS else "bad mark" if word.text in wd.BAD_MARKS else "mark"
    if not word.text[0].isascii() and not word.text[0].islower():
        return "other script"
    return _table().get(word.key) or ("attribute" if wd.attribute(word.key) or wd.comparative(word.key) else "none")


def _hangul(text: str) -> bool:
    return "가" <= text[0] <= "힣"


def pieces(word: Word) -> list[int]:
    """Buckets of a token: itself, three beginnings, three endings. 0 is left for what is forgotten on purpose."""
    key = word.key
    parts = [f"w{key}", *(f"p{key[:n]}" for n in (1, 2, 3)), *(f"s{key[-n:]}" for n in (1, 2, 3))]
    if key.isascii() and len(key) > 4:
        parts = [f"w{key}", *(f"p{key[:n]}" for n in (3, 4, 5)), *(f"s{key[-n:]}" for n in (2, 3, 4))]
    return [1 + zlib.crc32(p.encode()) % (BUCKETS - 1) for p in parts]


def align(reading: Reading, text: str, found: list[Word]) -> list[int]:
    """The tokens that a reading of the rules was made of; [] where they cannot be told."""
    begin = max(0, text.find(reading.source))
    flat = [(i, part) for i, w in enumerate(found) if begin <= w.start < begin + len(reading.source) for part in _stem(w.key).split()]
    wanted = [_stem(w) for w in re.findall(r"[^\W_]+", reading.text.lower())]
    run = next((flat[a:a + len(wanted)] for a in range(len(flat)) if [p for _, p in flat[a:a + len(wanted)]] == wanted), None)
    hits = [i for i, _ in run] if run else [i for w in wanted for i in [i for i, p in flat if p == w][:1]]
    return sorted(set(hits))


def rule_tags(rules: list[Reading], text: str, found: list[Word]) -> np.ndarray:
    """What the rules made of each token: indices in RULES (n,)."""
    out = np.zeros(len(found), np.int64)
    for rule in rules:
        for n, i in enumerate(at := align(rule, text, found)):
            out[i] = (1 if rule.value > 0 else 2) + (2 if n and i == at[n - 1] + 1 else 0)
    return out


def _stem(key: str) -> str:
    parts = key.replace("-", " ").split()
    parts = [p[:-1] if len(p) > 3 and p.endswith("s") and not p.endswith("ss") else p for p in parts]
    return " ".join(p if wd.attribute(p) else wd.comparative(p) or p for p in parts)


def features(comment: Comment, rules: list[Reading]) -> tuple[list[Word], np.ndarray, np.ndarray]:
    """→ tokens, their buckets (n, PIECES), and (n, 3): kind, what the rules say, the verdict of the comment."""
    found = tokenise(comment.text)
    verdict = {"like": 1, "dislike": 2}.get(comment.verdict or "", 0)
    extra = np.stack([kinds(found), rule_tags(rules, comment.text, found), np.full(len(found), verdict)], 1)
    return found, np.array([pieces(w) for w in found], np.int64).reshape(-1, PIECES), extra


class Tagger:
    """The trained networks, whose opinions are averaged. ``weights`` maps "member.name" to arrays, as the recipe writes them."""

    def __init__(self, weights: dict[str, np.ndarray]):
        members: dict[str, dict[str, np.ndarray]] = {}
        for key, value in weights.items():
            member, name = key.split(".", 1)
            members.setdefault(member, {})[name] = value.astype(np.float32)
        self.members = [w | {"pieces.weight": w["pieces.weight"] * w.pop("pieces.scale", 1.0)} for w in members.values()]

    @classmethod
    def load(cls, language: str) -> Tagger:
        """The shipped weights for "en" or "ko"."""
        from safetensors.numpy import load_file

        return cls(load_file(WEIGHTS / f"tagger_{language}.safetensors"))

    def probabilities(self, buckets: np.ndarray, extra: np.ndarray) -> np.ndarray:
        """(n, PIECES) and (n, 3) → (n, 5), the chances of TAGS."""
        return sum(_run(w, buckets, extra) for w in self.members) / len(self.members)


def _run(w: dict[str, np.ndarray], buckets: np.ndarray, extra: np.ndarray) -> np.ndarray:
    known = [w[f"{name}.weight"][extra[:, i]] for i, name in enumerate(("kind", "rule", "verdict"))]
    x = np.concatenate([w["pieces.weight"][buckets].mean(1), *known], 1)
    layer = 0
    while f"gru.weight_ih_l{layer}" in w:
        x = np.concatenate([_gru(w, x, f"l{layer}"), _gru(w, x[::-1], f"l{layer}_reverse")[::-1]], 1)
        layer += 1
    z = x @ w["out.weight"].T + w["out.bias"]
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _gru(w: dict[str, np.ndarray], x: np.ndarray, name: str) -> np.ndarray:
    """One direction: (n, width) → (n, hidden). Gates in torch's order: reset, update, new."""
    given = x @ w[f"gru.weight_ih_{name}"].T + w[f"gru.bias_ih_{name}"]
    recurrent, bias = w[f"gru.weight_hh_{name}"].T, w[f"gru.bias_hh_{name}"]
    size = len(bias) // 3
    h, out = np.zeros(size, np.float32), np.empty((len(x), size), np.float32)
    for i, g in enumerate(given):
        r = h @ recurrent + bias
        reset, update = 1 / (1 + np.exp(-(g[:2 * size] + r[:2 * size]))).reshape(2, size)
        new = np.tanh(g[2 * size:] + reset * r[2 * size:])
        h = (1 - update) * new + update * h
        out[i] = h
    return out


def leaning(p: np.ndarray) -> float:
    """The chance that a feature of these words is liked, given that it is one; p is (n, 5)."""
    liked, disliked = p[:, 1:3].sum(), p[:, 3:5].sum()
    return float(liked / (liked + disliked))


def spans(found: list[Word], p: np.ndarray) -> list[Span]:
    """Runs of tokens that are rather in a feature than not, cut where a new one begins; p is (n, 5)."""
    out: list[Span] = []
    begin = -1
    inside = p[:, 0] < 0.5
    for i in range(len(found) + 1):
        new = i < len(found) and inside[i] and p[i, [1, 3]].sum() > p[i, [2, 4]].sum()
        if begin >= 0 and (i == len(found) or not inside[i] or new):
            out.append(Span(found[begin].start, found[i - 1].end, leaning(p[begin:i])))
            begin = -1
        if begin < 0 and i < len(found) and inside[i]:
            begin = i
    return out
