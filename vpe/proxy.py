"""How ViPer's proxy metric asks (Salehi et al., ECCV 2024): a chat in which every picture was answered with - or +, and one more picture.

The score is Pr(the person likes the picture | pictures they dislike and like): a softmax over the two answers' logits. For the node
(``evaluation/proxy.py``) and for the recipe that trains such a judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

QUESTION = "Score for this image?"
SIGNS = ("-", "+")


def in_turn(disliked: Sequence[Any], liked: Sequence[Any]) -> list[tuple[Any, str]]:
    """A disliked and a liked picture in turn, each with its sign: the order of ViPer's own ``metric.py``.

    Raises ValueError when there is not the same number of both.
    """
    if not liked or len(disliked) != len(liked):
        raise ValueError(f"The score needs as many disliked as liked pictures, not {len(disliked)} and {len(liked)}: leave some out.")
    return [(p, sign) for pair in zip(disliked, liked, strict=True) for p, sign in zip(pair, SIGNS, strict=True)]


def conversation(context: Sequence[tuple[Any, str]], picture: Any) -> list[tuple[str, list[Any]]]:
    """The turns up to where the model would answer for ``picture``."""
    turns = [turn for p, sign in context for turn in (("user", [p, QUESTION]), ("assistant", [sign]))]
    return [*turns, ("user", [picture, QUESTION])]


def asked(text: str) -> str:
    """A chat template's text as ``metric.py`` ends it: IDEFICS2's "Assistant:" with a blank behind."""
    return text + " " if text.endswith(":") else text


def answer_ids(tokenizer: Any) -> tuple[int, int]:
    """The tokens of "-" and "+": 387 and 648 in IDEFICS2."""
    minus, plus = (tokenizer(sign, add_special_tokens=False)["input_ids"][-1] for sign in SIGNS)
    return minus, plus
