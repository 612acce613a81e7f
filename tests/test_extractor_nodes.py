"""The other readers of comments as their users meet them: workflow files in the running host, with tiny models."""

import json
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from viper.devtools.client import ExecutionFailed, Refused

WORKFLOWS = Path(__file__).resolve().parent.parent / "workflows"
EXPECTED = ["warm colors, orange", "grainy"]


def api(name):
    return json.loads((WORKFLOWS / "api" / f"{name}.json").read_text(encoding="utf-8"))


def find(graph, type):
    return next(spec["inputs"] for spec in graph.values() if spec["class_type"] == type)


@pytest.fixture(scope="module")
def models(server, taught):
    """The host's models folder with the tiny models in it, under the names that users give the real ones."""
    for kind in ("vpe", "vlm"):
        shutil.copytree(taught / kind, server.base / "models" / kind, dirs_exist_ok=True)
    return server.base / "models"


class Answers(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self._send("application/json", json.dumps({"object": "list", "data": [{"id": "tiny", "object": "model"}]}))

    def do_POST(self):
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "tiny"}
        said = "Liked Art Features: warm colors, orange\nDisliked Art Features: grainy"
        lines = [{**chunk, "choices": [{"index": 0, "delta": {"content": said}, "finish_reason": None}]},
                 {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]  # fmt: skip
        if self.server.think:
            time.sleep(self.server.think)
        self._send("text/event-stream", "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n")

    def _send(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture
def answering():
    """A server of the protocol that gives the lists; `.think` seconds before."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.asked, server.think = [], 0
        server.handle_error = lambda *args: None  # a client that hangs up
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def set_up(graph, answering):
    """A workflow file with what its user chooses: the model in the list, the address of the server."""
    for spec in graph.values():
        if spec["class_type"] == "ViPerLoadVLM":
            spec["inputs"]["model"] = "tiny-chat"
        if spec["class_type"] == "ViPerEndpoint":
            spec["inputs"]["url"] = f"http://127.0.0.1:{answering.server_address[1]}"
    return graph


@pytest.mark.parametrize("name", ["read_with_vpe", "read_with_vlm", "read_with_a_server"])
def test_a_workflow_file_reads_comments_with_another_reader_and_draws(client, models, answering, name):
    graph = set_up(api(name), answering)
    progress = []
    entry = client.run(graph, on_event=lambda e: e["type"] == "progress" and progress.append(e["data"]["node"]))
    titles = {spec["_meta"]["title"]: key for key, spec in graph.items()}
    assert [client.texts(entry)[titles[side]] for side in ("Liked", "Disliked")] == [[text] for text in EXPECTED]
    assert len(client.images(entry, next(k for k, v in graph.items() if v["class_type"] == "SaveImage"))) == 4
    reader = next(k for k, v in graph.items() if v["class_type"] == "ViPerCommentsToPreferences")
    assert reader in progress, "no progress while it reads"


def test_a_workflow_file_scores_with_a_judge_from_a_folder(client, models):
    graph = api("score_with_the_proxy")
    for spec in graph.values():
        if spec["class_type"] == "ViPerLoadProxy":
            spec["inputs"] |= {"adapter": "none", "pairs": 2}
    entry = client.run(graph)
    titles = {spec["_meta"]["title"]: key for key, spec in graph.items()}
    (report,) = client.texts(entry)[titles["How sure it is"]]
    assert "Judged by idefics2-8b." in report and "It saw 2 liked and 2 disliked pictures." in report
    assert len(client.images(entry, next(k for k, v in graph.items() if v["class_type"] == "SaveImage"))) == 4


def test_the_server_is_sent_the_pictures_of_the_set(client, answering):
    client.run(set_up(api("read_with_a_server"), answering) | _another_seed())
    (asked,) = answering.asked
    assert [part["type"] for part in asked["messages"][0]["content"]] == ["text"] + 4 * ["image_url", "text"]
    assert asked["model"] == "tiny"


def _another_seed():
    """The host keeps results of equal inputs: comments of its own make the reader run again."""
    graph = api("read_with_a_server")
    key = next(k for k, v in graph.items() if v["class_type"] == "ViPerCommentOnImages")
    graph[key]["inputs"]["comments"] += ", really"
    return {key: graph[key]}


def test_the_lists_on_the_nodes_hold_what_lies_in_the_models_folder(client, models):
    assert "tiny-chat" in _options(client, "ViPerLoadVLM", "model")
    assert _options(client, "ViPerLoadVPE", "base")[0] == "idefics2-8b"
    assert _options(client, "ViPerLoadVPE", "adapter") == ["VPE-ViPer", "none"]


def _options(client, node, name):
    spec = client.object_info(node)["input"]["required"][name]
    return spec[0] if isinstance(spec[0], list) else spec[1]["options"]


def reading(*nodes, text="I love the colors"):
    graph = {"said": {"class_type": "ViPerCommentOnImages", "inputs": {"comments": text}},
             "found": {"class_type": "ViPerCommentsToPreferences", "inputs": {"comments": ["said", 0], "extractor": ["by", 0]}},
             "show": {"class_type": "PreviewAny", "inputs": {"source": ["found", 1]}}}  # fmt: skip
    type, inputs = nodes
    return graph | {"by": {"class_type": type, "inputs": inputs}}


@pytest.mark.parametrize(
    "type, inputs, told",
    [
        ("ViPerLoadVPE", {"base": "another", "adapter": "none", "precision": "auto"}, "HuggingFaceM4/idefics2-8b .34 GB. is not on this"),
        ("ViPerLoadVPE", {"base": "../../x", "adapter": "none", "precision": "auto"}, "choose a folder from the list"),
        ("ViPerLoadVLM", {"model": "gone", "precision": "auto"}, 'no chat model called "gone"'),
        ("ViPerEndpoint", {"url": "http://127.0.0.1:9/v1", "model": "m", "retries": 0}, "There is no server at http://127.0.0.1:9/v1"),
    ],
)
def test_what_is_missing_stops_the_run_with_one_clear_sentence(client, type, inputs, told):
    with pytest.raises(ExecutionFailed, match=told) as failure:
        client.run(reading(type, inputs))
    assert "\n" not in failure.value.message


@pytest.mark.parametrize(
    "type, inputs, told",
    [
        ("ViPerEndpoint", {"url": "localhost:11434", "model": ""}, "is no address of a server"),
        ("ViPerEndpoint", {"url": "http://me:secret@127.0.0.1/v1", "model": ""}, "must not hold a password"),
        ("ViPerLoadVLM", {"model": "x", "precision": "2-bit"}, "2-bit"),
    ],
)
def test_bad_input_is_refused_before_the_run(client, type, inputs, told):
    with pytest.raises(Refused, match=told):
        client.queue(reading(type, inputs))


def test_cancel_stops_a_model_that_writes_and_the_next_run_is_whole(client, models):
    """A chat model that never stops by itself is stopped within a token."""
    graph = reading("ViPerLoadVLM", {"model": "chatter", "precision": "auto", "max_new_tokens": 8192}, text="+ I love fog, and silk")
    chatter = models / "vlm" / "chatter"
    shutil.copytree(models / "vlm" / "tiny-chat", chatter, dirs_exist_ok=True)
    settings = json.loads((chatter / "generation_config.json").read_text())
    (chatter / "generation_config.json").write_text(json.dumps({**settings, "eos_token_id": 5, "suppress_tokens": [2, 5]}))
    seen = []

    def cancel(event):
        if event["type"] == "progress" and event["data"]["max"] > 1000:
            seen.append(event["data"]["value"])
            if event["data"]["value"] == 20:
                client.interrupt()

    with pytest.raises(ExecutionFailed) as failure:
        client.run(graph, on_event=cancel)
    assert failure.value.interrupted and 20 <= max(seen) < 1000
    after = client.run(reading("ViPerLoadVLM", {"model": "tiny-chat", "precision": "auto"}, text="+ I love fog, and lace"))
    assert client.texts(after)["show"] == EXPECTED[:1]


def test_cancel_stops_waiting_for_a_server(client, answering):
    answering.think = 30
    url = f"http://127.0.0.1:{answering.server_address[1]}"
    started = time.monotonic()
    running = threading.Timer(1.5, client.interrupt)
    running.start()
    with pytest.raises(ExecutionFailed) as failure:
        client.run(reading("ViPerEndpoint", {"url": url, "model": "tiny"}))
    assert failure.value.interrupted and time.monotonic() - started < 15
