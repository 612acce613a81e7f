"""What a language model is asked about a person's comments, and how its answer becomes preferences.

The question has the form that ViPer's own extractor was tuned with (Salehi et al., ECCV 2024; EPFL-VILAB/ViPer): a task, then
each picture followed by its comment. The answer is two lists of keywords. Models that were not tuned for this dress the lists
up in many ways, so the reading is lenient about form and strict about content: only short phrases on a named side count.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .comments import Comments
from .errors import AnswerError, TooLongError
from .preferences import Feature, Preferences

TASK = (
    "Below are pictures and what one person wrote about each of them. Find out which artistic features this person likes and which "
    "this person dislikes: colors, light and shadow, style, medium, texture, brushwork, lines, composition, perspective, mood and "
    "the like. Leave out what the pictures show; only how they look matters. Where the person praises or blames something without "
    "naming it, such as \"I love the colors\", look at the picture and name it, so that it can be understood without the picture.\n"
    "Answer with two short lists of keywords and nothing else, in English, in this form:\n"
    "Liked Art Features: feature, feature, feature\n"
    "Disliked Art Features: feature, feature, feature"
)
REPAIR = (
    "That could not be read. Write it again as exactly two lines of keywords, separated by commas, without any other word; write "
    "none where there is nothing:\n"
    "Liked Art Features: feature, feature\n"
    "Disliked Art Features: feature, feature"
)
VERDICTS = {"like": "I like this one. ", "dislike": "I do not like this one. "}
LONGEST = 8  # words; more is a sentence, not a feature

Part = Any  # a text, or a picture (PIL.Image)
Turn = tuple[str, list[Part]]  # ("user" or "assistant", its parts in order)


# --- the question ----------------------------------------------------------------------------------------------------


def question(comments: Comments, pictures: Sequence[Any], task: str) -> list[Part]:
    """The parts of one question: the task, then each picture (where there is one) and its comment.

    ``pictures`` holds a PIL.Image or None for each comment.
    """
    parts: list[Part] = [task]
    for n, (comment, picture) in enumerate(zip(comments.items, pictures, strict=True), 1):
        if picture is not None:
            parts.append(picture)
        parts.append(f"Comment {n}: {VERDICTS.get(comment.verdict or '', '')}{comment.text}".rstrip())
    return parts


def messages(turns: Sequence[Turn]) -> list[dict]:
    """The turns as transformers' chat templates take them; pictures are placeholders."""
    return [
        {"role": role, "content": [{"type": "text", "text": part} if isinstance(part, str) else {"type": "image"} for part in parts]}
        for role, parts in turns
    ]


def tuned_task(folder: Path) -> str | None:
    """The task text that the model in ``folder`` was tuned with, as far as it is told there.

    ``task.txt`` is what this pack's recipe writes. In the official ``ViPer.py`` it is the longest text that a function assigns
    to ``prompt_template``; that file is parsed, never run.
    """
    own, official = Path(folder) / "task.txt", Path(folder) / "ViPer.py"
    try:
        if own.is_file():
            return own.read_text(encoding="utf-8").strip() or None
        tree = ast.parse(official.read_text(encoding="utf-8")) if official.is_file() else ast.Module([], [])
    except (SyntaxError, ValueError, OSError):
        return None
    texts = [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        and any(isinstance(t, ast.Name) and t.id == "prompt_template" for t in node.targets)
    ]
    return max(texts, key=len, default=None)


def extract(
    answer: Callable[[list[Turn]], str], comments: Comments, pictures: Sequence[Any], task: str = TASK, max_features: int = 0,
    repair: bool = True,
) -> Preferences:
    """Ask once, a second time when the answer cannot be read, and in halves when it is too long for the model.

    ``answer`` takes the turns of a conversation and gives the model's words; it raises TooLongError when they do not fit.
    Raises AnswerError with the model's words when they cannot be read.
    """
    if not len(comments):
        return Preferences()
    try:
        found = _ask(answer, question(comments, pictures, task), repair)
    except TooLongError:
        half = len(comments) // 2
        if not half:
            raise
        parts = slice(None, half), slice(half, None)
        halves = [
            extract(answer, Comments(comments.items[part]), pictures[part], task, repair=repair) for part in parts
        ]
        found = Preferences(*(a + b for a, b in zip(*((h.liked, h.disliked) for h in halves), strict=True)))
    if max_features > 0:
        found = Preferences(found.liked[:max_features], found.disliked[:max_features])
    return found


def _ask(answer: Callable[[list[Turn]], str], parts: list[Part], repair: bool) -> Preferences:
    turns: list[Turn] = [("user", parts)]
    words = answer(turns)
    try:
        return parse(words)
    except AnswerError:
        if not repair:
            raise
    return parse(answer([*turns, ("assistant", [words[:2000]]), ("user", [REPAIR])]))


# --- the answer ------------------------------------------------------------------------------------------------------

