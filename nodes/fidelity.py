"""Measures of pictures: how much of a subject and a prompt is in them, how various they are, how far from a reference."""

from comfy_api.latest import io, ui

from .. import host
from ..evaluation import measures
from ..evaluation.fidelity import prompt_lines
from ..evaluation.metrics import Metrics
from ._types import EncoderType, MetricsType, check, one_of

CATEGORY = "ViPer/evaluation"


def encoder_input(unconnected: str = "the pocket encoders of the pack"):
    said = f"What sees the pictures, from Load Image Encoder or Encoder from CLIP Vision. Open: {unconnected}."
    return EncoderType.Input("encoder", optional=True, tooltip=said)


def metrics_input():
    return MetricsType.Input("metrics", optional=True, tooltip="Rows so far, from another measuring node: this one adds its own.")


def label_input():
    return io.String.Input(
        "label", optional=True, default="", tooltip="What is measured, such as the model's name: the line of the report. Empty: pictures."
    )


def measured_outputs():
    return [io.Float.Output(display_name="value"), MetricsType.Output(display_name="metrics"), io.String.Output(display_name="report")]


def measured(metrics: Metrics | None, row, report: str) -> io.NodeOutput:
    return io.NodeOutput(row.value, (metrics or Metrics()).add(row), report, ui=ui.PreviewText(report))


class SubjectFidelity(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerSubjectFidelity",
            display_name="Subject Fidelity",
            category=CATEGORY,
            description="How much of the subject is in the pictures: the mean similarity of each to each real one (CLIP-I or DINO of the "
            "DreamBooth paper, as the encoder is). Higher is better.",
            search_aliases=["viper", "dreambooth", "CLIP-I", "DINO", "evaluation", "metric"],
            inputs=[
                io.Image.Input("images", tooltip="Generated pictures of the subject."),
                io.Image.Input("subject_images", tooltip="Real pictures of the subject, three or more."),
                encoder_input(),
                metrics_input(),
                label_input(),
            ],
            outputs=measured_outputs(),
        )

    @classmethod
    def execute(cls, images, subject_images, encoder=None, metrics=None, label="") -> io.NodeOutput:
        return measured(metrics, *measures.subject_fidelity(images, subject_images, encoder, label))


class PromptFidelity(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerPromptFidelity",
            display_name="Prompt Fidelity",
            category=CATEGORY,
            description="How much of the prompt is in the pictures: the mean similarity of a picture and its prompt without the "
            "identifier (CLIP-T of the DreamBooth paper). Higher is better.",
            search_aliases=["viper", "dreambooth", "CLIP-T", "clip score", "evaluation", "metric"],
            inputs=[
                io.Image.Input("images", tooltip="Generated pictures."),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    default="",
                    placeholder="a [V] dog on a beach",
                    tooltip="One line for all pictures, or one line a picture in their order.",
                ),
                io.String.Input(
                    "identifier",
                    optional=True,
                    default="",
                    tooltip="The rare word of the subject. It means nothing to the encoder and is taken out of the prompts.",
                ),
                encoder_input(),
                metrics_input(),
                label_input(),
            ],
            outputs=measured_outputs(),
        )

    @classmethod
    def validate_inputs(cls, prompt=None, identifier=None):
        # How many pictures there are is known by the run.
        return check(lambda text: prompt_lines(text, identifier or ""), prompt)

    @classmethod
    def execute(cls, images, prompt, identifier="", encoder=None, metrics=None, label="") -> io.NodeOutput:
        return measured(metrics, *measures.prompt_fidelity(images, prompt, identifier, encoder, label))


class PriorPreservation(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerPriorPreservation",
            display_name="Prior Preservation (PRES)",
            category=CATEGORY,
            description="How much of the subject the whole class has taken: the mean similarity of pictures of the class, drawn without "
            "the identifier, to the real subject. Lower is better.",
            search_aliases=["viper", "dreambooth", "PRES", "language drift", "evaluation", "metric"],
            inputs=[
                io.Image.Input("class_images", tooltip="Pictures that the trained model draws of the class, without the identifier."),
                io.Image.Input("subject_images", tooltip="Real pictures of the subject."),
                encoder_input(),
                metrics_input(),
                label_input(),
            ],
            outputs=measured_outputs(),
        )

    @classmethod
    def execute(cls, class_images, subject_images, encoder=None, metrics=None, label="") -> io.NodeOutput:
        return measured(metrics, *measures.prior_preservation(class_images, subject_images, encoder, label))


