"""Tables of the DreamBooth benchmark: rows of measures, a number a picture, as means with their intervals over subjects."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor
from pathlib import Path

import _plots
from _ranks import interval, shown

IDENTIFIED = ("identified by second", "identified by CLIP-I", "\u2026 in its look by second", "\u2026 in its look by CLIP-I")
SHARES = ("look seen", *IDENTIFIED)  # of pictures; all others are cosines
SHOWN = ("second", "CLIP-I", "CLIP-T", "CLIP-T of the words", "second, in its look", "CLIP-I, in its look", *SHARES)
PROMPT_MEASURES = ("CLIP-T", "CLIP-T of the words", "look seen")
COMPARED = ("second", "CLIP-I", *PROMPT_MEASURES, "second, in its look", "CLIP-I, in its look")
MEASURES = (*SHOWN, "PRES, second", "PRES, CLIP-I", "DIV")
Row = dict[str, list[list[float]]]  # measure → each subject's values


def mean(row: Row, name: str) -> float:
    return interval(row[name])[0]


def told(row: Row, name: str) -> str:
    """Mean and 95 % interval over subjects."""
    value = interval(row[name])
    if value[0] != value[0]:
        return "\u2013"
    return shown(value) if name in SHARES else f"{value[0]:.3f} ({value[1]:.3f}\u2013{value[2]:.3f})"


def difference(a: Row, b: Row, name: str) -> str:
    """Mean of a − b subject by subject, with its interval."""
    each = [[interval([x])[0] - interval([y])[0]] for x, y in zip(a[name], b[name], strict=True)]
    value = interval(each)
    return f"{value[0]:+.3f} ({value[1]:+.3f} to {value[2]:+.3f})"


def table(what: str, rows: dict[str, Row], names: tuple[str, ...], extra: dict[str, str] | None = None, head: str = "") -> str:
    """``extra``: a last cell (or several) of each row, under ``head``."""
    lines = [f"| {what} | " + " | ".join(names) + (f" | {head}" if head else "") + " |"]
    lines.append("|---" * lines[0].count(" | ") + "|---|")
    for title, row in rows.items():
        cells = [told(row, name) for name in names] + ([extra.get(title, "\u2013")] if extra else [])
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def answer(yes: bool) -> str:
    return "yes" if yes else "NO"


def matching(ours: Mapping[float, Row], other: Row, names: Sequence[str]) -> float | None:
    """The lowest strength of ours whose row is higher than the other by all these measures."""
    return min((s for s, row in ours.items() if all(mean(row, name) > mean(other, name) for name in names)), default=None)


def trade_off(path: Path, rows: Mapping[str, Iterable[Row]]) -> None:
    """Prompt against subject fidelity, each line from what has least of the subject to what has most."""
    points = {name: sorted((mean(row, "second"), mean(row, "CLIP-T")) for row in some) for name, some in rows.items()}
    values = [y for line in points.values() for _, y in line]
    lines = {name: [(x, (y, y, y)) for x, y in line] for name, line in points.items()}
    axis = _plots.Axis(floor(min(values) * 20) / 20, ceil(max(values) * 20) / 20, 0.05, 1)
    _plots.chart(path, "What learning a subject costs", "subject fidelity (second encoder)", "CLIP-T", lines, {}, axis)
