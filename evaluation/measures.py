"""Each measure as a row of the report and some sentences on what it means. The arithmetic is in the modules of their names."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .. import host
from .distributions import frechet_distance, inception_score, resampled_distance, resampled_score, resamples
from .diversity import cosine_distances, diversity, diversity_interval, prompts_apart
from .encoders import Encoder, pocket
from .errors import EvaluationError
from .fidelity import among, prompt_similarity, prompts_of, similarity
from .identity import identity_stability, others_of
from .metrics import Row, figure, label_of, mean_interval, need, spread_interval

DISTANCES = {"embedding": None, "LPIPS alex": "alex", "LPIPS vgg": "vgg"}
SCALE = "Compare numbers of this encoder only with each other: every encoder has its own scale."

Measured = tuple[Row, str]


def _mean(label: str, metric: str, values: Tensor, encoder: str, better: str = "higher") -> Row:
    return Row(label_of(label), metric, float(values.mean()), *mean_interval(values), len(values), encoder, better)


def _spread(value: float, resampled: Callable, times: int) -> tuple[float, float]:
    """`spread_interval`, with the bar and Cancel: each draw may take a second."""
    bar = host.progress(times)

    def watched(rng) -> float:
        host.stop_if_cancelled()
        bar.update(1)
        return resampled(rng)

    return spread_interval(value, watched, times)


def _said(row: Row, *lines: str) -> Measured:
    return row, "\n".join([str(row) + ".", *filter(None, lines)])


def subject_fidelity(images: Tensor, subject_images: Tensor, encoder: Encoder | None = None, label: str = "") -> Measured:
    encoder = encoder or pocket()
    real = encoder.pictures(subject_images)
    row = _mean(label, "subject fidelity", similarity(encoder.pictures(images), real), encoder.name)
    return _said(row, _ceiling(real), SCALE)


def _ceiling(real: Tensor) -> str:
    ceiling = among(real)
    if math.isnan(ceiling):
        return "There is one real picture: its pose counts as much as the subject does. Three to five are better."
    return f"The {len(real)} real pictures have {figure(ceiling)} among themselves: more is not to be had, unless by copying them."


def prompt_fidelity(images: Tensor, prompt: str, identifier: str = "", encoder: Encoder | None = None, label: str = "") -> Measured:
    encoder = encoder or pocket()
    prompts = prompts_of(prompt, len(images), identifier)
    texts = encoder.texts(prompts)
    row = _mean(label, "prompt fidelity", prompt_similarity(encoder.pictures(images), texts), encoder.name)
    shown = list(dict.fromkeys(prompts))
    read = f"Compared with: {'; '.join(shown[:5])}{' …' if len(shown) > 5 else ''}."
    kept = "" if not identifier.strip() or _has(prompt, identifier) else f'The identifier "{identifier.strip()}" is in none of the prompts.'
    return _said(row, read, kept, SCALE)


def _has(prompt: str, identifier: str) -> bool:
    return " ".join(identifier.lower().split()) in " ".join(prompt.lower().split())


def prior_preservation(class_images: Tensor, subject_images: Tensor, encoder: Encoder | None = None, label: str = "") -> Measured:
    encoder = encoder or pocket()
    real, pictures = encoder.pictures(subject_images), encoder.pictures(class_images)
    row = _mean(label, "PRES", similarity(pictures, real), encoder.name, "lower")
    return _said(
        row,
        "How much pictures of the class look like the subject. Lower is better: a high number says that the class has become the subject "
        "(some summaries of the paper say the opposite). Measure the untrained model too: its number is where it began.",
        SCALE,
    )


def picture_diversity(
    images: Tensor, distance: str = "embedding", encoder: Encoder | None = None, label: str = "", per_prompt: int = 0
) -> Measured:
    need(images, 2, "Diversity")
    groups = prompts_apart(len(images), per_prompt)
    if distance not in DISTANCES:
        raise EvaluationError(f'There is no distance "{distance}": choose {", ".join(DISTANCES)}.')
    if kind := DISTANCES[distance]:
        from .networks import perceptual

        net, name = perceptual(kind), distance
        found = [net.distances(images[group.start : group.stop]) for group in groups]
    else:
        encoder = encoder or pocket()
        embeddings, name = encoder.pictures(images), encoder.name
        found = [cosine_distances(embeddings[group.start : group.stop]) for group in groups]
    value = sum(map(diversity, found)) / len(found)
    row = Row(label_of(label), "DIV", value, *diversity_interval(found), len(images), name)
    prompts = "one prompt" if len(groups) == 1 else f"{len(groups)} prompts"
    paper = "The paper measures with LPIPS." if kind is None else ""
    return _said(row, f"The mean distance between pictures of a prompt, over {prompts}. {paper}".strip(), SCALE)


def frechet(images: Tensor, reference_images: Tensor, encoder: Encoder | None = None, label: str = "") -> Measured:
    for pictures, what in ((images, "The Fréchet distance"), (reference_images, "The Fréchet distance's reference")):
        need(pictures, 2, what)
    if encoder is None:
        from .networks import inception

        net = inception()
        name, x, y = net.name, net.features(images), net.features(reference_images)
    else:
        name, x, y = encoder.name, encoder.pictures(images), encoder.pictures(reference_images)
    value = frechet_distance(x, y)
    fewest, width = min(len(x), len(y)), x.shape[1]
    interval = _spread(value, lambda rng: resampled_distance(x, y, rng), resamples(fewest, width))
    row = Row(label_of(label), "FID", value, *interval, len(images), name, "lower")
    biased = ""
    if fewest <= width:
        biased = (
            f"{fewest} pictures are not more than the {width} numbers of an embedding: the covariance is singular and the distance comes "
            "out too large. Compare it only with distances of as many pictures to as many; for a number to publish take thousands."
        )
    return _said(row, biased, SCALE)


def inception(images: Tensor, splits: int = 10, label: str = "") -> Measured:
    need(images, 1, "The inception score")
    if len(images) < splits:
        inception_score(torch.zeros(len(images), 1), splits)  # says so before a network is loaded
    from .networks import inception as network

    net = network()
    logits = net.logits(net.features(images))
    value, deviation = inception_score(logits, splits)
    interval = _spread(value, lambda rng: resampled_score(logits, splits, rng), 200 if len(images) > 1 else 0)
    row = Row(label_of(label), "inception score", value, *interval, len(images), net.name)
    most = -(-len(images) // splits)
    few = f"A split has {most} pictures, and the score cannot be larger than that: make more, or use fewer splits." if most < 1000 else ""
    return _said(row, f"Mean and deviation over {splits} splits: {figure(value)} ± {figure(deviation)}.", few)


def stability(images: Tensor, identity_images: Tensor, input_index: int = 0, encoder: Encoder | None = None, label: str = "") -> Measured:
    others = others_of(identity_images, input_index)
    encoder = encoder or pocket()
    row = _mean(label, "identity stability", identity_stability(encoder.pictures(images), encoder.pictures(others)), encoder.name)
    return _said(
        row,
        f"The least similarity of each picture to the person's {len(others)} other pictures, picture {input_index} left out.",
        f"Seen by {encoder.name}. Stellar cuts out the faces and sees them with a face encoder: load one from a folder with Load Image "
        "Encoder, and crop the pictures to faces.",
        SCALE,
    )
