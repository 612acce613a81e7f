"""From an empty graph to a personalised picture, as an artist goes: nodes, pictures, words, a reload, a run, a correction, a run."""

from PIL import Image, ImageChops, ImageDraw


def paint(path, ground, mark):
    """A small picture: a disc on a ground."""
    picture = Image.new("RGB", (96, 96), ground)
    ImageDraw.Draw(picture).ellipse((24, 24, 72, 72), fill=mark)
    picture.save(path)
    return str(path)


def differ(a, b):
    return ImageChops.difference(a, b).getbbox() is not None


def test_an_artist_gets_from_an_empty_graph_to_a_picture_of_their_taste(page, page_server, tmp_path):
    files = [paint(tmp_path / f"{page.name}_{n}.png", *colors) for n, colors in enumerate([("orange", "brown"), ("lightgray", "white")])]

    # The nodes, by name, and the wires, by hand.
    page.look_at(0, 0, 0.62)
    said = page.add("Comment on Images", 0, 40)
    found = page.add("Comments → Preferences", 520, 40)
    pocket = page.add("Load Pocket Model", 520, 720)
    positive = page.add("CLIP Text Encode (Prompt)", 960, 40)
    negative = page.add("CLIP Text Encode (Prompt)", 960, 400)
    latent = page.add("Empty Latent Image", 960, 760)
    conditioning = page.add("Preference Conditioning", 1400, 40)
    sampler = page.add("KSampler (Preference)", 1400, 560)
    decode = page.add("VAE Decode", 1860, 40)
    shown = page.add("Preview Image", 1860, 300)
    page.shot("nodes")
    wires = [
        (said, 0, found, "comments"), (pocket, 1, positive, "clip"), (pocket, 1, negative, "clip"), (pocket, 1, conditioning, "clip"),
        (found, 0, conditioning, "preferences"), (positive, 0, conditioning, "positive"), (negative, 0, conditioning, "negative"),
        (conditioning, 0, sampler, "positive"), (conditioning, 1, sampler, "negative"), (conditioning, 2, sampler, "liked"),
        (conditioning, 3, sampler, "disliked"), (conditioning, 4, sampler, "beta"), (pocket, 0, sampler, "model"),
        (latent, 0, sampler, "latent_image"), (sampler, 0, decode, "samples"), (pocket, 2, decode, "vae"), (decode, 0, shown, "images"),
    ]  # fmt: skip
    for wire in wires:
        page.connect(*wire)
    assert page.links() == set(wires)
    for node, name, value in [
        (positive, "text", "a house"), (latent, "width", 128), (latent, "height", 128), (sampler, "steps", 8), (sampler, "cfg", 3),
        (sampler, "control_after_generate", "fixed"), (sampler, "seed", 7),
    ]:  # fmt: skip
        page.set(node, name, value)
    page.shot("wired")

    # Pictures from disk, a word on each.
    page.look_at(0, 0, 1)
    view = page.view("comments", said)
    view.locator("[data-viper-part=pictures]").click()
    with page.tab.expect_file_chooser() as chooser:
        view.locator("[data-viper-part=picker]").get_by_role("button", name="Upload").click()
    chooser.value.set_files(files)
    cards = view.locator("[data-viper-part=card]")
    cards.nth(1).wait_for(state="attached")
    if view.locator("[data-viper-part=picker]").is_visible():
        view.locator("[data-viper-part=picker]").get_by_role("button", name="Done").click()
    for card, words, verdict in ((cards.nth(0), "I love the warm colors", "like"), (cards.nth(1), "much too pale for me", "dislike")):
        card.locator("[data-viper-part=say]").click()
        page.type(words)
        card.locator(f"[data-viper-part={verdict}]").click()
    cards.nth(0).locator("[data-viper-part=found] [data-feature]").first.wait_for()
    page.shot("commented")

    # Tomorrow it is still there.
    page.reload(kept="much too pale for me")
    view = page.view("comments", said)
    cards = view.locator("[data-viper-part=card]")
    cards.nth(1).wait_for()
    assert [cards.nth(i).locator("textarea").input_value() for i in range(2)] == ["I love the warm colors", "much too pale for me"]
    assert [cards.nth(i).locator("[aria-checked=true]").get_attribute("data-viper-part") for i in range(2)] == ["like", "dislike"]
    page.wait("() => [...document.querySelectorAll('[data-viper=comments] img')].filter(i => i.naturalWidth > 0).length === 2")
    page.shot("reloaded")

    # A first picture, and what was understood, as chips.
    first = page.pictures(page.run(), shown)[0]
    page.look_at(480, 0, 1)
    chips = page.view("chips", found).locator("[data-viper-part=chip]")
    chips.first.wait_for()
    liked = page.view("chips", found).locator("[data-side=liked]").first.get_attribute("data-feature")
    page.shot("chips")

    # One of them is wrong.
    page.view("chips", found).locator(f'[data-feature="{liked}"]').click()
    page.view("chips", found).locator("[data-viper-part=to-dislike]").click()
    page.view("chips", found).locator(f'[data-feature="{liked}"][data-side=disliked]').wait_for()
    page.shot("corrected")
    second = page.pictures(page.run(), shown)[0]
    page.view("chips", found).locator(f'[data-feature="{liked}"][data-side=disliked]').wait_for()
    page.look_at(1380, 0, 0.8)
    page.shot("picture")

    # Both differ from each other and from the picture without a taste.
    graph = page.prompt()
    graph[conditioning]["inputs"]["beta"] = 0.0
    with page_server.client() as client:
        plain = client.images(client.run(graph), shown)[0].convert("RGB")
    assert differ(first, plain) and differ(second, plain) and differ(first, second)
