"""The personalisation benchmark: its arithmetic, its people, its baseline, and that nothing is drawn twice."""

from itertools import combinations

import numpy as np
import pytest

from viper.benchmarks import _plots, _ranks
from viper.pocket.recipe.captions import compatible, group_of
from viper.pocket.recipe.icons import vocabulary
from viper.vpe.agents import distance

VOCABULARY = vocabulary()
GROUPS = group_of(VOCABULARY)
LOOKS = [a for a, group in GROUPS.items() if group not in ("color", "look")]


@pytest.fixture(scope="module")
def people():
    from viper.benchmarks import _people

    return _people


def test_first_place_is_won_lost_or_shared():
    assert _ranks.first_place(2, [1, 0, 1]) == 1 and _ranks.first_place(0, [1, 0]) == 0
    assert _ranks.first_place(1, [1, 0, 1]) == pytest.approx(1 / 3)
    rng = np.random.default_rng(0)
    blind = [_ranks.first_place(own, rest) for own, *rest in rng.integers(0, 3, (4000, 8))]
    assert np.mean(blind) == pytest.approx(1 / 8, abs=0.01)  # ties and all


def test_against_others():
    rng = np.random.default_rng(0)
    assert _ranks.against_others(np.eye(9), rng).tolist() == [1] * 9
    assert _ranks.against_others(1 - np.eye(9), rng).tolist() == [0] * 9
    assert _ranks.against_others(np.zeros((9, 9)), rng) == pytest.approx(np.full(9, 1 / 8))
    scores = np.zeros((15, 15))
    scores[0, 1] = 1  # one picture of fourteen beats one's own: it is in half of the line-ups of seven others
    assert _ranks.against_others(scores + 0.5 * np.eye(15), rng, draws=2000)[0] == pytest.approx(0.5, abs=0.05)
    with pytest.raises(ValueError, match="needs 8 people, not 3"):
        _ranks.against_others(np.eye(3), rng)


def test_the_interval_is_of_people_not_of_pictures():
    coin = [[float(i % 2)] for i in range(100)]
    mean, low, high = _ranks.interval(coin)
    assert mean == 0.5 and (low, high) == pytest.approx((0.4, 0.6), abs=0.02)  # 1.96 · 0.05
    assert _ranks.interval([p * 50 for p in coin]) == pytest.approx((mean, low, high))
    assert _ranks.interval([[1.0, float("nan")], [float("nan")], [1.0]]) == (1, 1, 1)
    assert np.isnan(_ranks.interval([[float("nan")]])[0])
    assert _ranks.interval(coin) == _ranks.interval(coin)


def test_spread_and_words_for_a_share():
    assert _ranks.spread(np.eye(3)) == pytest.approx(1) and _ranks.spread(np.ones((4, 1))) == pytest.approx(0)
    assert _ranks.shown((0.9125, 0.881, 0.94)) == "91.2 % (88\u201394)"


def test_what_stands_where_as_much_is_kept():
    curve = [(1.0, 0.1), (0.9, 0.5), (0.7, 0.9)]
    assert _ranks.at_level(curve, 0.8) == pytest.approx(0.7) and _ranks.at_level(curve, 1.0) == 0.1
    assert np.isnan(_ranks.at_level(curve, 0.6))


def test_people_like_what_goes_together_and_are_far_apart(people):
    for each, count in ((1, 30), (2, 64), (4, 64)):
        crowd = people.draw_people(VOCABULARY, LOOKS, count, each, seed=3)
        assert len(crowd) == count and crowd == people.draw_people(VOCABULARY, LOOKS, count, each, seed=3)
        assert crowd != people.draw_people(VOCABULARY, LOOKS, count, each, seed=4)
        assert all(distance(a, b) >= 0.85 for a, b in combinations(crowd, 2))
        for person in crowd:
            assert len(set(person.liked)) == len(set(person.disliked)) == each
            assert not {GROUPS[a] for a in person.liked} & {GROUPS[a] for a in person.disliked}
            assert all(compatible(a, b, GROUPS) for a, b in combinations(person.liked, 2))
    many = people.draw_people(VOCABULARY, LOOKS, 8, 8, seed=3)[0]
    assert len({GROUPS[a] for a in many.liked}) == 8
    with pytest.raises(ValueError, match="need as many groups"):
        people.draw_people(VOCABULARY, LOOKS, 1, 14, seed=0)


