"""Rank Pictures and Update Preferences in the host, and a taste without words from pictures to profile."""

import json

import pytest
import torch


def plain(*colors, size=48):
    """(B, size, size, 3): a picture of one colour each."""
    return torch.tensor(colors, dtype=torch.float32)[:, None, None].expand(-1, size, size, 3).contiguous()


@pytest.fixture
def folders(host, tmp_path, monkeypatch):
    import folder_paths

    for kind in ("input", "temp", "output", "user"):
        (tmp_path / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")  # the host knows it
        monkeypatch.setattr(folder_paths, f"{kind}_directory" if kind != "user" else "user_directory", str(tmp_path / kind))
    return tmp_path


def ranking(count, *pairs):
    return json.dumps({"version": 1, "pictures": [{"index": n} for n in range(count)], "pairs": pairs})


def test_an_empty_ranking_passes_on_what_came_in(host):
    from viper.nodes.ranking import RankPictures
    from viper.vpe.comments import Comment, Comments

    said = Comments((Comment("fog"),))
    assert RankPictures.execute("").result[0] == Comments()
    assert RankPictures.execute(" ", comments=said).result[0] == said


def test_pairs_come_behind_the_comments_and_count_from_there(host, folders):
    from viper.nodes.ranking import RankPictures
    from viper.vpe.comments import Comment, Comments, ImageRef

    before = Comments((Comment("fog", "like", ImageRef(index=0)),), plain((0, 0, 0)), ())
    got = RankPictures.execute(ranking(2, [1, 0]), plain((1, 1, 1), (0.5, 0.5, 0.5)), before).result[0]
    assert got.pairs == ((2, 1),) and [c.image.index for c in got] == [0, 1, 2]
    assert [float(p.mean()) for p in got.pictures] == [0, 1, 0.5]


def test_batches_of_other_sizes_are_joined_too(host, folders):
    from viper.nodes.ranking import RankPictures
    from viper.vpe.comments import Comment, Comments, ImageRef
    from viper.vpe.pictures import pictures_of

    before = Comments((Comment("fog", None, ImageRef(index=0)),), plain((0, 0, 0), size=32))
    got = RankPictures.execute(ranking(1), plain((1, 1, 1), size=64), before).result[0]
    assert [p.size for p in pictures_of(got)] == [(32, 32), (64, 64)]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("{", "The ranking is broken JSON"),
        ("[]", "must be an object"),
        ('{"version": 2}', "has the version 2"),
        ('{"version": 1, "pictures": {}}', '"pictures" must be a list'),
        ('{"version": 1, "pictures": [null]}', "Picture 1 must be an object"),
        ('{"version": 1, "pictures": [{"index": -1}]}', 'image "index" of picture 1'),
        (ranking(2, [0, 2]), "two different pictures between 0 and 1"),
        (ranking(2, [1, 1]), "two different pictures"),
        (ranking(2, [0]), r"Pair 1 must be \[better, worse\]"),
        (ranking(2, [True, 0]), r"Pair 1 must be \[better, worse\]"),
        ('{"version": 1, "pictures": [], "pairs": 3}', '"pairs" must be a list'),
    ],
)
def test_a_broken_ranking_is_one_clear_sentence_before_the_run(host, text, sentence):
    import re

    from viper.nodes.ranking import RankPictures

    said = RankPictures.validate_inputs(text)
    assert isinstance(said, str) and re.search(sentence, said) and said.count(". ") == 0
    with pytest.raises(ValueError, match=sentence):
        RankPictures.execute(text)


def test_previews_are_written_once_by_content_and_only_when_connected(host, folders):
    from viper.nodes.comments import CommentOnImages
    from viper.nodes.ranking import RankPictures

    pictures = plain((1, 0, 0), (0, 0, 1))
    shown = RankPictures.execute("", pictures).ui["viper_pictures"]
    assert [(p["index"], p["type"], p["subfolder"]) for p in shown] == [(0, "temp", "viper"), (1, "temp", "viper")]
    assert len(list((folders / "temp" / "viper").iterdir())) == 2
    assert CommentOnImages.execute("", pictures.flip(0)).ui["viper_pictures"][1]["filename"] == shown[0]["filename"]
    assert len(list((folders / "temp" / "viper").iterdir())) == 2
    assert not RankPictures.execute("").ui and not CommentOnImages.execute("fog").ui


