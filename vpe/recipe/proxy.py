"""Teach a vision-language model to judge pictures for a person:
``python -m vpe.recipe.proxy --model DIR --people people.jsonl --pictures DIR --out DIR`` from the pack's folder.

ViPer's proxy metric (Salehi et al., ECCV 2024): the probability that a person likes a picture, given pictures that they like and dislike.
The model reads a chat in which each picture was answered with - or +, and the score of one more picture is a softmax over the two answers'
logits. Trained with QLoRA on the last answer alone. ``accelerate launch -m vpe.recipe.proxy ...`` runs it on several devices.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..proxy import SIGNS, answer_ids, asked, conversation, in_turn
from . import models
from .loop import TrainConfig, accelerator_for, drawn, train, train_from_command_line
from .options import RecipeError, option
from .people import Person, read


@dataclass(frozen=True)
class ProxyConfig(TrainConfig):
    """LoRA's and the optimizer's figures are those of ViPer's published training code."""

    pairs: int = option(8, "pairs of a disliked and a liked picture in front of the judged one, as far as a person has so many")


# --- judging ---------------------------------------------------------------------------------------------------------


def score(model: Any, processor: Any, disliked: Sequence[Any], liked: Sequence[Any], picture: Any) -> float:
    """Pr(the person likes ``picture`` | pictures they dislike and like), all PIL images: softmax of the last logits over "+" and "-".

    In the order of ViPer's own ``metric.py``: a disliked and a liked picture in turn. Raises RecipeError when there is not the same
    number of both.
    """
    import torch

    try:
        context = in_turn(disliked, liked)
    except ValueError as error:
        raise RecipeError(str(error)) from None
    with torch.no_grad():
        logits = last_logits(model, processor, [(context, picture)])[0]
    return logits[list(answer_ids(processor.tokenizer))].float().softmax(0)[1].item()


def last_logits(model: Any, processor: Any, cases: Sequence[tuple[list[tuple[Any, str]], Any]]) -> Any:
    """The logits (B, vocabulary) with which the model would judge each picture behind its context of (picture, sign)."""
    talks = [conversation(context, picture) for context, picture in cases]
    texts = [asked(models.prompt_text(processor, turns)) for turns in talks]
    inputs = models.on_device(models.encode(processor, texts, [models.images_of(turns) for turns in talks]), model)
    last = inputs["attention_mask"].sum(1) - 1
    logits = model(**inputs, use_cache=False).logits
    return logits[range(len(texts)), last]


# --- learning --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """Pictures of one person with their signs, and a disliked and a liked one to judge."""

    context: list[tuple[Any, str]]
    disliked: Any
    liked: Any


def trial(person: Person, config: ProxyConfig, rng: random.Random) -> Trial:
    """In each pair of the context it is chance which comes first: where a picture stands must not tell its sign."""
    sides = [[r.file for r in person.remarks if r.liked is liked] for liked in (False, True)]
    count = min(config.pairs + 1, *map(len, sides))
    drawn = [rng.sample(side, count) for side in sides]
    disliked, liked = ([models.picture(config.pictures / file, config.longest_edge) for file in side] for side in drawn)
    context = []
    for pair in zip(disliked[1:], liked[1:], strict=True):
        context += rng.sample(list(zip(pair, SIGNS, strict=True)), 2)
    return Trial(context, disliked[0], liked[0])


def evaluator(config: ProxyConfig, accelerator: Any, processor: Any, everyone: Sequence[Person]) -> Callable[[Any], dict]:
    """Share of held-out people's pictures on the right side of one half, and of pairs in the right order; shared among the processes."""
    import torch

    def evaluate(model: Any) -> dict:
        model.eval()
        right, ordered, pairs = 0, 0.0, 0
        for n in range(accelerator.process_index, len(everyone), accelerator.num_processes):
            case = trial(everyone[n], config, random.Random(f"{config.seed} held out {n}"))
            disliked, liked = ([p for p, sign in case.context if sign == side] for side in SIGNS)
            low, high = (score(model, processor, disliked, liked, picture) for picture in (case.disliked, case.liked))
            right += (low < 0.5) + (high > 0.5)
            ordered, pairs = ordered + (high > low) + 0.5 * (high == low), pairs + 1
        counts = torch.tensor([right, ordered, pairs], dtype=torch.float32, device=accelerator.device)
        right, ordered, pairs = accelerator.reduce(counts, "sum").tolist()
        return {"accuracy": right / max(1.0, 2 * pairs), "ordered": ordered / max(1.0, pairs)}

    return evaluate


def run(config: ProxyConfig, log: Callable[[dict], None] | None = None) -> Path | None:
    """Train, go on, or find it done; returns the adapter's (or the whole model's) folder, None when stopped before the end."""
    if config.pictures is None:
        raise RecipeError("The proxy judges pictures: name their folder with --pictures.")
    everyone = read(config.people)
    for person in everyone:
        if min(sum(r.liked is liked for r in person.remarks) for liked in (False, True)) < 2:
            raise RecipeError(f"{person.id} of {config.people} needs two pictures of each side at least: make people with more --pictures.")
    learn, test = ([p for p in everyone if p.held_out is held_out] for held_out in (False, True))
    if not learn:
        raise RecipeError(f"{config.people} holds nobody to learn from.")
    accelerator = accelerator_for(config)
    import torch

    model, processor = models.load_model(config, accelerator.device), models.load_processor(config.model, config.longest_edge)
    answers = torch.tensor(answer_ids(processor.tokenizer), device=accelerator.device)

    def loss(model: Any, n: int) -> Any:
        """Mean cross entropy of the disliked picture's "-" and the liked one's "+" over the whole vocabulary."""
        asked = []
        for person, rng in drawn(learn, config, n):
            case = trial(person, config, rng)
            asked += [(case.context, case.disliked), (case.context, case.liked)]
        logits = last_logits(model, processor, asked).float()
        return torch.nn.functional.cross_entropy(logits, answers.repeat(len(asked) // 2))

    evaluate = evaluator(config, accelerator, processor, test[:config.evaluate_people])
    if not train(config, accelerator, model, loss, evaluate, log):
        return None
    folder = config.out / ("adapter" if config.tune == "lora" else "model")
    if accelerator.is_main_process:
        models.save(accelerator.unwrap_model(model), processor, folder, {"kind": "viper-proxy", "config": asdict(config)})
    return folder


def main() -> None:
    train_from_command_line(__doc__, ProxyConfig, run)


if __name__ == "__main__":
    main()
