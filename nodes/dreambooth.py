"""DreamBooth: a word for the subject, and what is learned from."""

import hashlib

import torch
from comfy_api.latest import io, ui

from .. import host
from ..host.training import tokenizers
from ..training import identifiers
from ..training.dataset import CROPS, FITS
from ..training.errors import DatasetError
from ..training.gather import folder_files, gather
from ..training.preview import sheet
from ..vpe.words import known
from ._types import DatasetType, check, one_of

CATEGORY = "ViPer/dreambooth"


class RareToken(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerRareToken",
            display_name="Rare Token",
            category=CATEGORY,
            description="A word that means nothing to this model yet, to name your subject by: rare tokens of its own text encoder, as in "
            "the DreamBooth paper. Or checks a word of yours.",
            search_aliases=["viper", "dreambooth", "identifier", "trigger word", "instance token", "sks"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder whose vocabulary is searched. Use the one you train with."),
                # No control behind it: a word that moved after every run would begin a new training.
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=False,
                    tooltip="Another seed, another word. The same seed gives the same word.",
                ),
                io.Int.Input(
                    "tokens",
                    optional=True,
                    default=2,
                    min=1,
                    max=identifiers.MAX_TOKENS,
                    tooltip="How many rare tokens make the word. One is mostly an abbreviation that somebody used; two are a word that "
                    "nobody wrote.",
                ),
                io.String.Input(
                    "word",
                    optional=True,
                    default="",
                    tooltip="A word of your own to be checked instead. It is used in any case; the report says what speaks against it.",
                ),
            ],
            outputs=[io.String.Output(display_name="identifier"), io.String.Output(display_name="report")],
        )

    @classmethod
    def execute(cls, clip, seed, tokens=2, word="") -> io.NodeOutput:
        encoders = tokenizers(clip)
        if word.strip():
            found = identifiers.describe(word.strip(), encoders)
        else:
            found = identifiers.find(encoders, seed, tokens, known)
        lines = [found.word, identifiers.problem(found.word, encoders, known), found.report()]
        report = "\n".join(filter(None, lines))
        return io.NodeOutput(found.word, report, ui=ui.PreviewText(report))


