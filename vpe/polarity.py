"""Which features of a sentence are praised and which blamed: clauses, negation, comparatives, contrast, inheritance."""

from __future__ import annotations

from dataclasses import dataclass, field

from .phrases import chunk
from .runs import Phrase
from .words import Token, mark, plain, tokens


@dataclass
class Clause:
    """A stretch of a sentence. ``link`` says how it hangs on the one before: "start", "soft", "contrast"."""

    tokens: list[Token]
    link: str
    phrases: list[Phrase] = field(default_factory=list)
    verbs: list[tuple[int, float]] = field(default_factory=list)  # opinions that govern: (place, signed strength)
    values: list[tuple[int, float]] = field(default_factory=list)  # judgements
    hints: list[tuple[int, float]] = field(default_factory=list)  # judgements implied by features: "too dark"
    found: list[tuple[Phrase, float | None]] = field(default_factory=list)
    fresh: bool = False  # has a subject or verb of its own, so no list goes on in it

    @property
    def stance(self) -> float:
        """What the clause says as a whole, 0 where it says nothing."""
        explicit = [v for _, v in self.verbs] + [v for _, v in self.values]
        return explicit[-1] if explicit else 0.0


@dataclass
class Sentence:
    """One sentence with what was understood of it; polarity None is still open."""

    text: str
    clauses: list[Clause]
    sarcastic: bool = False

    @property
    def found(self) -> list[tuple[Phrase, float | None]]:
        return [pair for clause in self.clauses for pair in clause.found]

    @property
    def stance(self) -> float:
        """The sentence's explicit opinion, 0 where it has none or two opposed ones."""
        stances = [c.stance for c in self.clauses if c.stance]
        if not stances:
            return 0.0
        return stances[-1] if all(s * stances[0] > 0 for s in stances) else 0.0

    @property
    def tone(self) -> float:
        """The opinion, or else what wishes and excesses imply: "Not enough texture" is blame."""
        if any(t.text in ("prefer", "want", "need", "needs", "rather") for c in self.clauses for t in c.tokens if c.phrases):
            return -0.6  # who asks for something else is not content with this
        implied = [-p.local if p.wanted else p.local for p, _ in self.found if p.local]
        return self.stance or (implied[0] if implied and all(v * implied[0] > 0 for v in implied) else 0.0)


def read(sentence: str) -> Sentence:
    """Resolve one sentence as far as it can be from itself."""
    text, sarcastic = mark(plain(sentence))
    clauses = split(tokens(text))
    for clause in clauses:
        clause.phrases = chunk(clause.tokens)
        _opinions(clause)
        _operators(clause)
    result = Sentence(sentence, clauses, sarcastic)
    if sarcastic:
        for clause in clauses:
            clause.verbs, clause.values, clause.hints = [(-1, -1.0)], [], []
            clause.found = [(p, -1.0) for p in clause.phrases]
        return result
    for i, clause in enumerate(clauses):
        clause.found = [(p, _resolve(p, clause, clauses[i - 1] if i else None)) for p in clause.phrases]
    for before, clause in zip(clauses, clauses[1:], strict=False):
        if clause.tokens[0].text == "which" and clause.stance and before.found and not clause.phrases:
            before.found[-1] = (before.found[-1][0], clause.stance)
    verdict = 0.0  # of a closing clause that only judges: "gritty, torn, flat, yes please"
    for clause, after in zip(clauses[-2::-1], clauses[:0:-1], strict=True):
        if after.stance:
            verdict = 0.0 if after.phrases or _has_object(after) else after.stance
        if after.link != "soft" or clause.stance:
            verdict = 0.0
        if verdict:
            clause.found = [(p, v if p.local else verdict) for p, v in clause.found]
    _inherit(clauses)
    return result


