"""Three ways to the preference guidance ε_vp, and its options."""

from comfy_api.latest import io

from .. import host
from ..samplers import guider
from ..samplers.schedule import BETWEEN, SCHEDULES, GuidanceOptions
from ._types import GuidanceType, beta_disliked_input, beta_input, check, one_of

CATEGORY = "ViPer/sampling"
_BETA = "Strength of the guidance: 0 is the host's own sampler, bit for bit; the paper stays below 1."
_BETA_DISLIKED = "Another strength for the disliked side. Unconnected: as beta."
_LIKED = "From Preference Conditioning."
_OPTIONS = GuidanceOptions()
_ALIASES = ["viper", "preference guidance", "personalize"]


def _guidance_inputs():
    return [
        GuidanceType.Input("guidance", optional=True, tooltip="From Guidance Options. Unconnected: exact, on the whole trajectory."),
        beta_disliked_input(_BETA_DISLIKED),
    ]


class KSamplerPreference(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerKSampler",
            display_name="KSampler (Preference)",
            category=CATEGORY,
            description="The host's KSampler with ViPer's guidance: ε̄ = (1 − w) ε + w (ε_p + β ε_vp) (arXiv 2407.17365).",
            search_aliases=_ALIASES,
            inputs=[
                io.Model.Input("model", tooltip="The model used for denoising the input latent."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="The random seed used for creating the noise.",
                ),
                io.Int.Input("steps", default=20, min=1, max=10000, tooltip="The number of steps used in the denoising process."),
                io.Float.Input(
                    "cfg",
                    default=8.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    tooltip="w: how closely the picture follows the prompt and, with it, the taste.",
                ),
                io.Combo.Input("sampler_name", options=host.sampler_names(), tooltip="The algorithm used when sampling."),
                io.Combo.Input("scheduler", options=host.scheduler_names(), tooltip="How noise is gradually removed to form the image."),
                io.Conditioning.Input("positive", tooltip="What you want in the image."),
                io.Conditioning.Input("negative", tooltip="What you want kept out of the image."),
                io.Conditioning.Input("liked", tooltip=_LIKED),
                io.Conditioning.Input("disliked", tooltip=_LIKED),
                io.Latent.Input("latent_image", tooltip="The latent image to denoise."),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="The amount of denoising; lower values keep the structure of the initial image.",
                ),
                beta_input(_BETA),
                *_guidance_inputs(),
            ],
            outputs=[io.Latent.Output(display_name="latent")],
        )

    @classmethod
    def validate_inputs(cls, sampler_name=None, scheduler=None):
        def choices():
            one_of("sampler", sampler_name, host.sampler_names())
            one_of("scheduler", scheduler, host.scheduler_names())

        return check(choices)

    @classmethod
    def execute(
        cls,
        model,
        seed,
        steps,
        cfg,
        sampler_name,
        scheduler,
        positive,
        negative,
        liked,
        disliked,
        latent_image,
        denoise,
        beta,
        guidance=None,
        beta_disliked=None,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            guider.sample(
                model,
                seed,
                steps,
                cfg,
                sampler_name,
                scheduler,
                positive,
                negative,
                liked,
                disliked,
                latent_image,
                denoise,
                beta,
                beta_disliked,
                guidance,
            )
        )


class PreferenceGuider(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerGuider",
            display_name="Preference Guider",
            category=CATEGORY,
            description="ViPer's guidance as a GUIDER for the custom sampling nodes.",
            search_aliases=_ALIASES,
            inputs=[
                io.Model.Input("model"),
                io.Conditioning.Input("positive"),
                io.Conditioning.Input("negative"),
                io.Conditioning.Input("liked", tooltip=_LIKED),
                io.Conditioning.Input("disliked", tooltip=_LIKED),
                io.Float.Input("cfg", default=8.0, min=0.0, max=100.0, step=0.1, round=0.01),
                beta_input(_BETA),
                *_guidance_inputs(),
            ],
            outputs=[io.Guider.Output(display_name="guider")],
        )

    @classmethod
    def execute(cls, model, positive, negative, liked, disliked, cfg, beta, guidance=None, beta_disliked=None) -> io.NodeOutput:
        return io.NodeOutput(guider.preference_guider(model, positive, negative, liked, disliked, cfg, beta, beta_disliked, guidance))


