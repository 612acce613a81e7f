"""A small stand-in for a running host: the routes that the runner uses, with pictures made of nothing and faults on demand."""

from __future__ import annotations

import io
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


def png(text: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), f"#{abs(hash(text)) % 0xFFFFFF:06x}").save(data, "PNG")
    return data.getvalue()


class FakeHost:
    """``graphs``: what was queued, in order; ``uploads``: (subfolder, name, bytes). ``answer(graph, n)`` may return a fault:

    "refuse" (status 400), "error" (the graph fails), "die" (every connection breaks off from here on), "hang" (it never ends),
    "forget" (as after a restart), "two" (two pictures), "text" (no picture file).
    """

    def __init__(self, answer=lambda graph, n: None, port: int = 0):
        self.answer, self.graphs, self.uploads, self.taken_back = answer, [], [], []
        self.targets: list = []
        self.dead, self.running = threading.Event(), {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def handle_one_request(self):
                if outer.dead.is_set():
                    self.close_connection = True
                    return
                super().handle_one_request()

            def reply(self, body, code=200):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                path, _, query = self.path.partition("?")
                if path == "/queue":
                    hanging = [[0, key, {}] for key, fault in outer.running.items() if fault == "hang"]
                    self.reply({"queue_running": hanging, "queue_pending": []})
                elif path.startswith("/history/"):
                    key = path.rpartition("/")[2]
                    self.reply(outer.history(key))
                elif path == "/view":
                    name = dict(urllib.parse.parse_qsl(query))["filename"]
                    self.reply(b"no picture" if name.startswith("text") else png(name))
                else:
                    self.reply({})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/upload/image":
                    return self.reply(outer.store(body))
                told = json.loads(body)
                if self.path == "/prompt":
                    n = len(outer.graphs)
                    outer.graphs.append(told["prompt"])
                    outer.targets.append(told.get("partial_execution_targets"))
                    fault = outer.answer(told["prompt"], n)
                    if fault == "refuse":
                        error = {"class_type": "KSampler", "errors": [{"message": "Value not in list", "details": "scheduler"}]}
                        return self.reply({"error": {"message": "invalid"}, "node_errors": {"3": error}}, 400)
                    if fault == "die":
                        outer.dead.set()
                    outer.running[f"job{n}"] = fault
                    return self.reply({"prompt_id": f"job{n}"})
                outer.taken_back.append((self.path, told))
                self.reply({})

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def history(self, key: str) -> dict:
        fault = self.running.get(key)
        if fault in ("hang", "forget") or key not in self.running:
            return {}
        if fault == "error":
            told = [["execution_error", {"node_id": "3", "node_type": "KSampler", "exception_message": "out of memory"}]]
            return {key: {"status": {"status_str": "error", "messages": told}, "outputs": {}}}
        names = [f"{fault or 'a'}{key}_{n}.png" for n in range(2 if fault == "two" else 1)]
        images = [{"filename": name, "subfolder": "", "type": "output"} for name in names]
        return {key: {"status": {"status_str": "success", "messages": []}, "outputs": {"9": {"images": images}}}}

    def store(self, body: bytes) -> dict:
        edge = body.split(b"\r\n", 1)[0]
        found = {}
        for part in body.split(edge)[1:-1]:
            head, _, value = part.strip(b"\r\n").partition(b"\r\n\r\n")
            found[head.split(b'name="')[1].split(b'"')[0].decode()] = (head, value)
        name = found["image"][0].split(b'filename="')[1].split(b'"')[0].decode()
        self.uploads.append((found["subfolder"][1].decode(), name, found["image"][1]))
        return {"name": name, "subfolder": found["subfolder"][1].decode(), "type": "input"}
