"""Comments: plain lines, versioned JSON, and what is said about broken input."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viper.vpe.comments import Comment, Comments, CommentsError, ImageRef

words = st.text(st.characters(blacklist_categories=("Cs",)), max_size=60)
images = st.one_of(
    st.none(),
    st.builds(lambda n: ImageRef(index=n), st.integers(0, 99)),
    st.builds(ImageRef, words.filter(bool), words, st.sampled_from(["input", "output", "temp"])),
)
comments = st.lists(st.builds(Comment, words, st.sampled_from(["like", "dislike", None]), images), max_size=6).map(
    lambda items: Comments(tuple(items)))


def is_a_sentence(error):
    text = str(error)
    return text[0].isupper() or text[0] in "\"'" and text.endswith(".") and "\n" not in text and "Traceback" not in text


@given(comments)
def test_json_brings_back_the_same_comments(given_comments):
    assert Comments.from_json(given_comments.to_json()) == given_comments
    assert Comments.parse(given_comments.to_json()) == given_comments


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_sentence(text):
    try:
        assert isinstance(Comments.parse(text), Comments)
    except CommentsError as error:
        assert is_a_sentence(error)


def test_plain_text_holds_one_comment_a_line_with_verdicts_and_bullets():
    parsed = Comments.parse("+ love it\n\n- too dark\n* calm colours\n2. grainy paper\n"
                            "  \u2022 soft\n\u2212 neon\n\u2013 glow\n----\n3) - haze\n+1 for the ink\r\n1.5 is odd")
    assert [(c.text, c.verdict) for c in parsed] == [
        ("love it", "like"), ("too dark", "dislike"), ("calm colours", None), ("grainy paper", None), ("soft", None),
        ("neon", "dislike"), ("glow", "dislike"), ("haze", "dislike"), ("for the ink", "like"), ("1.5 is odd", None)]


@pytest.mark.parametrize("text", ["", "  \n\t\n", "\ufeff", '{"version": 1}', '{"version": 1, "comments": []}'])
def test_empty_input_gives_empty_comments(text):
    assert Comments.parse(text) == Comments()


def test_pictures_ride_along_without_being_compared_or_saved():
    with_pictures = Comments((Comment("calm"),), pictures=object())
    assert with_pictures == Comments((Comment("calm"),))
    assert "object" not in with_pictures.to_json()
    assert Comments.parse("calm", pictures=3).pictures == 3


def test_unknown_keys_and_missing_ones_are_tolerated():
    entries = [{"text": "calm", "stars": 5}, {"verdict": "like", "image": {"index": 0}}, "ink"]
    text = json.dumps({"version": 1, "mood": 3, "comments": entries})
    assert Comments.parse(text) == Comments((Comment("calm"), Comment("", "like", ImageRef(index=0)), Comment("ink")))


@pytest.mark.parametrize("text, part", [
    ('{"version": 2, "comments": []}', "version 2"),
    ('{"comments": []}', "version missing"),
    ('{"version": true, "comments": []}', "version true"),
    ('{"version": 1,\n "comments": [}', "line 2"),
    ('{"version": 1, "comments": {}}', "must be a list"),
    ('{"version": 1, "comments": [{"text": "a"}, 4]}', "comment 2"),
    ('{"version": 1, "comments": [{"text": 4}]}', "comment 1"),
    ('{"version": 1, "comments": [{"text": "a", "verdict": "meh"}]}', '"meh"'),
    ('{"version": 1, "comments": [{"text": "a", "verdict": []}]}', "comment 1"),
    ('{"version": 1, "comments": [{"text": "a", "image": "b.png"}]}', "comment 1"),
    ('{"version": 1, "comments": [{"text": "a", "image": {}}]}', "filename"),
    ('{"version": 1, "comments": [{"text": "a", "image": {"index": -1}}]}', "index"),
    ('{"version": 1, "comments": [{"text": "a", "image": {"filename": "a", "type": "moon"}}]}', '"moon"'),
    ('{"version": 1, "comments": [{"text": "a", "image": {"filename": "a", "subfolder": 3}}]}', "subfolder"),
    ('{"a":' + "[" * 100_000, "nested"),
])
def test_what_is_wrong_is_said_in_one_sentence(text, part):
    with pytest.raises(CommentsError) as caught:
        Comments.parse(text)
    assert part in str(caught.value).replace("Comment", "comment") and is_a_sentence(caught.value)
