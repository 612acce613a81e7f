"""A balanced set of pictures to comment on."""

import hashlib
import logging

import numpy as np
import torch
from comfy_api.latest import io, ui

from .. import host
from ..vpe import image_set
from ..vpe.attributes import extend
from ..vpe.errors import ImageSetError
from ._types import check, one_of

log = logging.getLogger("viper")


class ImageSet(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerImageSet",
            display_name="Image Set",
            category="ViPer",
            description="Pictures for a person to comment on, drawn with any checkpoint so that all kinds of looks come up equally often, "
            "or taken from a folder of your own. Each picture is saved at once: a run that was stopped goes on where it stopped.",
            search_aliases=["viper", "taste", "personalize", "calibration set", "mood board", "load folder", "contact sheet"],
            inputs=[
                io.String.Input("name", default="taste set", tooltip="The set's folder: output/viper/sets/ and this name."),
                io.Int.Input(
                    "count",
                    default=50,
                    min=1,
                    max=500,
                    tooltip="How many pictures. Raising it later only adds: the first ones stay.",
                ),
                # No control behind it: a seed that moved after every run would draw the whole set anew each time.
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=False,
                    tooltip="Decides what is drawn and how. The same seed gives the same set.",
                ),
                io.Model.Input("model", optional=True, tooltip="Draws the pictures. Leave model, clip and vae open to use a folder."),
                io.Clip.Input("clip", optional=True),
                io.Vae.Input("vae", optional=True),
                io.String.Input(
                    "folder",
                    optional=True,
                    default="",
                    placeholder="my pictures",
                    tooltip="A folder of your own pictures inside ComfyUI's input folder. Used when model, clip and vae are open; nothing "
                    "is written to it.",
                ),
                io.String.Input(
                    "subjects",
                    optional=True,
                    multiline=True,
                    default="",
                    placeholder="One subject a line. Empty: everyday subjects and scenes",
                    tooltip="What the pictures show, one a line. Empty: the pack's own list of 25 everyday subjects and scenes.",
                ),
                io.String.Input("negative", optional=True, default="", tooltip="What you want kept out of all pictures."),
                io.Int.Input(
                    "steps", optional=True, default=20, min=1, max=10000, tooltip="The number of steps used in the denoising process."
                ),
                io.Float.Input(
                    "cfg",
                    optional=True,
                    default=5.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    tooltip="How closely a picture follows its prompt. 1 for distilled checkpoints.",
                ),
                io.Combo.Input(
                    "sampler_name",
                    optional=True,
                    options=host.sampler_names(),
                    default="euler",
                    tooltip="The algorithm used when sampling.",
                ),
                io.Combo.Input(
                    "scheduler",
                    optional=True,
                    options=host.scheduler_names(),
                    default="simple",
                    tooltip="How noise is gradually removed to form the image.",
                ),
                io.Int.Input(
                    "width",
                    optional=True,
                    default=512,
                    min=64,
                    max=16384,
                    step=8,
                    tooltip="The pictures' width in pixels: what the checkpoint is made for. Of your own pictures, the larger of width and "
                    "height is the longer side.",
                ),
                io.Int.Input("height", optional=True, default=512, min=64, max=16384, step=8, tooltip="The pictures' height in pixels."),
                io.Int.Input(
                    "batch",
                    optional=True,
                    default=1,
                    min=1,
                    max=64,
                    tooltip="How many pictures at once. More is faster where there is memory; what is lost by a stop is one batch at most.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images"),
                io.Image.Output(display_name="contact sheet"),
                io.String.Output(display_name="captions"),
            ],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name=None, folder=None, sampler_name=None, scheduler=None):
        def usable():
            if name is not None:
                image_set.set_name(name)
            if folder is not None:
                host.input_folder(folder)
            one_of("sampler", sampler_name, host.sampler_names())
            one_of("scheduler", scheduler, host.scheduler_names())

        return check(usable)

    @classmethod
    def fingerprint_inputs(cls, folder="", **_):
        # One's own pictures may change behind the graph's back; a set that was drawn stands.
        if not folder or not folder.strip():
            return ""
        try:
            files = image_set.own_files(host.input_folder(folder))
            listing = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
        except (ValueError, OSError):
            return ""
        return hashlib.sha256(repr(listing).encode()).hexdigest()

    @classmethod
    def execute(
        cls,
        name,
        count,
        seed,
        model=None,
        clip=None,
        vae=None,
        folder="",
        subjects="",
        negative="",
        steps=20,
        cfg=5.0,
        sampler_name="euler",
        scheduler="simple",
        width=512,
        height=512,
        batch=1,
    ) -> io.NodeOutput:
        parts = {"model": model, "clip": clip, "vae": vae}
        missing = [part for part, value in parts.items() if value is None]
        if len(missing) == 3:
            return _own(folder, count, seed, max(width, height))
        if missing:
            raise ImageSetError(
                f"To draw a set, connect {' and '.join(missing)} too; to use a folder of your own pictures, leave model, clip and vae open."
            )
        if folder.strip():
            log.warning('The folder "%s" is not used: disconnect model, clip and vae to take its pictures.', folder.strip())
        extend(host.attributes_file())
        settings = image_set.Settings(
            negative, steps, cfg, sampler_name, scheduler, width, height, host.fingerprint(model, clip, vae)
        )
        target = host.set_folder(image_set.set_name(name))
        painter = None

        def encode(text):
            host.stop_if_cancelled()
            return host.encode_prompt(clip, text)

        def draw(pictures, conds, finished):
            nonlocal painter
            host.stop_if_cancelled()
            if painter is None:
                painter = host.Painter(model, vae, encode(negative), steps, cfg, sampler_name, scheduler, width, height, count)
            images = painter.draw([p.seed for p in pictures], conds, finished)
            # Cut as the host's Save Image cuts: the file is what it would have saved.
            return [(255.0 * image.numpy()).clip(0, 255).astype(np.uint8) for image in images]

        pictures, pixels = image_set.complete(target, count, seed, subjects, settings, encode, draw, batch, host.text_in_pictures())
        subfolder = f"{host.PACK}/sets/{target.name}"
        saved = [ui.SavedResult(image_set.picture_file(p.number), subfolder, io.FolderType.output) for p in pictures]
        return _output(pixels, [(p.subject, ", ".join(p.attributes)) for p in pictures], [p.caption for p in pictures], saved)


