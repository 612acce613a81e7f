"""What a comment praises or blames without naming it: "I love the colors", "the lighting is awful", "색감이 너무 좋아요".

The words say only which aspect of the picture is meant and on which side it is; what the aspect looks like must be seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from . import lexicon as lx
from .attributes import lookup
from .comments import Comment
from .languages import language
from .lexical import Reading

# Bare heads and the aspect they mean; the last four can only be seen by a model (``appearance.ASPECTS`` are the others).
_HEADS = {
    "color": "color colors coloring tone tones hue hues palette palettes shade shades tint tints undertone undertones colorwork",
    "light": "light lights lighting shadow shadows shading illumination glow",
    "texture": "texture textures texturing surface surfaces",
    "line": "line lines linework outline outlines edge edges contours",
    "detail": "detailing",
    "composition": "composition compositions layout framing arrangement",
    "focus": "focus",
    "contrast": "contrasts",
    "style": "style styles aesthetic design designs technique art artwork",
    "mood": "mood vibe vibes atmosphere feel feeling energy",
    "brushwork": "brushwork brushstrokes brushstroke strokes stroke brush",
    "perspective": "perspective perspectives viewpoint angle",
}
SEEN_AS = {
    "color": ("color", "hue"),
    "light": ("light",),
    "contrast": ("light",),
    "texture": ("texture and surface",),
    "line": ("line",),
    "detail": ("detail",),
    "composition": ("composition",),
    "focus": ("perspective and camera",),
    "style": ("movement", "genre and culture", "medium", "print and photography", "digital and built"),
    "mood": ("mood",),
    "brushwork": ("brushwork and marks",),
    "perspective": ("perspective and camera",),
}
_ASPECT = {head: aspect for aspect, heads in _HEADS.items() for head in heads.split()}

_KOREAN = {
    "color": "색감|색깔|색상|색채|색조|색|컬러|배색|팔레트",
    "light": "빛|조명|명암|그림자|채광",
    "texture": "질감|텍스처|텍스쳐|재질",
    "line": "선|라인|윤곽선|외곽선|테두리",
    "detail": "디테일|세부 묘사|묘사",
    "composition": "구도|구성|배치|레이아웃|여백",
    "focus": "초점|포커스",
    "contrast": "대비|대조",
    "style": "화풍|스타일|그림체|기법",
    "mood": "분위기|느낌|무드|감성",
    "brushwork": "붓터치|붓질|붓 터치|터치",
    "perspective": "원근감|원근|시점|각도",
}
_DEGREE = r"(?:\s*(?:너무|정말|진짜|아주|매우|참|완전|되게|꽤|굉장히|다|제일|가장|특히|그냥|좀|조금|전혀|별로|하나도))*\s*"
_GOOD = (r"좋|예쁘|예뻐|이쁘|이뻐|마음에\s*들|맘에\s*들|마음에\s*쏙|사랑|멋지|멋져|멋있|아름답|아름다|"
         r"최고|훌륭|매력|취향|끝내|대박|완벽|반했|끌려|끌리")
_BAD = (r"싫|별로|마음에\s*안|맘에\s*안|안\s*들|이상하|이상해|촌스|구려|구리|최악|아쉽|아쉬|거슬|불편|못생|"
        r"엉망|형편없|안\s*좋|안\s*예|안\s*끌|좋지\s*않|예쁘지\s*않|들지\s*않|취향이?\s*아니")
_KO = re.compile(
    rf"(?<![가-힣])(?P<head>{'|'.join(sorted('|'.join(_KOREAN.values()).split('|'), key=len, reverse=True))})"
    rf"(?:이|가|은|는|을|를|도|만|들이|들도|들은)?\s*{_DEGREE}(?:(?P<bad>{_BAD})|(?P<good>{_GOOD}))"
)


class Unnamed(NamedTuple):
    """An aspect that a sentence judges without saying what it looks like; ``value`` is signed like a reading's."""

    aspect: str
    value: float
    source: str


def unnamed(comment: Comment, readings: Sequence[Reading]) -> list[Unnamed]:
    """The aspects that ``comment`` likes or dislikes without naming them, each once, in the order of mention.

    ``readings`` is what was read from it: an aspect that the same sentence describes is not unnamed.
    """
    code = language(comment.text)
    found = _english(comment) if code == "en" else _korean(comment) if code == "ko" else []
    values: dict[str, set[bool]] = {}
    for one in found:
        values.setdefault(one.aspect, set()).add(one.value > 0)
    first: dict[str, Unnamed] = {}
    for one in found:
        named = {aspect for r in readings if r.source.strip() in one.source or one.source in r.source for aspect in _aspects(r.text)}
        if len(values[one.aspect]) == 1 and one.aspect not in named:  # "the light is lovely … the light is awful" tells nothing
            first.setdefault(one.aspect, one)
    return list(first.values())


def _aspects(feature: str) -> set[str]:
    """The aspects that a named feature describes, by its words and by its attribute's category; a bare head describes none."""
    words = feature.split()
    if all(word in _ASPECT or word in lx.PLAIN for word in words):
        return set()
    known = lookup(feature)
    heads = {_ASPECT[word] for word in words if word in _ASPECT}
    return heads | {aspect for aspect, categories in SEEN_AS.items() if known and known.category in categories}


def _english(comment: Comment) -> list[Unnamed]:
    from .polarity import opinion, read
    from .words import sentences

    found = []
    for text in sentences(comment.text):
        sentence = read(text)
        for clause in sentence.clauses:
            taken = {i for phrase in clause.phrases for i in range(phrase.start, phrase.at + 1)}
            for i, token in enumerate(clause.tokens):
                aspect = _ASPECT.get(token.text) if i not in taken else None
                value = opinion(clause, i) if aspect else None
                if aspect and value is None and len(sentence.clauses) == 1 and len(clause.tokens) <= 3:
                    value = {"like": 0.9, "dislike": -0.9}.get(comment.verdict or "")  # "+ the colors"
                if aspect and value:
                    found.append(Unnamed(aspect, -abs(value) if sentence.sarcastic else round(value, 2), text.strip()))
    return found


def _korean(comment: Comment) -> list[Unnamed]:
    aspects = {word: aspect for aspect, words in _KOREAN.items() for word in words.split("|")}
    return [
        Unnamed(aspects[match["head"]], -0.9 if match["bad"] else 0.9, sentence.strip())
        for sentence in re.split(r"(?<=[.!?\u2026\n])\s*", comment.text)
        for match in _KO.finditer(sentence)
    ]
