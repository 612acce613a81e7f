"""What ships of the pocket model, and what its recipe may draw; no host needed."""

import json
import random
from pathlib import Path

import pytest

from viper.pocket.recipe import captions, icons

POCKET = Path(icons.__file__).parent.parent


@pytest.fixture(scope="module")
def vocabulary():
    return icons.vocabulary()


def test_everything_that_ships_is_small():
    weights = list((POCKET / "weights").glob("*.safetensors"))
    assert weights and sum(f.stat().st_size for f in weights) <= 24e6
    assert (POCKET / "samples.jpg").stat().st_size <= 200_000


def test_held_out_subjects_and_pairs_are_never_drawn(vocabulary):
    rng = random.Random(0)
    specs = [captions.draw_spec(rng, vocabulary) for _ in range(5000)]
    held = set(vocabulary["subjects"]["held_out"])
    drawn = {s.subject for s in specs}
    assert len(held) == 12 and not held & drawn and len(drawn) == 100
    pairs = {(s.subject, a) for s in specs for a in s.attributes}
    assert not pairs & {tuple(p) for p in vocabulary["held_out_pairs"]}
    icon = {s["icon"] for part in ("simple", "common") for s in vocabulary["subjects"][part].values()}
    assert not icon & {s["icon"] for s in vocabulary["subjects"]["held_out"].values()}


def test_attributes_of_one_group_are_never_mixed(vocabulary):
    rng, groups = random.Random(1), captions.group_of(vocabulary)
    for _ in range(3000):
        names = [groups[a] for a in captions.draw_spec(rng, vocabulary).attributes]
        assert len(names) == len(set(names))


def test_a_caption_says_what_the_picture_shows(vocabulary):
    rng = random.Random(2)
    spec = captions.Spec("apple", ("pastel", "outlined"), "flat")
    texts = [captions.caption(spec, vocabulary, rng) for _ in range(200)]
    assert sum("apple" in t for t in texts) > 170
    wordings = vocabulary["attributes"]["line"]["outlined"]
    assert all(any(w in t for w in wordings) for t in texts)
    assert len(set(texts)) > 150


def test_every_attribute_has_a_transform(vocabulary):
    import torch

    from viper.pocket.recipe.attributes import dress

    groups, g = captions.group_of(vocabulary), torch.Generator().manual_seed(0)
    rgba = torch.rand(1, 4, 128, 128, generator=g)
    plain = dress(rgba, [], groups, g)
    for name, group in groups.items():
        if group != "look":
            x = dress(rgba, [name], groups, g)
            assert x.shape == plain.shape and 0 <= x.min() and x.max() <= 1
            assert (x - plain).abs().mean() > 0.01, name


def test_vocabulary_words_are_unambiguous(vocabulary):
    words = [w for group in vocabulary["attributes"].values() for wordings in group.values() for w in wordings]
    assert len(words) == len(set(words))
    assert json.dumps(vocabulary)
