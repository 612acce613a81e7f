"""Protocols: the prompts that everybody measures with."""

from comfy_api.latest import io

from .. import host
from ..evaluation import protocols
from ._types import check


class ProtocolPrompts(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerProtocolPrompts",
            display_name="Protocol Prompts",
            category="ViPer/evaluation",
            description="The 25 prompts that the DreamBooth paper measures with, for objects or for live subjects, with your subject in "
            "them. In a graph that is given to evaluate.py it is the place where the prompts of any protocol go.",
            search_aliases=["viper", "dreambench", "dreambooth", "benchmark", "evaluation prompts"],
            inputs=[
                io.Combo.Input(
                    "kind",
                    options=list(protocols.KINDS),
                    default=protocols.BY_CLASS_NOUN,
                    tooltip="Which 25: objects float on water, live subjects wear hats. By class noun: people and animals are live "
                    "subjects, all else is an object.",
                ),
                io.String.Input(
                    "class_noun",
                    default="",
                    placeholder="dog",
                    tooltip="What the subject is, in one plain word: dog, backpack, teapot.",
                ),
                io.String.Input(
                    "identifier",
                    default="",
                    tooltip="The rare word that calls your subject, from Rare Token or of your own. Empty: the class alone.",
                ),
                io.Int.Input(
                    "index",
                    default=0,
                    min=0,
                    max=protocols.COUNT - 1,
                    tooltip="Which of the 25 comes out as the prompt, counted from 0.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="prompt"),
                io.String.Output(display_name="class prompt"),
                io.String.Output(display_name="prompts"),
                io.Int.Output(display_name="count"),
            ],
        )

    @classmethod
    def validate_inputs(cls, kind=None, class_noun=None):
        return check(protocols.dreambench, kind, class_noun)

    @classmethod
    def execute(cls, kind, class_noun, identifier, index) -> io.NodeOutput:
        subject, word = protocols.dreambench(kind, class_noun), identifier.strip()
        prompts = [subject.prompt(n, word) for n in range(protocols.COUNT)]
        return io.NodeOutput(prompts[index], subject.class_prompt(index), "\n".join(prompts), len(prompts))


NODES = [ProtocolPrompts]
