"""The comment nodes in the host: what they read, what they say in the log, what they refuse."""

import logging

import pytest


@pytest.fixture
def read(host, tmp_path, monkeypatch):
    import viper.host
    from viper.nodes.comments import CommentOnImages, CommentsToPreferences

    monkeypatch.setattr(viper.host, "attributes_file", lambda: tmp_path / "attributes.json")

    def run(text, **inputs):
        return CommentsToPreferences.execute(CommentOnImages.execute(text).result[0], **inputs).result

    yield run
    from viper.vpe.attributes import extend

    extend(tmp_path / "gone.json")


def test_comments_become_preferences_and_two_texts(read):
    preferences, liked, disliked = read("+ I love the soft light\n- way too grainy for me")
    assert (liked, disliked) == ("soft light", "grainy") == (preferences.liked_text(), preferences.disliked_text())


def test_english_and_korean_mix(read):
    assert read("I love the soft light\n너무 어두워요")[1:] == ("soft light", "dark")


def test_another_language_is_named_in_the_log(read, caplog):
    with caplog.at_level(logging.WARNING, "viper"):
        read("Die Farben sind mir zu grell, aber das Licht ist nicht schlecht\nI love fog")
    assert "1 of 2 comments were not read: they look German" in caplog.text


def test_comments_that_name_nothing_are_told_so(read, caplog):
    with caplog.at_level(logging.WARNING, "viper"):
        assert read("What a lovely picture!")[1:] == ("", "")
    assert "No visual feature was found" in caplog.text


def test_words_of_the_users_folder_count(read, tmp_path):
    (tmp_path / "attributes.json").write_text('{"categories": {"light": [["kino flo", "tube glow"]]}}', encoding="utf-8")
    assert read("I love the kino flo. Nice tube glow!")[1] == "kino flo"


def test_a_broken_file_of_the_user_is_one_clear_sentence(read, tmp_path):
    (tmp_path / "attributes.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="or move the file away"):
        read("I love fog")


def test_another_extractor_is_used_when_connected(read):
    from viper.vpe.preferences import Feature, Preferences

    class Fixed:
        def extract(self, comments, max_features=0):
            return Preferences((Feature("lace"),))

    assert read("Die Farben sind mir zu grell, aber nicht schlecht", extractor=Fixed(), overrides="- gloss")[1:] == ("lace", "gloss")


def test_pictures_are_looked_at_where_the_words_leave_it_to_them(host, read):
    import torch

    from viper.nodes.comments import CommentOnImages, CommentsToPreferences

    sunset = torch.tensor([[0.85, 0.35, 0.1], [0.95, 0.6, 0.15]]).repeat(48, 1)[:, None].expand(96, 96, 3)[None]
    said = CommentOnImages.execute("I love the colors\n- I hate the colors", images=sunset).result[0]
    assert [c.image.index if c.image else None for c in said] == [0, None]
    liked, disliked = CommentsToPreferences.execute(said).result[1:]
    assert "warm colors" in liked and disliked == ""
    assert CommentsToPreferences.execute(CommentOnImages.execute("I love the colors").result[0]).result[1] == ""


def test_comments_that_name_their_pictures_keep_them(host):
    import torch

    from viper.nodes.comments import CommentOnImages

    text = '{"version": 1, "comments": [{"text": "a", "image": {"index": 1}}, {"text": "b"}]}'
    said = CommentOnImages.execute(text, images=torch.zeros(2, 8, 8, 3)).result[0]
    assert [c.image and c.image.index for c in said] == [1, None]


def test_one_side_of_a_clip_alone_is_told_in_the_log_and_changes_nothing(read, caplog):
    with caplog.at_level(logging.WARNING, "viper"):
        assert read("I love the soft light", clip_vision=object())[1] == "soft light"
    assert "both of its sides" in caplog.text


def test_a_text_with_a_verdict_alone_is_no_comment_to_the_reader_but_a_picture_to_our_eyes(host, read):
    import torch

    from viper.nodes.comments import CommentOnImages, CommentsToPreferences

    one = '{"version": 1, "comments": [{"text": "", "verdict": "like", "image": {"index": 0}}]}'
    said = CommentOnImages.execute(one, images=torch.rand(1, 64, 64, 3)).result[0]
    assert CommentsToPreferences.execute(said).result[1:] == ("", "")  # one picture alone tells nothing


def test_pairs_are_written_only_when_there_are_some_and_read_back(host):
    from viper.vpe.comments import Comment, Comments, ImageRef

    items = tuple(Comment("", None, ImageRef(index=n)) for n in range(3))
    assert "pairs" not in Comments(items).to_json()
    compared = Comments(items, None, ((2, 0), (1, 0)))
    assert Comments.parse(compared.to_json()) == compared


@pytest.mark.parametrize("pairs", ("[[0, 1, 2]]", "[[0, 0]]", "[[0, 9]]", "[[-1, 0]]", '["01"]', "{}", "[[0, 1.5]]"))
def test_broken_pairs_are_one_clear_sentence(host, pairs):
    from viper.nodes.comments import CommentOnImages

    said = CommentOnImages.validate_inputs('{"version": 1, "comments": ["a", "b"], "pairs": ' + pairs + "}")
    assert isinstance(said, str) and said.lower().startswith(("pair 1", '"pairs"')) and said.endswith(".")


def test_the_profile_for_the_page_shows_what_was_found_before_the_corrections(host, read):
    import json

    from viper.nodes.comments import CommentOnImages, CommentsToPreferences

    comments = CommentOnImages.execute("+ I love the soft light\n- too grainy").result[0]
    profile = json.loads(CommentsToPreferences.execute(comments, overrides="~ grainy\n+ ink").ui["viper_profile"][0])
    assert [f["text"] for f in profile["found"]["disliked"]] == ["grainy"] and profile["disliked"] == []
    assert [f["text"] for f in profile["liked"]] == ["soft light", "ink"] and profile["sure"] > 0
