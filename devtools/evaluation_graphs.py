"""The example graphs of measuring: how much of a subject and of a prompt is in pictures, and how various they are."""

from __future__ import annotations

from graphs import CHECKPOINT, Graph, Node

PROMPT = "a lizard, sepia"


def _drawn(g: Graph, pocket: Node, conds: tuple[Node, Node], latent: tuple[Node, int], denoise: float, title: str, y: int) -> Node:
    samples = g.add(
        "KSampler", (300, y), (300, 480), title, model=pocket[0], seed=5, steps=20, cfg=4.0, sampler_name="euler", scheduler="simple",
        positive=conds[0][0], negative=conds[1][0], latent_image=latent, denoise=denoise,
    )  # fmt: skip
    image = g.add("VAEDecode", (640, y), (220, 60), samples=samples[0], vae=pocket[2])
    g.add("PreviewImage", (640, y + 110), (300, 370), title, images=image[0])
    return image


def _measured(g: Graph, images: Node, real: Node, encoder: Node, label: str, rows: Node | None, y: int) -> Node:
    """Four measures, each behind the other; the first adds to ``rows``."""
    before = {} if rows is None else {"metrics": rows[1]}
    said = {"encoder": encoder[0], "label": label}
    subject = g.add("ViPerSubjectFidelity", (1000, y), (300, 190), images=images[0], subject_images=real[0], **said, **before)
    prompt = g.add(
        "ViPerPromptFidelity", (1340, y), (320, 270), images=images[0], prompt=PROMPT, identifier="", metrics=subject[1], **said
    )
    various = g.add("ViPerDiversity", (1700, y), (300, 250), images=images[0], distance="embedding", metrics=prompt[1], **said)
    return g.add("ViPerFID", (2040, y), (300, 190), images=images[0], reference_images=real[0], metrics=various[1], **said)


def measure_a_subject() -> Graph:
    g = Graph("measure_a_subject", 1)
    pocket = g.add("ViPerLoadPocketModel", (-800, 0), (300, 90))
    real = g.add("ViPerPocketSubject", (-800, 140), (300, 110), subject="t-rex")
    conds = (
        g.add("CLIPTextEncode", (-460, 0), (320, 110), "Prompt", text=PROMPT, clip=pocket[1]),
        g.add("CLIPTextEncode", (-460, 160), (320, 110), "Negative Prompt", text="", clip=pocket[1]),
    )
    words = g.add("EmptyLatentImage", (-100, 0), (300, 110), width=128, height=128, batch_size=4)
    small = g.add("ImageScale", (-460, 620), (320, 180), image=real[0], upscale_method="lanczos", width=128, height=128, crop="disabled")
    begun = g.add("VAEEncode", (-100, 620), (300, 60), pixels=small[0], vae=pocket[2])
    from_words = _drawn(g, pocket, conds, words[0], 1.0, "From words alone", 0)
    from_pictures = _drawn(g, pocket, conds, begun[0], 0.5, "From its pictures", 620)
    encoder = g.add("ViPerLoadEncoder", (640, -170), (300, 110), encoder="pocket", precision="float32")
    rows = _measured(g, from_words, real, encoder, "words alone", None, 0)
    rows = _measured(g, from_pictures, real, encoder, "its pictures", rows, 620)
    plain = g.add("CLIPTextEncode", (-460, 1240), (320, 110), "The class", text="a lizard", clip=pocket[1])
    of_class = _drawn(g, pocket, (plain, conds[1]), words[0], 1.0, "The class", 1240)
    rows = g.add(
        "ViPerPriorPreservation", (1000, 1240), (300, 190), class_images=of_class[0], subject_images=real[0], encoder=encoder[0],
        metrics=rows[1], label="the class",
    )  # fmt: skip
    report = g.add("ViPerEvaluationReport", (2400, 0), (760, 560), metrics=rows[1], name="t-rex")
    g.add("PreviewAny", (2400, 620), (760, 200), "Table", source=report[0])
    g.add("SaveImage", (2400, 880), (760, 520), "Chart", images=report[1], filename_prefix=f"viper/{g.name}")
    g.note(
        "### What is in the pictures?\n\nFour pictures of a t-rex, and two ways to draw it: from the words *a lizard, sepia* alone, "
        "and from the pictures themselves, drawn over. Which one has more of the subject, which more of the prompt, which is more "
        "various? Each measure takes the rows so far and adds its own; **Evaluation Report** shows them and writes "
        "output/viper/evaluation/t-rex.csv.",
        (-800, 300), (300, 280),
    )  # fmt: skip
    g.note(
        "### Your own\n\nPut the pictures that your trained model draws in the place of these, and your subject's photographs in the "
        "place of *Pocket Subject*. **Load Image Encoder** reads CLIP, DINO and DINOv2 from models/image_encoders: choose one, as the "
        "pocket encoders know little but pictograms. Four pictures are few: the intervals say how few.",
        (-800, 620), (300, 280),
    )  # fmt: skip
    g.note(CHECKPOINT, (-800, 940), (300, 220))
    return g


