"""The example graphs and the nodes' errors, as a user's client meets them: over HTTP, on one running host."""

import json
from pathlib import Path

import pytest
from PIL import ImageChops

WORKFLOWS = Path(__file__).resolve().parent.parent / "workflows"
NAMES = sorted(p.stem for p in WORKFLOWS.glob("*.json"))
# The readers are run by test_extractor_nodes.py, subjects by test_subject_workflows.py, the authors' settings below.
NEED_MODELS = ("read_with", "score_with", "measure_with", "official")
NEED_NOTHING = [name for name in NAMES if not name.startswith(NEED_MODELS) and "subject" not in name]


def api(name):
    return json.loads((WORKFLOWS / "api" / f"{name}.json").read_text(encoding="utf-8"))


def node(type, **inputs):
    return {"class_type": type, "inputs": inputs}


def find(graph, type):
    return next(spec["inputs"] for spec in graph.values() if spec["class_type"] == type)


def show(*links):
    return {f"show{i}": node("PreviewAny", source=link) for i, link in enumerate(links)}


# --- the files -------------------------------------------------------------------------------------------------------


def test_the_example_graphs_are_there_with_thumbnails_and_api_twins():
    assert NAMES == ["apply_to_any_sampler", "blind_test", "comments_to_picture", "image_set", "keep_the_best", "learn_my_taste",
                     "measure_a_subject", "measure_with_clip", "my_subject_my_taste", "official_sdxl", "protocol_prompts",
                     "read_with_a_server", "read_with_vlm", "read_with_vpe", "score_with_the_proxy", "share_a_taste", "strength_sweep",
                     "subject_as_art", "subject_changed", "subject_elsewhere", "subject_from_other_sides", "taste_without_words",
                     "train_a_subject"]  # fmt: skip
    for name in NAMES:
        assert (WORKFLOWS / f"{name}.jpg").stat().st_size < 120_000
        assert api(name)


def as_api(ui, infos):
    """What the page queues for a saved workflow: widgets by the host's order of inputs, wires by their links."""
    from viper.devtools.graphs import input_specs

    wires = {link: [str(source), slot] for link, source, slot, *_ in ui["links"]}
    graph = {}
    for saved in ui["nodes"]:
        if saved["type"] == "MarkdownNote":
            continue
        values, inputs = list(saved["widgets_values"]), {}
        slots = {slot["name"]: slot for slot in saved["inputs"]}
        for name, _, options, is_widget in input_specs(infos[saved["type"]]):
            if is_widget:
                inputs[name] = values.pop(0)
                if options.get("control_after_generate"):
                    values.pop(0)
            if slots[name]["link"] is not None:
                inputs[name] = wires[slots[name]["link"]]
        assert values == [], f"{saved['type']} has widget values left over"
        graph[str(saved["id"])] = {"class_type": saved["type"], "inputs": inputs}
    return graph


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_file_queues_exactly_what_its_api_twin_does(client, name):
    ui = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    twin = {k: {"class_type": v["class_type"], "inputs": v["inputs"]} for k, v in api(name).items()}
    assert as_api(ui, client.object_info()) == twin
    assert any(n["type"] == "MarkdownNote" for n in ui["nodes"]), "no note on the canvas"
    for link, source, slot, target, place, kind in ui["links"]:
        ends = {n["id"]: n for n in ui["nodes"]}
        assert link in ends[source]["outputs"][slot]["links"] and ends[target]["inputs"][place]["link"] == link
        assert ends[target]["inputs"][place]["type"] == kind


def saved(client, graph):
    """The pictures of its Save Image nodes."""
    entry = client.run(graph)
    return [p for key, spec in graph.items() if spec["class_type"] == "SaveImage" for p in client.images(entry, key)]


@pytest.mark.parametrize("name", NEED_NOTHING)
def test_an_example_graph_runs_and_runs_again_to_the_same_pictures(client, name):
    graph = api(name)
    first = saved(client, graph)
    assert first and all(picture.size == (128, 128) for picture in first)
    for spec in graph.values():
        if spec["class_type"] == "SaveImage":
            spec["inputs"]["filename_prefix"] += "_again"
        if "seed" in spec["inputs"]:
            spec["inputs"]["seed"] += 1
    other = saved(client, graph)
    for spec in graph.values():
        if "seed" in spec["inputs"]:
            spec["inputs"]["seed"] -= 1
    again = saved(client, graph)
    assert all(ImageChops.difference(a, b).getbbox() is None for a, b in zip(first, again, strict=True))
    if name != "apply_to_any_sampler":
        assert any(ImageChops.difference(a, b).getbbox() for a, b in zip(first, other, strict=True))