class Diversity(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerDiversity",
            display_name="Diversity (DIV)",
            category=CATEGORY,
            description="How various the pictures of one prompt are: the mean distance of their pairs, averaged over prompts. Higher is "
            "better. The DreamBooth paper measures it with LPIPS.",
            search_aliases=["viper", "dreambooth", "DIV", "LPIPS", "evaluation", "metric"],
            inputs=[
                io.Image.Input("images", tooltip="Generated pictures; those of one prompt stand together."),
                io.Combo.Input(
                    "distance",
                    options=list(measures.DISTANCES),
                    default="embedding",
                    tooltip="embedding: what the encoder sees. LPIPS: what eyes see, with files in models/lpips and the Python package "
                    "torchmetrics.",
                ),
                encoder_input(),
                metrics_input(),
                label_input(),
                io.Int.Input(
                    "per_prompt",
                    optional=True,
                    default=0,
                    min=0,
                    max=4096,
                    tooltip="How many pictures each prompt has. 0: all are of one prompt.",
                ),
            ],
            outputs=measured_outputs(),
        )

    @classmethod
    def validate_inputs(cls, distance=None):
        return check(one_of, "distance", distance, measures.DISTANCES)

    @classmethod
    def execute(cls, images, distance, encoder=None, metrics=None, label="", per_prompt=0) -> io.NodeOutput:
        return measured(metrics, *measures.picture_diversity(images, distance, encoder, label, per_prompt))


class FID(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerFID",
            display_name="Fréchet Distance (FID)",
            category=CATEGORY,
            description="How far the pictures are from reference pictures, as two clouds in the encoder's space. Lower is better. It "
            "takes thousands of pictures to be a number of its own; with few, compare equal counts.",
            search_aliases=["viper", "FID", "frechet inception distance", "evaluation", "metric"],
            inputs=[
                io.Image.Input("images", tooltip="Generated pictures."),
                io.Image.Input("reference_images", tooltip="Pictures to be like: real ones, or those of another model."),
                encoder_input("Inception-v3 as FID was defined, from a file in models/inception, with the Python package torch-fidelity"),
                metrics_input(),
                label_input(),
            ],
            outputs=measured_outputs(),
        )

    @classmethod
    def execute(cls, images, reference_images, encoder=None, metrics=None, label="") -> io.NodeOutput:
        return measured(metrics, *measures.frechet(images, reference_images, encoder, label))


class InceptionScore(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerInceptionScore",
            display_name="Inception Score",
            category=CATEGORY,
            description="How clear and how various pictures are to Inception-v3, which knows ImageNet's 1000 things. Higher is better. "
            "From a file in models/inception, with the Python package torch-fidelity.",
            search_aliases=["viper", "inception score", "IS", "evaluation", "metric"],
            inputs=[
                io.Image.Input("images", tooltip="Generated pictures, many."),
                io.Int.Input(
                    "splits",
                    optional=True,
                    default=10,
                    min=1,
                    max=100,
                    tooltip="Parts whose scores are averaged, 10 in the paper. Each needs a picture at least.",
                ),
                metrics_input(),
                label_input(),
            ],
            outputs=measured_outputs(),
        )

    @classmethod
    def execute(cls, images, splits=10, metrics=None, label="") -> io.NodeOutput:
        return measured(metrics, *measures.inception(images, splits, label))


class IdentityStability(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerIdentityStability",
            display_name="Identity Stability",
            category=CATEGORY,
            description="Whether a person stays the same person: the least similarity of each picture to the person's pictures other than "
            "the one that the model was given (Stellar's Stability of Identity Score). Higher is better.",
            search_aliases=["viper", "stellar", "SIS", "face similarity", "evaluation", "metric"],
            inputs=[
                io.Image.Input("images", tooltip="Generated pictures of the person, best cropped to faces."),
                io.Image.Input("identity_images", tooltip="Real pictures of the person: the one that the model was given, and others."),
                io.Int.Input(
                    "input_index",
                    optional=True,
                    default=0,
                    min=0,
                    max=4095,
                    tooltip="Which of identity_images the model was given, from 0. It is left out.",
                ),
                encoder_input(),
                metrics_input(),
                label_input(),
            ],
            outputs=measured_outputs(),
        )

    @classmethod
    def execute(cls, images, identity_images, input_index=0, encoder=None, metrics=None, label="") -> io.NodeOutput:
        return measured(metrics, *measures.stability(images, identity_images, input_index, encoder, label))


NODES = [
    SubjectFidelity,
    PromptFidelity,
    PriorPreservation,
    Diversity,
    FID,
    InceptionScore,
    IdentityStability,
]
