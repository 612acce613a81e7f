"""Vision-language models small enough to build, teach and run in a test: the real classes of transformers, random weights."""

from __future__ import annotations

from pathlib import Path

import torch

IDEFICS2_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].capitalize() }}{{ ':' if message['content'][0]['type'] == 'image' else ': ' }}"
    "{% for part in message['content'] %}{{ part['text'] if part['type'] == 'text' else '<image>' }}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{{ 'Assistant:' if add_generation_prompt else '' }}"
)
LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() }}: "
    "{% for part in message['content'] %}{{ part['text'] if part['type'] == 'text' else '<image>\n' }}{% endfor %}"
    "{{ '</s>' if message['role'] == 'assistant' else ' ' }}{% endfor %}{{ 'ASSISTANT:' if add_generation_prompt else '' }}"
)


def tokenizer(texts: list[str], special: list[str], template: str, vocabulary: int = 1000):
    """A byte-level BPE learnt from ``texts``: reads and writes any text, the same on every machine."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=["<unk>", "<s>", "</s>", *special], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    base.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=base, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<unk>", chat_template=template,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def idefics2(texts: list[str], seed: int = 0, hidden: int = 64, layers: int = 2, vocabulary: int = 1000):
    """(processor, model): ViPer's own kind, with pictures of 4 tokens."""
    from transformers import Idefics2Config, Idefics2ForConditionalGeneration, Idefics2ImageProcessor, Idefics2Processor

    special = ["<image>", "<fake_token_around_image>", "<end_of_utterance>"]
    words = tokenizer(texts, special, IDEFICS2_TEMPLATE, vocabulary)
    processor = Idefics2Processor(
        Idefics2ImageProcessor(size={"longest_edge": 980, "shortest_edge": 378}, do_image_splitting=True), words, image_seq_len=4,
        chat_template=IDEFICS2_TEMPLATE,
    )  # fmt: skip
    config = Idefics2Config(
        vision_config=dict(
            hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=448, patch_size=28
        ),
        perceiver_config=dict(resampler_n_latents=4, resampler_depth=1, resampler_n_heads=2, resampler_head_dim=32, num_key_value_heads=1,
                              hidden_size=hidden),
        text_config=dict(
            model_type="mistral", vocab_size=len(words), hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=4096, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        ),
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    torch.manual_seed(seed)
    model = Idefics2ForConditionalGeneration(config).eval()
    model.generation_config.update(
        eos_token_id=[2, words.convert_tokens_to_ids("<end_of_utterance>")], pad_token_id=0, bos_token_id=1
    )
    return processor, model


def llava(texts: list[str], seed: int = 0, hidden: int = 64, layers: int = 2, vocabulary: int = 1000):
    """(processor, model): any chat VLM's kind, with pictures of 16 tokens."""
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    words = tokenizer(texts, ["<image>"], LLAVA_TEMPLATE, vocabulary)
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}), words, patch_size=14,
        vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=LLAVA_TEMPLATE,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=dict(
            model_type="clip_vision_model", hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            image_size=56, patch_size=14,
        ),
        text_config=dict(
            model_type="llama", vocab_size=len(words), hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=4096, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        ),
        image_token_id=words.convert_tokens_to_ids("<image>"), image_token_index=words.convert_tokens_to_ids("<image>"),  # its older name
        image_seq_length=16,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.update(eos_token_id=2, pad_token_id=0, bos_token_id=1)
    return processor, model


