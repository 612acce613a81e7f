"""A host ComfyUI as a child process that never outlives its parent."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACK = "viper-personalization"
FOLDERS = ("custom_nodes", "input", "output", "models", "user", "temp")

# The child ends itself when its standard input closes: that happens however the parent dies.
BOOT = """
import os, runpy, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_free(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def prepare_base(base: Path) -> Path:
    """A base directory for the host, with this pack in custom_nodes under its registry name."""
    for name in FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)
    link = base / "custom_nodes" / PACK
    if not link.exists() or link.resolve() != ROOT:
        if link.is_symlink():
            link.unlink()
        elif link.exists():
            raise SystemExit(f"{link} is in the way: move it away, it should be a link to {ROOT}.")
        link_folder(link)
    return base


def link_folder(link: Path) -> None:
    try:
        link.symlink_to(ROOT, target_is_directory=True)
    except OSError:  # Windows without the right to make symlinks: a junction needs none
        import _winapi

        _winapi.CreateJunction(str(ROOT), str(link))


@contextlib.contextmanager
def temporary_base() -> Iterator[Path]:
    """A base directory for one host, deleted afterwards; of the linked pack only the link."""
    base = Path(tempfile.mkdtemp(prefix="viper-base-"))
    try:
        yield prepare_base(base)
    finally:
        link = base / "custom_nodes" / PACK
        if link.is_symlink():
            link.unlink()
        elif link.exists():
            os.rmdir(link)  # a junction
        shutil.rmtree(base, ignore_errors=True)


class Host:
    """``with Host(comfyui, base, log) as host: … host.url``; `args` go to the host's main.py as they are."""

    def __init__(self, comfyui: Path, base: Path, log: Path, *args: str, timeout: float = 300):
        self.log, self.timeout = log, timeout
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.command = [
            *(sys.executable, "-c", BOOT, str(comfyui / "main.py"), "--port", str(port), "--base-directory", str(base)),
            *("--database-url", "sqlite:///:memory:", "--disable-auto-launch", *args),
        ]
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> Host:
        with open(self.log, "wb") as log:
            detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}
            env = {"GOMP_SPINCOUNT": "10000", **os.environ}  # spin, but not long: on busy cores waiting threads cost over tenfold
            self.process = subprocess.Popen(self.command, env=env, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, **detached)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdin.close()

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def _wait_until_ready(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            if not self.alive():
                raise RuntimeError(f"The host stopped while starting (log: {self.log}):\n{self.tail()}")
            try:
                with opener.open(self.url + "/system_stats", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"The host was not ready after {self.timeout:.0f} s (log: {self.log}):\n{self.tail()}")
