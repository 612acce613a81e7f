"""The example graphs, written once: what is in them and where it stands on the canvas.

``workflows.py`` turns each into the two files that users and tests read (UI format and its API twin).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass
class Node:
    """A node with its inputs by name: plain values, or ``(node, output index)`` for a wire."""

    type: str
    inputs: dict
    pos: tuple[int, int]
    size: tuple[int, int]
    title: str | None = None

    def __getitem__(self, slot: int) -> tuple[Node, int]:
        return self, slot


@dataclass
class Graph:
    name: str
    thumbnail_columns: int
    without: str = ""  # the thumbnail is made without nodes of these types: they need a model that nobody has to have
    stand_in: bool = False  # … or with the pocket model in the place of every checkpoint
    nodes: list[Node] = field(default_factory=list)
    notes: list[tuple[str, tuple[int, int], tuple[int, int]]] = field(default_factory=list)

    def add(self, type: str, /, pos: tuple[int, int], size=(300, 120), title: str | None = None, **inputs) -> Node:
        node = Node(type, inputs, pos, size, title)
        self.nodes.append(node)
        return node

    def note(self, text: str, pos: tuple[int, int], size=(300, 200)) -> None:
        self.notes.append((text, pos, size))


WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}


def input_specs(info: dict) -> list[tuple[str, str, dict, bool]]:
    """(name, type, options, is a widget) of every input in the host's order."""
    specs = []
    for group in ("required", "optional"):
        for name, spec in info["input"].get(group, {}).items():
            kind, options = spec[0], spec[1] if len(spec) > 1 else {}
            kind = "COMBO" if isinstance(kind, list) else kind
            specs.append((name, kind, options, kind in WIDGETS and not options.get("forceInput")))
    return specs


CHECKPOINT = (
    "### Your own model\n\nThe pocket model ships with the pack and draws pictograms of 128 × 128, so that this graph runs at once, "
    "on any machine. For real pictures put **Load Checkpoint** in its place (it has the same three outputs) and set the latent "
    "to 512 × 512 or 1024 × 1024."
)
TASTE = (
    "+ I love warm colors, like in autumn\n"
    "+ the thick outlines are so clear\n"
    "- too pale for me\n"
    "- I can't stand the grainy texture"
)
POSTCARD = (
    "+ I love the sepia tones, like an old photo\n"
    "- the colors are way too vivid\n"
    "- I can't stand grainy pictures"
)
# Made by Save Preferences by `workflows.py`: somebody else's taste.
CODE_OF_A_FRIEND = "SHARE_CODE"


def _model(g: Graph, prompt: str, x: int = 0):
    pocket = g.add("ViPerLoadPocketModel", (x, 0), (300, 90))
    positive = g.add("CLIPTextEncode", (x + 340, 0), (320, 110), "Prompt", text=prompt, clip=pocket[1])
    negative = g.add("CLIPTextEncode", (x + 340, 150), (320, 110), "Negative Prompt", text="", clip=pocket[1])
    return pocket, positive, negative


def _taste(g: Graph, comments: str, y: int = 320):
    said = g.add("ViPerCommentOnImages", (-480, 0), (440, 600), comments=comments)
    found = g.add("ViPerCommentsToPreferences", (0, y), (320, 420), comments=said[0], overrides="", max_features=0)
    g.add("PreviewAny", (340, y), (320, 110), "Liked", source=found[1])
    g.add("PreviewAny", (340, y + 150), (320, 110), "Disliked", source=found[2])
    return found


def _conditioning(g: Graph, pocket, found, positive, negative, beta, pos):
    return g.add(
        "ViPerPreferenceConditioning", pos, (320, 260), clip=pocket[1], preferences=found[0], positive=positive[0], negative=negative[0],
        beta=beta, mode="paper", encoding="joined", shift_pooled=False, hold_norm=False,
    )  # fmt: skip


