"""What the widgets ask of the running host."""

import json
import urllib.error
import urllib.request

import pytest

pytest.importorskip("PIL")


def ask(server, route, body=None):
    """→ (status, answer)"""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}/viper/{route}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def picture(path, color=(200, 40, 40)):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48), color).save(path)
    return path


def names(features):
    return [f["text"] for f in features]


def test_comments_are_read_while_they_are_written(server):
    status, told = ask(server, "read", {"comments": "+ I love soft pastel colors\n- way too grainy for me"})
    assert status == 200
    assert [c["verdict"] for c in told["comments"]] == ["like", "dislike"]
    assert names(told["features"][0]["liked"]) == names(told["liked"]) == ["soft pastel colors"]
    assert names(told["features"][1]["disliked"]) == names(told["disliked"]) and "grainy" in told["disliked"][0]["text"]
    assert 0 <= told["sure"] <= 1 and told["advice"].endswith(".")


def test_every_picture_nobody_judged_yet_is_suggested_once(server):
    for n, color in enumerate(((250, 230, 80), (20, 20, 40), (120, 200, 120))):
        picture(server.base / "input" / f"suggest{n}.png", color)
    entries = [{"text": "", "verdict": "like" if n == 0 else None, "image": {"filename": f"suggest{n}.png"}} for n in range(3)]
    status, told = ask(server, "read", {"comments": json.dumps({"version": 1, "comments": entries})})
    assert status == 200 and sorted(told["suggest"]) == [1, 2]


@pytest.mark.parametrize(
    "body, sentence",
    [
        ({"comments": "{broken"}, "line 1 is broken"),
        ({"comments": '{"version": 9, "comments": []}'}, "update the pack"),
        ({"comments": 3}, "must be text"),
        ([], "JSON object"),
        (b"not json", "JSON object"),
        ({"comments": "pastel\n" * 501}, "Run the graph"),
    ],
)
def test_what_cannot_be_read_is_answered_with_a_sentence(server, body, sentence):
    status, told = ask(server, "read", body)
    assert status == 400 and sentence in told["error"]


def test_a_temporary_picture_is_kept_once_under_a_name_of_its_content(server):
    picture(server.base / "temp" / "just_made.png")
    reference = {"filename": "just_made.png", "subfolder": "", "type": "temp"}
    (status, first), (_, second) = ask(server, "keep", reference), ask(server, "keep", reference)
    assert status == 200 and first == second and first["type"] == "input" and first["subfolder"] == "viper"
    assert (server.base / "input" / "viper" / first["filename"]).read_bytes() == (server.base / "temp" / "just_made.png").read_bytes()


@pytest.mark.parametrize("name", ["never_made.png", "../input/secret.png", "/etc/hostname"])
def test_a_picture_that_is_gone_or_elsewhere_is_not_kept(server, name):
    picture(server.base / "input" / "secret.png")
    status, told = ask(server, "keep", {"filename": name, "subfolder": "", "type": "temp"})
    assert status == 404 and "is gone" in told["error"]


def test_a_code_shows_its_profile_and_a_damaged_one_says_so(server):
    from viper.vpe.preferences import Preferences

    taste = Preferences.from_text("neon:1.3, lace", "fog")
    status, told = ask(server, "profile", {"code": taste.share_code()})
    assert status == 200 and told == json.loads(json.dumps(taste.sides()))
    status, told = ask(server, "profile", {"code": taste.share_code()[:-6]})
    assert status == 400 and told["error"].endswith(".")


@pytest.mark.parametrize("name", ["nobody", "../../secret"])
def test_only_saved_profiles_are_shown(server, name):
    status, told = ask(server, "profile", {"name": name})
    assert status == 400 and told["error"]


def test_corrections_follow_the_rules_of_the_node(server):
    found = {"liked": [{"text": "neon", "weight": 1.2, "source": "I love neon."}], "disliked": [{"text": "fog", "weight": 0.8}]}
    status, told = ask(server, "edit", {**found, "edits": "- neon\nfog = 1.5\n+ lace = 1.3"})
    assert status == 200 and names(told["liked"]) == ["lace"] and told["liked"][0]["weight"] == 1.3
    assert {f["text"]: f["weight"] for f in told["disliked"]} == {"neon": 1.0, "fog": 1.5}
    status, told = ask(server, "edit", {**found, "edits": "what is this"})
    assert status == 400 and "Line 1" in told["error"]


def test_pictures_of_a_folder_come_newest_first_and_no_other_files(server):
    import os

    picture(server.base / "output" / "listed" / "old.png")
    os.utime(server.base / "output" / "listed" / "old.png", (1, 1))
    picture(server.base / "output" / "new.png")
    (server.base / "output" / "notes.txt").write_text("no picture")
    status, told = ask(server, "pictures?place=output")
    found = [(p["subfolder"], p["filename"]) for p in told["pictures"]]
    assert status == 200 and ("", "new.png") in found and found.index(("", "new.png")) < found.index(("listed", "old.png"))
    assert not any(name.endswith(".txt") for _, name in found)
    assert ask(server, "pictures?place=models")[0] == 400


def test_the_next_pair_is_one_that_was_not_asked_or_skipped(server):
    for n, color in enumerate(((250, 230, 80), (20, 20, 40), (120, 200, 120))):
        picture(server.base / "input" / f"pair{n}.png", color)
    ranking = {"version": 1, "pictures": [{"filename": f"pair{n}.png"} for n in range(3)], "pairs": []}
    asked = []
    for _ in range(3):
        status, told = ask(server, "next", {"ranking": json.dumps(ranking), "skipped": ["0-1"]})
        assert status == 200
        if told["pair"] is None:
            break
        asked.append(tuple(sorted(told["pair"])))
        ranking["pairs"].append(told["pair"])
    assert sorted(asked) == [(0, 2), (1, 2)]
    assert ask(server, "next", {"ranking": ""})[1]["pair"] is None