def split(words: list[Token]) -> list[Clause]:
    """Cut at punctuation, contrast, reasons, and at an "and" that begins a new statement."""
    clauses: list[Clause] = []
    current: list[Token] = []
    link, pending = "start", ""

    def close(next_link: str) -> None:
        nonlocal current, link
        if current:
            clauses.append(Clause(current, link))
            link = next_link
        elif next_link == "contrast":
            link = next_link
        current = []

    for i, token in enumerate(words):
        opened = 0 < len(current) <= 4 and any(t.kind in "VE" for t in current) and not any(t.kind in "AH" for t in current)
        if token.text == ":" and opened:
            continue  # "Loved: paper grain, hatching"
        if token.kind in ",;":
            close(pending or "soft")
            pending = ""
        elif token.kind == "J" and _contrasts(words, i):
            if not current and token.text in ("while", "although", "though", "whereas", "despite"):
                pending = "contrast"  # "While A, B": the contrast comes at the comma
                if link == "contrast":
                    link = "soft"
            elif current and token.text in ("however", "though") and i + 1 < len(words) and words[i + 1].kind in "CVE":
                link = "contrast"  # "the grain however is fine"
            else:
                close("contrast")
        elif token.kind == "R" and token.text in ("because", "since") or (token.kind == "&" and _new_statement(words, i)):
            close("soft")
        else:
            current.append(token)
    close("soft")
    for clause in clauses:
        clause.fresh = any(t.kind in "PC" for t in clause.tokens)
    return clauses


def _contrasts(words: list[Token], i: int) -> bool:
    if words[i].text in ("yet", "still", "except") and (i + 1 == len(words) or words[i + 1].kind in "AWE" or words[i].text == "still"):
        return False
    return not (words[i].text == "however" and i + 1 < len(words) and words[i + 1].kind in "AE")


def _new_statement(words: list[Token], i: int) -> bool:
    rest = []
    for token in words[i + 1:]:
        if token.kind in ",;J&":
            break
        rest.append(token)
    if not rest:
        return False
    before = words[:i]
    if any(t.text == "how" for t in before) and not any(t.kind == "C" for t in before):
        return False  # "how raw and unfinished it looks"
    said = any(t.kind in "CVE" for t in before)
    return rest[0].kind == "P" or (said and any(t.kind == "V" for t in rest)) or (
        any(t.kind == "C" for t in rest[1:]) and rest[0].kind in "DAHWS") or (
        said and rest[0].kind == "D" and any(t.kind == "E" for t in rest))


def _opinions(clause: Clause) -> None:
    for i, token in enumerate(clause.tokens):
        if token.kind not in "VE":
            continue
        value = token.value
        if _negated(clause.tokens, i):
            value = -0.8 * value if value > 0 else -0.6 * value
        if token.kind == "V":
            clause.verbs.append((i, value))
        else:
            clause.values.append((i, value))


def _negated(words: list[Token], i: int) -> bool:
    count, steps = 0, 0
    for token in reversed(words[:i]):
        if token.kind == "N":
            count += 1
        elif token.kind in "AH" or steps > 6 or (token.kind == "V" and token.text.isupper()):
            break
        steps += 1
    return count % 2 == 1


def _operators(clause: Clause) -> None:
    """TOO, LESS, MORE … fix or tint the phrase they stand before."""
    words = clause.tokens
    for phrase in clause.phrases:
        before = [t for t in words[max(0, phrase.start - 4):phrase.start]]
        names = set()
        for token in reversed(before):
            if token.kind in "AHWEVCP" and token.text not in ("of",) and not (token.kind == "C" and "N" in [t.kind for t in before]):
                break
            names.add("N" if token.kind == "N" else token.text)
        if not names.isdisjoint({"TOO", "TOOMUCH", "MINUS", "LESS", "WITHOUT"}):
            phrase.local = -1.0
            phrase.wanted = "MINUS" in names or "N" in names  # named only to say what the rest is not
        elif "PLUS" in names or "MORE" in names:
            phrase.local = 1.0 if "N" not in names else -1.0
            phrase.wanted = "PLUS" in names
        elif "N" in names and any(t.text == "there" for t in before):
            phrase.local, phrase.wanted = (phrase.own or 0.7), True  # "there is no depth"
        elif "N" in names and not any(phrase.start > i for i, _ in clause.verbs + clause.values if i >= phrase.start - 4):
            phrase.negated = True
            if any(t.text == "ENOUGH" for t in words[phrase.at + 1:phrase.at + 3]):
                phrase.local, phrase.wanted = 1.0, True
        elif "MILD" in names:
            phrase.own = -0.6 if phrase.own <= 0 else phrase.own
        if any(t.value == 1.0 and t.kind == "A" for t in words[phrase.start:phrase.at + 1]) and not phrase.local \
                and not clause.stance and not any(t.text == "THAN" for t in words):
            phrase.local, phrase.wanted = 0.9, True  # "Rougher, please"
        if "THAN" in names and (clause.verbs or any(t.text == "MORE" for t in words)):
            phrase.local = -1.0
    _spread(clause)
    for phrase in clause.phrases:
        if phrase.local < 0 or (phrase.own and phrase.predicate):
            hint = phrase.local or phrase.own
            clause.hints.append((phrase.at, -hint if phrase.wanted else hint))
    minus = [i for i, t in enumerate(words) if t.text in ("TOO", "TOOMUCH") and t.kind == "O"]
    if minus and not any(p.start > minus[-1] for p in clause.phrases):
        clause.values.append((minus[0], -0.9))


