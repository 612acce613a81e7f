"""What a training picture shows, and the many ways to say it."""

import random
from dataclasses import dataclass

FILLERS = ["a picture of", "an icon of", "a drawing of", "an illustration of", "a", "the", "a beautiful", "an emoji of", ""]
TAILS = ["high quality", "on white", "simple", "nice", "detailed", "cute"]
# Groups that repaint the whole picture exclude each other.
EXCLUSIVE = [{"palette", "hue", "temperature"}, {"palette", "hue", "temperature", "background"}, {"contrast", "key"}, {"line", "texture"}]


@dataclass(frozen=True)
class Spec:
    """One caption's content; ``look`` is None where the set was left open."""

    subject: str
    attributes: tuple[str, ...]
    look: str | None


def group_of(vocabulary: dict) -> dict[str, str]:
    return {a: g for g, names in vocabulary["attributes"].items() for a in names}


def compatible(a: str, b: str, groups: dict[str, str]) -> bool:
    ga, gb = groups[a], groups[b]
    if ga == gb or {a, b} == {"line art", "vivid"}:
        return False
    return not any(ga in s and gb in s for s in EXCLUSIVE) and not (b == "line art" or a == "line art") | (
        "hue" in (ga, gb) and "line" in (ga, gb)
    )


def draw_spec(rng: random.Random, vocabulary: dict, counts=(0.2, 0.5, 0.25, 0.05)) -> Spec:
    """A random spec; simple subjects get about half the weight, held-out pairs never come."""
    subjects, groups = vocabulary["subjects"], group_of(vocabulary)
    subject = rng.choice(list(subjects["simple" if rng.random() < 0.5 else "common"]))
    held_out = {a for s, a in vocabulary["held_out_pairs"] if s == subject}
    chosen: list[str] = []
    kinds = [g for g in vocabulary["attributes"] if g != "look"]
    for _ in range(rng.choices(range(len(counts)), counts)[0]):
        for _ in range(20):
            group = rng.choice(kinds + ["palette", "hue", "texture"])
            name = rng.choice(list(vocabulary["attributes"][group]))
            if name not in held_out and all(compatible(name, c, groups) for c in chosen):
                chosen.append(name)
                break
    look = rng.choice([None, None, "any"])
    return Spec(subject, tuple(chosen), look)


def words_for(subject: str, vocabulary: dict) -> list[str]:
    for part in vocabulary["subjects"].values():
        if subject in part:
            return part[subject]["words"]
    raise KeyError(subject)


def phrase(attribute: str, vocabulary: dict, groups: dict[str, str], rng: random.Random) -> str:
    return rng.choice(vocabulary["attributes"][groups[attribute]][attribute])


def caption(spec: Spec, vocabulary: dict, rng: random.Random) -> str:
    """Subject and looks in free order; 5 % leave the subject out, since preferences name looks alone."""
    groups = group_of(vocabulary)
    looks = [phrase(a, vocabulary, groups, rng) for a in spec.attributes]
    if spec.look:
        looks.append(phrase(spec.look, vocabulary, groups, rng))
    name = rng.choice(words_for(spec.subject, vocabulary)) if rng.random() < 0.4 else spec.subject
    rng.shuffle(looks)
    if looks and rng.random() < 0.05:
        return ", ".join(looks)
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
