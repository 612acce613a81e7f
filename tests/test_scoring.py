"""How much one person would like a picture: the arithmetic, what the scores must hold, and the nodes in the host."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch


def solid(*colors, size=48):
    """(B, size, size, 3): one colour each, with a little noise that is the same at every call."""
    x = torch.tensor(colors, dtype=torch.float32)[:, None, None].expand(-1, size, size, 3)
    return (x + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


WARM, COLD = (0.9, 0.5, 0.2), (0.2, 0.45, 0.9)


def near(color, count, seed):
    rng = np.random.default_rng(seed)
    return solid(*(np.clip(np.array(color) + rng.normal(0, 0.05, 3), 0, 1).tolist() for _ in range(count)))


@pytest.fixture(scope="module")
def sc(host):
    from viper.evaluation import encoders, person, ridge, scoring
    from viper.vpe.comments import Comment, Comments, ImageRef
    from viper.vpe.preferences import Preferences

    return SimpleNamespace(
        score=scoring.score, scoring=scoring, person=person.person, Person=person.Person, encoders=encoders, ridge=ridge,
        Preferences=Preferences, Comments=Comments, Comment=Comment, ImageRef=ImageRef,
    )  # fmt: skip


@pytest.fixture(scope="module")
def colour_eye(sc):
    """Sees the mean colour, and reads four words as colours."""
    words = {"warm": WARM, "cold": COLD}
    see = lambda x: x.mean((1, 2)) - 0.5  # noqa: E731
    read = lambda text: torch.tensor(words.get(text, (0.5, 0.5, 0.6))) - 0.5  # noqa: E731
    return sc.encoders.Encoder("colours", see, read)


# --- the arithmetic --------------------------------------------------------------------------------------------------


def test_the_chance_is_that_of_the_two_densities(sc):
    """P(liked | x) of densities e^(w·x) t(x) and e^(−w·x) t(x), each normed over typical pictures, by hand."""
    from viper.vpe.taste import Belief

    grid = np.linspace(-6, 6, 49)
    weight = np.zeros((2, 49))
    weight[0, np.argmin(abs(grid - 1.0))] = weight[1, np.argmin(abs(grid + 0.5))] = 1.0
    typical = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    belief = Belief(("a", "b"), np.zeros((0, 2)), typical, np.ones(2), weight, np.zeros(2))
    w = np.array([1.0, -0.5])
    like, dislike = (np.exp(sign * typical @ w).mean() for sign in (1, -1))
    for shown, x in (({"a": 1.0}, [1, 0]), ({"b": 0.5, "c": 1.0}, [0, 0.5]), ({}, [0, 0])):
        a, b = math.exp(np.dot(w, x)) / like, math.exp(-np.dot(w, x)) / dislike
        odds = sc.scoring.log_odds(belief, [shown])[0]
        assert 1 / (1 + math.exp(-odds)) == pytest.approx(a / (a + b), abs=1e-9)


def test_the_ridge_is_the_maximum_of_its_posterior(sc):
    """The gradient of the log posterior in float64, written out, is zero where the fit stands."""
    rng = np.random.default_rng(1)
    z, verdicts, offset = rng.normal(size=(12, 5)), np.array([1, -1] * 5 + [0, 0]), rng.normal(size=12)
    pairs = [(10, 0), (1, 11)]
    model = sc.ridge.Ridge(z, verdicts, pairs, offset)
    x, w, b, s = model.z, model.w, model.b, model.strength
    gradient, intercept = -w / s**2, -b / 10
    for n in range(10):
        rest = verdicts[n] / (1 + math.exp(verdicts[n] * (x[n] @ w + b + offset[n])))
        gradient, intercept = gradient + rest * x[n], intercept + rest
    for i, j in pairs:
        d = x[i] - x[j]
        gradient = gradient + d / (1 + math.exp(d @ w + offset[i] - offset[j]))
    assert np.abs(gradient).max() < 1e-5 and abs(intercept) < 1e-5
    assert model.odds(z, offset) == pytest.approx(x @ w + b + offset)


def test_one_side_alone_is_not_told_by_the_intercept(sc):
    rng = np.random.default_rng(2)
    model = sc.ridge.Ridge(rng.normal(size=(4, 3)) + 3, np.ones(4, int))
    assert model.b == 0.0 and abs(model.odds(np.full((1, 3), -9.0))[0]) < 60


def test_leaving_pictures_out_means_that_nothing_of_them_was_learned(sc):
    rng = np.random.default_rng(3)
    z, verdicts = rng.normal(size=(8, 40)), np.array([1, -1] * 4)
    model = sc.ridge.Ridge(z, verdicts)
    own = model.difference(0, 1)
    verdicts[[0, 1]] = 0
    alone = sc.ridge.Ridge(z, verdicts)
    alone.strength = model.strength
    assert own == pytest.approx(alone._fit(model.strength, set())[0] @ (model.z[0] - model.z[1]), abs=1e-9)
    assert (z[0] - z[1]) @ model.w > own, "what was seen is ranked more surely than what was not"


@pytest.mark.parametrize(("likes", "dislikes", "told"), [
    (0, 0, []),
    (5, 1, ["hardly any picture"]),
    (6, 3, ["67% of 6 pairs", "Only 3 pictures on one side"]),
    (4, 4, ["50% of 4 pairs"]),
])  # fmt: skip
def test_the_report_tells_what_was_left_out_and_when_there_are_too_few(sc, likes, dislikes, told):
    found = sc.scoring.left_out(likes, dislikes, lambda i, j: float(i < likes * 2 // 3 if dislikes == 3 else i % 2))
    assert len(found) == len(told) and all(part in line for part, line in zip(told, found, strict=True))


# --- what the scores must hold ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["both", "encoder"])
def test_pictures_like_the_liked_ones_come_first(sc, colour_eye, way):
    images = torch.cat([near(COLD, 2, 5), near(WARM, 2, 6)])
    person = sc.person(liked=near(WARM, 4, 1), disliked=near(COLD, 4, 2))
    scores = sc.score(images, person, colour_eye if way == "encoder" else None)
    assert set(scores.best(2)) == {2, 3}
    values = scores.judgement.values
    assert ((0 < values) & (values < 1)).all() and values[2:].min() > 0.5 > values[:2].max()
    assert "100% of 4 pairs" in scores.report()


@pytest.mark.parametrize("way", ["both", "encoder"])
def test_a_picture_has_the_same_score_in_any_batch_and_the_taste_turned_round_the_opposite_one(sc, colour_eye, way):
    encoder = colour_eye if way == "encoder" else None
    images, liked, disliked = torch.cat([near(COLD, 2, 5), near(WARM, 1, 6)]), near(WARM, 4, 1), near(COLD, 4, 2)
    one = sc.score(images, sc.person(liked=liked, disliked=disliked), encoder).judgement.values
    alone = [sc.score(images[n : n + 1], sc.person(liked=liked, disliked=disliked), encoder).judgement.values[0] for n in range(3)]
    assert one == pytest.approx(alone, abs=1e-6)
    other = sc.score(images, sc.person(liked=disliked, disliked=liked), encoder).judgement.values
    assert ((one > 0.5) != (other > 0.5)).all()


def test_words_count_where_the_encoder_reads_and_are_said_not_to_where_it_only_sees(sc, colour_eye):
    images, person = torch.cat([near(COLD, 1, 5), near(WARM, 1, 6)]), sc.person(sc.Preferences.from_text("warm", "cold"))
    assert sc.score(images, person, colour_eye).order == (1, 0)
    blind = sc.encoders.Encoder("eyes", colour_eye.see)
    scores = sc.score(images, person, blind)
    assert scores.judgement.values.tolist() == [0.5, 0.5] and "eyes only sees, so the words" in scores.report()
    with pytest.raises(ValueError, match="only sees: connect one that also reads"):
        blind.texts(["warm"])


def test_comparisons_teach_too(sc, colour_eye):
    pictures = torch.cat([near(WARM, 3, 1), near(COLD, 3, 2)])
    items = tuple(sc.Comment("", image=sc.ImageRef(index=n)) for n in range(6))
    compared = sc.Comments(items, pictures, ((0, 3), (1, 4), (2, 5), (0, 4)))
    images = torch.cat([near(COLD, 1, 5), near(WARM, 1, 6)])
    for encoder in (colour_eye, None):
        assert sc.score(images, sc.person(comments=compared), encoder).order == (1, 0)


def test_the_words_of_comments_count_only_where_no_preferences_are_given(sc):
    said = sc.Comments((sc.Comment("I love warm colors", "like"), sc.Comment("I hate neon", "dislike")))
    assert [f.text for f in sc.person(comments=said).said.liked] == ["warm colors"]
    assert [f.text for f in sc.person(sc.Preferences.from_text("fog", ""), said).said.liked] == ["fog"]


def test_nothing_known_makes_all_pictures_alike_and_keeps_their_order(sc):
    for person in (sc.person(sc.Preferences()), sc.person(comments=sc.Comments())):
        scores = sc.score(near(WARM, 3, 1), person)
        assert scores.order == (0, 1, 2) and scores.judgement.values.tolist() == [0.5] * 3
        assert "Nothing is known of this taste yet" in scores.report()


def test_a_picture_that_is_gone_is_left_out(sc):
    items = tuple(sc.Comment("", verdict, sc.ImageRef(index=n)) for n, verdict in ((0, "like"), (1, "dislike"), (9, "like")))
    scores = sc.score(near(WARM, 1, 6), sc.person(comments=sc.Comments(items, torch.cat([near(WARM, 1, 1), near(COLD, 1, 2)]))))
    assert scores.judgement.values[0] > 0.5


@pytest.mark.parametrize(("given", "sentence"), [
    (lambda sc: sc.person(), "connect preferences, comments, or liked_images"),
    (lambda sc: sc.score(torch.zeros(0, 8, 8, 3), sc.Person()), "no picture to score"),
    (lambda sc: sc.score(near(WARM, 2, 1), sc.Person()).latents({"samples": torch.zeros(3, 4, 2, 2)}, (0,)), "3 latents and 2 scored"),
])  # fmt: skip
def test_bad_input_gets_one_sentence(sc, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        given(sc)


def test_the_look_counts_and_not_the_subject(sc):
    """Every subject stands on both sides, once dark and once as it is; unseen ones, too."""
    from viper.pocket.subjects import CLASS_NOUNS, subject_pictures

    owls, dogs, beasts = (subject_pictures(name) for name in ("owl", "poodle", "t-rex"))
    assert set(CLASS_NOUNS) >= {"owl", "poodle", "t-rex"}
    dim = lambda x: x * 0.35  # noqa: E731
    person = sc.person(liked=dim(torch.cat([owls[:2], dogs[:2]])), disliked=torch.cat([owls[:2], dogs[:2]]))
    scores = sc.score(torch.cat([beasts, dim(beasts)]), person)
    assert set(scores.best(4)) == {4, 5, 6, 7}


# --- encoders --------------------------------------------------------------------------------------------------------


def test_a_clip_of_the_host_becomes_an_encoder(sc):
    from viper.pocket.encoders import load_pocket_encoders

    clip_vision, clip = load_pocket_encoders()
    own, theirs = sc.encoders.pocket(), sc.encoders.from_clip(clip_vision, clip)
    x = near(WARM, 3, 1)
    assert torch.allclose(own.pictures(x), theirs.pictures(x), atol=1e-5)
    assert torch.allclose(own.texts(["sepia"]), theirs.texts(["sepia"]), atol=1e-5)
    assert own.pictures(x).norm(dim=1) == pytest.approx(torch.ones(3))
    assert not sc.encoders.from_clip(clip_vision).reads


def test_two_sides_of_different_clips_are_refused(sc):
    from viper.pocket.encoders import load_pocket_encoders
    from viper.tests import families as f

    with pytest.raises(ValueError, match="connect|text projection"):
        sc.encoders.from_clip(load_pocket_encoders()[0], f.sd15()[1])


# --- ViPer's own judge -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judge(host, tmp_path_factory):
    pytest.importorskip("transformers")
    from viper.evaluation.proxy import load_proxy
    from viper.tests import tiny_vlm

    processor, model = tiny_vlm.idefics2(["Score for this image? + - User: Assistant:"] * 9)
    return load_proxy(tiny_vlm.save(tmp_path_factory.mktemp("proxy") / "idefics2-tiny", processor, model), None, "fp32", pairs=2)


def test_the_judge_gives_what_the_recipes_score_gives(sc, judge):
    """The same prompt, order and token rule as ``vpe/recipe/proxy.py``, which is checked against ViPer's by hand."""
    from viper.vpe.pictures import pictures_of
    from viper.vpe.recipe import models, proxy

    liked, disliked, images = near(WARM, 3, 1), near(COLD, 2, 2), near(WARM, 2, 6)
    scores = sc.score(images, sc.person(liked=liked, disliked=disliked), scorer=judge)
    processor, model = models.load_processor(judge.model.folder), judge.model._weights_held.use()
    sides = [pictures_of(sc.Comments(tuple(sc.Comment("", image=sc.ImageRef(index=n)) for n in range(2)), x)) for x in (disliked, liked)]
    from viper.evaluation.person import unsaid

    expected = [proxy.score(model, processor, *sides, picture) for picture in pictures_of(unsaid(images))]
    assert scores.judgement.values == pytest.approx(expected, abs=1e-5)
    report = scores.report()
    assert "2 liked and 2 disliked" in report and "There were 3 and 2" in report and "Judged by idefics2-tiny" in report


