"""What the widgets ask while an artist types: no run of the graph, nothing of a model's memory."""

from __future__ import annotations

import json
import re
import threading
from functools import lru_cache
from typing import Any

from .. import host
from ..vpe.comments import Comment, Comments
from ..vpe.preferences import Preferences, load_profile
from . import blind_routes

MOST = 500  # entries that one question may hold: a page sends what one person wrote
_one_at_a_time = threading.Lock()  # the readers keep caches; a page asks again at the next letter anyway


def register() -> None:
    """Serve the routes; without a running server (tests, tools) there is nothing to do."""
    for method, path, answer in ROUTES:
        host.add_route(method, path, answer)
    for method, path, answer in blind_routes.ROUTES:
        host.add_route(method, path, answer, most=blind_routes.MOST)


def read(data: dict[str, Any]) -> dict[str, Any]:
    """``{"comments": STRING}`` → what each one says, all together, how sure that is, and which pictures would teach most."""
    from ..vpe.attributes import extend

    extend(host.attributes_file())
    comments = _few(Comments.parse(_text(data, "comments")))
    with _one_at_a_time:
        each, of = [_alone(c).sides() for c in comments], _portrait(comments)
    return {**json.loads(comments.to_json()), "features": each, **_told(of), "suggest": list(of.suggest)}


@lru_cache(maxsize=MOST)
def _alone(comment: Comment) -> Preferences:
    """What one comment says by itself; while one is being typed, the others are not read again."""
    return _reader().extract(Comments((comment,)))


def _reader():
    from ..vpe.extractor import BuiltInExtractor
    from ..vpe.eyes import Eyes

    return BuiltInExtractor(eyes=Eyes())


def _portrait(comments: Comments):
    from ..vpe.eyes import Eyes
    from ..vpe.portrait import portrait

    return portrait(comments, _reader(), eyes=Eyes())


def _told(of) -> dict[str, Any]:
    return {**of.found.sides(), "sure": of.sure, "advice": of.advice}


def next_pair(data: dict[str, Any]) -> dict[str, Any]:
    """``{"ranking": STRING, "skipped": ["0-3", …]}`` → the pair that would teach most, and the taste as far as it is known."""
    comments = _few(Comments.from_ranking(_text(data, "ranking")))
    skipped = [s.split("-") for s in data.get("skipped") or [] if isinstance(s, str) and re.fullmatch(r"\d+-\d+", s)]
    with _one_at_a_time:
        of = _portrait(comments)
        pair = of.next_pair({(int(a), int(b)) for a, b in skipped})
    return {"pair": list(pair) if pair else None, **_told(of)}


def keep(data: dict[str, Any]) -> dict[str, Any]:
    """A picture that would be gone at the next start → its copy in ``input/viper``."""
    filename, subfolder, kind = (_text(data, key) for key in ("filename", "subfolder", "type"))
    path = host.picture_path(filename, subfolder, kind)
    if path is None:
        raise FileNotFoundError(f"The picture {filename} is gone: run the graph again to see it.")
    filename, subfolder = host.keep_picture(path)
    return {"filename": filename, "subfolder": subfolder, "type": "input"}


def profile(data: dict[str, Any]) -> dict[str, Any]:
    """``{"code"}`` or ``{"name"}`` → its lists."""
    if code := _text(data, "code").strip():
        return Preferences.from_share_code(code).sides()
    return load_profile(host.profile_folder(), _text(data, "name")).sides()


def edit(data: dict[str, Any]) -> dict[str, Any]:
    """``{"liked", "disliked", "edits"}`` → the lists after the edits, by the rules of the node."""
    return Preferences.from_sides(data).edit(_text(data, "edits")).sides()


def pictures(data: dict[str, Any]) -> dict[str, Any]:
    """``?place=input`` or ``output`` → the pictures there, newest first."""
    return {"pictures": host.pictures_in(data.get("place") or "input")}


ROUTES = (
    ("POST", "read", read), ("POST", "next", next_pair), ("POST", "keep", keep), ("POST", "profile", profile), ("POST", "edit", edit),
    ("GET", "pictures", pictures),
)  # fmt: skip


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f'"{key}" must be text.')
    return value


def _few(comments: Comments) -> Comments:
    if len(comments) > MOST:
        raise ValueError(f"These are {len(comments)} comments; the page reads up to {MOST}. Run the graph to read all of them.")
    return comments
