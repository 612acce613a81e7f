"""Long work: progress and Cancel."""

from __future__ import annotations

import logging


def progress(total: int):
    """The host's progress bar on the node that runs: ``.update(n)``, ``.update_absolute(done, total)``."""
    import comfy.utils

    return comfy.utils.ProgressBar(total)


def stop_if_cancelled() -> None:
    """Raises the host's own exception when the user has pressed Cancel."""
    import comfy.model_management

    comfy.model_management.throw_exception_if_processing_interrupted()


def say(node_id, text: str) -> None:
    """A line of text on the node that runs, where the host has a page."""
    try:
        from server import PromptServer

        PromptServer.instance.send_progress_text(text, node_id)
    except Exception:  # no server (a script), or a host without such lines
        logging.getLogger("viper").debug("%s", text)


def blocked(sentence: str):
    """An output that is not there: who uses it stops with ``sentence``, who does not never notices."""
    from comfy_execution.graph import ExecutionBlocker

    return ExecutionBlocker(sentence)
