"""The example graph of the protocols: one prompt, one picture, as evaluate.py takes it."""

from __future__ import annotations

from graphs import CHECKPOINT, Graph


def protocol_prompts() -> Graph:
    g = Graph("protocol_prompts", 1)
    pocket = g.add("ViPerLoadPocketModel", (0, 0), (300, 90))
    asked = g.add(
        "ViPerProtocolPrompts", (0, 150), (300, 250), kind="by class noun", class_noun="cat", identifier="", index=2,
    )  # fmt: skip
    g.add("PreviewAny", (0, 460), (300, 420), "All 25", source=asked[2])
    positive = g.add("CLIPTextEncode", (340, 0), (320, 110), "Prompt", text=asked[0], clip=pocket[1])
    negative = g.add("CLIPTextEncode", (340, 170), (320, 110), "Negative Prompt", text="", clip=pocket[1])
    latent = g.add("EmptyLatentImage", (340, 340), (320, 110), width=128, height=128, batch_size=1)
    samples = g.add(
        "KSampler", (700, 0), (320, 580), model=pocket[0], seed=1, steps=20, cfg=4.0, sampler_name="euler", scheduler="normal",
        positive=positive[0], negative=negative[0], latent_image=latent[0], denoise=1.0,
    )  # fmt: skip
    image = g.add("VAEDecode", (1060, 0), (220, 60), samples=samples[0], vae=pocket[2])
    g.add("SaveImage", (1060, 110), (300, 330), images=image[0], filename_prefix=f"viper/{g.name}")
    g.note(
        "### The prompts that everybody measures with\n\nThe DreamBooth paper draws each subject with 25 prompts, four times. Count "
        "`index` up to see them one by one. For all of them, with all subjects, export this graph with *Export (API)* and give it to "
        "`python evaluate.py run`: it puts every prompt where this node stands, and the seeds into the sampler. What the numbers say, "
        "and how the paper's table is made, is in docs/evaluation_protocols.md.",
        (340, 640), (680, 200),
    )  # fmt: skip
    g.note(CHECKPOINT, (1060, 500), (320, 220))
    return g


PROTOCOLS = (protocol_prompts,)