def _ksampler(g: Graph, pocket, cond, latent, seed, pos):
    return g.add(  # high enough for the preview below the widgets
        "ViPerKSampler", pos, (320, 620), model=pocket[0], seed=seed, steps=20, cfg=3.0, sampler_name="euler", scheduler="normal",
        positive=cond[0], negative=cond[1], liked=cond[2], disliked=cond[3], latent_image=latent[0], denoise=1.0, beta=cond[4],
    )  # fmt: skip


def _latent(g: Graph, pos, batch=1):
    return g.add("EmptyLatentImage", pos, (300, 110), width=128, height=128, batch_size=batch)


def _four_pictures(g: Graph, pocket, found, positive, negative, beta=0.4) -> None:
    cond = _conditioning(g, pocket, found, positive, negative, beta, (700, 0))
    latent = _latent(g, (700, 320), batch=4)
    samples = _ksampler(g, pocket, cond, latent, 7, (1060, 0))
    image = g.add("VAEDecode", (1420, 0), (220, 60), samples=samples[0], vae=pocket[2])
    g.add("SaveImage", (1420, 110), (360, 400), images=image[0], filename_prefix=f"viper/{g.name}")


def comments_to_picture() -> Graph:
    g = Graph("comments_to_picture", 2)
    pocket, positive, negative = _model(g, "a house")
    found = _taste(g, TASTE)
    _four_pictures(g, pocket, found, positive, negative)
    g.note(
        "### Say what you like\n\nOne comment a line, in your own words. `+` and `-` say like or dislike; without them your words decide. "
        "About eight comments, on both sides, with a *because*, are enough. Drop pictures into the node to comment on them.",
        (-480, 640), (440, 180),
    )  # fmt: skip
    g.note(
        "### How strong?\n\n**beta** bends the prompt and guides the sampler. 0 is the plain picture, 0.4 a good start, "
        "above 1 the taste outweighs the prompt.",
        (700, 470),
    )
    g.note(CHECKPOINT, (1420, 560), (360, 200))
    return g


def strength_sweep() -> Graph:
    g = Graph("strength_sweep", 4)
    pocket, positive, negative = _model(g, "a red apple")
    found = _taste(g, POSTCARD)
    latent = _latent(g, (0, 140))
    batch = None
    for i, beta in enumerate((0.0, 0.3, 0.6, 0.9)):
        x = 700 + 360 * i
        cond = _conditioning(g, pocket, found, positive, negative, beta, (x, 0))
        samples = _ksampler(g, pocket, cond, latent, 7, (x, 300))
        image = g.add("VAEDecode", (x, 980), (220, 60), f"beta = {beta:.1f}", samples=samples[0], vae=pocket[2])
        batch = image if batch is None else g.add("ImageBatch", (x, 1090), (220, 60), image1=batch[0], image2=image[0])
    g.add("SaveImage", (2140, 0), (420, 480), images=batch[0], filename_prefix="viper/strength_sweep")
    g.note(
        "### The same picture, four strengths\n\nOne seed, one prompt, one taste; beta = 0, 0.3, 0.6, 0.9 from left to right. "
        "At 0 the picture is the host's own KSampler's, bit for bit.",
        (2140, 520),
    )
    g.note(CHECKPOINT, (-480, 640), (440, 180))
    return g


