"""The paper's tables over what ``evaluate.py run`` has drawn: DreamBooth (Ruiz et al., CVPR 2023, arXiv:2208.12242), tables 1 and 3."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from . import protocol_record
from .diversity import cosine_distances, diversity
from .encoders import BATCH, Encoder
from .errors import EvaluationError
from .fidelity import among, prompt_similarity, similarity
from .metrics import mean_interval
from .protocol_record import picture_file
from .protocols import Subject

REAL = "real pictures"


@dataclass(frozen=True)
class Row:
    """One subject of one method, by one encoder. None: it cannot be told (no text side, one picture only)."""

    method: str
    subject: str
    encoder: str
    pictures: int
    subject_fidelity: float | None
    prompt_fidelity: float | None
    diversity: float | None


MEASURES = {"subject_fidelity": "subject fidelity ↑", "prompt_fidelity": "prompt fidelity ↑", "diversity": "DIV ↑"}


def table(outs: Sequence[Path], encoders: Sequence[Encoder], data: Path | None = None) -> tuple[list[Row], list[str]]:
    """The rows of several folders, each a method by its folder's name, and a line on each that says how much of it is drawn."""
    if len({out.resolve().name for out in outs}) < len(outs):
        raise EvaluationError("Two of the folders have the same name, by which the table calls them: rename one.")
    found = [measure(out, encoders, data) for out in outs]
    # The real pictures of a subject stand there once, however many methods drew it.
    rows = {(row.method, row.subject, row.encoder): row for rows, _ in found for row in rows}
    return list(rows.values()), [note for _, note in found]


def measure(out: Path, encoders: Sequence[Encoder], data: Path | None = None) -> tuple[list[Row], str]:
    """Rows for the real pictures and for what was drawn, and a line that says how much of the protocol that is."""
    record = protocol_record.read(out, data)
    seeds = range(record.settings["seeds"])
    rows, drawn, asked = [], 0, 0
    for subject in record.subjects:
        asked += len(subject.prompts) * len(seeds)
        files = [
            (index, file)
            for index in range(len(subject.prompts))
            for seed in seeds
            if (file := picture_file(out, subject.name, index, seed)).is_file()
        ]
        drawn += len(files)
        if files:
            rows += [row for encoder in encoders for row in _subject(out.resolve().name, subject, files, encoder)]
    if not rows:
        raise EvaluationError(f"There is no picture in {out} yet: draw some with evaluate.py run.")
    return rows, f"{out.resolve().name}: {drawn} of {asked} pictures."


def _subject(method: str, subject: Subject, files: list[tuple[int, Path]], encoder: Encoder) -> list[Row]:
    """Of several concepts the subject fidelities are averaged, as in Custom Diffusion (arXiv:2212.04488)."""
    for concept in subject.concepts:
        if missing := [picture for picture in concept.pictures if not picture.is_file()]:
            raise EvaluationError(f"{missing[0]} is no longer there: say with --data where the subjects' pictures lie now.")
    pictures = _seen(encoder, [file for _, file in files])  # (N, d)
    reals = [_seen(encoder, concept.pictures) for concept in subject.concepts]  # (K, d) each
    texts = encoder.texts([subject.class_prompt(index) for index, _ in files]) if encoder.reads else None
    groups = [[n for n, _ in group] for _, group in groupby(enumerate(files), key=lambda item: item[1][0])]
    spread = [diversity(cosine_distances(pictures[group])) for group in groups if len(group) > 1]
    alike = [among(real) for real in reals if len(real) > 1]
    drawn = Row(
        method,
        subject.name,
        encoder.name,
        len(files),
        _mean([float(similarity(pictures, real).mean()) for real in reals]),
        None if texts is None else float(prompt_similarity(pictures, texts).mean()),
        _mean(spread),
    )
    return [Row(REAL, subject.name, encoder.name, sum(map(len, reals)), _mean(alike), None, None), drawn]


def _seen(encoder: Encoder, files: Sequence[Path]) -> Tensor:
    """(N, d); pictures of one size that follow each other are looked at together."""
    found = []
    for start in range(0, len(files), BATCH):
        opened = [_open(file) for file in files[start : start + BATCH]]
        for _, group in groupby(opened, key=lambda picture: picture.shape):
            found.append(encoder.pictures(torch.cat(list(group))))
    return torch.cat(found)


def _open(file: Path) -> Tensor:
    """(1, H, W, 3) in [0, 1], upright."""
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as image:
            return torch.from_numpy(np.array(ImageOps.exif_transpose(image).convert("RGB"))).float().div_(255.0)[None]
    except OSError as error:
        raise EvaluationError(f"{file} cannot be read as a picture: {error}.") from error


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def markdown(rows: Sequence[Row], notes: Sequence[str] = ()) -> str:
    """The overall table, laid out like table 1 of the paper (a method a row, a measure a column), then one a subject."""
    encoders, methods = _unique(row.encoder for row in rows), _unique(row.method for row in rows)
    columns = [(e, m) for e in encoders for m in MEASURES if any(r.encoder == e and getattr(r, m) is not None for r in rows)]
    heads = [f"{encoder}: {MEASURES[measure]}" for encoder, measure in columns]

    def cells(of: Sequence[Row], interval: bool) -> list[str]:
        return [_cell([v for r in of if r.encoder == e and (v := getattr(r, m)) is not None], interval) for e, m in columns]

    overall = [[method, *cells([row for row in rows if row.method == method], True)] for method in methods]
    single = [
        [subject, method, *cells([row for row in rows if (row.subject, row.method) == (subject, method)], False)]
        for subject in _unique(row.subject for row in rows)
        for method in methods
        if any((row.subject, row.method) == (subject, method) for row in rows)
    ]
    count = len(_unique(row.subject for row in rows))
    said = [
        f"Means over {count} subjects, in brackets 95 % bootstrap intervals over subjects. Two encoders are two scales.",
        *notes,
    ]
    return "\n\n".join([_table(["method", *heads], overall), *said, _table(["subject", "method", *heads], single)]) + "\n"


def _cell(values: Sequence[float], interval: bool) -> str:
    if not values:
        return "–"
    mean = f"{sum(values) / len(values):.3f}"
    if not interval or len(values) < 2:
        return mean
    low, high = mean_interval(torch.tensor(values, dtype=torch.float64))
    return f"{mean} [{low:.3f}, {high:.3f}]"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *lines])


def _unique(values) -> list[str]:
    return list(dict.fromkeys(values))


def as_csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    names = list(Row.__dataclass_fields__)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(["" if (value := getattr(row, name)) is None else value for name in names] for row in rows)
    return text.getvalue()
