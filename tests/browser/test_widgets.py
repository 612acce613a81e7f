"""The widgets, each by itself: what one does is kept, undone, copied; nothing is cut off; nothing written is ever run."""

import io
import json

import pytest
from PIL import Image

SETUPS = ("shipped-classic", "shipped-nodes2", "recent-classic", "recent-nodes2")
EVIL = """<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> pastel"""
COLORS = ("orange", "teal", "lightgray", "indigo")


def png(color, size=(64, 64)):
    data = io.BytesIO()
    Image.new("RGB", size, color).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def pictures(page, page_server):
    """Four pictures in the host's input folder."""
    with page_server.client() as client:
        stored = [client.upload(Image.new("RGB", (64, 64), color), f"{color}.png", subfolder="swatches") for color in COLORS]
    return [{"filename": s["name"], "subfolder": s["subfolder"], "type": "input"} for s in stored]


def comments(*entries, **more):
    """JSON of (text, verdict, image) entries."""
    listed = [{"text": text, "verdict": verdict, "image": image} for text, verdict, image in entries]
    return json.dumps({"version": 1, "comments": listed, **more})


def entries(page, node):
    value = page.value(node, "comments")
    return [(c["text"], c["verdict"]) for c in json.loads(value)["comments"]] if value else []


def cards(page, node):
    return page.part("comments", node, "card")


def commented(page, *texts, x=0, y=0):
    """A Comment on Images with these comments typed in."""
    node = page.create("ViPerCommentOnImages", x, y)
    for n, text in enumerate(texts):
        page.part("comments", node, "add-comment").click()
        cards(page, node).nth(n).locator("textarea").wait_for()
        page.pause()
        page.type(text)
    return node


# --- comments --------------------------------------------------------------------------------------------------------


def test_what_is_typed_and_judged_is_what_is_queued(page):
    node = commented(page, "soft pastel colors", "harsh light")
    cards(page, node).nth(1).locator("[data-viper-part=dislike]").click()
    assert entries(page, node) == [("soft pastel colors", None), ("harsh light", "dislike")]
    assert json.loads(page.prompt()[node]["inputs"]["comments"]) == json.loads(page.value(node, "comments"))
    cards(page, node).nth(1).locator("[data-feature]").first.wait_for()  # what was understood, while typing


def test_each_act_is_one_undo_and_the_widget_shows_it(page):
    node = commented(page, "soft pastel colors")
    page.blur()
    page.pause()
    cards(page, node).nth(0).locator("[data-viper-part=like]").click()
    page.pause()
    page.part("comments", node, "add-comment").click()
    cards(page, node).nth(1).locator("textarea").wait_for()
    page.pause()
    page.tab.keyboard.insert_text("harsh light")  # at once: a busy machine types so slowly that the page takes it for two acts
    page.blur()
    page.pause()
    cards(page, node).nth(0).locator("[data-viper-part=remove]").click()
    page.pause()
    assert entries(page, node) == [("harsh light", None)]
    page.undo()
    assert entries(page, node) == [("soft pastel colors", "like"), ("harsh light", None)]
    assert [t.input_value() for t in cards(page, node).locator("textarea").all()] == ["soft pastel colors", "harsh light"]
    page.undo()
    page.undo()
    assert entries(page, node) == [("soft pastel colors", "like")]
    page.undo()
    assert entries(page, node) == [("soft pastel colors", None)]
    assert cards(page, node).nth(0).get_attribute("data-verdict") == "neutral"
    # And the widget that is shown is the one that is queued.
    cards(page, node).nth(0).locator("[data-viper-part=dislike]").click()
    assert entries(page, node) == [("soft pastel colors", "dislike")]
    page.pause()
    page.undo()
    if not page.moves_by_itself:
        page.redo()
        assert entries(page, node) == [("soft pastel colors", "dislike")]
        page.until(lambda: cards(page, node).nth(0).get_attribute("data-verdict") == "dislike")


