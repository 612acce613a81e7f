"""Rows of a report: what was measured, on which pictures, by which encoder, and how sure it is."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from torch import Tensor

from .errors import EvaluationError

LABEL = "pictures"  # of a row that nobody named
RESAMPLES, SEED = 1000, 0
NAN = (math.nan, math.nan)  # no interval


@dataclass(frozen=True)
class Row:
    """One number: ``low`` to ``high`` is its 95 % interval (NaN where there is none), ``better`` is "higher" or "lower"."""

    label: str
    metric: str
    value: float
    low: float
    high: float
    pictures: int
    encoder: str
    better: str = "higher"

    def __str__(self) -> str:
        return f"{self.metric} of {self.label}: {self.number()} ({self.pictures} pictures, {self.encoder}; {self.better} is better)"

    def number(self) -> str:
        interval = "" if math.isnan(self.low) else f" ({figure(self.low)} – {figure(self.high)})"
        return figure(self.value) + interval

    @property
    def column(self) -> tuple[str, str, str]:
        """Numbers of two encoders are on two scales, so they stand in two columns."""
        return self.metric, self.encoder, self.better


def figure(value: float) -> str:
    """Three decimals for what lies between -10 and 10, else four digits."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"


@dataclass(frozen=True)
class Metrics:
    """The rows so far. It never changes: a node hands on a new one."""

    rows: tuple[Row, ...] = ()

    def add(self, row: Row) -> Metrics:
        return Metrics((*self.rows, row))

    @property
    def labels(self) -> list[str]:
        return list(dict.fromkeys(row.label for row in self.rows))

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        return list(dict.fromkeys(row.column for row in self.rows))

    def table(self) -> str:
        """Markdown: a line a label, a column a metric and encoder. A thing that was measured twice shows both numbers."""
        heads = ["", *(f"{metric} {'↑' if better == 'higher' else '↓'} ({encoder})" for metric, encoder, better in self.columns)]
        lines = [heads, ["---", *("---:" for _ in self.columns)]]
        for label in self.labels:
            cells = [
                " · ".join(row.number() for row in self.rows if (row.label, row.column) == (label, column)) for column in self.columns
            ]
            lines.append([label, *cells])
        return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)

    def csv(self) -> str:
        """A line a row, numbers in full; what has no interval leaves it empty."""
        names = [field.name for field in fields(Row)]
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\n")
        out.writerow(names)
        for row in self.rows:
            values = [getattr(row, name) for name in names]
            out.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in values])
        return text.getvalue()


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def label_of(text: str) -> str:
    return " ".join((text or "").split()) or LABEL


def mean_interval(values: Tensor) -> tuple[float, float]:
    """95 % percentile bootstrap of the mean of one value a picture (Efron and Tibshirani 1993). None for a single picture."""
    x = values.double().numpy()
    if len(x) < 2:
        return NAN
    drawn = np.random.default_rng(SEED).integers(0, len(x), (RESAMPLES, len(x)))
    low, high = np.quantile(x[drawn].mean(1), (0.025, 0.975))
    return float(low), float(high)


def spread_interval(value: float, resampled: Callable[[np.random.Generator], float], times: int) -> tuple[float, float]:
    """``value`` ± 1.96 bootstrap standard errors, for what drawing pictures twice shifts (FID, inception score).

    ``resampled``: the number on pictures drawn anew, NaN where the draw allows none. No interval from fewer than 20 numbers.
    """
    rng = np.random.default_rng(SEED)
    found = [x for x in (resampled(rng) for _ in range(times)) if math.isfinite(x)]
    if len(found) < 20:
        return NAN
    reach = 1.96 * float(np.std(found, ddof=1))
    return max(value - reach, 0.0), value + reach


def need(pictures: Tensor | None, fewest: int, what: str) -> None:
    """Raises EvaluationError where there are too few pictures."""
    count = 0 if pictures is None else len(pictures)
    if count < fewest:
        raise EvaluationError(f"{what} needs at least {fewest} pictures, and there {'is' if count == 1 else 'are'} {count}: connect more.")
