"""Attributes of a picture by comparing its embedding with those of words: zero-shot classification by a dual encoder.

Radford et al. 2021 (CLIP, arXiv 2103.00020), with an answer "none of these": most pictures show nothing of most categories.
"""

from __future__ import annotations

import numpy as np


def zero_shot(image_embeds, text_embeds, groups, scale: float = 100.0, margin: float = 0.15) -> list[tuple[int, float]]:
    """What a dual encoder (CLIP, Radford et al. 2021) sees: indices of the attributes that stand out, with confidence, surest first.

    ``image_embeds`` (D,), ``text_embeds`` (A, D), ``groups`` the category of each of the A. What all prompts share is
    subtracted first. A category has at most one answer, found by softmax; since something in a category always fits best,
    "none of these" competes, with the logit of the average attribute of all categories. The answer must lead by ``margin``.
    """
    image, texts = np.asarray(image_embeds, dtype=np.float64), np.asarray(text_embeds, dtype=np.float64)
    if image.ndim != 1 or texts.ndim != 2 or texts.shape[1] != len(image) or len(groups) != len(texts) or not len(texts):
        raise ValueError(
            f"One picture (D,), texts (A, D) and A categories are needed, not {image.shape}, {texts.shape} and {len(groups)}: "
            "take pictures and texts of one encoder."
        )
    texts = _unit(texts)
    if len(texts) > 1:
        texts = _unit(texts - texts.mean(0))
    logits = scale * (texts @ _unit(image))
    odds = np.exp(logits - logits.max())
    none, found = odds.mean(), []
    for group in dict.fromkeys(groups):
        members = np.array([i for i, g in enumerate(groups) if g == group])
        p = np.append(odds[members], none) / (odds[members].sum() + none)
        best = int(p[:-1].argmax())
        if p[best] - np.delete(p, best).max() >= margin:
            found.append((int(members[best]), float(p[best])))
    return sorted(found, key=lambda pair: -pair[1])


def zero_shot_prompts(attribute_name: str) -> list[str]:
    """Sentences for a text encoder; average their embeddings. One template alone would favour the attributes it suits."""
    return [template.format(attribute_name) for template in ("{}", "a picture, {}", "an artwork with {}", "art, {} style")]


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