def test_a_copied_node_keeps_its_own_comments(page):
    node = commented(page, "soft pastel colors")
    copy = page.copy_paste(node, 620, 60)
    cards(page, copy).nth(0).locator("textarea").click()
    page.keys("End")
    page.type(" and fog")
    cards(page, copy).nth(0).locator("[data-viper-part=like]").click()
    assert entries(page, copy) == [("soft pastel colors and fog", "like")]
    assert entries(page, node) == [("soft pastel colors", None)]
    assert cards(page, node).nth(0).locator("textarea").input_value() == "soft pastel colors"


def test_it_works_inside_a_subgraph_and_is_still_there_outside(page):
    node, found = commented(page, "soft pastel colors"), page.create("ViPerCommentsToPreferences", 520, 0)
    page.wire(node, 0, found, "comments")
    outer = page.to_subgraph(node, found)
    page.enter(outer)
    inner = page.node("ViPerCommentOnImages")["id"]
    page.look_at(*page.node("ViPerCommentOnImages")["pos"])
    cards(page, inner).nth(0).locator("textarea").click()
    page.keys("End")
    page.type(" and fog")
    cards(page, inner).nth(0).locator("[data-viper-part=like]").click()
    page.shot("inside")
    page.leave()
    told = [spec["inputs"]["comments"] for spec in page.prompt().values() if spec["class_type"] == "ViPerCommentOnImages"]
    assert [json.loads(t)["comments"][0] for t in told] == [{"text": "soft pastel colors and fog", "verdict": "like", "image": None}]
    page.enter(outer)
    assert cards(page, inner).nth(0).locator("textarea").input_value() == "soft pastel colors and fog"
    page.leave()


def test_two_instances_of_one_subgraph_are_one_strip(page):
    """Inside, they are the same nodes: what is said in one is said in both, and each run tells both."""
    # Another look in each set-up: the host does not send again what it has kept of the run before.
    look = dict(zip(SETUPS, ("pastel colors", "warm colors", "muted colors", "vivid colors"), strict=True))[page.name]
    node, found = commented(page, f"I love {look}"), page.create("ViPerCommentsToPreferences", 520, 0)
    page.wire(node, 0, found, "comments")
    shown = page.create("PreviewAny", 1000, 0)
    page.wire(found, 1, shown, "source")
    first = page.to_subgraph(node, found)
    second = page.js(
        """id => { const g = app.canvas.graph, n = LiteGraph.createNode(g.getNodeById(id).type); n.pos = [0, 500]; g.add(n);
            return String(n.id) }""",
        first,
    )
    other = page.create("PreviewAny", 1000, 500)
    page.wire(second, 0, other, "source")
    page.enter(second)
    inner = page.node("ViPerCommentOnImages")["id"]
    page.look_at(*page.node("ViPerCommentOnImages")["pos"])
    cards(page, inner).nth(0).locator("textarea").click()
    page.keys("End")
    page.type(" and fog")
    page.leave()
    told = [spec["inputs"]["comments"] for spec in page.prompt().values() if spec["class_type"] == "ViPerCommentOnImages"]
    assert len(told) == 2 and told[0] == told[1] and "and fog" in told[0]
    outputs = page.run()["outputs"]
    assert outputs[shown]["text"] == outputs[other]["text"] and look in outputs[shown]["text"][0]
    for outer in (first, second):
        page.enter(outer)
        page.look_at(*page.node("ViPerCommentsToPreferences")["pos"])
        page.part("chips", page.node("ViPerCommentsToPreferences")["id"], "chip").first.wait_for()
        page.leave()