def test_comments_tell_every_look(people):
    person = people.draw_people(VOCABULARY, LOOKS, 1, 4, seed=5)[0]
    comments = people.write(person, VOCABULARY, "0")
    assert len(comments) == 8 and comments == people.write(person, VOCABULARY, "0") != people.write(person, VOCABULARY, "1")
    text = "\n".join(c.text for c in comments).lower()
    assert all(any(w in text for w in people.wordings(a, VOCABULARY)) for a in person.liked + person.disliked)
    assert len(people.write(person, VOCABULARY, "0", people.moulds())) == 8
    assert people.understood(person, people.true_preferences(person, VOCABULARY), VOCABULARY) == (8, 0, 0)


def test_the_baseline_is_the_words(host):
    from viper.benchmarks import _conditions
    from viper.vpe.preferences import Feature, Preferences

    job = _conditions.Job("cat", 0, "words", Preferences((Feature("halftone"), Feature("framed", 1.2)), (Feature("dark"),)))
    assert _conditions.words(job.prompt, *job.texts) == ("cat, halftone, (framed:1.20)", "dark")
    assert _conditions.words("cat", "", "") == ("cat", "")


def test_pictures_are_drawn_once_and_do_not_depend_on_their_batch(tiny, as_in_the_host, tmp_path):
    from viper.benchmarks import _conditions
    from viper.vpe.preferences import Preferences

    def studio(folder, batch=4):
        return _conditions.Studio(tiny.model, tiny.clip, tiny.vae, folder, batch, say=lambda text: None)

    taste, other = Preferences.from_text("halftone", "dark"), Preferences.from_text("snow", "neon, framed")
    ways = [_conditions.Job("cat", 1, c, taste, 0.0 if c in ("plain", "words") else 0.6, steps=2) for c in _conditions.CONDITIONS]
    jobs = [*ways, _conditions.Job("house", 2, "paper", other, 0.6, steps=2)]
    first = studio(tmp_path / "a")
    assert first.draw(jobs[:3]) == 3 and first.draw(jobs + jobs) == 5 and first.draw(jobs) == 0
    assert len({j.key for j in jobs}) == len(jobs) == len(list((tmp_path / "a").iterdir()))
    x = first.pictures(jobs)
    assert x.shape == (8, 3, 128, 128) and all((a - b).abs().max() > 0.02 for a, b in combinations(x, 2))
    alone = studio(tmp_path / "b", batch=1).pictures(jobs)
    assert (x - alone).abs().max() < 0.02
    plain = _conditions.Job("cat", 1, "paper", taste, 0.0, steps=2)
    assert (first.pictures([plain])[0] - x[0]).abs().max() < 0.02  # β = 0 is the plain prompt


def test_a_chart_can_be_drawn(tmp_path):
    from PIL import Image

    lines = {"a": [(0.0, (0.1, 0.0, 0.2)), (1.0, (0.9, 0.8, 1.0))], "b": [(0.0, (0.1, 0.1, 0.1))]}
    _plots.chart(tmp_path / "c.png", "title", "x", "%", lines, {"chance": 0.125})
    _plots.sheet(tmp_path / "s.png", [("one", [np.zeros((128, 128, 3), np.uint8)] * 2)], ["p", "q"], left=40)
    assert Image.open(tmp_path / "c.png").size == (640, 400) and Image.open(tmp_path / "s.png").size == (304, 154)
