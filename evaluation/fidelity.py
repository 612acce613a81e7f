"""How much of a subject, and of a prompt, is in pictures (DreamBooth, Ruiz et al. 2023, arXiv 2208.12242, sections 4.1 and 4.3).

    subject fidelity  mean cosine of all pairs of a generated and a real picture: CLIP-I or DINO, as the encoder is
    prompt fidelity   mean cosine of a picture and its prompt without the identifier: CLIP-T
    PRES              the arithmetic of subject fidelity on pictures of the class: what the class has taken from the subject

Embeddings have unit length everywhere.
"""

from __future__ import annotations

import re

from torch import Tensor

from .errors import EvaluationError


def similarity(pictures: Tensor, reals: Tensor) -> Tensor:
    """(N, d) and (K, d) → (N,) mean cosine of each picture to all real ones; their mean is that over all pairs."""
    return (pictures.double() @ reals.double().T).mean(1)


def among(reals: Tensor) -> float:
    """Mean cosine over pairs of two different real pictures: the most that can be asked for. NaN for a single one."""
    cosines = reals.double() @ reals.double().T
    pairs = len(reals) * (len(reals) - 1)
    return float((cosines.sum() - cosines.diagonal().sum()) / pairs) if pairs else float("nan")


def prompt_similarity(pictures: Tensor, texts: Tensor) -> Tensor:
    """(N, d) and (N, d) → (N,) cosine of each picture to its own prompt."""
    return (pictures.double() * texts.double()).sum(1)


def prompt_lines(text: str, identifier: str = "") -> list[str]:
    """A prompt a line, without the identifier, as in the paper. Raises EvaluationError where there is none, or nothing left of one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise EvaluationError("There is no prompt to compare with: write what the pictures should show.")
    lines = [without(line, identifier) for line in lines]
    if not all(lines):
        raise EvaluationError(f'Without its identifier "{identifier.strip()}" a prompt is empty: write what the pictures should show.')
    return lines


def prompts_of(text: str, count: int, identifier: str = "") -> list[str]:
    """A prompt a picture: one line for all of ``count``, or one line a picture. Raises EvaluationError for another number."""
    lines = prompt_lines(text, identifier)
    if len(lines) not in (1, count):
        pictures = "1 picture" if count == 1 else f"{count} pictures"
        raise EvaluationError(f"There are {len(lines)} prompts and {pictures}: write one line for all pictures, or one line a picture.")
    return lines if len(lines) == count else lines * count


def without(prompt: str, identifier: str) -> str:
    """The prompt without a word or words that mean only the subject."""
    if not identifier.strip():
        return prompt.strip()
    word = r"\s+".join(re.escape(part) for part in identifier.split())
    rest = re.sub(rf"(?<!\w){word}(?!\w)", " ", prompt, flags=re.IGNORECASE)
    return re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\s+", " ", rest)).strip(" ,;")