def test_a_promoted_comments_input_keeps_what_was_said(page):
    node, found = commented(page, "soft pastel colors"), page.create("ViPerCommentsToPreferences", 520, 0)
    page.wire(node, 0, found, "comments")
    outer = page.to_subgraph(node, found)
    page.js(
        """id => { const { subgraph } = app.canvas.graph.getNodeById(id);
            const node = subgraph._nodes.find(n => n.type === 'ViPerCommentOnImages');
            subgraph.addInput('comments', 'STRING');
            subgraph.inputs.at(-1).connect(node.inputs.find(i => i.name === 'comments'), node) }""",
        outer,
    )
    page.settle(6)

    def told():
        (told,) = [spec["inputs"]["comments"] for spec in page.prompt().values() if spec["class_type"] == "ViPerCommentOnImages"]
        return told

    assert "soft pastel colors" in told()
    if page.name.startswith("shipped"):  # the strip itself is on the subgraph's node; newer pages put nothing there but keep its words
        said = page.tab.locator("[data-viper=comments] textarea.viper-say:visible")
        page.js("id => { const n = app.canvas.graph.getNodeById(id); n.pos = [0, 0]; n.setSize([460, 560]) }", outer)
        page.settle(6)
        said.click()
        page.keys("End")
        page.type(" and fog")
        assert "soft pastel colors and fog" in told()
        page.shot("promoted")
    page.set(outer, "comments", "+ thick outlines")
    assert told() == "+ thick outlines"
    page.load(json.loads(page.js("() => JSON.stringify(app.graph.serialize())")))
    assert told() == "+ thick outlines"


def test_the_widgets_speak_the_language_of_the_page(page):
    def speak(language):
        page.js("async language => { await app.extensionManager.setting.set('Comfy.Locale', language) }", language)
        page.settle(6)
        page.tab.wait_for_timeout(500)  # the page makes its node types anew

    speak("ko")
    try:
        said, found = page.create("ViPerCommentOnImages", 0, 0), page.create("ViPerCommentsToPreferences", 520, 0)
        page.wire(said, 0, found, "comments")
        page.set(said, "comments", "+ warm colors")
        page.until(lambda: "이제 싫은 점을 쓰세요" in page.part("comments", said, "advice").inner_text())
        assert page.part("comments", said, "pictures").inner_text() == "+ 그림"
        assert "그래프를 실행하면" in page.view("chips", found).inner_text()
        rank, load = page.create("ViPerRankPictures", 1000, 0), page.create("ViPerLoadPreferences", 520, 500)
        assert "그림을 두 장 이상" in page.view("ranking", rank).inner_text()
        assert "프로필을 고르거나" in page.view("profile", load).inner_text()
        widgets = [("comments", said), ("profile", load)]
        assert {kind: page.flaws(kind, node) for kind, node in widgets} == {kind: [] for kind, _ in widgets}
        page.shot("korean")
    finally:
        speak("en")
    assert page.part("comments", page.create("ViPerCommentOnImages", 0, 700), "pictures").inner_text() == "+ Pictures"


def test_two_open_workflows_do_not_mix(page):
    """Their nodes have the same ids."""
    node = commented(page, "soft pastel colors")
    page.blur()
    page.remember()
    page.command("Comfy.NewBlankWorkflow")
    other = commented(page, "harsh light")
    assert other == node
    page.tabs().first.click()
    page.until(lambda: page.nodes() and entries(page, node) == [("soft pastel colors", None)])
    page.look_at(0, 0)
    cards(page, node).nth(0).locator("textarea").click()
    page.keys("End")
    page.type(" and fog")
    assert entries(page, node) == [("soft pastel colors and fog", None)]
    page.blur()
    page.remember()
    page.tabs().last.click()
    page.until(lambda: page.nodes() and entries(page, node) == [("harsh light", None)])
    page.until(lambda: [t.input_value() for t in cards(page, node).locator("textarea").all()] == ["harsh light"])


def test_comments_that_come_over_a_wire_are_not_typed_over(page):
    node, words = commented(page, "soft pastel colors", x=440), page.create("PrimitiveStringMultiline", 0, 0)
    page.wire(words, 0, node, "comments")
    assert page.prompt()[node]["inputs"]["comments"] == [words, 0]
    assert not cards(page, node).nth(0).is_visible()
    page.shot("wired")
    page.js("id => { const n = app.canvas.graph.getNodeById(id); n.disconnectInput(n.inputs.findIndex(i => i.name === 'comments')) }", node)
    cards(page, node).nth(0).wait_for()
    assert entries(page, node) == [("soft pastel colors", None)]


