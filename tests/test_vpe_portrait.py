"""What helps most now: one advice, wherever it is shown."""

import pytest

from viper.vpe.comments import Comments
from viper.vpe.portrait import ADVICE, ENOUGH, advice
from viper.vpe.preferences import Preferences

BOTH = Preferences.from_text("warm colors", "grain")


@pytest.mark.parametrize(
    "count, found, sure, more, told",
    [
        (0, Preferences(), 0.0, True, "begin"),
        (1, Preferences(), 0.0, True, "why"),
        (ENOUGH, Preferences(), 0.0, True, "why"),
        (1, Preferences.from_text("warm colors", ""), 0.9, True, "dislike"),
        (ENOUGH, Preferences.from_text("", "grain"), 0.9, False, "like"),
        (2, BOTH, 0.9, False, "more"),
        (ENOUGH - 1, BOTH, 0.9, True, "more"),
        (ENOUGH, BOTH, 0.5, True, "judge"),
        (ENOUGH, BOTH, 0.5, False, "surer"),
        (ENOUGH, BOTH, 0.9, True, "known"),
    ],
)
def test_the_advice_asks_for_both_sides_for_reasons_and_for_eight_comments(count, found, sure, more, told):
    assert advice(Comments.parse("+ warm colors\n" * count), found, sure, more) == ADVICE[told]


def test_who_only_compares_is_not_asked_for_comments():
    pictures = '[{"index": 0}, {"index": 1}]'
    compared = Comments.from_ranking(f'{{"version": 1, "pictures": {pictures}, "pairs": [[0, 1]]}}')
    assert advice(compared, Preferences.from_text("warm colors", ""), 0.3) == ADVICE["surer"]
    assert advice(compared, Preferences.from_text("warm colors", ""), 0.9) == ADVICE["known"]
