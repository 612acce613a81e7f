"""The built-in extractor as it ships: tagger and rules together, English and Korean."""

from pathlib import Path

import pytest

from viper.vpe import extractor as ex
from viper.vpe import korean
from viper.vpe.comments import Comment, Comments
from viper.vpe.preferences import Preferences
from viper.vpe.recipe import marked

VPE = Path(ex.__file__).parent


def read(*texts, verdict=None, means="both"):
    prefs = ex.BuiltInExtractor(means).extract(Comments(tuple(Comment(t, verdict) for t in texts)))
    return [f.text for f in prefs.liked], [f.text for f in prefs.disliked]


def test_the_taggers_ship_within_5_mb():
    files = list((VPE / "weights").iterdir())
    assert {f.name for f in files} == {"tagger_en.safetensors", "tagger_ko.safetensors"} and sum(f.stat().st_size for f in files) <= 5e6


@pytest.mark.parametrize("text, liked, disliked", [
    ("My sister adores the gold. I can't stand it.", [], ["gold"]),
    ("Oh great, another lens flare. Just what we needed.", [], ["lens flare"]),
    ("Why is everything so blurry?", [], ["blurry"]),
    ("Grainy, tilted, faded. I love it.", ["grainy", "tilted", "faded"], []),
    ("Usually I hate collage but here it works.", ["collage"], []),
    ("It would be perfect if it weren't so dark.", [], ["dark"]),
    ("can't say I dislike the grain", ["grain"], []),
    ("Hard pass on the glitter.", [], ["glitter"]),
    ("luv the dusty rose tones!! the torn paper edges tho... meh", ["dusty rose tones"], ["torn paper edges"]),
])  # fmt: skip
def test_people_are_read_as_they_write(text, liked, disliked):
    assert read(text) == (liked, disliked)


@pytest.mark.parametrize("text, liked, disliked", [
    ("너무 어두워요", [], ["dark"]),
    ("부드러운 빛이 정말 좋아요", ["soft light"], []),
    ("수채화 느낌은 좋은데 형광색은 별로예요", ["watercolor"], ["fluorescent"]),
    ("흑백 사진 특유의 거친 입자, 싫지 않네요", ["black and white", "grainy"], []),
    ("왜 이렇게 흐릿해?", [], ["blurry"]),
])  # fmt: skip
def test_korean_is_read_and_named_in_english(text, liked, disliked):
    assert read(text) == (liked, disliked)


def test_a_korean_feature_that_is_in_no_list_stays_korean_without_its_particles():
    assert korean.english("뚜루뚜빠한 질감을") == "뚜루뚜빠한 질감"
    assert korean.english("파스텔톤은") == "pastel" and korean.english("거친 벽돌") == "rough brick"


def test_a_language_that_is_not_read_gives_nothing():
    assert read("Die Farben sind mir zu grell, aber das Licht ist nicht schlecht") == ([], [])


def test_wordings_of_one_attribute_are_one_feature():
    liked, disliked = read("I love the greyscale.", "Lovely grayscale!", "I like desaturated pictures, unsaturated ones too")
    assert liked == ["grayscale", "desaturated"] and not disliked
    assert read("I love pastel colors.", "I hate pastels.") == ([], [])


def test_near_hues_stay_apart():
    assert read("I love crimson and scarlet.")[0] == ["crimson", "scarlet"]


def test_a_feature_comes_from_its_sentence():
    prefs = ex.BuiltInExtractor().extract(Comments((Comment("Nice dog. I love the fog!\nToo much glitter, though."),)))
    assert {f.text: f.source for f in prefs.liked + prefs.disliked} == {"fog": "I love the fog!", "glitter": "Too much glitter, though."}


def test_each_means_can_be_used_alone():
    for means in ex.MEANS:
        assert read("I love the watercolor but the neon is awful.", means=means) == (["watercolor"], ["neon"])
    with pytest.raises(ValueError, match="both, rules, tagger"):
        ex.BuiltInExtractor("magic")


def test_reading_is_the_same_each_time_and_blank_is_fine():
    comments = Comments((Comment("I love the soft, dusty colors"), Comment("too busy!", "dislike"), Comment("")))
    assert ex.BuiltInExtractor().extract(comments) == ex.BuiltInExtractor().extract(comments)
    assert ex.BuiltInExtractor().extract(Comments((Comment(" \n "), Comment("\U0001F600")))) == Preferences()


def test_the_training_comments_are_well_formed():
    for path in (VPE / "recipe" / "comments").glob("*.txt"):
        some = marked.load(path)
        assert len(some) >= 200 and not any("[" in m.text or "|" in m.text for m in some), path.name
        assert all(m.text[k.start:k.end].strip() and bool(k.english) == (path.stem == "korean") for m in some for k in m.marks), path.name
