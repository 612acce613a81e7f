"""The pack's nodes on the page, in both renderers of two frontends: loaded, saved, undone, copied, wrapped."""

import json
from pathlib import Path

WORKFLOWS = Path(__file__).resolve().parent.parent.parent / "workflows"
NAMES = sorted(p.stem for p in WORKFLOWS.glob("*.json"))
COMMENTS = "+ I love warm colors\n- too pale {for} me"


def values(prompt):
    """What the nodes of a graph are told, by type; without the wires, whose ids change in a subgraph."""
    return {spec["class_type"]: {k: v for k, v in spec["inputs"].items() if not isinstance(v, list)} for spec in prompt.values()}


def test_all_nodes_are_there_with_their_inputs(page, page_server):
    with page_server.client() as client:
        infos = {k: v for k, v in client.object_info().items() if k.startswith("ViPer")}
    known = page.js("""() => Object.fromEntries(Object.entries(LiteGraph.registered_node_types).filter(([k]) => k.startsWith('ViPer'))
        .map(([k]) => [k, LiteGraph.createNode(k).inputs.map(i => i.name)]))""")
    assert {k: sorted(v) for k, v in known.items()} == {
        k: sorted([*v["input"].get("required", {}), *v["input"].get("optional", {})]) for k, v in infos.items()
    }


def test_the_example_graphs_queue_what_their_api_twins_do(page):
    for name in NAMES:
        page.load(json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8")))
        twin = json.loads((WORKFLOWS / "api" / f"{name}.json").read_text(encoding="utf-8"))
        prompt = page.prompt()
        for spec in prompt.values():
            if spec["class_type"] == "PreviewAny":  # newer pages queue the text it shows, too
                spec["inputs"] = {"source": spec["inputs"]["source"]}
        assert (name, prompt) == (name, {k: {"class_type": v["class_type"], "inputs": v["inputs"]} for k, v in twin.items()})


def test_undo_and_redo_bring_back_what_was_said(page):
    node = page.create("ViPerCommentsToPreferences", 100, 60)
    page.remember()
    page.set(node, "overrides", "+ torn paper")
    page.remember()
    assert page.value(node, "overrides") == "+ torn paper"
    page.undo()
    assert page.value(node, "overrides") == ""
    if not page.moves_by_itself:
        page.redo()
        assert page.value(node, "overrides") == "+ torn paper"


def test_a_copy_has_its_own_data(page):
    node = page.create("ViPerCommentOnImages", 100, 60)
    page.set(node, "comments", COMMENTS)
    copy = page.copy_paste(node, 700, 400)
    assert page.value(copy, "comments") == COMMENTS
    page.set(copy, "comments", "+ only here")
    assert (page.value(node, "comments"), page.value(copy, "comments")) == (COMMENTS, "+ only here")


def test_a_reload_keeps_the_graph(page):
    node = page.create("ViPerCommentOnImages", 100, 60)
    page.set(node, "comments", "+ kept over a reload {or} two")
    page.remember()
    page.reload(kept="kept over a reload {or} two")
    assert page.node("ViPerCommentOnImages")["values"]["comments"] == "+ kept over a reload {or} two"


def test_nodes_in_a_subgraph_queue_the_same_inputs(page):
    said, found = page.create("ViPerCommentOnImages", 100, 60), page.create("ViPerCommentsToPreferences", 700, 60)
    shown = page.create("PreviewAny", 1150, 60)
    page.set(said, "comments", COMMENTS)
    page.wire(said, 0, found, "comments")
    page.wire(found, 1, shown, "source")
    before = values(page.prompt())
    outer = page.to_subgraph(said, found)
    assert values(page.prompt()) == before
    page.enter(outer)
    assert page.node("ViPerCommentOnImages")["values"]["comments"] == COMMENTS
    page.leave()
