"""The extractor behind a server: a real server program of the protocol on loopback, and one that fails in every way."""

import base64
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from viper.tests import tiny_vlm
from viper.vpe.comments import Comments
from viper.vpe.endpoint import address
from viper.vpe.errors import AnswerError, ModelError, TooLongError

COMMENTS = tiny_vlm.comments()
EXPECTED = ("warm colors, orange", "grainy")


@pytest.fixture
def extractor(host):
    pytest.importorskip("openai", reason="needs the optional package openai")
    from viper.vpe.endpoint import EndpointExtractor

    return EndpointExtractor


def read(found):
    return found.liked_text(), found.disliked_text()


# --- a server that does as it is told --------------------------------------------------------------------------------


def events(text, finish="stop", done=True):
    """An answer as a stream of events, a word at a time."""
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    deltas = [({"role": "assistant", "content": ""}, None), *(({"content": f"{w} "}, None) for w in text.split(" "))]
    deltas += [({}, finish)] if finish else []
    lines = [json.dumps({**chunk, "choices": [{"index": 0, "delta": d, "finish_reason": f}]}) for d, f in deltas]
    return "".join(f"data: {line}\n\n" for line in [*lines, *(["[DONE]"] if done else [])]).encode()


ANSWER = events(tiny_vlm.ANSWER.replace("\n", " \n"))


