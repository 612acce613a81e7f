"""Make people to learn from: ``python -m vpe.recipe.people --to people.jsonl`` from the pack's folder.

Each likes and dislikes some fifty attributes of the taxonomy, drawn at random; any two people are at Jaccard distance 0.85 or more
(Salehi et al., ECCV 2024, who had 5,000). About ten pictures each show a few of them, and each picture gets a comment. One person a line;
the same options give the same people, and a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from ..agents import Agent, fitting
from ..attributes import attributes
from .marked import load as load_marked
from .options import RecipeError, arguments, configured, option
from .remarks import Chat, Moulds, by_chat, by_templates, openai_chat

KIND, VERSION = "viper-people", 1
SUBJECTS = (
    "apple", "tree", "house", "car", "cat", "dog", "boat", "fish", "flower", "mountain", "castle", "lighthouse", "bridge", "train",
    "bicycle", "balloon", "rocket", "frog", "butterfly", "mushroom", "owl", "fox", "horse", "elephant", "whale", "swan", "teapot", "lamp",
    "chair", "clock", "guitar", "violin", "umbrella", "book", "bottle of wine", "bowl of fruit", "loaf of bread", "garden", "forest",
    "river", "waterfall", "beach", "island", "desert", "village", "city street", "market", "harbour", "train station", "library", "kitchen",
    "window", "staircase", "portrait of a woman", "portrait of an old man", "child with a kite", "dancer", "musician", "fisherman",
    "couple on a bench", "dragon", "robot", "moon", "night sky",
)  # fmt: skip


@dataclass(frozen=True)
class PeopleConfig:
    count: int = option(5000, "people; 0 = as many as fit")
    tries: int = option(1000, "in a row that may fail before no more people fit")
    each: int = option(50, "attributes a person likes, and as many disliked")
    apart: float = option(0.85, "least Jaccard distance of two people")
    seed: int = option(0, "the same seed gives the same people")
    held_out: int = option(10, "every so manieth person is kept out of training; 0 = none")
    pictures: int = option(10, "a person: half shows liked attributes, half disliked ones")
    most: int = option(3, "attributes of its side that a picture shows")
    mixed: float = option(0.25, "pictures that show one of the other side as well")
    describes: float = option(0.25, "comments in other words than the attribute's name")
    leaves_open: float = option(0.2, "comments that leave to the picture what they praise or blame")
    says_nothing: float = option(0.05, "comments that tell no taste")
    verdicts: float = option(0.3, "pictures with a mark for liked or disliked beside the comment")
    sarcasm: float = option(0.05, "sarcastic comments")
    typos: float = option(0.15, "comments with a typing mistake or two")


@dataclass(frozen=True)
class Remark:
    """A picture of a person (``file`` below the pictures' folder), what they wrote about it, and what that tells of their taste."""

    file: str
    prompt: str
    seed: int
    liked: bool  # the side that the picture shows most of
    text: str
    manner: str  # "names", "describes", "leaves open" or "says nothing"
    verdict: str | None = None
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Person:
    id: str
    held_out: bool
    agent: Agent
    remarks: tuple[Remark, ...]


def draw(config: PeopleConfig, names: Sequence[str] | None = None) -> Iterator[Agent]:
    """People at least ``config.apart`` from each other, until there are ``count`` or ``tries`` in a row did not fit."""
    names = [a.name for a in attributes()] if names is None else list(names)
    if 2 * config.each > len(names):
        raise RecipeError(f"{config.each} liked and {config.each} disliked attributes need {2 * config.each}, but there are {len(names)}.")
    return islice(fitting(names, config.seed, config.each, config.apart, config.tries), config.count or None)


def people(
    config: PeopleConfig, names: Sequence[str] | None = None, moulds: Moulds | None = None, chat: Chat | None = None,
    subjects: Sequence[str] = SUBJECTS, start: int = 0,
) -> Iterator[Person]:
    """Everyone from the ``start``-th on with their pictures and comments; comments are by ``chat`` where there is one."""
    moulds = moulds or Moulds()
    for n, agent in islice(enumerate(draw(config, names)), start, None):
        rng, name = random.Random(f"{config.seed} {n}"), f"p{n:05d}"
        remarks = [_remark(config, agent, rng, f"{name}_{k:02d}.png", k % 2 == 0, moulds, chat, subjects) for k in range(config.pictures)]
        yield Person(name, bool(config.held_out) and n % config.held_out == config.held_out - 1, agent, tuple(remarks))


def _remark(config: PeopleConfig, agent: Agent, rng: random.Random, file: str, liked: bool, moulds, chat, subjects) -> Remark:
    rest = max(0.0, 1 - config.describes - config.leaves_open - config.says_nothing)
    manners = {"names": rest, "describes": config.describes, "leaves open": config.leaves_open, "says nothing": config.says_nothing}
    manner = rng.choices(list(manners), list(manners.values()))[0]
    mine, others = (agent.liked, agent.disliked) if liked else (agent.disliked, agent.liked)
    shown = rng.sample(mine, min(len(mine), rng.randint(1, config.most)))
    # "I love the colors" must not be about a colour that the person dislikes.
    beside = rng.sample(others, 1) if rng.random() < config.mixed and manner != "leaves open" else []
    prompt = ", ".join([rng.choice(subjects), *shown, *beside])
    likes, dislikes = (shown, beside) if liked else (beside, shown)
    silent = moulds.by_count.get((0, 0), [])
    if manner == "says nothing":
        likes, dislikes = [], []
    if chat:
        text = by_chat(chat, prompt, likes, dislikes, manner, rng.random() < config.sarcasm, rng.random() < config.typos)
    elif manner == "says nothing":
        text = rng.choice(silent).text if silent else "Hm."
    else:
        text = by_templates(rng, moulds, likes, dislikes, manner, config.sarcasm, config.typos)
    verdict = ("like" if liked else "dislike") if rng.random() < config.verdicts else None
    return Remark(file, prompt, rng.getrandbits(48), liked, text, manner, verdict, tuple(likes), tuple(dislikes))


# --- the file --------------------------------------------------------------------------------------------------------


def write(path: Path, config: PeopleConfig, everyone: Callable[[int], Iterator[Person]]) -> int:
    """Add to ``path`` whom it does not hold yet: ``everyone`` gives the people from a number on. Returns how many there are.

    Raises RecipeError when the file holds people of other options.
    """
    header = {"kind": KIND, "version": VERSION, "config": asdict(config)}
    done, kept = 0, 0
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):  # cut off while it was written
                    break
                if not done and json.loads(line) != header:
                    raise RecipeError(f"{path} holds people of other options: take another file, or move it away.")
                done, kept = done + 1, kept + len(line)
        with path.open("rb+") as file:
            file.truncate(kept)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        if not done:
            file.write(json.dumps(header) + "\n")
            done = 1
        for person in everyone(done - 1):
            file.write(json.dumps(asdict(person), ensure_ascii=False) + "\n")
            file.flush()  # a comment by a chat model costs time
            done += 1
    return done - 1


