"""The built-in extractor: comments → preferences from words alone, without a download.

A span tagger finds features and their side, rules name them and say how strongly they were put. Each is better at
something (``benchmarks/RESULTS.md`` has the ablation): the tagger at what is meant, the rules at the shortest natural
phrase ("the lines are too thin" → "thin lines") and at degrees. Korean is read by a tagger of its own and named in English.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache
from typing import Protocol

from .attributes import lookup
from .comments import Comment, Comments
from .languages import READ, language
from .lexical import Reading, understand
from .preferences import Feature, Preferences, normalise

MEANS = ("both", "rules", "tagger")
APART = ("hue",)  # categories whose synonyms are near, not the same: crimson and scarlet
RULES = (0.0, 0.2, 0.4, 0.6)  # how much the rules' opinion of a side counts beside the tagger's chance, by its ground
DOUBT = (0.35, 0.35, 0.25, 0.0)  # a rule's phrase that the tagger thinks this likely is kept, by its ground
GUESSED = 0.7  # what is read off a picture counts this much of what was said
_EDGE = frozenset("a an the this that these those very so too really quite rather more less much most such all some any of in on at by "
                  "with and or but its it is are was were bit little kind sort no not just my your his her their our as".split())


class Extractor(Protocol):
    """Anything that turns comments into preferences; ``max_features`` bounds each side, 0 = no limit."""

    def extract(self, comments: Comments, max_features: int = 0) -> Preferences: ...


class Eyes(Protocol):
    """Looks at pictures: what comment ``n``'s picture shows under ``aspect``, attributes with confidence in 0..1, surest first."""

    def named(self, comments: Comments, n: int, aspect: str) -> list[tuple[str, float]]: ...


class BuiltInExtractor:
    """Reads English and Korean comments (``languages.advice`` tells of others).

    The weight of a feature tells how strongly it was put ("love" above "like" above a bare mention) and how often, beside
    the others': their mean is 1, since how much all of them together count is what beta says.
    ``means`` is "both", or "rules" or "tagger" alone, to compare them; the rules read English only. ``eyes`` looks at the
    pictures where a comment leaves unnamed what it means (``eyes.Eyes``); without them the words stand alone.
    """

    def __init__(self, means: str = "both", eyes: Eyes | None = None):
        if means not in MEANS:
            raise ValueError(f"means must be one of {', '.join(MEANS)}, not {means!r}")
        self.means, self.eyes = means, eyes

    def extract(self, comments: Comments, max_features: int = 0) -> Preferences:
        """Features by order of mention; with a limit, the strongest of each side. What stands on both sides is dropped."""
        mentions: dict[tuple[str, bool], list[Feature]] = {}
        seen: dict[tuple[str, bool], list[Feature]] = {}
        for n, comment in enumerate(comments.items):
            code = language(comment.text)
            readings = read(comment, code, self.means) if code in READ else []
            for text, polarity, source, _ in readings:
                mentions.setdefault((meaning_of(text), polarity > 0), []).append(Feature(text, abs(polarity), source))
            for text, polarity, source in self._seen(comments, n, readings):
                seen.setdefault((meaning_of(text), polarity > 0), []).append(Feature(text, abs(polarity), source))
        said = {meaning for meaning, _ in mentions}  # what the person says outweighs what the picture suggests
        mentions |= {key: found for key, found in seen.items() if key[0] not in said}
        liked, disliked = [], []
        for (meaning, positive), said in mentions.items():
            if (meaning, not positive) in mentions:
                continue
            feature = max(said, key=lambda f: f.weight)
            weight = min(2.0, feature.weight + 0.2 * (len(said) - 1))
            (liked if positive else disliked).append(Feature(said[0].text, weight, feature.source))
        result = relative(Preferences(tuple(liked), tuple(disliked)))
        if max_features > 0:
            result = Preferences(strongest(result.liked, max_features), strongest(result.disliked, max_features))
        return result

    def _seen(self, comments: Comments, n: int, readings: list[Reading]) -> list[tuple[str, float, str]]:
        """(feature, signed strength, sentence) of what comment ``n`` leaves to its picture."""
        if self.eyes is None:
            return []
        from .praise import unnamed

        return [
            (name, GUESSED * sure * one.value, one.source)
            for one in unnamed(comments.items[n], readings)
            for name, sure in self.eyes.named(comments, n, one.aspect)
        ]