def apply_to_any_sampler() -> Graph:
    g = Graph("apply_to_any_sampler", 2)
    pocket, positive, negative = _model(g, "a frog")
    taste = g.add("ViPerPreferencesFromText", (0, 320), (320, 180), liked="blue tones", disliked="warm colors")
    cond = _conditioning(g, pocket, taste, positive, negative, 0.6, (700, 0))
    latent = _latent(g, (700, 320))
    options = g.add("ViPerGuidanceOptions", (340, 320), (320, 290), start_percent=0.0, end_percent=0.8, schedule="exact", rescale=0.3)
    guided = g.add(
        "ViPerApplyGuidance", (1060, 0), (320, 160), model=pocket[0], liked=cond[2], disliked=cond[3], beta=cond[4],
        guidance=options[0],
    )  # fmt: skip
    samples = g.add(
        "KSamplerAdvanced", (1420, 0), (320, 570), model=guided[0], add_noise="enable", noise_seed=3, steps=20, cfg=3.0,
        sampler_name="dpmpp_2m", scheduler="karras", positive=cond[0], negative=cond[1], latent_image=latent[0], start_at_step=0,
        end_at_step=10000, return_with_leftover_noise="disable",
    )  # fmt: skip
    image = g.add("VAEDecode", (1780, 0), (220, 60), samples=samples[0], vae=pocket[2])
    g.add("SaveImage", (2040, 0), (320, 340), "By KSampler (Advanced)", images=image[0], filename_prefix="viper/apply_advanced")

    guider = g.add(
        "ViPerGuider", (1060, 640), (320, 220), model=pocket[0], positive=cond[0], negative=cond[1], liked=cond[2], disliked=cond[3],
        cfg=3.0, beta=cond[4], guidance=options[0],
    )  # fmt: skip
    noise = g.add("RandomNoise", (700, 470), (300, 90), noise_seed=3)
    sampler = g.add("KSamplerSelect", (700, 600), (300, 70), sampler_name="dpmpp_2m")
    sigmas = g.add("BasicScheduler", (700, 710), (300, 120), model=pocket[0], scheduler="karras", steps=20, denoise=1.0)
    custom = g.add(
        "SamplerCustomAdvanced", (1420, 640), (320, 340), noise=noise[0], guider=guider[0], sampler=sampler[0], sigmas=sigmas[0],
        latent_image=latent[0],
    )  # fmt: skip
    image = g.add("VAEDecode", (1780, 640), (220, 60), samples=custom[0], vae=pocket[2])
    g.add("SaveImage", (2040, 640), (320, 340), "By a custom sampler", images=image[0], filename_prefix="viper/apply_custom")
    g.note(
        "### One guidance, any sampler\n\n**Apply Preference Guidance** puts it on a MODEL, so that every sampler node follows it: here "
        "KSampler (Advanced). **Preference Guider** is the same for the custom sampling nodes. Both pictures are the same.",
        (0, 540),
    )
    g.note(CHECKPOINT, (340, 660), (320, 240))
    return g


def share_a_taste() -> Graph:
    g = Graph("share_a_taste", 3)
    pocket, positive, negative = _model(g, "a cat")
    found = _taste(g, TASTE)
    friend = g.add("ViPerLoadPreferences", (700, 320), (320, 220), "A friend's taste", profile="none", share_code=CODE_OF_A_FRIEND)
    both = g.add(
        "ViPerMergePreferences", (700, 580), (320, 130), "Yours and your friend's", a=found[0], b=friend[0], operation="blend", weight=0.5
    )
    saved = g.add("ViPerSavePreferences", (700, 750), (320, 90), preferences=both[0], name="the two of us")
    g.add("PreviewAny", (700, 880), (320, 110), "Share code of both", source=saved[1])
    latent = _latent(g, (700, 150))
    batch = None
    for i, (title, taste) in enumerate((("Yours", found), ("Your friend's", friend), ("Both", saved))):
        y = 680 * i
        cond = _conditioning(g, pocket, taste, positive, negative, 0.5, (1060, y))
        samples = _ksampler(g, pocket, cond, latent, 5, (1420, y))
        image = g.add("VAEDecode", (1780, y), (220, 60), title, samples=samples[0], vae=pocket[2])
        batch = image if batch is None else g.add("ImageBatch", (1780, y + 110), (220, 60), image1=batch[0], image2=image[0])
    g.add("SaveImage", (2040, 0), (420, 480), images=batch[0], filename_prefix="viper/share_a_taste")
    g.note(
        "### A taste in one line\n\nA share code holds all features and weights (not your sentences). Paste one into **Load Preferences**: "
        "this graph then carries that taste itself, wherever it is opened.",
        (340, 620),
        (320, 180),
    )
    g.note(CHECKPOINT, (-480, 640), (440, 180))
    return g


