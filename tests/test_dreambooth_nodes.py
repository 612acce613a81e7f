"""Rare Token and DreamBooth Dataset in the host: what they read, show and refuse."""

import logging

import pytest
import torch
from PIL import Image


@pytest.fixture
def nodes(host, as_in_the_host):
    import viper.nodes.dreambooth as nodes

    return nodes


@pytest.fixture
def folder(nodes):
    import shutil
    from pathlib import Path

    import folder_paths

    path = Path(folder_paths.get_input_directory()) / "my dog"
    path.mkdir()
    for n, size in enumerate([(64, 48), (48, 64), (50, 50)], 1):
        Image.new("RGB", size, (80 * n, 0, 0)).save(path / f"{n}.png")
    yield path
    shutil.rmtree(path)


def made(nodes, **inputs):
    """(dataset, preview, trigger) of the node, its inputs as the host hands them over: each in a list."""
    inputs = {"identifier": "vuqix", "class_noun": "dog", **inputs}
    return nodes.DreamBoothDataset.execute(**{k: v if isinstance(v, list) else [v] for k, v in inputs.items()}).result


# --- Rare Token ----------------------------------------------------------------------------------------------------------


def clip_of(family):
    from types import SimpleNamespace

    import comfy.sdxl_clip
    import comfy.text_encoders.flux

    tokenizer = {"sdxl": comfy.sdxl_clip.SDXLTokenizer, "flux": comfy.text_encoders.flux.FluxTokenizer}[family]
    return SimpleNamespace(tokenizer=tokenizer())


@pytest.mark.parametrize("family, encoders", [("sdxl", ("clip_l", "clip_g")), ("flux", ("clip_l", "t5xxl"))])
def test_a_word_is_found_for_all_encoders_and_reported_for_each(nodes, family, encoders):
    output = nodes.RareToken.execute(clip_of(family), 3)
    word, report = output.result
    assert word.isalpha() and report.splitlines()[0] == word
    assert all(f"{name}: " in report for name in encoders) and "clip_l: 2 tokens" in report
    assert output.ui.as_dict()["text"] == (report,)
    assert nodes.RareToken.execute(clip_of(family), 3).result == (word, report)
    assert nodes.RareToken.execute(clip_of(family), 4).result[0] != word


def test_a_word_of_ones_own_is_used_and_what_speaks_against_it_is_said(nodes):
    clip = clip_of("sdxl")
    assert nodes.RareToken.execute(clip, 0, word=" sks ").result[0] == "sks"
    assert "worn out (it is a rifle)" in nodes.RareToken.execute(clip, 0, word="sks").result[1]
    assert "meaning of its own" in nodes.RareToken.execute(clip, 0, word="mountain").result[1]
    good = nodes.RareToken.execute(clip, 0).result[0]
    assert nodes.RareToken.execute(clip, 9, word=good).result[1] == nodes.RareToken.execute(clip, 0).result[1]


def test_the_pocket_models_encoder_will_do(nodes):
    from viper.nodes.pocket import LoadPocketModel

    clip = LoadPocketModel.execute().result[1]
    words = [nodes.RareToken.execute(clip, 0, tokens=n).result for n in (1, 2, 3)]
    assert [f"clip_l: {n} token" in report for n, (_, report) in enumerate(words, 1)] == [True] * 3


# --- DreamBooth Dataset --------------------------------------------------------------------------------------------------


def test_a_batch_with_the_defaults_is_the_papers(nodes):
    dataset, preview, trigger = made(nodes, images=torch.rand(4, 64, 64, 3))
    assert trigger == dataset.trigger == "a vuqix dog" and dataset.class_prompt == "a dog"
    assert [p.caption for p in dataset.instances] == ["a vuqix dog"] * 4 and dataset.class_pictures == ()
    assert (dataset.resolution, dataset.fit, dataset.crop, dataset.flip, dataset.scale, dataset.outside_mask) == (
        0, "buckets", "centre", False, 0.0, 0.0)  # fmt: skip
    assert preview.shape[0] == 1 and preview.shape[3] == 3 and 0 <= preview.min() and preview.max() <= 1


