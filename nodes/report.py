"""The report: what was measured, as a table, a chart and a file."""

import torch
from comfy_api.latest import io, ui

from .. import host
from ..evaluation.chart import chart
from ..evaluation.report import report_name, write_csv
from ._types import MetricsType, check


class EvaluationReport(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerEvaluationReport",
            display_name="Evaluation Report",
            category="ViPer/evaluation",
            description="What was measured, as a table, a bar chart and a CSV file in output/viper/evaluation. An older file of that name "
            "is kept: the new one gets a number.",
            search_aliases=["viper", "evaluation", "metrics", "table", "csv", "chart"],
            inputs=[
                MetricsType.Input("metrics", tooltip="Rows from the last of the measuring nodes."),
                io.String.Input("name", default="evaluation", tooltip="The file's name, and the chart's title."),
            ],
            outputs=[
                io.String.Output(display_name="table"),
                io.Image.Output(display_name="chart"),
                io.String.Output(display_name="file"),
            ],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name=None):
        return check(report_name, name)

    @classmethod
    def execute(cls, metrics, name) -> io.NodeOutput:
        file = write_csv(host.evaluation_folder(), name, metrics)
        table = metrics.table()
        image = torch.from_numpy(chart(metrics, file.stem)).float().div(255).unsqueeze(0)
        shown = ui.PreviewText(table).as_dict() | ui.PreviewImage(image, cls=cls).as_dict()
        return io.NodeOutput(table, image, str(file), ui=shown)


NODES = [EvaluationReport]
