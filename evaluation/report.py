"""The report's file: what was measured is kept, and nothing older is lost."""

from __future__ import annotations

from pathlib import Path

from ..vpe.files import plain_name, write_whole
from .errors import EvaluationError
from .metrics import Metrics


def report_name(name: str) -> str:
    """A name that is one file name on every system. Raises EvaluationError."""
    return plain_name(name, "report", "evaluation", EvaluationError)


def write_csv(folder: Path, name: str, metrics: Metrics) -> Path:
    """NAME.csv, or NAME 2.csv and so on where an older report of that name says something else; the same report is kept once.

    Numbered rather than extended: rows of two runs, with other pictures, are no one table. Raises EvaluationError.
    """
    name, data = report_name(name), metrics.csv().encode("utf-8-sig")  # the mark tells spreadsheets what the letters are
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path, number = folder / f"{name}.csv", 1
        while path.exists():
            if path.is_file() and path.read_bytes() == data:
                return path
            number += 1
            path = folder / f"{name} {number}.csv"
        write_whole(path, data)
    except OSError as error:
        raise EvaluationError(f"The report could not be written to {folder} ({error}): free some space there, or allow writing.") from error
    return path
