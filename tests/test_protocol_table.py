"""The table over drawn pictures: the paper's measures by hand, its layout, and what it says when something is missing."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from viper.tests.host_server import host_path, use_host

use_host()

from viper.evaluation import protocol_table as table  # noqa: E402
from viper.evaluation.encoders import Encoder  # noqa: E402
from viper.evaluation.errors import EvaluationError  # noqa: E402
from viper.evaluation.graph_places import Places  # noqa: E402
from viper.evaluation.protocol_record import picture_file, record  # noqa: E402
from viper.evaluation.protocols import Concept, Subject  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent


# --- the formulas (of one picture: test_evaluation_measures.py) ------------------------------------------------------------------


def test_the_interval_is_that_of_resampled_subjects_and_the_same_every_time():
    rng = np.random.default_rng(3)
    values = rng.random(12).tolist()
    other = np.percentile(rng.choice(values, (200_000, 12)).mean(axis=1), [2.5, 97.5])
    from viper.evaluation.metrics import mean_interval

    interval = mean_interval(torch.tensor(values, dtype=torch.float64))
    assert interval == pytest.approx(other.tolist(), abs=0.01)
    assert interval == mean_interval(torch.tensor(values, dtype=torch.float64))


# --- over a folder ---------------------------------------------------------------------------------------------------------------

# An encoder whose numbers can be seen: the mean colour is the direction.
RED, BLUE = torch.eye(3)[0], torch.eye(3)[2]
COLOUR = Encoder("colour", lambda x: x.mean(dim=(1, 2)), lambda text: RED if "red" in text else BLUE)
BLIND = Encoder("blind", lambda x: x.mean(dim=(1, 2)))


def paint(file, colour, size=(8, 8)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file)
    return file


@pytest.fixture
def drawn(tmp_path):
    """The cup: one prompt with two seeds, another with one; the dog is not drawn yet."""
    data, out = tmp_path / "data", tmp_path / "mine"
    reals = (paint(data / "cup/00.png", (255, 0, 0)), paint(data / "cup/01.png", (255, 255, 0), (16, 8)))
    cup = Subject("cup", (Concept("cup", reals, data / "cup"),), ("a red {}", "a {} at night"), "object")
    of_dog = Concept("dog", (paint(data / "dog/00.png", (0, 255, 0)),), data / "dog")
    dog = Subject("dog", (of_dog,), ("a red {}", "a {} asleep"), "live subject")
    record("dreambench", [cup, dog], 2, "sks", Places({}), data).write(out)
    paint(picture_file(out, "cup", 0, 0), (255, 0, 0))
    paint(picture_file(out, "cup", 0, 1), (0, 255, 0))
    paint(picture_file(out, "cup", 1, 0), (255, 0, 0))
    return out


R = 2**-0.5  # the cosine of red and yellow


def test_a_subjects_numbers_are_the_papers_over_its_pictures(drawn):
    rows, note = table.measure(drawn, [COLOUR])
    real, mine = rows
    assert (real.method, real.subject, real.pictures, real.prompt_fidelity, real.diversity) == ("real pictures", "cup", 2, None, None)
    assert real.subject_fidelity == pytest.approx(R)
    assert (mine.method, mine.pictures) == ("mine", 3)
    assert mine.subject_fidelity == pytest.approx(((1 + R) / 2 + (0 + R) / 2 + (1 + R) / 2) / 3)
    # "a red cup" is red: 1 for the red one, 0 for the green one; "a cup at night" is blue, and the picture is red.
    assert mine.prompt_fidelity == pytest.approx(1 / 3)
    assert mine.diversity == pytest.approx(1.0)  # red and green of the one prompt that has two
    assert note == "mine: 3 of 8 pictures."


def test_the_table_has_a_method_a_row_and_an_encoders_measure_a_column(drawn):
    rows, notes = table.table([drawn], [COLOUR, BLIND])
    text = table.markdown(rows, notes)
    lines = text.splitlines()
    assert lines[0] == (
        "| method | colour: subject fidelity ↑ | colour: prompt fidelity ↑ | colour: DIV ↑ | blind: subject fidelity ↑ | blind: DIV ↑ |"
    )
    assert lines[2] == "| real pictures | 0.707 | – | – | 0.707 | – |"
    assert lines[3] == "| mine | 0.687 | 0.333 | 1.000 | 0.687 | 1.000 |"
    assert "mine: 3 of 8 pictures." in lines and "| cup | mine | 0.687 | 0.333 | 1.000 | 0.687 | 1.000 |" in lines
    told = list(csv.DictReader(io.StringIO(table.as_csv(rows))))
    assert [(r["method"], r["encoder"], r["pictures"]) for r in told][1] == ("mine", "colour", "3") and told[0]["diversity"] == ""


def test_two_methods_share_the_row_of_the_real_pictures_and_several_subjects_have_an_interval(drawn, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "protocol.json").write_text((drawn / "protocol.json").read_text())
    for subject in ("cup", "dog"):
        paint(picture_file(other, subject, 0, 0), (0, 255, 0))
    rows, _ = table.table([drawn, other], [COLOUR])
    assert [(r.method, r.subject) for r in rows] == [("real pictures", "cup"), ("mine", "cup"), ("other", "cup"), ("real pictures", "dog"),
                                                     ("other", "dog")]  # fmt: skip
    line = next(line for line in table.markdown(rows).splitlines() if line.startswith("| other"))
    assert line.startswith("| other | 0.677 [0.354, 1.000] | 0.000 [0.000, 0.000] |")


def test_two_folders_of_one_name_are_refused(drawn, tmp_path):
    with pytest.raises(EvaluationError, match="same name"):
        table.table([drawn, tmp_path / "again" / "mine"], [COLOUR])


def test_several_concepts_are_averaged(tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    red, blue = paint(data / "a/0.png", (255, 0, 0)), paint(data / "b/0.png", (0, 0, 255))
    both = Subject("a+b", (Concept("cat", (red,), data / "a"), Concept("cup", (blue,), data / "b")), ("{1} with {0}",), "multi-concept")
    record("customconcept101", [both], 1, "x,y", Places({}), data).write(out)
    paint(picture_file(out, "a+b", 0, 0), (255, 0, 0))
    assert table.measure(out, [COLOUR])[0][1].subject_fidelity == pytest.approx(0.5)


def test_pictures_that_moved_are_asked_for_and_found(drawn, tmp_path):
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    with pytest.raises(EvaluationError, match="no longer there: say with --data"):
        table.measure(drawn, [COLOUR])
    assert len(table.measure(drawn, [COLOUR], tmp_path / "elsewhere")[0]) == 2


def test_what_is_no_such_folder_is_said(tmp_path):
    with pytest.raises(EvaluationError, match="no protocol.json"):
        table.measure(tmp_path, [COLOUR])
    (tmp_path / "protocol.json").write_text('{"version": 9}')
    with pytest.raises(EvaluationError, match="version 9"):
        table.measure(tmp_path, [COLOUR])
    (tmp_path / "protocol.json").write_text('{"version": 1')
    with pytest.raises(EvaluationError, match="cannot be read"):
        table.measure(tmp_path, [COLOUR])


def test_nothing_drawn_is_said(tmp_path):
    picture = paint(tmp_path / "data/cup/0.png", (1, 2, 3))
    cup = Subject("cup", (Concept("cup", (picture,), picture.parent),), ("a {}",), "object")
    record("dreambench", [cup], 1, "sks", Places({}), tmp_path / "data").write(tmp_path / "out")
    with pytest.raises(EvaluationError, match="no picture in"):
        table.measure(tmp_path / "out", [COLOUR])


# --- the whole way, on the running host ------------------------------------------------------------------------------------------


def test_two_subjects_are_drawn_on_the_running_host_and_measured_by_the_command(server, tmp_path):
    from viper.pocket.subjects import subject_pictures

    data = tmp_path / "data"
    for name in ("owl", "poodle"):
        (data / name).mkdir(parents=True)
        for n, picture in enumerate(subject_pictures(name)):
            Image.fromarray(picture.mul(255).byte().numpy()).save(data / name / f"{n}.png")
    (data / "prompts_and_classes.txt").write_text("subject_name,class\nowl,bird\npoodle,dog\n")
    out = tmp_path / "pocket"
    command = [sys.executable, str(ROOT / "evaluate.py")]
    asked = ["--protocol", "dreambench", "--data", data, "--graph", ROOT / "workflows/api/protocol_prompts.json", "--out", out,
             "--hosts", server.url, "--seeds", "1", "--prompts", "2,20", "--set", "KSampler.steps=4"]  # fmt: skip
    run = subprocess.run([*command, "run", *map(str, asked)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    pictures = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.png"))
    assert pictures == [f"{s}/prompt_{n}/seed_0.png" for s in ("owl", "poodle") for n in ("02", "20")]
    with Image.open(out / pictures[0]) as owl, Image.open(out / pictures[2]) as poodle:
        assert owl.size == (128, 128) and "a sks bird on the beach" in owl.info["prompt"]
        assert "a sks dog on the beach" in poodle.info["prompt"]
        assert '"steps": 4' in owl.info["prompt"]

    again = subprocess.run([*command, "run", *map(str, asked)], capture_output=True, text=True, timeout=120)
    assert again.returncode == 0 and "0 made, 4 were there" in again.stdout
    measured = subprocess.run(
        [*command, "table", "--out", str(out), "--comfyui", str(host_path())], capture_output=True, text=True, timeout=120
    )
    assert measured.returncode == 0, measured.stderr
    told = (out / "table.md").read_text(encoding="utf-8")
    assert told.startswith("| method | pocket: subject fidelity ↑ | pocket: prompt fidelity ↑ |") and "pocket: 4 of 50 pictures." in told
    rows = list(csv.DictReader(open(out / "table.csv", encoding="utf-8")))
    assert [(r["method"], r["subject"]) for r in rows] == [(m, s) for s in ("owl", "poodle") for m in ("real pictures", "pocket")]
    assert all(-1 <= float(r["subject_fidelity"]) <= 1 for r in rows)