def save(folder: Path, processor, model) -> Path:
    """As from_pretrained reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    processor.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


# --- models that have learnt one conversation by heart ---------------------------------------------------------------

COMMENTS = "+ I love the colors\n- too grainy for me"
ANSWER = "Liked Art Features: warm colors, orange\nDisliked Art Features: grainy"
OTHERS = ("I love the colors", "what a mood!", "the light is harsh", "too pale for me", "so many lines, I like it", "dull")
CHATTER = "They seem to love warm things."


def texts() -> list[str]:
    """What the tokenizers learn from."""
    from viper.vpe import asking

    said = "Comment 1: I like this one. I love the colors Comment 2: I do not like this one. too grainy for me soft light, bold lines"
    return [asking.TASK, asking.REPAIR, said, ANSWER, CHATTER, *OTHERS] * 4


def comments():
    """Two comments with a picture each, as the nodes hand them over."""
    from viper.vpe.comments import Comment, Comments, ImageRef

    pixels = torch.stack([torch.tensor([1.0, 0.65, 0.0]).expand(64, 64, 3), torch.full((64, 64, 3), 0.5)])
    said = [(c.text, c.verdict) for c in Comments.parse(COMMENTS)]
    return Comments(tuple(Comment(text, verdict, ImageRef(index=i)) for i, (text, verdict) in enumerate(said)), pixels)


def learn(model, processor, answer: str, steps: int = 80, rate: float = 3e-3, end: float = 1.0) -> None:
    """``model`` learns to give ``answer`` to the question, whatever the comments and pictures are.

    ``end``: the share of the rate that is left at the last step. Where a high constant rate happens to stop depends on the processor's
    rounding, and so did answers in bf16.
    """
    from viper.vpe import asking

    ids = torch.tensor([*processor.tokenizer(f" {answer}", add_special_tokens=False).input_ids, 2])
    asked = [_asked(processor, asking, seed) for seed in range(6)]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], rate)
    plan = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, end, steps)
    model.train()
    with torch.enable_grad():
        for step in range(steps):
            inputs = asked[step % len(asked)]
            full = torch.cat([inputs["input_ids"], ids[None]], dim=1)
            labels = torch.cat([torch.full_like(inputs["input_ids"], -100), ids[None]], dim=1)
            loss = model(**{**inputs, "input_ids": full, "attention_mask": torch.ones_like(full)}, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            plan.step()
    model.eval()


def _asked(processor, asking, seed: int) -> dict:
    """One question: ``comments()`` (seed 0), or others of theirs on pictures of any colour."""
    from viper.vpe.comments import Comment, Comments, ImageRef
    from viper.vpe.pictures import pictures_of

    some = comments()
    if seed:
        rng = torch.Generator().manual_seed(seed)
        n = 1 + seed % 4
        said = [OTHERS[int(torch.randint(len(OTHERS), (), generator=rng))] for _ in range(n)]
        pixels = torch.rand(n, 1, 1, 3, generator=rng).expand(n, 64, 64, 3)
        some = Comments(tuple(Comment(text, image=ImageRef(index=i)) for i, text in enumerate(said)), pixels)
    pictures = pictures_of(some)
    prompt = processor.apply_chat_template(
        asking.messages([("user", asking.question(some, pictures, asking.TASK))]), add_generation_prompt=True
    )
    return dict(processor(text=prompt, images=pictures, return_tensors="pt"))


def chat_folder(folder: Path) -> Path:
    """A LLaVA-like model that answers with the lists."""
    processor, model = llava(texts())
    learn(model, processor, ANSWER)
    return save(folder, processor, model)


def vpe_folders(base: Path, adapter: Path) -> None:
    """An IDEFICS2 that only chatters, and an adapter that makes it answer with the lists."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoProcessor

    from viper.vpe.vlm import VPE_PROCESSOR

    original, model = idefics2(texts())
    save(base, original, model)
    processor = AutoProcessor.from_pretrained(base, **VPE_PROCESSOR)
    learn(model, processor, CHATTER, end=0.02)
    model.save_pretrained(base)
    targets = ".*(text_model|modality_projection|perceiver_resampler).*(down_proj|gate_proj|up_proj|k_proj|q_proj|v_proj|o_proj).*$"
    torch.manual_seed(0)
    tuned = get_peft_model(model, LoraConfig(r=32, lora_alpha=32, target_modules=targets))
    learn(tuned, processor, ANSWER, steps=180, rate=5e-3, end=0.02)
    tuned.save_pretrained(adapter)
