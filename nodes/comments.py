"""Comments on pictures, and what they say about a person's taste."""

import json
import logging
from dataclasses import replace

from comfy_api.latest import io

from .. import host
from ..vpe.comments import Comments, ImageRef
from ..vpe.preferences import Preferences
from ._types import CommentsType, ExtractorType, PreferencesType, check

log = logging.getLogger("viper")


class CommentOnImages(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerCommentOnImages",
            display_name="Comment on Images",
            category="ViPer",
            description="Write freely what you like and dislike about pictures, and why. About eight comments, on both sides, "
            "are enough to know your taste.",
            search_aliases=["viper", "taste", "personalize", "preference", "like", "dislike", "mood board"],
            inputs=[
                io.String.Input(
                    "comments",
                    multiline=True,
                    default="",
                    placeholder="One comment a line. Say why:\n+ I love the soft pastel colors\n- too dark and grainy for me",
                    tooltip="One comment a line, in your own words. A leading + or - says like or dislike; without it your words decide.",
                ),
                io.Image.Input(
                    "images", optional=True, tooltip="The pictures the comments are about: the first comment is about the first, and so on."
                ),
            ],
            outputs=[CommentsType.Output(display_name="comments")],
        )

    @classmethod
    def validate_inputs(cls, comments=None):
        return check(Comments.parse, comments)

    @classmethod
    def execute(cls, comments, images=None) -> io.NodeOutput:
        parsed = Comments.parse(comments).in_order(0 if images is None else len(images))
        return io.NodeOutput(kept(replace(parsed, pictures=images)), ui=shown(images))


def shown(images) -> dict | None:
    """What the page gets of a connected batch: where to find each picture."""
    return None if images is None else {"viper_pictures": host.preview_pictures(images)}


def kept(comments: Comments) -> Comments:
    """The same with copies of the temporary pictures that something was said about, in words, by a verdict or in a pair."""
    compared = {n for pair in comments.pairs for n in pair}
    return replace(comments, items=tuple(
        replace(c, image=_kept(c.image, n + 1, comments.pictures)) if c.text.strip() or c.verdict or n in compared else c
        for n, c in enumerate(comments.items)
    ))  # fmt: skip


def _kept(image: ImageRef | None, n: int, images) -> ImageRef | None:
    """A picture in a temporary place would be gone at the next start: keep a copy. A missing one warns, never fails."""
    if image is None:
        return None
    if image.index is not None:
        count = 0 if images is None else len(images)
        if image.index >= count:
            log.warning(
                "Comment %d is about picture %d of the batch, but %d are connected: its words are used alone.", n, image.index + 1, count
            )
        return image
    path = host.picture_path(image.filename, image.subfolder, image.type)
    if path is None:
        log.warning("The picture of comment %d (%s) is gone: its words are used alone.", n, image.filename)
        return image
    if image.type != "temp":
        return image
    filename, subfolder = host.keep_picture(path)
    return ImageRef(filename, subfolder, "input")


class CommentsToPreferences(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerCommentsToPreferences",
            display_name="Comments → Preferences",
            category="ViPer",
            description="Reads the comments and lists the visual features you like and dislike. The built-in reader needs no "
            "download and runs on any machine; connect an extractor for another one.",
            search_aliases=["viper", "taste", "visual preference extractor", "VPE"],
            inputs=[
                CommentsType.Input("comments", tooltip="From Comment on Images."),
                ExtractorType.Input("extractor", optional=True, tooltip="Another reader of comments. Unconnected: the built-in one."),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="With clip connected too, names style, medium, mood and more off the pictures, where you praise or blame "
                    "them without naming them.",
                ),
                io.String.Input(
                    "overrides",
                    optional=True,
                    multiline=True,
                    default="",
                    placeholder="+ torn paper edges\n- lens flare\n~ forget this\nsoft light = 1.5",
                    tooltip="Corrections, one a line: + like, - dislike, ~ forget, name = weight, old -> new.",
                ),
                io.Int.Input(
                    "max_features",
                    optional=True,
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Keep at most this many features a side, the strongest first. 0 keeps all.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="The text side of the same CLIP as clip_vision, such as clip_l.safetensors. Only for use together with it.",
                ),
            ],
            outputs=[
                PreferencesType.Output(display_name="preferences"),
                io.String.Output(display_name="liked"),
                io.String.Output(display_name="disliked"),
            ],
        )

    @classmethod
    def validate_inputs(cls, overrides=None):
        return check(Preferences().edit, overrides)

    @classmethod
    def execute(cls, comments, extractor=None, clip_vision=None, overrides="", max_features=0, clip=None) -> io.NodeOutput:
        if (clip_vision is None) != (clip is None):
            log.warning("A CLIP sees with both of its sides: connect clip_vision and clip (its text side), or it is not used.")
            clip_vision = clip = None
        from ..vpe.eyes import Eyes
        from ..vpe.portrait import portrait  # its word lists load with the first comment, not with the host

        if extractor is None:
            from ..vpe.attributes import extend
            from ..vpe.languages import advice

            extend(host.attributes_file())
            if unread := advice([c.text for c in comments.items]):
                log.warning(unread)
        of = portrait(comments, extractor, max_features, Eyes(clip_vision, clip))
        if not of.found and len(comments):
            log.warning(
                "No visual feature was found in the %d comments: name what you see, such as its colors, light or lines, "
                "or use Preferences from Text.",
                len(comments),
            )
        preferences = of.found.edit(overrides or "")
        profile = {**preferences.sides(), "found": of.found.sides(), "sure": of.sure, "advice": of.advice}
        return io.NodeOutput(
            preferences, preferences.liked_text(), preferences.disliked_text(), ui={"viper_profile": [json.dumps(profile)]}
        )


NODES = [CommentOnImages, CommentsToPreferences]
