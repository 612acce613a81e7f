"""Preferences: write, save, load, share, merge and edit them."""

from comfy_api.latest import io, ui

from .. import host
from ..vpe.learning import last_learned, update_profile
from ..vpe.preferences import Preferences, load_profile, profile_names, profile_path, save_profile
from ._types import PreferencesType, check, one_of

CATEGORY = "ViPer/preferences"
NO_PROFILE = "none"
OPERATIONS = ("blend", "add", "subtract")
_EDITS = "One edit a line: + like, - dislike, ~ forget, name = weight, old -> new."


class PreferencesFromText(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerPreferencesFromText",
            display_name="Preferences from Text",
            category=CATEGORY,
            description="Preferences written down directly: two lists of visual features.",
            inputs=[
                io.String.Input(
                    "liked",
                    multiline=True,
                    default="",
                    placeholder="soft pastel colors, flowing lines, watercolor:1.3",
                    tooltip="What you like, separated by commas or line breaks. A weight may follow a colon.",
                ),
                io.String.Input(
                    "disliked",
                    multiline=True,
                    default="",
                    placeholder="harsh contrast, grainy",
                    tooltip="What you dislike, separated by commas or line breaks.",
                ),
            ],
            outputs=[PreferencesType.Output(display_name="preferences")],
        )

    @classmethod
    def validate_inputs(cls, liked=None, disliked=None):
        return check(lambda: Preferences.from_text(liked or "", disliked or ""))

    @classmethod
    def execute(cls, liked, disliked) -> io.NodeOutput:
        return io.NodeOutput(Preferences.from_text(liked, disliked))


def _valid_name(name: str | None):
    return check(lambda n: profile_path(host.profile_folder(), n), name)


class SavePreferences(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerSavePreferences",
            display_name="Save Preferences",
            category=CATEGORY,
            description="Saves the preferences as a named profile and gives a share code: one line that holds them all.",
            inputs=[
                PreferencesType.Input("preferences"),
                io.String.Input("name", default="my taste", tooltip="The profile's name. An existing profile of that name is replaced."),
            ],
            outputs=[PreferencesType.Output(display_name="preferences"), io.String.Output(display_name="share code")],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name=None):
        return _valid_name(name)

    @classmethod
    def execute(cls, preferences, name) -> io.NodeOutput:
        save_profile(host.profile_folder(), name, preferences)
        code = preferences.share_code()
        return io.NodeOutput(preferences, code, ui=ui.PreviewText(code))


class LoadPreferences(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerLoadPreferences",
            display_name="Load Preferences",
            category=CATEGORY,
            description="Loads a saved profile, or reads a share code. A code wins over the profile, and the saved graph then "
            "carries the preferences itself.",
            inputs=[
                io.Combo.Input(
                    "profile",
                    options=[NO_PROFILE, *profile_names(host.profile_folder())],
                    default=NO_PROFILE,
                    tooltip="A profile saved with Save Preferences.",
                ),
                io.String.Input(
                    "share_code", default="", placeholder="paste a share code", tooltip="A share code; it wins over the profile."
                ),
            ],
            outputs=[PreferencesType.Output(display_name="preferences")],
        )

    @classmethod
    def validate_inputs(cls, profile=None, share_code=None):
        # Naming `profile` replaces the host's list check: a graph shared with a code runs where its profile does not exist.
        return check(_load, profile, share_code)

    @classmethod
    def fingerprint_inputs(cls, profile, share_code):
        # The profile's content decides, so that a profile saved anew is loaded anew.
        try:
            return _load(profile, share_code).to_json()
        except ValueError:
            return ""

    @classmethod
    def execute(cls, profile, share_code) -> io.NodeOutput:
        return io.NodeOutput(_load(profile, share_code))


def _load(profile: str, share_code: str) -> Preferences:
    if share_code.strip():
        return Preferences.from_share_code(share_code)
    if profile == NO_PROFILE:
        return Preferences()
    return load_profile(host.profile_folder(), profile)


class MergePreferences(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerMergePreferences",
            display_name="Merge Preferences",
            category=CATEGORY,
            description="Mixes two tastes. blend: (1 − weight) · a + weight · b; add: a + weight · b; subtract: a − weight · b. "
            "What one likes and the other dislikes nets out.",
            inputs=[
                PreferencesType.Input("a"),
                PreferencesType.Input("b"),
                io.Combo.Input("operation", options=list(OPERATIONS), default=OPERATIONS[0]),
                io.Float.Input("weight", default=0.5, min=0.0, max=1.0, step=0.05, tooltip="How much of b."),
            ],
            outputs=[PreferencesType.Output(display_name="preferences")],
        )

    @classmethod
    def validate_inputs(cls, operation=None):
        return check(one_of, "operation", operation, OPERATIONS)

    @classmethod
    def execute(cls, a, b, operation, weight) -> io.NodeOutput:
        return io.NodeOutput(getattr(a, operation)(b, weight))


class EditPreferences(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerEditPreferences",
            display_name="Edit Preferences",
            category=CATEGORY,
            description="Corrects preferences by hand. " + _EDITS,
            inputs=[
                PreferencesType.Input("preferences"),
                io.String.Input(
                    "edits",
                    multiline=True,
                    default="",
                    placeholder="+ torn paper edges\n- lens flare\n~ neon\nsoft light = 1.5",
                    tooltip=_EDITS,
                ),
            ],
            outputs=[
                PreferencesType.Output(display_name="preferences"),
                io.String.Output(display_name="liked"),
                io.String.Output(display_name="disliked"),
            ],
        )

    @classmethod
    def validate_inputs(cls, edits=None):
        return check(Preferences().edit, edits)

    @classmethod
    def execute(cls, preferences, edits) -> io.NodeOutput:
        edited = preferences.edit(edits)
        return io.NodeOutput(edited, edited.liked_text(), edited.disliked_text())


class UpdatePreferences(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerUpdatePreferences",
            display_name="Update Preferences",
            category=CATEGORY,
            description="Lets a saved profile learn: merges new preferences into it and gives the updated ones. What is not "
            "contradicted keeps its strength; the same preferences are learned once, however often the graph runs.",
            search_aliases=["viper", "taste", "learn", "profile", "feedback", "loop"],
            inputs=[
                PreferencesType.Input("preferences", tooltip="What is new, such as from Comments → Preferences."),
                io.String.Input("name", default="my taste", tooltip="The profile that learns. It is made at the first run."),
                io.Float.Input(
                    "keep",
                    optional=True,
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the old profile stays at each update: 1 learns nothing, 0 forgets everything old.",
                ),
            ],
            outputs=[PreferencesType.Output(display_name="preferences"), io.String.Output(display_name="share code")],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name=None):
        return _valid_name(name)

    @classmethod
    def fingerprint_inputs(cls, preferences=None, name="", keep=0.7):
        # A profile that was saved anew by hand is learned into again; what this node wrote itself is no news to it.
        try:
            path = profile_path(host.profile_folder(), name)
            return "" if last_learned(path) or not path.is_file() else path.read_text(encoding="utf-8-sig")
        except (ValueError, OSError):
            return ""

    @classmethod
    def execute(cls, preferences, name, keep=0.7) -> io.NodeOutput:
        updated = update_profile(host.profile_folder(), name, preferences, keep)
        code = updated.share_code()
        return io.NodeOutput(updated, code, ui=ui.PreviewText(code))


NODES = [PreferencesFromText, SavePreferences, LoadPreferences, MergePreferences, EditPreferences, UpdatePreferences]
