"""The example graphs of DreamBooth: one training, then what can be done with the subject (the uses that the paper shows)."""

from __future__ import annotations

from graphs import CHECKPOINT, Graph, Node

OWN = (
    "### Your own subject\n\nPut 3–5 pictures of it into a folder of ComfyUI's input folder and name the folder in *DreamBooth Dataset* "
    "(or connect **Load Image** nodes) instead of *Pocket Subject*; type its class noun: dog, backpack, vase. The training is kept in "
    "output/viper/training, so the other graphs of this series find it done and go on at once. Cancel loses nothing: queue again."
)


def _trained(g: Graph, name: str = "t-rex", y: int = 0, **data):
    """Model, word, pictures and training, the same in every graph of the series: it is trained once. → (train, pocket, word, pictures)."""
    pocket = g.add("ViPerLoadPocketModel", (-1500, y), (300, 90))
    word = g.add("ViPerRareToken", (-1500, y + 140), (300, 230), clip=pocket[1], seed=0)
    pictures = g.add("ViPerPocketSubject", (-1500, y + 420), (300, 110), subject="t-rex")
    dataset = g.add(
        "ViPerDreamBoothDataset", (-1160, y), (340, 620), identifier=word[0], class_noun=pictures[1], images=pictures[0],
        **data,
    )  # fmt: skip
    options = g.add(
        "ViPerTrainingOptions", (-1160, y + 680), (340, 905), class_images=16, preview_every=50, text_encoder=True,
        preview_prompt="a [V] [class]\na [V] [class], watercolor\na [class]", prompt_preservation=0.5, preservation_strength=1.5,
        subject_strength=0.8,
    )  # fmt: skip
    train = g.add(
        "ViPerDreamBoothTrain", (-780, y), (360, 700), model=pocket[0], clip=pocket[1], vae=pocket[2], dataset=dataset[0], name=name,
        steps=100, seed=0, training=options[0],
    )  # fmt: skip
    g.note(OWN, (-1500, y + 580), (300, 320))
    return train, pocket, word, pictures


def _drawn(g: Graph, train: Node, pocket: Node, prompts, seed: int = 5) -> None:
    """One picture a prompt, each a (title, (STRING output)), below each other, saved one by one."""
    negative = g.add("CLIPTextEncode", (340, -160), (320, 110), "Negative Prompt", text="", clip=train[1])
    latent = g.add("EmptyLatentImage", (0, -160), (300, 110), width=128, height=128, batch_size=1)
    for n, (title, text) in enumerate(prompts):
        _picture(g, train, pocket, title, text, negative, latent, seed, 1.0, n)


def _picture(g, train, pocket, title, text, negative, latent, seed, denoise, n) -> None:
    said = g.add("CLIPTextEncode", (340, 640 * n), (320, 110), title, text=text, clip=train[1])
    samples = g.add(
        "KSampler", (700, 640 * n), (320, 580), title, model=train[0], seed=seed, steps=20, cfg=4.0, sampler_name="euler",
        scheduler="simple", positive=said[0], negative=negative[0], latent_image=latent[0], denoise=denoise,
    )  # fmt: skip
    image = g.add("VAEDecode", (1060, 640 * n), (220, 60), samples=samples[0], vae=pocket[2])
    g.add("SaveImage", (1060, 640 * n + 110), (300, 330), title, images=image[0], filename_prefix=f"viper/{g.name}")


def _behind(g: Graph, train: Node, words: list[str]) -> list:
    """Prompts: the trigger, and words behind it."""
    prompts = []
    for n, text in enumerate(words):
        title = f"… {text}"
        said = g.add("StringConcatenate", (0, 640 * n), (300, 190), title, string_a=train[6], string_b=text, delimiter=", ")
        prompts.append((title, said[0]))
    return prompts


def train_a_subject() -> Graph:
    g = Graph("train_a_subject", 4)
    train, pocket, word, pictures = _trained(g)
    g.add("PreviewAny", (-1500, 940), (300, 110), "The rare token", source=word[1])
    g.add("PreviewImage", (-380, 0), (340, 300), "Loss", images=train[4])
    g.add("PreviewImage", (-380, 350), (340, 420), "Previews", images=train[5])
    g.add("ViPerSaveSubject", (-380, 820), (340, 150), subject=train[7], name="t-rex")
    _drawn(g, train, pocket, [("The subject", train[6]), *_behind(g, train, ["watercolor", "blue tones", "night sky"])])
    g.note(
        "### Teach the model your own subject\n\nFour pictures of a t-rex that the model has never seen, a hundred steps, a minute or "
        "two. *Rare Token* finds a word that means nothing yet; *DreamBooth Train* binds the t-rex to it, and lizards stay lizards: see "
        "the last column of the previews. *Save Subject* writes a LoRA that every loader reads; **Load Subject** brings its prompt along.",
        (-380, 1020), (340, 260),
    )  # fmt: skip
    g.note(CHECKPOINT, (1400, 0), (320, 220))
    return g


def subject_elsewhere() -> Graph:
    g = Graph("subject_elsewhere", 3)
    train, pocket, *_ = _trained(g)
    _drawn(g, train, pocket, _behind(g, train, ["meadow", "in the snow", "underwater"]))
    g.note(
        "### The same subject in other places\n\nRecontextualisation, as the DreamBooth paper calls it: the trigger, and the place behind "
        "it. With a large model write whole scenes: *in the Grand Canyon*, *on a kitchen table at dusk*.",
        (-380, 0), (340, 200),
    )  # fmt: skip
    g.note(CHECKPOINT, (1400, 0), (320, 220))
    return g


