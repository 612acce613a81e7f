"""The example graph of scores: draw many, keep the few that one person would like most."""

from __future__ import annotations

from graphs import CHECKPOINT, Graph

LOOKS = ("in watercolor", "sepia tones", "neon lights", "at night")


def keep_the_best() -> Graph:
    g = Graph("keep_the_best", 2)
    pocket = g.add("ViPerLoadPocketModel", (0, 0), (300, 90))
    negative = g.add("CLIPTextEncode", (0, 140), (300, 110), "Negative Prompt", text="", clip=pocket[1])
    latent = g.add("EmptyLatentImage", (0, 310), (300, 110), width=128, height=128, batch_size=4)
    batch = None
    for n, look in enumerate(LOOKS):
        prompt = g.add("CLIPTextEncode", (340, 680 * n), (300, 110), f"Prompt {n + 1}", text=f"a house, {look}", clip=pocket[1])
        samples = g.add(
            "KSampler", (680, 680 * n), (300, 620), model=pocket[0], seed=4 * n + 1, steps=20, cfg=4.0, sampler_name="euler",
            scheduler="normal", positive=prompt[0], negative=negative[0], latent_image=latent[0], denoise=1.0,
        )  # fmt: skip
        image = g.add("VAEDecode", (340, 680 * n + 170), (220, 60), samples=samples[0], vae=pocket[2])
        batch = image if batch is None else g.add("ImageBatch", (340, 680 * n + 290), (220, 60), image1=batch[0], image2=image[0])
    taste = g.add("ViPerPreferencesFromText", (1020, 0), (340, 200), liked="sepia tones, like an old photo", disliked="neon, night sky")
    scores = g.add("ViPerPreferenceScore", (1020, 260), (560, 820), images=batch[0], preferences=taste[0])
    g.add("PreviewAny", (1400, 0), (300, 200), "How sure it is", source=scores[3])
    best = g.add("ViPerPickBest", (1620, 260), (280, 130), scores=scores[1], count=4)
    g.add("SaveImage", (1620, 450), (420, 460), images=best[0], filename_prefix=f"viper/{g.name}")
    g.note(
        "### Sixteen pictures, the four that this person would like most\n\n**Preference Score** knows the taste from words here. Connect "
        "pictures that somebody liked and disliked (eight each are enough), comments with verdicts, or a ranking, alone or together, "
        "and it learns from these, too; the report says how well it ranks pictures that it has not seen. In your own graph one "
        "sampler with a batch of 16 will do: here four prompts make the looks differ.",
        (1020, 1130), (560, 220),
    )  # fmt: skip
    g.note(CHECKPOINT, (0, 480), (300, 260))
    return g


SCORING = (keep_the_best,)
