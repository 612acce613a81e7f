"""The blind test: people rank pictures, and nobody tells them which are theirs."""

import json
from urllib.parse import urlencode

from comfy_api.latest import io

from .. import host
from ..evaluation import blind, blind_files
from ._types import check


class BlindTest(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerBlindTest",
            display_name="Blind Test",
            category="ViPer/evaluation",
            description="Asks people: each sheet shows one personalised picture among others, and they rank them without knowing which it "
            "is. Open the link on any device; run the graph again to see what has been answered.",
            search_aliases=["viper", "user study", "rank", "blind", "survey", "vote", "A/B test"],
            inputs=[
                io.Image.Input("personalised", tooltip="The personalised pictures, one for each sheet."),
                io.Image.Input(
                    "others",
                    tooltip="What they stand among: among − 1 pictures for each personalised one, in its order, or a pool to draw from. "
                    "Plain pictures of the same prompt, or pictures for other people's tastes; the same size.",
                ),
                io.String.Input(
                    "name",
                    default="blind test",
                    tooltip="The test's folder: output/viper/blind/ and this name. Other pictures begin a new one beside it.",
                ),
                # No control behind it: a seed that moved after every run would begin a new test each time.
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=False,
                    tooltip="Decides the order of all pictures, together with the name of each person.",
                ),
                io.String.Input(
                    "prompts",
                    optional=True,
                    multiline=True,
                    default="",
                    placeholder="One prompt a line, one line for each personalised picture",
                    tooltip="What the pictures of each sheet show: one line for each, or one for all. People see it above the pictures.",
                ),
                io.Int.Input("among", optional=True, default=8, min=2, max=16, tooltip="Pictures on a sheet. The paper has 8."),
                io.String.Input(
                    "question",
                    optional=True,
                    multiline=True,
                    default="",
                    placeholder="Which of these pictures do you like best? Rank them from best to worst.",
                    tooltip="What people are asked. Empty: which they like best, in their own language. Another question is a new test.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="link"),
                io.String.Output(display_name="report"),
                io.String.Output(display_name="results"),
            ],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name=None):
        return check(blind_files.plain, name)

    @classmethod
    def fingerprint_inputs(cls, personalised=None, others=None, name=None, seed=0, prompts="", among=8, question=""):
        # New answers are a reason to run again. A name that comes over a wire is not known here.
        try:
            return blind_files.state(host.blind_folder(), name) if isinstance(name, str) else float("nan")
        except (ValueError, OSError):
            return ""

    @classmethod
    def execute(cls, personalised, others, name, seed, prompts="", among=8, question="") -> io.NodeOutput:
        root = host.blind_folder()
        test = blind_files.write_test(root, name, personalised, others, prompts, seed, among, question)
        found = blind.results(test, blind_files.answers_of(root, test))
        report = blind.report(test, found)
        link = f"{host.server_url()}/viper/blind?{urlencode({'name': test.name})}"
        return io.NodeOutput(link, report, json.dumps(found, ensure_ascii=False), ui={"viper_blind": [test.name], "text": [report]})


NODES = [BlindTest]