def test_the_graph_for_a_clip_measures_with_the_pocket_encoders_where_there_is_none(client):
    graph = api("measure_with_clip")
    needed = {"CLIPVisionLoader", "CLIPLoader", "ViPerCLIPEncoder", "ViPerInceptionScore"}
    gone = {key for key, spec in graph.items() if spec["class_type"] in needed}
    assert len(gone) == 4
    left = {
        key: {**spec, "inputs": {k: v for k, v in spec["inputs"].items() if not (isinstance(v, list) and v[0] in gone)}}
        for key, spec in graph.items()
        if key not in gone
    }
    (table,) = client.texts(client.run(left))[next(key for key, spec in left.items() if spec["class_type"] == "PreviewAny")]
    assert "identity stability" in table and "prompt fidelity" in table and "pocket" in table


def test_the_authors_settings_run_with_any_two_models(client):
    graph = api("official_sdxl")
    samplers = [spec["inputs"] for spec in graph.values() if spec["class_type"] == "KSamplerAdvanced"]
    assert [(s["cfg"], s["steps"], s["start_at_step"], min(s["end_at_step"], 40)) for s in samplers] == [(5, 40, 0, 32), (5, 40, 32, 40)]
    assert find(graph, "ViPerPreferenceConditioning")["beta"] == 0.85
    for spec in graph.values():
        if spec["class_type"] == "CheckpointLoaderSimple":
            spec.update(node("ViPerLoadPocketModel"))
    find(graph, "EmptyLatentImage").update(width=128, height=128)
    (picture,) = saved(client, graph)
    find(graph, "ViPerPreferenceConditioning")["beta"] = 0.0
    (plain,) = saved(client, graph)
    assert ImageChops.difference(picture, plain).getbbox()


def test_the_strength_sweep_starts_at_the_hosts_own_picture_and_leaves_it_further_behind(client):
    graph = api("strength_sweep")
    pictures = client.images(client.run(graph))
    cond, ksampler = find(graph, "ViPerPreferenceConditioning"), find(graph, "ViPerKSampler")
    plain = {k: v for k, v in ksampler.items() if k not in ("liked", "disliked", "beta")}
    graph["plain"] = node("KSampler", **{**plain, "positive": cond["positive"], "negative": cond["negative"]})
    graph["decode"] = node("VAEDecode", samples=["plain", 0], vae=find(graph, "VAEDecode")["vae"])
    graph["save"] = node("PreviewImage", images=["decode", 0])
    host = client.images(client.run(graph), "save")[0]
    assert ImageChops.difference(pictures[0].convert("RGB"), host.convert("RGB")).getbbox() is None

    def distance(picture):
        histogram = ImageChops.difference(picture.convert("L"), host.convert("L")).histogram()
        return sum(value * count for value, count in enumerate(histogram)) / (128 * 128)

    distances = [distance(p) for p in pictures]
    assert distances[0] == 0 and distances[1] > 0.5 and distances[3] > distances[1]


def test_taste_without_words_is_found_and_seen_in_the_picture(client):
    """As the graph's note says: the blue trees were put above the brown ones."""
    graph = api("taste_without_words")
    entry = client.run(graph)
    said = next(key for key, spec in graph.items() if spec["_meta"]["title"] == "Liked")
    assert "blue tones" in entry["outputs"][said]["text"][0]

    def blueness(pictures):
        return sum(b - r for p in pictures for r, _, b in [p.convert("RGB").resize((1, 1)).getpixel((0, 0))]) / len(pictures)

    drawn = next(key for key, spec in graph.items() if spec["class_type"] == "SaveImage")
    find(graph, "ViPerPreferenceConditioning")["beta"] = 0.0
    plain = client.images(client.run(graph), drawn)
    assert blueness(client.images(entry, drawn)) > blueness(plain) + 20