class Server(ThreadingHTTPServer):
    """Plays one reply after another: (status, content type, body) or a function of the handler; the last one again and again."""

    def __init__(self, *replies):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies, self.asked, self.gone = list(replies), [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request, client_address):
        self.gone.set()  # the other side hung up

    def __exit__(self, *args):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        body = json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in ("qwen-vl", "llava")]}).encode()
        self.reply(200, "application/json", body)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, "headers": dict(self.headers), "body": body})
        replies = self.server.replies
        said = replies.pop(0) if len(replies) > 1 else replies[0]
        if callable(said):
            said(self)
        else:
            self.reply(*said)

    def reply(self, status, kind, body, length=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


def stream(body):
    return 200, "text/event-stream", body


def refusal(status, message, **more):
    return status, "application/json", json.dumps({"error": {"message": message, **more}}).encode()


def test_the_protocol_is_spoken_with_scaled_pictures_in_their_places(extractor):
    import torch

    large = Comments(COMMENTS.items, torch.nn.functional.interpolate(COMMENTS.pictures.movedim(-1, 1), (600, 900)).movedim(1, -1))
    with Server(stream(ANSWER)) as server:
        assert read(extractor(server.url, "qwen-vl", image_size=300).extract(large)) == EXPECTED
    (asked,) = server.asked
    body = asked["body"]
    assert asked["path"] == "/v1/chat/completions" and (body["model"], body["temperature"], body["stream"]) == ("qwen-vl", 0, True)
    (message,) = body["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url", "text", "image_url", "text"]
    assert message["content"][4]["text"] == "Comment 2: I do not like this one. too grainy for me"
    for part, colour in ((message["content"][1], (255, 166, 0)), (message["content"][3], (128, 128, 128))):
        head, data = part["image_url"]["url"].split(",")
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert head == "data:image/jpeg;base64" and picture.size == (300, 200)
        assert all(abs(a - b) <= 3 for a, b in zip(picture.getpixel((150, 100)), colour, strict=True))


def test_words_alone_are_plain_text_for_models_that_do_not_see(extractor):
    with Server(stream(ANSWER)) as server:
        extractor(server.url, "text-only", image_size=0).extract(COMMENTS)
    said = server.asked[0]["body"]["messages"][0]["content"]
    assert isinstance(said, str) and said.endswith("\nComment 2: I do not like this one. too grainy for me")


def test_without_a_name_the_first_model_is_asked(extractor):
    with Server(stream(ANSWER)) as server:
        extractor(server.url).extract(COMMENTS)
    assert server.asked[0]["body"]["model"] == "qwen-vl"


def test_nothing_is_sent_before_it_reads_or_without_comments(extractor):
    with Server(stream(ANSWER)) as server:
        found = extractor(server.url, "m")
        assert not found.extract(Comments()) and server.asked == []


def test_an_unreadable_answer_is_repaired_once_in_the_same_conversation(extractor):
    with Server(stream(events("They like warm things.")), stream(ANSWER)) as server:
        assert read(extractor(server.url, "m").extract(COMMENTS)) == EXPECTED
    first, again = (a["body"]["messages"] for a in server.asked)
    assert again[0] == first[0] and again[1]["role"] == "assistant" and again[1]["content"].startswith("They like warm")
    with Server(stream(events("No idea."))) as server, pytest.raises(AnswerError, match="No idea"):
        extractor(server.url, "m").extract(COMMENTS)


# --- keys ------------------------------------------------------------------------------------------------------------


def test_the_key_goes_only_to_the_server_that_the_environment_names(extractor, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, f"secret-{name}")
    monkeypatch.setenv("VIPER_API_KEY", "secret-mine")
    with Server(stream(ANSWER)) as server:
        extractor(server.url, "m").extract(COMMENTS)
        monkeypatch.setenv("VIPER_API_URL", "https://example.org/v1")
        extractor(server.url, "m").extract(COMMENTS)
        monkeypatch.setenv("VIPER_API_URL", server.url)
        extractor(server.url, "m").extract(COMMENTS)
    sent = [json.dumps(a) for a in server.asked]
    assert "secret" not in sent[0] + sent[1]
    assert "Bearer secret-mine" in sent[2] and "secret-OPENAI" not in sent[2]


@pytest.mark.parametrize(
    "url, result",
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1"),
        (" https://example.org/api/v1/ ", "https://example.org/api/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
    ],
)
def test_addresses_are_completed(url, result):
    assert address(url) == result


@pytest.mark.parametrize("url", ["", "localhost:11434", "ftp://x/v1", "http://", "http://x:port/v1", "file:///etc/passwd", "http://me:pw@x/v1"])
def test_what_is_no_address_is_one_clear_sentence(url):
    with pytest.raises(ModelError, match="is no address|must not hold a password"):
        address(url)


# --- faults ----------------------------------------------------------------------------------------------------------


def fails(extractor, server, **options):
    with pytest.raises(ModelError) as raised:
        extractor(server.url, "m", **{"retries": 0, **options}).extract(COMMENTS)
    return str(raised.value)


def test_a_refused_connection_says_that_there_is_no_server(extractor):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    for model in ("m", ""):
        with pytest.raises(ModelError, match=f"no server at {url}.*start it"):
            extractor(url, model, retries=0).extract(COMMENTS)


def test_a_silent_server_is_given_up_after_the_timeout(extractor):
    with Server(lambda handler: time.sleep(3)) as server:
        assert "no sign for 0.3 seconds" in fails(extractor, server, timeout=0.3)


def test_a_slow_server_is_no_silent_one(extractor):
    def slowly(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        for event in ANSWER.split(b"\n\n")[:-1]:
            time.sleep(0.1)
            handler.wfile.write(event + b"\n\n")

    with Server(slowly) as server:
        assert read(extractor(server.url, "m", timeout=0.8, retries=0).extract(COMMENTS)) == EXPECTED


def cut(handler):
    handler.reply(200, "text/event-stream", ANSWER[:300], length=len(ANSWER))
    handler.connection.shutdown(socket.SHUT_RDWR)


def test_an_answer_that_is_cut_off_is_asked_again(extractor):
    with Server(cut, stream(ANSWER)) as server:
        assert read(extractor(server.url, "m", retries=1).extract(COMMENTS)) == EXPECTED
    assert len(server.asked) == 2
    with Server(cut) as server:
        assert "broke off in the middle of its answer" in fails(extractor, server, retries=1)
    assert len(server.asked) == 2


@pytest.mark.parametrize("body", [events(tiny_vlm.ANSWER, finish=None, done=False), b"data: {\"choices\": [{\n\n", b""])
def test_half_an_answer_is_never_taken_for_a_whole_one(extractor, body):
    with Server(stream(body)) as server:
        assert "broke off" in fails(extractor, server)


@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_web_page_instead_of_an_answer_says_so(extractor, status):
    with Server((status, "text/html; charset=utf-8", b"<html><body>Welcome to nginx</body></html>")) as server:
        told = fails(extractor, server)
    assert {200: "answered with text/html instead of a chat", 404: "knows no model", 502: "refused with status 502"}[status] in told


def test_a_wrong_model_is_told_with_the_ones_there_are(extractor):
    with Server(refusal(404, 'model "m" not found')) as server:
        told = fails(extractor, server)
    assert 'knows no model "m"' in told and "It offers qwen-vl, llava." in told


def test_a_missing_key_says_where_it_belongs(extractor):
    with Server(refusal(401, "Invalid API key")) as server:
        assert "VIPER_API_KEY" in fails(extractor, server)


def test_a_busy_server_is_asked_again(extractor):
    with Server(refusal(503, "loading model"), stream(ANSWER)) as server:
        assert read(extractor(server.url, "m", retries=1).extract(COMMENTS)) == EXPECTED
    with Server(refusal(503, "loading model")) as server:
        assert "status 503: loading model" in fails(extractor, server)


def test_an_error_in_the_stream_is_shown(extractor):
    with Server(stream(b'data: {"error": {"message": "CUDA out of memory", "code": 500}}\n\n')) as server:
        assert "CUDA out of memory" in fails(extractor, server)


def test_a_redirect_is_not_followed(extractor):
    with Server(stream(ANSWER)) as elsewhere:

        def redirect(handler):
            handler.send_response(307)
            handler.send_header("Location", f"{elsewhere.url}/chat/completions")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with Server(redirect) as server:
            assert "status 307" in fails(extractor, server)
    assert elsewhere.asked == []


def test_comments_too_long_for_the_server_are_asked_in_parts(extractor):
    def short(handler):
        body = handler.server.asked[-1]["body"]
        if sum(p["type"] == "image_url" for p in body["messages"][0]["content"]) > 1:
            handler.reply(*refusal(400, "the request exceeds the available context size"))
        else:
            handler.reply(*stream(ANSWER))

    with Server(short) as server:
        assert read(extractor(server.url, "m").extract(COMMENTS)) == EXPECTED
    assert len(server.asked) == 3
    with Server(refusal(400, "context length exceeded")) as server, pytest.raises(TooLongError, match="do not fit"):
        extractor(server.url, "m").extract(COMMENTS)


def test_cancel_is_noticed_while_the_server_thinks_and_hangs_up(extractor, monkeypatch):
    import comfy.model_management as mm

    from viper.vpe import endpoint

    asked, hung_up = threading.Event(), threading.Event()

    def thinking(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.wfile.write(ANSWER[:200])
        asked.set()
        handler.connection.settimeout(20)
        if handler.connection.recv(1) == b"":
            hung_up.set()

    def cancelled():
        if asked.is_set():
            raise mm.InterruptProcessingException

    monkeypatch.setattr(endpoint.host, "stop_if_cancelled", cancelled)
    with Server(thinking) as server:
        with pytest.raises(mm.InterruptProcessingException):
            extractor(server.url, "m", timeout=60).extract(COMMENTS)
        assert hung_up.wait(10), "the server would go on thinking"


def test_the_missing_library_is_named(extractor, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModelError, match="pip install openai"):
        extractor("http://127.0.0.1:1/v1")


# --- a real server program -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(taught, tmp_path_factory):
    """`transformers serve` with the tiny chat model: (address, model name)."""
    for name in ("fastapi", "uvicorn"):
        pytest.importorskip(name, reason=f"needs the optional package {name}")
    program = Path(sys.executable).with_name("transformers")
    if not program.exists() and not program.with_suffix(".exe").exists():
        pytest.skip("this transformers brings no server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("served")
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder), "HF_HUB_CACHE": str(folder), "OMP_NUM_THREADS": "1"}
    command = [str(program), "serve", str(taught / "vlm/tiny-chat"), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (folder / "log").open("w") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as process:
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1", str(taught / "vlm/tiny-chat")
        finally:
            process.terminate()


def test_a_real_server_program_reads_comments_and_pictures(extractor, served):
    url, model = served
    assert read(extractor(url, model).extract(COMMENTS)) == EXPECTED


def test_a_real_server_program_refuses_a_model_it_has_not(extractor, served):
    with pytest.raises(ModelError, match="nope"):
        extractor(served[0], "nope", retries=0).extract(COMMENTS)