def test_keys_alone_are_enough(page):
    node = page.create("ViPerCommentOnImages", 0, 0)
    page.part("comments", node, "add-comment").focus()
    page.keys("Enter")
    page.type("soft pastel colors")
    page.keys("Enter")
    page.type("harsh light")
    page.keys("Enter")
    page.type("no, delete this")
    page.keys("Escape", "Delete")
    assert page.nodes() != []  # the card went, not the node
    page.keys("-", "ArrowUp", "+", "Alt+ArrowDown")
    assert entries(page, node) == [("harsh light", "dislike"), ("soft pastel colors", "like")]
    page.keys("Enter")
    page.type("! ")  # letters that are shortcuts of the page stay letters: r, g, q, m
    page.type("rgqm.")
    assert {e[1] for e in entries(page, node)} == {"like", "dislike"} and "rgqm." in page.value(node, "comments")
    assert len(page.nodes()) == 1


def test_pictures_are_dropped_pasted_and_picked(page, pictures):
    node = page.create("ViPerCommentOnImages", 0, 0)
    page.drop(page.view("comments", node), [(f"{page.name}-dropped.png", png("red")), (f"{page.name}-too.png", png("blue"))])
    cards(page, node).nth(1).wait_for()
    page.click_title(node)
    page.paste_files(page.tab.locator("body"), [("image.png", png("green"))])
    cards(page, node).nth(2).wait_for()
    assert len(page.nodes()) == 1  # no Load Image was made of it
    page.part("comments", node, "pictures").click()
    page.part("comments", node, "picker").locator("input[type=search]").fill("swatches/teal")
    page.view("comments", node).locator(".viper-pick").first.click()
    page.shot("picker")
    page.part("comments", node, "picker").get_by_role("button", name="Done").click()
    cards(page, node).nth(3).wait_for()
    page.wait("() => [...document.querySelectorAll('[data-viper=comments] .viper-thumb img')].filter(i => i.naturalWidth > 0).length === 4")
    page.shot("strip")
    images = [c["image"] for c in json.loads(page.value(node, "comments"))["comments"]]
    assert all(i["type"] == "input" for i in images) and images[3]["filename"] == "teal.png"


def test_a_wired_picture_is_shown_before_any_run_and_saved_only_when_something_is_said(page, pictures):
    node, load = page.create("ViPerCommentOnImages", 400, 0), page.create("LoadImage", 0, 0)
    page.set(load, "image", "swatches/orange.png")
    page.wire(load, 0, node, "images")
    cards(page, node).nth(0).wait_for()
    assert entries(page, node) == []
    cards(page, node).nth(0).locator("[data-viper-part=like]").click()
    (entry,) = json.loads(page.value(node, "comments"))["comments"]
    assert entry["verdict"] == "like" and entry["image"]["filename"] == "orange.png"


def test_the_strip_follows_a_connected_node(page, pictures):
    """Each run shows the pictures it was given; what was said about former ones stays."""
    node, load = page.create("ViPerCommentOnImages", 400, 0), page.create("LoadImage", 0, 0)
    found, shown = page.create("ViPerCommentsToPreferences", 900, 0), page.create("PreviewAny", 1340, 0)
    page.wire(load, 0, node, "images")
    page.wire(node, 0, found, "comments")
    page.wire(found, 1, shown, "source")
    seen = []
    for color in ("orange", "teal"):
        page.set(load, "image", f"swatches/{color}.png")
        page.run()
        page.until(lambda: cards(page, node).count() == 1 and cards(page, node).locator("img").get_attribute("src") not in seen)
        seen.append(cards(page, node).locator("img").get_attribute("src"))
    assert all("type=temp" in src for src in seen)
    cards(page, node).nth(0).locator("[data-viper-part=like]").click()
    page.until(lambda: '"input"' in page.value(node, "comments"))
    page.set(load, "image", "swatches/indigo.png")
    page.run()
    page.until(lambda: cards(page, node).count() == 2)
    assert entries(page, node) == [("", "like")]


def test_a_picture_that_is_gone_says_so_and_keeps_its_words(page, pictures):
    node = page.create("ViPerCommentOnImages", 0, 0)
    gone = {"filename": "gone.png", "subfolder": "", "type": "input"}
    page.set(node, "comments", comments(("still said", "like", gone), ("and this", None, pictures[0])))
    page.view("comments", node).locator(".viper-gone").wait_for()
    assert entries(page, node) == [("still said", "like"), ("and this", None)]
    page.forgive(r"Failed to load resource: .*404.*gone\.png")
    page.shot("gone")


