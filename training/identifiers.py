"""The word ``V`` that names a subject in ``a V dog``: rare tokens, after DreamBooth (arXiv 2208.12242, section 3.2).

A word that the text encoder knows has a meaning to unlearn; random letters fall apart into common single letters. So the
paper looks up rare tokens of the vocabulary and reads them back as text. It takes tokens of at most three letters out of the ids
5000–10000 of T5's 32,000. Here the ranges are the tokenizer's own (ids of a BPE count merges, rare ones last), the letters are
a–z, which anybody can type, and what comes out is checked: it must give the same tokens again, in the prompt.

No host: a `Tokenizer` is two things that every tokenizer has.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

MAX_TOKENS = 3
# Words that tutorials spread: what a checkpoint already links with them is no longer nothing.
WORN = {
    "sks": "it is a rifle",
    "ohwx": "thousands of shared LoRAs use it",
    "zwx": "thousands of shared LoRAs use it",
    "shs": "it is in many tutorials",
    "xyz": "it is a common abbreviation",
    "abc": "it is a common abbreviation",
    "asdf": "it is what fingers type by themselves",
    "qwerty": "it is what fingers type by themselves",
}
_UNKIND = ("ass", "coc", "cum", "fag", "fuc", "jap", "kkk", "nazi", "nig", "pis", "sex", "tit")  # rare, and nobody wants them in a prompt
_WORD = re.compile(r"[a-z]{2,3}")


class IdentifierError(ValueError):
    """No identifier can be found or used; said in one sentence."""


@dataclass(frozen=True)
class Tokenizer:
    """``encode(text)`` → ids without start and end tokens; ``pieces``: id → piece as the vocabulary writes it.

    A piece shows where words begin or end: ``dog</w>`` (CLIP), ``▁dog`` (SentencePiece: T5, Llama), ``Ġdog`` (byte-level BPE).
    """

    name: str
    encode: Callable[[str], Sequence[int]]
    pieces: Mapping[int, str]

    @cached_property
    def marker(self) -> str:
        sample = list(self.pieces.values())
        return max(("</w>", "▁", "Ġ"), key=lambda mark: sum(mark in piece for piece in sample))

    def ids(self, word: str) -> list[int]:
        """As the word stands in a prompt, after a blank."""
        return list(self.encode(f" {word}" if self.marker == "Ġ" else word))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids; "" when one of them is no piece."""
        if any(i not in self.pieces for i in ids):
            return ""
        text = "".join(self.pieces[i] for i in ids)
        return text.replace("</w>", " ").replace("▁", " ").replace("Ġ", " ").strip()

    @cached_property
    def rare(self) -> tuple[list[int], list[int], list[int]]:
        """Ids of rare pieces of two or three letters: (at the beginning of a word, in the middle, at the end)."""
        low, high = self.rare_range
        first, middle, last = [], [], []
        for i, piece in self.pieces.items():
            bare = piece.replace(self.marker, "")
            if low <= i < high and _WORD.fullmatch(bare):
                marked = piece != bare
                if self.marker == "</w>":
                    (last if marked else middle).append(i)
                    if not marked:
                        first.append(i)
                else:
                    (first if marked else middle).append(i)
                    if not marked:
                        last.append(i)
        return sorted(first), sorted(middle), sorted(last)

    @cached_property
    def rare_range(self) -> tuple[int, int]:
        """Ids of rare tokens. T5 as in the paper (its list is not only merges: above 10,000 come long words and other scripts);
        a BPE's last two fifths, where the merges are rare."""
        n = max(self.pieces) + 1
        if self.marker == "▁":
            return n * 5 // 32, n * 10 // 32
        return n * 3 // 5, n

    @cached_property
    def common_words(self) -> frozenset[str]:
        """Whole words of three letters and more that come before the rare range: what a rare word must not hold."""
        low = max(self.rare_range[0], 0)
        words = ((i, piece) for i, piece in self.pieces.items() if i < low and self.marker in piece)
        return frozenset(bare for _, piece in words if len(bare := piece.replace(self.marker, "")) >= 3 and bare.isalpha())


@dataclass(frozen=True)
class Identifier:
    """``tokens`` and ``ranks`` of each encoder by name: how it cuts the word, and the ids (the rank, in a BPE)."""

    word: str
    tokens: dict[str, list[str]]
    ranks: dict[str, list[int]]

    def report(self) -> str:
        """One line an encoder: ``clip_l: 2 tokens (vay, oxi), ranks 48012, 48100``."""
        lines = []
        for name, pieces in self.tokens.items():
            many = "s" * (len(pieces) != 1)
            ranks = ", ".join(map(str, self.ranks[name]))
            lines.append(f"{name}: {len(pieces)} token{many} ({', '.join(pieces)}), rank{many} {ranks}")
        return "\n".join(lines)


