"""A person's taste out of all that is known: what they said, what they liked and disliked without a word, what they compared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from . import taste
from .comments import Comment, Comments
from .extractor import GUESSED, BuiltInExtractor, Extractor, meaning_of, relative, strongest
from .eyes import Eyes
from .glance import for_taste, glances
from .preferences import Preferences

ENOUGH = 8  # comments, after the paper
SURE = 0.6
# The page says these sentences in its own language (web/js/words.js).
ADVICE = {
    "begin": "Say what you like and what you dislike about a few pictures, or just judge them.",
    "why": "Nothing visual stands out yet: name what you see, such as colors, light or lines, or judge more pictures.",
    "dislike": "Now tell what you dislike: it teaches as much as what you like.",
    "like": "Now tell what you like: so far only dislikes are known.",
    "more": "About eight comments, on both sides, are enough to know your taste.",
    "judge": "Judge the suggested picture next: it would teach most.",
    "surer": "A few more judgements would make this surer.",
    "known": "Your taste is well known: make pictures, and judge those.",
}


@dataclass(frozen=True)
class Portrait:
    """``found`` is what words (``said``) and pictures (``seen``) tell together.

    ``sure`` is 0..1 (``taste.sureness``); ``suggest`` holds the entries not yet judged, the one that would teach most first.
    ``judged`` and ``believed`` are what all this was told from.
    """

    found: Preferences
    said: Preferences
    seen: Preferences
    sure: float
    advice: str
    suggest: tuple[int, ...]
    judged: taste.Judged = field(repr=False, compare=False)
    believed: taste.Belief = field(repr=False, compare=False)

    def next_pair(self, skipped: Collection[tuple[int, int]] = ()) -> tuple[int, int] | None:
        """The two entries whose comparison would teach most; ``skipped`` pairs are not asked again. None when all were."""
        return taste.next_pair(self.judged, skipped, self.believed)


def portrait(comments: Comments, extractor: Extractor | None = None, max_features: int = 0, eyes: Eyes | None = None) -> Portrait:
    """``extractor`` reads the words (the built-in one if None); pictures are looked at by our own ``eyes``.

    With ``max_features`` each side keeps its strongest.
    """
    spoken = tuple(c for c in comments.items if _says(c))
    said = (extractor or BuiltInExtractor(eyes=eyes)).extract(replace(comments, items=spoken, pairs=()), max_features)
    some = taste.judged(comments, *for_taste(glances(comments, eyes)))
    believed = taste.belief(some, said)
    seen = taste.named(believed, some) if some else Preferences()
    found = mixed(said, seen)
    if max_features > 0:
        found = Preferences(strongest(found.liked, max_features), strongest(found.disliked, max_features))
    sure, suggest = taste.sure(believed), taste.suggest(some, believed)
    return Portrait(found, said, seen, sure, advice(comments, found, sure, bool(suggest)), tuple(suggest), some, believed)


def _says(comment: Comment) -> bool:
    return bool(comment.text.strip() or comment.verdict)


def mixed(said: Preferences, seen: Preferences) -> Preferences:
    """What was said, and what pictures suggest beside it at GUESSED of its weight; on a feature that was spoken of, words decide."""
    spoken = {meaning_of(f.text) for f in said.liked + said.disliked}
    sides = [tuple(f for f in side if meaning_of(f.text) not in spoken) for side in (seen.liked, seen.disliked)]
    if not any(sides):
        return said
    factor = GUESSED if spoken else 1.0
    guessed = [tuple(replace(f, weight=f.weight * factor) for f in side) for side in sides]
    return relative(Preferences(said.liked + guessed[0], said.disliked + guessed[1]))


def advice(comments: Comments, found: Preferences, sure: float, more: bool = False) -> str:
    """One of ADVICE: what would help most now. ``more``: there are pictures to judge."""
    spoken = sum(map(_says, comments.items))
    if not spoken and not comments.pairs:
        return ADVICE["begin"]
    if not found:
        return ADVICE["why"]
    if not comments.pairs:
        if not found.disliked:
            return ADVICE["dislike"]
        if not found.liked:
            return ADVICE["like"]
        if spoken < ENOUGH:
            return ADVICE["more"]
    if sure < SURE:
        return ADVICE["judge" if more else "surer"]
    return ADVICE["known"]