LOOKED_AT = (
    "+ I love the colors\n"
    "+ such bold outlines\n"
    "- too pale for me\n"
    "- the grainy texture ruins it"
)


def _pictures(g: Graph, pocket) -> Node:
    return g.add(  # high enough for its pictures below the widgets
        "ViPerImageSet", (0, 320), (320, 800), name="example set", count=4, seed=0, model=pocket[0], clip=pocket[1], vae=pocket[2],
        folder="", subjects="a cat\na house\na sailboat\na red apple", negative="", steps=16, cfg=3.0, sampler_name="euler",
        scheduler="normal", width=128, height=128, batch=1,
    )  # fmt: skip


def image_set() -> Graph:
    g = Graph("image_set", 4)
    pocket, positive, negative = _model(g, "a house")
    pictures = _pictures(g, pocket)
    g.add("PreviewImage", (700, 780), (320, 360), "Contact sheet", images=pictures[1])
    said = g.add("ViPerCommentOnImages", (340, 320), (320, 500), comments=LOOKED_AT, images=pictures[0])
    found = g.add("ViPerCommentsToPreferences", (340, 860), (320, 420), comments=said[0], overrides="", max_features=0)
    g.add("PreviewAny", (700, 1180), (320, 110), "Liked", source=found[1])
    g.add("PreviewAny", (700, 1330), (320, 110), "Disliked", source=found[2])
    _four_pictures(g, pocket, found, positive, negative)
    g.note(
        "### Pictures to comment on\n\nQueue once, look at the contact sheet, then write a line for each picture: the first comment is "
        "about the first picture. Where you praise or blame something without naming it (*I love the colors*), it is read off the picture. "
        "Raise **count** to about 50 for a taste of your own; what is drawn already stays.",
        (700, 470), (320, 280),
    )  # fmt: skip
    g.note(CHECKPOINT, (1420, 560), (360, 200))
    return g


def _read_by(g: Graph, prompt: str, extractor: Node, note: str) -> Graph:
    """Pictures, comments, and another reader of both."""
    pocket, positive, negative = _model(g, prompt)
    pictures = _pictures(g, pocket)
    said = g.add("ViPerCommentOnImages", (340, 320), (320, 500), comments=LOOKED_AT, images=pictures[0])
    g.nodes.append(extractor)
    found = g.add(
        "ViPerCommentsToPreferences", (700, 480), (320, 420), comments=said[0], extractor=extractor[0], overrides="", max_features=0
    )
    g.add("PreviewAny", (1060, 700), (320, 110), "Liked", source=found[1])
    g.add("PreviewAny", (1060, 850), (320, 110), "Disliked", source=found[2])
    _four_pictures(g, pocket, found, positive, negative)
    g.note(note, (700, 940), (320, 240))
    g.note(CHECKPOINT, (1420, 560), (360, 200))
    return g


def read_with_vpe() -> Graph:
    extractor = Node(
        "ViPerLoadVPE", {"base": "idefics2-8b", "adapter": "VPE-ViPer", "precision": "auto", "download": False}, (340, 860), (320, 320)
    )
    return _read_by(
        Graph("read_with_vpe", 4, "ViPerLoadVPE"), "a sailboat", extractor,
        "### The paper's own extractor\n\nPut **HuggingFaceM4/idefics2-8b** into *models/vpe/idefics2-8b* and "
        "**EPFL-VILAB/VPE-ViPer** into *models/vpe/VPE-ViPer* (or switch on *download*), and install the Python package *peft*. It reads "
        "the comments and looks at the pictures together. 8-bit and 4-bit need less memory.",
    )  # fmt: skip


def read_with_vlm() -> Graph:
    extractor = Node(
        "ViPerLoadVLM", {"model": "none", "precision": "auto", "image_size": 512, "max_new_tokens": 1024}, (340, 860), (320, 320)
    )
    return _read_by(
        Graph("read_with_vlm", 4, "ViPerLoadVLM"), "a cat", extractor,
        "### Any model that sees\n\nPut a chat model such as SmolVLM, Qwen-VL or LLaVA into a folder of its own in *models/vlm*, as "
        "transformers saves it, and choose it here.",
    )  # fmt: skip


