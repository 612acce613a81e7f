"""What a training picture shows, and the many ways to say it."""

import random
from dataclasses import dataclass

FILLERS = ["a picture of", "an icon of", "a drawing of", "an illustration of", "a", "the", "a beautiful", "an emoji of", ""]
TAILS = ["high quality", "on white", "simple", "nice", "detailed", "cute"]
# Of each set at most one: they repaint the same thing.
EXCLUSIVE = [
    {"palette", "hue", "temperature", "mood", "medium", "background"}, {"palette", "hue", "temperature", "mood", "medium", "color"},
    {"contrast", "key", "mood"}, {"line", "texture", "medium"}, {"light", "medium", "line"}, {"light", "background"},
]  # fmt: skip
FLAT = {"line art", "silhouette", "pencil", "woodcut", "chalk", "blueprint", "neon sign"}  # leave no colour to change
TINTS = {"palette", "hue", "temperature", "mood", "color"}
SHARES = {"simple": 0.27, "common": 0.36, "more": 0.28, "wide": 0.09}  # of the drawn subjects
COUPLES = 0.22  # share of pictures with two subjects, left and right: each is drawn anew at half the size
PAIRED = {"simple": 0.45, "common": 0.4, "more": 0.15}  # of the subjects in couples


@dataclass(frozen=True)
class Spec:
    """One caption's content; ``look`` is None where the set was left open, ``second`` stands right of ``subject``."""

    subject: str
    attributes: tuple[str, ...]
    look: str | None
    second: str | None = None


def group_of(vocabulary: dict) -> dict[str, str]:
    return {a: g for g, names in vocabulary["attributes"].items() for a in names}


def compatible(a: str, b: str, groups: dict[str, str]) -> bool:
    ga, gb = groups[a], groups[b]
    if ga == gb or any(ga in s and gb in s for s in EXCLUSIVE):
        return False
    return not (a in FLAT and gb in TINTS or b in FLAT and ga in TINTS)


def draw_subject(rng: random.Random, vocabulary: dict, shares: dict[str, float] = SHARES) -> str:
    part = rng.choices(list(shares), list(shares.values()))[0]
    return rng.choice(list(vocabulary["subjects"][part]))


def draw_spec(rng: random.Random, vocabulary: dict, counts=(0.10, 0.32, 0.42, 0.16)) -> Spec:
    """A random spec; held-out pairs and couples never come."""
    groups, subject, second = group_of(vocabulary), draw_subject(rng, vocabulary), None
    if rng.random() < COUPLES:
        subject, second = draw_subject(rng, vocabulary, PAIRED), draw_subject(rng, vocabulary, PAIRED)
        if second == subject or [subject, second] in vocabulary["held_out_couples"] or [second, subject] in vocabulary["held_out_couples"]:
            second = None
    held_out = {a for s, a in vocabulary["held_out_pairs"] if s in (subject, second)}
    chosen: list[str] = []
    everything = [a for a, g in groups.items() if g != "look" and not (second and g == "color")]
    kinds = sorted({groups[a] for a in everything})
    for _ in range(1 if second and rng.random() < 0.4 else 0 if second else rng.choices(range(len(counts)), counts)[0]):
        for _ in range(20):
            # Between "every attribute alike" and "every group alike": small groups keep enough pictures.
            name = rng.choice(everything)
            if rng.random() < 0.35:
                group = rng.choice(kinds)
                name = rng.choice([a for a in vocabulary["attributes"][group]])
            if name not in held_out and all(compatible(name, c, groups) for c in chosen):
                chosen.append(name)
                break
    look = rng.choice([None, None, "any"])
    return Spec(subject, tuple(chosen), look, second)


def words_for(subject: str, vocabulary: dict) -> list[str]:
    for part in vocabulary["subjects"].values():
        if subject in part:
            return part[subject]["words"]
    raise KeyError(subject)


def phrase(attribute: str, vocabulary: dict, groups: dict[str, str], rng: random.Random) -> str:
    """The first phrase is the plain name, and comes often: a word like "dark" also stands in the phrases of other looks."""
    phrases = vocabulary["attributes"][groups[attribute]][attribute]
    return phrases[0] if rng.random() < 0.35 else rng.choice(phrases)


def name_of(subject: str, vocabulary: dict, rng: random.Random) -> str:
    return rng.choice(words_for(subject, vocabulary)) if rng.random() < 0.4 else subject


def caption(spec: Spec, vocabulary: dict, rng: random.Random) -> str:
    """Subject and looks in free order; 12 % leave the subject out, since preferences name looks alone."""
    groups = group_of(vocabulary)
    colours = [phrase(a, vocabulary, groups, rng) for a in spec.attributes if groups[a] == "color"]
    looks = [phrase(a, vocabulary, groups, rng) for a in spec.attributes if groups[a] != "color"]
    if spec.look:
        looks.append(phrase(spec.look, vocabulary, groups, rng))
    name = name_of(spec.subject, vocabulary, rng)
    rng.shuffle(looks)
    if looks and not colours and rng.random() < 0.12:
        return ", ".join(looks)
    if colours:  # a colour stands with its subject
        name = f"{colours[0]} {name}" if rng.random() < 0.85 else f"{name} that is {colours[0]}"
    if spec.second:
        other = name_of(spec.second, vocabulary, rng)
        name = f"{name} {rng.choice(['and', 'and a', 'next to a', 'beside a', 'left of a', 'with a'])} {other}"
    subject = f"{rng.choice(FILLERS)} {name}".strip()
    style = rng.random()
    if looks and style < 0.2:
        text = f"{rng.choice(['', 'a '])}{looks[0]} {name}"
        parts = [text, *looks[1:]]
    elif looks and style < 0.35:
        parts = [f"{subject} {rng.choice(['in', 'with'])} {looks[0]}", *looks[1:]]
    else:
        parts = [subject, *looks]
        if rng.random() < 0.35:
            rng.shuffle(parts)
    if rng.random() < 0.1:
        parts.append(rng.choice(TAILS))
    return ", ".join(parts)
