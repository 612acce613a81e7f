"""Where a graph takes what a protocol asks for. The graph is in API format, as ComfyUI's *Export (API)* writes it.

Three ways, all of them seen in the graph or on the command line, none of them guessed from how nodes are wired:

- ``%prompt%`` and its like inside any text of the graph;
- a *Protocol Prompts* node: what it would put out is put there instead;
- ``NODE.INPUT=value``, where NODE is a node's number or title and the value may hold ``%prompt%`` and its like; no value takes a wire off.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import EvaluationError

NAMES = ("prompt", "class_prompt", "class_noun", "identifier", "subject", "images", "image", "index", "seed")
NUMBERS = ("index", "seed")  # a whole value that is one of these becomes a number
SEEDS = ("seed", "noise_seed")
PROMPTS_NODE = "ViPerProtocolPrompts"
_MARK = re.compile("%(" + "|".join(NAMES) + r")(?:_(\d+))?%")  # of a list, %image_2% is the third


@dataclass(frozen=True)
class Places:
    graph: dict
    output: str | None = None  # the node whose picture counts; None: whichever gives one

    def uses(self, name: str) -> bool:
        """Does anything in the graph depend on it?"""
        return any(mark[1] == name for _, _, value in _inputs(self.graph) if isinstance(value, str) for mark in _MARK.finditer(value))

    def filled(self, values: Mapping[str, object]) -> dict:
        """A new graph, with ``values`` by NAMES. A list is counted from 0: ``%image%`` is its first, ``%image_1%`` its second."""
        graph = copy.deepcopy(self.graph)
        for node, name, value in list(_inputs(graph)):
            if isinstance(value, str):
                graph[node]["inputs"][name] = _fill(value, values)
        return graph


def places(graph: object, settings: Iterable[str] = (), seeds: Iterable[str] = (), output: str | None = None) -> Places:
    """``settings``: NODE.INPUT=value; ``seeds``: NODE.INPUT. Raises EvaluationError for a graph without a place for prompt or seed."""
    if not isinstance(graph, dict) or not graph or not all(isinstance(n, dict) and "class_type" in n for n in graph.values()):
        raise EvaluationError("This graph is not in API format: export it with Workflow → Export (API).")
    graph = _without_prompts_node(copy.deepcopy(graph))
    for setting in settings:
        place, equals, value = setting.partition("=")
        if not equals:
            raise EvaluationError(f'"{setting}" sets nothing: write NODE.INPUT=value, such as Prompt.text=%prompt%.')
        node, name = _place(graph, place)
        if not value and isinstance(graph[node]["inputs"][name], list):
            del graph[node]["inputs"][name]  # nothing instead of a wire
        else:
            graph[node]["inputs"][name] = value if _MARK.search(value) else _as(graph[node]["inputs"][name], value, place)
    for place in seeds:
        node, name = _place(graph, place)
        graph[node]["inputs"][name] = "%seed%"
    found = Places(graph, _node(graph, output) if output else None)
    if not found.uses("prompt") and not found.uses("class_prompt"):
        raise EvaluationError(
            "The graph has no place for the prompt: write %prompt% where it belongs, put a Protocol Prompts node there, or give "
            "--set NODE.INPUT=%prompt%."
        )
    if not found.uses("seed"):
        _find_seed(graph)
    return found


def _inputs(graph: dict):
    for node, spec in graph.items():
        for name, value in spec.get("inputs", {}).items():
            yield node, name, value


def _fill(text: str, values: Mapping[str, object]):
    def value(mark: re.Match):
        found, n = values[mark[1]], int(mark[2] or 0)
        found = found if isinstance(found, list) else [found]
        if n >= len(found):
            raise EvaluationError(f"The graph asks for {mark[0]}, and {values['subject']} has {len(found)} of them, counted from 0.")
        return found[n]

    whole = _MARK.fullmatch(text)
    if whole and whole[1] in NUMBERS:
        return value(whole)
    return _MARK.sub(lambda mark: str(value(mark)), text)


def _without_prompts_node(graph: dict) -> dict:
    """Wires from Protocol Prompts become what comes over them."""
    told = ("%prompt%", "%class_prompt%", "%prompt%", 1)
    ours = {key for key, spec in graph.items() if spec["class_type"] == PROMPTS_NODE}
    for node, name, value in list(_inputs(graph)):
        if isinstance(value, list) and len(value) == 2 and str(value[0]) in ours:
            graph[node]["inputs"][name] = told[value[1]]
    return {key: spec for key, spec in graph.items() if key not in ours}


def _place(graph: dict, place: str) -> tuple[str, str]:
    node, dot, name = place.strip().rpartition(".")
    if not dot or not name:
        raise EvaluationError(f'"{place}" is no place in the graph: write NODE.INPUT, such as KSampler.seed or 3.seed.')
    node = _node(graph, node)
    known = graph[node].get("inputs", {})
    if name not in known:
        raise EvaluationError(f"Node {node} ({graph[node]['class_type']}) has no input {name}: it has {', '.join(known) or 'none'}.")
    return node, name


def _node(graph: dict, said: str) -> str:
    """A node by its number, or by its title where that is one node's only."""
    if said in graph:
        return said
    titles = {key: spec.get("_meta", {}).get("title") or spec["class_type"] for key, spec in graph.items()}
    found = [key for key, title in titles.items() if title == said]
    if len(found) == 1:
        return found[0]
    if found:
        raise EvaluationError(f'{len(found)} nodes are called "{said}": use a number ({", ".join(found)}), or give them other titles.')
    raise EvaluationError(f'No node is called "{said}": there are {", ".join(f"{t} ({k})" for k, t in titles.items())}.')


def _as(old: object, value: str, place: str):
    """A value of the command line, as the kind that stands in the graph."""
    try:
        if isinstance(old, bool):
            return {"true": True, "false": False}[value.lower()]
        return type(old)(value) if isinstance(old, (int, float)) else value
    except (KeyError, ValueError):
        raise EvaluationError(f'{place} is a {type(old).__name__} in the graph: "{value}" is none.') from None


def _find_seed(graph: dict) -> None:
    """Nobody said where the seed goes: into the only one there is."""
    found = [(node, name) for node, name, value in _inputs(graph) if name in SEEDS and isinstance(value, int)]
    if len(found) != 1:
        several = f"several ({', '.join(f'{node}.{name}' for node, name in found)})" if found else "none"
        raise EvaluationError(f"The graph needs one seed to change, and has {several}: say which with --seed-input NODE.INPUT.")
    node, name = found[0]
    graph[node]["inputs"][name] = "%seed%"
