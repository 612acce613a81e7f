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
    assert {f.name for f in (POCKET / "weights").iterdir()} == {"pocket.safetensors", "encoders.safetensors", "looks.safetensors"}
    assert (POCKET / "weights" / "pocket.safetensors").stat().st_size <= 24e6
    assert (POCKET / "weights" / "encoders.safetensors").stat().st_size <= 8e6
    assert (POCKET / "weights" / "looks.safetensors").stat().st_size <= 150_000
    assert (POCKET / "samples.jpg").stat().st_size <= 200_000
    assert all(f.stat().st_size <= 30_000 for f in (POCKET / "subjects").iterdir())


def test_subjects_to_try_dreambooth_with_are_held_out_and_their_class_is_known(vocabulary):
    from viper.pocket.subjects import CLASS_NOUNS, FOLDER, subject_pictures

    assert set(CLASS_NOUNS) <= set(vocabulary["subjects"]["held_out"]) and {f.stem for f in FOLDER.iterdir()} == set(CLASS_NOUNS)
    words = {word for part in captions.SHARES for s in vocabulary["subjects"][part].values() for word in s["words"]}
    assert set(CLASS_NOUNS.values()) <= words
    for name in CLASS_NOUNS:
        pictures = subject_pictures(name)
        assert pictures.shape == (4, 256, 256, 3) and 0 <= float(pictures.min()) < float(pictures.max()) <= 1
        assert all((pictures[0] - other).abs().max() > 0.1 for other in pictures[1:]), "four poses"
    with pytest.raises(ValueError, match="choose t-rex"):
        subject_pictures("cat")


def test_held_out_subjects_and_pairs_are_never_drawn(vocabulary):
    rng = random.Random(0)
    specs = [captions.draw_spec(rng, vocabulary) for _ in range(8000)]
    held = set(vocabulary["subjects"]["held_out"])
    drawn = {s.subject for s in specs}
    assert len(held) == 12 and not held & drawn and len(drawn) > 400
    pairs = {(s.subject, a) for s in specs for a in s.attributes}
    assert not pairs & {tuple(p) for p in vocabulary["held_out_pairs"]}
    couples = {frozenset((s.subject, s.second)) for s in specs if s.second}
    assert len(couples) > 200 and not couples & {frozenset(c) for c in vocabulary["held_out_couples"]}
    icon = {s["icon"] for part in captions.SHARES for s in vocabulary["subjects"][part].values()}
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


def test_a_colour_word_stands_with_its_subject(vocabulary):
    rng = random.Random(3)
    texts = [captions.caption(captions.Spec("cat", ("blue subject", "meadow"), None), vocabulary, rng) for _ in range(100)]
    names, colours = vocabulary["subjects"]["simple"]["cat"]["words"], vocabulary["attributes"]["color"]["blue subject"]
    said = [f"{c} {n}" for c in colours for n in names] + [f"{n} that is {c}" for c in colours for n in names]
    assert all(any(s in t for s in said) for t in texts)


def test_a_couple_shows_the_first_left_and_the_second_right(vocabulary):
    import numpy as np

    from viper.pocket.recipe.dataset import Placer

    red, blue = np.full((128, 128, 4), 255, np.uint8), np.full((128, 128, 4), 255, np.uint8)
    red[..., 1:3], blue[..., :2] = 0, 0
    placer = Placer({("set", "cat"): red, ("set", "dog"): blue})
    x = placer.couple("set", captions.Spec("cat", (), None, "dog"), random.Random(0))
    assert x[:, 64, 32].round().tolist() == [1, 0, 0, 1] and x[:, 64, 96].round().tolist() == [0, 0, 1, 1]
    assert x[:, 64, 64].tolist() == [0, 0, 0, 0]
    text = captions.caption(captions.Spec("cat", (), None, "dog"), vocabulary, random.Random(0))
    first, second = vocabulary["subjects"]["simple"]["cat"]["words"], vocabulary["subjects"]["simple"]["dog"]["words"]
    assert min(text.index(w) for w in first if w in text) < max(text.index(w) for w in second if w in text)


def test_at_least_sixty_attributes_in_groups_that_exclude_each_other(vocabulary):
    groups = vocabulary["attributes"]
    assert sum(map(len, groups.values())) >= 60 and len(groups) >= 10
    assert all(len(wordings) >= 3 for attributes in groups.values() for wordings in attributes.values())


def test_vocabulary_words_are_unambiguous(vocabulary):
    words = [w for group in vocabulary["attributes"].values() for wordings in group.values() for w in wordings]
    assert len(words) == len(set(words))
    assert json.dumps(vocabulary)
