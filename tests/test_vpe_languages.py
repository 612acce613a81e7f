"""Which language a comment is in, and what is said about those that are not read."""

import pytest

from viper.vpe.languages import advice, language


@pytest.mark.parametrize("text, code", [
    ("I love the soft light", "en"), ("", "en"), ("love it!!", "en"), ("c'est la vie, I love these colors", "en"),
    ("색감이 너무 좋아요", "ko"), ("색감 too much ㅠㅠ", "ko"), ("Die Farben sind mir zu grell, aber das Licht ist nicht schlecht", "de"),
    ("J'aime les couleurs mais c'est trop sombre", "fr"), ("Me gustan los colores pero es muy oscuro", "es"), ("光がとても綺麗です", "ja"),
    ("画面太暗了，不喜欢", "zh"), ("Слишком темно", "ru"),
])  # fmt: skip
def test_the_language_of_a_comment_is_told(text, code):
    assert language(text) == code


def test_a_language_that_is_not_read_gets_one_sentence_that_names_it_and_the_way_out():
    text = advice(["I love fog", "Die Farben sind mir zu grell, aber das Licht ist nicht schlecht", "光がとても綺麗です"])
    assert text.startswith("2 of 3 comments were not read: they look ") and "German" in text and "Japanese" in text
    assert "English and Korean" in text and "connect an extractor" in text


def test_what_is_read_needs_no_advice():
    assert advice(["I love fog", "너무 어두워요", "", "\U0001F600"]) is None
