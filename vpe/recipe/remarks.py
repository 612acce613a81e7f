"""What a made-up person writes about a picture: from templates, or by a chat model that is asked to be that person.

A remark names what it praises or blames ("I love the rim light"), describes it in other words, leaves it to the picture ("I love the
light"), or says nothing of the kind. The templates that name are the pack's own marked comments (``marked.py``), so that a model sees
thousands of ways to say it; ViPer had its comments written by a language model, with typos and sarcasm (Salehi et al., ECCV 2024).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from ..attributes import lookup
from .marked import Mark, Marked, comments, parse, to_train
from .options import RecipeError

Chat = Callable[[str], str]  # a prompt → the model's words

SARCASM = tuple(map(parse, (
    "Oh great, more [x|-]. Just what was missing.", "Wow, [x|-]. How original.", "[x|-]? Groundbreaking.",
    "Sure, because [x|-] always helps.", "Congratulations on the [x|-], nobody has ever done that before.",
    "Ugh, [x|+]. Now I shall have to look at it all day.", "How dare they, all this [x|+], and I have no wall left.",
    "Thanks a lot for the [x|+], there goes my afternoon.",
)))  # fmt: skip
UNNAMED = {
    True: ("I love the {}.", "It is the {} that got me.", "More of this {}, please!", "I could look at the {} for hours.",
           "Whoever did the {} knows what I like.", "What wonderful {}."),
    False: ("I can't stand the {}.", "The {} put me off at once.", "I would change the {}.", "Not with that {}, sorry.",
            "Everything would be fine without this {}.", "Who on earth chose the {}?"),
}  # fmt: skip
PARTS = {  # of a picture, as people call what a category of the taxonomy is about
    "color": ("colors", "palette"), "hue": ("colors", "choice of colors"), "light": ("light", "lighting"), "line": ("lines", "line work"),
    "brushwork and marks": ("brushwork", "way it is painted"), "texture and surface": ("texture", "surface"), "material": ("material",),
    "pattern": ("pattern",), "medium": ("technique", "medium"), "print and photography": ("technique",),
    "digital and built": ("technique",), "movement": ("style",), "genre and culture": ("style", "world it shows"),
    "composition": ("composition", "layout"), "perspective and camera": ("perspective", "viewpoint"), "detail": ("amount of detail",),
    "mood": ("mood", "atmosphere"), "season and weather": ("weather", "feel of the season"), "finish": ("finish",),
    "figure and form": ("forms", "way things are shaped"),
}  # fmt: skip


class Moulds:
    """Marked comments by how many features they praise and blame."""

    def __init__(self, marked: Sequence[Marked] | None = None):
        marked = [m for some in comments("en") for m in to_train(some)] if marked is None else marked
        self.by_count: dict[tuple[int, int], list[Marked]] = {}
        for m in marked:
            plus = sum(mark.liked for mark in m.marks)
            self.by_count.setdefault((plus, len(m.marks) - plus), []).append(m)
        if not self.by_count.keys() >= {(1, 0), (0, 1)}:
            raise RecipeError("The marked comments need some with one liked feature, [fog|+], and some with one disliked, [grain|-].")

    def draw(self, rng: random.Random, plus: int, minus: int) -> Marked:
        """One with at most so many features of each side, and at least one."""
        fits = [key for key in sorted(self.by_count) if key != (0, 0) and key[0] <= plus and key[1] <= minus]
        return rng.choice(self.by_count[rng.choice(fits)])


def by_templates(
    rng: random.Random, moulds: Moulds, likes: Sequence[str], dislikes: Sequence[str], manner: str, sarcasm: float, typos: float
) -> str:
    """Words that tell all of ``likes`` and ``dislikes``; ``manner`` is "names", "describes" or "leaves open"."""
    if manner == "leaves open":
        said = [(True, a) for a in likes] + [(False, a) for a in dislikes]
        parts = dict.fromkeys((liked, rng.choice(parts_of(a))) for liked, a in said)
        text = " ".join(rng.choice(UNNAMED[liked]).format(part) for liked, part in parts)
    else:
        left, sentences = {True: list(likes), False: list(dislikes)}, []
        while left[True] or left[False]:
            mould = moulds.draw(rng, len(left[True]), len(left[False]))
            if rng.random() < sarcasm:
                mould = rng.choice([s for s in SARCASM if left[s.marks[0].liked]])
            sentences.append(mould.filled(lambda mark: wording(left[mark.liked].pop(), manner, mark, rng)).text)
        text = " ".join(sentences)
    return misspelt(text, rng) if rng.random() < typos else text


def wording(attribute: str, manner: str, mark: Mark, rng: random.Random) -> str:
    """The attribute's name, or another wording of it; capitalised where the sentence begins with it."""
    known = lookup(attribute)
    said = rng.choice(known.synonyms) if manner == "describes" and known and known.synonyms else attribute
    return said[0].upper() + said[1:] if mark.start == 0 else said


def parts_of(attribute: str) -> tuple[str, ...]:
    known = lookup(attribute)
    return PARTS.get(known.category if known else "", ("look of it",))


def misspelt(text: str, rng: random.Random) -> str:
    """One or two letters swapped, dropped or doubled."""
    for _ in range(rng.randint(1, 2)):
        inside = [i for i in range(1, len(text) - 1) if text[i - 1:i + 2].isalpha()]
        if not inside:
            break
        i, slip = rng.choice(inside), rng.randrange(3)
        text = text[:i] + (text[i + 1] + text[i], "", 2 * text[i])[slip] + text[i + 1 + (slip == 0):]
    return text


def by_chat(chat: Chat, prompt: str, likes: Sequence[str], dislikes: Sequence[str], manner: str, sarcastic: bool, careless: bool) -> str:
    """A chat model's words as that person's; raises RecipeError when it says nothing twice."""
    how = {
        "names": "Name these things.",
        "describes": "Describe these things in your own words, without the very words above.",
        "leaves open": "Do not name these things: say only which part of the picture you mean, as in \u201cI love the colors\u201d.",
        "says nothing": "Say something about the picture that tells nothing about your taste in art.",
    }[manner]
    lines = [
        "You are a person who comments on a picture.", f"The picture was made from the words: {prompt}.",
        *([f"You like about it: {', '.join(likes)}."] if likes else []),
        *([f"You dislike about it: {', '.join(dislikes)}."] if dislikes else []),
        how, "Write one to three short sentences, as people write in a chat, and nothing else.",
        *(["Be sarcastic."] if sarcastic else []), *(["Make a typing mistake or two."] if careless else []),
    ]  # fmt: skip
    for _ in range(2):
        if words := " ".join(chat("\n".join(lines)).split()).strip("\"'\u201c\u201d "):
            return words
    raise RecipeError("The chat model answered with nothing, twice: try another one.")


def openai_chat(url: str, model: str, temperature: float = 1.0) -> Chat:
    """Any OpenAI-compatible server as a Chat; needs the PyPI package openai."""
    try:
        from openai import OpenAI
    except ImportError:
        raise RecipeError("Comments by a chat model need the package openai: run pip install openai.") from None
    import os

    client = OpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY") or "none")

    def chat(prompt: str) -> str:
        answer = client.chat.completions.create(model=model, temperature=temperature, messages=[{"role": "user", "content": prompt}])
        return answer.choices[0].message.content or ""

    return chat
