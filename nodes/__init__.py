"""What artists wire: thin V3 nodes, a `NODES` list per module."""

from comfy_api.latest import ComfyExtension

from . import (
    blind_test,
    comments,
    conditioning,
    dreambooth,
    encoders,
    extractors,
    fidelity,
    image_set,
    pocket,
    preferences,
    protocol,
    ranking,
    report,
    sampling,
    scoring,
    training,
)

NODES = [
    *comments.NODES,
    *ranking.NODES,
    *extractors.NODES,
    *image_set.NODES,
    *preferences.NODES,
    *conditioning.NODES,
    *sampling.NODES,
    *dreambooth.NODES,
    *training.NODES,
    *encoders.NODES,
    *fidelity.NODES,
    *report.NODES,
    *pocket.NODES,
    *scoring.NODES,
    *protocol.NODES,
    *blind_test.NODES,
]


class ViPerExtension(ComfyExtension):
    async def get_node_list(self):
        return list(NODES)


def extension() -> ViPerExtension:
    from . import routes

    routes.register()
    return ViPerExtension()
