"""A light chunker: which words of a clause name an art feature, as the shortest natural phrase."""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import lexicon as lx
from .words import Token

_ADJECTIVE = re.compile(r".{2,}(?:y|ed|ish|ic|like|less|esque|ous|ive|al|ful|en|core|punk|wave|ant|ent|ar|ble)$|.*-.*|.{3,}ing$")


@dataclass
class Phrase:
    """A feature in a clause. ``at`` is the place of its last token; ``local`` a polarity fixed by the words around it
    (0: none), ``own`` what the feature suggests by itself; ``sure`` is false where only an explicit opinion makes it one."""

    text: str
    at: int
    start: int
    local: float = 0.0
    own: float = 0.0
    sure: bool = True
    predicate: bool = False
    negated: bool = False
    wanted: bool = False  # asked for because it is not there: liked, in a sentence of blame
    suggested: bool = False  # its polarity is only what the word suggests
    weak: bool = False  # that, and many people seek it on purpose


def chunk(clause: list[Token]) -> list[Phrase]:
    """All phrases of one clause, left to right."""
    phrases: list[Phrase] = []
    subject: list[str] = []  # bare heads waiting for their adjective: "the lines … are thick"
    copula = how = -9
    i = 0
    while i < len(clause):
        kind, text = clause[i].kind, clause[i].text
        if kind == "C":
            copula = i
        elif kind == "&" and i + 1 < len(clause) and clause[i + 1].kind == "D":
            subject, copula = [], -9
        elif text in ("how", "so", "TOO", "MILD", "super", "very", "really"):
            how = i
            if text == "TOO" and i and clause[i - 1].kind in "AH":
                copula = i  # "the outlines too fuzzy"
        elif kind in ("P", "J") and text != "there":
            copula = -9
            subject = [] if kind == "J" or text in ("it", "this", "they") else subject
        if kind not in "AHW":
            i += 1
            continue
        end = i
        while end < len(clause) and clause[end].kind in "AHW":
            end += 1
        for start, stop in _split(clause, i, end):
            made, bare = _make(clause, start, stop, predicate=copula > -9, asked=how >= start - 2)
            amount = _amount(clause, start) if bare else ""
            if amount and bare in lx.HEADS:
                phrases.append(Phrase(f"{amount} {bare}", stop - 1, start))
                continue
            if bare:
                if how > -9 and phrases and phrases[-1].at > how and phrases[-1].predicate is False and _composes(bare) \
                        and all(t.kind in "DSC" for t in clause[phrases[-1].at + 1:start]) and clause[how].text == "how":
                    phrases[-1].text = f"{phrases[-1].text} {bare}"  # "how luminous the edges are"
                    how = -9
                elif copula == -9:
                    subject = [*subject, bare] if subject and clause[start - 1].kind == "&" else [bare]
                continue
            if not made and start >= 2 and clause[start - 1].text == "of" and clause[start - 2].kind == "H" and stop == start + 1 \
                    and clause[start].text not in lx.NO_FEATURE:
                made = Phrase(f"{text} {clause[start - 2].text}", start, start)  # "tones of caramel"
                subject = []
            if not made and copula > -9 and stop == start + 1 and text in lx.LOOKS:
                heads = [s for s in subject if _composes(s)] or ([phrases[-1].text] if phrases and _composes(phrases[-1].text) else [])
                made = Phrase(text, start, start, predicate=True) if heads else None
            if not made:
                continue
            mood = clause[start]
            rest = len(made.text.split()) - len(mood.text.split())
            if rest > 1 and mood.kind == "A" and _own(mood.text) and made.text.startswith(mood.text + " "):
                phrases.append(Phrase(mood.text, start, start, own=made.own, predicate=copula > -9))  # "cosy | fireplace glow"
                made = Phrase(made.text[len(mood.text) + 1:], made.at, start, own=made.own)
            adjective = clause[stop - 1].kind != "H" and not _noun(clause[stop - 1].text)
            if copula > -9 and start > copula and adjective:
                made.predicate = True
                if phrases and _composes(phrases[-1].text) and phrases[-1].at < copula and all(
                        t.kind in "CSNOER" for t in clause[phrases[-1].at + 1:start]) and " " not in made.text:
                    subject = [phrases.pop().text]  # "the shadows are soft": soft shadows, not shadows and soft
                composed = [s for s in subject if _composes(s)]
                if composed and len(made.text.split()) <= 2 and made.text.split()[-1] not in lx.HEADS:
                    for head in composed:
                        phrases.append(Phrase(f"{made.text} {head}", made.at, made.start, own=made.own, predicate=True))
                    continue
            elif copula == -9 and not made.predicate:
                subject = []
            phrases.append(made)
        i = end
    return phrases


def _amount(clause: list[Token], start: int) -> str:
    """ "too many colors", "more texture": with an amount even a bare head says something."""
    before = [t.text for t in clause[max(0, start - 2):start]]
    head = clause[start].text
    much = "too many" if head.endswith("s") and not head.endswith("ss") else "too much"
    if "TOOMUCH" in before or "LESS" in before:
        return much
    return "more" if ("MORE" in before or "PLUS" in before) and "than" not in before else ""


