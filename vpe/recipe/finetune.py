"""Teach a vision-language model to read comments:
``python -m vpe.recipe.finetune --model DIR --people people.jsonl --pictures DIR --out DIR`` from the pack's folder.

The Visual Preference Extractor of ViPer (Salehi et al., ECCV 2024): IDEFICS2-8b with a low-rank adapter that answers pictures and comments
with liked and disliked art features. Here any chat model that sees; the question is the one that the pack asks (``asking.py``).
``accelerate launch -m vpe.recipe.finetune ...`` runs it on several devices. Needs transformers, peft, accelerate; bitsandbytes for 4 bits.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import asking
from ..attributes import lookup
from ..comments import Comment, Comments
from ..errors import AnswerError
from ..preferences import Feature, Preferences, normalise
from . import models
from .loop import TrainConfig, accelerator_for, drawn, train, train_from_command_line
from .options import RecipeError, option
from .people import Person, read


@dataclass(frozen=True)
class VpeConfig(TrainConfig):
    """LoRA's and the optimizer's figures are those of ViPer's published training code."""

    fewest: int = option(5, "pictures with comments in a question")
    most: int = option(10, "pictures with comments in a question")
    task: Path | None = option(None, "a text file with another task than the pack's; it is kept beside the adapter")
    longest_answer: int = option(300, "tokens that the model may answer in an evaluation")


@dataclass(frozen=True)
class Example:
    """What the model sees of a person, and what it is to say. ``pictures`` holds a PIL.Image or None for each comment."""

    comments: Comments
    pictures: tuple[Any, ...]
    truth: Preferences


def shown(person: Person, config: VpeConfig, rng: random.Random) -> Example:
    """Some of a person's pictures and comments. The truth is what they tell: without pictures, what they tell in words."""
    count = min(len(person.remarks), rng.randint(config.fewest, config.most))
    remarks = rng.sample(person.remarks, count)
    pictures = [None if config.pictures is None else models.picture(config.pictures / r.file, config.longest_edge) for r in remarks]
    told = [r for r in remarks if config.pictures is not None or r.manner != "leaves open"]
    sides = (tuple(Feature(a) for r in told for a in getattr(r, side)) for side in ("likes", "dislikes"))
    return Example(Comments(tuple(Comment(r.text, r.verdict) for r in remarks)), tuple(pictures), Preferences(*sides))


def answer(truth: Preferences) -> str:
    """The two lines that the model is to say."""
    return f"Liked Art Features: {truth.liked_text() or 'none'}\nDisliked Art Features: {truth.disliked_text() or 'none'}"


# --- learning --------------------------------------------------------------------------------------------------------


def batch(processor: Any, some: Sequence[Example], task: str) -> dict:
    """The examples in the model's own chat format; ``labels`` (B, n) are −100 but for the answers' tokens and the end behind them."""
    texts, images, lengths = [], [], []
    for example in some:
        asked = [("user", asking.question(example.comments, example.pictures, task))]
        before = models.prompt_text(processor, asked)
        whole = models.prompt_text(processor, [*asked, ("assistant", [answer(example.truth)])], answered=True).rstrip()
        if not whole.endswith(tuple(processor.tokenizer.all_special_tokens)):
            whole += processor.tokenizer.eos_token  # a template without an end: the model would never stop
        texts.append(whole)
        images.append(models.images_of(asked))
        lengths.append(_answer_length(processor.tokenizer, before, whole))
    inputs = models.encode(processor, texts, images)
    inputs["labels"] = inputs["input_ids"].clone()
    ends = inputs["attention_mask"].sum(1)
    for labels, length, end in zip(inputs["labels"], lengths, ends, strict=True):
        labels[:end - length] = -100
        labels[end:] = -100
    return inputs


