"""A taste in an encoder's space: what a few judged pictures teach, and what words tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .encoders import Encoder


class Words:
    """Σ weight · z over liked features less the same over disliked ones, each side divided by its weights.

    z is how many standard deviations a picture is nearer to the feature's words than to words for looks in general: a dual encoder
    puts all texts at some distance of all pictures, and some texts nearer to everything.
    """

    def __init__(self, encoder: Encoder, said):
        from ..vpe.attributes import attributes

        self.all = encoder.texts([a.name for a in attributes()]).numpy()  # (A, d)
        self.sides = [(sign, encoder.texts([f.text for f in side]).numpy(), np.array([f.weight for f in side]))
                      for sign, side in ((1, said.liked), (-1, said.disliked)) if side]  # fmt: skip

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """(B, d) → (B,)"""
        against = z @ self.all.T  # (B, A)
        middle, spread = against.mean(1, keepdims=True), against.std(1, keepdims=True).clip(1e-6)
        out = np.zeros(len(z))
        for sign, texts, weights in self.sides:
            out += sign * ((z @ texts.T - middle) / spread) @ weights / weights.sum()
        return out


class Ridge:
    """P(liked | z) = σ(b + offset + w·(z − m)), w ~ N(0, s²): kernel logistic regression on few pictures of many dimensions.

    ``verdicts``: 1, −1, or 0 for pictures that were only compared; ``pairs`` add σ(w·(z_a − z_b)). Embeddings are divided by their
    root mean square distance, so that s has one meaning for all encoders; of ``STRENGTHS`` the one with the best leave-one-out
    likelihood is taken.
    """

    STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)

    def __init__(self, z: np.ndarray, verdicts: np.ndarray, pairs: Sequence[tuple[int, int]] = (), offset: np.ndarray | None = None):
        self.middle = z.mean(0)
        self.scale = max(float(np.sqrt(((z - self.middle) ** 2).sum(1).mean())), 1e-9)
        self.z, self.verdicts, self.pairs = (z - self.middle) / self.scale, np.asarray(verdicts), list(pairs)
        self.offset = np.zeros(len(z)) if offset is None else offset
        judged = [n for n in range(len(z)) if self.verdicts[n]]
        self.strength = max(self.STRENGTHS, key=lambda s: (self._left_out(judged, s), -s))
        self.w, self.b = self._fit(self.strength, set())

    def odds(self, z: np.ndarray, offset: np.ndarray | None = None) -> np.ndarray:
        """(B, d) → (B,) log odds."""
        return (z - self.middle) / self.scale @ self.w + self.b + (0.0 if offset is None else offset)

    def difference(self, a: int, b: int) -> float:
        """Of the log odds of pictures ``a`` and ``b``, learned without the two."""
        w, _ = self._fit(self.strength, {a, b})
        return float((self.z[a] - self.z[b]) @ w + self.offset[a] - self.offset[b])

    def _left_out(self, judged: list[int], strength: float) -> float:
        """Mean log likelihood of each verdict by what the others teach."""
        if len(judged) < 4:
            return 0.0
        total = 0.0
        for n in judged:
            w, b = self._fit(strength, {n})
            total -= np.logaddexp(0, -self.verdicts[n] * (self.z[n] @ w + b + self.offset[n]))
        return total / len(judged)

    def _fit(self, strength: float, without: set[int]) -> tuple[np.ndarray, float]:
        """Newton's method on the dual coefficients a of w = Φᵀa: rows of Φ are pictures, and differences of pairs."""
        rows = [(self.z[n], self.verdicts[n], self.offset[n], 1.0) for n in range(len(self.z)) if self.verdicts[n] and n not in without]
        rows += [(self.z[i] - self.z[j], 1, self.offset[i] - self.offset[j], 0.0) for i, j in self.pairs if not {i, j} & without]
        if not rows:
            return np.zeros(self.z.shape[1]), 0.0
        phi, sign, offset, one = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
        both = {*sign[one > 0]} == {1.0, -1.0}  # one side alone would be told by the intercept, whatever the pictures
        kernel = strength**2 * phi @ phi.T + (10.0 * np.outer(one, one) if both else 0.0)  # the intercept's prior: N(0, 10)
        f = np.zeros(len(rows))
        for _ in range(30):
            p = sigmoid(sign * (f + offset))
            gradient, curvature = sign * (1 - p), np.maximum(p * (1 - p), 1e-9)
            target = f + gradient / curvature
            new = kernel @ np.linalg.solve(kernel + np.diag(1 / curvature), target)
            done = np.abs(new - f).max() < 1e-8
            f = new
            if done:
                break
        a = np.linalg.solve(kernel + 1e-9 * np.eye(len(rows)), f)
        return strength**2 * phi.T @ a, float(10.0 * (one @ a)) if both else 0.0


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))
