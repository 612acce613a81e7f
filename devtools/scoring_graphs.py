"""The example graphs of scores: draw many, keep the few that one person would like most."""

from __future__ import annotations

from graphs import CHECKPOINT, Graph, Node

LOOKS = ("in watercolor", "sepia tones", "neon lights", "at night")


def _drawn(g: Graph, pocket: Node, negative: Node, latent: Node, prompt: str, seed: int, at: tuple[int, int], title: str) -> Node:
    x, y = at
    words = g.add("CLIPTextEncode", (x, y), (300, 110), title, text=prompt, clip=pocket[1])
    samples = g.add(
        "KSampler", (x + 340, y), (300, 620), title, model=pocket[0], seed=seed, steps=20, cfg=4.0, sampler_name="euler",
        scheduler="normal", positive=words[0], negative=negative[0], latent_image=latent[0], denoise=1.0,
    )  # fmt: skip
    return g.add("VAEDecode", (x, y + 170), (220, 60), title, samples=samples[0], vae=pocket[2])


def _pocket(g: Graph, batch: int) -> tuple[Node, Node, Node]:
    pocket = g.add("ViPerLoadPocketModel", (0, 0), (300, 90))
    negative = g.add("CLIPTextEncode", (0, 140), (300, 110), "Negative Prompt", text="", clip=pocket[1])
    latent = g.add("EmptyLatentImage", (0, 310), (300, 110), width=128, height=128, batch_size=batch)
    g.note(CHECKPOINT, (0, 480), (300, 260))
    return pocket, negative, latent


def _four_looks(g: Graph, some: tuple[Node, Node, Node], subject: str) -> Node:
    """Sixteen pictures of one subject."""
    batch = None
    for n, look in enumerate(LOOKS):
        image = _drawn(g, *some, f"{subject}, {look}", 4 * n + 1, (340, 680 * n), look.capitalize())
        batch = image if batch is None else g.add("ImageBatch", (340, 680 * n + 290), (220, 60), image1=batch[0], image2=image[0])
    return batch


def _kept(g: Graph, scores: Node) -> None:
    g.add("PreviewAny", (1400, 0), (300, 200), "How sure it is", source=scores[3])
    best = g.add("ViPerPickBest", (1620, 260), (280, 130), scores=scores[1], count=4)
    g.add("SaveImage", (1620, 450), (420, 460), images=best[0], filename_prefix=f"viper/{g.name}")


def keep_the_best() -> Graph:
    g = Graph("keep_the_best", 2)
    batch = _four_looks(g, _pocket(g, 4), "a house")
    taste = g.add("ViPerPreferencesFromText", (1020, 0), (340, 200), liked="sepia tones, like an old photo", disliked="neon, night sky")
    scores = g.add("ViPerPreferenceScore", (1020, 260), (560, 820), images=batch[0], preferences=taste[0])
    _kept(g, scores)
    g.note(
        "### Sixteen pictures, the four that this person would like most\n\n**Preference Score** knows the taste from words here. Connect "
        "pictures that somebody liked and disliked (eight each are enough), comments with verdicts, or a ranking, alone or together, "
        "and it learns from these, too; the report says how well it ranks pictures that it has not seen. In your own graph one "
        "sampler with a batch of 16 will do: here four prompts make the looks differ.",
        (1020, 1130), (560, 220),
    )  # fmt: skip
    return g


def score_with_the_proxy() -> Graph:
    g = Graph("score_with_the_proxy", 2, "ViPerLoadProxy")
    some = _pocket(g, 4)
    batch = _four_looks(g, some, "a house")
    liked = _drawn(g, *some, "a tree, sepia tones", 31, (-720, 0), "Liked")
    disliked = _drawn(g, *some, "a tree, neon lights", 32, (-720, 680), "Disliked")
    proxy = g.add(
        "ViPerLoadProxy", (1020, 0), (340, 200), base="idefics2-8b", adapter="Metric-ViPer", precision="auto", pairs=8, download=False
    )
    scores = g.add(
        "ViPerPreferenceScore", (1020, 260), (560, 820), images=batch[0], liked_images=liked[0], disliked_images=disliked[0],
        scorer=proxy[0],
    )  # fmt: skip
    _kept(g, scores)
    g.note(
        "### The paper's own judge\n\nPut **HuggingFaceM4/idefics2-8b** into *models/vpe/idefics2-8b* and **EPFL-VILAB/Metric-ViPer** into "
        "*models/vpe/Metric-ViPer* (or switch on *download*), and install the Python package *peft*. It sees what somebody liked and "
        "disliked, as many of each, and then every picture. Take **Load ViPer Proxy** out, and the pack's own eyes judge: the "
        "picture of this graph was made so.",
        (1020, 1130), (560, 220),
    )  # fmt: skip
    return g


SCORING = (keep_the_best, score_with_the_proxy)
