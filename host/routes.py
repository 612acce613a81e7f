"""The pack's own routes on the host's server, for its widgets and its page."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

log = logging.getLogger("viper")

MOST = 64 << 20  # bytes of a question
TYPES = {".html": "text/html", ".css": "text/css", ".mjs": "text/javascript", ".png": "image/png"}  # a system's own list may lack some


def add_route(method: str, path: str, answer: Callable[[dict[str, Any]], dict[str, Any] | Path], most: int = MOST) -> bool:
    """Serve ``answer`` at ``/viper/PATH``: JSON in (of a GET: its query; of a POST: up to ``most`` bytes), JSON out, or a file.

    → whether there is a server (tests have none). ``answer`` runs on a thread of its own, so that nothing it reads keeps the page
    waiting. Its ValueError becomes status 400 and its FileNotFoundError 404, each with ``{"error": sentence}``.
    """
    import server
    from aiohttp import web

    running = getattr(server.PromptServer, "instance", None)
    if running is None:
        return False

    async def handle(request):
        try:
            data = dict(request.query) if method == "GET" else json.loads(await _body(request, most))
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            return web.json_response({"error": f"Send a JSON object of at most {most >> 10} kB."}, status=400)
        try:
            told = await asyncio.to_thread(answer, data)
            if not isinstance(told, Path):
                return web.json_response(told, headers={"Cache-Control": "no-store"})
            if not told.is_file():
                raise FileNotFoundError(f"The file {told.name} is gone.")
            charset = "" if told.suffix == ".png" else "; charset=utf-8"
            headers = {"Content-Type": TYPES[told.suffix] + charset, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
            return web.FileResponse(told, headers=headers)
        except FileNotFoundError as error:
            return web.json_response({"error": str(error)}, status=404)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        except Exception:
            log.exception("The route /viper/%s failed", path)
            return web.json_response({"error": "This failed; the log of ComfyUI says why."}, status=500)

    running.routes.route(method, f"/viper/{path}")(handle)
    return True


async def _body(request, most: int) -> str:
    """Raises ValueError for one that is too long, before all of it is held."""
    data = bytearray()
    async for part in request.content.iter_chunked(1 << 16):
        data += part
        if len(data) > most:
            raise ValueError("too long")
    return data.decode("utf-8")


def server_url() -> str:
    """Where this host can be opened, as another device would have to write it where it listens to others; "" without a server."""
    from comfy.cli_args import args

    server = sys.modules.get("server")  # a script that runs nodes has none
    running = getattr(getattr(server, "PromptServer", None), "instance", None)
    address = getattr(running, "address", None)
    if address is None:
        return ""
    if address in ("0.0.0.0", "::", ""):
        address = _own_address()
    scheme = "https" if args.tls_keyfile and args.tls_certfile else "http"
    return f"{scheme}://{f'[{address}]' if ':' in address else address}:{running.port}"


def _own_address() -> str:
    """This machine on its network; asking for a way to another address sends nothing."""
    import socket

    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect(("192.0.2.1", 9))
            return way.getsockname()[0]
    except OSError:
        return "127.0.0.1"
