"""Marked comments: ``I love the [soft light|+] but it is so [grainy|-]``, one a line; Korean ones add the English wording."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

_MARK = re.compile(r"\[([^\[\]|]+)\|([+-])(?:\|([^\[\]|]+))?\]")


@dataclass(frozen=True)
class Mark:
    """A feature at characters [start, end) of the bare comment."""

    start: int
    end: int
    liked: bool
    english: str = ""


@dataclass(frozen=True)
class Marked:
    text: str
    marks: tuple[Mark, ...]

    def filled(self, choose: Callable[[Mark], str]) -> Marked:
        """The same comment with what ``choose`` gives in each mark's place."""
        text, marks, at = "", [], 0
        for mark in self.marks:
            text += self.text[at:mark.start]
            now = choose(mark)
            marks.append(replace(mark, start=len(text), end=len(text) + len(now)))
            text, at = text + now, mark.end
        return Marked(text + self.text[at:], tuple(marks))


def parse(line: str) -> Marked:
    """A marked line → bare text and the places of its features."""
    text, marks, at = "", [], 0
    for m in _MARK.finditer(line):
        text += line[at:m.start()]
        marks.append(Mark(len(text), len(text) + len(m[1]), m[2] == "+", m[3] or ""))
        text, at = text + m[1], m.end()
    return Marked(text + line[at:], tuple(marks))


def load(path: Path) -> list[Marked]:
    return [parse(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def comments(language: str) -> list[list[Marked]]:
    """The marked comments of the pack in "en" or "ko", a list for each file."""
    paths = sorted((Path(__file__).parent / "comments").glob("*.txt"))
    return [load(path) for path in paths if (path.stem == "korean") == (language == "ko")]


def set_aside(some: list[Marked]) -> list[Marked]:
    """Every twelfth comment: never trained on."""
    return some[5::12]


def to_train(some: list[Marked], longest: int = 45) -> list[Marked]:
    """The others, but for those with features of more than ``longest`` characters, which name a clause and no feature."""
    return [m for i, m in enumerate(some) if i % 12 != 5 and all(k.end - k.start < longest for k in m.marks)]