def _split(clause: list[Token], start: int, end: int) -> list[tuple[int, int]]:
    """One run of words → phrases: "high contrast | black ink"."""
    cuts = [start]
    for i in range(start, end - 1):
        words = clause[i].text.split()
        if clause[i].kind == clause[i + 1].kind == "A" and words[-1].endswith("ism") and _own(clause[i + 1].text):
            cuts.append(i + 1)  # "I find minimalism | cold"
        elif clause[i].kind == "H" and clause[i + 1].kind == "A" and i + 2 == end and start > 1 \
                and any(t.text in ("find", "finds", "found", "makes", "made", "make") for t in clause[:start]):
            cuts.append(i + 1)  # "I find the paint | unsettling"
        if clause[i].kind == "A" and len(words) > 1 and words[-1] in lx.HEADS and clause[i + 1].kind in "AW" \
                and (end - i > 2 or " " in clause[i + 1].text):
            cuts.append(i + 1)
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def _make(clause: list[Token], start: int, stop: int, predicate: bool, asked: bool) -> tuple[Phrase | None, str]:
    """The phrase in ``clause[start:stop]``, or the bare head it is."""
    first = start
    while start < stop - 1 and clause[start].kind == "W" and _skipped_first(clause[start].text):
        start += 1
    if stop - start > 2 and clause[start].text in ("form", "forms", "shapes", "frames", "marks", "looks") and clause[start + 1].kind == "A":
        start += 1  # here a verb: "branches form lacy patterns"
    run = clause[start:stop]
    while len(run) > 1 and run[-1].text in lx.FEEL_HEADS and (len(run) > 2 or run[0].kind != "H"):
        run = run[:-1]
    kinds = "".join(t.kind for t in run)
    if "A" in kinds:
        while run[-1].kind == "W" and not run[-1].text.endswith("looking"):
            run = run[:-1]
    elif "H" in kinds:
        while run[-1].kind == "W":
            run = run[:-1]
    kinds = "".join(t.kind for t in run)
    text = " ".join(t.text for t in run[-4:])
    own = next((v for v in (_own(t.text) for t in run if t.kind == "A") if v), 0.0)
    place = start + len(run) - 1
    if "A" in kinds:
        if len(run) == 1 and run[0].text in lx.GENERIC:
            return None, run[0].text
        return Phrase(text, place, first, own=own), ""
    if "H" in kinds:
        if len(run) == 1 or all(t.text in lx.PLAIN for t in run):
            return None, run[-1].text
        if "W" in kinds and all(t.text in lx.NO_FEATURE for t in run if t.kind == "W"):
            return None, run[-1].text
        if all(t.text in lx.GENERIC or t.text in lx.FEEL_HEADS for t in run if t.kind == "H") and not _ADJECTIVE.match(run[0].text) \
                and run[-1].text not in lx.FEEL_HEADS and "W" in kinds:
            return Phrase(text, place, first, own=own, sure=False), ""
        return Phrase(text, place, first, own=own), ""
    last = clause[stop - 1].text
    if len(run) > 1 and run[-1].text in lx.FEEL_HEADS:
        run = run[:-1]
    words = [t.text for t in run if t.text not in lx.NO_FEATURE]
    if not words:
        return None, ""
    if all(w in lx.LOOKS for w in words) and "H" not in kinds and clause[stop - 1].text in lx.FEEL_HEADS:
        return None, ""
    if clause[stop - 1:stop] and clause[min(len(clause) - 1, stop - 1)].text in lx.FEEL_HEADS:
        return Phrase(" ".join(words[-3:]), place, first), ""
    excess = start > 0 and clause[start - 1].text == "TOO"
    if len(run) == 1 and (asked or predicate) and (excess or _ADJECTIVE.match(last)) and last not in lx.NO_FEATURE \
            and not last.endswith("ing"):
        feeling = any(t.text in lx.FEELS for t in clause[:start])
        return Phrase(last, place, first, sure=asked or feeling), ""
    if len(run) > 1 and len(run) <= 3 and _ADJECTIVE.match(run[0].text) and run[0].text not in lx.NO_FEATURE:
        return Phrase(" ".join(words), place, first, sure=False), ""
    if len(words) <= 2 and not predicate and last not in lx.NO_FEATURE and len(last) > 3 and _object(clause, first) \
            and not (stop < len(clause) and clause[stop].text in ("of", "at", "to", "for")):
        return Phrase(" ".join(words), place, first, sure=False), ""
    if re.search(r"\w-(?:like|esque|inspired|style|core|punk|ish)$", last):
        return Phrase(last, place, first), ""
    if "-" in last:
        return Phrase(last, place, first, sure="-" in last and (predicate or asked)), ""
    return None, ""


def _own(text: str) -> float:
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


def _skipped_first(word: str) -> bool:
    """Verbs and adverbs that our lists do not know: "emphasizes depth", "cleverly layered"."""
    return word in lx.NO_FEATURE or (word.endswith("ly") and word not in lx.LY) or (
        word.endswith("s") and not word.endswith(("ss", "us", "ous")) and "-" not in word)


def _composes(head: str) -> bool:
    return head in lx.HEADS and head not in lx.FEEL_HEADS and head not in lx.GENERIC


def _noun(text: str) -> bool:
    return text.endswith(("tion", "ness", "ment", "ism", "ity")) or text.split()[-1] in lx.HEADS
