"""Prompts that a subject should still follow after it was learned: its own prompt, with the words people will add to it."""

from __future__ import annotations

from .errors import TrainingError
from .gather import fill

IDENTIFIER = "[v]"
LOOKS = (
    "oil painting", "pencil drawing", "line art", "stained glass", "mosaic", "woodcut", "paper cut", "neon sign", "chalk drawing",
    "blueprint", "cross hatching", "bold outlines", "halftone dots", "film grain", "soft focus",
)  # fmt: skip
PLACES = (
    "at the beach", "underwater", "at sunset", "in the fog", "on a black background", "on a pink background", "on a yellow background",
    "on a striped background",
)  # fmt: skip
LIGHTS = (
    "black and white", "green tones", "orange tones", "red tones", "pink tones", "vivid colors", "muted colors", "cool colors",
    "warm light", "bright light", "dark", "faded", "high contrast", "glowing", "dreamy",
)  # fmt: skip
COLORS = ("red", "green", "yellow", "black", "white", "pink", "orange", "brown")

# Few enough to be kept encoded beside a large model, of every kind that prompts are made of.
PROMPTS = (*(f"a [V] [class], {words}" for words in (*LOOKS, *PLACES, *LIGHTS)), *(f"a {color} [V] [class]" for color in COLORS))


def prompts(own: str, identifier: str, class_noun: str) -> list[tuple[str, str]]:
    """``(a [V] [class], words; a [class], words)`` of each line of ``own``, or of `PROMPTS` where that is empty. Raises TrainingError."""
    lines = [line for line in own.splitlines() if line.strip()] or PROMPTS
    for line in lines:
        if IDENTIFIER not in line.lower():
            raise TrainingError(f'The preserved prompt "{line.strip()}" does not name the subject: write [V] [class] where it belongs.')
    return [(fill(line, identifier, class_noun), fill(line, "", class_noun)) for line in lines]
