"""The taxonomy, and the words that artists add to it."""

import json

import pytest

from viper.vpe import attributes as taxonomy
from viper.vpe.errors import AttributesError


@pytest.fixture(autouse=True)
def restored(tmp_path):
    yield
    taxonomy.extend(tmp_path / "gone.json")


def write(path, text):
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


def test_an_artists_own_words_are_known_at_once_and_gone_with_the_file(tmp_path):
    path = write(tmp_path / "a.json", {"categories": {"light": [["kino flo", "tube glow"]], "color": [["sepia", "tea stained"]]}})
    taxonomy.extend(path)
    assert taxonomy.lookup("Tube Glow").name == "kino flo" and taxonomy.lookup("tea stained").name == "sepia"
    path.unlink()
    taxonomy.extend(path)
    assert taxonomy.lookup("tube glow") is None and taxonomy.lookup("sepia") is not None


def test_a_changed_file_is_read_anew(tmp_path):
    import os

    path = write(tmp_path / "a.json", {"categories": {"light": [["kino flo"]]}})
    taxonomy.extend(path)
    write(path, {"categories": {"light": [["rembrandt triangle"]]}})
    os.utime(path, ns=(1, 1))
    taxonomy.extend(path)
    assert taxonomy.lookup("kino flo") is None and taxonomy.lookup("rembrandt triangle") is not None


def test_the_reader_uses_them(tmp_path):
    from viper.vpe.words import mark, plain, tokens

    taxonomy.extend(write(tmp_path / "a.json", {"categories": {"light": [["kino flo"]]}}))
    assert "kino flo" in [t.text for t in tokens(mark(plain("I love the kino flo."))[0]) if t.kind == "A"]


@pytest.mark.parametrize("text", [
    "{", "[]", '{"categories": []}', '{"categories": {"light": ["rim light"]}}', '{"categories": {"light": [[1]]}}',
])  # fmt: skip
def test_a_broken_file_says_what_to_do_and_changes_nothing(tmp_path, text):
    before = taxonomy.attributes()
    with pytest.raises(AttributesError, match="or move the file away"):
        taxonomy.extend(write(tmp_path / "a.json", text))
    assert taxonomy.attributes() == before
