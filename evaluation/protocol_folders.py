"""Protocols out of a user's folder: DreamBench, CustomConcept101 and Stellar as they are published, each read into the same subjects.

Nothing is downloaded. A subject whose pictures are not there stays in the list: ``chosen`` says so when it is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import EvaluationError
from .protocols import CLASSES, LIVE, OBJECT, PROMPTS, Concept, Subject, kind_of

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
SINGLE, MULTI, PERSON = "single concept", "multi-concept", "person"


def pictures_in(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)) if folder.is_dir() else ()


def folders_in(data: Path) -> list[Path]:
    return sorted(p for p in data.iterdir() if p.is_dir() and not p.name.startswith("."))


def read(protocol: str, data: Path) -> list[Subject]:
    """All subjects of a protocol. Raises EvaluationError for a folder that does not hold it."""
    if protocol not in PROTOCOLS:
        raise EvaluationError(f'There is no protocol called "{protocol}": choose {", ".join(PROTOCOLS)}.')
    if not data.is_dir():
        raise EvaluationError(f"There is no folder {data}: name the one that holds the protocol's subjects.")
    subjects = PROTOCOLS[protocol](data)
    if not subjects:
        raise EvaluationError(f"There is no subject in {data}: {protocol} has a folder of pictures for each.")
    return subjects


def chosen(subjects: Sequence[Subject], names: Sequence[str] = ()) -> list[Subject]:
    """Those named, or all; each with pictures, or EvaluationError."""
    known = {subject.name: subject for subject in subjects}
    if missing := [name for name in names if name not in known]:
        raise EvaluationError(f"There is no subject called {', '.join(missing)}: the protocol has {', '.join(known)}.")
    found = [known[name] for name in names] or list(subjects)
    for subject in found:
        for concept in subject.concepts:
            if not concept.pictures:
                where = concept.folder
                raise EvaluationError(f"{subject.name} has no pictures in {where}: put them there, or leave it out with --subjects.")
    return found


# DreamBench


def dreambench(data: Path) -> list[Subject]:
    """A folder a subject, beside them ``prompts_and_classes.txt``: what it says wins over what is known of DreamBench."""
    data = data / "dataset" if (data / "dataset" / "prompts_and_classes.txt").is_file() else data  # the repository's own root
    file = data / "prompts_and_classes.txt"
    classes, prompts = dict(CLASSES), dict(PROMPTS)
    if file.is_file():
        told, lists = _prompts_and_classes(file.read_text(encoding="utf-8-sig"), file.name)
        classes, prompts = told or classes, prompts | lists
    found = []
    for folder in folders_in(data):
        pictures = pictures_in(folder)
        if folder.name not in classes:
            if not pictures:
                continue  # something else that lies there
            raise EvaluationError(
                f'{folder.name} has no class noun: say what it is in {file}, below "subject_name,class", as {folder.name},dog.'
            )
        kind = kind_of(classes[folder.name])
        found.append(Subject(folder.name, (Concept(classes[folder.name], pictures, folder),), prompts[kind], kind))
    return found


def _prompts_and_classes(text: str, name: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """(class nouns by subject, prompts by kind), either of them empty where the file does not speak of it."""
    classes: dict[str, str] = {}
    prompts: dict[str, list[str]] = {}
    part = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.lower().startswith("subject_name"):
            part = "classes"
        elif "prompts" in line.lower() and "=" not in line:
            part = LIVE if "live" in line.lower() else OBJECT
        elif part == "classes" and line.count(",") == 1:
            subject, noun = (word.strip() for word in line.split(","))
            classes[subject] = noun
        elif part in PROMPTS and (quoted := re.match(r"""(['"])(.*)\1""", line)):
            template = quoted[2].replace("{0} {1}", "{}")
            if template.count("{}") != 1 or re.search(r"[{}]", template.replace("{}", "")):
                raise EvaluationError(f"Line {number} of {name} needs {{0}} {{1}} once, where the identifier and the class noun stand.")
            prompts.setdefault(part, []).append(template)
    return classes, {kind: tuple(lines) for kind, lines in prompts.items()}


# CustomConcept101 (Kumari et al., CVPR 2023, arXiv:2212.04488)


def customconcept101(data: Path) -> list[Subject]:
    """``dataset.json`` (one concept) and, where it is there, ``dataset_multiconcept.json`` of adobe-research/custom-diffusion.

    An entry of several concepts is a list of them; its last item names the prompts, in which ``{0}`` and ``{1}`` are the concepts.
    """
    entries = []
    for name in ("dataset.json", "dataset_multiconcept.json"):
        if (data / name).is_file():
            entries += [(name, entry) for entry in _json(data / name)]
    if not entries:
        raise EvaluationError(f"There is no dataset.json in {data}: name the folder customconcept101, with the pictures unpacked in it.")
    found, names = [], {}
    for file, entry in entries:
        parts = entry if isinstance(entry, list) else [entry]
        try:
            concepts = [p for p in parts if "instance_data_dir" in p]
            prompts = parts[-1]["prompt_filename_compose"] if isinstance(entry, list) else entry["prompt_filename"]
            made = tuple(_concept(data, c["instance_data_dir"], c["class_prompt"]) for c in concepts)
        except (KeyError, TypeError, IndexError) as error:
            raise EvaluationError(f"An entry of {data / file} is not CustomConcept101's: {error} is missing or of another kind.") from error
        name = "+".join(concept.folder.name for concept in made)
        names[name] = names.get(name, 0) + 1  # the same couple may be listed twice
        name += f"_{names[name]}" if names[name] > 1 else ""
        found.append(Subject(name, made, _lines(data / prompts, len(made)), MULTI if len(made) > 1 else SINGLE))
    return found


def _concept(data: Path, folder: str, class_prompt: str) -> Concept:
    return Concept(class_prompt, pictures_in(data / folder), data / folder)


def _lines(file: Path, concepts: int = 1) -> tuple[str, ...]:
    """One prompt a line; every one has a place for each concept."""
    if not file.is_file():
        raise EvaluationError(f"There is no {file}, which holds the prompts.")
    lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    return tuple(_checked(line, concepts, file) for line in lines)


def _checked(template: str, concepts: int, file: Path) -> str:
    marks = [f"\0{n}\0" for n in range(concepts)]
    try:
        complete = all(mark in template.format(*marks) for mark in marks)
    except (IndexError, KeyError, ValueError):
        complete = False
    if not complete:
        places = "{}" if concepts == 1 else " and ".join(f"{{{n}}}" for n in range(concepts))
        raise EvaluationError(f'The prompt "{template}" of {file} needs {places} where the subject stands.')
    return template


# Stellar (Achlioptas et al., 2023, arXiv:2312.06116)


def stellar(data: Path) -> list[Subject]:
    """A folder a person, as stellar-gen-ai/stellar-dataset lays them out: 0.jpg, 1.jpg, …, masks ``*_bg.png``, and ``prompt.json`` with
    ``{"prompts": ["{} as a clown skiing", …]}`` (its README calls the file prompts.json; its code reads prompt.json).

    Simpler, for people of your own: ``prompts.txt``, one a line, in the person's folder or beside the folders for all.
    As in its metrics, ``{}`` is "a person".
    """
    return [_person(folder, data) for folder in folders_in(data)]


def _person(folder: Path, data: Path) -> Subject:
    pictures = tuple(p for p in pictures_in(folder) if not p.stem.endswith("_bg"))
    files = [folder / "prompt.json", folder / "prompts.json", folder / "prompts.txt", data / "prompts.txt"]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise EvaluationError(f"{folder} has no prompts: Stellar's prompt.json belongs there, or a prompts.txt with one a line.")
    if file.suffix == ".txt":
        prompts = _lines(file)
    else:
        listed = _json(file)
        if not isinstance(listed, dict) or not isinstance(listed.get("prompts"), list):
            raise EvaluationError(f'{file} holds no {{"prompts": […]}}, as Stellar\'s files do.')
        prompts = tuple(_checked(str(prompt), 1, file) for prompt in listed["prompts"])
    return Subject(folder.name, (Concept("person", pictures, folder),), tuple(p.replace("{}", "a {}") for p in prompts), PERSON)


def _json(file: Path):
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{file} cannot be read as JSON: {error}.") from error


PROTOCOLS: dict[str, Callable[[Path], list[Subject]]] = {
    "dreambench": dreambench,
    "customconcept101": customconcept101,
    "stellar": stellar,
}
