"""What is known of one person: what they said, and the pictures that they liked, disliked or compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..vpe.comments import Comment, Comments, ImageRef
from ..vpe.preferences import Preferences
from .errors import EvaluationError


@dataclass(frozen=True, eq=False)
class Person:
    """``parts``: comments with their pictures; entries without a verdict or a pair say nothing here."""

    said: Preferences = Preferences()
    parts: tuple[Comments, ...] = ()

    def __bool__(self) -> bool:
        """Is anything known?"""
        return bool(self.said) or any(c.verdict and c.image for part in self.parts for c in part.items) or any(p.pairs for p in self.parts)

    @property
    def entries(self) -> Comments:
        """All parts as one, pairs counted through them; without the pictures."""
        items, pairs = [], []
        for part in self.parts:
            pairs += [(a + len(items), b + len(items)) for a, b in part.pairs]
            items += part.items
        return Comments(tuple(items), pairs=tuple(pairs))

    def pictures(self, longest: int = 0) -> list[tuple[int, Any]]:
        """(1 liked, −1 disliked, 0 neither; PIL.Image or None) of every entry, the longer side at most ``longest`` pixels (0: any)."""
        from ..vpe.pictures import pictures_of

        signs = {"like": 1, "dislike": -1}
        return [
            (signs.get(comment.verdict or "", 0), picture)
            for part in self.parts
            for comment, picture in zip(part.items, pictures_of(part, longest), strict=True)
        ]


def person(preferences: Preferences | None = None, comments: Comments | None = None, liked=None, disliked=None) -> Person:
    """``liked``/``disliked``: IMAGE batches. ``preferences`` tell the words; without them the words of ``comments`` are read.

    Raises EvaluationError when none of the four is given; empty ones are fine.
    """
    if all(given is None for given in (preferences, comments, liked, disliked)):
        raise EvaluationError("Nothing is known of the person: connect preferences, comments, or liked_images and disliked_images.")
    parts = [] if comments is None else [comments]
    parts += [unsaid(batch, verdict) for verdict, batch in (("like", liked), ("dislike", disliked)) if batch is not None]
    if preferences is None and comments is not None:
        from ..vpe.extractor import BuiltInExtractor
        from ..vpe.eyes import Eyes

        spoken = replace(comments, items=tuple(c for c in comments.items if c.text.strip()), pairs=())
        preferences = BuiltInExtractor(eyes=Eyes()).extract(spoken)
    return Person(preferences or Preferences(), tuple(parts))


def unsaid(images, verdict: str | None = None) -> Comments:
    """Every picture of an IMAGE batch as an entry without words."""
    return Comments(tuple(Comment("", verdict, ImageRef(index=n)) for n in range(len(images))), images)


def pixels(picture) -> np.ndarray:
    """A PIL.Image as (H, W, 3) float32 in [0, 1]."""
    return np.asarray(picture, np.float32) / 255