def test_a_list_of_several_sizes_with_a_mask_each(nodes):
    sizes = [(64, 48), (32, 64), (50, 50)]
    images, masks = [torch.rand(1, *s, 3) for s in sizes], [torch.ones(1, *s) for s in sizes]
    dataset, *_ = made(nodes, images=images, masks=masks, captions="of [V]", flip=True, outside_mask=0.25)
    assert [p.size for p in dataset.instances] == [tuple(p.mask.shape) for p in dataset.instances] == sizes
    assert dataset.flip is True and dataset.outside_mask == 0.25 and dataset.instances[2].caption == "of vuqix"


def test_a_list_of_captions_has_one_in_each_item(nodes):
    dataset, *_ = made(nodes, images=torch.rand(2, 8, 8, 3), captions=["one\nline", ""])
    assert [p.caption for p in dataset.instances] == ["one line", "a vuqix dog"]


def test_a_folder_with_captions_beside_the_pictures_and_one_of_the_class(nodes, folder):
    (folder / "2.txt").write_text("[V] asleep", encoding="utf-8")
    dataset, *_ = made(nodes, images=torch.rand(1, 8, 8, 3), folder="my dog", class_folder=" my dog ")
    assert [p.caption for p in dataset.instances] == ["a vuqix dog", "a vuqix dog", "vuqix asleep", "a vuqix dog"]
    assert [p.size for p in dataset.class_pictures] == [(48, 64), (64, 48), (50, 50)]


def test_what_a_folder_gives_is_what_load_image_gives(nodes, folder):
    import numpy as np

    files = [torch.from_numpy(np.array(Image.open(folder / f"{n}.png")).astype(np.float32) / 255.0)[None] for n in (1, 2, 3)]
    assert made(nodes, folder="my dog")[0].digest() == made(nodes, images=files)[0].digest()


def test_inputs_that_are_open_come_as_nothing(nodes):
    inputs = dict.fromkeys(["masks", "captions", "class_images", "class_folder", "resolution", "fit", "crop", "flip", "scale"])
    assert made(nodes, images=torch.rand(1, 8, 8, 3), **inputs)[2] == "a vuqix dog"


def test_pictures_too_small_are_told_only_where_the_size_is_known(nodes, caplog):
    with caplog.at_level(logging.WARNING, "viper"):
        made(nodes, images=torch.rand(3, 64, 64, 3))
        assert caplog.text == ""
        made(nodes, images=torch.rand(3, 64, 64, 3), resolution=128)
        assert "Pictures 1, 2, 3: smaller" in caplog.text


@pytest.mark.parametrize(
    "inputs, reason",
    [
        ({}, "no picture of the subject"),
        ({"folder": ["  "]}, "no picture of the subject"),
        ({"folder": ["../output"]}, "not inside"),
        ({"folder": ["nowhere"]}, 'no folder "nowhere"'),
        ({"images": (None,), "class_folder": ["nowhere"]}, 'no folder "nowhere"'),
        ({"images": (None,), "fit": ["round"]}, "no fit called"),
        ({"images": (None,), "crop": ["left"]}, "no crop called"),
    ],
)
def test_bad_inputs_are_refused_before_the_run(nodes, inputs, reason):
    assert reason in nodes.DreamBoothDataset.validate_inputs(**inputs)


def test_what_comes_over_wires_is_left_to_the_run(nodes, folder):
    wired = {"images": (None,), "folder": [""], "fit": (None,), "crop": (None,)}
    for inputs in ({"images": (None,)}, {"folder": (None,)}, {"folder": ["my dog"]}, wired):
        assert nodes.DreamBoothDataset.validate_inputs(**inputs) is True