def test_both_samplers_of_the_third_graph_make_one_picture(client):
    a, b = client.images(client.run(api("apply_to_any_sampler")))
    # The host draws the same noise for both; different code paths may round the last bit of a pixel differently.
    assert max(high for _, high in ImageChops.difference(a.convert("RGB"), b.convert("RGB")).getextrema()) <= 2


# --- cancel ----------------------------------------------------------------------------------------------------------


def test_cancel_in_mid_run_stops_within_a_step_and_the_next_run_gives_the_same_picture(client):
    from viper.devtools.client import ExecutionFailed

    graph = api("comments_to_picture")
    before = client.images(client.run(graph))
    sampler = find(graph, "ViPerKSampler")
    sampler["steps"], steps_seen = 300, []

    def cancel_at_five(event):
        if event["type"] == "progress":
            steps_seen.append(event["data"]["value"])
            if event["data"]["value"] == 5:
                client.interrupt()

    with pytest.raises(ExecutionFailed) as failure:
        client.run(graph, on_event=cancel_at_five)
    assert failure.value.interrupted and max(steps_seen) < 100
    sampler["steps"] = 20
    find(graph, "SaveImage")["filename_prefix"] = "viper/after_cancel"
    after = client.images(client.run(graph))
    assert all(ImageChops.difference(a, b).getbbox() is None for a, b in zip(before, after, strict=True))


def test_previews_come_while_it_samples(client):
    seen = []
    graph = api("comments_to_picture")
    find(graph, "ViPerKSampler")["seed"] = 4711
    client.run(graph, on_event=seen.append)
    assert any(e["type"] == "preview" for e in seen) and any(e["type"] == "progress" for e in seen)


# --- invalid input, node by node -------------------------------------------------------------------------------------

TASTE = node("ViPerPreferencesFromText", liked="pastel", disliked="grainy")
POCKET = {
    "model": node("ViPerLoadPocketModel"),
    "positive": node("CLIPTextEncode", clip=["model", 1], text="a house"),
    "taste": TASTE,
    "latent": node("EmptyLatentImage", width=128, height=128, batch_size=1),
}
COND = {
    "clip": ["model", 1],
    "preferences": ["taste", 0],
    "positive": ["positive", 0],
    "negative": ["positive", 0],
    "beta": 0.6,
    "mode": "paper",
}
SIDES = {"liked": ["positive", 0], "disliked": ["positive", 0]}
KSAMPLER = {
    **{
        "model": ["model", 0],
        "seed": 1,
        "steps": 1,
        "cfg": 4.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
        "beta": 0.6,
    },
    **{"positive": ["positive", 0], "negative": ["positive", 0], "latent_image": ["latent", 0], **SIDES},
}
GUIDER = {"model": ["model", 0], "positive": ["positive", 0], "negative": ["positive", 0], "cfg": 4.0, "beta": 0.6, **SIDES}
OPTIONS = {"start_percent": 0.0, "end_percent": 1.0, "schedule": "exact", "rescale": 0.0}

REFUSED = [
    (node("ViPerCommentOnImages", comments='{"version": 99, "comments": []}'), "version 99"),
    (node("ViPerCommentOnImages", comments='{"version": 1, "comments": [{"text": 5}]}'), "comment 1"),
    (node("ViPerCommentsToPreferences", comments=["said", 0], overrides="make it nicer please"), "Line 1"),
    (node("ViPerCommentsToPreferences", comments=["said", 0], max_features=-3), "smaller than min"),
    (node("ViPerCommentsToPreferences", comments=["taste", 0]), "mismatch"),
    (node("ViPerPreferencesFromText", liked="pastel"), "Required input is missing: disliked"),
    (node("ViPerSavePreferences", preferences=["taste", 0], name="../outside"), "name cannot hold"),
    (node("ViPerSavePreferences", preferences=["taste", 0], name="  "), "needs a name"),
    (node("ViPerLoadPreferences", profile="none", share_code="vp1-broken"), "code"),
    (node("ViPerLoadPreferences", profile="nobody", share_code=""), "no profile named"),
    (node("ViPerMergePreferences", a=["taste", 0], b=["taste", 0], operation="multiply", weight=0.5), "no operation called"),
    (node("ViPerMergePreferences", a=["taste", 0], b=["taste", 0], operation="blend", weight=7.0), "bigger than max"),
    (node("ViPerEditPreferences", preferences=["taste", 0], edits="+ soft light\nbrighter"), "Line 2"),
    (node("ViPerPreferenceConditioning", **{**COND, "beta": 9.0}), "bigger than max"),
    (node("ViPerPreferenceConditioning", **{**COND, "mode": "fancy"}), "no mode called"),
    (node("ViPerKSampler", **{**KSAMPLER, "beta": -0.5}), "smaller than min"),
    (node("ViPerKSampler", **{**KSAMPLER, "sampler_name": "magic"}), "no sampler called"),
    (node("ViPerGuider", **{**GUIDER, "beta": 3.0}), "bigger than max"),
    (node("ViPerApplyGuidance", model=["model", 0], beta=3.0, **SIDES), "bigger than max"),
    (node("ViPerGuidanceOptions", **{**OPTIONS, "start_percent": 0.9, "end_percent": 0.1}), "before it starts"),
    (node("ViPerGuidanceOptions", **{**OPTIONS, "start_percent": -1.0}), "between 0 and 1"),
    (node("ViPerGuidanceOptions", **{**OPTIONS, "schedule": "never"}), "no schedule called"),
]


