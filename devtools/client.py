"""A ComfyUI client, the way a user's script would talk to the host: HTTP for requests, a WebSocket for progress."""

from __future__ import annotations

import asyncio
import io
import json
import queue
import threading
import time
import uuid
from collections.abc import Callable

import aiohttp
import requests
from PIL import Image

Event = dict  # {"type": "progress", "data": {…}}; a preview picture is {"type": "preview", "data": bytes}
PREVIEW_HEADER = 8  # event type and image format, 4 bytes each, before the encoded picture


class Refused(Exception):
    """The host did not take the graph; `body` is its answer, `node_errors` the part about nodes."""

    def __init__(self, body: dict):
        self.body, self.node_errors = body, body.get("node_errors") or {}
        error = body.get("error", body)
        reasons = [error.get("message", "") if isinstance(error, dict) else str(error)]
        for node, found in self.node_errors.items():
            reasons += [f"node {node} ({found.get('class_type')}): {e['message']}: {e['details']}" for e in found.get("errors", [])]
        super().__init__("; ".join(filter(None, reasons)))


class ExecutionFailed(Exception):
    """The graph ran into an error, or was interrupted; `entry` is its history entry."""

    def __init__(self, entry: dict):
        self.entry = entry
        self.messages = {name: data for name, data in entry["status"]["messages"]}
        self.interrupted = "execution_interrupted" in self.messages
        error = self.messages.get("execution_error", {})
        self.message = str(error.get("exception_message", "")).strip()
        what = "interrupted" if self.interrupted else f"{error.get('exception_type')}: {self.message}"
        super().__init__(f"node {error.get('node_id')} ({error.get('node_type')}): {what}")


class Client:
    def __init__(self, url: str, client_id: str | None = None):
        self.url, self.client_id = url, client_id or uuid.uuid4().hex
        self.http = requests.Session()
        self.http.trust_env = False  # no proxy between us and our own machine
        self.events: queue.Queue[Event] = queue.Queue()
        self._connected = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._listener = self._loop.create_task(self._listen())
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        if not self._connected.wait(30):
            raise RuntimeError(f"No WebSocket connection to {url}")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._listener.cancel)
        self._thread.join(10)
        self.http.close()

    # Requests

    def get(self, path: str, **params) -> requests.Response:
        answer = self.http.get(self.url + path, params=params, timeout=60)
        answer.raise_for_status()
        return answer

    def post(self, path: str, body: dict | None = None) -> requests.Response:
        return self.http.post(self.url + path, json=body or {}, timeout=60)

    def object_info(self, node: str | None = None) -> dict:
        """Every node's description by id, or of one node only."""
        info = self.get("/object_info" + (f"/{node}" if node else "")).json()
        return info[node] if node else info

    def queue(self, graph: dict, client_id: str | None = None, **extra) -> str:
        """Queues an API-format graph and returns its prompt id; raises Refused when the host finds it invalid."""
        answer = self.post("/prompt", {"prompt": graph, "client_id": client_id or self.client_id, **extra})
        if answer.status_code == 400:
            raise Refused(answer.json())
        answer.raise_for_status()
        return answer.json()["prompt_id"]

    def history(self, prompt_id: str) -> dict | None:
        """A finished prompt's entry (`outputs`, `status`), None while it is waiting or running."""
        return self.get(f"/history/{prompt_id}").json().get(prompt_id)

    def interrupt(self) -> None:
        self.post("/interrupt").raise_for_status()

    def upload(self, image: Image.Image, name: str, subfolder: str = "", type: str = "input") -> dict:
        """Stores a picture at the host; returns {"name", "subfolder", "type"}."""
        data = io.BytesIO()
        image.save(data, "PNG")
        form = {"subfolder": subfolder, "type": type, "overwrite": "true"}
        answer = self.http.post(self.url + "/upload/image", data=form, files={"image": (name, data.getvalue(), "image/png")}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    # Runs

    def wait(self, prompt_id: str, timeout: float = 300, on_event: Callable[[Event], None] | None = None) -> dict:
        """Hands events to `on_event` until the prompt has ended; returns its history entry, failed or not."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            over = False
            try:
                event = self.events.get(timeout=0.5)
            except queue.Empty:
                over = True  # an event can be lost (another client's prompt, a dropped connection): ask
            else:
                if on_event:
                    on_event(event)
                data = event["data"]
                over = event["type"] == "executing" and data.get("node") is None and data.get("prompt_id") == prompt_id
            if over and (entry := self.history(prompt_id)):
                return entry
        raise TimeoutError(f"Prompt {prompt_id} has not ended after {timeout:.0f} s")

    def run(self, graph: dict, timeout: float = 300, on_event: Callable[[Event], None] | None = None, **extra) -> dict:
        """Queues, waits and returns the history entry; raises Refused or ExecutionFailed."""
        entry = self.wait(self.queue(graph, **extra), timeout, on_event)
        if entry["status"]["status_str"] != "success":
            raise ExecutionFailed(entry)
        return entry

    # Results

    def images(self, entry: dict, node: str | None = None) -> list[Image.Image]:
        """The pictures of a history entry (of one node), in order; `.info["filename"]` is the host's name."""
        found = []
        for node_id, output in entry["outputs"].items():
            for info in output.get("images", []) if node in (None, node_id) else []:
                image = Image.open(io.BytesIO(self.get("/view", **info).content))
                image.load()
                image.info["filename"] = info["filename"]
                found.append(image)
        return found

    @staticmethod
    def texts(entry: dict) -> dict[str, list[str]]:
        """What text-showing nodes (PreviewAny) showed, by node id."""
        return {node: list(output["text"]) for node, output in entry["outputs"].items() if "text" in output}

    # Events

    def _follow(self) -> None:
        try:
            self._loop.run_until_complete(self._listener)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    async def _listen(self) -> None:
        address = self.url.replace("http", "ws", 1) + f"/ws?clientId={self.client_id}"
        async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
            self._connected.set()
            async for message in socket:
                if message.type == aiohttp.WSMsgType.TEXT:
                    self.events.put(json.loads(message.data))
                elif message.type == aiohttp.WSMsgType.BINARY:
                    self.events.put({"type": "preview", "data": message.data[PREVIEW_HEADER:]})
