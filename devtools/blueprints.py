"""Subgraph blueprints: nodes that belong together as one node of the search box. Written by ``workflows.py`` into ``subgraphs/``."""

from __future__ import annotations

import uuid

from graphs import Graph, Node

INSIDE, OUTSIDE = -10, -20  # the host's ids for a subgraph's own inputs and outputs


def _pocket_inside(g: Graph) -> tuple[Node, dict]:
    pocket = g.add("ViPerLoadPocketModel", (0, 0), (300, 90))
    return pocket, {"model": pocket[0], "clip": pocket[1], "vae": pocket[2]}


def _from_outside(g: Graph) -> tuple[None, dict]:
    return None, {name: In(name, name.upper()) for name in ("model", "clip", "vae")}


class In(str):
    """An input of the subgraph: wired to every place that names it. A str, so that a name is all that it is."""

    def __new__(cls, name: str, kind: str, value=None):
        one = super().__new__(cls, name)
        one.kind, one.value = kind, value
        return one


def picture_to_my_taste(pocket: bool = True) -> tuple[Graph, list[In], list[tuple[str, str, tuple[Node, int]]]]:
    """Prompt and preferences in, pictures out; with the pocket model inside, or with a model from outside."""
    g = Graph("Pictures to My Taste (pocket model)" if pocket else "Pictures to My Taste", 0)
    size = 128 if pocket else 1024
    _, parts = _pocket_inside(g) if pocket else _from_outside(g)
    taste, prompt, beta = In("preferences", "VIPER_PREFERENCES"), In("prompt", "STRING", "a house"), In("beta", "FLOAT", 0.6)
    seed, steps, cfg = In("seed", "INT", 7), In("steps", "INT", 20), In("cfg", "FLOAT", 3.0 if pocket else 5.0)
    width, height, batch = In("width", "INT", size), In("height", "INT", size), In("batch_size", "INT", 4 if pocket else 1)
    positive = g.add("CLIPTextEncode", (340, 0), (320, 110), "Prompt", text=prompt, clip=parts["clip"])
    negative = g.add("CLIPTextEncode", (340, 150), (320, 110), "Negative Prompt", text="", clip=parts["clip"])
    cond = g.add(
        "ViPerPreferenceConditioning", (700, 0), (320, 260), clip=parts["clip"], preferences=taste, positive=positive[0],
        negative=negative[0], beta=beta, mode="paper", encoding="joined", shift_pooled=False, hold_norm=False,
    )  # fmt: skip
    latent = g.add("EmptyLatentImage", (700, 320), (300, 110), width=width, height=height, batch_size=batch)
    samples = g.add(
        "ViPerKSampler", (1060, 0), (320, 620), model=parts["model"], seed=seed, steps=steps, cfg=cfg, sampler_name="euler",
        scheduler="normal", positive=cond[0], negative=cond[1], liked=cond[2], disliked=cond[3], latent_image=latent[0], denoise=1.0,
        beta=cond[4],
    )  # fmt: skip
    image = g.add("VAEDecode", (1420, 0), (220, 60), samples=samples[0], vae=parts["vae"])
    inputs = [taste, *(parts.values() if not pocket else ()), prompt, beta, seed, steps, cfg, width, height, batch]
    return g, inputs, [("pictures", "IMAGE", image[0])]


def with_model() -> tuple:
    return picture_to_my_taste(pocket=False)


ALL = (picture_to_my_taste, with_model)


def blueprint(graph: Graph, inputs: list[In], outputs: list, infos: dict, ui_format) -> dict:
    """A workflow of one subgraph node, as the page publishes it; ``ui_format`` writes the nodes and wires inside."""
    wired: list[tuple[Node, str, In]] = []
    for node in graph.nodes:
        for name, value in node.inputs.items():
            if isinstance(value, In):
                wired.append((node, name, value))
                node.inputs[name] = value.value
    inside = ui_format(graph, infos)
    ids = {id(node): n for n, node in enumerate(graph.nodes, 1)}
    made = {n["id"]: n for n in inside["nodes"]}
    places = {}  # (node, input) → slot: the page puts sockets before widgets, and mends wires of whole workflows only
    for n in made.values():
        n["inputs"].sort(key=lambda slot: "widget" in slot)
        places |= {(n["id"], slot["name"]): i for i, slot in enumerate(n["inputs"])}
    ends_at = {slot["link"]: (n["id"], i) for n in made.values() for i, slot in enumerate(n["inputs"]) if slot["link"]}
    links = [
        {"id": link, "origin_id": source, "origin_slot": slot, "target_id": target, "target_slot": ends_at[link][1], "type": kind}
        for link, source, slot, target, _, kind in inside["links"]
    ]

    def own(name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"viper-personalization/{graph.name}/{name}"))

    def add(**link) -> int:
        links.append({"id": len(links) + 1, **link})
        return len(links)

    slots = []
    for n, one in enumerate(inputs):
        used = []
        for node, name, value in wired:
            if value is one:
                place = places[ids[id(node)], name]
                link = add(origin_id=INSIDE, origin_slot=n, target_id=ids[id(node)], target_slot=place, type=one.kind)
                made[ids[id(node)]]["inputs"][place]["link"] = link
                used.append(link)
        slots.append({"id": own(f"in {one}"), "name": str(one), "type": one.kind, "linkIds": used, "pos": [-260, 20 + 20 * n]})
    ends = []
    for n, (name, kind, (node, slot)) in enumerate(outputs):
        link = add(origin_id=ids[id(node)], origin_slot=slot, target_id=OUTSIDE, target_slot=n, type=kind)
        output = made[ids[id(node)]]["outputs"][slot]
        output["links"] = (output["links"] or []) + [link]
        ends.append({"id": own(f"out {name}"), "name": name, "type": kind, "linkIds": [link], "pos": [1740, 20 + 20 * n]})
    definition = {
        "id": own(""), "version": 1, "state": {"lastGroupId": 0, "lastNodeId": len(made), "lastLinkId": len(links), "lastRerouteId": 0},
        "revision": 0, "config": {}, "name": graph.name, "inputNode": {"id": INSIDE, "bounding": [-320, 0, 120, 40 + 20 * len(slots)]},
        "outputNode": {"id": OUTSIDE, "bounding": [1700, 0, 120, 60]}, "inputs": slots, "outputs": ends, "widgets": [],
        "nodes": inside["nodes"], "groups": [], "links": links, "extra": {},
    }  # fmt: skip
    widgets = [one for one in inputs if one.value is not None]
    node = {
        "id": 1, "type": definition["id"], "pos": [0, 0], "size": [340, 80 + 26 * len(inputs)], "flags": {}, "order": 0, "mode": 0,
        "inputs": [{"name": str(i), "type": i.kind, "link": None} | ({"widget": {"name": str(i)}} if i in widgets else {}) for i in inputs],
        "outputs": [{"name": name, "type": kind, "links": []} for name, kind, _ in outputs], "title": graph.name,
        "properties": {}, "widgets_values": [one.value for one in widgets],
    }  # fmt: skip
    return {
        "id": own("workflow"), "revision": 0, "last_node_id": 1, "last_link_id": 0, "nodes": [node], "links": [], "groups": [],
        "definitions": {"subgraphs": [definition]}, "config": {}, "extra": {}, "version": 0.4,
    }  # fmt: skip
