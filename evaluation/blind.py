"""The blind test with people: what is shown in which order, and what the answers say.

The user study of ViPer (ECCV 2024): 8 pictures of one prompt, one of them made for this person; the person ranks them. Reported is how
often that one comes first (86.1 % among plain ones, 20 users; chance 1/8).
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from .errors import EvaluationError

Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Sheet:
    """One prompt: its pictures by neutral names, and which of them is the personalised one."""

    number: int
    prompt: str
    pictures: tuple[str, ...]
    personalised: str


@dataclass(frozen=True)
class BlindTest:
    """``name`` is its folder's; ``size`` the width and height of every picture."""

    name: str
    question: str
    seed: int
    among: int
    size: tuple[int, int]
    sheets: tuple[Sheet, ...]

    def sheet(self, number: Any) -> Sheet:
        for sheet in self.sheets:
            if sheet.number == number and not isinstance(number, bool):
                return sheet
        raise EvaluationError(f"This test has no sheet {number!r}: reload the page.")


@dataclass(frozen=True)
class Answer:
    """What one person said about one sheet: names of pictures, the best first, as far as they were ranked."""

    who: str  # tells people apart; a person without a name has one, too
    name: str
    sheet: int
    ranking: tuple[str, ...]


def shuffled(count: int, *key: Any) -> list[int]:
    """0 … count − 1 in an order that `key` alone decides, the same on every machine and version of Python."""
    said = "\x1f".join(map(str, key))
    return sorted(range(count), key=lambda i: hashlib.sha256(f"{said}\x1f{i}".encode("utf-8", "replace")).digest())


def others_for(sheets: int, others: int, among: int, seed: int) -> list[list[int]]:
    """Which other pictures stand on each sheet: as they come where there are just enough, else drawn from the pool by ``seed``.

    From a pool every picture is taken equally often, as nearly as that goes: one that comes back gives itself away as a plain one.
    Raises EvaluationError.
    """
    each = among - 1
    if others == sheets * each:
        return [list(range(each * n, each * (n + 1))) for n in range(sheets)]
    if others < each:
        raise EvaluationError(
            f"A sheet of {among} pictures needs {each} others, but {others} are connected: connect {each} for each personalised picture "
            "(or a pool of at least as many), or lower among."
        )
    drawn, queue, turn = [], [], 0
    for _ in range(sheets):
        chosen: list[int] = []
        while len(chosen) < each:
            fresh = next((i for i in queue if i not in chosen), None)
            if fresh is None:
                queue += shuffled(others, seed, "pool", turn)
                turn += 1
                continue
            queue.remove(fresh)
            chosen.append(fresh)
        drawn.append(chosen)
    return drawn


def for_person(test: BlindTest, who: str) -> list[tuple[Sheet, list[str]]]:
    """The sheets and the pictures of each in this person's order."""
    sheets = [test.sheets[i] for i in shuffled(len(test.sheets), test.seed, who)]
    return [(s, [s.pictures[i] for i in shuffled(len(s.pictures), test.seed, who, s.number)]) for s in sheets]


def person(name: Any, device: Any) -> tuple[str, str]:
    """(who, name): a name is one person on every device; without one each device is a person. Raises EvaluationError."""
    if not isinstance(name, str) or not isinstance(device, str):
        raise EvaluationError("A name must be text.")
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if len(name) > 60 or not name.isprintable():
        raise EvaluationError("Use a name of at most 60 plain characters.")
    if name:
        return f"name:{name.casefold()}", name
    if not 8 <= len(device) <= 32 or not set(device) <= set("0123456789abcdef"):
        raise EvaluationError("Somebody without a name needs a number instead: reload the page.")
    return f"device:{device}", ""


def checked_ranking(sheet: Sheet, ranking: Any) -> tuple[str, ...]:
    """The beginning of a permutation of the sheet's pictures, one at least. Raises EvaluationError."""
    if not isinstance(ranking, list) or not all(isinstance(picture, str) for picture in ranking):
        raise EvaluationError("A ranking must be a list of pictures, the best first.")
    if not ranking:
        raise EvaluationError("Choose at least the best picture.")
    if len(set(ranking)) < len(ranking) or not set(ranking) <= set(sheet.pictures):
        raise EvaluationError("A ranking may name each picture of its sheet once, and no other: reload the page.")
    return tuple(ranking)


def rank_of(picture: str, ranking: Sequence[str], among: int) -> float:
    """Its place from 1; those that were not ranked share the places that are left, each counted as their mean."""
    return ranking.index(picture) + 1 if picture in ranking else (len(ranking) + 1 + among) / 2


