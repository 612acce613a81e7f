"""The small languages of weights and edits: text → plain operations.

Weights follow the host's prompt syntax: ``neon:1.3``, ``(neon:1.3)``, ``(neon)`` = 1.1, and ``(neon, glow:1.3)`` for
several features at once.
"""

from __future__ import annotations

import re

from .errors import PreferencesError

EMPHASIS = 1.1  # what a bare pair of brackets means in the host's prompts

_WEIGHT = re.compile(r"^(.*[^\d\s])\s*:\s*([+-]?(?:\d+\.?\d*|\.\d+))$", re.S)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)$")
_SIGNS = {"+": "like", "-": "dislike", "\u2212": "dislike", "\u2013": "dislike", "\u2014": "dislike",
          "~": "remove", "x": "remove", "X": "remove"}


def split_features(text: str) -> list[tuple[str, float]]:
    """``"soft light, (neon:1.3); grain"`` → (text, weight) pairs. Separators are ``,`` ``;`` and line breaks."""
    return _group(text, 1.0, 0)


def _group(text: str, factor: float, depth: int) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for part in _top_level(text):
        part = part.strip()
        if depth < 8 and part.startswith("(") and part.endswith(")") and _closes_at_end(part):
            inner = part[1:-1].strip()
            weighted = _WEIGHT.match(inner)
            if weighted and not weighted.group(1).endswith(")"):
                found += _group(weighted.group(1), factor * _positive(weighted.group(2), inner), depth + 1)
            else:
                found += _group(inner, factor * EMPHASIS, depth + 1)
            continue
        weighted = _WEIGHT.match(part)
        weight = 1.0
        if weighted:
            part, weight = weighted.group(1), _positive(weighted.group(2), part)
        part = part.strip("() \t")
        if part:
            found.append((part, factor * weight))
    return found


def _top_level(text: str) -> list[str]:
    balanced = _balanced(text)
    parts, depth, start = [], 0, 0
    for i, ch in enumerate(text):
        if balanced and ch in "()":
            depth += 1 if ch == "(" else -1
        elif depth == 0 and ch in ",;\n\r":
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


def _balanced(text: str) -> bool:
    depth = 0
    for ch in text:
        depth += (ch == "(") - (ch == ")")
        if depth < 0:
            return False
    return depth == 0


def _closes_at_end(part: str) -> bool:
    return _balanced(part) and _balanced(part[1:-1])


def _positive(number: str, where: str) -> float:
    value = float(number)
    if not value > 0:
        raise PreferencesError(f'The weight in "{_short(where)}" must be above 0: move the feature to the other side instead.')
    return value


def parse_edits(text: str) -> list[tuple[str, str, str | float | None]]:
    """Edit lines → operations ``("like" | "dislike" | "remove" | "weight" | "rename", feature, argument)``.

    The argument is a weight or None for like and dislike, the weight of ``weight``, the new name of ``rename``.
    Blank lines and lines that begin with ``#`` are skipped. Raises PreferencesError naming the line.
    """
    operations = []
    for n, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            operations.append(_edit(line, n))
    return operations


def _edit(line: str, n: int) -> tuple[str, str, str | float | None]:
    # An x is a sign only where nothing else is: "x ray = 1.5" and "x ray -> x-ray" are about the feature x ray.
    sign = re.match(r"([+\-\u2212\u2013\u2014~]\s*|[xX]\s+(?!.*(?:=|->|\u2192)))(?!>|\s*[=\u2192]|\s*->)", line)
    verb = _SIGNS[sign.group(1)[0]] if sign else None
    rest = line[sign.end():] if sign else line
    if "->" in rest or "\u2192" in rest:
        old, _, new = re.sub("\u2192", "->", rest).partition("->")
        if verb or not old.strip() or not new.strip() or "->" in new:
            raise PreferencesError(f'Line {n} of the edits, "{_short(line)}", is no rename: write old -> new.')
        return "rename", old.strip(), new.strip()
    feature, equals, number = rest.partition("=")
    feature, number = feature.strip(), number.strip()
    if not feature or (equals and (verb == "remove" or not _NUMBER.match(number) or float(number) < 0)) or (not verb and not equals):
        raise PreferencesError(f'Line {n} of the edits, "{_short(line)}", is not understood: write + feature, - feature, '
                               "~ feature, feature = 1.5 or old -> new.")
    weight = float(number) if equals else None
    if weight == 0:
        return "remove", feature, None
    return (verb or "weight"), feature, weight


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
