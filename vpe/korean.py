"""What the built-in extractor knows of Korean: the kind of each word, and the English name of a feature.

Words are matched by how they begin, since particles and endings are glued on; spaces are left out of comparisons, since
people set them as they like. The wordings lie in ``korean.json`` and are read with the first Korean comment.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

_LONGEST = 14
# Particles and common endings at the end of a phrase, longest first.
_PARTICLES = re.compile(
    r"(?:이라는|이라도|이라서|에서는|에서의|으로는|으로도|이랑|하고|라는|라서|라도|이나|까지|부터|처럼|같은|에서|에는|에도|으로|이요|이네요|입니다|"
    r"이에요|예요|은|는|이|가|을|를|의|에|도|만|로|과|와|랑|나|요)$"
)
_NEGATIONS = ("않", "없", "아니", "못하", "못한", "못해", "모자라", "부족")
_CONTRASTS = ("지만", "는데", "은데", "한데", "인데", "건만", "네만")


def squeeze(text: str) -> str:
    """Only what is said: Hangul, Latin letters and digits."""
    return re.sub(r"[^가-힣ㄱ-ㅎㅏ-ㅣa-z0-9]", "", text.lower())


@cache
def _data() -> dict:
    return json.loads((Path(__file__).parent / "korean.json").read_text(encoding="utf-8"))


@cache
def wordings() -> dict[str, str]:
    """Squeezed beginning of a word or phrase → the feature's English name."""
    table: dict[str, str] = {}
    for english, some in _data()["features"].items():
        for wording in some.split():
            table.setdefault(wording, english)
    return table


@cache
def _blocks() -> tuple[dict[str, str], dict[str, str]]:
    """Beginnings of words that phrases are built of → English, and those that must be the whole word."""
    begins, whole = dict(_data()["heads"]), {}
    for english, some in _data()["words"].items():
        for wording in some.split():
            (whole if wording[0] == "=" else begins).setdefault(wording.lstrip("="), english)
    return begins, whole


@cache
def _kinds() -> dict[str, str]:
    data, table = _data(), {}
    for kind, name in (("too", "too"), ("more", "more"), ("less", "less"), ("contrast", "contrast"), ("adverb", "adverbs"),
                       ("praises", "liked"), ("blames", "disliked")):  # fmt: skip
        for wording in data[name].split():
            table.setdefault(wording, kind)
    for wording in data["heads"]:
        table.setdefault(wording, "head")
    return table


@cache
def _degrees() -> frozenset[str]:
    """Words that say how much, and name nothing."""
    return frozenset([*_data()["too"].split(), *_data()["adverbs"].split(), "더", "덜", "안", "못", "왜", "왜케"])


def _begins(text: str, table: dict) -> str:
    """The longest entry of ``table`` that ``text`` begins with, or ""."""
    return next((text[:n] for n in range(min(len(text), _LONGEST), 0, -1) if text[:n] in table), "")


def kinds(words: list[str]) -> list[str]:
    """For each word of a comment its kind (names as in ``tagger.KINDS``); "" where nothing is known."""
    out = [""] * len(words)
    for i, word in enumerate(words):
        text = squeeze(word)
        feature = _begins(text, wordings())
        other = _begins(text, _kinds())
        if text in ("안", "못") or any(e in text for e in _NEGATIONS):
            kind = "negation"
        elif text.endswith(("보다", "보단", "보다는")) and len(text) > 2:
            kind = "than"
        elif len(feature) >= max(2, len(other)) or feature == text != "":
            kind = "attribute"
        elif other:
            kind = _kinds()[other]
        elif text.endswith(_CONTRASTS):
            kind = "contrast"
        else:
            kind = ""
        out[i] = out[i] or kind
        for size in (3, 2):  # "색이 따뜻한"
            some = [squeeze(w) for w in words[i:i + size]]
            if len(some) == size and all(some) and len(_begins("".join(some), wordings())) > len("".join(some[:-1])):
                out[i], out[i + 1:i + size] = "attribute", ["attribute on"] * (size - 1)
                break
    return out


def english(phrase: str) -> str:
    """The English name of a Korean feature; what is in no list stays Korean, without its particles."""
    phrase = " ".join(w for w in phrase.split() if squeeze(w) not in _degrees()) or phrase
    whole = squeeze(phrase)
    known = _begins(whole, wordings())
    if len(_begins(whole, _blocks()[0])) > len(known) + 1:
        known = ""
    bare = _PARTICLES.sub("", whole) or whole
    if known and len(known) >= min(len(bare), 0.6 * len(whole)):
        return wordings()[known]
    parts: list[str] = []
    words = [squeeze(w) for w in phrase.split()]
    for word in filter(None, words):
        bare = _PARTICLES.sub("", word) or word
        begin, (blocks, alone) = _begins(word, wordings()), _blocks()
        if len(begin) < 2 and begin != bare:
            begin = ""
        block = _begins(word, blocks)
        name = alone.get(bare) or (wordings()[begin] if begin and len(begin) >= len(block) else blocks[block] if block else "")
        if not name:
            parts = []
            break
        for part in name.split():
            if part not in parts and part.rstrip("s") not in [p.rstrip("s") for p in parts]:
                parts.append(part)
    if parts:
        return " ".join(parts)
    if known and len(known) >= 2:
        return wordings()[known]
    *before, last = phrase.split()
    return " ".join([*before, _PARTICLES.sub("", last) or last])
