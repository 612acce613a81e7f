"""The rules: what a comment in English says about looks, clause by clause, with a taxonomy, a light chunker and polarity."""

from __future__ import annotations

import re
from typing import NamedTuple

from .comments import Comment
from .preferences import normalise

# What others are said to feel is no ground for what the writer feels.
_REPORTED = re.compile(
    r"\b(?:(?:my|our|his|her|the|some|most|other)\s+(?:\w+(?:-\w+)*\s+){1,2}|people|visitors|critics|everyone|everybody|others|they|he|she)\s*"
    r"(?:all\s+|really\s+|just\s+|would\s+|will\s+)*(?:loves?|adores?|likes?|hates?|says?|said|calls?|called|thinks?|finds?|raves?|swears?|"
    r"went\s+wild|(?:is|are|was)\s+(?:wild|mad|crazy)\s+about)\b", re.I)  # fmt: skip


class Reading(NamedTuple):
    """A feature with its signed strength and the sentence it was read from.

    ``ground`` says what the sign rests on: 3 an operator at the feature itself ("too", "more", "without"), 2 an opinion in its
    sentence, 1 a neighbour's opinion, a verdict, or what the feature suggests by itself, 0 nothing at all.
    """

    text: str
    value: float
    source: str
    ground: int = 0


def understand(comment: Comment) -> list[Reading]:
    """Everything that a comment says about looks."""
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
    result: list[tuple[Reading, bool]] = []
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
            ground = 3 if phrase.local else 2 if explicit and not phrase.suggested else 1
            if value is None:
                value = near or prior or overall or leaning
                ground = 1 if value else 0
            if phrase.sure or explicit or near or prior:
                if ground == 2 and _REPORTED.search(sentence.text):
                    ground = 0
                reading = Reading(phrase.text, round(value or 0.8, 2), sentence.text, ground)
                result.append((reading, explicit and not phrase.suggested))
    said = {(normalise(r.text), r.value > 0) for r, explicit in result if explicit}
    return [r for r, explicit in result if explicit or (normalise(r.text), r.value < 0) not in said]  # "Rather kitsch, but I love kitsch"