@pytest.mark.parametrize("bad, reason", REFUSED, ids=[f"{n['class_type']}-{reason[:20]}" for n, reason in REFUSED])
def test_bad_input_is_refused_before_the_run_with_one_clear_sentence(client, bad, reason):
    from viper.devtools.client import Refused

    graph = {**POCKET, "said": node("ViPerCommentOnImages", comments="nice"), "bad": bad}
    graph |= {} if bad["class_type"] == "ViPerSavePreferences" else show(["bad", 0])
    with pytest.raises(Refused, match=reason):
        client.run(graph)


def test_what_can_only_be_known_in_the_run_stops_it_with_one_clear_sentence(client):
    from viper.devtools.client import ExecutionFailed

    wide = {**POCKET, "bad": node("ViPerEditPreferences", preferences=["taste", 0], edits=["words", 0])}
    wide["words"] = node("PrimitiveString", value="brighter")
    with pytest.raises(ExecutionFailed, match="Line 1") as failure:
        client.run(wide | show(["bad", 0]))
    assert "\n" not in failure.value.message


# --- preferences through the host ------------------------------------------------------------------------------------


def test_a_saved_profile_is_listed_loaded_and_shared(client):
    save = {"taste": TASTE, "save": node("ViPerSavePreferences", preferences=["taste", 0], name="나의 취향")}
    code = client.run(save)["outputs"]["save"]["text"][0]
    options = client.object_info("ViPerLoadPreferences")["input"]["required"]["profile"]
    assert "나의 취향" in json.dumps(options, ensure_ascii=False)
    for inputs in ({"profile": "나의 취향", "share_code": ""}, {"profile": "gone elsewhere", "share_code": f"  {code}\n"}):
        graph = {"load": node("ViPerLoadPreferences", **inputs), "edit": node("ViPerEditPreferences", preferences=["load", 0], edits="")}
        texts = client.texts(client.run(graph | show(["edit", 1], ["edit", 2])))
        assert texts == {"show0": ["pastel"], "show1": ["grainy"]}


def test_a_profile_saved_anew_is_loaded_anew(client):
    load = {"load": node("ViPerLoadPreferences", profile="anew", share_code="")}
    graph = load | {"edit": node("ViPerEditPreferences", preferences=["load", 0], edits="")} | show(["edit", 1])
    for words in ("sepia", "neon glow"):
        taste = node("ViPerPreferencesFromText", liked=words, disliked="")
        client.run({"taste": taste, "save": node("ViPerSavePreferences", preferences=["taste", 0], name="anew")})
        assert client.texts(client.run(graph)) == {"show0": [words]}


def test_comments_become_preferences_and_overrides_correct_them(client):
    graph = {
        "said": node("ViPerCommentOnImages", comments="I love soft pastel colors.\n- far too grainy"),
        "found": node("ViPerCommentsToPreferences", comments=["said", 0], overrides="+ torn paper edges\n~ grainy"),
    }
    texts = client.texts(client.run(graph | show(["found", 1], ["found", 2])))
    assert "pastel" in texts["show0"][0] and "torn paper edges" in texts["show0"][0]
    assert "grain" not in texts["show1"][0]