def read_with_a_server() -> Graph:
    extractor = Node(
        "ViPerEndpoint",
        {"url": "http://127.0.0.1:11434/v1", "model": "", "image_size": 768, "timeout": 300.0, "retries": 2}, (340, 860), (320, 320),
    )  # fmt: skip
    return _read_by(
        Graph("read_with_a_server", 4, "ViPerEndpoint"), "a rocket", extractor,
        "### A model behind a server\n\nStart Ollama, llama.cpp, LM Studio or vLLM with a model that sees, write its address, and install "
        "the Python package *openai*. Comments and pictures are sent to this address and nowhere else. A key comes from the environment, "
        "never from the graph.",
    )  # fmt: skip


def _ranked(better: int, worse: int) -> str:
    """The first ``better`` pictures of a batch, each put above every one of the ``worse`` behind them."""
    pictures = [{"index": i} for i in range(better + worse)]
    pairs = [[i, j] for i in range(better) for j in range(better, better + worse)]
    return json.dumps({"version": 1, "pictures": pictures, "pairs": pairs})


def taste_without_words() -> Graph:
    g = Graph("taste_without_words", 4)
    pocket, positive, negative = _model(g, "a house")
    # Pictures that differ in one thing alone, and in one that every pocket model draws and knows: what is found is no matter of luck.
    latent = _latent(g, (-1260, 300), batch=4)
    batch = None
    for n, (title, look) in enumerate((("Blue pictures", "blue tones"), ("Brown pictures", "sepia"))):
        said = g.add("CLIPTextEncode", (-1260, 150 * n), (320, 110), title, text=f"a tree, {look}", clip=pocket[1])
        drawn = g.add(
            "KSampler", (-900, 660 * n), (320, 620), title, model=pocket[0], seed=1, steps=20, cfg=3.0, sampler_name="euler",
            scheduler="normal", positive=said[0], negative=negative[0], latent_image=latent[0], denoise=1.0,
        )  # fmt: skip
        image = g.add("VAEDecode", (-1260, 460 + 110 * n), (220, 60), samples=drawn[0], vae=pocket[2])
        batch = image if batch is None else g.add("ImageBatch", (-1260, 680), (220, 60), image1=batch[0], image2=image[0])
    ranked = g.add("ViPerRankPictures", (-520, 0), (480, 600), ranking=_ranked(4, 4), images=batch[0])
    found = g.add("ViPerCommentsToPreferences", (0, 320), (320, 420), comments=ranked[0], overrides="", max_features=0)
    g.add("PreviewAny", (340, 320), (320, 110), "Liked", source=found[1])
    g.add("PreviewAny", (340, 470), (320, 110), "Disliked", source=found[2])
    _four_pictures(g, pocket, found, positive, negative, 0.6)
    g.note(
        "### Taste without words\n\nTwo pictures at a time: click the better one, or press \u2190 or \u2192. What the better ones "
        "share and the others lack becomes your taste. Here somebody put the blue tree above the brown one, sixteen times: *blue tones* "
        "is what is found, and the house turns blue. Clear the ranking, drop pictures of your own into the node, and go on until the bar "
        "says that your taste is known.",
        (-520, 640), (480, 220),
    )  # fmt: skip
    g.note(CHECKPOINT, (1420, 560), (360, 200))
    return g


def learn_my_taste() -> Graph:
    g = Graph("learn_my_taste", 4)
    pocket, positive, negative = _model(g, "a tree")
    found = _taste(g, TASTE)
    learned = g.add("ViPerUpdatePreferences", (340, 620), (320, 150), preferences=found[0], name="my taste", keep=0.7)
    _four_pictures(g, pocket, learned, positive, negative)
    g.note(
        "### A taste that grows\n\n1. Queue. 2. Press **Last run** in *Comment on Images*: the new pictures join the strip. 3. Say what "
        "you like and dislike about them, and queue again. The profile *my taste* learns what is new and keeps what is not contradicted; "
        "**Load Preferences** brings it into any other graph.",
        (-480, 640), (440, 200),
    )  # fmt: skip
    g.note(CHECKPOINT, (1420, 560), (360, 200))
    return g