def test_what_cannot_be_read_is_shown_as_it_is_and_nothing_is_lost(page):
    node = page.create("ViPerCommentOnImages", 0, 0)
    broken = '{"version": 1, "comments": [{"text": "half'
    page.set(node, "comments", broken)
    page.part("comments", node, "complaint").wait_for()
    assert page.part("comments", node, "text").input_value() == broken
    assert page.value(node, "comments") == broken
    page.shot("broken")
    page.set(node, "comments", "")
    page.set(node, "comments", '{"version": 99, "comments": []}')
    page.part("comments", node, "complaint").wait_for()
    assert "99" in page.value(node, "comments")


def test_plain_lines_become_cards_and_stay_plain_until_changed(page):
    node = page.create("ViPerCommentOnImages", 0, 0)
    page.set(node, "comments", "+ warm colors\n- grain")
    cards(page, node).nth(1).wait_for()
    assert page.value(node, "comments") == "+ warm colors\n- grain"
    assert [cards(page, node).nth(i).get_attribute("data-verdict") for i in range(2)] == ["like", "dislike"]
    page.part("comments", node, "as-text").click()
    page.part("comments", node, "text").fill("+ warm colors\n- grain\n- lens flare")
    page.part("comments", node, "as-text").click()
    cards(page, node).nth(2).wait_for()


# --- what is written is text -----------------------------------------------------------------------------------------


def test_markup_in_a_shared_file_is_shown_as_text_everywhere(page, page_server):
    with page_server.client() as client:
        stored = client.upload(Image.new("RGB", (8, 8)), "x' onerror='window.hacked=1.png")
    node, found = page.create("ViPerCommentOnImages", 0, 0), page.create("ViPerCommentsToPreferences", 520, 0)
    page.wire(node, 0, found, "comments")
    image = {"filename": stored["name"], "subfolder": stored["subfolder"], "type": "input"}
    page.set(node, "comments", comments((EVIL, "like", image), (EVIL, "dislike", None)))
    page.set(found, "overrides", "+ <script>hacked</script>\n- <b>bold</b>")
    page.create("PreviewAny", 1000, 0)
    page.wire(found, 1, page.node("PreviewAny")["id"], "source")
    cards(page, node).nth(1).wait_for()
    page.run()
    page.part("chips", found, "chip").first.wait_for()
    page.shot("markup")
    assert cards(page, node).nth(0).locator("textarea").input_value() == EVIL
    assert "<b>bold</b>" in page.view("chips", found).inner_text()
    inside = page.js("""() => [...document.querySelectorAll('[data-viper] *')].filter(e => /^(SCRIPT|IFRAME|OBJECT)$/.test(e.tagName)
        || [...e.attributes].some(a => /^on/i.test(a.name))).length""")
    assert inside == 0 and page.js("() => window.hacked") is None
    assert page.view("chips", found).locator("b", has_text="bold").count() == 0


# --- room ------------------------------------------------------------------------------------------------------------

LONG = "a very long comment about soft, pastel, dreamy colors that goes on and on " * 3


def crowded(page, pictures):
    """Every widget full, side by side. (kind, node id) of each."""
    said = page.create("ViPerCommentOnImages", 0, 0)
    page.set(said, "comments", comments(*((LONG if n == 1 else "warm pastel colors", v, p) for n, (v, p) in
                                          enumerate(zip(["like", "dislike", None, "like"], pictures, strict=True)))))  # fmt: skip
    found = page.create("ViPerCommentsToPreferences", 520, 0)
    page.wire(said, 0, found, "comments")
    page.set(found, "overrides", "\n".join(f"+ feature number {n} with a name" for n in range(9)))
    rank = page.create("ViPerRankPictures", 1000, 0)
    page.set(rank, "ranking", json.dumps({"version": 1, "pictures": pictures, "pairs": [[0, 2]]}))
    load = page.create("ViPerLoadPreferences", 520, 620)
    page.create("PreviewAny", 1500, 0)
    page.wire(found, 1, page.node("PreviewAny")["id"], "source")
    page.run()
    page.part("chips", found, "chip").nth(8).wait_for(state="attached")
    page.part("ranking", rank, "left").wait_for()
    return [("comments", said), ("chips", found), ("ranking", rank), ("profile", load)]


