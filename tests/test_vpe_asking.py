"""What a language model is asked, and how its answer is read."""

import json

import pytest

from viper.vpe import asking
from viper.vpe.asking import extract, messages, parse, question, tuned_task
from viper.vpe.comments import Comment, Comments
from viper.vpe.errors import AnswerError, TooLongError

OFFICIAL = "Liked Art Features: warm colors, soft light, loose brushwork\nDisliked Art Features: grainy texture, harsh shadows"
LIKED, DISLIKED = "warm colors, soft light, loose brushwork", "grainy texture, harsh shadows"


def sides(words):
    found = parse(words)
    return found.liked_text(), found.disliked_text()


# --- the answer ------------------------------------------------------------------------------------------------------


def test_the_form_of_vipers_own_extractor_is_read():
    assert sides(OFFICIAL) == (LIKED, DISLIKED)


def test_what_stands_on_both_sides_is_removed_from_both():
    assert sides("Liked Art Features: neon, fog\nDisliked Art Features: fog, grain") == ("neon", "grain")


@pytest.mark.parametrize(
    "words",
    [
        "**Liked Art Features:** warm colors, soft light, loose brushwork\n\n**Disliked Art Features:** grainy texture, harsh shadows",
        "Liked Art Features:\n- warm colors\n- soft light\n- loose brushwork\n\nDisliked Art Features:\n- grainy texture\n- harsh shadows",
        "### Likes\n1. Warm colors\n2. Soft light\n3. Loose brushwork\n\n### Dislikes\n1. Grainy texture\n2. Harsh shadows\n\nI hope this "
        "helps, let me know!",
        "Here are the lists:\n\n* **Liked features**: warm colors, soft light, loose brushwork.\n* **Disliked features**: grainy texture, "
        "harsh shadows.\n",
        "liked: warm colors; soft light; loose brushwork\ndisliked: grainy texture; harsh shadows",
        "The person likes:\nwarm colors, soft light, loose brushwork\nThe person dislikes:\ngrainy texture, harsh shadows",
        "<think>They like warm colors. Disliked: nothing?</think>" + OFFICIAL,
        "The user loves warm things.\nLiked: fog</think>\n" + OFFICIAL,
        json.dumps({"liked": LIKED.split(", "), "disliked": DISLIKED.split(", ")}),
        "```json\n" + json.dumps({"liked": LIKED.split(", "), "disliked": DISLIKED.split(", ")}, indent=2) + "\n```",
        json.dumps({"Liked Art Features": LIKED, "Disliked Art Features": DISLIKED}),
        json.dumps({"preferences": {"likes": {"color": ["warm colors"], "light": "soft light", "brush": "loose brushwork"},
                                    "dislikes": [{"feature": t, "weight": 1} for t in DISLIKED.split(", ")]}}),
        '{"liked": ["warm colors", "soft light", "loose brushwork"], "disliked": ["grainy texture", "harsh shadows",',
        "{'note'} {\"liked\": [\"warm colors\", \"soft light\", \"loose brushwork\",], "
        "\"disliked\": [\"grainy texture\", \"harsh shadows\"]}",
        "LIKED ART FEATURES: Warm colors, Soft light, Loose brushwork\nDISLIKED ART FEATURES: Grainy texture, Harsh shadows",
        "Liked Art Features: warm colors (image 1), soft light, and loose brushwork\nDisliked Art Features: grainy texture, harsh shadows.",
        "Liked Art Features:\n- Colors: warm colors\n- Light: soft light\n- Brush: loose brushwork\nDisliked Art Features:\n"
        "- grainy texture\n- harsh shadows \u2013 mentioned in comment 2",
        "VP+: warm colors, soft light, loose brushwork\nVP-: grainy texture, harsh shadows",
        "\u201cLiked Art Features\u201d: warm colors, soft light, loose brushwork, warm colors\n\nDisliked Art Features: grainy texture, "
        "harsh shadows, grainy texture",
    ],
)  # fmt: skip
def test_other_dresses_of_the_same_answer_are_read(words):
    assert tuple(side.lower() for side in sides(words)) == (LIKED, DISLIKED)


@pytest.mark.parametrize("nothing", ["none", "None.", "N/A", "(none)", "none mentioned", "-", ""])
def test_a_side_may_be_empty(nothing):
    assert sides(f"Liked Art Features: fog\nDisliked Art Features: {nothing}") == ("fog", "")
    assert sides(f"Liked Art Features: {nothing}\nDisliked Art Features: fog") == ("", "fog")