def describe(word: str, tokenizers: Sequence[Tokenizer]) -> Identifier:
    """How the encoders see a word."""
    ranks = {t.name: t.ids(word) for t in tokenizers}
    tokens = {t.name: [t.pieces.get(i, "?") for i in ranks[t.name]] for t in tokenizers}
    return Identifier(word, tokens, ranks)


def find(tokenizers: Sequence[Tokenizer], seed: int, tokens: int = 2, is_word: Callable[[str], bool] = lambda word: False) -> Identifier:
    """A rare word; the same for the same seed and tokenizers.

    ``tokens`` (1–3) counts those of the first tokenizer, out of whose rare range the word is made. One token is a word of
    its own that somebody used (an abbreviation, mostly), two rare halves seldom are: so 2 is a good choice. Every other
    encoder must be able to read the word back; the fewer tokens it needs the better. ``is_word`` knows further words to avoid.
    Raises IdentifierError.
    """
    if not tokenizers:
        raise IdentifierError("This CLIP has no tokenizer that shows its vocabulary: type an identifier of your own, such as vuqix.")
    if not 1 <= tokens <= MAX_TOKENS:
        raise IdentifierError(f"An identifier has 1 to {MAX_TOKENS} tokens, not {tokens}.")
    main, others = tokenizers[0], tokenizers[1:]
    first, middle, last = main.rare
    draw = random.Random(f"identifier {seed} {tokens}")
    found: list[Identifier] = []
    for _ in range(20000):
        ids = _drawn(draw, main, first, middle, last, tokens)
        word = main.decode(ids) if ids else ""
        if not word.isalpha() or main.ids(word) != list(ids) or any(part in word for part in _UNKIND):
            continue
        if problem(word, tokenizers, is_word):
            continue
        found.append(describe(word, tokenizers))
        if len(found) == (8 if others else 1):
            break
    if not found:
        raise IdentifierError(f"No rare word of {tokens} tokens was found in this CLIP: choose another number of tokens.")
    return min(found, key=lambda candidate: sum(len(ids) for ids in candidate.ranks.values()))


def _drawn(draw, tokenizer: Tokenizer, first: list, middle: list, last: list, tokens: int) -> list[int]:
    if tokens == 1:
        whole = last if tokenizer.marker == "</w>" else first
        return [draw.choice(whole)] if whole else []
    if not (first and last and (middle or tokens == 2)):
        return []
    return [draw.choice(first), *(draw.choice(middle) for _ in range(tokens - 2)), draw.choice(last)]


def problem(word: str, tokenizers: Sequence[Tokenizer], is_word: Callable[[str], bool] = lambda word: False) -> str:
    """Why a word is a bad identifier, in one sentence; "" for a good one."""
    bare = word.strip()
    if not bare:
        return "The identifier is empty: give one, such as vuqix, or leave it to Rare Token."
    if bare.lower() in WORN:
        return f'"{bare}" is worn out ({WORN[bare.lower()]}): your subject would start with its meaning. Take a rare token instead.'
    if is_word(bare.lower()):
        return f'"{bare}" is a word with a meaning of its own, which your subject would have to unlearn. Take a rare token instead.'
    for t in tokenizers:
        ids = t.ids(bare)
        if t.decode(ids).lower() != bare.lower():
            return f'"{bare}" cannot be read back from the tokens of {t.name}: use plain letters.'
    main = tokenizers[0] if tokenizers else None
    if main is None:
        return ""
    ids = main.ids(bare)
    if len(ids) > MAX_TOKENS:
        return f'"{bare}" falls apart into {len(ids)} tokens of {main.name}, common letters mostly: at most {MAX_TOKENS} are good.'
    if len(ids) == 1 and ids[0] < main.rare_range[0]:
        return f'"{bare}" is a common token of {main.name} (rank {ids[0]}) and has a meaning already. Take a rare token instead.'
    held = next((w for n in range(len(bare), 2, -1) for i in range(len(bare) - n + 1)
                 if (w := bare.lower()[i:i + n]) in main.common_words), "")  # fmt: skip
    return f'"{bare}" holds the common word "{held}". Take a rare token instead.' if held else ""
