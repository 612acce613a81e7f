"""Files that people name, and files that are written whole or not at all."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def plain_name(name: str, what: str, example: str, error: type[ValueError]) -> str:
    """A name that is one file name on every system, normalised; ``error`` says what is wrong with any other."""
    name = unicodedata.normalize("NFC", name.strip()) if isinstance(name, str) else ""
    if not name:
        raise error(f"A {what} needs a name, such as {example}.")
    if re.search(r'[/\\:*?"<>|]', name) or not name.isprintable() or name.startswith(".") or name.endswith("."):
        raise error(f'A {what} name cannot hold / \\ : * ? " < > | or line breaks, nor begin or end with a dot: choose another one.')
    if re.fullmatch(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])", name.split(".")[0].strip()):
        raise error(f'"{name}" is a name that Windows keeps for itself: choose another {what} name.')
    if len(name.encode("utf-8", "replace")) > 200:
        raise error(f"This {what} name is too long: use at most 60 characters.")
    return name


def write_png(path: Path, pixels, **how) -> None:
    """``pixels`` ``(H, W, 3)`` uint8 as a PNG, `write_whole`; ``how`` goes to Pillow. Raises OSError."""
    from PIL import Image

    write_whole(path, lambda file: Image.fromarray(pixels).save(file, "PNG", **how))


def write_whole(path: Path, data: bytes | Callable[[BinaryIO], None]) -> None:
    """An interrupted write leaves the former file as it was; ``data`` may write by itself, where it would be too large to hold twice.

    Raises OSError.
    """
    draft = path.with_name(f".{os.getpid()}-{time.monotonic_ns()}.tmp")
    try:
        with open(draft, "xb") as file:
            if callable(data):
                data(file)
            else:
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