def official_sdxl() -> Graph:
    """The settings of the authors' code (EPFL-VILAB/ViPer): cfg 5, d 0.85, 40 steps, the base to 0.8, then the refiner."""
    g = Graph("official_sdxl", 1, stand_in=True)
    base = g.add("CheckpointLoaderSimple", (0, 0), (320, 100), "Base", ckpt_name="sd_xl_base_1.0.safetensors")
    refiner = g.add("CheckpointLoaderSimple", (0, 940), (320, 100), "Refiner", ckpt_name="sd_xl_refiner_1.0.safetensors")
    prompt = "a house"
    positive = g.add("CLIPTextEncode", (360, 0), (320, 110), "Prompt", text=prompt, clip=base[1])
    negative = g.add("CLIPTextEncode", (360, 150), (320, 110), "Negative Prompt", text="", clip=base[1])
    taste = g.add("ViPerPreferencesFromText", (0, 320), (320, 180), liked="warm colors, bold outlines", disliked="grainy, pale colors")
    cond = g.add(
        "ViPerPreferenceConditioning", (720, 0), (320, 260), clip=base[1], preferences=taste[0], positive=positive[0],
        negative=negative[0], beta=0.85, mode="official", encoding="joined", shift_pooled=False, hold_norm=False,
    )  # fmt: skip
    guided = g.add("ViPerApplyGuidance", (720, 310), (320, 160), model=base[0], liked=cond[2], disliked=cond[3], beta=cond[4])
    latent = g.add("EmptyLatentImage", (720, 520), (320, 110), width=1024, height=1024, batch_size=1)
    first = g.add(
        "KSamplerAdvanced", (1080, 0), (320, 570), "Base: steps 0 to 32", model=guided[0], add_noise="enable", noise_seed=7, steps=40,
        cfg=5.0, sampler_name="euler", scheduler="normal", positive=cond[0], negative=cond[1], latent_image=latent[0], start_at_step=0,
        end_at_step=32, return_with_leftover_noise="enable",
    )  # fmt: skip
    plain = g.add("CLIPTextEncode", (360, 940), (320, 110), "Prompt (refiner)", text=prompt, clip=refiner[1])
    empty = g.add("CLIPTextEncode", (360, 1090), (320, 110), "Negative Prompt (refiner)", text="", clip=refiner[1])
    second = g.add(
        "KSamplerAdvanced", (1080, 640), (320, 570), "Refiner: steps 32 to 40, without preferences", model=refiner[0],
        add_noise="disable", noise_seed=7, steps=40, cfg=5.0, sampler_name="euler", scheduler="normal", positive=plain[0],
        negative=empty[0], latent_image=first[0], start_at_step=32, end_at_step=10000, return_with_leftover_noise="disable",
    )  # fmt: skip
    image = g.add("VAEDecode", (1440, 0), (220, 60), samples=second[0], vae=base[2])
    g.add("SaveImage", (1440, 110), (420, 480), images=image[0], filename_prefix=f"viper/{g.name}")
    g.note(
        "### As the authors run it\n\nSDXL base and refiner, mode *official*, beta = d = 0.85, cfg 5, 40 steps; the last 8 by the refiner, "
        "without preferences. Choose your two checkpoints on the left. Without a refiner, let the first sampler run to the end.",
        (0, 540), (320, 240),
    )  # fmt: skip
    return g


ALL = (
    comments_to_picture, strength_sweep, apply_to_any_sampler, share_a_taste, official_sdxl, image_set, read_with_vpe, read_with_vlm,
    read_with_a_server, taste_without_words, learn_my_taste,
)  # fmt: skip
