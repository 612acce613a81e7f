"""What a folder of pictures was drawn from: ``OUT/protocol.json``, which decides who may go on there and what the table needs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import EvaluationError
from .graph_places import Places
from .protocols import Concept, Subject

FILE, VERSION = "protocol.json", 1
FROM = {"graph": "--graph, --set, --seed-input, --output", "identifier": "--identifier", "protocol": "--protocol", "seeds": "--seeds"}


def picture_file(out: Path, subject: str, index: int, seed: int) -> Path:
    return out / subject / f"prompt_{index:02d}" / f"seed_{seed}.png"


@dataclass(frozen=True)
class Record:
    settings: dict  # protocol, seeds, identifier, graph (its digest)
    subjects: tuple[Subject, ...]
    data: Path

    def write(self, out: Path) -> Record:
        """Notes it, or adds its subjects to what was noted. Raises EvaluationError where the folder was begun with other settings."""
        if not (out / FILE).exists():
            self._save(out)
            return self
        old = read(out)
        differing = [
            f"{name} was {_said(old.settings.get(name))} and is {_said(now)} ({FROM[name]})"
            for name, now in self.settings.items()
            if old.settings.get(name) != now
        ]
        known = {subject.name: subject for subject in old.subjects}
        differing += [
            f"the prompts or class noun of {subject.name} are others"
            for subject in self.subjects
            if (was := known.get(subject.name)) and (was.prompts, was.class_noun) != (subject.prompts, subject.class_noun)
        ]
        if differing:
            raise EvaluationError(f"{out} was begun with other settings: {'; '.join(differing)}. Take those, or another --out.")
        merged = Record(self.settings, tuple({**known, **{s.name: s for s in self.subjects}}.values()), self.data)
        merged._save(out)
        return merged

    def _save(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        subjects = [
            {
                "name": subject.name,
                "kind": subject.kind,
                "prompts": list(subject.prompts),
                "concepts": [
                    {
                        "class_noun": concept.class_noun,
                        "folder": _relative(concept.folder, self.data),
                        "pictures": [_relative(picture, self.data) for picture in concept.pictures],
                    }
                    for concept in subject.concepts
                ],
            }
            for subject in self.subjects
        ]
        told = {"version": VERSION, "settings": self.settings, "data": str(self.data.resolve()), "subjects": subjects}
        part = out / f".{FILE}.part"
        part.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(out / FILE)


def record(protocol: str, subjects: Sequence[Subject], seeds: int, identifier: str, places: Places, data: Path) -> Record:
    drawn = json.dumps([places.graph, places.output], sort_keys=True, ensure_ascii=False)
    graph = hashlib.sha256(drawn.encode()).hexdigest()[:12]
    return Record({"protocol": protocol, "seeds": seeds, "identifier": identifier, "graph": graph}, tuple(subjects), data)


def read(out: Path, data: Path | None = None) -> Record:
    """What a folder was drawn from; ``data``: where the subjects' pictures lie now, when they have moved."""
    try:
        told = json.loads((out / FILE).read_text(encoding="utf-8"))
        if told["version"] != VERSION:
            raise EvaluationError(f"{out / FILE} has version {told['version']}, and this one reads {VERSION}: update the pack.")
        data = data or Path(told["data"])
        subjects = tuple(
            Subject(
                s["name"],
                tuple(Concept(c["class_noun"], tuple(data / p for p in c["pictures"]), data / c["folder"]) for c in s["concepts"]),
                tuple(s["prompts"]),
                s["kind"],
            )
            for s in told["subjects"]
        )
        return Record(told["settings"], subjects, data)
    except FileNotFoundError:
        raise EvaluationError(f"There is no {FILE} in {out}: name a folder that evaluate.py run has made.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, EvaluationError):
            raise
        raise EvaluationError(f"{out / FILE} cannot be read: {error}.") from error


def _relative(path: Path, data: Path) -> str:
    return Path(os.path.relpath(path, data)).as_posix()


def _said(value) -> str:
    return "nothing" if value is None else str(value)