NEEDED = "CLIPVisionLoader CLIPLoader ViPerCLIPEncoder ViPerInceptionScore"


def measure_with_clip() -> Graph:
    g = Graph("measure_with_clip", 1, NEEDED)
    pocket = g.add("ViPerLoadPocketModel", (-800, 0), (300, 90))
    real = g.add("ViPerPocketSubject", (-800, 140), (300, 110), subject="owl")
    conds = (
        g.add("CLIPTextEncode", (-460, 0), (320, 110), "Prompt", text="an owl", clip=pocket[1]),
        g.add("CLIPTextEncode", (-460, 160), (320, 110), "Negative Prompt", text="", clip=pocket[1]),
    )
    small = g.add("ImageScale", (-460, 620), (320, 180), image=real[0], upscale_method="lanczos", width=128, height=128, crop="disabled")
    begun = g.add("VAEEncode", (-100, 620), (300, 60), pixels=small[0], vae=pocket[2])
    images = _drawn(g, pocket, conds, begun[0], 0.6, "From its pictures", 0)
    vision = g.add("CLIPVisionLoader", (640, 620), (320, 110), clip_name="clip_vision.safetensors")
    text = g.add("CLIPLoader", (640, 780), (320, 160), clip_name="clip_l.safetensors", type="stable_diffusion", device="default")
    encoder = g.add("ViPerCLIPEncoder", (640, 990), (320, 110), clip_vision=vision[0], clip=text[0])
    said = {"label": "drawn over"}
    rows = g.add("ViPerInceptionScore", (1000, 620), (300, 190), images=images[0], splits=1, **said)
    rows = g.add(
        "ViPerIdentityStability", (1000, 0), (300, 220), images=images[0], identity_images=real[0], input_index=0, encoder=encoder[0],
        metrics=rows[1], **said,
    )  # fmt: skip
    rows = g.add(
        "ViPerPromptFidelity", (1340, 0), (320, 270), images=images[0], prompt="an owl", identifier="", encoder=encoder[0],
        metrics=rows[1], **said,
    )  # fmt: skip
    report = g.add("ViPerEvaluationReport", (1700, 0), (760, 560), metrics=rows[1], name="owl")
    g.add("PreviewAny", (1700, 620), (760, 200), "Table", source=report[0])
    g.add("SaveImage", (1700, 880), (760, 520), "Chart", images=report[1], filename_prefix=f"viper/{g.name}")
    g.note(
        "### With the CLIP that you have\n\nChoose a CLIP Vision and the text side of the same CLIP: **Encoder from CLIP Vision** makes "
        "one encoder of them, for every measure. **Inception Score** needs Inception-v3: the message names the file and where it belongs. "
        "Without these four nodes the pocket encoders measure; the picture of this graph was made so. **Identity Stability** asks "
        "whether the same individual stays recognisable; for people, crop the faces and load a face encoder.",
        (-800, 300), (300, 400),
    )  # fmt: skip
    return g


EVALUATION = (measure_a_subject, measure_with_clip)