def _spread(clause: Clause) -> None:
    """ "too thick and dirty", "less clutter and noise": an operator reaches over a bare "and"."""
    for one, two in zip(clause.phrases, clause.phrases[1:], strict=False):
        between = clause.tokens[one.at + 1:two.start]
        if one.local and not two.local and not clause.tokens[two.start].value and len(between) == 1 and between[0].kind == "&":
            two.local = one.local
            two.own = two.own or one.own


def _resolve(phrase: Phrase, clause: Clause, before: Clause | None) -> float | None:
    """The polarity a clause gives to one of its phrases, None where it gives none."""
    explicit = _explicit(phrase, clause)
    if phrase.local:
        return phrase.local
    if phrase.negated:
        if explicit:
            return -explicit
        phrase.wanted = True
        return phrase.own or (0.7 if phrase.predicate else -0.7)
    if explicit is not None:
        return explicit
    if before and before.verbs and not clause.fresh and clause.link == "soft" and before.phrases:
        place, value = before.verbs[-1]
        if any(p.at > place for p in before.phrases) and not before.values:
            return value  # the list after "I love" goes on
    hints = [(abs(at - phrase.at), value) for at, value in clause.hints if at != phrase.at]
    if hints and not phrase.own:
        return min(hints)[1]
    phrase.suggested, phrase.weak = bool(phrase.own), abs(phrase.own) == 0.5
    return phrase.own or None


def _explicit(phrase: Phrase, clause: Clause) -> float | None:
    governing = [(place, v) for place, v in clause.verbs if place < phrase.at]
    after = [(abs(place - phrase.at) - (2 if place > phrase.at else 0), v) for place, v in clause.values]
    adjacent = [v for place, v in clause.values if phrase.start - 2 <= place < phrase.start and clause.tokens[phrase.start - 1].kind == "E"]
    if adjacent:
        return adjacent[-1]
    if governing:
        return governing[-1][1]
    if after:
        return min(after)[1]
    later = [v for place, v in clause.verbs if place > phrase.at]
    return later[0] if later else None


def opinion(clause: Clause, place: int) -> float | None:
    """What a clause says of the word at ``place``, whether that is a feature or not; None where it says nothing."""
    return _explicit(Phrase(clause.tokens[place].text, place, place), clause)


def _inherit(clauses: list[Clause]) -> None:
    """Open phrases take the polarity of the neighbouring clause, turned round after a contrast."""
    running = 0.0
    for i, clause in enumerate(clauses):  # backward over what was said before
        running = (_tone(clauses[i - 1]) or running) if i else 0.0
        if i and any(v is None for _, v in clause.found):
            tone = running
            if tone:
                tone = -tone if _turns(clause) else tone
                clause.found = [(p, v if v is not None else tone) for p, v in clause.found]
    for i in range(len(clauses) - 2, -1, -1):  # forward to what comes after: "warm browns and lace, I'm sold"
        clause, later = clauses[i], clauses[i + 1]
        if any(v is None for _, v in clause.found):
            tone = _tone(later)
            if later.link == "contrast" and not later.stance and not any(p.local for p in later.phrases):
                continue  # "the splatters add energy while the pale sky is calm" opposes nothing
            if tone:
                tone = -tone if _turns(later) else tone
                clause.found = [(p, v if v is not None else tone) for p, v in clause.found]


def _has_object(clause: Clause) -> bool:
    """True for "I like to see the hand of the artist", which judges nothing said before."""
    return bool(clause.verbs) and not clause.values and len(clause.tokens) - clause.verbs[-1][0] > 3


def _turns(clause: Clause) -> bool:
    """True where a clause is opposed to the one before; "cute but not saccharine" goes on praising."""
    return clause.link == "contrast" and not (clause.phrases and all(p.negated for p in clause.phrases) and not clause.stance)


def _tone(clause: Clause) -> float:
    if clause.stance:
        return clause.stance
    known = [-v if p.wanted else v for p, v in clause.found if v and not p.weak]
    return known[-1] if known else 0.0
