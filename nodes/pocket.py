"""The pocket model as nodes."""

from comfy_api.latest import io

from .. import host


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


NODES = [LoadPocketModel]
