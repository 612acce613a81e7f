"""What tests need of the host ComfyUI: the folder, the host in this process, and one running server."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def host_path() -> Path | None:
    path = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()
    return path if (path / "main.py").is_file() else None


def use_host() -> Path:
    """Makes `import comfy` and `import nodes` the host's, on the CPU, writing only to a temporary base directory.

    Call it at the top of a test module that imports host code, or ask for the `host` fixture; without a
    host the module or test is skipped. VIPER_TEST_GPU=1 leaves the device to the host.
    """
    path = host_path()
    if path is None:
        pytest.skip("needs the host: run `python dev.py test`, or set COMFYUI_PATH", allow_module_level=True)
    if str(path) in sys.path:
        return path
    sys.path.insert(0, str(path))
    import torch
    from comfy.cli_args import args

    torch.set_num_threads(1)  # tests run tiny models: more threads mostly wait for each other
    args.cpu = not os.environ.get("VIPER_TEST_GPU")
    args.base_directory = tempfile.mkdtemp(prefix="viper-test-")
    atexit.register(shutil.rmtree, args.base_directory, ignore_errors=True)
    for name in ("input", "output", "models", "user", "temp", "custom_nodes"):
        Path(args.base_directory, name).mkdir()
    return path


class Server:
    """The running host of this test session: `url`, `log` (a path), `base` (its folders), and clients on demand."""

    def __init__(self, host):
        self.host, self.url, self.log = host, host.url, host.log
        self.base = Path(host.command[host.command.index("--base-directory") + 1])

    def client(self, client_id: str | None = None):
        """A new client with its own WebSocket; close it (it is a context manager)."""
        from viper.devtools.client import Client

        return Client(self.url, client_id)

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")