def test_only_compared_pictures_of_the_temp_folder_are_kept(host, folders):
    import viper.host
    from viper.nodes.ranking import RankPictures

    shown = viper.host.preview_pictures(plain((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    text = json.dumps({"version": 1, "pictures": [{k: p[k] for k in ("filename", "subfolder", "type")} for p in shown], "pairs": [[0, 2]]})
    got = RankPictures.execute(text).result[0]
    assert [c.image.type for c in got] == ["input", "temp", "input"]
    assert len(list((folders / "input" / "viper").iterdir())) == 2


def test_a_mood_board_without_a_word_becomes_preferences(host, folders):
    from viper.nodes.comments import CommentOnImages, CommentsToPreferences

    sheets = plain(*((0.9, 0.45 + 0.02 * n, 0.1) for n in range(5)), *((0.1, 0.2, 0.5 + 0.04 * n) for n in range(5)), size=64)
    board = {"version": 1, "comments": [
        {"text": "", "verdict": "like" if n < 5 else "dislike", "image": {"index": n}} for n in range(10)]}  # fmt: skip
    comments = CommentOnImages.execute(json.dumps(board), sheets).result[0]
    out = CommentsToPreferences.execute(comments)
    preferences, liked, disliked = out.result
    assert {"warm colors", "orange"} & set(liked.split(", ")) and {"cool colors", "blue", "navy", "dark"} & set(disliked.split(", "))
    assert "in 5 of 5 liked pictures" in preferences.liked[0].source
    profile = json.loads(out.ui["viper_profile"][0])
    assert set(profile) == {"liked", "disliked", "found", "sure", "advice"} and 0 < profile["sure"] <= 1
    assert profile["liked"] == profile["found"]["liked"] and profile["advice"].endswith(".")


def test_what_was_said_decides_over_what_pictures_suggest(host, folders):
    from viper.nodes.comments import CommentOnImages, CommentsToPreferences

    sheets = plain(*((0.9, 0.45 + 0.02 * n, 0.1) for n in range(5)), *((0.1, 0.2, 0.5 + 0.04 * n) for n in range(5)), size=64)
    entries = [{"text": "", "verdict": "like" if n < 5 else "dislike", "image": {"index": n}} for n in range(10)]
    entries.append({"text": "I hate warm colors. I love fog."})
    comments = CommentOnImages.execute(json.dumps({"version": 1, "comments": entries}), sheets).result[0]
    preferences, liked, disliked = CommentsToPreferences.execute(comments).result
    assert "warm colors" in disliked.split(", ") and "warm colors" not in liked.split(", ")
    weights = {f.text: f.weight for f in preferences.liked}
    assert all(w <= weights["fog"] for name, w in weights.items() if name != "fog")


def test_pictures_count_beside_any_extractor_and_an_unjudged_one_is_not_read(host, folders):
    from viper.nodes.comments import CommentOnImages, CommentsToPreferences
    from viper.vpe.preferences import Preferences

    asked = []

    class Fixed:
        def extract(self, comments, max_features=0):
            asked.append(comments)
            return Preferences.from_text("lace")

    sheets = plain(*((0.9, 0.45 + 0.02 * n, 0.1) for n in range(6)), (0.2, 0.2, 0.2), size=64)
    entries = [{"text": "", "verdict": "like", "image": {"index": n}} for n in range(6)] + [{"text": "", "image": {"index": 6}}]
    comments = CommentOnImages.execute(json.dumps({"version": 1, "comments": entries}), sheets).result[0]
    liked = CommentsToPreferences.execute(comments, extractor=Fixed()).result[1]
    assert liked.startswith("lace, ") and len(asked[0]) == 6


def test_an_update_learns_once_and_its_code_is_the_updated_taste(host, folders, monkeypatch, tmp_path):
    import viper.host
    from viper.nodes.preferences import UpdatePreferences
    from viper.vpe.preferences import Preferences

    monkeypatch.setattr(viper.host, "profile_folder", lambda: tmp_path / "profiles")
    first = UpdatePreferences.execute(Preferences.from_text("fog"), "me")
    assert first.result[0] == Preferences.from_text("fog")
    before = UpdatePreferences.fingerprint_inputs(name="me")
    updated, code = UpdatePreferences.execute(Preferences.from_text("ink", "gloss"), "me", 0.7).result
    assert UpdatePreferences.execute(Preferences.from_text("ink", "gloss"), "me", 0.7).result == (updated, code)
    assert Preferences.from_share_code(code) == updated and updated.liked_text() == "fog, ink"
    assert UpdatePreferences.fingerprint_inputs(name="me") == before  # what it wrote itself does not make the graph run again
    assert "cannot hold" in UpdatePreferences.validate_inputs("a/b") and UpdatePreferences.validate_inputs("me") is True


def test_the_loop_runs_over_http(client, tmp_path):
    """Two pictures compared in one run: previews and a profile come back, the updated taste is saved and given on."""
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 2, "color": 0xE08020}},
        "2": {"class_type": "ViPerRankPictures", "inputs": {"ranking": ranking(2, [0, 1]), "images": ["1", 0]}},
        "3": {"class_type": "ViPerCommentOnImages", "inputs": {"comments": "+ I love the soft light\n- too grainy"}},
        "4": {"class_type": "ViPerRankPictures", "inputs": {"ranking": "", "comments": ["3", 0]}},
        "5": {"class_type": "ViPerCommentsToPreferences", "inputs": {"comments": ["4", 0]}},
        "6": {"class_type": "ViPerUpdatePreferences", "inputs": {"preferences": ["5", 0], "name": "loop test", "keep": 0.7}},
    }
    outputs = client.run(graph)["outputs"]
    shown = outputs["2"]["viper_pictures"]
    assert [p["index"] for p in shown] == [0, 1]
    assert client.get("/view", filename=shown[0]["filename"], subfolder="viper", type="temp").content
    profile = json.loads(outputs["5"]["viper_profile"][0])
    assert [f["text"] for f in profile["liked"]] == ["soft light"] and [f["text"] for f in profile["disliked"]] == ["grainy"]
    assert "loop test" in str(client.get("/object_info/ViPerLoadPreferences").json())
