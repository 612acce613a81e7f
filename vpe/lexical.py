"""The built-in extractor: comments → preferences from words alone, without a model or a download."""

from __future__ import annotations

from typing import Protocol

from .comments import Comment, Comments
from .preferences import Feature, Preferences, normalise


class Extractor(Protocol):
    """Anything that turns comments into preferences; ``max_features`` bounds each side, 0 = no limit."""

    def extract(self, comments: Comments, max_features: int = 0) -> Preferences: ...


class LexicalExtractor:
    """Reads comments clause by clause with a taxonomy, a light chunker and rules of polarity (English).

    The weight of a feature tells how strongly it was put ("love" above "like" above a bare mention) and how often.
    """

    def extract(self, comments: Comments, max_features: int = 0) -> Preferences:
        """Features by order of mention; with a limit, the strongest of each side. What stands on both sides is dropped."""
        mentions: dict[tuple[str, bool], list[tuple[Feature, int]]] = {}
        for comment in comments.items:
            for text, polarity, source in understand(comment):
                key = (normalise(text), polarity > 0)
                mentions.setdefault(key, []).append((Feature(text, abs(polarity), source), len(mentions)))
        liked, disliked = [], []
        for (_, positive), said in mentions.items():
            feature = max((f for f, _ in said), key=lambda f: f.weight)
            weight = min(2.0, feature.weight + 0.2 * (len(said) - 1))
            (liked if positive else disliked).append(Feature(said[0][0].text, weight, feature.source))
        result = Preferences(tuple(liked), tuple(disliked))
        if max_features > 0:
            result = Preferences(_strongest(result.liked, max_features), _strongest(result.disliked, max_features))
        return result


def _strongest(side: tuple[Feature, ...], count: int) -> tuple[Feature, ...]:
    kept = sorted(range(len(side)), key=lambda i: -side[i].weight)[:count]
    return tuple(side[i] for i in sorted(kept))


def understand(comment: Comment) -> list[tuple[str, float, str]]:
    """(feature, signed strength, sentence) for everything that a comment says about looks."""
    from .polarity import read  # the word lists behind it are loaded by the first comment, not at start-up
    from .words import sentences

    read_all = [read(s) for s in sentences(comment.text)]
    stances = [s.tone for s in read_all if s.tone]
    overall = stances[0] if stances and all(s * stances[0] > 0 for s in stances) else 0.0
    hints = [p.own for s in read_all for p, _ in s.found if p.suggested and not p.weak]
    leaning = hints[0] if hints and all(h * hints[0] > 0 for h in hints) else 0.0  # "This feels rushed. The edges are ragged."
    prior = {"like": 0.9, "dislike": -0.9}.get(comment.verdict or "", 0.0)
    for here, after in zip(read_all, read_all[1:], strict=False):
        if after.sarcastic and not after.found:  # "Another lens flare. How original."
            for clause in here.clauses:
                clause.found = [(p, -1.0) for p, _ in clause.found]
    result: list[tuple[str, float, str, bool]] = []
    for i, sentence in enumerate(read_all):
        before = read_all[i - 1].stance if i and not read_all[i - 1].found else 0.0
        after = read_all[i + 1].stance if i + 1 < len(read_all) and not read_all[i + 1].found else 0.0
        near = after if sentence.text.rstrip().endswith("?") else before or after
        for phrase, value in sentence.found:
            explicit = bool(sentence.stance or phrase.local) or any(c.stance for c in sentence.clauses)
            if prior and not explicit and not near and value is not None and value * prior < 0:
                value = prior
            if phrase.weak and not explicit and (near or prior or overall):
                value = near or prior or overall
            value = value if value is not None else near or prior or overall or leaning or 0.8
            if phrase.sure or explicit or near or prior:
                result.append((phrase.text, round(value, 2), sentence.text, explicit and not phrase.suggested))
    said = {(normalise(text), value > 0) for text, value, _, explicit in result if explicit}
    return [(text, value, source) for text, value, source, explicit in result
            if explicit or (normalise(text), value < 0) not in said]  # "Rather kitsch, but I love kitsch"
