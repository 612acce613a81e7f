"""A blind test on disk: ``test.json`` and pictures in a folder of their own, and the answers, one a line as they come."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import host
from ..vpe.files import plain_name, write_png, write_whole
from .blind import Answer, BlindTest, Sheet, checked_ranking, others_for, person, shuffled
from .errors import EvaluationError

VERSION = 1
MOST_BYTES = 64 << 20  # of answers to one test: about half a million, more than people give
_one_at_a_time = threading.Lock()


def plain(name: str) -> str:
    """The name of a test as one folder. Raises EvaluationError."""
    return plain_name(name, "blind test", "blind test", EvaluationError)


def write_test(
    root: Path, name: str, personalised: Tensor, others: Tensor, prompts: str = "", seed: int = 0, among: int = 8, question: str = ""
) -> BlindTest:
    """Pictures (N, H, W, 3) and others (M, H, W, 3) → the test of just these, found again or written beside those of the same name.

    Raises EvaluationError; what is there is never changed but for its prompts.
    """
    name, question = plain(name), question.strip()
    _fit(personalised, others)
    lines = prompts_of(prompts, len(personalised))
    drawn = others_for(len(personalised), len(others), among, seed)
    key = _key(personalised, others, seed, among, question)
    for folder in named(root, name):
        data = _read(folder)
        if data is not None and data.get("key") == key:
            for sheet, prompt in zip(data["sheets"], lines, strict=True):
                sheet["prompt"] = prompt
            with _said_in_a_sentence():
                write_whole(folder / "test.json", _json(data))  # also when nothing has changed: the newest file is the test in use
            return _test(folder.name, data)
    folder = next(path for n in range(1, 10**6) if not (path := root / (name if n == 1 else f"{name} {n}")).exists())
    draft = root / f".{os.getpid()}-{time.monotonic_ns()}.tmp"  # whole or not at all: Cancel leaves no half test
    try:
        with _said_in_a_sentence():
            draft.mkdir(parents=True)
            data = _written(draft, personalised, others, drawn, lines, seed, among)
            write_whole(draft / "test.json", _json({"version": VERSION, "key": key, "question": question, **data}))
            draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return load_test(root, folder.name)


@contextmanager
def _said_in_a_sentence() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EvaluationError(
            f"The test could not be written ({error.strerror or 'disk error'}): check the space and permissions of ComfyUI's output folder."
        ) from error


def _fit(personalised: Tensor, others: Tensor) -> None:
    if not len(personalised):
        raise EvaluationError("There is no personalised picture: connect one for each sheet.")
    (h, w), (oh, ow) = personalised.shape[1:3], others.shape[1:3]
    if (h, w) != (oh, ow):
        raise EvaluationError(
            f"The personalised pictures are {w} × {h} and the others {ow} × {oh}: make them one size, or it would tell which is which."
        )


def prompts_of(prompts: str, count: int) -> list[str]:
    """One prompt a sheet: a line each, or one line for all, or none. Raises EvaluationError."""
    lines = [line.strip() for line in prompts.splitlines() if line.strip()]
    if len(lines) not in (0, 1, count):
        raise EvaluationError(f"There are {len(lines)} prompts for {count} personalised pictures: write one line for each, or one for all.")
    return lines if len(lines) == count else (lines or [""]) * count


def _key(personalised: Tensor, others: Tensor, seed: int, among: int, question: str) -> str:
    """What makes it another test: other pictures, another order, another question."""
    digest = hashlib.sha256(json.dumps([len(personalised), personalised.shape[1:3], seed, among, question]).encode())
    for picture in (*personalised, *others):
        host.stop_if_cancelled()
        digest.update(host.eight_bit(picture[..., :3]))
    return digest.hexdigest()


def _written(folder: Path, personalised, others, drawn: list[list[int]], prompts: Sequence[str], seed: int, among: int) -> dict[str, Any]:
    """Every place on a sheet gets a file of its own: numbers, dates and repetitions tell nothing."""
    places = [(n, k) for n in range(len(drawn)) for k in range(among)]  # k = 0 is the personalised one
    numbers = {places[i]: f"{number:04}" for number, i in enumerate(shuffled(len(places), seed, "files"), 1)}
    bar = host.progress(len(places))
    for (n, k), number in sorted(numbers.items(), key=lambda item: item[1]):
        host.stop_if_cancelled()
        picture = personalised[n] if k == 0 else others[drawn[n][k - 1]]
        write_png(folder / f"{number}.png", host.eight_bit(picture[..., :3]), compress_level=4)
        bar.update(1)
    sheets = [
        {"sheet": n + 1, "prompt": prompts[n], "pictures": sorted(numbers[n, k] for k in range(among)), "personalised": numbers[n, 0]}
        for n in range(len(drawn))
    ]
    return {"seed": seed, "among": among, "size": [personalised.shape[2], personalised.shape[1]], "sheets": sheets}


def named(root: Path, name: str) -> list[Path]:
    """The folders of a name: its own and those beside it, the one that was used last first."""
    pattern = re.compile(re.escape(name) + r"( \d+)?")
    found = []
    for path in root.iterdir() if root.is_dir() else ():
        if pattern.fullmatch(path.name) and (path / "test.json").is_file():
            found.append(((path / "test.json").stat().st_mtime_ns, path))
    return [path for _, path in sorted(found, reverse=True)]


def load_test(root: Path, name: str) -> BlindTest:
    """Raises FileNotFoundError, or EvaluationError for a name or a file that is not right."""
    folder = _folder(root, name)
    data = _read(folder)
    if data is None:
        raise EvaluationError(f'The test "{folder.name}" cannot be read: run its graph again under another name.')
    return _test(folder.name, data)


def newest_test(root: Path, name: str) -> BlindTest:
    """The one of this name that was used last. Raises as `load_test`."""
    found = named(root, plain(name))
    return load_test(root, found[0].name if found else name)


def picture_file(root: Path, name: str, picture: Any) -> Path:
    """Raises FileNotFoundError for what is no picture of the test."""
    test = load_test(root, name)
    if not any(picture in sheet.pictures for sheet in test.sheets):
        raise FileNotFoundError("There is no such picture in this test.")
    return root / test.name / f"{picture}.png"


def keep_answer(root: Path, test: BlindTest, name: Any, device: Any, sheet: Any, ranking: Any) -> Answer:
    """Written to the disk when this returns. Raises EvaluationError."""
    who, shown = person(name, device)
    asked = test.sheet(sheet)
    answer = Answer(who, shown, asked.number, checked_ranking(asked, ranking))
    line = json.dumps({"who": who, "name": shown, "sheet": answer.sheet, "ranking": answer.ranking}, ensure_ascii=False)
    try:
        with _one_at_a_time, open(root / test.name / "answers.jsonl", "a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size > MOST_BYTES:
                raise EvaluationError("This test has more answers than it can hold: begin a new one under another name.")
            cut = size and (file.seek(size - 1), file.read(1))[1] != b"\n"  # a line that a power cut has broken off
            file.write(b"\n" * bool(cut) + line.encode("utf-8", "replace") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise EvaluationError(f"The answer could not be kept ({error.strerror or 'disk error'}): try again.") from error
    return answer


def answers_of(root: Path, test: BlindTest) -> list[Answer]:
    """In the order they came; lines that are no answers to this test are passed over."""
    try:
        text = (root / test.name / "answers.jsonl").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    found = []
    for line in text.split("\n"):
        try:
            data = json.loads(line)
            sheet = test.sheet(data["sheet"])
            found.append(Answer(str(data["who"]), str(data["name"]), sheet.number, checked_ranking(sheet, data["ranking"])))
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return found


def state(root: Path, name: str) -> str:
    """Changes when a test of this name gets an answer."""
    files = [path / "answers.jsonl" for path in named(root, plain(name))]
    return json.dumps(sorted((file.parent.name, file.stat().st_size) for file in files if file.is_file()))


def _folder(root: Path, name: str) -> Path:
    folder = root / plain(name)
    if not (folder / "test.json").is_file():
        raise FileNotFoundError(f'There is no test called "{folder.name}": run its graph, and open the link that it gives.')
    return folder


def _read(folder: Path) -> dict[str, Any] | None:
    """What `write_test` wrote, or None: it may come out of somebody else's archive."""
    try:
        data = json.loads((folder / "test.json").read_text(encoding="utf-8"))
        pictures = [picture for sheet in data["sheets"] for picture in sheet["pictures"]]
        sound = data["version"] == VERSION and all(re.fullmatch(r"\d{4,}", picture) for picture in pictures)
        _test(folder.name, data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return data if sound else None


def _test(name: str, data: dict[str, Any]) -> BlindTest:
    sheets = tuple(Sheet(int(s["sheet"]), str(s["prompt"]), tuple(s["pictures"]), str(s["personalised"])) for s in data["sheets"])
    width, height = data["size"]
    return BlindTest(name, str(data["question"]), int(data["seed"]), int(data["among"]), (int(width), int(height)), sheets)


def _json(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")