_LIKED = r"liked?s?|loved?s?|enjoy(?:s|ed)?|prefer(?:s|red)?|positives?|appreciate[sd]?"
_DISLIKED = r"dis-?liked?s?|hate[sd]?|avoid(?:s|ed)?|negatives?|not\s+liked?|does(?:\s+not|n['\u2019]t)\s+like"
_HEADING = re.compile(
    rf"^[\W_\d]*(?:(?:(?:visual|artistic|art|the|person|user|features?|they|aspects?|elements?|keywords?|list|of|this|what|vp)\W+)*)"
    rf"(?:(?P<disliked>{_DISLIKED}|vp[-\u2212])|(?P<liked>{_LIKED}|vp\+))"
    r"(?P<rest>(?:[\s*_\"'\u201c\u201d]+(?:art|artistic|visual|features?|aspects?|elements?|keywords?|attributes?|list|by|the|person|user|\([^)]*\)))*)"
    r"[\s*_\"'\u201c\u201d#]*(?::|\u2014|\u2013|-(?=\s)|$|\n)[ \t*_]*",
    re.I | re.M,
)
_NOTHING = frozenset(
    ("none", "nothing", "n/a", "na", "null", "not specified", "none specified", "none mentioned", "not mentioned", "no dislikes",
     "no likes", "none stated", "not applicable", "no disliked features", "no liked features")
)  # fmt: skip
_LABEL = re.compile(r"^[A-Z][\w &/-]{1,24}:\s+")  # "Colors: warm, golden" inside a list
_BULLET = re.compile(r"^\s*(?:[-*\u2022\u2013\u2014+]|\d{1,2}[.)])\s+")


def parse(words: str) -> Preferences:
    """The liked and disliked features of a model's answer: JSON, or two lists under headings, in whatever dress.

    Raises AnswerError, which shows the words, when neither side can be found.
    """
    text = re.sub(r"<think(?:ing)?>.*?</think(?:ing)?>", " ", words, flags=re.S | re.I)
    text = re.sub(r"^.*</think(?:ing)?>", " ", text, flags=re.S | re.I)  # templates that open the thought themselves
    sides = _from_json(text) or _from_headings(text)
    if sides is None:
        shown = " ".join(words.split())
        shown = f"{shown[:300]}\u2026" if len(shown) > 300 else shown
        raise AnswerError(
            f"The model's answer holds no lists of liked and disliked features: \u201c{shown or '(nothing at all)'}\u201d. Try again with "
            "another model, or with shorter comments."
        )
    return Preferences(*(tuple(Feature(item) for item in side) for side in sides))


def _side(key: str) -> int | None:
    """0 for a key that means liked, 1 for disliked."""
    key = key.strip().lower().replace("_", " ")
    if re.search(rf"\b(?:{_DISLIKED})\b|^vp[-\u2212]", key):
        return 1
    return 0 if re.search(rf"\b(?:{_LIKED})\b|^vp\+", key) else None


def _from_json(text: str) -> tuple[list[str], list[str]] | None:
    decoder = json.JSONDecoder()
    for start in (m.start() for m in re.finditer(r"\{", text)):
        try:
            data, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        for found in _objects(data):
            sides: tuple[list[str], list[str]] = ([], [])
            named = [(side, value) for key, value in found.items() if (side := _side(str(key))) is not None]
            for side, value in named:
                sides[side].extend(_values(value))
            if named:
                return sides
    cut = [(_side(m[1]), m[2]) for m in re.finditer(r'"([^"\n]{2,40})"\s*:\s*\[([^\]\[{}]*)', text)]  # cut off, or with a stray comma
    if any(side is not None for side, _ in cut):
        sides = ([], [])
        for side, value in cut:
            if side is not None:
                sides[side].extend(_items(", ".join(re.findall(r'"([^"\n]+)"', value))))
        return sides
    return None


def _objects(data: Any) -> list[dict]:
    """An object, or, inside a wrapping object, those below it."""
    if not isinstance(data, dict):
        return []
    return [data] + [inner for value in data.values() for inner in _objects(value)]


def _values(value: Any) -> list[str]:
    if isinstance(value, str):
        return _items(value)
    if isinstance(value, dict):  # {"colors": ["warm"], "light": "soft"}, or {"feature": "warm light", "weight": 1}
        named = [value[k] for k in ("feature", "name", "text", "keyword") if isinstance(value.get(k), str)]
        return _items(named[0]) if named else [item for v in value.values() for item in _values(v)]
    if isinstance(value, list):
        return [item for v in value for item in _values(v)]
    return []


def _from_headings(text: str) -> tuple[list[str], list[str]] | None:
    found = list(_HEADING.finditer(text))
    if not found:
        return None
    sides: tuple[list[str], list[str]] = ([], [])
    for heading, after in zip(found, [*found[1:], None], strict=True):
        body = text[heading.end():after.start() if after else len(text)]
        sides[1 if heading["disliked"] else 0].extend(_items(_body(body)))
    return sides


def _body(text: str) -> str:
    """What belongs to a heading: up to a blank line that ends the list, or all of its bulleted lines."""
    kept: list[str] = []
    for line in text.strip("\n").splitlines():
        if not line.strip():
            if kept and not any(_BULLET.match(x) for x in kept):
                break  # "Liked …: a, b\n\nI hope this helps!"
            continue
        if kept and any(_BULLET.match(x) for x in kept) and not _BULLET.match(line) and not line.startswith((" ", "\t")):
            break
        kept.append(line)
    return "\n".join(kept)


def _items(text: str) -> list[str]:
    items = []
    for line in text.splitlines() or [text]:
        line = _BULLET.sub("", line).replace("**", "").replace("__", "").strip()
        line = _LABEL.sub("", re.sub(r"\s*\([^()]*\)", "", line))
        for item in re.split(r"[,;\u3001\uff0c\uff1b\u00b7|]|\s+[\u2014\u2013]\s+.*", line):
            item = re.sub(r"^(?:and|or)\s+", "", item.strip(" \t.\"'\u201c\u201d\u2018\u2019`*_[]{}<>#\u3002"), flags=re.I)
            item = _LABEL.sub("", item).strip()
            if item and item.lower().strip(".") not in _NOTHING and len(item.split()) <= LONGEST and any(c.isalpha() for c in item):
                items.append(item)
    return items