def _own(folder: str, count: int, seed: int, side: int) -> io.NodeOutput:
    if not folder.strip():
        raise ImageSetError(
            "Connect model, clip and vae to draw a set, or name a folder of your own pictures inside ComfyUI's input folder."
        )
    path = host.input_folder(folder)
    if not path.is_dir():
        raise ImageSetError(
            f'There is no folder "{folder.strip()}" in ComfyUI\'s input folder: make it and put your pictures there, or correct the name.'
        )
    files, pixels = image_set.own_pictures(path, count, seed, side)
    saved = [ui.SavedResult(p.name, host.input_subfolder(path), io.FolderType.input) for p in files]
    return _output(pixels, [(p.name, "") for p in files], [f"{n}. {p.name}" for n, p in enumerate(files, 1)], saved)


def _output(pixels, titles, captions, saved) -> io.NodeOutput:
    """images (B, H, W, 3), contact sheet (1, H, W, 3), captions; the pictures themselves show on the node."""
    images = torch.empty(len(pixels), *pixels[0].shape)
    for image, picture in zip(images, pixels, strict=True):
        image.copy_(torch.from_numpy(picture)).div_(255.0)
    sheet = torch.from_numpy(image_set.contact_sheet(pixels, titles)).float().div_(255.0)[None]
    return io.NodeOutput(images, sheet, "\n".join(captions), ui=ui.SavedImages(saved))


NODES = [ImageSet]
