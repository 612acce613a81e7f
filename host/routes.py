"""The pack's own routes on the host's server, for its widgets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger("viper")


def add_route(method: str, path: str, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    """Serve ``answer`` at ``/viper/PATH``: JSON in (of a GET: its query), JSON out. → whether there is a server (tests have none).

    ``answer`` runs on a thread of its own, so that nothing it reads keeps the page waiting. Its ValueError becomes status 400
    and its FileNotFoundError 404, each with ``{"error": sentence}``.
    """
    import server
    from aiohttp import web

    running = getattr(server.PromptServer, "instance", None)
    if running is None:
        return False

    async def handle(request):
        try:
            data = dict(request.query) if method == "GET" else await request.json()
        except ValueError:
            data = None
        if not isinstance(data, dict):
            return web.json_response({"error": "Send a JSON object."}, status=400)
        try:
            return web.json_response(await asyncio.to_thread(answer, data))
        except FileNotFoundError as error:
            return web.json_response({"error": str(error)}, status=404)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        except Exception:
            log.exception("The route /viper/%s failed", path)
            return web.json_response({"error": "This failed; the log of ComfyUI says why."}, status=500)

    running.routes.route(method, f"/viper/{path}")(handle)
    return True
