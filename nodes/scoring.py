"""Pictures sorted by one person's taste."""

import torch
from comfy_api.latest import io, ui

from .. import host
from ..evaluation import scoring
from ..evaluation.person import person
from ..evaluation.proxy import PAIRS, load_proxy
from ..vpe import folders
from ..vpe.vlm import PRECISIONS
from ._types import CommentsType, EncoderType, PreferencesType, ScorerType, ScoresType, check, one_of
from .extractors import BASES, NONE, base_input, download_input, found, precision_input

CATEGORY, ADAPTER, ADAPTERS = "ViPer/evaluation", "Metric-ViPer", ("vpe",)


class PreferenceScore(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerPreferenceScore",
            display_name="Preference Score",
            category=CATEGORY,
            description="How much one person would like each picture, from 0 to 1, best first. It learns from their words, from pictures "
            "they judged, or from both, and looks at how pictures are made, not at what they show.",
            search_aliases=["viper", "taste", "aesthetic score", "rank", "sort", "best of n", "metric"],
            inputs=[
                io.Image.Input("images", tooltip="The pictures to score."),
                PreferencesType.Input("preferences", optional=True, tooltip="What the person likes and dislikes, in words."),
                CommentsType.Input(
                    "comments",
                    optional=True,
                    tooltip="Comments with verdicts on pictures, or a ranking. Their words count where no preferences are connected.",
                ),
                io.Image.Input("liked_images", optional=True, tooltip="Pictures that the person likes. Eight are enough."),
                io.Image.Input("disliked_images", optional=True, tooltip="Pictures that the person dislikes. Eight are enough."),
                EncoderType.Input(
                    "encoder",
                    optional=True,
                    tooltip="What looks at the pictures. Unconnected: the pack's own measures and encoders, with nothing to load.",
                ),
                ScorerType.Input(
                    "scorer", optional=True, tooltip="A model that judges instead, such as ViPer's own proxy from Load ViPer Proxy."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images"),
                ScoresType.Output(display_name="scores"),
                io.Image.Output(display_name="sheet"),
                io.String.Output(display_name="report"),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, images, preferences=None, comments=None, liked_images=None, disliked_images=None, encoder=None, scorer=None
    ) -> io.NodeOutput:
        someone = person(preferences, comments, liked_images, disliked_images)
        scores = scoring.score(images, someone, encoder, scorer)
        sheet = torch.from_numpy(scores.sheet()).float().div_(255.0)[None]
        return io.NodeOutput(scores.sorted, scores, sheet, scores.report(), ui=ui.PreviewImage(sheet, cls=cls))


class PickBest(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerPickBest",
            display_name="Pick Best",
            category=CATEGORY,
            description="The pictures with the highest scores, best first. Generate many, keep the few.",
            search_aliases=["viper", "best of n", "top k", "select", "filter"],
            inputs=[
                ScoresType.Input("scores", tooltip="From Preference Score; they carry their pictures."),
                io.Int.Input("count", default=4, min=1, max=4096, tooltip="How many to keep. All, where there are no more."),
                io.Latent.Input(
                    "latents", optional=True, tooltip="The latents that the pictures were decoded from: the same ones are kept of them."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images"),
                io.Latent.Output(display_name="latents"),
                io.String.Output(display_name="picked"),
            ],
        )

    @classmethod
    def execute(cls, scores, count, latents=None) -> io.NodeOutput:
        places = scores.best(count)
        picked = ", ".join(f"#{i + 1} ({scores.judgement.values[i]:.2f})" for i in places)
        if latents is None:
            chosen = host.blocked("Pick Best hands on latents only when latents are connected to it: connect those of the pictures.")
        else:
            chosen = scores.latents(latents, places)
        return io.NodeOutput(scores.images[list(places)], chosen, picked)


class LoadProxy(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerLoadProxy",
            display_name="Load ViPer Proxy",
            category=CATEGORY,
            description="The paper's own judge: IDEFICS2-8b with the adapter Metric-ViPer. It sees what a person likes and dislikes and "
            "tells how much they would like another picture. From folders in models/vpe; nothing is downloaded unless you ask.",
            search_aliases=["viper", "idefics2", "proxy metric", "preference model"],
            inputs=[
                base_input(),
                io.Combo.Input(
                    "adapter",
                    options=list(dict.fromkeys([ADAPTER, *found(ADAPTERS, "adapter_config.json"), NONE])),
                    default=ADAPTER,
                    tooltip="The folder of EPFL-VILAB/Metric-ViPer in models/vpe, or one of your own. Needs the Python package peft.",
                ),
                precision_input(),
                io.Int.Input(
                    "pairs",
                    optional=True,
                    default=PAIRS,
                    min=1,
                    max=64,
                    tooltip="It is shown at most so many liked and as many disliked pictures; more take time. The paper has eight.",
                ),
                download_input(),
            ],
            outputs=[ScorerType.Output(display_name="scorer")],
        )

    @classmethod
    def validate_inputs(cls, base=None, adapter=None, precision=None):
        # A folder that is not here yet may be downloaded, and is named by the run if not: any name is valid.
        return check(one_of, "precision", precision, PRECISIONS)

    @classmethod
    def execute(cls, base, adapter, precision, pairs=PAIRS, download=False) -> io.NodeOutput:
        on_top = None if adapter == NONE else folders.locate(adapter, folders.PROXY_REPO, ADAPTERS, "adapter_config.json", download)
        below = folders.locate(base, folders.BASE_REPO, BASES, "config.json", download)
        return io.NodeOutput(load_proxy(below, on_top, precision, pairs))


NODES = [PreferenceScore, PickBest, LoadProxy]
