"""Praise and blame that leave unnamed what they mean: found in the words, looked up in the picture."""

import numpy as np
import pytest
import torch

from viper.vpe.comments import Comment, Comments, ImageRef
from viper.vpe.extractor import BuiltInExtractor, read
from viper.vpe.languages import READ, language
from viper.vpe.praise import unnamed


def aspects(text, verdict=None):
    comment = Comment(text, verdict)
    readings = read(comment, language(text)) if language(text) in READ else []
    return [(one.aspect, one.value > 0) for one in unnamed(comment, readings)]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("I love the colors", [("color", True)]),
        ("Ugly colours!", [("color", False)]),
        ("What a gorgeous palette!", [("color", True)]),
        ("I don't like the colors at all", [("color", False)]),
        ("not a fan of the color palette", [("color", False)]),
        ("The lighting is beautiful, but the texture is awful.", [("light", True), ("texture", False)]),
        ("colors are nice, texture not so much", [("color", True), ("texture", False)]),
        ("I love the soft colors and the lighting", [("light", True)]),
        ("love the vibe and the colours", [("mood", True), ("color", True)]),
        ("the composition feels off", [("composition", False)]),
        ("The brushwork is gorgeous", [("brushwork", True)]),
        ("Oh great, these colors again. How original.", []),
        ("색감이 너무 좋아요", [("color", True)]),
        ("구도는 별로예요. 하지만 빛이 예뻐요", [("composition", False), ("light", True)]),
        ("질감이 마음에 안 들어요", [("texture", False)]),
    ],
)
def test_what_is_judged_without_a_name_is_found_with_its_side(text, expected):
    assert aspects(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The colors are too pale",
        "the colors, especially the deep blue, are great",
        "I love the warm colors",
        "따뜻한 색감이 좋아요",
        "Nice picture!",
        "The colors remind me of home",
        "I love the light. The light is awful.",
        "The light is golden",
        "Die Farben sind schön",
    ],
)
def test_what_is_named_or_not_judged_is_left_alone(text):
    assert aspects(text) == []


def test_a_verdict_judges_a_bare_aspect():
    assert aspects("the colors", "like") == [("color", True)] and aspects("The colors!", "dislike") == [("color", False)]
    assert aspects("the colors") == []


# --- with the picture ------------------------------------------------------------------------------------------------


class Said:
    """Eyes that see what they are told."""

    def __init__(self, seen):
        self.seen, self.asked = seen, []

    def named(self, comments, n, aspect):
        self.asked.append((n, aspect))
        return self.seen.get((n, aspect), [])


def extract(text, seen, **options):
    eyes = Said(seen)
    found = BuiltInExtractor(eyes=eyes).extract(Comments.parse(text), **options)
    return found, eyes


def test_the_picture_names_what_the_words_do_not_and_counts_less_than_words():
    seen = {(0, "color"): [("warm colors", 0.9), ("orange", 0.5)], (1, "texture"): [("grainy", 1.0)]}
    found, eyes = extract("I love the colors\nI love fog, but the texture is awful", seen)
    assert (found.liked_text(), found.disliked_text()) == ("fog, warm colors, orange", "grainy")
    assert eyes.asked == [(0, "color"), (1, "texture")]
    weights = {f.text: f.weight for f in found.liked}
    assert weights["fog"] > weights["warm colors"] > weights["orange"]
    assert next(f.source for f in found.liked if f.text == "orange") == "I love the colors"


def test_what_is_said_outweighs_what_is_seen():
    found, _ = extract("I love the colors\nI hate warm colors", {(0, "color"): [("warm colors", 1.0)]})
    assert (found.liked_text(), found.disliked_text()) == ("", "warm colors")


def test_what_two_pictures_contradict_is_dropped():
    found, _ = extract("I love the colors\nugly colors, really", {(0, "color"): [("orange", 1.0), ("vivid colors", 1.0)],
                                                     (1, "color"): [("vivid colors", 1.0)]})  # fmt: skip
    assert found.liked_text() == "orange" and "vivid colors" not in found.disliked_text()


def test_without_eyes_nothing_changes():
    text = "I love the colors\nI hate warm colors\n- the texture"
    assert BuiltInExtractor().extract(Comments.parse(text)) == BuiltInExtractor(eyes=Said({})).extract(Comments.parse(text))


def pictures(*colours):
    return torch.stack([torch.tensor(c, dtype=torch.float32).expand(96, 96, 3) for c in colours])


def about(pixels, *texts):
    return Comments(tuple(Comment(t, image=ImageRef(index=i)) for i, t in enumerate(texts)), pixels)


