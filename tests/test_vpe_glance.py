"""What our own eyes see in a picture: measured features anywhere, the pocket vocabulary where the picture is of that kind."""

from pathlib import Path

import numpy as np
import pytest

from viper.vpe import glance
from viper.vpe.comments import Comment, Comments, ImageRef

SAMPLES = Path(__file__).resolve().parent.parent / "pocket" / "samples.jpg"
# Rows are subjects, columns looks (test_pocket_encoders.py).
COLUMNS = {1: "pastel colors", 2: "blue tones", 3: "halftone", 4: "watercolor", 5: "stained glass", 6: "neon sign", 7: "night sky"}


@pytest.fixture(scope="module")
def cell(host):
    from PIL import Image

    sheet = np.asarray(Image.open(SAMPLES).convert("RGB"), np.float32) / 255
    return lambda row, column: sheet[128 * row : 128 * (row + 1), 128 * column : 128 * (column + 1)]


def test_pictures_of_the_pocket_model_are_known_and_their_looks_named(cell):
    seen = [(glance.look(cell(row, column)), name) for row in range(8) for column, name in COLUMNS.items()]
    assert np.mean([one.drawn for one, _ in seen]) >= 0.8
    assert np.mean([one.features.get(name, 0) >= 0.5 for one, name in seen if one.drawn]) >= 0.65


def test_a_picture_of_another_kind_is_only_measured(host):
    rng = np.random.default_rng(0)
    blades = 0.15 * rng.standard_normal((256, 384, 1)) + 0.05 * rng.standard_normal((256, 384, 3))
    one = glance.look(np.clip(np.array([0.25, 0.5, 0.15]) + blades, 0, 1).astype(np.float32))
    assert not one.drawn and "green" in one.features
    assert not {"watercolor", "woven", "halftone"} & set(one.features)


def test_of_drawn_pictures_their_own_vocabulary_alone_counts_and_of_others_all(host):
    icon, photo = glance.Glance({"halftone": 0.9, "red": 1.0}, True), glance.Glance({"red": 1.0, "smooth": 1.0})
    assert glance.for_taste([icon, icon, photo, None]) == ([{"halftone": 0.9}, {"halftone": 0.9}, {}, None], True)
    assert glance.for_taste([icon, photo, None]) == ([icon.features, photo.features, None], False)
    assert glance.for_taste([None]) == ([None], False)


def test_without_the_weights_pictures_are_only_measured(cell, monkeypatch):
    from viper.pocket import looks

    monkeypatch.setattr(looks, "WEIGHTS", Path("gone"))
    one = glance.look(cell(0, 4))
    assert not one.drawn and one.features


def test_a_picture_is_looked_at_once_whatever_its_name(host, monkeypatch, cell):
    import torch

    looked = []
    monkeypatch.setattr(glance, "look", lambda pixels: looked.append(1) or glance.Glance({"ink": 1.0}))
    batch = torch.from_numpy(np.stack([cell(7, 7), cell(7, 7), cell(6, 6)])) * 0.98  # pixels that no other test looked at
    comments = Comments((*(Comment("", "like", ImageRef(index=n)) for n in range(4)), Comment("words alone")), batch)
    found = glance.glances(comments)
    assert len(looked) == 2 and [one is None for one in found] == [False, False, False, True, True]
    glance.glances(comments)
    assert len(looked) == 2


def test_a_file_that_changed_is_looked_at_again(host, tmp_path, monkeypatch):
    import os

    from PIL import Image

    import viper.host

    monkeypatch.setattr(viper.host, "picture_path", lambda *reference: tmp_path / "a.png")
    comments = Comments((Comment("", "like", ImageRef("a.png")),))
    Image.new("RGB", (64, 64), (200, 30, 20)).save(tmp_path / "a.png")
    first = glance.glances(comments)[0]
    Image.new("RGB", (64, 64), (20, 30, 200)).save(tmp_path / "a.png")
    os.utime(tmp_path / "a.png", ns=(1, 1))
    second = glance.glances(comments)[0]
    assert "red" in first.features and "red" not in second.features and "blue" in second.features


def test_the_words_of_the_pocket_vocabulary_are_such_that_its_model_was_taught(host):
    import json

    vocabulary = json.loads((SAMPLES.parent / "vocabulary.json").read_text(encoding="utf-8"))["attributes"]
    words, _ = glance._words()
    for group, some in vocabulary.items():
        for name, said in some.items():
            assert (words.get(name) in said) == (group not in ("color", "look")), name