class ApplyPreferenceGuidance(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerApplyGuidance",
            display_name="Apply Preference Guidance",
            category=CATEGORY,
            description="ViPer's guidance on a MODEL, for any sampler node: KSampler, KSampler (Advanced), custom samplers, other packs'.",
            search_aliases=_ALIASES,
            inputs=[
                io.Model.Input("model"),
                io.Conditioning.Input("liked", tooltip=_LIKED),
                io.Conditioning.Input("disliked", tooltip=_LIKED),
                beta_input(_BETA),
                *_guidance_inputs(),
            ],
            outputs=[io.Model.Output(display_name="model")],
        )

    @classmethod
    def execute(cls, model, liked, disliked, beta, guidance=None, beta_disliked=None) -> io.NodeOutput:
        return io.NodeOutput(guider.apply_guidance(model, liked, disliked, beta, beta_disliked, guidance))


class GuidanceOptionsNode(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerGuidanceOptions",
            display_name="Guidance Options",
            category=CATEGORY,
            description="When and how the preference guidance acts.",
            inputs=[
                io.Float.Input("start_percent", default=0.0, min=0.0, max=1.0, step=0.01, tooltip="Where it starts (0: pure noise)."),
                io.Float.Input("end_percent", default=1.0, min=0.0, max=1.0, step=0.01, tooltip="Where it ends (1: the finished picture)."),
                io.Combo.Input(
                    "schedule",
                    options=list(SCHEDULES),
                    default=SCHEDULES[0],
                    tooltip="When ε_vp is computed. exact: at every step, four branches instead of two. adaptive: where it has changed, "
                    "for little more than the price of no guidance. reuse: at every n-th step. interval: only between two noise levels.",
                ),
                io.Float.Input(
                    "rescale",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Keeps the contrast of the prompt's own prediction (guided rescale, arXiv 2305.08891): no burnt pictures "
                    "at high beta.",
                ),
                io.Int.Input(
                    "every",
                    default=_OPTIONS.every,
                    min=1,
                    max=100,
                    optional=True,
                    tooltip="For reuse: at every how many noise levels.",
                ),
                io.Combo.Input(
                    "between",
                    options=list(BETWEEN),
                    default=_OPTIONS.between,
                    optional=True,
                    tooltip="For reuse and adaptive: ε_vp in between. extrapolate: the line through the last two; hold: the last one.",
                ),
                io.Float.Input(
                    "tolerance",
                    default=_OPTIONS.tolerance,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    optional=True,
                    tooltip="For adaptive: how much of it may be wrong before it is computed anew. 0 is exact; higher is faster.",
                ),
                io.Float.Input(
                    "sigma_start",
                    default=_OPTIONS.sigma_start,
                    min=0.0,
                    max=20000.0,
                    step=0.01,
                    optional=True,
                    tooltip="For interval: the noise level at which the guidance starts. 0: from the first step.",
                ),
                io.Float.Input(
                    "sigma_end",
                    default=_OPTIONS.sigma_end,
                    min=0.0,
                    max=20000.0,
                    step=0.01,
                    optional=True,
                    tooltip="For interval: the noise level at which it ends.",
                ),
            ],
            outputs=[GuidanceType.Output(display_name="guidance")],
        )

    @classmethod
    def validate_inputs(
        cls, start_percent=None, end_percent=None, schedule=None, every=None, between=None, tolerance=None, sigma_start=None, sigma_end=None
    ):
        given = dict(start_percent=start_percent, end_percent=end_percent, schedule=schedule, every=every, between=between,
                     tolerance=tolerance, sigma_start=sigma_start, sigma_end=sigma_end)  # fmt: skip

        def whole():
            one_of("schedule", schedule, SCHEDULES)
            # A value over a wire is not known yet: the other one is then checked against the widest range, which is the default.
            GuidanceOptions(**{name: value for name, value in given.items() if value is not None})

        return check(whole)

    @classmethod
    def execute(cls, start_percent, end_percent, schedule, rescale, **later) -> io.NodeOutput:
        return io.NodeOutput(GuidanceOptions(start_percent, end_percent, schedule, rescale, **later))


NODES = [KSamplerPreference, PreferenceGuider, ApplyPreferenceGuidance, GuidanceOptionsNode]
