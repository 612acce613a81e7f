"""What the page of a blind test asks. It gets the pictures in the person's order under neutral names, and never the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import host
from ..evaluation import blind, blind_files

PAGE = Path(__file__).resolve().parent.parent / "web" / "blind"
MOST = 16 << 10  # bytes of an answer


def about(data: dict[str, Any]) -> dict[str, Any]:
    """``?name=`` → the test of this name that was used last, and how many have answered; of none its name is "". For the node."""
    try:
        test = blind_files.newest_test(host.blind_folder(), data.get("name", ""))
    except (ValueError, FileNotFoundError):  # not run yet, or a name that is being typed: nothing to complain about
        return {"name": "", "people": 0, "answers": 0}
    answers = blind.latest(blind_files.answers_of(host.blind_folder(), test))
    return {"name": test.name, "people": len({a.who for a in answers}), "answers": len(answers)}


def sheets(data: dict[str, Any]) -> dict[str, Any]:
    """``?name=&participant=&device=`` → the sheets in this person's order, and which of them are answered."""
    test, who = _asked(data)
    done = {a.sheet for a in blind_files.answers_of(host.blind_folder(), test) if a.who == who}
    return {
        "name": test.name,
        "question": test.question,
        "size": list(test.size),
        "sheets": [
            {"sheet": sheet.number, "prompt": sheet.prompt, "pictures": order, "done": sheet.number in done}
            for sheet, order in blind.for_person(test, who)
        ],
    }


def picture(data: dict[str, Any]) -> Path:
    """``?name=&picture=``"""
    return blind_files.picture_file(host.blind_folder(), data.get("name", ""), data.get("picture"))


def answer(data: dict[str, Any]) -> dict[str, Any]:
    """``{"name", "participant", "device", "sheet", "ranking": [picture, …]}`` → ``{"kept": sheet}``, once it is on the disk."""
    test, _ = _asked(data)
    person = data.get("participant", ""), data.get("device", "")
    kept = blind_files.keep_answer(host.blind_folder(), test, *person, data.get("sheet"), data.get("ranking"))
    return {"kept": kept.sheet}


def result(data: dict[str, Any]) -> dict[str, Any]:
    """``?name=&participant=&device=`` → the figures of this person and of all. Only for who has answered every sheet."""
    test, who = _asked(data)
    answers = blind.latest(blind_files.answers_of(host.blind_folder(), test))
    own = [a for a in answers if a.who == who]
    if len(own) < len(test.sheets):
        raise ValueError("The result is shown when every sheet is answered.")
    people = len({a.who for a in answers})
    return {"own": blind.figures(test, own), "all": blind.figures(test, answers), "people": people, "among": test.among}


def _asked(data: dict[str, Any]) -> tuple[blind.BlindTest, str]:
    test = blind_files.load_test(host.blind_folder(), data.get("name", ""))
    return test, blind.person(data.get("participant", ""), data.get("device", ""))[0]


def _file(name: str):
    return lambda data: PAGE / name


ROUTES = (
    ("GET", "blind", _file("index.html")), ("GET", "blind/page.css", _file("page.css")), ("GET", "blind/page.mjs", _file("page.mjs")),
    ("GET", "blind/parts.mjs", _file("parts.mjs")), ("GET", "blind/words.mjs", _file("words.mjs")), ("GET", "blind/about", about),
    ("GET", "blind/sheets", sheets), ("GET", "blind/picture", picture), ("POST", "blind/answer", answer), ("GET", "blind/result", result),
)  # fmt: skip
