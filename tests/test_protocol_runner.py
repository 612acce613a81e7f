"""evaluate.py run against hosts that misbehave: nothing is lost, nothing is drawn twice, and what went wrong is said."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from viper.evaluation import runner as module
from viper.evaluation.errors import EvaluationError
from viper.evaluation.graph_places import places
from viper.evaluation.host_client import HostClient
from viper.evaluation.protocol_folders import read
from viper.evaluation.protocol_record import record
from viper.evaluation.runner import Runner, jobs
from viper.tests.fake_host import FakeHost, png

ROOT = Path(__file__).resolve().parent.parent
GRAPH = {
    "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "%prompt%"}, "_meta": {"title": "Prompt"}},
    "2": {"class_type": "LoadImage", "inputs": {"image": "%image_1%"}},
    "3": {"class_type": "KSampler", "inputs": {"seed": 7, "steps": 20, "positive": ["1", 0]}, "_meta": {"title": "KSampler"}},
    "4": {"class_type": "SaveImage", "inputs": {"filename_prefix": "%subject%/%class_noun%", "images": ["3", 0]}},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "RETRY", (0.05, 0.1))


@pytest.fixture
def data(tmp_path):
    """Two subjects, two prompts each."""
    root = tmp_path / "data"
    for name in ("cup", "dog"):
        (root / name).mkdir(parents=True)
        for n in range(2):
            (root / name / f"0{n}.png").write_bytes(png(f"{name}{n}"))
    (root / "prompts_and_classes.txt").write_text(
        "subject_name,class\ncup,cup\ndog,dog\nObject Prompts\n'a {0} {1} at sea'\n'a red {0} {1}'\nLive Prompts\n'a {0} {1} asleep'\n"
        "'a wet {0} {1}'\n"
    )
    return root


def runner(*hosts, said=None, graph=GRAPH, output=None, **options):
    outputs = {"8": {"class_type": "SaveImage", "inputs": {}}, "9": {"class_type": "SaveImage", "inputs": {}}} if output else {}
    where = places(graph | outputs, output=output)
    return Runner([HostClient(host.url) for host in hosts], where, "sks", say=(said if said is not None else []).append, **options)


def todo(data, out, seeds=2):
    return jobs(out, read("dreambench", data), seeds)


def drawn(out):
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())


ALL = [f"{s}/prompt_0{p}/seed_{n}.png" for s in ("cup", "dog") for p in (0, 1) for n in (0, 1)]


# --- what is asked of a host -----------------------------------------------------------------------------------------------------


def test_each_subject_prompt_and_seed_is_filled_into_the_graph_and_its_picture_lands_in_its_place(data, tmp_path):
    with FakeHost() as host:
        result = runner(host).run(todo(data, tmp_path / "out"))
    assert (result.made, result.kept, result.complete) == (8, 0, True)
    assert drawn(tmp_path / "out") == ALL
    asked = [(g["1"]["inputs"]["text"], g["3"]["inputs"]["seed"], g["4"]["inputs"]["filename_prefix"]) for g in host.graphs]
    assert asked[:3] == [("a sks cup at sea", 0, "cup/cup"), ("a sks cup at sea", 1, "cup/cup"), ("a red sks cup", 0, "cup/cup")]
    assert asked[-1] == ("a wet sks dog", 1, "dog/dog")
    assert all(g["3"]["inputs"]["steps"] == 20 and g["3"]["inputs"]["positive"] == ["1", 0] for g in host.graphs)


def test_a_subjects_pictures_are_uploaded_once_as_they_are_into_a_folder_of_their_own(data, tmp_path):
    with FakeHost() as host:
        runner(host).run(todo(data, tmp_path / "out"))
    assert [(name, content) for _, name, content in host.uploads] == [
        (f"0{n}.png", (data / s / f"0{n}.png").read_bytes()) for s in ("cup", "dog") for n in (0, 1)
    ]
    folders = {folder for folder, *_ in host.uploads}
    assert len(folders) == 2 and all(folder.startswith("viper/protocol/") for folder in folders)
    assert host.graphs[0]["2"]["inputs"]["image"] == f"{host.uploads[1][0]}/01.png"


def test_nothing_is_uploaded_for_a_graph_that_asks_for_no_pictures(data, tmp_path):
    graph = {key: spec for key, spec in GRAPH.items() if key != "2"}
    with FakeHost() as host:
        runner(host, graph=graph).run(todo(data, tmp_path / "out"))
    assert host.uploads == [] and len(host.graphs) == 8


# --- going on --------------------------------------------------------------------------------------------------------------------


def test_what_is_there_is_not_drawn_again(data, tmp_path):
    out = tmp_path / "out"
    with FakeHost() as host:
        runner(host).run(todo(data, out))
        for name in (ALL[2], ALL[7]):
            (out / name).unlink()
        (out / ALL[2]).with_name(".seed_0.png.part").write_bytes(b"half")  # a killed run left it
        kept = {name: (out / name).stat().st_mtime_ns for name in ALL if (out / name).exists()}
        result = runner(host).run(todo(data, out))
        assert len(host.graphs) == 10
        again = runner(host).run(todo(data, out))
        assert len(host.graphs) == 10
    assert (result.made, result.kept, again.made, again.kept) == (2, 6, 0, 8)
    assert drawn(out) == ALL and all((out / name).stat().st_mtime_ns == when for name, when in kept.items())


def test_a_folder_that_was_begun_otherwise_is_refused_with_what_differs(data, tmp_path):
    subjects, out = read("dreambench", data), tmp_path / "out"
    record("dreambench", subjects[:1], 4, "sks", places(GRAPH), data).write(out)
    record("dreambench", subjects, 4, "sks", places(GRAPH), data).write(out)  # more subjects are welcome
    other = places(GRAPH, ["KSampler.steps=30"])
    with pytest.raises(EvaluationError) as refused:
        record("stellar", subjects, 2, "olis", other, data).write(out)
    for said in ("protocol was dreambench and is stellar", "seeds was 4 and is 2", "identifier was sks and is olis", "graph was"):
        assert said in str(refused.value)
    listed = data / "prompts_and_classes.txt"
    listed.write_text(listed.read_text().replace("asleep", "awake"))
    with pytest.raises(EvaluationError, match="the prompts or class noun of dog are others") as refused:
        record("dreambench", read("dreambench", data), 4, "sks", places(GRAPH), data).write(out)
    assert "cup" not in str(refused.value)


# --- several hosts ---------------------------------------------------------------------------------------------------------------


def subjects_of(host):
    return [graph["4"]["inputs"]["filename_prefix"].partition("/")[0] for graph in host.graphs]


def test_two_hosts_share_the_work_and_a_subject_stays_with_its_host(data, tmp_path):
    begun = threading.Barrier(2, timeout=10)

    def together(graph, n):
        if n == 0:
            begun.wait()  # neither has drawn all before the other began

    with FakeHost(together) as a, FakeHost(together) as b:
        result = runner(a, b).run(todo(data, tmp_path / "out"))
    assert result.complete and drawn(tmp_path / "out") == ALL
    assert len(a.graphs) + len(b.graphs) == 8
    assert {subjects_of(a)[0], subjects_of(b)[0]} == {"cup", "dog"}
    # Until one has finished its own, each draws only its own.
    for host in (a, b):
        first = subjects_of(host)[0]
        others = [s for s in subjects_of(host) if s != first]
        assert subjects_of(host)[: len(subjects_of(host)) - len(others)] == [first] * (len(subjects_of(host)) - len(others))


def test_a_host_that_dies_in_the_middle_gives_its_picture_to_the_other(data, tmp_path):
    began = threading.Event()

    def dies(graph, n):
        began.set()
        return "die" if n == 1 else None

    def waits(graph, n):
        began.wait(10)

    said = []
    with FakeHost(dies) as a, FakeHost(waits) as b:
        result = runner(a, b, said=said).run(todo(data, tmp_path / "out"))
    assert result.complete and drawn(tmp_path / "out") == ALL
    assert len(a.graphs) == 2 and len(b.graphs) == 7
    assert any("does not answer" in line for line in said)


def test_a_host_that_comes_back_is_given_work_again(data, tmp_path):
    def dies(graph, n):
        if n == 2:
            threading.Timer(0.5, host.dead.clear).start()
            return "die"

    said = []
    with FakeHost(dies) as host:
        result = runner(host, said=said).run(todo(data, tmp_path / "out"))
    assert result.complete and drawn(tmp_path / "out") == ALL and len(host.graphs) >= 8


def test_a_host_that_fails_everything_does_not_spoil_the_work_of_the_other(data, tmp_path):
    with FakeHost(lambda graph, n: "refuse") as bad, FakeHost(lambda graph, n: time.sleep(0.05)) as good:
        result = runner(bad, good).run(todo(data, tmp_path / "out"))
    assert result.complete and drawn(tmp_path / "out") == ALL and len(bad.graphs) <= 8


def test_a_slow_host_does_not_hold_up_the_other(data, tmp_path):
    with FakeHost(lambda graph, n: time.sleep(0.8)) as slow, FakeHost() as fast:
        result = runner(slow, fast).run(todo(data, tmp_path / "out", seeds=4))
    assert result.complete and len(slow.graphs) + len(fast.graphs) == 16 and len(fast.graphs) > 8
    assert {"cup", "dog"} == set(subjects_of(fast))  # its own subject, then the rest of the other's


def test_a_host_that_is_not_there_yet_is_said_and_the_other_begins(data, tmp_path):
    said = []
    with FakeHost() as gone, FakeHost() as host:
        gone.dead.set()
        result = runner(gone, host, said=said).run(todo(data, tmp_path / "out"))
    assert result.complete and len(host.graphs) == 8 and said[0] == f"{gone.url} does not answer: it is asked again later."


def test_when_no_host_answers_any_more_it_ends_and_says_how_to_go_on(data, tmp_path):
    with FakeHost(lambda graph, n: "die" if n == 3 else None) as host:
        result = runner(host, patience=0.5).run(todo(data, tmp_path / "out"))
    assert (result.made, result.left, result.complete) == (3, 5, False) and "No host has answered" in result.why


def test_a_host_that_never_was_there_is_said_at_once(data, tmp_path):
    with FakeHost() as host:
        host.dead.set()
        with pytest.raises(EvaluationError, match="No ComfyUI answers at http://127.0.0.1:.*--hosts"):
            runner(host).run(todo(data, tmp_path / "out"))


# --- pictures that fail ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, reason",
    [
        ("error", r"node 3 \(KSampler\): out of memory"),
        ("refuse", "refuses the graph: invalid; node 3 .KSampler.: Value not in list: scheduler"),
        ("two", "gave 2 pictures, and one is needed"),
        ("text", "no whole PNG"),
        ("forget", "started anew"),
        ("hang", "no picture after 0 seconds"),
    ],
)
def test_a_picture_that_fails_three_times_is_noted_and_the_others_are_drawn(data, tmp_path, fault, reason):
    def one(graph, n):
        return fault if graph["1"]["inputs"]["text"] == "a red sks cup" and graph["3"]["inputs"]["seed"] == 1 else None

    with FakeHost(one) as host:
        result = runner(host, timeout=0.4).run(todo(data, tmp_path / "out"))
    (job,) = result.given_up
    assert (job.name, len(job.reasons), result.made, result.complete) == ("cup, prompt 1, seed 1", 3, 7, False)
    assert re.search(reason, job.reasons[-1]), job.reasons
    assert drawn(tmp_path / "out") == [name for name in ALL if name != "cup/prompt_01/seed_1.png"]


def test_a_picture_that_fails_once_is_drawn_after_the_others(data, tmp_path):
    with FakeHost(lambda graph, n: "error" if n == 0 else None) as host:
        result = runner(host).run(todo(data, tmp_path / "out"))
    assert result.complete and len(host.graphs) == 9
    assert host.graphs[0]["1"] == host.graphs[4]["1"] and host.graphs[0]["3"] == host.graphs[4]["3"]  # the last of its subject


def test_a_graph_that_never_works_is_not_tried_for_every_picture(data, tmp_path):
    with FakeHost(lambda graph, n: "error") as host:
        result = runner(host).run(todo(data, tmp_path / "out", seeds=50))
    assert len(host.graphs) == module.HOPELESS and "Not one picture was made" in result.why and result.left == 200


# --- places in a graph -----------------------------------------------------------------------------------------------------------

VALUES = {"prompt": "a sks dog", "class_prompt": "a dog", "class_noun": ["dog", "cup"], "identifier": ["sks"], "subject": "dog6",
          "images": ["f"], "image": ["f/0.png", "f/1.png"], "index": 3, "seed": 5}  # fmt: skip


def test_a_protocol_prompts_node_is_a_place_for_the_prompts():
    graph = {
        **GRAPH,
        "1": {"class_type": "CLIPTextEncode", "inputs": {"text": ["5", 0]}},
        "5": {"class_type": "ViPerProtocolPrompts", "inputs": {"class_noun": "cat"}},
        "6": {"class_type": "PreviewAny", "inputs": {"source": ["5", 1]}},
    }
    filled = places(graph).filled(VALUES)
    assert filled["1"]["inputs"]["text"] == "a sks dog" and filled["6"]["inputs"]["source"] == "a dog" and "5" not in filled
    assert graph["1"]["inputs"]["text"] == ["5", 0]  # the caller's graph stays


def test_any_input_can_be_set_by_number_or_title_and_keeps_its_kind():
    set_ = ["Prompt.text=art of %prompt%, %class_noun_1%", "3.steps=30", "KSampler.seed=%seed%"]
    filled = places(GRAPH, set_).filled(VALUES)
    assert filled["1"]["inputs"]["text"] == "art of a sks dog, cup" and filled["3"]["inputs"]["steps"] == 30
    assert filled["3"]["inputs"]["seed"] == 5 and filled["2"]["inputs"]["image"] == "f/1.png"


def test_a_wire_is_taken_off_by_setting_nothing():
    assert "positive" not in places(GRAPH, ["KSampler.positive="]).filled(VALUES)["3"]["inputs"]


def test_only_the_named_output_is_run_and_its_picture_taken(data, tmp_path):
    with FakeHost() as host:
        result = runner(host, output="9").run(todo(data, tmp_path / "out"))
        other = runner(host, output="8").run(todo(data, tmp_path / "other"))
    assert host.targets[:8] == [["9"]] * 8 and result.complete
    assert "gave 0 pictures" in other.why  # the fake one answers with node 9 whatever is asked


TWO_SEEDS = {**GRAPH, "8": {"class_type": "KSampler", "inputs": {"noise_seed": 1}, "_meta": {"title": "KSampler"}}}
NO_PROMPT = {**GRAPH, "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "a dog"}}}


@pytest.mark.parametrize(
    "graph, options, said",
    [
        (NO_PROMPT, {}, "no place for the prompt.*%prompt%.*Protocol Prompts.*--set"),
        (TWO_SEEDS, {}, r"several \(3.seed, 8.noise_seed\).*--seed-input"),
        ({k: v for k, v in GRAPH.items() if k != "3"}, {}, "has none: say which with --seed-input"),
        (TWO_SEEDS, {"seeds": ["KSampler.seed"]}, r'2 nodes are called "KSampler": use a number \(3, 8\)'),
        (GRAPH, {"seeds": ["Sampler.seed"]}, r'No node is called "Sampler": there are Prompt \(1\)'),
        (GRAPH, {"seeds": ["KSampler.noise"]}, "has no input noise: it has seed, steps, positive"),
        (GRAPH, {"seeds": ["KSampler"]}, "is no place in the graph"),
        (GRAPH, {"settings": ["3.steps"]}, "sets nothing"),
        (GRAPH, {"settings": ["3.steps=many"]}, 'is a int in the graph: "many" is none'),
        (GRAPH, {"output": "Save"}, 'No node is called "Save"'),
        ({"nodes": [], "links": []}, {}, "API format"),
        ([], {}, "API format"),
    ],
)
def test_a_graph_without_such_a_place_is_refused_with_a_sentence(graph, options, said):
    with pytest.raises(EvaluationError, match=said):
        places(graph, **options)


def test_a_picture_that_a_subject_does_not_have_is_said():
    with pytest.raises(EvaluationError, match="asks for %image_1%, and dog6 has 1"):
        places(GRAPH).filled({**VALUES, "image": ["f/0.png"]})


# --- the command -----------------------------------------------------------------------------------------------------------------


def command(data, out, host, *more):
    graph = data.parent / "graph.json"
    graph.write_text(json.dumps(GRAPH))
    given = ["--protocol", "dreambench", "--data", data, "--graph", graph, "--out", out, "--hosts", host.url, "--seeds", "1", *more]
    return [sys.executable, str(ROOT / "evaluate.py"), "run", *map(str, given)]


def test_the_command_draws_says_what_failed_and_goes_on(data, tmp_path):
    def red(graph, n):
        return "error" if graph["1"]["inputs"]["text"] == "a red sks cup" else None

    with FakeHost(red) as host:
        first = subprocess.run(command(data, tmp_path / "out", host), capture_output=True, text=True)
        assert first.returncode == 1 and "Given up: cup, prompt 1, seed 0: node 3 (KSampler): out of memory" in first.stderr
        host.answer = lambda graph, n: None
        n = len(host.graphs)
        second = subprocess.run(command(data, tmp_path / "out", host), capture_output=True, text=True)
        assert (second.returncode, len(host.graphs) - n) == (0, 1) and "1 made, 3 were there" in second.stdout
        other = subprocess.run(command(data, tmp_path / "out", host, "--seeds", "3"), capture_output=True, text=True)
        assert other.returncode == 1 and "seeds was 1 and is 3 (--seeds)" in other.stderr and "Traceback" not in other.stderr
        part = subprocess.run(
            command(data, tmp_path / "part", host, "--subjects", "dog", "--prompts", "1"), capture_output=True, text=True
        )
    assert part.returncode == 0 and drawn(tmp_path / "part") == ["dog/prompt_01/seed_0.png", "protocol.json"]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_takes_back_what_is_queued_and_leaves_whole_files(data, tmp_path):
    with FakeHost(lambda graph, n: "hang" if n == 2 else None) as host:
        # A shell's background jobs ignore the signal, and what they start does too.
        process = subprocess.Popen(
            command(data, tmp_path / "out", host), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        for _ in range(400):
            if len(host.graphs) == 3:
                break
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 130 and "goes on from here" in said and "Traceback" not in said
        assert host.taken_back == [("/queue", {"delete": ["job2"]}), ("/interrupt", {"prompt_id": "job2"})]
        assert drawn(tmp_path / "out") == ["cup/prompt_00/seed_0.png", "cup/prompt_01/seed_0.png", "protocol.json"]
