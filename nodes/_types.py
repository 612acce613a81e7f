"""The pack's own socket types and the inputs that several nodes share."""

from comfy_api.latest import io

CommentsType = io.Custom("VIPER_COMMENTS")
PreferencesType = io.Custom("VIPER_PREFERENCES")
ExtractorType = io.Custom("VIPER_EXTRACTOR")
GuidanceType = io.Custom("VIPER_GUIDANCE")
DatasetType = io.Custom("VIPER_DATASET")
TrainingType = io.Custom("VIPER_TRAINING")
SubjectType = io.Custom("VIPER_SUBJECT")
EncoderType = io.Custom("VIPER_ENCODER")
ScorerType = io.Custom("VIPER_SCORER")
ScoresType = io.Custom("VIPER_SCORES")
MetricsType = io.Custom("VIPER_METRICS")


def beta_input(tooltip: str):
    return io.Float.Input("beta", default=0.6, min=0.0, max=2.0, step=0.05, tooltip=tooltip)


def beta_disliked_input(tooltip: str):
    """Only a socket: an unconnected one means "as beta", which no number on a widget could say."""
    return io.Float.Input("beta_disliked", optional=True, force_input=True, tooltip=tooltip)


def check(function, *args):
    """For `validate_inputs`: True, or the sentence of the ValueError that ``function`` raises.

    An argument that is None comes over a wire and is not known before the run.
    """
    if any(arg is None for arg in args):
        return True
    try:
        function(*args)
    except ValueError as error:
        return str(error)
    return True


def one_of(name: str, value: str | None, options) -> None:
    """The host's own list check, which 0.3.75 skips for V3 nodes: raises ValueError for a value that is not listed."""
    if value is not None and value not in options:
        shown = ", ".join(options) if len(options) <= 12 else f"one of the {len(options)} in the list"
        raise ValueError(f'There is no {name} called "{value}": choose {shown}.')