def test_nothing_is_cut_off_in_a_narrow_window_nor_at_200_percent_nor_in_a_small_node(page, pictures):
    widgets = crowded(page, pictures)
    assert {kind: page.flaws(kind, node) for kind, node in widgets} == {kind: [] for kind, _ in widgets}
    for name, window in (("narrow", (640, 900, 1)), ("zoomed", (800, 450, 2))):
        with page.window(*window):
            for kind, node in widgets:
                page.look_at(*next(n["pos"] for n in page.nodes() if n["id"] == node))
                assert (name, kind, page.flaws(kind, node)) == (name, kind, [])
                page.shot(f"{name} {kind}")
    for kind, node in widgets:
        page.js("id => { const n = app.canvas.graph.getNodeById(id); n.setSize(n.computeSize()) }", node)
        page.settle(6)
        page.look_at(*next(n["pos"] for n in page.nodes() if n["id"] == node))
        page.shot(f"small {kind}")
        assert ("small", kind, page.flaws(kind, node)) == ("small", kind, [])
    page.look_at(0, 0, 0.5)
    page.shot("far")


def test_working_in_a_widget_does_not_move_the_node(page, pictures):
    node = page.create("ViPerCommentOnImages", 100, 40)
    page.set(node, "comments", comments(("warm pastel colors", "like", pictures[0])))
    before = page.js("() => [...app.canvas.graph._nodes[0].pos, ...app.canvas.ds.offset, app.canvas.ds.scale]")
    box = cards(page, node).nth(0).bounding_box()
    page.tab.mouse.move(box["x"] + 5, box["y"] + box["height"] - 4)
    page.tab.mouse.down()
    page.tab.mouse.move(box["x"] + 90, box["y"] + 60, steps=4)
    page.tab.mouse.up()
    text = cards(page, node).nth(0).locator("textarea").bounding_box()
    page.tab.mouse.move(text["x"] + 5, text["y"] + 8)
    page.tab.mouse.down()
    page.tab.mouse.move(text["x"] + 80, text["y"] + 8, steps=4)
    page.tab.mouse.up()
    page.settle()
    assert page.js("() => [...app.canvas.graph._nodes[0].pos, ...app.canvas.ds.offset, app.canvas.ds.scale]") == before
    assert page.js("() => { const t = document.activeElement; return t.selectionEnd - t.selectionStart }") > 3


# --- chips -----------------------------------------------------------------------------------------------------------


def test_chips_are_corrected_forgotten_weighed_and_put_back(page):
    said, found = page.create("ViPerCommentOnImages", 0, 0), page.create("ViPerCommentsToPreferences", 520, 0)
    page.wire(said, 0, found, "comments")
    page.create("PreviewAny", 1000, 0)
    page.wire(found, 1, page.node("PreviewAny")["id"], "source")
    page.set(said, "comments", "+ warm colors\n+ thick outlines\n- grain")
    page.run()
    chip = page.view("chips", found).locator

    def correct(feature, part):
        chip(f'button[data-feature="{feature}"]').first.click()
        page.part("chips", found, part).click()
        page.pause()

    chip('[data-feature="warm colors"][data-side=liked]').wait_for()
    correct("warm colors", "to-dislike")
    chip('[data-feature="warm colors"][data-side=disliked]').wait_for()
    correct("warm colors", "to-forget")
    chip('.viper-forgotten[data-feature="warm colors"]').wait_for()
    assert "warm colors" in page.value(found, "overrides")
    page.undo()
    chip('[data-feature="warm colors"][data-side=disliked]').wait_for()
    correct("warm colors", "to-reset")
    chip('[data-feature="warm colors"][data-side=liked]').wait_for()
    assert page.value(found, "overrides") == ""
    page.part("chips", found, "add-feature").click()
    page.type("torn paper edges")
    page.keys("Enter")
    chip('[data-feature="torn paper edges"][data-side=liked]').wait_for()
    chip('button[data-feature="torn paper edges"]').click()
    page.part("chips", found, "weight").fill("1.5")
    page.keys("Tab")
    page.until(lambda: "torn paper edges = 1.5" in page.value(found, "overrides"))
    page.shot("chips")
    entry = page.run()
    shown = page.node("PreviewAny")["id"]
    assert "torn paper edges" in entry["outputs"][shown]["text"][0]
    page.part("chips", found, "chip").first.wait_for()


