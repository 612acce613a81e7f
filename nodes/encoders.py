"""What measures look with: encoders from folders, from a CLIP Vision, or the pack's own."""

from comfy_api.latest import io

from .. import host
from ..evaluation import encoders
from ._types import EncoderType, check, one_of

CATEGORY = "ViPer/evaluation"


class LoadEncoder(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerLoadEncoder",
            display_name="Load Image Encoder",
            category=CATEGORY,
            description="What the measures look with: CLIP, SigLIP, DINO or DINOv2 from a folder in models/image_encoders, or the small "
            "pocket encoders that ship with the pack. Nothing is downloaded.",
            search_aliases=["viper", "dino", "dinov2", "clip", "siglip", "evaluation"],
            inputs=[
                io.Combo.Input(
                    "encoder",
                    options=encoders.encoder_names(),
                    default=encoders.POCKET,
                    tooltip="A folder as transformers saves it: config.json, preprocessor_config.json, weights; and a tokenizer, to read "
                    "prompts. The DreamBooth paper uses CLIP and facebook/dino-vits16.",
                ),
                io.Combo.Input(
                    "precision",
                    optional=True,
                    options=list(encoders.PRECISIONS),
                    default="float32",
                    tooltip="bf16 and float16 take half the memory; their numbers differ in the third decimal.",
                ),
            ],
            outputs=[EncoderType.Output(display_name="encoder")],
        )

    @classmethod
    def validate_inputs(cls, encoder=None, precision=None):
        known = check(encoders.encoder_folder, encoder)
        return known if known is not True else check(one_of, "precision", precision, encoders.PRECISIONS)

    @classmethod
    def execute(cls, encoder, precision="float32") -> io.NodeOutput:
        folder = encoders.encoder_folder(encoder)
        return io.NodeOutput(encoders.pocket() if folder is None else encoders.from_folder(folder, precision))


class CLIPEncoder(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerCLIPEncoder",
            display_name="Encoder from CLIP Vision",
            category=CATEGORY,
            description="Lets the measures look with a CLIP Vision that is loaded already, and read prompts with the text side of the "
            "same CLIP.",
            search_aliases=["viper", "clip vision", "CLIP-I", "CLIP-T", "evaluation"],
            inputs=[
                io.ClipVision.Input("clip_vision", tooltip="From Load CLIP Vision."),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="The text side of the same CLIP, such as clip_l.safetensors for ViT-L/14, to compare with prompts.",
                ),
            ],
            outputs=[EncoderType.Output(display_name="encoder")],
        )

    @classmethod
    def execute(cls, clip_vision, clip=None) -> io.NodeOutput:
        return io.NodeOutput(encoders.from_clip(clip_vision, clip))


NODES = [LoadEncoder, CLIPEncoder]
