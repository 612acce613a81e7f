"""ViPer — Visual Personalization for ComfyUI (registry name ``viper-personalization``).

Nothing heavy is imported here: the host reads every pack at start-up, and this module must also
import where there is no host (tests of the pure rooms, tools).
"""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """Called once by the host (V3 nodes); returns the extension that lists our nodes."""
    import logging

    try:
        from .nodes import extension
    except Exception:
        # The host reports a failing entrypoint in one line without a cause: say it ourselves.
        logging.getLogger("viper").exception("ViPer could not load its nodes")
        raise
    return extension()