def wilson(k: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The 95 % interval of a rate k / n: (p + z²/2n ± z √(p (1 − p)/n + z²/4n²)) / (1 + z²/n), (Wilson 1927)."""
    p, zz = k / n, z * z / n
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n))
    return max(0.0, (p + zz / 2 - half) / (1 + zz)), min(1.0, (p + zz / 2 + half) / (1 + zz))


def latest(answers: Iterable[Answer]) -> list[Answer]:
    """Whoever answered a sheet twice meant the second answer."""
    return list({(answer.who, answer.sheet): answer for answer in answers}.values())


def figures(test: BlindTest, answers: Iterable[Answer]) -> dict[str, Any]:
    """``{"rank_1": {"rate", "low", "high", "n"}, "mean_rank"}``; None where nobody has answered."""
    ranks = [rank_of(test.sheet(a.sheet).personalised, a.ranking, test.among) for a in answers]
    if not ranks:
        return {"rank_1": {"rate": None, "low": None, "high": None, "n": 0}, "mean_rank": None}
    first = sum(rank == 1 for rank in ranks)
    low, high = wilson(first, len(ranks))
    return {"rank_1": {"rate": first / len(ranks), "low": low, "high": high, "n": len(ranks)}, "mean_rank": sum(ranks) / len(ranks)}


def results(test: BlindTest, answers: Iterable[Answer]) -> dict[str, Any]:
    """``{"test", "participants", "sheets", "prompts", "rank_1", "mean_rank", "chance"}``, all plain JSON."""
    answers = latest(answers)
    people: dict[str, list[Answer]] = {}
    for answer in answers:
        people.setdefault(answer.who, []).append(answer)
    nameless = [who for who, said in people.items() if not said[-1].name]
    by_prompt: dict[str, list[int]] = {}
    for sheet in test.sheets:
        by_prompt.setdefault(sheet.prompt or f"sheet {sheet.number}", []).append(sheet.number)
    return {
        "test": test.name,
        "participants": [
            {
                "name": said[-1].name or f"anonymous {nameless.index(who) + 1}",
                "answers": [
                    {"sheet": a.sheet, "ranking": list(a.ranking), "rank": rank_of(test.sheet(a.sheet).personalised, a.ranking, test.among)}
                    for a in sorted(said, key=lambda a: a.sheet)
                ],
            }
            for who, said in people.items()
        ],
        "sheets": [
            {"sheet": s.number, "prompt": s.prompt, "pictures": list(s.pictures), "personalised": s.personalised,
             **figures(test, [a for a in answers if a.sheet == s.number])}
            for s in test.sheets
        ],
        "prompts": [
            {"prompt": prompt, **figures(test, [a for a in answers if a.sheet in numbers])} for prompt, numbers in by_prompt.items()
        ],
        **figures(test, answers),
        "chance": 1 / test.among,
    }  # fmt: skip


def report(test: BlindTest, found: dict[str, Any]) -> str:
    """`results` as a short table."""
    people, rank_1 = len(found["participants"]), found["rank_1"]
    said = f"{test.name}: {_many(len(test.sheets), 'sheet')} of {test.among} pictures, {_many(people, 'person', 'people')}, "
    said += _many(rank_1["n"], "answer")
    if not rank_1["n"]:
        return f"{said}\nNobody has answered yet: open the link, and run the graph again afterwards."
    published = "; ViPer's own users, among plain ones: 86.1 %" if test.among == 8 else ""
    lines = [
        said,
        f"First place: {_rate(rank_1)} (chance {100 * found['chance']:.1f} %{published})",
        f"Mean rank: {found['mean_rank']:.2f} of {test.among} (chance {(test.among + 1) / 2:.1f})",
        "",
        "prompt | answers | first place | mean rank",
    ]
    for row in found["prompts"]:
        n = row["rank_1"]["n"]
        lines.append(f"{row['prompt']} | {n} | {_rate(row['rank_1'])} | {row['mean_rank']:.2f}" if n else f"{row['prompt']} | 0 | – | –")
    return "\n".join(lines)


def _rate(rank_1: dict[str, Any]) -> str:
    return f"{100 * rank_1['rate']:.1f} % [{100 * rank_1['low']:.1f}, {100 * rank_1['high']:.1f}]"


def _many(n: int, one: str, more: str = "") -> str:
    return f"{n} {one if n == 1 else more or one + 's'}"
