"""The DreamBooth benchmark: its arithmetic by hand, its prompts and subjects, and its tables. Nothing is trained."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from viper.benchmarks import _fidelity
from viper.pocket.recipe.icons import vocabulary

ROOT = Path(__file__).resolve().parent.parent
X, Y, Z = torch.eye(3)


@pytest.fixture(scope="module")
def subjects(host):
    from viper.benchmarks import _subjects

    return _subjects


def test_fidelity_is_the_mean_cosine_to_the_real_pictures():
    reals = torch.stack([X, 5 * Y])
    assert _fidelity.similarity(torch.stack([X, 2 * (X + Y), Z]), reals).tolist() == pytest.approx([0.5, 0.5**0.5, 0])
    assert _fidelity.among(torch.stack([X, X, Y])).tolist() == pytest.approx([0.5, 0.5, 0])  # itself does not count


def test_a_class_that_was_taken_has_a_high_pres():
    subject, kept, taken = torch.stack([X, X]), torch.stack([Y, Z]), torch.stack([X, X + Y])
    assert _fidelity.similarity(kept, subject).mean() == 0
    assert _fidelity.similarity(taken, subject).mean().item() == pytest.approx((1 + 0.5**0.5) / 2)


def test_a_picture_is_the_subject_whose_mean_is_nearest():
    subjects = [torch.stack([X, X + 0.2 * Y]), torch.stack([Y, Y]), torch.stack([Z, 100 * X])]  # the third one's mean is between
    pictures = torch.stack([X, 0.1 * Y, Z, X + Z])
    assert _fidelity.identified(pictures, subjects).tolist() == [0, 1, 2, 2]
    # Its own picture is left out: without it the third one's two have nothing in common.
    assert _fidelity.identified_among(subjects, 1).tolist() == [1, 1]
    assert _fidelity.identified_among(subjects, 2).tolist() != [2, 2]


def test_diversity_is_the_distance_of_pictures_of_one_prompt():
    a, b = torch.zeros(2, 2, 1, 2)
    a[0] = 1  # both places in the first channel
    b[0, 0, 0], b[1, 0, 1] = 3, 1  # one place alike, one unlike
    assert _fidelity.distances(torch.stack([a, b])).tolist() == [[pytest.approx(0), 0.5], [0.5, pytest.approx(0)]]
    maps = torch.stack([a, b, a, a, b, a])
    assert _fidelity.diversity(maps, [0, 0, 1, 1, 2, 2]).tolist() == pytest.approx([0.5, 0, 0.5])
    assert _fidelity.diversity(torch.stack([a, b, b]), [7, 7, 7]).tolist() == pytest.approx([1 / 3])


def test_subjects_are_new_to_the_model_and_their_nouns_are_not(subjects):
    parts = vocabulary()["subjects"]
    known = {name for part, names in parts.items() for name in names if part != "held_out"}
    assert len({s.code for s in subjects.SUBJECTS}) == 12 and {s.name for s in subjects.SUBJECTS} == set(parts["held_out"])
    assert {s.noun for s in subjects.SUBJECTS} <= known
    for place, subject in enumerate(subjects.SUBJECTS):
        nouns = {subjects.noun_of(place, which) for which in subjects.NOUNS}
        assert len(nouns) == 3 and {subject.noun, ""} <= nouns <= known | {""}


def test_prompts_with_and_without_a_word_or_a_noun(subjects):
    assert subjects.texts("vuqix", "pig")[:2] == ["a vuqix pig", "a vuqix pig, watercolor"]
    assert subjects.texts("", "pig")[-1] == "a purple pig" and subjects.texts("vuqix", "")[-1] == "a purple vuqix"
    looks = {a for group in vocabulary()["attributes"].values() for a in group}
    assert {look for look in subjects.PROMPTS.values() if look} <= looks
    assert [subjects.words(t) for t in ("a {}", "a {}, blue tones", "a purple {}", "a {} at sea")] == ["", "blue tones", "purple", "at sea"]


def test_no_prompt_of_the_benchmark_is_among_those_that_training_preserves(subjects):
    from viper.training.wordings import PROMPTS

    asked = {subjects.words(template) for template in subjects.PROMPTS} - {""}
    kept = {subjects.words(line.replace("[V] [class]", "{}")) for line in PROMPTS}
    assert len(asked) == 9 and len(kept) == len(PROMPTS) and not asked & kept


def test_what_decides_pictures_decides_where_they_are_kept(subjects, host, tmp_path):
    from viper.benchmarks._study_subjects import Study, Way

    study = Study(tmp_path, 30)
    more = [{"settings": (("text_encoder", True),)}, {"learning_rate": 1e-3}, {"steps": 20}, {"noun": "wrong"}]
    more += [{"prior": False}, {"strength": 0.7}]
    ways = [Way(), Way("host"), Way("plain"), *(Way(**given) for given in more)]
    assert len({study.key(way, 0) for way in ways}) == len(ways)
    assert study.key(Way(steps=30), 0) == study.key(Way(), 0) != Study(tmp_path, 20).key(Way(), 0) == study.key(Way(steps=20), 0)


def test_the_subjects_pictures_wear_the_looks(subjects):
    from PIL import Image

    picture = Image.new("RGBA", (256, 256))
    picture.paste((200, 30, 30, 255), (64, 64, 192, 192))
    whole = subjects.on_white(picture)
    assert whole.shape == (256, 256, 3) and whole[0, 0].tolist() == [255, 255, 255] and whole[128, 128].tolist() == [200, 30, 30]
    worn = subjects.dressed([picture, picture])
    assert worn.shape == (20, 128, 128, 3) and (worn[0] == worn[1]).all()
    assert worn[0][64, 64].tolist() == [200, 30, 30] and worn[0][0, 0].tolist() == [255, 255, 255]
    data = subjects.dataset([picture], "vuqix", "cat")
    assert data.trigger == "a vuqix cat" == data.instances[0].caption and data.class_prompt == "a cat"
    assert subjects.dataset([picture], "vuqix", "").class_prompt == ""


def test_tables_show_intervals_and_missing_measures(host, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import dreambooth

    row = {"second": [[0.5, 0.7], [0.6]], "identified by second": [[1.0], [0.0]], "CLIP-T": []}
    lines = dreambooth.table("x", {"ours": row}, ("second", "identified by second", "CLIP-T"), {"ours": "1 / 2"}, "paper").splitlines()
    assert lines[0] == "| x | second | identified by second | CLIP-T | paper |" and lines[1] == "|---|---|---|---|---|"
    assert lines[2] == "| ours | 0.600 (0.600\u20130.600) | 50.0 % (0\u2013100) | \u2013 | 1 / 2 |"
    unasked = {"look seen": [[float("nan"), 1.0], [0.5]]}
    assert dreambooth.difference(unasked, {"look seen": [[0.0, float("nan")], [0.0]]}, "look seen").startswith("+0.750 (")
    assert dreambooth.difference(row, {"second": [[0.5], [0.5]]}, "second").startswith("+0.100 (")


def test_rows_meet_at_the_lowest_strength_with_more_of_the_subject(host, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from _subject_tables import matching

    def row(second, clip):
        return {"second": [[second], [second]], "CLIP-I": [[clip], [clip]]}

    ours = {1.0: row(0.9, 0.6), 0.5: row(0.8, 0.5), 0.7: row(0.85, 0.4)}
    assert matching(ours, row(0.79, 0.39), ("second", "CLIP-I")) == 0.5
    assert matching(ours, row(0.8, 0.39), ("second", "CLIP-I")) == 0.7, "as much is not more"
    assert matching(ours, row(0.84, 0.45), ("second", "CLIP-I")) == 1.0, "by every measure"
    assert matching(ours, row(0.9, 0.1), ("second", "CLIP-I")) is None


def test_trade_off_is_drawn_with_every_line(host, monkeypatch, tmp_path):
    from PIL import Image

    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from _subject_tables import trade_off

    def row(x, y):
        return {"second": [[x]], "CLIP-T": [[y]]}

    trade_off(tmp_path / "a.png", {"one": [row(0.9, 0.31), row(0.8, 0.44)]})
    trade_off(tmp_path / "b.png", {"one": [row(0.9, 0.31), row(0.8, 0.44)], "other": [row(0.85, 0.32), row(0.8, 0.34)]})
    one, two = (np.array(Image.open(tmp_path / name).convert("RGB")).astype(int) for name in ("a.png", "b.png"))
    red = [int((abs(pixels - (0xD1, 0x49, 0x5B)).max(-1) < 12).sum()) for pixels in (one, two)]
    assert red[0] == 0 < 100 < red[1]


def test_true_size_asks_for_a_device(host):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    command = [sys.executable, str(ROOT / "benchmarks" / "dreambooth.py"), "--family", "sdxl"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COMFYUI_PATH": str(host)})
    assert done.returncode == 1 and done.stderr.strip().endswith("too slow to train on a CPU.") and "Traceback" not in done.stderr
