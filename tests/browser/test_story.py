"""From an empty graph to a personalised picture, as an artist goes: nodes, a run, words, a reload, a run, a correction, a run.

With VIPER_SHOTS each step is written as a picture, drawn as finely as a person would see it: docs/first_taste.md shows some of them.
"""

from PIL import Image, ImageChops, ImageDraw

SAID = (  # about what the first run drew: plain houses
    ("I love the thick outlines, they are so clear", "like"),
    ("it is too pale for me", None),
    ("I'd love it in warm autumn colors, like at sunset", None),
    ("I can't stand the empty white background", "dislike"),
)


def paint(path, ground, mark):
    """A small picture: a disc on a ground."""
    picture = Image.new("RGB", (96, 96), ground)
    ImageDraw.Draw(picture).ellipse((24, 24, 72, 72), fill=mark)
    picture.save(path)
    return str(path)


def differ(a, b):
    return ImageChops.difference(a, b).getbbox() is not None


def test_an_artist_gets_from_an_empty_graph_to_a_picture_of_their_taste(page, page_server, tmp_path):
    page.tab.set_viewport_size({"width": 1200, "height": 560})
    page.look_at(0, 0, 0.7)

    # The nodes, by name, and the wires, by hand.
    said = page.add("Comment on Images", 0, 40, shot="search")
    found = page.add("Comments → Preferences", 500, 40)
    drawn = page.add("Pictures to My Taste (pocket model)", 930, 40)
    shown = page.add("Preview Image", 1290, 40)
    wires = [(said, 0, found, "comments"), (found, 0, drawn, "preferences"), (drawn, 0, shown, "images")]
    for wire in wires:
        page.connect(*wire)
    page.js("id => app.canvas.graph.getNodeById(id).setSize([250, 330])", shown)
    assert page.links() == set(wires)
    page.shot("wired")

    # A first run: nobody has said anything yet.
    if not page.shots:
        page.set(drawn, "steps", 4)
    plain = page.pictures(page.run(), shown)
    page.shot("plain")

    # Its pictures, and one from disk, with a word on each.
    page.part("comments", said, "last-run").click()
    cards = page.part("comments", said, "card")
    cards.nth(3).wait_for(state="attached")
    for n, (words, verdict) in enumerate(SAID):
        cards.nth(n).locator("[data-viper-part=say]").click()
        page.type(words)
        if verdict:
            cards.nth(n).locator(f"[data-viper-part={verdict}]").click()
    page.part("comments", said, "taste").locator("[data-feature]").nth(3).wait_for()
    page.shot("commented")
    page.part("comments", said, "pictures").click()
    picker = page.part("comments", said, "picker")
    with page.tab.expect_file_chooser() as chooser:
        picker.get_by_role("button", name="Upload").click()
    chooser.value.set_files([paint(tmp_path / f"{page.name}.png", "orange", "brown")])
    cards.nth(4).wait_for(state="attached")
    if picker.is_visible():
        picker.get_by_role("button", name="Done").click()
    cards.nth(4).locator("[data-viper-part=say]").click()
    page.type("soft light")

    # Tomorrow it is still there, and so is the sentence that was being written.
    page.reload(kept=SAID[-1][0])
    cards.nth(4).wait_for(state="attached")
    told = [*SAID, ("soft light", None)]
    assert [cards.nth(n).locator("textarea").input_value() for n in range(5)] == [words for words, _ in told]
    assert [cards.nth(n).get_attribute("data-verdict") for n in range(5)] == [verdict or "neutral" for _, verdict in told]
    page.wait("""() => { const all = [...document.querySelectorAll('[data-viper=comments] .viper-thumb img')];
        return all.length === 5 && all.every(i => (i.loading = 'eager') && i.naturalWidth > 0) }""")

    # Pictures to the taste, and what was understood, as chips.
    page.look_at(0, 0, 0.7)
    first = page.pictures(page.run(), shown)
    chip = page.view("chips", found).locator
    chip('[data-feature="thick outlines"][data-side=liked]').wait_for()
    page.shot("personalised")

    # Something is wrong, and something is missing.
    chip('button[data-feature="clear"]').click()
    page.part("chips", found, "to-forget").click()
    page.part("chips", found, "add-feature").click()
    page.type("sunset")
    page.keys("Enter")
    chip('[data-feature="sunset"][data-side=liked]').wait_for()
    second = page.pictures(page.run(), shown)
    chip('[data-feature="sunset"][data-side=liked]').wait_for()
    assert not page.view("chips", found).locator('[data-feature="clear"]:not(.viper-forgotten)').count()
    page.shot("corrected")
    assert len(plain) == len(first) == len(second) == 4
    for a, b in ((first, plain), (second, plain), (first, second)):
        assert all(differ(*two) for two in zip(a, b, strict=True))
