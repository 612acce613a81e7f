"""The measuring nodes: a row each, one sentence for what is wrong, and the example graph on the running host."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from viper.tests.test_workflows import api, find, node, show

SUBJECT = "ViPerPocketSubject"


@pytest.fixture
def nodes(host, as_in_the_host):
    from viper.nodes import fidelity

    return fidelity


@pytest.fixture
def pictures(host):
    from viper.pocket.subjects import subject_pictures

    return {name: subject_pictures(name) for name in ("t-rex", "owl")}


def widths(width):
    """An encoder that sees the mean colour of ``width`` stripes."""
    from viper.evaluation.encoders import Encoder

    def see(x):
        flat = torch.nn.functional.adaptive_avg_pool2d(x.movedim(-1, 1), (1, width))
        return flat.mean(1).flatten(1) - 0.5

    return Encoder(f"{width} stripes", see)


# --- in process -------------------------------------------------------------------------------------------------------


def test_measures_hand_on_the_rows_that_came_and_never_change_them(nodes, pictures):
    rex, owl = pictures["t-rex"], pictures["owl"]
    value, first, report = nodes.SubjectFidelity.execute(owl, rex).result
    (row,) = first.rows
    assert (row.label, row.metric, row.value, row.pictures, row.encoder) == ("pictures", "subject fidelity", value, 4, "pocket")
    assert report.startswith("subject fidelity of pictures: 0.") and "among themselves" in report
    _, second, _ = nodes.PromptFidelity.execute(rex, "a xq lizard", "xq", metrics=first, label="  my \n t-rex ").result
    assert len(first.rows) == 1 and [r.label for r in second.rows] == ["pictures", "my t-rex"]
    assert nodes.SubjectFidelity.execute(owl, rex).result[1] == first  # the interval too: it is seeded


def test_a_subject_is_more_like_itself_than_another_one(nodes, pictures):
    rex, owl = pictures["t-rex"], pictures["owl"]
    own, others = (nodes.SubjectFidelity.execute(x, rex[2:]).result[0] for x in (rex[:2], owl))
    assert own > others + 0.2
    lizard, bird = (nodes.PromptFidelity.execute(rex, text).result[0] for text in ("a lizard", "a bird"))
    assert lizard > bird


def test_pres_is_subject_fidelity_of_the_class_and_lower_is_better(nodes, pictures):
    value, rows, report = nodes.PriorPreservation.execute(pictures["owl"], pictures["t-rex"]).result
    assert value == nodes.SubjectFidelity.execute(pictures["owl"], pictures["t-rex"]).result[0]
    assert rows.rows[0].better == "lower" and "Lower is better" in report and "the opposite" in report


def test_diversity_counts_pairs_of_one_prompt_alone(nodes, pictures):
    both = torch.cat([pictures["t-rex"], pictures["owl"]])
    apart = nodes.Diversity.execute(both, "embedding", per_prompt=4).result[0]
    each = [nodes.Diversity.execute(x, "embedding").result[0] for x in (both[:4], both[4:])]
    assert apart == pytest.approx(np.mean(each)) and nodes.Diversity.execute(both, "embedding").result[0] > 3 * apart


def test_fid_by_embedding_warns_of_few_pictures_and_only_of_few(nodes):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(12, 16, 16, 3, generator=generator), torch.rand(12, 16, 16, 3, generator=generator) * 0.9
    value, few, report = nodes.FID.execute(x, y, widths(12)).result
    row = few.rows[0]
    assert "12 pictures are not more than the 12 numbers of an embedding" in report and row.low < value < row.high
    assert "singular" not in nodes.FID.execute(x, y, widths(4)).result[2]
    assert nodes.FID.execute(x, x, widths(4)).result[0] == pytest.approx(0, abs=1e-9)


def test_cancel_stops_the_draws_of_an_interval(nodes):
    import comfy.model_management as management

    from viper.evaluation.encoders import Encoder

    x, looks = torch.rand(12, 16, 16, 3), []

    def see(pictures):
        looks.append(len(pictures))
        if len(looks) == 2:  # both sets have been seen: what is left are the draws
            management.interrupt_current_processing(True)
        return pictures.mean(1).flatten(1)

    with pytest.raises(management.InterruptProcessingException):
        nodes.FID.execute(x, x * 0.9, Encoder("columns", see))
    assert looks == [12, 12] and nodes.FID.execute(x, x * 0.9, Encoder("columns", see)).result[0] > 0


def test_identity_stability_leaves_out_the_picture_that_was_given(nodes, pictures):
    rex = pictures["t-rex"]
    person = torch.cat([pictures["owl"][:1], rex])
    value, rows, report = nodes.IdentityStability.execute(rex[:1], person).result
    assert value < 1 and value == pytest.approx(nodes.SubjectFidelity.execute(rex[:1], rex[1:]).result[0], abs=0.05)
    assert nodes.IdentityStability.execute(rex[:1], person, input_index=2).result[0] < value - 0.2  # the owl counts now
    assert "4 other pictures, picture 0 left out" in report and "Seen by pocket. Stellar" in report and "face encoder" in report
    assert rows.rows[0].metric == "identity stability"


@pytest.mark.parametrize(
    "measure, sentence",
    [
        (lambda n, x: n.PromptFidelity.execute(x, "a\nb"), "^There are 2 prompts and 4 pictures"),
        (lambda n, x: n.PromptFidelity.execute(x, "a", encoder=widths(3)), "^The encoder 3 stripes only sees"),
        (lambda n, x: n.Diversity.execute(x[:1], "embedding"), "^Diversity needs at least 2 pictures, and there is 1"),
        (lambda n, x: n.Diversity.execute(x, "embedding", per_prompt=3), "^4 pictures are not so many times 3"),
        (lambda n, x: n.FID.execute(x, x[:1], widths(3)), "^The Fréchet distance's reference needs at least 2 pictures"),
        (lambda n, x: n.InceptionScore.execute(x), "^4 pictures make no 10 splits"),
        (lambda n, x: n.IdentityStability.execute(x, x[:1]), "^Identity stability needs pictures of the person beside"),
        (lambda n, x: n.IdentityStability.execute(x, x, 4), "^input_index is 4"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(nodes, pictures, measure, sentence):
    from viper.evaluation.errors import EvaluationError

    with pytest.raises(EvaluationError, match=sentence) as error:
        measure(nodes, pictures["t-rex"])
    assert str(error.value).count(". ") == 0 and "\n" not in str(error.value)


# --- on the running host ----------------------------------------------------------------------------------------------


def keys(graph, type):
    return [key for key, spec in graph.items() if spec["class_type"] == type]


def test_the_example_measures_what_its_note_says_and_an_older_report_is_kept(client, server):
    graph = api("measure_a_subject")
    find(graph, "ViPerEvaluationReport")["name"] = "test t-rex"
    (report,), (chart,) = keys(graph, "ViPerEvaluationReport"), keys(graph, "SaveImage")
    entry = client.run(graph)
    (table,) = entry["outputs"][report]["text"]
    folder = server.base / "output" / "viper" / "evaluation"
    rows = list(csv.DictReader(io.StringIO((folder / "test t-rex.csv").read_text(encoding="utf-8-sig"))))
    values = {(row["label"], row["metric"]): float(row["value"]) for row in rows}
    metrics = ("subject fidelity", "prompt fidelity", "DIV", "FID")
    assert list(values) == [(label, m) for label in ("words alone", "its pictures") for m in metrics] + [("the class", "PRES")]
    assert values["its pictures", "subject fidelity"] > values["words alone", "subject fidelity"] + 0.1
    assert values["words alone", "prompt fidelity"] > values["its pictures", "prompt fidelity"] + 0.1
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in rows)
    assert table.splitlines()[2].startswith(f"| words alone | {values['words alone', 'subject fidelity']:.3f} (")
    picture = client.images(entry, chart)[0].convert("RGB")
    (shown,) = client.images(entry, report)
    assert picture.size == shown.size and picture.size[0] > 900 and len(picture.getcolors(1 << 24)) > 20
    find(graph, "EmptyLatentImage")["batch_size"] = 3  # other pictures, under the same name
    client.run(graph)
    assert sorted(p.name for p in folder.glob("test t-rex*")) == ["test t-rex 2.csv", "test t-rex.csv"]
    again = (folder / "test t-rex.csv").read_text(encoding="utf-8-sig")
    assert list(csv.DictReader(io.StringIO(again))) == rows


def measured(**changes):
    real = node(SUBJECT, subject="owl")
    fidelity = node("ViPerSubjectFidelity", images=["real", 0], subject_images=["real", 0])
    return {"real": real, "fidelity": fidelity, **changes}


REFUSED = [
    (node("ViPerPromptFidelity", images=["real", 0], prompt=" \n"), "There is no prompt to compare with"),
    (node("ViPerPromptFidelity", images=["real", 0], prompt="xq", identifier="xq"), "a prompt is empty"),
    (node("ViPerDiversity", images=["real", 0], distance="LPIPS squeeze"), "no distance called"),
    (node("ViPerDiversity", images=["real", 0], distance="embedding", per_prompt=-1), "smaller than min"),
    (node("ViPerInceptionScore", images=["real", 0], splits=0), "smaller than min"),
    (node("ViPerLoadEncoder", encoder="../dino"), 'There is no encoder "../dino"'),
    (node("ViPerLoadEncoder", encoder="pocket", precision="4-bit"), "no precision called"),
    (node("ViPerFID", images=["real", 0], reference_images=["fidelity", 1]), "mismatch"),
]


@pytest.mark.parametrize("bad, reason", REFUSED, ids=[f"{n['class_type']}-{reason[:20]}" for n, reason in REFUSED])
def test_bad_input_is_refused_before_the_run(client, bad, reason):
    from viper.devtools.client import Refused

    with pytest.raises(Refused, match=reason):
        client.run(measured(bad=bad) | show(["bad", 0]))


def test_a_name_that_is_no_file_is_refused_before_the_run(client):
    from viper.devtools.client import Refused

    with pytest.raises(Refused, match="cannot hold"):
        client.run(measured(bad=node("ViPerEvaluationReport", metrics=["fidelity", 1], name="../outside")))


def test_a_missing_network_stops_the_run_with_the_file_and_its_folder(client, server):
    from viper.devtools.client import ExecutionFailed

    pytest.importorskip("torch_fidelity", reason="needs the optional package torch-fidelity")
    bad = node("ViPerInceptionScore", images=["real", 0], splits=1)
    with pytest.raises(ExecutionFailed, match="weights-inception-2015-12-05-6726825d.pth is missing") as failure:
        client.run(measured(bad=bad) | show(["bad", 0]))
    assert "models/inception" in failure.value.message.replace("\\", "/") and "\n" not in failure.value.message


def test_an_encoder_put_into_the_models_folder_is_listed_and_measures(client, server):
    pytest.importorskip("transformers")
    from viper.tests import tiny_encoders

    tiny_encoders.save(server.base / "models" / "image_encoders" / "tiny-clip", "clip")
    assert "tiny-clip" in json.dumps(client.object_info("ViPerLoadEncoder")["input"]["required"]["encoder"])
    graph = measured(eyes=node("ViPerLoadEncoder", encoder="tiny-clip", precision="float32"))
    graph["fidelity"]["inputs"] |= {"encoder": ["eyes", 0], "label": "부엉이"}
    graph["prompt"] = node("ViPerPromptFidelity", images=["real", 0], prompt="a bird", encoder=["eyes", 0], metrics=["fidelity", 1])
    graph["report"] = node("ViPerEvaluationReport", metrics=["prompt", 1], name="부엉이")
    (table,) = client.run(graph)["outputs"]["report"]["text"]
    assert table.splitlines()[0] == "|  | subject fidelity ↑ (tiny-clip) | prompt fidelity ↑ (tiny-clip) |"
    text = (server.base / "output" / "viper" / "evaluation" / "부엉이.csv").read_text(encoding="utf-8-sig")
    assert [row["label"] for row in csv.DictReader(io.StringIO(text))] == ["부엉이", "pictures"]


def test_cancel_stops_a_measure_and_the_next_run_is_whole(client, server, tmp_path):
    from viper.devtools.client import ExecutionFailed

    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8))
    graph = measured(load=node("LoadImage", image=client.upload(picture, "noise.png")["name"]))
    graph["many"] = node("RepeatImageBatch", image=["load", 0], amount=640)
    graph["fidelity"]["inputs"] |= {"images": ["many", 0]}
    graph |= show(["fidelity", 0])
    seen = []

    def cancel(event):
        if event["type"] == "progress" and event["data"]["max"] == 640:
            seen.append(event["data"]["value"])
            if len(seen) == 1:
                client.interrupt()

    with pytest.raises(ExecutionFailed) as failure:
        client.run(graph, on_event=cancel)
    assert failure.value.interrupted and max(seen) < 640
    graph["many"]["inputs"]["amount"] = 2
    assert client.texts(client.run(graph))
