"""What one run of content words names: a feature, a bare visual head ("colors"), or nothing we keep."""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import lexicon as lx
from .words import Token

_ADJECTIVE = re.compile(r".{2,}(?:y|ed|ish|ic|like|less|esque|ous|ive|al|ful|en|core|punk|wave|ant|ent|ar|ble)$|.*-.*|.{3,}ing$")
_STYLE = re.compile(r"\w-(?:like|esque|inspired|style|core|punk|ish)$")
_LONGEST = 4  # words; longer runs are cut from the left


@dataclass
class Phrase:
    """A feature in a clause. ``start`` and ``at`` are the places of its first and last token; ``local`` is a polarity fixed
    by the words around it (0: none), ``own`` what the feature suggests by itself."""

    text: str
    at: int
    start: int
    local: float = 0.0
    own: float = 0.0
    sure: bool = True  # false where only an explicit opinion makes it a feature
    predicate: bool = False  # said of something: "is soft"
    negated: bool = False
    wanted: bool = False  # asked for because it is not there: liked, in a sentence of blame
    suggested: bool = False  # its polarity is only what the word suggests
    weak: bool = False  # that, and many people seek it on purpose


def split_run(clause: list[Token], start: int, end: int) -> list[tuple[int, int]]:
    """One run of words → phrases: "high contrast | black ink", "I find minimalism | cold"."""
    cuts = [start]
    for i in range(start, end - 1):
        here, after = clause[i], clause[i + 1]
        words = here.text.split()
        two_features = here.kind == "A" and len(words) > 1 and words[-1] in lx.HEADS and after.kind in "AW"
        if here.kind == after.kind == "A" and words[-1].endswith("ism") and own_polarity(after.text):
            cuts.append(i + 1)
        elif here.kind == "H" and after.kind == "A" and i + 2 == end and start > 1 \
                and any(t.text in ("find", "finds", "found", "makes", "made", "make") for t in clause[:start]):
            cuts.append(i + 1)
        elif two_features and (end - i > 2 or " " in after.text):
            cuts.append(i + 1)
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def name_run(clause: list[Token], start: int, stop: int, predicate: bool, asked: bool) -> tuple[Phrase | None, str]:
    """The phrase in ``clause[start:stop]``, or the bare head it is. ``predicate``: after a copula; ``asked``: after "so", "how"."""
    first = start
    while start < stop - 1 and clause[start].kind == "W" and _no_modifier(clause[start].text):
        start += 1
    if stop - start > 2 and clause[start].text in ("form", "forms", "shapes", "frames", "marks", "looks") and clause[start + 1].kind == "A":
        start += 1  # here a verb: "branches form lacy patterns"
    run = clause[start:stop]
    while len(run) > 1 and run[-1].text in lx.FEEL_HEADS and (len(run) > 2 or run[0].kind != "H"):
        run = run[:-1]  # "cyberpunk vibes" is cyberpunk
    if any(t.kind in "AH" for t in run):
        strongest = "A" if any(t.kind == "A" for t in run) else "H"
        while run[-1].kind == "W" and not (strongest == "A" and run[-1].text.endswith("looking")):
            run = run[:-1]  # the subject: "pastel | unicorn"
        phrase, bare = _known(run)
        if phrase:
            phrase.start, phrase.at = first, start + len(run) - 1
        return phrase, bare
    phrase = _unknown(clause, first, start, stop, run, predicate, asked)
    if phrase:
        phrase.at = start + len(run) - 1
    return phrase, ""


def _known(run: list[Token]) -> tuple[Phrase | None, str]:
    """A run with an attribute of the taxonomy or a visual head in it."""
    kinds = {t.kind for t in run}
    text = " ".join(t.text for t in run[-_LONGEST:])
    own = next((v for v in (own_polarity(t.text) for t in run if t.kind == "A") if v), 0.0)
    if "A" in kinds:
        return (None, text) if len(run) == 1 and text in lx.GENERIC else (Phrase(text, 0, 0, own=own), "")
    modifiers = [t.text for t in run if t.kind == "W"]
    if len(run) == 1 or all(t.text in lx.PLAIN for t in run) or (modifiers and all(m in lx.NO_FEATURE for m in modifiers)):
        return None, run[-1].text
    vague = all(t.text in lx.GENERIC or t.text in lx.FEEL_HEADS for t in run if t.kind == "H") and run[-1].text not in lx.FEEL_HEADS
    return Phrase(text, 0, 0, sure=not (vague and modifiers and not _ADJECTIVE.match(run[0].text))), ""


def _unknown(clause: list[Token], first: int, start: int, stop: int, run: list[Token], predicate: bool, asked: bool) -> Phrase | None:
    """A run of words that are in no list: kept where their place or their ending shows that they describe."""
    last = clause[stop - 1].text
    words = [t.text for t in run if t.text not in lx.NO_FEATURE]
    text = " ".join(words[-3:])
    if not words:
        return None
    if last in lx.FEEL_HEADS:
        return None if all(w in lx.LOOKS for w in words) else Phrase(text, 0, first)
    excess = start > 0 and clause[start - 1].text == "TOO"
    if len(run) == 1 and (asked or predicate) and (excess or _ADJECTIVE.match(last)) and not last.endswith("ing") \
            and not _no_modifier(last):
        return Phrase(last, 0, first, sure=asked or any(t.text in lx.FEELS for t in clause[:start]))
    if 1 < len(run) <= 3 and _ADJECTIVE.match(run[0].text) and run[0].text not in lx.NO_FEATURE:
        return Phrase(text, 0, first, sure=False)
    if len(words) <= 2 and not predicate and last not in lx.NO_FEATURE and len(last) > 3 and _object(clause, first) \
            and not (stop < len(clause) and clause[stop].text in ("of", "at", "to", "for")):
        return Phrase(text, 0, first, sure=False)
    if "-" in last:
        return Phrase(last, 0, first, sure=bool(_STYLE.search(last)) or predicate or asked)
    return None


def own_polarity(text: str) -> float:
    """What a feature suggests by itself: "garish" is blame, "elegant" praise, most are neither."""
    if text.startswith("over") and " " not in text and not text.startswith(("overl", "overh", "overc")):
        return -0.8
    if text in lx.BAD_FEATURES:
        return -0.5 if text in lx.AMBIVALENT else -0.8
    return 0.8 if text in lx.GOOD_FEATURES else 0.0


def _object(clause: list[Token], start: int) -> bool:
    """True for what is loved or hated by name: "I hate bevels"."""
    for token in reversed(clause[max(0, start - 3):start]):
        if token.kind == "V":
            return abs(token.value) >= 1
        if token.kind not in "DS" or token.text in ("to", "in", "on", "with", "at", "from"):
            return False
    return False


def _no_modifier(word: str) -> bool:
    """Verbs and adverbs that our lists do not know: "emphasizes depth", "cleverly layered"."""
    return word in lx.NO_FEATURE or (word.endswith("ly") and word not in lx.LY) or (
        word.endswith("s") and not word.endswith(("ss", "us", "ous")) and "-" not in word)
