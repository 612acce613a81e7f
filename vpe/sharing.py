"""Share codes: a taste in one line that survives a chat window.

``vp1-`` + urlsafe base64 of a frame: 6 bytes of BLAKE2b over the rest (exactly eight characters, so
that no character holds both digest and data), then zlib-compressed JSON ``[[liked...], [disliked...]]`` where a
feature is its text, or ``[text, weight]`` where the weight is not 1.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib

from .errors import PreferencesError

PREFIX = "vp1-"
_DIGEST = 6
_MAX_CODE = 64_000  # characters; a hundred features make about 1,500
_MAX_DATA = 256_000  # bytes after decompression: a code is no way to fill the memory
_BLANK = re.compile(r"[\s\u200B-\u200D\u2060\uFEFF]+")  # line breaks and zero-width marks that chat clients add
_DAMAGED = "This share code is damaged or incomplete: copy the whole code again."


def pack(liked: list[tuple[str, float]], disliked: list[tuple[str, float]]) -> str:
    """(text, weight) pairs of both sides → code."""
    sides = [[text if weight == 1 else [text, weight] for text, weight in side] for side in (liked, disliked)]
    raw = json.dumps(sides, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    data = zlib.compress(raw, 9)
    code = PREFIX + base64.urlsafe_b64encode(_digest(data) + data).decode().rstrip("=")
    if len(code) > _MAX_CODE or len(raw) > _MAX_DATA:
        raise PreferencesError("These preferences are too long for a share code: remove some features, or share the profile file.")
    return code


def unpack(code: str) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Code → (text, weight) pairs of both sides. Raises PreferencesError for anything but an intact code."""
    if not isinstance(code, str):
        raise PreferencesError("A share code is a line of text that starts with vp1-.")
    code = _BLANK.sub("", code).strip("\"'`<>")
    if not code.startswith(PREFIX):
        newer = re.match(r"vp\d+-", code)
        raise PreferencesError("This share code is of another version: update the pack." if newer
                               else "This is no ViPer share code: a code starts with vp1-.")
    body = code[len(PREFIX):]
    if len(code) > _MAX_CODE or not re.fullmatch(r"[A-Za-z0-9_-]+", body) or len(body) % 4 == 1:
        raise PreferencesError(_DAMAGED)
    frame = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    digest, data = frame[:_DIGEST], frame[_DIGEST:]
    # The last character carries unused bits: only the canonical spelling is intact.
    canonical = base64.urlsafe_b64encode(frame).decode().rstrip("=") == body
    if not canonical or _digest(data) != digest:
        raise PreferencesError(_DAMAGED)
    try:
        inflate = zlib.decompressobj()
        raw = inflate.decompress(data, _MAX_DATA)
        if not inflate.eof or inflate.unused_data:
            raise PreferencesError(_DAMAGED)
        liked, disliked = json.loads(raw.decode("utf-8"))
        return _pairs(liked), _pairs(disliked)
    except PreferencesError:
        raise
    except (zlib.error, ValueError, TypeError, RecursionError):
        raise PreferencesError(_DAMAGED) from None


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def _pairs(side: object) -> list[tuple[str, float]]:
    if not isinstance(side, list):
        raise TypeError
    pairs = [(entry, 1.0) if isinstance(entry, str) else tuple(entry) for entry in side]
    for text, weight in pairs:
        if not isinstance(text, str) or isinstance(weight, bool) or not isinstance(weight, (int, float)):
            raise TypeError
    return pairs
