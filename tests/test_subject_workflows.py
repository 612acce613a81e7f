"""The example graphs of DreamBooth on the running host: a subject is trained, and then seen in new looks."""

import numpy as np
import pytest
from PIL import Image

from viper.tests.test_workflows import NAMES, api, find, show

SUBJECTS = [name for name in NAMES if "subject" in name and not name.startswith("measure")]


def pictures(client, graph, entry):
    return [p.convert("RGB") for k, spec in graph.items() if spec["class_type"] == "SaveImage" for p in client.images(entry, k)]


def short(graph, name, steps=4):
    """The graph with a training of a few steps, under a name of its own."""
    find(graph, "ViPerDreamBoothTrain").update(steps=steps, name=name)
    find(graph, "ViPerTrainingOptions").update(class_images=2, batch_size=1, preview_prompt="", preview_every=0)
    return graph


def test_every_use_of_the_paper_has_its_graph():
    assert SUBJECTS == ["my_subject_my_taste", "subject_as_art", "subject_changed", "subject_elsewhere", "subject_from_other_sides",
                        "train_a_subject"]  # fmt: skip


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_graph_runs_and_another_seed_of_the_sampler_does_not_train_again(client, server, name):
    graph = short(api(name), f"short {name}")
    first = pictures(client, graph, client.run(graph))
    assert first and all(p.size == (128, 128) for p in first)
    state = server.base / "output" / "viper" / "training" / f"short {name}" / "state.pt"
    trained = state.stat().st_mtime_ns
    for spec in graph.values():
        if "KSampler" in spec["class_type"]:
            spec["inputs"]["seed"] += 1
    other = pictures(client, graph, client.run(graph))
    assert state.stat().st_mtime_ns == trained
    assert any((np.asarray(a) != np.asarray(b)).any() for a, b in zip(first, other, strict=True))


def test_a_subject_that_the_model_never_saw_is_seen_again_in_a_new_look_and_its_class_stays(client):
    """The example as it ships: a hundred steps."""
    from viper.pocket.subjects import subject_pictures

    graph = api("train_a_subject")
    sampler, decode, said = (next(k for k, v in graph.items() if v["class_type"] == t) for t in ("KSampler", "VAEDecode", "CLIPTextEncode"))
    plain = {  # what the model draws of the class before and after
        "class": {"class_type": "CLIPTextEncode", "inputs": {**graph[said]["inputs"], "text": "a lizard"}},
        "untrained": {"class_type": "KSampler", "inputs": {**graph[sampler]["inputs"], "positive": ["class", 0], "model": ["1", 0]}},
        "trained": {"class_type": "KSampler", "inputs": {**graph[sampler]["inputs"], "positive": ["class", 0]}},
    }
    for name in ("untrained", "trained"):
        plain[f"{name} pixels"] = {"class_type": "VAEDecode", "inputs": {**graph[decode]["inputs"], "samples": [name, 0]}}
        plain[f"{name} file"] = {"class_type": "SaveImage", "inputs": {"images": [f"{name} pixels", 0], "filename_prefix": name}}
    assert graph["1"]["class_type"] == "ViPerLoadPocketModel"
    word = next(k for k, v in graph.items() if v["class_type"] == "ViPerDreamBoothTrain")
    entry = client.run(graph | plain | show([word, 6]))
    subject, in_watercolor, in_blue, at_night = pictures(client, graph, entry)
    before, after = (client.images(entry, f"{name} file")[0].convert("RGB") for name in ("untrained", "trained"))
    assert client.texts(entry)["show0"][0].endswith(" lizard")

    poses = [Image.fromarray((255 * p.numpy()).astype(np.uint8)) for p in subject_pictures("t-rex")]
    grey = [np.asarray(pose.convert("L").resize((128, 128))) for pose in poses]

    def likeness(picture):
        """To the best of its four poses: 1 is the same up to brightness and contrast."""
        return max(np.corrcoef(pose.ravel(), np.asarray(picture.convert("L")).ravel())[0, 1] for pose in grey)

    assert likeness(subject) > 0.85, "the subject is seen again"
    assert likeness(before) < 0.6 and likeness(after) < 0.6, "a lizard is no t-rex, before and after"
    colours = [np.asarray(p, np.float32).mean((0, 1)) for p in (subject, in_blue, at_night)]
    assert colours[1][2] > colours[1][0] + 30, "blue tones"
    assert colours[2].mean() < colours[0].mean() - 60, "night"
    shape = [np.asarray(p.convert("L"), np.float32) for p in (subject, in_watercolor, in_blue)]
    assert all(np.corrcoef(shape[0].ravel(), other.ravel())[0, 1] > 0.6 for other in shape[1:]), "the same shape"


def test_a_subject_that_was_saved_is_loaded_with_its_prompt_in_another_graph(client, server):
    graph = short(api("train_a_subject"), "to save", steps=2)
    find(graph, "ViPerSaveSubject").update(name="my t-rex")
    client.run(graph)
    told = client.object_info("ViPerLoadSubject")["input"]["required"]["subject"]
    choices = told[0] if isinstance(told[0], list) else told[1]["options"]
    name = next(c for c in choices if "my t-rex" in c)
    loaded = {
        "pocket": {"class_type": "ViPerLoadPocketModel", "inputs": {}},
        "load": {"class_type": "ViPerLoadSubject", "inputs": {"model": ["pocket", 0], "clip": ["pocket", 1], "subject": name}},
    }
    texts = client.texts(client.run(loaded | show(["load", 2], ["load", 3])))
    assert texts["show0"][0].startswith("a ") and texts["show0"][0].endswith(" lizard") and texts["show1"][0] == "lizard"
    assert "was trained on another model" not in server.log_text()


def test_another_training_under_the_same_name_is_refused_with_what_differs(client):
    from viper.devtools.client import ExecutionFailed

    graph = short(api("subject_as_art"), "refused", steps=2)
    client.run(graph)
    find(graph, "ViPerTrainingOptions").update(rank=4)
    with pytest.raises(ExecutionFailed, match="rank 4 instead of 16"):
        client.run(graph)