def subject_as_art() -> Graph:
    g = Graph("subject_as_art", 3)
    train, pocket, *_ = _trained(g)
    _drawn(g, train, pocket, _behind(g, train, ["stained glass", "oil painting", "halftone"]))
    g.note(
        "### The subject as art\n\nArt renditions: the trigger, and a medium behind it. The medium changes how the subject is drawn, not "
        "what it is; when it does not come through, lower *subject_strength* in Training Options: nothing is trained again.",
        (-380, 0), (340, 200),
    )  # fmt: skip
    g.note(CHECKPOINT, (1400, 0), (320, 220))
    return g


def subject_changed() -> Graph:
    g = Graph("subject_changed", 3)
    train, pocket, *_ = _trained(g)
    _drawn(g, train, pocket, _behind(g, train, ["purple", "sepia", "pixelated"]))
    g.note(
        "### Change a property\n\nThe subject keeps its shape and takes on another colour or grain. With a large model also materials "
        "and crossings: *a transparent [V] teapot*, *a cross of a [V] dog and a lion*.",
        (-380, 0), (340, 200),
    )  # fmt: skip
    g.note(CHECKPOINT, (1400, 0), (320, 220))
    return g


def subject_from_other_sides() -> Graph:
    g = Graph("subject_from_other_sides", 2)
    train, pocket, word, pictures = _trained(g, "t-rex, both ways", flip=True)
    negative = g.add("CLIPTextEncode", (340, -160), (320, 110), "Negative Prompt", text="", clip=train[1])
    start = g.add("ImageFromBatch", (-380, 260), (340, 110), image=pictures[0], batch_index=0, length=1)
    small = g.add("ImageScale", (-380, 420), (340, 180), image=start[0], upscale_method="lanczos", width=128, height=128, crop="disabled")
    mirrored = g.add("ImageFlip", (-380, 660), (340, 90), image=small[0], flip_method="y-axis: horizontally")
    turned = [("… to the left", small), ("… to the right", mirrored)]
    for n, (title, image) in enumerate(turned):
        latent = g.add("VAEEncode", (0, 640 * n), (300, 60), pixels=image[0], vae=pocket[2])
        _picture(g, train, pocket, title, train[6], negative, latent, 5, 0.55, n)
    g.note(
        "### Another view\n\nAll four pictures look to the left; *flip* in the dataset lets the model learn both ways. A rough start "
        "(here one of them, mirrored; a sketch will do) goes into **VAE Encode**, and denoise 0.55 draws it anew as the subject. With a "
        "large model the words do it alone: *seen from behind*, *from above*.",
        (-380, 0), (340, 220),
    )  # fmt: skip
    g.note(CHECKPOINT, (1400, 0), (320, 220))
    return g


def my_subject_my_taste() -> Graph:
    g = Graph("my_subject_my_taste", 2)
    train, pocket, *_ = _trained(g, y=700)
    said = g.add(
        "ViPerCommentOnImages", (-1160, 0), (340, 560),
        comments="+ I love warm colors\n+ the sunset behind it is so calm\n- too pale for me\n- I can't stand grainy pictures",
    )  # fmt: skip
    found = g.add("ViPerCommentsToPreferences", (-780, 0), (360, 420), comments=said[0], overrides="", max_features=0)
    positive = g.add("CLIPTextEncode", (0, 0), (300, 110), "Prompt: the subject", text=train[6], clip=train[1])
    negative = g.add("CLIPTextEncode", (0, 160), (300, 110), "Negative Prompt", text="", clip=train[1])
    cond = g.add(
        "ViPerPreferenceConditioning", (340, 0), (320, 260), clip=train[1], preferences=found[0], positive=positive[0],
        negative=negative[0], beta=0.6, mode="paper", encoding="joined", shift_pooled=False, hold_norm=False,
    )  # fmt: skip
    latent = g.add("EmptyLatentImage", (340, 320), (320, 110), width=128, height=128, batch_size=2)
    for n, (title, beta) in enumerate((("Without taste", 0.0), ("To my taste", cond[4]))):
        samples = g.add(  # the prompt itself is not shifted: the rare token is easily drowned out
            "ViPerKSampler", (700, 720 * n), (320, 620), title, model=train[0], seed=5, steps=20, cfg=4.0, sampler_name="euler",
            scheduler="simple", positive=positive[0], negative=negative[0], liked=cond[2], disliked=cond[3], latent_image=latent[0],
            denoise=1.0, beta=beta,
        )  # fmt: skip
        image = g.add("VAEDecode", (1060, 720 * n), (220, 60), samples=samples[0], vae=pocket[2])
        g.add("SaveImage", (1060, 720 * n + 110), (300, 330), title, images=image[0], filename_prefix=f"viper/{g.name}")
    g.note(
        "### Your own subject to your own taste\n\nDreamBooth says *what*, ViPer says *how*: the trained model and its text encoder go "
        "into **Preference Conditioning** and **KSampler (Preference)** like any other. Here only the sampler is guided and the prompt "
        "goes in as it is, so that the rare token is not drowned out. Change the comments and queue again: the training is done already.",
        (-380, 0), (340, 240),
    )  # fmt: skip
    g.note(CHECKPOINT, (1400, 0), (320, 220))
    return g


SUBJECTS = (train_a_subject, subject_elsewhere, subject_as_art, subject_from_other_sides, subject_changed, my_subject_my_taste)
