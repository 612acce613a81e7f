"""Synthetic people, and the two tests of an extractor on them."""

import random
from itertools import combinations

import pytest

from viper.vpe import agents
from viper.vpe.preferences import Feature, Preferences
from viper.vpe.recipe.marked import parse

MOULDS = [parse(line) for line in (
    "I love the [light|+].", "Too much [grain|-] for me.", "The [lines|+] are great but the [gloss|-] kills it.", "[Fog|+], always.",
    "Not a fan of [neon|-].", "More [lace|+] please.", "I prefer [oil|+] to [chrome|-].", "Why all the [beige|-]?", "[Rust|+]! Finally.",
    "The [halftone|-] ruins it.",
)]  # fmt: skip


class Oracle:
    """Reads what was put into the moulds."""

    def __init__(self, crowd):
        self.names = {name for a in crowd for name in a.liked + a.disliked}

    def extract(self, comments, max_features=0):
        import re

        liked, disliked = [], []
        for mould in MOULDS:
            pattern, at = "", 0
            for i, mark in enumerate(mould.marks):
                pattern += re.escape(mould.text[at:mark.start]) + f"(?P<m{i}>.+?)"
                at = mark.end
            for c in comments.items:
                if m := re.fullmatch(pattern + re.escape(mould.text[at:]), c.text):
                    for i, mark in enumerate(mould.marks):
                        if m[f"m{i}"] in self.names:
                            (liked if mark.liked else disliked).append(Feature(m[f"m{i}"]))
        return Preferences(tuple(liked), tuple(disliked))


class Deaf:
    def extract(self, comments, max_features=0):
        return Preferences()


def test_people_are_apart_and_seeded():
    crowd = agents.draw_agents(40, 1)
    assert crowd == agents.draw_agents(40, 1) != agents.draw_agents(40, 2)
    assert all(agents.distance(a, b) >= 0.85 for a, b in combinations(crowd, 2))
    assert all(len(a.liked) == len(a.disliked) == 50 and not set(a.liked) & set(a.disliked) for a in crowd)
    assert agents.distance(crowd[0], crowd[0]) == 0
    with pytest.raises(ValueError, match="people are 0.999 apart"):
        agents.draw_agents(200, 1, each=100, apart=0.999)


def test_comments_name_what_their_writer_likes_and_dislikes():
    agent = agents.Agent(("fog",), ("neon",))
    texts = [c.text for c in agents.write(agent, MOULDS, random.Random(0), len(MOULDS)).items]
    assert "I love the fog." in texts and "I prefer fog to neon." in texts


def test_who_reads_all_passes_and_who_reads_nothing_is_at_chance():
    crowd = agents.draw_agents(60, 3)
    assert agents.preference_test(Oracle(crowd), crowd, MOULDS, 0) > 0.95
    assert agents.author_test(Oracle(crowd), crowd, MOULDS, 0) > agents.author_test(Deaf(), crowd, MOULDS, 0) + 0.2
    assert agents.preference_test(Deaf(), crowd, MOULDS, 0) == pytest.approx(0.2)


def test_agreement_is_one_for_the_same_and_minus_one_for_the_opposite():
    a = Preferences((Feature("fog"),), (Feature("neon"), Feature("greyscale")))
    assert agents.agreement(a, Preferences((Feature("fog"),), (Feature("neon"), Feature("grayscale")))) == 1
    assert agents.agreement(a, Preferences(a.disliked, a.liked)) == -1 and agents.agreement(Preferences(), a) == 0