def test_sentences_are_no_features():
    words = "Liked Art Features: soft light, the person seems to enjoy it whenever the light is rather soft\nDisliked Art Features: grain"
    assert sides(words) == ("soft light", "grain")


@pytest.mark.parametrize("words", ["", "I am sorry, I cannot help with that.", "soft light, warm colors", '{"a": 1}', "[1]", "{" * 5000])
def test_an_answer_without_lists_is_shown(words):
    with pytest.raises(AnswerError) as raised:
        parse(words)
    assert words[:40] in str(raised.value) and len(str(raised.value)) < 600


def test_dislikes_are_never_taken_for_likes():
    assert sides("Features the person dislikes: grain, glare\nFeatures the person likes: fog") == ("fog", "grain, glare")
    assert sides('{"dislikes": ["grain"], "not liked": ["glare"], "likes": ["fog"]}') == ("fog", "grain, glare")


# --- the question ----------------------------------------------------------------------------------------------------


def test_each_picture_stands_before_its_comment():
    comments = Comments((Comment("soft"), Comment("loud", "dislike"), Comment("", "like")))
    assert question(comments, ["<1>", None, "<3>"], "Task") == [
        "Task", "<1>", "Comment 1: soft", "Comment 2: I do not like this one. loud", "<3>", "Comment 3: I like this one.",
    ]  # fmt: skip


def test_pictures_are_placeholders_in_the_chat_template():
    assert messages([("user", ["a", object()]), ("assistant", ["b"])]) == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
    ]


def test_the_tuned_task_is_read_from_the_official_file_without_running_it(tmp_path):
    assert tuned_task(tmp_path) is None
    (tmp_path / "ViPer.py").write_text(
        'raise SystemExit("never run")\ndef f():\n    prompt_template = """I will show\n    pictures:\n    """\n    other = "x" * 9\n'
    )
    assert tuned_task(tmp_path) == "I will show\n    pictures:\n    "
    (tmp_path / "ViPer.py").write_text("def broken(:\n")
    assert tuned_task(tmp_path) is None
    (tmp_path / "task.txt").write_text("The task of a recipe.\n")
    assert tuned_task(tmp_path) == "The task of a recipe."


# --- asking ----------------------------------------------------------------------------------------------------------


class Model:
    def __init__(self, *answers, longest=99):
        self.answers, self.asked, self.longest = list(answers), [], longest

    def __call__(self, turns):
        self.asked.append(turns)
        if sum(str(part).startswith("Comment") for _, parts in turns for part in parts) > self.longest:
            raise TooLongError("too long")
        return self.answers.pop(0)


THREE = Comments.parse("I love fog\nI hate grain\n+ nice")


def test_a_readable_answer_is_asked_for_once():
    model = Model(OFFICIAL)
    assert extract(model, THREE, [None] * 3).liked_text() == LIKED
    assert len(model.asked) == 1


def test_an_unreadable_answer_gets_one_repair():
    model = Model("Well, they seem to like fog.", OFFICIAL)
    assert extract(model, THREE, [None] * 3).liked_text() == LIKED
    (_, first), (role, said), (_, again) = model.asked[1]
    assert first == question(THREE, [None] * 3, asking.TASK) and role == "assistant" and said == ["Well, they seem to like fog."]
    assert again == [asking.REPAIR]


def test_a_second_unreadable_answer_is_shown_and_not_asked_again():
    model = Model("Hm.", "Still hm.", OFFICIAL)
    with pytest.raises(AnswerError, match="Still hm"):
        extract(model, THREE, [None] * 3)
    assert len(model.asked) == 2


def test_a_model_that_was_tuned_for_the_task_is_not_asked_twice():
    with pytest.raises(AnswerError):
        extract(Model("Hm.", OFFICIAL), THREE, [None] * 3, repair=False)


def test_comments_too_long_for_the_model_are_asked_in_parts():
    model = Model("Liked: fog\nDisliked: none", "Liked: silk, lace\nDisliked: grain", longest=2)
    found = extract(model, THREE, ["a", "b", "c"])
    assert (found.liked_text(), found.disliked_text()) == ("fog, silk, lace", "grain")
    assert [p for p in model.asked[-1][0][1] if p in "abc"] == ["b", "c"]


def test_one_comment_that_is_too_long_says_so():
    with pytest.raises(TooLongError):
        extract(Model(longest=0), THREE, [None] * 3)


def test_no_comments_ask_nothing_and_a_limit_keeps_the_first_of_each_side():
    model = Model()
    assert not extract(model, Comments(), []) and model.asked == []
    assert extract(Model(OFFICIAL), THREE, [None] * 3, max_features=1).liked_text() == "warm colors"
