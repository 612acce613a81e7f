"""Pictures that are only compared: taste without words."""

from comfy_api.latest import io

from .. import host
from ..vpe.comments import Comments
from ._types import CommentsType, check
from .comments import kept, shown


class RankPictures(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerRankPictures",
            display_name="Rank Pictures",
            category="ViPer",
            description="Two pictures at a time: click the one you like better. What the better ones share becomes your taste, without "
            "a word. The pair that would teach most is asked next.",
            search_aliases=["viper", "taste", "compare", "preference", "rank", "duel", "this or that"],
            inputs=[
                io.String.Input(
                    "ranking",
                    multiline=True,
                    default="",
                    tooltip="The pictures and which of two was better, written by the clicks. Clear it to start again.",
                ),
                io.Image.Input("images", optional=True, tooltip="Pictures to compare, beside those that you drop into the node."),
                CommentsType.Input("comments", optional=True, tooltip="Comments to add to: words and comparisons then count together."),
            ],
            outputs=[CommentsType.Output(display_name="comments")],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, ranking=None):
        return check(Comments.from_ranking, ranking)

    @classmethod
    def execute(cls, ranking, images=None, comments=None) -> io.NodeOutput:
        compared = kept(Comments.from_ranking(ranking, images))
        return io.NodeOutput(comments.add(compared) if comments is not None else compared, ui=shown(images))


NODES = [RankPictures]
