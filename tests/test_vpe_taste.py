"""Taste without words: what is named of liked, disliked and compared pictures, how sure it is, what is asked next."""

import random
import time

import numpy as np
import pytest

from viper.vpe import taste
from viper.vpe.comments import Comment, Comments, ImageRef
from viper.vpe.preferences import Preferences
from viper.vpe.taste import Judged

NOISE = ("warm colors", "cool colors", "smooth", "textured", "dark", "bright", "green", "blue", "brown", "muted colors")


@pytest.fixture(autouse=True)
def one_world(monkeypatch):
    """Typical pictures of this test: 200 with two common features each and every third with a rare one; "dim" with every "dark"."""
    rng, rare = random.Random(0), ("ink", "lace", "fog", "gloss", "chalk")
    back = tuple({name: 1.0 for name in (*rng.sample(NOISE, 2), *([rng.choice(rare)] if n % 3 == 0 else []))} for n in range(200))
    back = tuple(b | {"dim": 1.0} if "dark" in b else b for b in back)
    monkeypatch.setattr(taste, "typical", lambda drawn=False: back)


def pictures(count, *own, seed=0):
    rng = random.Random(seed)
    return tuple({name: 1.0 for name in (*own, *rng.sample(NOISE, 2))} for _ in range(count))


def judged(liked, disliked=()):
    return Judged((*liked, *disliked), (1,) * len(liked) + (-1,) * len(disliked))


def names(side):
    return [f.text for f in side]


def test_what_liked_pictures_share_and_disliked_ones_lack_is_named_with_its_evidence():
    found = taste.from_pictures(judged(pictures(5, "ink"), pictures(4, "gloss", seed=1)))
    assert names(found.liked) == ["ink"] and names(found.disliked) == ["gloss"]
    assert found.liked[0].source == "in 5 of 5 liked pictures, in 0 of 4 disliked pictures"
    assert np.mean([f.weight for f in found.liked + found.disliked]) == pytest.approx(1, abs=1e-3)


def test_a_mood_board_is_read_against_typical_pictures():
    found = taste.from_pictures(judged(pictures(5, "ink", "lace")))
    assert set(names(found.liked)) == {"ink", "lace"} and not found.disliked
    assert names(taste.from_pictures(judged((), pictures(5, "gloss"))).disliked) == ["gloss"]


def test_what_both_sides_share_tells_nothing():
    assert not taste.from_pictures(judged(pictures(6, "ink"), pictures(6, "ink", seed=1)))


@pytest.mark.parametrize("seed", range(20))
def test_verdicts_by_coin_name_nothing(seed):
    rng = random.Random(seed)
    some = Judged(pictures(12, seed=seed), tuple(rng.choice((1, -1)) for _ in range(12)))
    assert len(names(taste.from_pictures(some).liked) + names(taste.from_pictures(some).disliked)) <= 1


def test_coins_over_many_people_name_hardly_anything():
    counts = []
    for seed in range(40):
        rng = random.Random(seed)
        found = taste.from_pictures(Judged(pictures(12, seed=100 + seed), tuple(rng.choice((1, -1)) for _ in range(12))))
        counts.append(len(found.liked) + len(found.disliked))
    assert np.mean(counts) < 0.15


def test_two_words_for_one_thing_are_named_once():
    found = taste.from_pictures(judged(pictures(6, "ink", "dark", "dim"), pictures(6, "gloss", seed=1)))
    assert len({"dark", "dim"} & set(names(found.liked))) == 1 and "ink" in names(found.liked)


def test_nothing_judged_is_nothing():
    assert taste.from_pictures(Judged()) == Preferences() == taste.from_pictures(Judged(pictures(4), (0,) * 4))
    assert taste.sureness(Judged()) == 0 and taste.next_pair(Judged()) is None and taste.suggest(Judged()) == []


def test_pairs_alone_teach_the_same():
    pool = pictures(5, "ink") + pictures(5, seed=3) + pictures(4, "gloss", seed=4)
    pairs = tuple((a, b) for a in range(5) for b in range(5, 14)) + tuple((a, b) for a in range(5, 10) for b in range(10, 14))
    found = taste.from_pictures(Judged(pool, (0,) * 14, pairs))
    assert names(found.liked) == ["ink"] and names(found.disliked) == ["gloss"]
    assert found.liked[0].source == "in the better picture of 45 of 45 pairs"


def test_what_was_said_explains_the_verdicts_and_is_not_said_again():
    liked = pictures(6, "ink")
    said = Preferences.from_text("ink")
    assert not taste.from_pictures(judged(liked, pictures(6, seed=1)), said)


def test_one_is_surer_of_more_and_never_of_nothing():
    few, many = (judged(pictures(n, "ink"), pictures(n, "gloss", seed=1)) for n in (2, 8))
    assert taste.sureness(Judged(pictures(3), (0,) * 3)) < 0.2
    assert taste.sureness(few) < taste.sureness(many) <= 1
    assert taste.sureness(Judged(), Preferences.from_text("ink, lace", "gloss")) > 0


def test_the_next_pair_differs_in_what_is_not_known_and_is_not_asked_twice():
    pool = pictures(2, "ink") + pictures(2, "ink", seed=9)
    first = taste.next_pair(Judged(pool, (0,) * 4))
    asked = {first}
    some = Judged(pool, (0,) * 4, (first,))
    while pair := taste.next_pair(some):
        assert pair not in asked and pair[::-1] not in asked
        asked.add(pair)
        some = Judged(pool, (0,) * 4, (*some.pairs, pair[::-1]))
    assert len(asked) == 6


def test_skipped_pairs_are_not_asked():
    pool = pictures(3, "ink")
    first = taste.next_pair(Judged(pool, (0,) * 3))
    assert taste.next_pair(Judged(pool, (0,) * 3), {first}) not in (first, None)
    assert taste.next_pair(Judged(pool, (0,) * 3), {(0, 1), (0, 2), (1, 2)}) is None


def test_asking_and_learning_are_the_same_at_every_call():
    some = judged(pictures(5, "ink"), pictures(5, "gloss", seed=1))
    assert taste.from_pictures(some) == taste.from_pictures(some) and taste.sureness(some) == taste.sureness(some)
    assert taste.next_pair(some) == taste.next_pair(some)


def test_unjudged_pictures_are_suggested_the_telling_one_first():
    known, dull = {"ink": 1.0}, {}
    new = {"lace": 1.0, "fog": 1.0, "chalk": 1.0}
    some = Judged((*pictures(8, "ink"), *pictures(8, "gloss", seed=1), dull, new, known), (1,) * 8 + (-1,) * 8 + (0,) * 3)
    assert sorted(taste.suggest(some)) == [16, 17, 18] and taste.suggest(some)[-1] == 16


def test_forty_pictures_are_no_trouble():
    """Not a speed record: the page asks while somebody waits."""
    some = Judged(pictures(40, "ink"), (0,) * 40, ((0, 1), (2, 3)))
    began = time.process_time()
    assert taste.next_pair(some) is not None
    assert time.process_time() - began < 20


def test_comments_become_judgements_without_the_pictures_that_are_gone():
    items = Comment("", "like", ImageRef(index=0)), Comment("", "dislike", ImageRef(index=1)), Comment("a")
    comments = Comments(items, None, ((0, 1), (2, 0)))
    some = taste.judged(comments, [{"ink": 1.0}, None, {"lace": 1.0}])
    assert some.verdicts == (1, 0, 0) and some.pairs == ((2, 0),)
