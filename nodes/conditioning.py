"""Preferences into conditionings."""

from comfy_api.latest import io

from .. import host
from ..samplers.conditioning import MODES, personalise
from ..samplers.encoding import ENCODINGS, encode_preferences
from ._types import PreferencesType, beta_disliked_input, beta_input, check, one_of


class PreferenceConditioning(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerPreferenceConditioning",
            display_name="Preference Conditioning",
            category="ViPer",
            description="Shifts the prompt towards what you like and away from what you dislike, p = E(p) + β (E(VP+) − E(VP−)) "
            "(ViPer, arXiv 2407.17365), and prepares the liked and disliked conditionings of the guidance. "
            "Connect it after areas, masks and ControlNet.",
            search_aliases=["viper", "personalize prompt", "embedding shift"],
            inputs=[
                io.Clip.Input("clip", tooltip="The CLIP that encoded the prompt."),
                PreferencesType.Input("preferences"),
                io.Conditioning.Input("positive"),
                io.Conditioning.Input("negative"),
                beta_input("How strongly the prompt bends towards the taste. 0 is the plain prompt; above 1 the taste outweighs it."),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default=MODES[0],
                    tooltip="paper: the shift as published, on the positive. official: the authors' code, which adds the liked words "
                    "to the positive and the disliked words to the negative.",
                ),
                io.Combo.Input(
                    "encoding",
                    optional=True,
                    options=list(ENCODINGS),
                    default=ENCODINGS[0],
                    tooltip="joined: all features in one list, as in the paper. averaged: each feature by itself, so that neither "
                    "the order nor the length of the list matters. shuffled: the mean of up to 8 orders of the list.",
                ),
                beta_disliked_input("Another strength for the disliked side. Unconnected: as beta."),
                io.Boolean.Input(
                    "shift_pooled",
                    optional=True,
                    default=False,
                    tooltip="Also shift the pooled text vector (SDXL, SD3, Flux). The authors leave it alone.",
                ),
                io.Boolean.Input(
                    "hold_norm",
                    optional=True,
                    default=False,
                    tooltip="Keep every token's length while its direction moves: gentler at high beta.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive"),
                io.Conditioning.Output(display_name="negative"),
                io.Conditioning.Output(display_name="liked"),
                io.Conditioning.Output(display_name="disliked"),
                io.Float.Output(display_name="beta"),
            ],
        )

    @classmethod
    def validate_inputs(cls, mode=None, encoding=None):
        def choices():
            one_of("mode", mode, MODES)
            one_of("encoding", encoding, ENCODINGS)

        return check(choices)

    @classmethod
    def execute(
        cls,
        clip,
        preferences,
        positive,
        negative,
        beta,
        mode,
        encoding=ENCODINGS[0],
        beta_disliked=None,
        shift_pooled=False,
        hold_norm=False,
    ) -> io.NodeOutput:
        texts = encode_preferences(clip, preferences, encoding)
        out = personalise(positive, negative, texts, beta, mode, beta_disliked, shift_pooled, hold_norm)
        return io.NodeOutput(*out, beta)


NODES = [PreferenceConditioning]