def _answer_length(tokenizer: Any, before: str, whole: str) -> int:
    """Tokens of ``whole`` behind those of ``before``, counted where no picture has been put in the place of its mark yet."""
    asked, all_ids = (tokenizer(text)["input_ids"] for text in (before, whole))
    same = next((i for i, (a, b) in enumerate(zip(asked, all_ids, strict=False)) if a != b), min(len(asked), len(all_ids)))
    return len(all_ids) - same


# --- measuring -------------------------------------------------------------------------------------------------------


def generate(model: Any, processor: Any, turns: Sequence[asking.Turn], longest: int) -> str:
    """The model's greedy answer."""
    import torch

    inputs = models.on_device(models.encode(processor, [models.prompt_text(processor, turns)], [models.images_of(turns)]), model)
    with torch.no_grad():
        out = model.generate(**inputs, max_new_tokens=longest, do_sample=False, use_cache=True)
    return processor.tokenizer.decode(out[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True)


def found(words: str) -> Preferences:
    """What an answer holds; nothing when it cannot be read."""
    try:
        return asking.parse(words)
    except AnswerError:
        return Preferences()


def hits(truth: Preferences, said: Preferences) -> tuple[int, int, int]:
    """(features said and true, on the same side; said; true)."""
    a, b = ({(side, _key(f.text)) for side in ("liked", "disliked") for f in getattr(p, side)} for p in (truth, said))
    return len(a & b), len(b), len(a)


def _key(text: str) -> str:
    known = lookup(text)
    return normalise(known.name if known else text)


def f1(both: float, said: float, true: float) -> float:
    return 2 * both / max(1.0, said + true)


def evaluator(config: VpeConfig, accelerator: Any, processor: Any, everyone: Sequence[Person], task: str) -> Callable[[Any], dict]:
    """F1 of (side, feature) over the answers to held-out people, shared among the processes."""
    import torch

    def cases() -> Iterator[Example]:
        for n, person in enumerate(everyone):
            if n % accelerator.num_processes == accelerator.process_index:
                yield shown(person, config, random.Random(f"{config.seed} held out {n}"))

    def evaluate(model: Any) -> dict:
        model.eval()
        counts = [0, 0, 0]
        for case in cases():
            words = generate(model, processor, [("user", asking.question(case.comments, case.pictures, task))], config.longest_answer)
            counts = [c + h for c, h in zip(counts, hits(case.truth, found(words)), strict=True)]
        total = accelerator.reduce(torch.tensor(counts, dtype=torch.float32, device=accelerator.device), "sum").tolist()
        return {"f1": f1(*total), "precision": total[0] / max(1.0, total[1]), "recall": total[0] / max(1.0, total[2])}

    return evaluate


def run(config: VpeConfig, log: Callable[[dict], None] | None = None) -> Path | None:
    """Train, go on, or find it done; returns the adapter's (or the whole model's) folder, None when stopped before the end."""
    task = config.task.read_text(encoding="utf-8").strip() if config.task else asking.TASK
    everyone = read(config.people)
    learn, test = ([p for p in everyone if p.held_out is held_out] for held_out in (False, True))
    if not learn:
        raise RecipeError(f"{config.people} holds nobody to learn from.")
    accelerator = accelerator_for(config)
    model, processor = models.load_model(config, accelerator.device), models.load_processor(config.model, config.longest_edge)

    def loss(model: Any, n: int) -> Any:
        some = [shown(person, config, rng) for person, rng in drawn(learn, config, n)]
        return model(**models.on_device(batch(processor, some, task), model), use_cache=False).loss

    evaluate = evaluator(config, accelerator, processor, test[:config.evaluate_people], task)
    if not train(config, accelerator, model, loss, evaluate, log):
        return None
    folder = config.out / ("adapter" if config.tune == "lora" else "model")
    if accelerator.is_main_process:
        models.save(accelerator.unwrap_model(model), processor, folder, {"kind": "viper-vpe", "task": task, "config": asdict(config)})
    return folder


def main() -> None:
    train_from_command_line(__doc__, VpeConfig, run)


if __name__ == "__main__":
    main()
