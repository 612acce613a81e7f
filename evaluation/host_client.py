"""A running ComfyUI over HTTP, here or elsewhere: pictures go up, graphs are queued, pictures come back. Standard library only."""

from __future__ import annotations

import http.client
import ipaddress
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

POLL = (0.1, 2.0)  # seconds between two questions: short pictures are not waited for long, long ones not asked after often
REQUEST = 60.0  # seconds for one answer
AWAY = (502, 503, 504)  # what stands before a host says so when the host itself is gone


class Unreachable(Exception):
    """The host does not answer, or broke off."""


class Failed(Exception):
    """The host answered, and the picture was not made: one sentence why."""


class Stopped(Exception):
    """We were asked to stop; what was queued is taken back."""


class HostClient:
    """One host by its address, such as http://127.0.0.1:8188."""

    def __init__(self, url: str):
        self.url = (url if "://" in url else f"http://{url}").rstrip("/")
        direct = {"proxies": {}} if _is_here(urllib.parse.urlsplit(self.url).hostname) else {}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler(**direct))
        self._id = uuid.uuid4().hex

    def _ask(self, path: str, data: bytes | None = None, kind: str = "application/json", timeout: float = REQUEST) -> bytes:
        request = urllib.request.Request(self.url + path, data, {"Content-Type": kind} if data is not None else {})
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code in AWAY:
                    raise Unreachable(f"{self.url} is not there (status {error.code})") from None
                raise Failed(_reason(error.code, path, error.read())) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.url} does not answer ({getattr(error, 'reason', None) or error or type(error).__name__})") from error

    def _json(self, path: str, body: dict | None = None, **options):
        answer = self._ask(path, None if body is None else json.dumps(body).encode(), **options)
        try:
            return json.loads(answer)
        except ValueError as error:
            raise Failed(f"{self.url}{path} answers something that is no JSON: is it a ComfyUI?") from error

    def alive(self) -> bool:
        try:
            self._json("/system_stats", timeout=10)
        except (Unreachable, Failed):
            return False
        return True

    def upload(self, file: Path, subfolder: str) -> str:
        """Puts a picture into the host's input folder; equal ones are not stored twice. Returns its name there, with the folder."""
        edge = uuid.uuid4().hex
        fields = "".join(
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in (("type", "input"), ("subfolder", subfolder))
        )
        head = f'{fields}--{edge}\r\nContent-Disposition: form-data; name="image"; filename="{file.name}"\r\n'
        body = head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + file.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        stored = json.loads(self._ask("/upload/image", body, f"multipart/form-data; boundary={edge}"))
        return f"{stored['subfolder']}/{stored['name']}"

    def queue(self, graph: dict, output: str | None = None) -> str:
        """``output``: only this node, and what it needs, is run."""
        only = {"partial_execution_targets": [output]} if output else {}
        return self._json("/prompt", {"prompt": graph, "client_id": self._id, **only})["prompt_id"]

    def wait(self, prompt_id: str, stop: threading.Event, timeout: float) -> dict:
        """The history entry of a graph that has run. Raises Failed, Unreachable, or Stopped."""
        pause, end = POLL[0], time.monotonic() + timeout
        while True:
            try:
                if entry := self._ended(prompt_id):
                    return entry
            except Unreachable:
                if not self._back(stop):
                    raise
            if stop.wait(pause):
                self.take_back(prompt_id)
                raise Stopped
            if time.monotonic() > end:
                self.take_back(prompt_id)
                raise Failed(f"no picture after {timeout:.0f} seconds (--timeout)")
            pause = min(POLL[1], pause * 1.2)

    def _ended(self, prompt_id: str) -> dict | None:
        if entry := self._entry(prompt_id):
            return entry
        line = self._json("/queue")
        if any(prompt_id in item for part in ("queue_running", "queue_pending") for item in line[part]):
            return None
        if entry := self._entry(prompt_id):  # it may have ended between the two questions
            return entry
        raise Failed(f"{self.url} has forgotten the picture that it was drawing: it was started anew")

    def _back(self, stop: threading.Event) -> bool:
        """A connection may break for a moment, and a long drawing is worth asking again."""
        return any(self.alive() for _ in range(3) if not stop.wait(1))

    def _entry(self, prompt_id: str) -> dict | None:
        entry = self._json(f"/history/{prompt_id}").get(prompt_id)
        if entry is None:
            return None
        status = entry.get("status") or {}
        if status.get("status_str") == "success":
            return entry
        told = dict(status.get("messages") or [])
        if "execution_interrupted" in told:
            raise Failed("it was cancelled on the host")
        error = told.get("execution_error") or {}
        raise Failed(f"node {error.get('node_id')} ({error.get('node_type')}): {str(error.get('exception_message', '')).strip()}")

    def take_back(self, prompt_id: str) -> None:
        """Out of the queue, or stopped if it runs; other people's graphs are left alone."""
        try:
            self._ask("/queue", json.dumps({"delete": [prompt_id]}).encode())
            self._ask("/interrupt", json.dumps({"prompt_id": prompt_id}).encode())
        except (Unreachable, Failed):
            pass  # it is gone, and its queue with it

    def pictures(self, entry: dict, node: str | None) -> list[bytes]:
        """The pictures that the graph saved (of one node), as files; previews where it saves none."""
        shown = [image for key, out in entry["outputs"].items() if node in (None, key) for image in out.get("images", ())]
        saved = [image for image in shown if image.get("type") == "output"]
        return [self._ask("/view?" + urllib.parse.urlencode(image)) for image in saved or shown]


def _is_here(name: str | None) -> bool:
    """Our own machine is asked without a proxy."""
    try:
        return name == "localhost" or ipaddress.ip_address(name or "").is_loopback
    except ValueError:
        return False


def _reason(code: int, path: str, body: bytes) -> str:
    """What the host says of a graph that it does not take, in a sentence."""
    try:
        told = json.loads(body)
        error = told.get("error")
        reasons = [error.get("message", "") if isinstance(error, dict) else str(error or "")]
        for node, found in (told.get("node_errors") or {}).items():
            reasons += [f"node {node} ({found.get('class_type')}): {e['message']}: {e['details']}" for e in found.get("errors", ())]
        return "the host refuses the graph: " + "; ".join(filter(None, reasons))
    except (ValueError, AttributeError, KeyError, TypeError):
        return f"the host answers {path} with status {code}"
