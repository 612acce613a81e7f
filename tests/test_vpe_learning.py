"""A profile that learns: what stays, what fades, what is learned once."""

import json

import pytest

from viper.vpe import learning, preferences
from viper.vpe.learning import merge, update_profile
from viper.vpe.preferences import Feature, Preferences, PreferencesError, load_profile, save_profile


def prefs(liked="", disliked=""):
    return Preferences.from_text(liked, disliked)


def weights(p):
    return {f.text: f.weight for f in p.liked} | {f.text: -f.weight for f in p.disliked}


def test_the_same_again_changes_no_weight():
    old = prefs("fog:1.3, lace:0.7", "gloss")
    assert weights(merge(old, old, 0.7)) == weights(old)


def test_nothing_fades_by_itself_and_new_features_come_in_weaker():
    merged = weights(merge(prefs("fog, lace"), prefs("ink, chalk"), 0.7))
    assert merged == {"fog": 1.2069, "lace": 1.2069, "ink": 0.5172, "chalk": 0.5172}
    assert sum(w * w for w in merged.values()) / sum(merged.values()) == pytest.approx(1, abs=1e-3)  # as in both of the inputs


def test_what_is_said_again_gains_on_what_is_not():
    merged = weights(merge(prefs("fog, lace"), prefs("fog"), 0.7))
    assert merged["fog"] > 1 > merged["lace"] > 0.7


def test_a_contradiction_nets_out_and_weakens_for_good():
    assert weights(merge(prefs("fog"), prefs("", "fog"), 0.7)) == {"fog": 0.4}
    assert weights(merge(prefs("fog"), prefs("", "fog"), 0.3)) == {"fog": -0.4}
    assert not merge(prefs("fog"), prefs("", "fog"), 0.5)


def test_a_taste_that_changed_is_followed_and_the_old_one_forgotten():
    profile = prefs("fog, lace", "gloss")
    for _ in range(10):
        profile = merge(profile, prefs("ink", "fog"), 0.7)
    assert set(weights(profile)) == {"ink", "fog"} and weights(profile)["fog"] < 0


@pytest.mark.parametrize("keep, left", [(0.0, {"ink": 1.0}), (1.0, {"fog": 1.0})])
def test_the_ends_of_keep_are_all_new_and_all_old(keep, left):
    assert weights(merge(prefs("fog"), prefs("ink"), keep)) == left


def test_nothing_new_changes_nothing_and_the_first_is_taken_as_it_is():
    assert merge(prefs("fog:1.3"), Preferences(), 0.2) == prefs("fog:1.3")
    assert merge(Preferences(), prefs("fog:1.3"), 0.9) == prefs("fog:1.3")


def test_the_newest_sentence_is_the_source_and_an_old_one_is_not_lost():
    old = Preferences((Feature("fog", 1, "the fog!"), Feature("lace", 1, "lace")))
    merged = merge(old, Preferences((Feature("fog", 1, "more fog"), Feature("lace", 1))), 0.7)
    assert [f.source for f in merged.liked] == ["more fog", "lace"]


@pytest.mark.parametrize("keep", (-0.1, 1.1, float("nan"), "much"))
def test_keep_out_of_range_is_refused(keep):
    with pytest.raises(PreferencesError, match="keep must be from 0"):
        merge(prefs("fog"), prefs("ink"), keep)


def test_a_profile_is_made_by_the_first_update_and_the_same_is_learned_once(tmp_path):
    first = update_profile(tmp_path, "me", prefs("fog"))
    assert first == prefs("fog") == load_profile(tmp_path, "me")
    second = update_profile(tmp_path, "me", prefs("ink"), 0.7)
    written = (tmp_path / "me.json").read_bytes()
    assert update_profile(tmp_path, "me", prefs("ink"), 0.7) == second == load_profile(tmp_path, "me")
    assert (tmp_path / "me.json").read_bytes() == written
    assert weights(second) == {"fog": 1.2069, "ink": 0.5172}


def test_the_same_features_in_another_order_with_other_sources_are_the_same(tmp_path):
    update_profile(tmp_path, "me", prefs("fog"))
    a = Preferences((Feature("ink", 1, "one"), Feature("Lace", 1)))
    b = Preferences((Feature("lace", 1), Feature("ink", 1, "another")))
    assert weights(update_profile(tmp_path, "me", a)) == weights(update_profile(tmp_path, "me", b))


def test_empty_preferences_neither_change_nor_make_a_profile(tmp_path):
    assert update_profile(tmp_path, "me", Preferences()) == Preferences() and not (tmp_path / "me.json").exists()
    save_profile(tmp_path, "me", prefs("fog"))
    before = (tmp_path / "me.json").read_bytes()
    assert update_profile(tmp_path, "me", Preferences()) == prefs("fog") and (tmp_path / "me.json").read_bytes() == before


def test_a_profile_that_was_saved_anew_learns_again(tmp_path):
    update_profile(tmp_path, "me", prefs("fog"))
    save_profile(tmp_path, "me", prefs("lace"))
    assert weights(update_profile(tmp_path, "me", prefs("fog"))) == {"lace": 1.2069, "fog": 0.5172}


def test_an_interrupted_write_leaves_the_old_profile(tmp_path, monkeypatch):
    update_profile(tmp_path, "me", prefs("fog"))
    before = (tmp_path / "me.json").read_bytes()

    def full(path, data):
        path.with_name(".draft").write_bytes(data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(preferences, "write_whole", full)
    with pytest.raises(PreferencesError, match=r"could not be saved \(No space left on device\)"):
        update_profile(tmp_path, "me", prefs("ink"))
    assert (tmp_path / "me.json").read_bytes() == before


@pytest.mark.parametrize("damage", ('{"kind": "viper-preferences", "version": 1, "learned": 5}', '{"learned": '))
def test_a_damaged_memory_is_no_memory(tmp_path, damage):
    (tmp_path / "me.json").write_text(damage, encoding="utf-8")
    assert learning.last_learned(tmp_path / "me.json") is None


def test_the_memory_is_a_key_that_readers_of_profiles_ignore(tmp_path):
    update_profile(tmp_path, "me", prefs("fog", "gloss"))
    text = (tmp_path / "me.json").read_text(encoding="utf-8")
    assert json.loads(text)["learned"] == learning.digest(prefs("fog", "gloss"))
    assert Preferences.from_json(text) == prefs("fog", "gloss")