def test_one_advice_on_both_sides_of_the_wire(page):
    said, found = page.create("ViPerCommentOnImages", 0, 0), page.create("ViPerCommentsToPreferences", 520, 0)
    page.wire(said, 0, found, "comments")
    shown = page.create("PreviewAny", 1000, 0)
    page.wire(found, 1, shown, "source")
    likes, dislikes = ["warm colors", "thick outlines", "pastel colors", "soft light"], ["grain", "fog", "lens flare", "neon"]
    for lines, advice in (
        (["+ hm"], "name what you see"),
        ([f"+ {one}" for one in likes], "tell what you dislike"),
        ([f"- {one}" for one in dislikes], "tell what you like"),
        (["+ warm colors", "- grain"], "About eight comments"),
    ):
        page.set(said, "comments", "\n".join(lines))
        page.run()
        page.until(lambda advice=advice: all(advice in page.part(kind, node, "advice").inner_text() for kind, node in
                                             (("comments", said), ("chips", found))))  # fmt: skip
        assert page.part("comments", said, "advice").inner_text() == page.part("chips", found, "advice").inner_text()


# --- ranking ---------------------------------------------------------------------------------------------------------


def test_pictures_are_ranked_with_keys_alone(page, pictures):
    node = page.create("ViPerRankPictures", 0, 0)
    page.set(node, "ranking", json.dumps({"version": 1, "pictures": pictures, "pairs": []}))

    def ranking():
        return json.loads(page.value(node, "ranking"))["pairs"]

    def asked(after=None):
        """The pair that is shown; a key pressed before the next one has come does nothing."""
        page.part("ranking", node, "left").wait_for()
        if after:
            page.until(lambda: asked() != after)
        return [page.part("ranking", node, side).locator("img").get_attribute("alt") for side in ("left", "right")]

    first = asked()
    page.view("ranking", node).focus()
    page.keys("ArrowLeft")
    page.until(lambda: len(ranking()) == 1)
    better, worse = (int(alt.strip("# ")) - 1 for alt in first)
    assert ranking() == [[better, worse]]
    second = asked(after=first)
    page.keys("ArrowDown")
    third = asked(after=second)
    assert ranking() == [[better, worse]]
    page.keys("ArrowRight")
    page.until(lambda: len(ranking()) == 2)
    asked(after=third)
    page.keys("Backspace")
    assert ranking() == [[better, worse]]
    page.shot("ranking")
    page.undo()
    assert len(ranking()) == 2
    page.part("ranking", node, "left").wait_for()
    page.part("ranking", node, "left").click()
    page.until(lambda: len(ranking()) == 3)


