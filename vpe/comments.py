"""A person's comments on pictures: plain lines or versioned JSON, to objects and back.

Plain text holds one comment a line. A leading ``+`` or ``-`` is the verdict (like, dislike), bullets such as
``*`` or ``1.`` are dropped, lines without a letter or digit are skipped::

    + love the torn paper edges
    - too much lens flare
    the colours are calm

JSON keeps verdicts and pictures apart from the words::

    {"version": 1, "comments": [{"text": "...", "verdict": "like" | "dislike" | null,
                                 "image": {"filename", "subfolder", "type"} | {"index": n} | null}],
     "pairs": [[better, worse], ...]}

An entry without words but with a verdict and a picture is taste without words; one with a picture alone was not judged yet.
The optional ``pairs`` say which of two entries' pictures is the better one, by their numbers from 0.

A ranking is the same for pictures that are only compared::

    {"version": 1, "pictures": [{"filename", "subfolder", "type"} | {"index": n}], "pairs": [[better, worse], ...]}
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import CommentsError

VERSION = 1
VERDICTS = ("like", "dislike")
PLACES = ("input", "output", "temp")

# Word processors turn a typed hyphen into a dash, so every dash at the start of a line is a minus.
_SIGN = re.compile(r"^([+\uFF0B]|[-\u2010-\u2015\u2212\uFF0D])(?:1(?![\w.)]))?\s*")
_BULLET = re.compile(r"^(?:[*\u2022\u2023\u25AA\u25CF\u25E6\u00B7]|\d{1,3}[.)])\s+")


@dataclass(frozen=True)
class ImageRef:
    """A picture under the host's folders (``filename``, ``subfolder``, ``type``) or, with ``index``, one of the connected batch."""

    filename: str = ""
    subfolder: str = ""
    type: str = "input"
    index: int | None = None


@dataclass(frozen=True)
class Comment:
    """One comment. ``verdict`` is "like", "dislike" or None, ``image`` the picture it is about."""

    text: str
    verdict: str | None = None
    image: ImageRef | None = None


@dataclass(frozen=True)
class Comments:
    """All comments of one person. ``pictures`` (an IMAGE batch or None) only rides along: neither compared nor saved.

    ``pairs`` holds (better, worse), indices into ``items``.
    """

    items: tuple[Comment, ...] = ()
    pictures: Any = field(default=None, compare=False, repr=False)
    pairs: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, text: str, pictures: Any = None) -> Comments:
        """Read plain text or JSON (recognised by its opening brace). Raises CommentsError."""
        if not isinstance(text, str):
            raise CommentsError("Comments must be text: write one comment a line.")
        if text.lstrip("\ufeff \t\r\n").startswith("{"):
            return cls.from_json(text, pictures)
        lines = (_plain(line) for line in text.splitlines())
        return cls(tuple(c for c in lines if c is not None), pictures)

    @classmethod
    def from_json(cls, text: str, pictures: Any = None) -> Comments:
        """Read the versioned JSON; keys that this version does not know are ignored. Raises CommentsError."""
        try:
            data = json.loads(text.lstrip("\ufeff"))
        except RecursionError:
            raise CommentsError("The comments are nested too deeply to be comments: write one comment a line instead.") from None
        except ValueError as error:
            line = getattr(error, "lineno", 1)
            raise CommentsError(f"The comments look like JSON but line {line} is broken: repair it, or write one comment a line.") from None
        if not isinstance(data, dict):
            raise CommentsError('Comments in JSON must be an object with "version" and "comments".')
        _check_version(data, "These comments have")
        entries = data.get("comments", [])
        if not isinstance(entries, list):
            raise CommentsError('"comments" must be a list, one entry for each comment.')
        pairs = _pairs(data.get("pairs"), len(entries), "comments")
        return cls(tuple(_comment(entry, n) for n, entry in enumerate(entries, 1)), pictures, pairs)

    @classmethod
    def from_ranking(cls, text: str, pictures: Any = None) -> Comments:
        """Read the versioned JSON of a ranking: an entry without words for each picture, and the pairs. "" is no ranking yet.

        Raises CommentsError.
        """
        if not isinstance(text, str):
            raise CommentsError("A ranking must be text: choose between the pictures in the node to write it.")
        if not text.strip("\ufeff \t\r\n"):
            return cls(pictures=pictures)
        try:
            data = json.loads(text.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            raise CommentsError("The ranking is broken JSON: repair it, or clear the field and choose again.") from None
        if not isinstance(data, dict):
            raise CommentsError('A ranking must be an object with "version", "pictures" and "pairs".')
        _check_version(data, "This ranking has")
        entries = data.get("pictures", [])
        if not isinstance(entries, list):
            raise CommentsError('"pictures" must be a list, one entry for each picture.')
        images = [_image(entry, n, "picture") for n, entry in enumerate(entries, 1)]
        if None in images:
            raise CommentsError(f'Picture {images.index(None) + 1} must be an object with "filename" or "index".')
        return cls(tuple(Comment("", image=image) for image in images), pictures, _pairs(data.get("pairs"), len(images), "pictures"))

    def to_json(self) -> str:
        """The versioned JSON, without the pictures themselves."""
        entries = [{"text": c.text, "verdict": c.verdict, "image": _image_json(c.image)} for c in self.items]
        pairs = {"pairs": [list(pair) for pair in self.pairs]} if self.pairs else {}
        return json.dumps({"version": VERSION, "comments": entries, **pairs}, ensure_ascii=False)

    def add(self, other: Comments) -> Comments:
        """These and the other's, behind them; the other's batch is joined to this one's where sizes differ only in number."""
        shift, batch, offset = len(self.items), self.pictures, 0
        if other.pictures is not None:
            batch, offset = _joined(self.pictures, other.pictures)
        items = other.items
        if offset:
            items = tuple(
                replace(c, image=ImageRef(index=c.image.index + offset)) if c.image and c.image.index is not None else c for c in items
            )
        return Comments(self.items + items, batch, self.pairs + tuple((a + shift, b + shift) for a, b in other.pairs))

    def in_order(self, count: int) -> Comments:
        """Comments none of which refers to a picture are about a batch of ``count`` pictures, one after the other."""
        if any(c.image for c in self.items):
            return self
        return replace(self, items=tuple(replace(c, image=ImageRef(index=n) if n < count else None) for n, c in enumerate(self.items)))

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self):
        return iter(self.items)