def test_changed_pictures_and_captions_in_a_folder_are_seen(nodes, folder):
    def fingerprint(**inputs):
        return nodes.DreamBoothDataset.fingerprint_inputs(identifier=["v"], **{"folder": ["my dog"], **inputs})

    seen = [fingerprint()]
    assert seen == [fingerprint()]
    for change in (
        lambda: (folder / "1.txt").write_text("[V]", encoding="utf-8"),
        lambda: (folder / "1.txt").write_text("[V] asleep", encoding="utf-8"),
        lambda: Image.new("RGB", (9, 9)).save(folder / "4.png"),
        lambda: (folder / "4.png").unlink(),
        lambda: Image.new("RGB", (99, 99)).save(folder / "3.png"),
    ):
        change()
        seen.append(fingerprint())
    assert all(a != b for a, b in zip(seen, seen[1:], strict=False))
    assert fingerprint(class_folder=["my dog"]) != seen[-1]
    assert fingerprint(folder=[""]) == fingerprint(folder=(None,)) == fingerprint(folder=["gone"]) == ""


# --- over HTTP -----------------------------------------------------------------------------------------------------------


def graph(**inputs):
    inputs = {"identifier": ["word", 0], "class_noun": "apple", **inputs}
    return {
        "pocket": {"class_type": "ViPerLoadPocketModel", "inputs": {}},
        "word": {"class_type": "ViPerRareToken", "inputs": {"clip": ["pocket", 1], "seed": 1, "tokens": 2, "word": ""}},
        "data": {"class_type": "ViPerDreamBoothDataset", "inputs": inputs},
        "show": {"class_type": "PreviewAny", "inputs": {"source": ["data", 2]}},
        "sheet": {"class_type": "PreviewImage", "inputs": {"images": ["data", 1]}},
    }


def colours(sheet):
    from PIL import ImageColor

    found = {colour for n, colour in sheet.convert("RGB").getcolors(1 << 24) if n > 1000}
    return {name for name in ("teal", "navy", "red") if ImageColor.getrgb(name) in found}


@pytest.fixture
def mine(server):
    folder = server.base / "input" / "apples"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (64, 48), "teal").save(folder / "a.png")
    Image.new("RGB", (48, 64), "navy").save(folder / "b.png")
    return folder


def test_through_the_host_a_folder_and_a_list_of_sizes(client, mine):
    whole = graph(images=["list", 0], folder="apples", captions="", resolution=64, flip=False)
    whole["list"] = {"class_type": "LoadImageDataSetFromFolder", "inputs": {"folder": "apples"}}
    entry = client.run(whole)
    word = client.texts(entry)["word"][0].splitlines()[0]
    assert client.texts(entry)["show"] == [f"a {word} apple"]
    (shown,) = client.images(entry, "data")
    assert shown.size == client.images(entry, "sheet")[0].size and colours(shown) == {"teal", "navy"}
    Image.new("RGB", (64, 64), "red").save(mine / "c.png")
    assert colours(client.images(client.run(whole), "data")[0]) == {"teal", "navy", "red"}


@pytest.mark.parametrize(
    "inputs, reason",
    [({"folder": ""}, "no picture of the subject"), ({"folder": "nowhere"}, "no folder"),
     ({"folder": "apples", "scale": 0.6}, "bigger than max"), ({"folder": "apples", "fit": "round"}, "no fit called"),
     ({"folder": "apples", "class_folder": "../models"}, "not inside")],
)  # fmt: skip
def test_through_the_host_bad_input_is_refused_before_the_run(client, mine, inputs, reason):
    from viper.devtools.client import Refused

    with pytest.raises(Refused, match=reason):
        client.run(graph(**inputs))


def test_through_the_host_another_number_of_captions_is_one_sentence(client, mine):
    from viper.devtools.client import ExecutionFailed

    with pytest.raises(ExecutionFailed, match="3 captions for 1 picture"):
        only = {"images": ["one", 0], "captions": "a\nb\nc"}
        whole = graph(**only)
        whole["one"] = {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 32, "batch_size": 1, "color": 255}}
        client.run(whole)
