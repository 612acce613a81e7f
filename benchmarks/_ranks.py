"""The arithmetic of ``personalisation.py``: first places, their bootstrap over people, diversity. NumPy only."""

from collections.abc import Sequence

import numpy as np


def first_place(own: float, others: Sequence[float]) -> float:
    """1 when ``own`` is the highest score of all, 0 when another is, a share of 1 in a tie for the first place."""
    best = max(others)
    return 0.0 if own < best else 1.0 if own > best else 1 / (1 + sum(o == own for o in others))


def against_others(scores: np.ndarray, rng: np.random.Generator, among: int = 8, draws: int = 50) -> np.ndarray:
    """``scores[i, j]``: what person i's judge gives the picture made for person j. → (people,) mean first place of one's own.

    Each of ``draws`` line-ups holds one's own picture and ``among - 1`` of other people.
    """
    n = len(scores)
    if n < among:
        raise ValueError(f"A line-up of {among} needs {among} people, not {n}.")
    places = np.zeros(n)
    for i in range(n):
        rest = np.delete(scores[i], i)
        places[i] = np.mean([first_place(scores[i, i], rng.choice(rest, among - 1, replace=False)) for _ in range(draws)])
    return places


def interval(people: Sequence[Sequence[float]], seed: int = 0, draws: int = 2000) -> tuple[float, float, float]:
    """Mean of all values and the 95 % interval of 2,000 bootstrap samples of people; a person's values come together.

    NaN values are left out, people without any as well.
    """
    known = [values[~np.isnan(values)] for values in (np.asarray(p, float) for p in people)]
    known = [values for values in known if len(values)]
    if not known:
        return float("nan"), float("nan"), float("nan")
    sums, counts = np.array([v.sum() for v in known]), np.array([len(v) for v in known])
    chosen = np.random.default_rng(seed).integers(0, len(sums), (draws, len(sums)))
    means = sums[chosen].sum(1) / counts[chosen].sum(1)
    return float(sums.sum() / counts.sum()), *map(float, np.quantile(means, (0.025, 0.975)))


def spread(embeddings: np.ndarray) -> float:
    """Mean pairwise cosine distance of (N, d) unit vectors."""
    n = len(embeddings)
    return float(1 - ((embeddings @ embeddings.T).sum() - n) / (n * (n - 1)))


def at_level(points: Sequence[tuple[float, float]], level: float) -> float:
    """y where x falls to ``level`` for the last time, on the line through ``points`` (x, y) in their order; NaN where it never does."""
    for (x0, y0), (x1, y1) in reversed(list(zip(points, points[1:], strict=False))):
        if x1 <= level <= x0:
            return y0 if x0 == x1 else y0 + (y1 - y0) * (x0 - level) / (x0 - x1)
    return float("nan")


def shown(value: tuple[float, float, float]) -> str:
    """A share and its interval for a table: "91 % (88–94)"."""
    mean, low, high = (100 * v for v in value)
    return f"{mean:.1f} % ({low:.0f}\u2013{high:.0f})"
