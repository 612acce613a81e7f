"""People for ``personalisation.py``: what they like and dislike among the pocket model's looks, and what they say about it.

As in ViPer (Salehi et al., ECCV 2024): attributes drawn at random, any two people at Jaccard distance 0.85 or more, eight
comments each. What a person likes can all be shown in one picture; what they dislike is of other groups.

    people = draw_people(vocabulary, known, count=64, each=4, seed=1)
    comments = write(people[0], vocabulary, seed="1 0")                     # everyday sentences
    comments = write(people[0], vocabulary, seed="1 0", moulds=moulds())    # in the words of strangers: oblique, sarcastic, misspelt
"""

import random

from viper.pocket.recipe.captions import compatible, group_of
from viper.vpe.agents import Agent, distance
from viper.vpe.comments import Comment, Comments
from viper.vpe.preferences import Feature, Preferences, normalise
from viper.vpe.recipe import remarks
from viper.vpe.recipe.marked import comments, set_aside

LEFT_OUT = ("color", "look")  # a colour goes with its subject; the sets' own looks are hardly told apart
COMMENTS, DESCRIBES, PRAISES, SARCASM, TYPOS = 8, 0.25, 0.2, 0.05, 0.15
SAYS = {
    True: ("I love the {}.", "The {} look is what I like most here.", "More {} please, it makes the picture for me.",
           "Beautiful {}, I could look at it for hours.", "{}: yes, this is exactly my taste.", "What wonderful {}!",
           "I really like the {} style because it makes me smile.", "Great that it is {}, it gives the picture character.",
           "I am drawn to the {} at once.", "The {} works so well here.", "I'd hang it on my wall just for the {}.",
           "I enjoy {} pictures, they remind me of my childhood."),
    False: ("I hate the {}.", "The {} look puts me off.", "Too much {} for me.", "I don't like the {} at all.",
            "Less {} please, it spoils the picture.", "I would get rid of the {}.", "Not a fan of {}, it feels cheap.",
            "The {} ruins it for me.", "I can't stand {} pictures.", "{}: no thanks.", "It is {} again, and I am tired of that.",
            "I dislike the {} style because it hurts my eyes."),
}  # fmt: skip
PARTS = {
    "palette": "colors", "hue": "colors", "temperature": "colors", "key": "light", "contrast": "light", "light": "light", "mood": "mood",
    "texture": "texture", "medium": "technique", "line": "line work", "background": "background", "frame": "framing",
}  # fmt: skip


def draw_people(vocabulary: dict, known: list[str], count: int, each: int, seed: int, apart: float = 0.85) -> list[Agent]:
    """At most ``count`` people with ``each`` liked and disliked looks out of ``known``, fewer where no more fit.

    Liked ones are of different groups, and such as the model's training pictures wear together while there are any of that kind
    (up to five are). Raises ValueError when ``each`` is more than the groups allow.
    """
    rng, groups, people = random.Random(seed), group_of(vocabulary), []
    if each > len({groups[a] for a in known}):
        raise ValueError(f"{each} liked looks need as many groups, but there are {len({groups[a] for a in known})}.")
    for _ in range(100 * count):
        liked = _together(known, groups, each, rng)
        others = [a for a in known if groups[a] not in {groups[b] for b in liked}]
        if len(others) < each:
            continue
        person = Agent(tuple(liked), tuple(rng.sample(others, each)))
        if all(distance(person, other) >= apart for other in people):
            people.append(person)
            if len(people) == count:
                break
    return people


def _together(known: list[str], groups: dict[str, str], each: int, rng: random.Random, tries: int = 10) -> list[str]:
    """``each`` looks of different groups, compatible ones if some draw finds them; groups come up alike, whatever their size."""
    best: list[str] = []
    for _ in range(tries):
        chosen: list[str] = []
        fits = known
        while fits and len(chosen) < each:
            group = rng.choice(sorted({groups[a] for a in fits}))
            chosen.append(rng.choice([a for a in fits if groups[a] == group]))
            fits = [a for a in fits if compatible(a, chosen[-1], groups)]
        best = max(best, chosen, key=len)
        if len(best) == each:
            return best
    while len(best) < each:
        best.append(rng.choice([a for a in known if groups[a] not in {groups[b] for b in best}]))
    return best


def wordings(attribute: str, vocabulary: dict) -> list[str]:
    """All that the model was taught to call it; the first is its name."""
    return vocabulary["attributes"][group_of(vocabulary)[attribute]][attribute]


def true_preferences(person: Agent, vocabulary: dict) -> Preferences:
    """The looks themselves, by name: what an extractor would read that misses nothing."""
    return Preferences(*(tuple(Feature(wordings(a, vocabulary)[0]) for a in side) for side in (person.liked, person.disliked)))


def moulds() -> remarks.Moulds:
    """Marked comments that the built-in extractor was not trained on."""
    return remarks.Moulds([m for some in comments("en") for m in set_aside(some) if m.marks])


def write(person: Agent, vocabulary: dict, seed: str, moulds: remarks.Moulds | None = None, count: int = COMMENTS) -> Comments:
    """``count`` comments that between them tell every look: by name or, a quarter, in other words of the vocabulary.

    A fifth first praises or blames the part of the picture alone ("I love the light."). With ``moulds`` they are sarcastic
    (5 %) and misspelt (15 %) at times, as the training people of ``vpe/recipe/people.py`` are.
    """
    rng, groups = random.Random(seed), group_of(vocabulary)
    said = [(True, a) for a in person.liked] + [(False, a) for a in person.disliked]
    each = -(-len(said) // count)
    queue: list[tuple[bool, str]] = []
    while len(queue) < each * count:
        queue += rng.sample(said, len(said))
    lines = []
    for i in range(0, each * count, each):
        about = list(dict.fromkeys(queue[i : i + each]))
        words: dict[bool, list[str]] = {True: [], False: []}
        for liked, attribute in about:
            name, *others = wordings(attribute, vocabulary)
            words[liked].append(rng.choice(others) if rng.random() < DESCRIBES else name)
        if moulds:
            line = remarks.by_templates(rng, moulds, words[True], words[False], "names", SARCASM, TYPOS)
        else:
            line = " ".join(rng.choice(SAYS[liked]).format(word) for liked in words for word in words[liked])
        if rng.random() < PRAISES:
            liked, attribute = about[0]
            line = rng.choice(remarks.UNNAMED[liked]).format(PARTS[groups[attribute]]) + " " + line
        lines.append(Comment(line[0].upper() + line[1:]))
    return Comments(tuple(lines))


def understood(person: Agent, read: Preferences, vocabulary: dict) -> tuple[int, int, int]:
    """(looks read on their side, looks read on the other side, features that name none of the person's looks)."""
    owner = {normalise(w): a for a in person.liked + person.disliked for w in wordings(a, vocabulary)}
    sides = [{owner.get(normalise(f.text)) for f in side} - {None} for side in (read.liked, read.disliked)]
    right = sum(len(side & set(mine)) for side, mine in zip(sides, (person.liked, person.disliked), strict=True))
    wrong = sum(len(side & set(theirs)) for side, theirs in zip(sides, (person.disliked, person.liked), strict=True))
    return right, wrong, sum(normalise(f.text) not in owner for f in read.liked + read.disliked)