def _plain(line: str) -> Comment | None:
    line = _BULLET.sub("", line.strip("\ufeff \t"))
    sign = _SIGN.match(line)
    verdict = None
    if sign:
        verdict = "like" if sign.group(1) in "+\uFF0B" else "dislike"
        line = line[sign.end():]
    line = line.strip()
    return Comment(line, verdict) if any(ch.isalnum() or ord(ch) > 0x2600 for ch in line) else None  # an emoji is a comment


def _check_version(data: dict[str, Any], who: str) -> None:
    version = data.get("version")
    if isinstance(version, bool) or version != VERSION:
        raise CommentsError(f"{who} the version {_show(version)}, this pack reads version {VERSION}: update the pack.")


def _pairs(data: Any, count: int, what: str) -> tuple[tuple[int, int], ...]:
    if data is None:
        return ()
    if not isinstance(data, list):
        raise CommentsError(f'"pairs" must be a list of [better, worse], which are numbers of {what} from 0.')
    for n, pair in enumerate(data, 1):
        if not isinstance(pair, list) or len(pair) != 2 or any(isinstance(i, bool) or not isinstance(i, int) for i in pair):
            raise CommentsError(f"Pair {n} must be [better, worse], two numbers of {what} from 0.")
        if pair[0] == pair[1] or not all(0 <= i < count for i in pair):
            raise CommentsError(f"Pair {n} is {_show(pair)}: it must name two different {what} between 0 and {count - 1}.")
    return tuple((better, worse) for better, worse in data)


def _joined(first: Any, second: Any) -> tuple[Any, int]:
    """Two IMAGE batches (or a list, where their sizes differ) as one sequence of pictures, and where the second begins."""
    if first is None:
        return second, 0
    same = hasattr(first, "shape") and hasattr(second, "shape") and first.shape[1:] == second.shape[1:]
    if same:
        import torch

        return torch.cat([first, second]), len(first)
    return [*first, *second], len(first)


def _comment(entry: Any, n: int) -> Comment:
    if isinstance(entry, str):
        return Comment(entry)
    if not isinstance(entry, dict):
        raise CommentsError(f'Comment {n} must be an object with "text".')
    text = entry.get("text", "")
    if not isinstance(text, str):
        raise CommentsError(f'The "text" of comment {n} must be words in quotes.')
    verdict = entry.get("verdict")
    if verdict is not None and (not isinstance(verdict, str) or verdict not in VERDICTS):
        raise CommentsError(f'The "verdict" of comment {n} is {_show(verdict)}: it must be "like", "dislike" or null.')
    return Comment(text, verdict, _image(entry.get("image"), n))


def _image(data: Any, n: int, of: str = "comment") -> ImageRef | None:
    if data is None:
        return None
    if not isinstance(data, dict):
        raise CommentsError(f'The "image" of {of} {n} must be an object with "filename" or "index".')
    index = data.get("index")
    if index is not None:
        if isinstance(index, bool) or not isinstance(index, int) or index < 0:
            raise CommentsError(f'The image "index" of {of} {n} must be a whole number from 0.')
        return ImageRef(index=index)
    filename, subfolder, place = data.get("filename"), data.get("subfolder") or "", data.get("type") or "input"
    if not isinstance(filename, str) or not filename:
        raise CommentsError(f'The "image" of {of} {n} needs a "filename" or an "index".')
    if not isinstance(subfolder, str):
        raise CommentsError(f'The image "subfolder" of {of} {n} must be words in quotes.')
    if not isinstance(place, str) or place not in PLACES:
        raise CommentsError(f'The image "type" of {of} {n} is {_show(place)}: it must be "input", "output" or "temp".')
    return ImageRef(filename, subfolder, place)


def _image_json(image: ImageRef | None) -> dict[str, Any] | None:
    if image is None:
        return None
    if image.index is not None:
        return {"index": image.index}
    return {"filename": image.filename, "subfolder": image.subfolder, "type": image.type}


def _show(value: Any) -> str:
    shown = "missing" if value is None else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 40 else shown[:37] + "..."
