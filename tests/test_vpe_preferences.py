"""Preferences: algebra, edits, files and share codes."""

import json
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from viper.vpe import sharing
from viper.vpe.preferences import (
    Feature,
    Preferences,
    PreferencesError,
    load_profile,
    normalise,
    profile_names,
    save_profile,
)

texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)
weights = st.floats(0.01, 10)
features = st.lists(st.builds(Feature, texts, weights, texts), max_size=6).map(tuple)
preferences = st.builds(Preferences, features, features)
plain_words = st.from_regex(r"[a-z]{1,8}( [a-z]{1,8})?", fullmatch=True)
plain_features = st.lists(plain_words.map(Feature), max_size=5).map(tuple)
plain_preferences = st.builds(Preferences, plain_features, plain_features)


def refused(call, *args):
    with pytest.raises(PreferencesError) as caught:
        call(*args)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 300
    return text


def pairs(side):
    return [(f.text, f.weight) for f in side]


@given(preferences)
def test_a_feature_stands_once_and_on_one_side(prefs):
    keys = [normalise(f.text) for f in prefs.liked + prefs.disliked]
    assert len(keys) == len(set(keys)) and all(keys)


@given(preferences)
def test_json_brings_back_the_same_preferences(prefs):
    assert Preferences.from_json(prefs.to_json()) == prefs


def test_unknown_keys_in_a_file_are_tolerated():
    data = {"kind": "viper-preferences", "version": 1, "model": "x", "liked": ["ink", {"text": "fog", "hue": 3}]}
    assert Preferences.from_json(json.dumps(data)) == Preferences.from_text("ink, fog")


@pytest.mark.parametrize("text", [
    "", "[]", "{", '{"kind": "other", "version": 1}', '{"kind": "viper-preferences", "version": 2}',
    '{"kind": "viper-preferences", "version": 1, "liked": {}}', '{"kind": "viper-preferences", "version": 1, "liked": [3]}',
    '{"kind": "viper-preferences", "version": 1, "liked": [{"text": "a", "weight": NaN}]}',
    '{"kind": "viper-preferences", "version": 1, "liked": [{"text": "a", "weight": 1' + "0" * 400 + '}]}',
    "[" * 100_000,
])
def test_a_broken_file_is_refused_with_a_sentence(text):
    refused(Preferences.from_json, text)


# Words


def test_text_is_split_at_commas_semicolons_and_lines_with_prompt_weights():
    prefs = Preferences.from_text("soft light, (neon:1.3);grain:0.5\n(ink), (fog, mist:2), aspect 16:9, wood (dark)", "a:.5")
    assert pairs(prefs.liked) == [("soft light", 1.0), ("neon", 1.3), ("grain", 0.5), ("ink", 1.1), ("fog", 2.0), ("mist", 2.0),
                                  ("aspect 16:9", 1.0), ("wood (dark", 1.0)]
    assert pairs(prefs.disliked) == [("a", 0.5)]


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_becomes_preferences_or_a_sentence(liked, disliked):
    try:
        Preferences.from_text(liked, disliked)
    except PreferencesError as error:
        assert str(error).endswith(".")


@given(plain_preferences)
def test_texts_bring_back_the_same_features(prefs):
    assert Preferences.from_text(prefs.liked_text(), prefs.disliked_text()) == prefs


def test_empty_text_gives_empty_preferences():
    assert Preferences.from_text("", " ,\n;") == Preferences() and not Preferences()
    assert Preferences().liked_text() == "" == Preferences().disliked_text()


def test_what_stands_on_both_sides_is_dropped_and_spelling_does_not_matter():
    prefs = Preferences.from_text("Grey fog, ink, Soft-Light, soft light:1.4", "gray  Fog, neon")
    assert pairs(prefs.liked) == [("ink", 1.0), ("Soft-Light", 1.4)] and prefs.disliked_text() == "neon"


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), "1", None, True, 10**400])
def test_a_weight_must_be_a_finite_number(weight):
    refused(Feature, "ink", weight)