def read(path: Path) -> list[Person]:
    """Raises RecipeError when the file is none of ours."""
    found: list[Person] = []
    try:
        with Path(path).open(encoding="utf-8") as file:
            header = json.loads(next(file))
            if (header["kind"], header["version"]) != (KIND, VERSION):
                raise ValueError(f"it is {header['kind']} {header['version']}, not {KIND} {VERSION}")
            for line in file:
                data = json.loads(line)
                remarks = tuple(Remark(**{**r, "likes": tuple(r["likes"]), "dislikes": tuple(r["dislikes"])}) for r in data["remarks"])
                agent = Agent(*(tuple(data["agent"][side]) for side in ("liked", "disliked")))
                found.append(Person(data["id"], data["held_out"], agent, remarks))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise RecipeError(f"{path} cannot be read as people ({error}): make it with python -m vpe.recipe.people.") from error
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--attributes", type=Path, help="other attributes than the taxonomy's, one a line")
    parser.add_argument("--subjects", type=Path, help="what the pictures show, one a line")
    parser.add_argument("--comments", type=Path, help="other marked comments than the pack's: I love the [soft light|+], one a line")
    parser.add_argument("--chat-url", help="an OpenAI-compatible server that writes the comments, such as http://127.0.0.1:11434/v1")
    parser.add_argument("--chat-model", help="its model")
    arguments(parser, PeopleConfig)
    options = parser.parse_args()
    if bool(options.chat_url) != bool(options.chat_model):
        parser.error("--chat-url and --chat-model go together")
    lines = {name: path.read_text(encoding="utf-8").split("\n") for name in ("attributes", "subjects") if (path := getattr(options, name))}
    lines = {name: [x.strip() for x in some if x.strip()] for name, some in lines.items()}
    config = configured(PeopleConfig, options)
    try:
        chat = openai_chat(options.chat_url, options.chat_model) if options.chat_url else None
        moulds = Moulds(load_marked(options.comments)) if options.comments else None
        made = partial(people, config, lines.get("attributes"), moulds, chat, lines.get("subjects", SUBJECTS))
        count = write(options.to, config, made)
    except RecipeError as error:
        raise SystemExit(str(error)) from None
    print(f"{count} people in {options.to}")


if __name__ == "__main__":
    main()