def test_the_real_eyes_read_colours_off_the_batch(host):
    from viper.vpe.eyes import Eyes

    stripes = pictures((0.9, 0.45, 0.1), (0.5, 0.5, 0.5))
    stripes[0, :, ::2] = torch.tensor([0.8, 0.2, 0.1])
    found = BuiltInExtractor(eyes=Eyes()).extract(about(stripes, "I love the colors", "I hate the colors"))
    liked, disliked = {f.text for f in found.liked}, {f.text for f in found.disliked}
    assert liked & {"warm colors", "orange", "vivid colors"} and not disliked & {"warm colors", "orange", "vivid colors"}
    assert disliked & {"gray", "monochrome", "black and white", "desaturated", "neutral tones"}


def test_a_missing_picture_leaves_the_words_alone(host):
    from viper.vpe.eyes import Eyes

    lost = Comments((Comment("I love the colors. And fog!", image=ImageRef("gone.png")), Comment("I love the colors")))
    assert BuiltInExtractor(eyes=Eyes()).extract(lost).liked_text() == "fog"


# --- zero-shot -------------------------------------------------------------------------------------------------------


class Words:
    """A text encoder whose space has one axis for each of some words."""

    def __init__(self, *axes, projected=True):
        self.axes = axes
        tower = torch.nn.Module()
        tower.transformer = torch.nn.Module()
        tower.transformer.text_projection = torch.nn.Linear(len(axes), len(axes), bias=False)
        tower.transformer.text_projection.weight.data = torch.eye(len(axes)) * (0.5 if projected else 0.0)
        self.cond_stage_model = torch.nn.Module()
        self.cond_stage_model.clip_l = tower

    def tokenize(self, text):
        return text

    def encode_from_tokens(self, text, **_):
        hits = torch.tensor([[float(axis in text) for axis in self.axes]])
        return {"cond": hits.unsqueeze(1), "pooled_output": hits + 0.01}


class Sight:
    """A vision encoder that sees the mean colour as an embedding."""

    def __init__(self, width=3):
        self.width = width

    def encode_image(self, picture):
        return {"image_embeds": torch.cat([picture.mean((1, 2)), torch.zeros(1, self.width - 3)], 1)}


def test_a_clip_names_what_pixels_cannot(host):
    from viper.vpe.eyes import Eyes

    eyes = Eyes(Sight(), Words("watercolor", "cubism", "melancholic"))
    comments = about(pictures((1, 0, 0), (0, 0, 1)), "I love the style", "I hate the mood")
    assert eyes.named(comments, 0, "style")[0][0] == "watercolor" and eyes.named(comments, 1, "mood")[0][0] == "melancholic"
    found = BuiltInExtractor(eyes=eyes).extract(comments)
    assert "watercolor" in found.liked_text() and "melancholic" in found.disliked_text()


def test_the_words_are_encoded_once(host, monkeypatch):
    from viper.vpe import eyes

    clip, asked = Words("watercolor", "cubism", "melancholic"), []
    encode = eyes.host.projected_text
    monkeypatch.setattr(eyes.host, "projected_text", lambda c, text: asked.append(text) or encode(c, text))
    comments = about(pictures((1, 0, 0)), "I love the mood")
    for _ in range(2):
        eyes.Eyes(Sight(), clip).named(comments, 0, "mood")
    assert len(asked) == len(set(asked)) > 30


def test_one_side_of_a_clip_alone_is_one_clear_sentence(host):
    from viper.vpe.eyes import Eyes

    for sides in ((Sight(), None), (None, Words("a"))):
        with pytest.raises(ValueError, match="both of its sides"):
            Eyes(*sides)


def test_sides_of_different_clips_and_encoders_without_projection_are_refused(host):
    from viper.vpe.eyes import Eyes

    comments = about(pictures((1, 0, 0)), "I love the mood")
    with pytest.raises(ValueError, match="different CLIPs .* 5 and 3"):
        Eyes(Sight(5), Words("a", "b", "c")).named(comments, 0, "mood")
    with pytest.raises(ValueError, match="no text projection"):
        Eyes(Sight(), Words("a", "b", "c", projected=False)).named(comments, 0, "mood")


def test_a_real_text_encoder_and_a_real_vision_encoder_of_the_host_fit(host, as_in_the_host):
    """Random weights through the host's own classes: what counts is that embeddings come out and are compared."""
    from viper.tests.tiny_clip import clip_and_vision
    from viper.vpe.eyes import Eyes

    clip, vision = clip_and_vision()
    eyes = Eyes(vision, clip)
    comments = about(pictures((1, 0, 0)), "I love the mood")
    found = eyes.named(comments, 0, "mood")
    assert found == Eyes(vision, clip).named(comments, 0, "mood") and all(0 <= sure <= 1 for _, sure in found)
    assert np.isfinite(eyes._compared[0].numpy()).all() and eyes._compared[0].shape == (64,)
    with pytest.raises(ValueError, match="no text projection"):
        Eyes(vision, clip_and_vision(projected=False)[0]).named(comments, 0, "mood")