def test_a_weight_of_zero_in_a_list_is_refused():
    refused(Preferences.from_text, "ink:0")
    refused(Preferences.from_text, "(ink:-1)")


# Algebra


@given(preferences, st.floats(0, 1))
def test_blending_with_oneself_changes_nothing(prefs, weight):
    assert prefs.blend(prefs, weight) == prefs


@given(preferences, preferences)
def test_a_blend_of_weight_zero_is_the_first_and_of_one_the_second(a, b):
    assert a.blend(b, 0) == a
    assert keyed(a.blend(b, 1)) == keyed(b)


def keyed(prefs):
    return [{normalise(f.text): f.weight for f in side} for side in (prefs.liked, prefs.disliked)]


@given(preferences, preferences, st.floats(0, 1))
def test_a_blend_is_the_same_from_both_ends(a, b, weight):
    left, right = keyed(a.blend(b, weight)), keyed(b.blend(a, 1 - weight))
    for x, y in zip(left, right, strict=True):
        for key in x.keys() | y.keys():
            assert x.get(key, 0) == pytest.approx(y.get(key, 0), abs=0.011)


@given(preferences, preferences)
def test_adding_then_subtracting_brings_the_first_back(a, b):
    assume(all(f.weight <= 4 for p in (a, b) for f in p.liked + p.disliked))
    result = keyed(a.add(b).subtract(b))
    for x, y in zip(result, keyed(a), strict=True):
        for key in x.keys() | y.keys():
            assert x.get(key, 0) == pytest.approx(y.get(key, 0), abs=0.011)


def test_liked_here_and_disliked_there_nets_out():
    a, b = Preferences.from_text("neon, ink"), Preferences.from_text("", "neon")
    assert a.blend(b).liked_text() == "ink" and a.blend(b).disliked_text() == ""
    assert pairs(a.blend(b, 0.75).disliked) == [("neon", 0.5)]
    assert a.subtract(a) == Preferences()


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), "x"])
def test_a_blend_outside_zero_to_one_is_refused_with_a_sentence(weight):
    refused(Preferences().blend, Preferences(), weight)


# Edits


def test_edits_do_what_the_docstring_says():
    prefs = Preferences.from_text("ink, neon, soft light, fog", "grain").edit(
        "+ torn paper edges\n+ gold leaf = 1.3\n- lens flare\n+ grain\n- fog\n~ neon\n"
        "soft light = 1.5\n# a note\n\nink -> india ink\nx ray -> x-ray")
    assert pairs(prefs.liked) == [("india ink", 1.0), ("soft light", 1.5), ("grain", 1.0), ("torn paper edges", 1.0),
                                  ("gold leaf", 1.3)]
    assert pairs(prefs.disliked) == [("fog", 1.0), ("lens flare", 1.0)]


@given(plain_preferences, plain_words)
def test_liking_then_forgetting_a_new_feature_changes_nothing(prefs, word):
    assume(normalise(word) not in {normalise(f.text) for f in prefs.liked + prefs.disliked})
    assert prefs.edit(f"+ {word}\n~ {word}") == prefs
    assert prefs.edit(f"{word} = 2\n~ {word}\n{word} -> {word} again") == prefs


@given(preferences)
def test_no_edits_change_nothing(prefs):
    assert prefs.edit("") == prefs == prefs.edit("\n # note\n")


@given(st.text(max_size=40))
def test_any_edit_is_applied_or_refused_with_a_sentence(text):
    try:
        Preferences.from_text("ink", "neon").edit(text)
    except PreferencesError as error:
        assert str(error).endswith(".")


@pytest.mark.parametrize("line", ["ink", "ink = much", "+", "~ ink = 2", "a -> b -> c", "-> b", "+ a -> b", "ink = -1", "= 2"])
def test_an_edit_that_is_not_understood_is_named_by_its_line(line):
    assert "Line 2" in refused(Preferences().edit, "+ fog\n" + line)


# Share codes


