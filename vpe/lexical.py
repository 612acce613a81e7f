"""The rules: what a comment in English says about looks, clause by clause, with a taxonomy, a light chunker and polarity."""

from __future__ import annotations

from .comments import Comment
from .preferences import normalise


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
