"""``python dev.py workflows [NAME …]``: write the example graphs (UI format, API twin, thumbnail) anew, running each of them, or
only those named.

The descriptions are in ``graphs.py``; names, order and kinds of inputs come from the host itself, so that what is written
is what the host would have saved.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import blueprints
from blind_graphs import BLIND
from client import Client
from evaluation_graphs import EVALUATION
from graphs import ALL, CODE_OF_A_FRIEND, Graph, Node, input_specs
from PIL import Image, ImageOps
from process import ROOT, Host, temporary_base
from protocol_graphs import PROTOCOLS
from scoring_graphs import SCORING
from subject_graphs import SUBJECTS

FOLDER, SUBGRAPHS = ROOT / "workflows", ROOT / "subgraphs"
CELL = {1: 256, 2: 192}  # pixels a picture by columns; 128, their own size, for more


def api_format(graph: Graph, infos: dict) -> dict:
    ids = {id(node): str(n) for n, node in enumerate(graph.nodes, 1)}

    def value(v):
        return [ids[id(v[0])], v[1]] if isinstance(v, tuple) else v

    def defaults(type):
        return {name: options["default"] for name, _, options, is_widget in input_specs(infos[type]) if is_widget and "default" in options}

    return {
        ids[id(node)]: {
            "class_type": node.type,
            "inputs": {name: value(v) for name, v in (defaults(node.type) | node.inputs).items()},
            "_meta": {"title": node.title or infos[node.type]["display_name"]},
        }
        for node in graph.nodes
    }


def ui_format(graph: Graph, infos: dict) -> dict:
    ids = {id(node): n for n, node in enumerate(graph.nodes, 1)}
    links: list[list] = []
    nodes = [_ui_node(node, ids, infos[node.type], order, links) for order, node in enumerate(graph.nodes)]
    for link, source, slot, *_ in links:
        output = nodes[source - 1]["outputs"][slot]
        output["links"] = (output["links"] or []) + [link]
    for text, pos, size in graph.notes:
        nodes.append(
            {
                "id": len(nodes) + 1, "type": "MarkdownNote", "pos": list(pos), "size": list(size), "flags": {}, "order": len(nodes),
                "mode": 0, "inputs": [], "outputs": [], "properties": {}, "widgets_values": [text], "color": "#432", "bgcolor": "#653",
            }  # fmt: skip
        )
    return {
        "last_node_id": len(nodes), "last_link_id": len(links), "nodes": nodes, "links": links, "groups": [], "config": {}, "extra": {},
        "version": 0.4,
    }  # fmt: skip


def _ui_node(node: Node, ids: dict, info: dict, order: int, links: list[list]) -> dict:
    inputs, widgets = [], []
    for name, kind, options, is_widget in input_specs(info):
        given = node.inputs.get(name, options.get("default"))
        slot = {"name": name, "type": kind, "link": None}
        if isinstance(given, tuple):
            source, output = given
            slot["link"] = len(links) + 1
            links.append([len(links) + 1, ids[id(source)], output, ids[id(node)], len(inputs), kind])
        if is_widget:
            slot["widget"] = {"name": name}
            widgets.append(options.get("default") if isinstance(given, tuple) else given)
            if options.get("control_after_generate"):
                widgets.append("fixed")
        inputs.append(slot)
    outputs = [
        {"name": name, "type": kind, "links": None} for name, kind in zip(info["output_name"], info["output"], strict=True)
    ]
    return {
        "id": ids[id(node)], "type": node.type, "pos": list(node.pos), "size": list(node.size), "flags": {}, "order": order, "mode": 0,
        "inputs": inputs, "outputs": outputs, "properties": {"Node name for S&R": node.type}, "widgets_values": widgets,
        **({"title": node.title} if node.title else {}),
    }  # fmt: skip


def thumbnail(pictures: list[Image.Image], columns: int) -> Image.Image:
    """The pictures side by side; a chart, which stands alone, as it is."""
    if len(pictures) == 1 and pictures[0].width != pictures[0].height:
        return ImageOps.contain(pictures[0].convert("RGB"), (512, 512), Image.Resampling.LANCZOS)
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    cell = CELL.get(columns, 128)
    sheet = Image.new("RGB", (cell * columns, cell * rows), "white")
    for n, picture in enumerate(pictures):
        sheet.paste(picture.convert("RGB").resize((cell, cell), Image.Resampling.LANCZOS), (n % columns * cell, n // columns * cell))
    return sheet


def friend_code(client: Client) -> str:
    """The share code in the examples, made by the node that makes them."""
    words = {"liked": "purple tones, halftone dots", "disliked": "pale colors"}
    taste = {"class_type": "ViPerPreferencesFromText", "inputs": words}
    save = {"class_type": "ViPerSavePreferences", "inputs": {"preferences": ["1", 0], "name": "a friend"}}
    return client.run({"1": taste, "2": save})["outputs"]["2"]["text"][0]


def without(api: dict, *types: str) -> dict:
    """The graph without the nodes of some types, and without the wires from them."""
    gone = {key for key, spec in api.items() if spec["class_type"] in types}
    wired = {key: {k: v for k, v in spec["inputs"].items() if not (isinstance(v, list) and v[0] in gone)} for key, spec in api.items()}
    return {key: {**spec, "inputs": wired[key]} for key, spec in api.items() if key not in gone}


def with_pocket(api: dict) -> dict:
    """The graph with the pocket model in the place of its checkpoints, and its size in the place of theirs."""
    pocket = {"class_type": "ViPerLoadPocketModel", "inputs": {}}

    def small(spec: dict) -> dict:
        return {**spec, "inputs": {k: 128 if k in ("width", "height") else v for k, v in spec["inputs"].items()}}

    return {key: pocket if spec["class_type"] == "CheckpointLoaderSimple" else small(spec) for key, spec in api.items()}


def write(client: Client, graph: Graph, infos: dict) -> None:
    code = friend_code(client)
    for node in graph.nodes:
        node.inputs = {k: code if isinstance(v, str) and v == CODE_OF_A_FRIEND else v for k, v in node.inputs.items()}
    api = api_format(graph, infos)
    (FOLDER / "api" / f"{graph.name}.json").write_text(json.dumps(api, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (FOLDER / f"{graph.name}.json").write_text(json.dumps(ui_format(graph, infos), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    entry = client.run(with_pocket(api) if graph.stand_in else without(api, *graph.without.split()))
    pictures = [picture for key, spec in api.items() if spec["class_type"] == "SaveImage" for picture in client.images(entry, key)]
    thumbnail(pictures, graph.thumbnail_columns).save(FOLDER / f"{graph.name}.jpg", quality=88)
    print(f"[workflows] {graph.name}: {len(api)} nodes, {len(pictures)} pictures", flush=True)


def main() -> None:
    graphs = {build.__name__: build for build in (*ALL, *SUBJECTS, *PROTOCOLS, *BLIND, *SCORING, *EVALUATION)}
    parser = argparse.ArgumentParser(description="Write the example graphs anew.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or some of: {', '.join(graphs)}")
    names = parser.parse_args().names
    if unknown := set(names) - set(graphs):
        parser.error("there is no graph called " + ", ".join(sorted(unknown)))
    (FOLDER / "api").mkdir(parents=True, exist_ok=True)
    with temporary_base() as base, Host(Path(os.environ["COMFYUI_PATH"]), base, ROOT / ".host" / "workflows.log", "--cpu") as host:
        with Client(host.url) as client:
            infos = client.object_info()
            for name in names or graphs:
                write(client, graphs[name](), infos)
            if names:
                return
            SUBGRAPHS.mkdir(exist_ok=True)
            for build in blueprints.ALL:
                graph, inputs, outputs = build()
                made = blueprints.blueprint(graph, inputs, outputs, infos, ui_format)
                text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
                (SUBGRAPHS / f"{graph.name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
