"""What a protocol asks for: subjects, their pictures, and the prompts that they are drawn with.

The prompts and classes of DreamBench are those of ``dataset/prompts_and_classes.txt`` in google/dreambooth (CC BY 4.0; Ruiz et al.,
CVPR 2023, arXiv:2208.12242): 25 for objects and 25 for live subjects. ``{}`` stands for the identifier and the class noun.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import EvaluationError

BY_CLASS_NOUN, OBJECT, LIVE = "by class noun", "object", "live subject"
KINDS = (BY_CLASS_NOUN, OBJECT, LIVE)

_EVERYWHERE = (
    "a {} in the jungle",
    "a {} in the snow",
    "a {} on the beach",
    "a {} on a cobblestone street",
    "a {} on top of pink fabric",
    "a {} on top of a wooden floor",
    "a {} with a city in the background",
    "a {} with a mountain in the background",
    "a {} with a blue house in the background",
    "a {} on top of a purple rug in a forest",
)
_CHANGED = ("a red {}", "a purple {}", "a shiny {}", "a wet {}", "a cube shaped {}")
PROMPTS = {
    OBJECT: (
        *_EVERYWHERE,
        "a {} with a wheat field in the background",
        "a {} with a tree and autumn leaves in the background",
        "a {} with the Eiffel Tower in the background",
        "a {} floating on top of water",
        "a {} floating in an ocean of milk",
        "a {} on top of green grass with sunflowers around it",
        "a {} on top of a mirror",
        "a {} on top of the sidewalk in a crowded street",
        "a {} on top of a dirt road",
        "a {} on top of a white rug",
        *_CHANGED,
    ),
    LIVE: (
        *_EVERYWHERE,
        "a {} wearing a red hat",
        "a {} wearing a santa hat",
        "a {} wearing a rainbow scarf",
        "a {} wearing a black top hat and a monocle",
        "a {} in a chef outfit",
        "a {} in a firefighter outfit",
        "a {} in a police outfit",
        "a {} wearing pink glasses",
        "a {} wearing a yellow shirt",
        "a {} in a purple wizard outfit",
        *_CHANGED,
    ),
}  # fmt: skip
COUNT = len(PROMPTS[OBJECT])

# DreamBench's 30 subjects: 21 objects, 9 live ones, of 15 classes.
CLASSES = {
    "backpack": "backpack", "backpack_dog": "backpack", "bear_plushie": "stuffed animal", "berry_bowl": "bowl", "can": "can",
    "candle": "candle", "cat": "cat", "cat2": "cat", "clock": "clock", "colorful_sneaker": "sneaker", "dog": "dog", "dog2": "dog",
    "dog3": "dog", "dog5": "dog", "dog6": "dog", "dog7": "dog", "dog8": "dog", "duck_toy": "toy", "fancy_boot": "boot",
    "grey_sloth_plushie": "stuffed animal", "monster_toy": "toy", "pink_sunglasses": "glasses", "poop_emoji": "toy", "rc_car": "toy",
    "red_cartoon": "cartoon", "robot_toy": "toy", "shiny_sneaker": "sneaker", "teapot": "teapot", "vase": "vase",
    "wolf_plushie": "stuffed animal",
}  # fmt: skip

# DreamBench's live subjects are cats and dogs. Other class nouns that can wear a hat, so that users' own subjects get fitting prompts.
_LIVING = frozenset(
    # people
    "person man woman boy girl child kid baby toddler teenager lady gentleman guy people human face actor actress artist athlete chef "
    "dancer doctor farmer grandfather grandmother king queen prince princess knight nurse pirate singer soldier teacher witch wizard "
    # animals
    "animal pet cat kitten dog puppy poodle corgi bird owl duck chicken hen rooster goose swan parrot eagle penguin pigeon crow "
    "flamingo peacock horse pony foal donkey cow bull calf pig piglet sheep lamb goat deer moose rabbit bunny hamster mouse rat "
    "squirrel hedgehog fox wolf bear panda koala lion tiger leopard cheetah elephant giraffe zebra hippo rhino camel llama alpaca "
    "kangaroo monkey ape gorilla chimpanzee orangutan lemur sloth otter beaver raccoon badger skunk bat frog toad lizard gecko snake "
    "turtle tortoise crocodile alligator dinosaur fish shark dolphin whale seal octopus crab lobster snail butterfly bee spider".split()
)
_LIKENESS = frozenset("toy stuffed plush plushie statue figurine cartoon rubber wooden plastic ceramic model doll".split())


def kind_of(class_noun: str) -> str:
    """LIVE or OBJECT. The last word decides ("old man"), unless another says that it is a likeness only ("stuffed animal")."""
    words = class_noun.lower().split()
    return LIVE if words and words[-1] in _LIVING and not _LIKENESS & set(words) else OBJECT


@dataclass(frozen=True)
class Concept:
    class_noun: str
    pictures: tuple[Path, ...]
    folder: Path


@dataclass(frozen=True)
class Subject:
    """One subject of a protocol. Two concepts drawn together are a subject, too; its prompts have ``{0}`` and ``{1}``."""

    name: str
    concepts: tuple[Concept, ...]
    prompts: tuple[str, ...]
    kind: str

    @property
    def class_noun(self) -> str:
        return ", ".join(concept.class_noun for concept in self.concepts)

    @property
    def pictures(self) -> tuple[Path, ...]:
        return tuple(picture for concept in self.concepts for picture in concept.pictures)

    def prompt(self, index: int, identifier: str) -> str:
        """Prompt ``index`` with the identifier; of several concepts each has its own, separated by commas."""
        identifiers = [word.strip() for word in identifier.split(",")]
        if len(identifiers) < len(self.concepts):
            raise EvaluationError(
                f"{self.name} has {len(self.concepts)} concepts, and each needs an identifier of its own: give them with a comma between."
            )
        return self._filled(index, identifiers)

    def class_prompt(self, index: int) -> str:
        return self._filled(index, [""] * len(self.concepts))

    def _filled(self, index: int, identifiers: list[str]) -> str:
        if not 0 <= index < len(self.prompts):
            raise EvaluationError(f"There is no prompt {index}: there are {len(self.prompts)}, counted from 0.")
        words = [f"{word} {concept.class_noun}".strip() for word, concept in zip(identifiers, self.concepts, strict=False)]
        return self.prompts[index].format(*words)


def dreambench(kind: str, class_noun: str) -> Subject:
    """DreamBench's prompts for any class noun. Raises EvaluationError without one, and for an unknown kind."""
    noun = " ".join(class_noun.split())
    if not noun:
        raise EvaluationError("The prompts need a class noun: type what the subject is in one plain word, such as dog or backpack.")
    if kind not in KINDS:
        raise EvaluationError(f'There is no kind called "{kind}": choose {", ".join(KINDS)}.')
    kind = kind_of(noun) if kind == BY_CLASS_NOUN else kind
    return Subject(noun, (Concept(noun, (), Path()),), PROMPTS[kind], kind)