def test_the_judge_needs_pictures_of_both_sides(sc, judge):
    with pytest.raises(ValueError, match=r"liked and disliked pictures \(there are 4 and 0\)"):
        sc.score(near(WARM, 1, 6), sc.person(liked=near(WARM, 4, 1)), scorer=judge)


def test_the_judges_memory_is_the_hosts_to_take(sc, judge):
    import comfy.model_management as mm

    sc.score(near(WARM, 1, 6), sc.person(liked=near(WARM, 1, 1), disliked=near(COLD, 1, 2)), scorer=judge)
    held = [m for m in mm.current_loaded_models if m.model is judge.model._weights_held._patcher]
    assert len(held) == 1
    mm.unload_all_models()
    assert not [m for m in mm.current_loaded_models if m.model is judge.model._weights_held._patcher]
    again = sc.score(near(WARM, 1, 6), sc.person(liked=near(WARM, 1, 1), disliked=near(COLD, 1, 2)), scorer=judge)
    assert 0 < again.judgement.values[0] < 1


# --- the nodes -------------------------------------------------------------------------------------------------------


def test_the_score_node_hands_on_sorted_pictures_scores_sheet_and_report(sc):
    from viper.nodes.scoring import PickBest, PreferenceScore

    images = torch.cat([near(COLD, 2, 5), near(WARM, 2, 6)])
    out = PreferenceScore.execute(images, liked_images=near(WARM, 4, 1), disliked_images=near(COLD, 4, 2))
    best, scores, sheet, report = out.result
    assert torch.equal(best, images[list(scores.order)]) and report.startswith("| place | picture | score |")
    assert sheet.shape[0] == 1 and sheet.shape[-1] == 3 and 0 <= float(sheet.min()) and float(sheet.max()) <= 1
    latents = {"samples": torch.arange(4.0)[:, None, None, None].expand(4, 8, 2, 2), "noise_mask": torch.arange(4.0)[:, None, None]}
    picked, chosen, told = PickBest.execute(scores, 2, latents).result
    assert torch.equal(picked, best[:2]) and {2, 3} == {int(x) for x in chosen["samples"][:, 0, 0, 0]} == set(chosen["batch_index"])
    assert torch.equal(chosen["noise_mask"][:, 0, 0], chosen["samples"][:, 0, 0, 0]) and told.count("#") == 2
    assert len(PickBest.execute(scores, 99).result[0]) == 4


def test_latents_that_were_not_given_stop_only_who_uses_them(sc):
    from comfy_execution.graph import ExecutionBlocker

    from viper.nodes.scoring import PickBest

    blocked = PickBest.execute(sc.score(near(WARM, 2, 1), sc.person(sc.Preferences())), 1).result[1]
    assert isinstance(blocked, ExecutionBlocker) and "connect those of the pictures" in blocked.message


def test_a_proxy_that_is_not_here_is_named(host):
    from viper.nodes.scoring import LoadProxy

    with pytest.raises(ValueError, match=r"EPFL-VILAB/Metric-ViPer \(0.1 GB\) is not on this machine"):
        LoadProxy.execute("idefics2-8b", "Metric-ViPer", "auto")
