"""A light chunker: the art features of a clause, each as the shortest natural phrase."""

from __future__ import annotations

from . import lexicon as lx
from .runs import Phrase, name_run, own_polarity, split_run
from .words import Token

_NOWHERE = -9
_DEGREES = ("how", "so", "TOO", "MILD", "super", "very", "really")


def chunk(clause: list[Token]) -> list[Phrase]:
    """All phrases of one clause, left to right."""
    return _Chunker(clause).run()


class _Chunker:
    """Walks a clause and remembers what an adjective after "is" is about."""

    def __init__(self, clause: list[Token]) -> None:
        self.clause = clause
        self.phrases: list[Phrase] = []
        self.subject: list[str] = []  # bare heads waiting for their adjective: "the lines … are thick"
        self.copula = self.degree = _NOWHERE  # places of the last copula and the last "how", "so", "too"

    def run(self) -> list[Phrase]:
        i = 0
        while i < len(self.clause):
            self._notice(i)
            end = i
            while end < len(self.clause) and self.clause[end].kind in "AHW":
                end += 1
            for start, stop in split_run(self.clause, i, end) if end > i else ():
                self._take(start, stop)
                if start > i and self.phrases and self.phrases[-1].own:
                    self.phrases[-1].predicate = True  # "I find minimalism | cold" says cold of minimalism
            i = max(end, i + 1)
        return self.phrases

    def _notice(self, i: int) -> None:
        """Keep track of copulas, degrees, and of what ends the subject."""
        token = self.clause[i]
        if token.kind == "C":
            self.copula = i
        elif token.kind == "&" and self._kind(i + 1) == "D":
            self.subject, self.copula = [], _NOWHERE
        elif token.text in _DEGREES:
            self.degree = i
            if token.text == "TOO" and self._described(i - 1):
                self.copula = i  # "the outlines too fuzzy"
        elif token.text in ("LESS", "MORE") and self._described(i - 1):
            self.copula = i
        elif token.kind in "PJ" and token.text != "there":
            self.copula = _NOWHERE
            if token.kind == "J" or token.text in ("it", "this", "they"):
                self.subject = []

    def _take(self, start: int, stop: int) -> None:
        predicate = self.copula > _NOWHERE
        made, bare = name_run(self.clause, start, stop, predicate, asked=self.degree >= start - 2)
        if bare:
            self._bare(bare, start, stop)
            return
        made = made or self._of_head(start, stop) or self._plain_adjective(start, stop)
        if not made:
            return
        made = self._without_mood(made, start)
        adjective = self.clause[stop - 1].kind != "H" and not _noun(self.clause[stop - 1].text)
        if predicate and start > self.copula and adjective:
            made.predicate = True
            if self._composed(made, start):
                return
        elif not predicate and not made.predicate:
            self.subject = []
        self.phrases.append(made)

    def _bare(self, head: str, start: int, stop: int) -> None:
        """A head without a modifier: an amount, the end of "how luminous the edges are", or a subject to be described."""
        amount = self._amount(start) if head in lx.HEADS else ""
        last = self.phrases[-1] if self.phrases else None
        if amount:
            self.phrases.append(Phrase(f"{amount} {head}", stop - 1, start))
        elif last and _composes(head) and self.degree > _NOWHERE and self.clause[self.degree].text == "how" and last.at > self.degree \
                and not last.predicate and all(t.kind in "DSC" for t in self.clause[last.at + 1:start]):
            last.text = f"{last.text} {head}"
            self.degree = _NOWHERE
        elif self.copula == _NOWHERE:
            self.subject = [*self.subject, head] if self.subject and self._kind(start - 1) == "&" else [head]

    def _amount(self, start: int) -> str:
        """ "too many colors", "more texture": with an amount even a bare head says something."""
        before = [t.text for t in self.clause[max(0, start - 2):start]]
        if "TOOMUCH" in before or "LESS" in before:
            head = self.clause[start].text
            return "too many" if head.endswith("s") and not head.endswith("ss") else "too much"
        return "more" if "MORE" in before or "PLUS" in before else ""

    def _of_head(self, start: int, stop: int) -> Phrase | None:
        """ "tones of caramel" → "caramel tones"."""
        word = self.clause[start].text
        if start < 2 or stop != start + 1 or self.clause[start - 1].text != "of" or self.clause[start - 2].kind != "H" \
                or word in lx.NO_FEATURE:
            return None
        self.subject = []
        return Phrase(f"{word} {self.clause[start - 2].text}", start, start)

    def _plain_adjective(self, start: int, stop: int) -> Phrase | None:
        """ "the colors are strong": a plain adjective counts where a visual head is described."""
        described = [*self.subject, *(p.text for p in self.phrases[-1:])]
        if self.copula > _NOWHERE and stop == start + 1 and self.clause[start].text in lx.LOOKS and any(map(_composes, described)):
            return Phrase(self.clause[start].text, start, start, predicate=True)
        return None

    def _without_mood(self, made: Phrase, start: int) -> Phrase:
        """ "cosy fireplace glow" → "cosy" and "fireplace glow"."""
        mood = self.clause[start]
        rest = made.text.removeprefix(mood.text + " ")
        if rest == made.text or " " not in rest or mood.kind != "A" or not own_polarity(mood.text):
            return made
        self.phrases.append(Phrase(mood.text, start, start, own=made.own, predicate=self.copula > _NOWHERE))
        return Phrase(rest, made.at, start, own=made.own)

    def _composed(self, made: Phrase, start: int) -> bool:
        """ "the shadows are soft" → "soft shadows", not shadows and soft."""
        last = self.phrases[-1] if self.phrases else None
        if last and _composes(last.text) and last.at < self.copula and " " not in made.text \
                and all(t.kind in "CSNOER" for t in self.clause[last.at + 1:start]):
            self.subject = [self.phrases.pop().text]
        words = made.text.split()
        heads = [s for s in self.subject if _composes(s)]
        if not heads or len(words) > 2 or words[-1] in lx.HEADS:
            return False
        self.phrases += [Phrase(f"{made.text} {head}", made.at, made.start, own=made.own, predicate=True) for head in heads]
        return True

    def _described(self, i: int) -> bool:
        return self._kind(i) in ("A", "H")

    def _kind(self, i: int) -> str:
        return self.clause[i].kind if 0 <= i < len(self.clause) else ""


def _composes(head: str) -> bool:
    return head in lx.HEADS and head not in lx.FEEL_HEADS and head not in lx.GENERIC


def _noun(text: str) -> bool:
    return text.endswith(("tion", "ness", "ment", "ism", "ity")) or text.split()[-1] in lx.HEADS
