"""The pocket model as nodes."""

from comfy_api.latest import io

from .. import host
from ..pocket.subjects import CLASS_NOUNS, subject_pictures
from ._types import check, one_of


class LoadPocketModel(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerLoadPocketModel",
            display_name="Load Pocket Model",
            category="ViPer",
            description="A tiny text-to-image model that ships with the pack: pictograms at 128 × 128 in about a second, on any machine, "
            "with nothing to download. For trying graphs out; load a checkpoint for pictures.",
            search_aliases=["viper", "demo model", "tiny model"],
            inputs=[],
            outputs=[io.Model.Output(display_name="model"), io.Clip.Output(display_name="clip"), io.Vae.Output(display_name="vae")],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        from ..pocket.loader import load_pocket_model

        return io.NodeOutput(*load_pocket_model())


class PocketSubject(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerPocketSubject",
            display_name="Pocket Subject",
            category="ViPer",
            description="Four pictures of something the pocket model has never seen, for trying DreamBooth out with nothing to download. "
            "Load your own pictures for your own subject.",
            search_aliases=["viper", "dreambooth", "example pictures", "instance images"],
            inputs=[io.Combo.Input("subject", options=list(CLASS_NOUNS), default=next(iter(CLASS_NOUNS)))],
            outputs=[io.Image.Output(display_name="images"), io.String.Output(display_name="class noun")],
        )

    @classmethod
    def validate_inputs(cls, subject=None):
        return check(one_of, "subject", subject, CLASS_NOUNS)

    @classmethod
    def execute(cls, subject) -> io.NodeOutput:
        return io.NodeOutput(subject_pictures(subject), CLASS_NOUNS[subject])


NODES = [LoadPocketModel, PocketSubject]
