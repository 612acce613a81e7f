"""The example graph of the blind test: one taste, four prompts, one personalised picture among seven plain ones each."""

from __future__ import annotations

from graphs import CHECKPOINT, Graph, Node

PROMPTS = ("a house", "a cat", "a sailboat", "a tree")


def _batched(g: Graph, pictures: list[Node], pos: tuple[int, int]) -> Node:
    batch = pictures[0]
    for n, picture in enumerate(pictures[1:]):
        batch = g.add("ImageBatch", (pos[0], pos[1] + 110 * n), (220, 60), image1=batch[0], image2=picture[0])
    return batch


def blind_test() -> Graph:
    g = Graph("blind_test", 4)
    pocket = g.add("ViPerLoadPocketModel", (-480, 0), (300, 90))
    negative = g.add("CLIPTextEncode", (-480, 140), (320, 110), "Negative Prompt", text="", clip=pocket[1])
    words = {"liked": "warm colors, thick outlines", "disliked": "pale colors, grainy texture"}
    taste = g.add("ViPerPreferencesFromText", (-480, 300), (320, 180), "Whose taste", **words)
    one = g.add("EmptyLatentImage", (-480, 530), (300, 110), "One", width=128, height=128, batch_size=1)
    seven = g.add("EmptyLatentImage", (-480, 690), (300, 110), "Seven", width=128, height=128, batch_size=7)
    personalised, plain = [], []
    for n, prompt in enumerate(PROMPTS):
        y = 700 * n
        said = g.add("CLIPTextEncode", (0, y), (320, 110), prompt, text=prompt, clip=pocket[1])
        cond = g.add(
            "ViPerPreferenceConditioning", (0, y + 160), (320, 260), clip=pocket[1], preferences=taste[0], positive=said[0],
            negative=negative[0], beta=0.4, mode="paper", encoding="joined", shift_pooled=False, hold_norm=False,
        )  # fmt: skip
        mine = g.add(
            "ViPerKSampler", (360, y), (320, 620), f"{prompt}, personalised", model=pocket[0], seed=11 + n, steps=10, cfg=3.0,
            sampler_name="euler", scheduler="normal", positive=cond[0], negative=cond[1], liked=cond[2], disliked=cond[3],
            latent_image=one[0], denoise=1.0, beta=cond[4],
        )  # fmt: skip
        others = g.add(
            "KSampler", (720, y), (320, 620), f"{prompt}, plain", model=pocket[0], seed=101 + n, steps=10, cfg=3.0, sampler_name="euler",
            scheduler="normal", positive=said[0], negative=negative[0], latent_image=seven[0], denoise=1.0,
        )  # fmt: skip
        personalised.append(g.add("VAEDecode", (1080, y), (220, 60), f"{prompt}, personalised", samples=mine[0], vae=pocket[2]))
        plain.append(g.add("VAEDecode", (1080, y + 110), (220, 60), f"{prompt}, plain", samples=others[0], vae=pocket[2]))
    sheet = g.add("ImageBatch", (1080, 270), (220, 60), "The first sheet", image1=personalised[0][0], image2=plain[0][0])
    test = g.add(
        "ViPerBlindTest", (1680, 0), (400, 520), personalised=_batched(g, personalised, (1380, 0))[0],
        others=_batched(g, plain, (1380, 400))[0], name="blind test", seed=0, prompts="\n".join(PROMPTS), among=8, question="",
    )  # fmt: skip
    g.add("PreviewAny", (2120, 0), (420, 240), "What people said", source=test[1])
    g.add("SaveImage", (2120, 290), (420, 340), "The first sheet, not shuffled", images=sheet[0], filename_prefix=f"viper/{g.name}")
    g.note(
        "### Ask people\n\n1. Queue once. 2. Press **Open the test** on *Blind Test*, or send the link: everyone on the network can "
        "answer when ComfyUI was started with *--listen*. 3. Queue again: the report has the new answers.\n\nWrite the taste of the person "
        "who will answer into *Whose taste*, or wire their **Comments → Preferences** to it. Chance is 1 in 8.",
        (1680, 570), (400, 240),
    )  # fmt: skip
    g.note(CHECKPOINT, (-480, 850), (320, 240))
    return g


BLIND = (blind_test,)