@given(preferences)
def test_a_share_code_brings_back_features_and_weights(prefs):
    code = prefs.share_code()
    back = Preferences.from_share_code(code)
    assert pairs(back.liked) == pairs(prefs.liked) and pairs(back.disliked) == pairs(prefs.disliked)
    assert code.startswith("vp1-") and len(code.split()) == 1
    assert not any(f.source for f in back.liked + back.disliked)


def test_a_share_code_survives_a_chat_window():
    prefs = Preferences.from_text("dusty rose tones, torn paper edges:1.3", "lens flare")
    code = prefs.share_code()
    assert Preferences.from_share_code(f"  `{code[:20]}\n\u200b{code[20:]}` \n") == prefs


@given(preferences, st.data())
def test_a_damaged_share_code_is_refused_with_a_sentence(prefs, data):
    code = prefs.share_code()
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.characters(blacklist_categories=("Cs",)).filter(lambda ch: ch != code[place]))
    refused(Preferences.from_share_code, code[:place] + other + code[place + 1:])


@given(preferences, st.data())
def test_a_shortened_share_code_is_refused_with_a_sentence(prefs, data):
    code = prefs.share_code()
    refused(Preferences.from_share_code, code[:data.draw(st.integers(0, len(code) - 1))])


@given(st.text(max_size=80))
def test_a_foreign_text_is_no_share_code(text):
    refused(Preferences.from_share_code, text)
    refused(Preferences.from_share_code, "vp1-" + text)


def test_a_code_of_a_later_version_asks_for_an_update():
    assert "update" in refused(Preferences.from_share_code, "vp2-abcdef")


@pytest.mark.parametrize("raw", [b"0" * 50_000_000, b"[]", b"[[1],[]]", b'[[["a"]],[]]', b'[[["a",true]],[]]', b'[[["a",NaN]],[]]',
                                 b"\xff", b"[" * 99_999], ids=range(8))
def test_a_forged_share_code_is_refused_with_a_sentence(raw):
    data = zlib.compress(raw, 9)
    code = "vp1-" + sharing.base64.urlsafe_b64encode(sharing._digest(data) + data).decode().rstrip("=")
    refused(Preferences.from_share_code, code)


# Profiles


def test_profiles_are_saved_listed_and_loaded(tmp_path):
    prefs = Preferences((Feature("ink", 1.3, "I love the ink."),), (Feature("n\u00e9on"),))
    for name in ("Mein Geschmack", "\u6c34\u5f69", " zoo "):
        save_profile(tmp_path / "profiles", name, prefs)
    folder = tmp_path / "profiles"
    (folder / "notes.txt").write_text("x")
    assert profile_names(folder) == ["Mein Geschmack", "zoo", "\u6c34\u5f69"]
    assert load_profile(folder, "\u6c34\u5f69") == prefs == load_profile(folder, "zoo ")
    assert {p.suffix for p in folder.iterdir()} == {".json", ".txt"}


def test_a_folder_that_is_not_there_holds_no_profiles(tmp_path):
    assert profile_names(tmp_path / "nothing") == []
    assert '"calm"' in refused(load_profile, tmp_path, "calm")


@pytest.mark.parametrize("name", ["", "  ", "../up", "a/b", "a\\b", "C:x", ".hidden", "end.", "con", "NUL", "com1", "LPT9.old",
                                  "a\nb", "a*", "a\x00b", "\u202ename", "x" * 300, None])
def test_a_name_that_is_no_safe_file_name_is_refused(tmp_path, name):
    refused(save_profile, tmp_path, name, Preferences())
    refused(load_profile, tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_keeps_the_former_profile(tmp_path, monkeypatch):
    save_profile(tmp_path, "taste", Preferences.from_text("ink"))
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert "No space left" in refused(save_profile, tmp_path, "taste", Preferences.from_text("neon"))
    assert load_profile(tmp_path, "taste").liked_text() == "ink" and len(list(tmp_path.iterdir())) == 1


def test_a_file_that_is_no_profile_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe\x00")
    refused(load_profile, tmp_path, "odd")
