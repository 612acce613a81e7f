"""The host process never outlives whoever started it, and says why it did not start. A stand-in plays the host."""

import os
import subprocess
import sys
import textwrap
import time

import pytest

from viper.devtools.process import PACK, ROOT, Host, prepare_base, temporary_base

STAND_IN = """
import http.server, os, pathlib, sys
port, base = (sys.argv[sys.argv.index(flag) + 1] for flag in ("--port", "--base-directory"))
pathlib.Path(base, "pid").write_text(str(os.getpid()))
print("started", flush=True)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(port)), Answer).serve_forever()
"""


@pytest.fixture
def comfyui(tmp_path):
    (tmp_path / "main.py").write_text(STAND_IN)
    return tmp_path


def gone(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_starts_and_stops(comfyui, tmp_path):
    with Host(comfyui, tmp_path, tmp_path / "log", timeout=30) as host:
        assert host.alive()
        assert "started" in host.tail()
    assert not host.alive()


def test_stops_when_the_work_inside_fails(comfyui, tmp_path):
    with pytest.raises(KeyboardInterrupt), Host(comfyui, tmp_path, tmp_path / "log", timeout=30) as host:
        raise KeyboardInterrupt
    assert not host.alive()


def test_a_host_that_cannot_start_tells_why(comfyui, tmp_path):
    (comfyui / "main.py").write_text("raise SystemExit('no such flag: --port')")
    with pytest.raises(RuntimeError, match="no such flag"), Host(comfyui, tmp_path, tmp_path / "log", timeout=30):
        pass


@pytest.mark.skipif(os.name == "nt", reason="asks for a process by signal 0")
def test_ends_with_a_parent_that_was_killed(comfyui, tmp_path):
    parent = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {str(ROOT / "devtools")!r})
        from process import Host
        with Host(Path({str(comfyui)!r}), Path({str(tmp_path)!r}), Path({str(tmp_path / "log")!r}), timeout=30):
            print("ready", flush=True)
            time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert gone(int((tmp_path / "pid").read_text()))


def test_the_base_directory_holds_the_pack_by_its_registry_name(tmp_path):
    for _ in range(2):  # the second time everything is there already
        prepare_base(tmp_path)
    assert (tmp_path / "custom_nodes" / PACK / "__init__.py").samefile(ROOT / "__init__.py")


def test_a_temporary_base_takes_only_its_link_away():
    with temporary_base() as base:
        assert (base / "custom_nodes" / PACK / "dev.py").is_file()
    assert not base.exists()
    assert (ROOT / "dev.py").is_file()