def test_a_choice_is_seen_at_once_and_kept_whatever_the_server_does(page, pictures):
    node = page.create("ViPerRankPictures", 0, 0)
    page.set(node, "ranking", json.dumps({"version": 1, "pictures": pictures, "pairs": []}))
    part = page.part("ranking", node, "left").or_(page.part("ranking", node, "right"))
    arena, note, again = (page.part("ranking", node, name) for name in ("arena", "complaint", "again"))

    def pair():
        return [image.get_attribute("alt") for image in part.locator("img").all()]

    def pairs():
        return json.loads(page.value(node, "ranking"))["pairs"]

    part.nth(1).wait_for()
    first, held = pair(), []
    page.tab.route("**/viper/next", lambda route: held.append(route))
    page.view("ranking", node).focus()
    page.keys("ArrowRight")
    assert len(pairs()) == 1 and arena.get_attribute("aria-busy") == "true"
    assert [one.get_attribute("aria-pressed") for one in part.all()] == [None, "true"] and pair() == first
    page.shot("chosen")
    page.keys("ArrowLeft", "ArrowDown")  # nothing new is asked yet
    assert len(pairs()) == 1
    page.until(lambda: held)
    held.pop().continue_()
    page.until(lambda: pair() != first and arena.get_attribute("aria-busy") == "false")
    assert part.locator("xpath=self::*[@aria-pressed]").count() == 0

    # The choice can be taken back before the server has said anything, and the same pair is asked again.
    second = pair()
    page.keys("ArrowLeft", "Backspace")
    assert len(pairs()) == 1 and pair() == second and arena.get_attribute("aria-busy") == "false"
    page.until(lambda: len(held) == 2)
    while held:
        held.pop().continue_()
    page.settle(6)
    assert pair() == second

    # A server that fails costs a sentence and nothing else.
    page.tab.unroute("**/viper/next")
    page.tab.route("**/viper/next", lambda route: route.abort())
    page.keys("ArrowLeft")
    note.wait_for()
    assert len(pairs()) == 2 and "does not answer" in note.inner_text() and page.flaws("ranking", node) == []
    assert [one.get_attribute("aria-pressed") for one in part.all()] == ["true", None]
    page.shot("no answer")
    page.tab.unroute("**/viper/next")
    again.click()
    page.until(lambda: pair() != second and arena.get_attribute("aria-busy") == "false")
    assert not note.is_visible() and not again.is_visible() and len(pairs()) == 2
    page.forgive(r"Failed to load resource: net::ERR_FAILED .*/viper/next")


def test_a_ranking_and_a_comment_alone_can_be_run(page, pictures):
    rank = page.create("ViPerRankPictures", 0, 0)
    page.set(rank, "ranking", json.dumps({"version": 1, "pictures": pictures, "pairs": [[0, 1], [0, 2]]}))
    said = commented(page, "soft pastel colors", x=520)
    entry = page.run()
    assert set(entry["outputs"]) <= {rank, said}


def test_pictures_of_the_last_run_are_one_click_away(page, pictures):
    load, shown = page.create("LoadImage", 0, 0), page.create("PreviewImage", 340, 0)
    page.set(load, "image", "swatches/indigo.png")
    page.wire(load, 0, shown, "images")
    node = page.create("ViPerCommentOnImages", 700, 0)
    page.run()
    last = page.part("comments", node, "last-run")
    page.wait("() => !document.querySelector('[data-viper-part=last-run]').disabled")
    last.click()
    cards(page, node).nth(0).wait_for()
    cards(page, node).nth(0).locator("[data-viper-part=like]").click()
    # A preview would be gone at the next start: a copy is kept.
    page.until(lambda: '"input"' in page.value(node, "comments"))
    assert entries(page, node) == [("", "like")]


# --- profiles --------------------------------------------------------------------------------------------------------


def test_a_pasted_share_code_shows_whose_taste_it_is(page, page_server):
    with page_server.client() as client:
        taste = {"class_type": "ViPerPreferencesFromText", "inputs": {"liked": "purple tones, halftone dots", "disliked": "pale colors"}}
        save = {"class_type": "ViPerSavePreferences", "inputs": {"preferences": ["1", 0], "name": "a friend"}}
        code = client.run({"1": taste, "2": save})["outputs"]["2"]["text"][0]
    node = page.create("ViPerLoadPreferences", 0, 0)
    box = page.part("profile", node, "code")
    box.click()
    page.js("async code => { await navigator.clipboard.writeText(code) }", code)
    page.keys("Control+v")
    page.view("profile", node).locator('[data-feature="halftone dots"][data-side=liked]').wait_for()
    page.view("profile", node).locator('[data-feature="pale colors"][data-side=disliked]').wait_for()
    assert page.value(node, "share_code") == code and len(page.nodes()) == 1
    page.shot("code")
    page.blur()
    box.fill(code[:-4])
    page.part("profile", node, "complaint").wait_for()
    assert page.flaws("profile", node) == []
    page.forgive(r"Failed to load resource: .*400.*/viper/profile")
    page.shot("broken code")