class DreamBoothDataset(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerDreamBoothDataset",
            display_name="DreamBooth Dataset",
            category=CATEGORY,
            description="Three to five pictures of a subject, from a batch, a list or a folder, with the words that will call it. The "
            "preview shows what the training will see.",
            search_aliases=["viper", "dreambooth", "training images", "lora dataset", "aspect ratio buckets", "captions", "regularization"],
            # A list of pictures of several sizes comes in one call; every input is a list then.
            is_input_list=True,
            inputs=[
                io.String.Input("identifier", default="", tooltip="The rare word for the subject, from Rare Token or of your own."),
                io.String.Input(
                    "class_noun",
                    default="",
                    placeholder="dog",
                    tooltip="What the subject is, in one plain word: dog, backpack, woman. It stands after the identifier in the prompt.",
                ),
                io.Image.Input("images", optional=True, tooltip="Pictures of the subject: a batch, or a list of any sizes."),
                io.String.Input(
                    "folder",
                    optional=True,
                    default="",
                    placeholder="my dog",
                    tooltip="A folder of pictures inside ComfyUI's input folder. They come after the connected images; nothing is written "
                    "there.",
                ),
                io.Mask.Input(
                    "masks", optional=True, tooltip="White where the subject is: one for each picture, in their order, or one for all."
                ),
                io.String.Input(
                    "captions",
                    optional=True,
                    default="",
                    multiline=True,
                    placeholder="a photo of [V] [class] on a beach",
                    tooltip="One caption a line for each picture, or a single one for all; [V] and [class] stand for the two words. Empty: "
                    "the plain prompt, or what .txt files beside the folder's pictures say.",
                ),
                io.Image.Input(
                    "class_images",
                    optional=True,
                    tooltip="Pictures of other members of the class, which keep the model from taking every dog for yours. Open: the "
                    "training makes its own.",
                ),
                io.String.Input(
                    "class_folder", optional=True, default="", tooltip="The same from a folder inside ComfyUI's input folder."
                ),
                io.Int.Input(
                    "resolution",
                    optional=True,
                    default=0,
                    min=0,
                    max=4096,
                    step=8,
                    tooltip="Side of a square picture in pixels; other shapes have the same area. 0: what the model is made for.",
                ),
                io.Combo.Input(
                    "fit",
                    optional=True,
                    options=list(FITS),
                    default=FITS[0],
                    tooltip="buckets: each picture about keeps its shape. square: all are cropped to squares, as in the paper.",
                ),
                io.Combo.Input(
                    "crop",
                    optional=True,
                    options=list(CROPS),
                    default=CROPS[0],
                    tooltip="Which part stays where a picture juts out: the centre, or eight random parts of each picture.",
                ),
                io.Boolean.Input(
                    "flip",
                    optional=True,
                    default=False,
                    tooltip="Learns the mirrored pictures too. Leave it off for lettering and for subjects whose sides differ.",
                ),
                io.Float.Input(
                    "scale",
                    optional=True,
                    default=0.0,
                    min=0.0,
                    max=0.5,
                    step=0.05,
                    tooltip="Zooms in by chance, up to this much: 0.2 is up to a fifth larger.",
                ),
                io.Float.Input(
                    "outside_mask",
                    optional=True,
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much the background counts where masks are connected. 0: not at all.",
                ),
            ],
            outputs=[
                DatasetType.Output(display_name="dataset"),
                io.Image.Output(display_name="preview"),
                io.String.Output(display_name="trigger"),
            ],
        )

    @classmethod
    def validate_inputs(cls, images=None, folder=None, class_folder=None, fit=None, crop=None):
        def usable():
            for name in (folder, class_folder):
                if text := _known(name, "").strip():
                    folder_files(host.input_folder(text))
            # None is an open input; what is connected comes as [None] before the run.
            if images is None and (folder is None or _known(folder, "a wire").strip() == ""):
                raise DatasetError("There is no picture of the subject: connect images, or name a folder inside ComfyUI's input folder.")
            one_of("fit", _known(fit, FITS[0]), FITS)
            one_of("crop", _known(crop, CROPS[0]), CROPS)

        return check(usable)

    @classmethod
    def fingerprint_inputs(cls, folder=None, class_folder=None, **_):
        # The pictures, and the captions beside them, may change behind the graph's back.
        listing = [_listing(_known(name, "")) for name in (folder, class_folder)]
        return hashlib.sha256(repr(listing).encode()).hexdigest() if any(listing) else ""

    @classmethod
    def execute(
        cls,
        identifier,
        class_noun,
        images=None,
        folder=None,
        masks=None,
        captions=None,
        class_images=None,
        class_folder=None,
        resolution=None,
        fit=None,
        crop=None,
        flip=None,
        scale=None,
        outside_mask=None,
    ) -> io.NodeOutput:
        texts = [text or "" for text in captions or []]
        dataset = gather(
            _known(identifier, ""),
            _known(class_noun, ""),
            [batch for batch in images or [] if batch is not None],
            _folder(folder),
            [mask for mask in masks or [] if mask is not None],
            texts if len(texts) > 1 else "".join(texts),  # a list over a wire, or the text on the node
            [batch for batch in class_images or [] if batch is not None],
            _folder(class_folder),
            host.stop_if_cancelled,
            resolution=_known(resolution, 0),
            fit=_known(fit, FITS[0]),
            crop=_known(crop, CROPS[0]),
            flip=_known(flip, False),
            scale=_known(scale, 0.0),
            outside_mask=_known(outside_mask, 0.0),
        )
        preview = torch.from_numpy(sheet(dataset)).float().div_(255.0)[None]
        return io.NodeOutput(dataset, preview, dataset.trigger, ui=ui.PreviewImage(preview))


def _known(values, otherwise):
    """The value of an input that the host handed over as a list; ``otherwise`` when it is open, or not known before the run."""
    return otherwise if not values or values[0] is None else values[0]


def _folder(values):
    text = _known(values, "").strip()
    return host.input_folder(text) if text else None


def _listing(folder: str) -> list:
    """Name, size and time of all that decides what a folder gives."""
    if not folder.strip():
        return []
    try:
        files = folder_files(host.input_folder(folder))
        beside = [path.with_suffix(".txt") for path in files]
        return [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in (*files, *beside) if p.exists()]
    except (ValueError, OSError):
        return []


NODES = [RareToken, DreamBoothDataset]