@pytest.mark.parametrize("comments", ["", "   \n\n", '{"version": 1, "comments": []}', "…"])
def test_nothing_to_say_gives_the_plain_picture(client, comments):
    graph = api("comments_to_picture")
    find(graph, "EmptyLatentImage")["batch_size"] = 1
    find(graph, "ViPerCommentOnImages")["comments"] = comments
    cond, ksampler = find(graph, "ViPerPreferenceConditioning"), find(graph, "ViPerKSampler")
    plain = {k: v for k, v in ksampler.items() if k not in ("liked", "disliked", "beta")}
    graph["plain"] = node("KSampler", **{**plain, "positive": cond["positive"], "negative": cond["negative"]})
    graph["decode"] = node("VAEDecode", samples=["plain", 0], vae=find(graph, "VAEDecode")["vae"])
    graph["save"] = node("PreviewImage", images=["decode", 0])
    entry = client.run(graph)
    ours, host = (
        client.images(entry, next(k for k, v in graph.items() if v["class_type"] == "SaveImage"))[0],
        client.images(entry, "save")[0],
    )
    assert max(high for _, high in ImageChops.difference(ours.convert("RGB"), host.convert("RGB")).getextrema()) <= 1


def test_a_picture_from_a_temporary_place_is_kept_and_a_missing_one_only_warns(client, server):
    from PIL import Image

    folder = server.base / "input" / "viper"
    before = set(folder.iterdir()) if folder.exists() else set()  # other tests of this server keep pictures too
    stored = client.upload(Image.new("RGB", (8, 8), "teal"), "made_just_now.png", type="temp")
    comments = [
        {"text": "I love this pastel look", "verdict": "like", "image": {"filename": stored["name"], "subfolder": "", "type": "temp"}},
        {"text": "too grainy", "verdict": "dislike", "image": {"filename": "gone.png", "subfolder": "", "type": "output"}},
    ]
    said = node("ViPerCommentOnImages", comments=json.dumps({"version": 1, "comments": comments}))
    graph = {"said": said, "found": node("ViPerCommentsToPreferences", comments=["said", 0])}
    texts = client.texts(client.run(graph | show(["found", 1], ["found", 2])))
    assert "pastel" in texts["show0"][0] and "grain" in texts["show1"][0]
    kept = [path for path in folder.iterdir() if path not in before]
    assert len(kept) == 1 and Image.open(kept[0]).getpixel((0, 0)) == (0, 128, 128)
    assert "gone.png" in server.log_text()


# --- subgraphs of the node search -------------------------------------------------------------------------------------

BLUEPRINTS = sorted((WORKFLOWS.parent / "subgraphs").glob("*.json"), key=lambda p: p.name)


def test_the_subgraphs_are_there():
    assert [p.stem for p in BLUEPRINTS] == ["Pictures to My Taste (pocket model)", "Pictures to My Taste"]


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda p: p.stem)
def test_every_wire_of_a_subgraph_joins_two_slots_of_its_kind(path, client):
    infos = client.object_info()
    data = json.loads(path.read_text(encoding="utf-8"))
    (outer,), (inner,) = data["nodes"], data["definitions"]["subgraphs"]
    assert outer["type"] == inner["id"] and [i["name"] for i in outer["inputs"]] == [i["name"] for i in inner["inputs"]]
    nodes = {n["id"]: n for n in inner["nodes"]}
    for node in nodes.values():
        names = [i["name"] for i in node["inputs"]]
        assert set(names) == {name for group in ("required", "optional") for name in infos[node["type"]]["input"].get(group, {})}
        widgets = ["widget" in i for i in node["inputs"]]
        assert widgets == sorted(widgets), "the page puts sockets before widgets"
    for link in inner["links"]:
        sources = inner["inputs"] if link["origin_id"] == -10 else nodes[link["origin_id"]]["outputs"]
        targets = inner["outputs"] if link["target_id"] == -20 else nodes[link["target_id"]]["inputs"]
        source, target = sources[link["origin_slot"]], targets[link["target_slot"]]
        assert source["type"] == target["type"] == link["type"]
        assert link["id"] in (source.get("linkIds") or source.get("links"))
        assert link["id"] == target.get("link") or link["id"] in target.get("linkIds", ())
