"""An extractor that asks a server of the OpenAI protocol (Ollama, llama.cpp, LM Studio, vLLM, …) about comments and pictures.

Comments and pictures go to the address in the graph and nowhere else. The key comes from the environment and goes only to the
server that the environment names, so that no shared graph can send it elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import contextvars
import inspect
import io
import logging
import os
import queue
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from .. import host
from . import asking
from .comments import Comments
from .errors import ModelError, TooLongError
from .pictures import pictures_of
from .preferences import Preferences

log = logging.getLogger("viper")

KEY, KEY_FOR = "VIPER_API_KEY", "VIPER_API_URL"
MAX_TOKENS = 2000
_TOO_LONG = ("context length", "context_length", "context size", "context window", "exceeds the available context", "too many tokens",
             "maximum context", "n_ctx", "prompt is too long")  # fmt: skip


def address(url: str) -> str:
    """The base address of the protocol, with ``/v1`` where a bare server is named. Raises ModelError."""
    parts = urlsplit(url.strip())
    try:
        host_name, _ = parts.hostname, parts.port
    except ValueError:
        host_name = None
    if parts.scheme not in ("http", "https") or not host_name:
        raise ModelError(f'"{url}" is no address of a server: write it like http://127.0.0.1:11434/v1.')
    if parts.username or parts.password:
        raise ModelError(f"The address must not hold a password, since it is saved in the graph: set the environment variable {KEY}.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _local(url: str) -> bool:
    name = urlsplit(url).hostname or ""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


class EndpointExtractor:
    """Comments → preferences by the ``model`` of the server at ``url`` ("" = the first that it offers).

    ``timeout`` is in seconds without a sign of the server, ``image_size`` in pixels of the longer side; 0 sends no pictures.
    Nothing is sent before ``extract``.
    """

    def __init__(
        self, url: str, model: str = "", task: str = asking.TASK, image_size: int = 768, timeout: float = 300.0, retries: int = 2
    ):  # fmt: skip
        self.url, self.model, self.task = address(url), model.strip(), task
        self.image_size, self.timeout, self.retries = image_size, timeout, retries
        self._library = _openai()

    def extract(self, comments: Comments, max_features: int = 0) -> Preferences:
        if not len(comments):
            return Preferences()
        if not _local(self.url):
            log.info("ViPer asks %s about %d comments and their pictures.", self.url, len(comments))
        pictures = pictures_of(comments, self.image_size) if self.image_size else [None] * len(comments)
        model = self.model or _unless_cancelled(self._first)

        def answer(turns):
            return _unless_cancelled(lambda: self._answer(model, turns))

        return asking.extract(answer, comments, pictures, self.task or asking.TASK, max_features)

    def _client(self):
        mine = _origin(os.environ.get(KEY_FOR, "")) == _origin(self.url)
        return self._library.AsyncOpenAI(
            base_url=self.url,
            api_key=(mine and os.environ.get(KEY)) or "none",  # without one the library would take OPENAI_API_KEY
            organization="", project="",  # these, too
            timeout=self.timeout,
            max_retries=self.retries,
            # A proxy knows no way to this machine, and what is redirected would go where nobody asked for.
            http_client=self._library.DefaultAsyncHttpxClient(
                trust_env=not _local(self.url), follow_redirects=False, timeout=self.timeout
            ),
        )  # fmt: skip

    async def _first(self) -> str:
        async with self._client() as client:
            try:
                offered = await self._offered(client)
            except self._library.APIStatusError:
                offered = []
            except Exception as error:
                raise self._told(error) from error
        if not offered:
            raise ModelError(f"The server at {self.url} names no models: write the model's name on the node.")
        return offered[0]

    @staticmethod
    async def _offered(client) -> list[str]:
        return [model.id for model in (await client.models.list()).data or []]

    async def _or_rather(self, client) -> str:
        """What else could be asked there, for the sentence about a wrong name."""
        try:
            offered = await self._offered(client.with_options(max_retries=0, timeout=5))
        except Exception:  # it was only to help
            return ""
        return f" It offers {', '.join(offered[:12])}." if offered else ""

    async def _answer(self, model: str, turns: Sequence[asking.Turn]) -> str:
        async with self._client() as client:
            for left in range(self.retries, -1, -1):
                try:
                    return await self._stream(client, model, turns)
                except _CutOff as error:
                    if not left:
                        raise ModelError(f"The server at {self.url} broke off in the middle of its answer ({error}), {self.retries + 1} "
                                         "times: look into its log.") from error  # fmt: skip
                except ModelError:
                    raise
                except (self._library.NotFoundError, self._library.BadRequestError) as error:
                    told = self._told(error, model)
                    raise type(told)(f"{told}{await self._or_rather(client)}") from error
                except Exception as error:
                    raise self._told(error, model) from error
        raise AssertionError("unreachable")

    async def _stream(self, client, model: str, turns: Sequence[asking.Turn]) -> str:
        """One try. The words come as they are written, so that a slow model is not taken for a dead one."""
        raw = await client.chat.completions.with_raw_response.create(
            model=model, messages=wire(turns), temperature=0, max_tokens=MAX_TOKENS, stream=True
        )
        kind = raw.headers.get("content-type", "")
        if "event-stream" not in kind:
            raise ModelError(f"{self.url} answered with {kind.split(';')[0] or 'nothing'} instead of a chat: is this the address of an "
                             "OpenAI-compatible server, with the right path (usually /v1)?")  # fmt: skip
        words, finished, bar = [], False, host.progress(MAX_TOKENS)
        try:
            answer = raw.parse()
            async for event in await answer if inspect.isawaitable(answer) else answer:
                for choice in event.choices or []:
                    words.append(choice.delta.content or "")
                    finished = finished or bool(choice.finish_reason)
                    bar.update(1)
        except Exception as error:
            if "Timeout" in type(error).__name__:
                raise TimeoutError(str(error)) from error
            if isinstance(error, self._library.APIError) and not isinstance(error, self._library.APIConnectionError):
                raise  # what the server itself says
            raise _CutOff(_words(error)) from error  # a closed connection, an event that is no JSON
        if not finished:
            raise _CutOff("the connection was closed")
        return "".join(words)

    def _told(self, error: Exception, model: str = "") -> Exception:
        """The sentence for what the library raised."""
        library, words = self._library, _words(error)
        if isinstance(error, (library.APITimeoutError, TimeoutError)) or "timed out" in words.lower():
            return ModelError(f"The server at {self.url} gave no sign for {self.timeout:g} seconds: it may still be loading the model; try "
                              "again, or raise the timeout on the node.")  # fmt: skip
        if isinstance(error, library.APIConnectionError):
            return ModelError(f"There is no server at {self.url} ({words}): start it, or correct the address on the node.")
        if any(sign in words.lower() for sign in _TOO_LONG):
            return TooLongError(f"The comments and pictures do not fit into the model's context: {words}")
        if isinstance(error, (library.AuthenticationError, library.PermissionDeniedError)):
            return ModelError(f"The server at {self.url} wants a key: set the environment variables {KEY} (the key) and {KEY_FOR} (this "
                              f"address) before ComfyUI starts. It says: {words}")  # fmt: skip
        if isinstance(error, library.NotFoundError):
            return ModelError(f'The server at {self.url} knows no model "{model}", or not this address. It says: {words}')
        if isinstance(error, library.APIStatusError):
            return ModelError(f"The server at {self.url} refused with status {error.status_code}: {words}")
        if isinstance(error, library.APIError):
            return ModelError(f"The server at {self.url} failed while it answered: {words}")
        return ModelError(f"{self.url} did not answer like an OpenAI-compatible server ({words}).")


class _CutOff(Exception):
    """An answer that ended before its end."""


def wire(turns: Sequence[asking.Turn]) -> list[dict[str, Any]]:
    """The turns as the protocol has them: pictures as JPEG data URLs; words without a picture are plain text."""

    def part(one: Any) -> dict[str, Any]:
        if isinstance(one, str):
            return {"type": "text", "text": one}
        with io.BytesIO() as file:
            one.save(file, "JPEG", quality=90)
            data = base64.b64encode(file.getvalue()).decode()
        return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}

    return [
        # Templates of models that do not see know plain text only.
        {"role": role, "content": "\n".join(parts) if all(isinstance(p, str) for p in parts) else [part(p) for p in parts]}
        for role, parts in turns
    ]


def _unless_cancelled(work):
    """The result of the coroutine that ``work`` makes, run in a thread of its own, so that Cancel is noticed while a server thinks.

    A cancelled one closes its connection, which tells the server to stop.
    """
    loop = asyncio.new_event_loop()
    done: queue.Queue = queue.Queue()
    tasks = []

    def run():
        try:
            tasks.append(loop.create_task(work()))
            done.put((loop.run_until_complete(tasks[0]), None))
        except BaseException as error:
            done.put((None, error))
        finally:
            loop.close()

    # In the context of the node that runs, for its progress bar.
    threading.Thread(target=contextvars.copy_context().run, args=(run,), name="viper-endpoint", daemon=True).start()
    while True:
        try:
            result, error = done.get(timeout=0.1)
        except queue.Empty:
            try:
                host.stop_if_cancelled()
            except BaseException:
                with contextlib.suppress(RuntimeError, IndexError):  # it has just ended by itself
                    loop.call_soon_threadsafe(tasks[0].cancel)
                raise
            continue
        if error is not None:
            raise error
        return result


def _openai():
    try:
        import openai
    except ImportError:
        raise ModelError('The Python package "openai" is missing, which speaks the servers\u2019 protocol: install it with '
                         "\u201cpip install openai\u201d in ComfyUI's environment.") from None  # fmt: skip
    return openai


def _words(error: Exception) -> str:
    body = getattr(error, "body", None)
    inner = body.get("message") or body.get("error") or body.get("detail") if isinstance(body, dict) else None
    text = str(inner or error.__cause__ or error) or type(error).__name__
    return " ".join(text.split())[:300]