def relative(found: Preferences) -> Preferences:
    """The same with weights of mean 1: a person of strong words does not burn the picture at a beta that is right for others."""
    weights = [f.weight for f in found.liked + found.disliked]
    mean = sum(weights) / len(weights) if weights else 1.0
    return Preferences(*(tuple(replace(f, weight=f.weight / mean) for f in side) for side in (found.liked, found.disliked)))


def strongest(side: tuple[Feature, ...], count: int) -> tuple[Feature, ...]:
    """The ``count`` features of most weight, in the order in which they came."""
    kept = sorted(range(len(side)), key=lambda i: -side[i].weight)[:count]
    return tuple(side[i] for i in sorted(kept))


def meaning_of(text: str) -> str:
    """The attribute that a wording names, so that "greyscale" and "grayscale" are one feature; or the wording itself."""
    known = lookup(text)
    return known.name if known and known.category not in APART else normalise(text)


@cache
def _tagger(code: str):
    from .tagger import Tagger

    return Tagger.load(code)


def read(comment: Comment, code: str = "en", means: str = "both") -> list[Reading]:
    """Everything that ``comment``, in the language ``code``, says about looks, in the order of mention."""
    from . import korean
    from . import lexicon as lx
    from .tagger import align, features, leaning, spans

    rules = understand(comment) if code == "en" and means != "tagger" else []
    if means == "rules":
        return rules
    found, buckets, extra = features(comment, rules)
    if not found:
        return []
    p = _tagger(code).probabilities(buckets, extra)
    if code == "ko":
        return [Reading(korean.english(comment.text[s.start:s.end]), math.copysign(0.8, s.liked - 0.5), _sentence(comment.text, s.start))
                for s in spans(found, p)]
    placed = [(rule, align(rule, comment.text, found)) for rule in rules]
    out: list[tuple[int, Reading]] = []
    used: set[int] = set()
    for span in spans(found, p):
        inside = [i for i, w in enumerate(found) if span.start <= w.start < span.end]
        mates = [n for n, (_, at) in enumerate(placed) if set(at) & set(inside)]
        used.update(mates)
        said = max((rules[n] for n in mates), key=lambda r: (r.ground, abs(r.value)), default=Reading("", 0.0, ""))
        value = math.copysign(abs(said.value) or 0.8, span.liked - 0.5 + _weight(said))
        names = _names([found[i] for i in inside])
        bare = bool(names) and all(w in lx.PLAIN for name in names for w in name.split())
        if len(mates) == 1 and len(names) == 1 and (bare or len(placed[mates[0]][1]) <= len(inside) + 1):
            names = [said.text]
        elif bare and not mates:
            continue  # "the colors" alone name nothing
        out += [(inside[0], Reading(name, value, _sentence(comment.text, span.start))) for name in names]
    for n, (rule, at) in enumerate(placed):
        if n not in used and at and 1 - p[at, 0].mean() > DOUBT[rule.ground]:
            value = math.copysign(rule.value, leaning(p[at]) - 0.5 + _weight(rule))
            out.append((at[0], Reading(rule.text, value, rule.source)))
    return [reading for _, reading in sorted(out, key=lambda pair: pair[0])]


def _weight(rule: Reading) -> float:
    return math.copysign(RULES[rule.ground], rule.value)


def _sentence(text: str, place: int) -> str:
    """The sentence of ``text`` that character ``place`` stands in."""
    begin = max((m.end() for m in re.finditer(r"[.!?\u2026\n]+\s*", text[:place])), default=0)
    end = re.compile(r"[.!?\u2026]+|\n").search(text, place)
    return text[begin:end.end() if end else len(text)].strip()


def _names(some: list) -> list[str]:
    """The phrases of a span of words: edges without filling words, lists cut, comparatives in their plain form."""
    from . import lexicon as lx
    from .words import attribute, comparative

    keys = [w.key if w.text[0].isalnum() else "," for w in some]
    whole = " ".join(keys)
    groups: list[list[str]] = [keys] if lookup(whole) else [[]]
    if not groups[0]:
        for key in keys:
            if key in (",", "and", "or"):
                groups.append([])
            else:
                groups[-1].append(key)
    names = []
    for group in groups:
        while group and group[0] in _EDGE:
            group = group[1:]
        while group and group[-1] in _EDGE:
            group = group[:-1]
        group = [comparative(k) or k if not attribute(k) and k not in lx.HEADS else k for k in group]
        if group:
            names.append(" ".join(group))
    return names
