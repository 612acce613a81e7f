"""A person's comments on pictures: plain lines or versioned JSON, to objects and back.

Plain text holds one comment a line. A leading ``+`` or ``-`` is the verdict (like, dislike), bullets such as
``*`` or ``1.`` are dropped, lines without a letter or digit are skipped::

    + love the torn paper edges
    - too much lens flare
    the colours are calm

JSON keeps verdicts and pictures apart from the words::

    {"version": 1, "comments": [{"text": "...", "verdict": "like" | "dislike" | null,
                                 "image": {"filename", "subfolder", "type"} | {"index": n} | null}]}
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
    """All comments of one person. ``pictures`` (an IMAGE batch or None) only rides along: neither compared nor saved."""

    items: tuple[Comment, ...] = ()
    pictures: Any = field(default=None, compare=False, repr=False)

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
        version = data.get("version")
        if isinstance(version, bool) or version != VERSION:
            raise CommentsError(f"These comments have the version {_show(version)}, this pack reads version {VERSION}: update the pack.")
        entries = data.get("comments", [])
        if not isinstance(entries, list):
            raise CommentsError('"comments" must be a list, one entry for each comment.')
        return cls(tuple(_comment(entry, n) for n, entry in enumerate(entries, 1)), pictures)

    def to_json(self) -> str:
        """The versioned JSON, without the pictures themselves."""
        entries = [{"text": c.text, "verdict": c.verdict, "image": _image_json(c.image)} for c in self.items]
        return json.dumps({"version": VERSION, "comments": entries}, ensure_ascii=False)

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


def _image(data: Any, n: int) -> ImageRef | None:
    if data is None:
        return None
    if not isinstance(data, dict):
        raise CommentsError(f'The "image" of comment {n} must be an object with "filename" or "index".')
    index = data.get("index")
    if index is not None:
        if isinstance(index, bool) or not isinstance(index, int) or index < 0:
            raise CommentsError(f'The image "index" of comment {n} must be a whole number from 0.')
        return ImageRef(index=index)
    filename, subfolder, place = data.get("filename"), data.get("subfolder") or "", data.get("type") or "input"
    if not isinstance(filename, str) or not filename:
        raise CommentsError(f'The "image" of comment {n} needs a "filename" or an "index".')
    if not isinstance(subfolder, str):
        raise CommentsError(f'The image "subfolder" of comment {n} must be words in quotes.')
    if not isinstance(place, str) or place not in PLACES:
        raise CommentsError(f'The image "type" of comment {n} is {_show(place)}: it must be "input", "output" or "temp".')
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
