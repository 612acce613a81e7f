"""When ε_vp is computed: the options of the guidance, the part of the trajectory they cover, and what is remembered between.

ε_vp changes slowly along a trajectory: most of its evaluations tell little that the last ones did not. What is remembered is

    V = [d₊ (D₊ − D_p) − d₋ (D₋ − D_p)] / σ

(symbols as in `guidance`): the move in the space of the noise (of the velocity, for flow models), where it changes least from
one noise level to the next, and without the part of x that every evaluation holds anew. For d₊ = d₋ it is −β ε_vp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

SCHEDULES = ("exact", "interval", "reuse", "adaptive")
BETWEEN = ("extrapolate", "hold")


@dataclass(frozen=True)
class GuidanceOptions:
    """What travels as VIPER_GUIDANCE.

    ``start_percent``/``end_percent``: the part of the trajectory that is guided, 0 is the first step (pure noise) and
    1 the end. ``rescale``: φ of the guided rescale (see `guidance.rescale`), 0 is off. ``schedule``:

    - ``exact`` computes ε_vp at every evaluation of the model;
    - ``interval`` also, but guides only while ``sigma_end`` ≤ σ ≤ ``sigma_start`` (0: from the start), outside not at all;
    - ``reuse`` computes it at every ``every``-th noise level, ``between`` them as that says;
    - ``adaptive`` computes it where the change that was measured last lets expect more than ``tolerance`` of its length.
    """

    start_percent: float = 0.0
    end_percent: float = 1.0
    schedule: str = "exact"
    rescale: float = 0.0
    every: int = 4
    between: str = "extrapolate"
    tolerance: float = 0.2
    sigma_start: float = 0.0
    sigma_end: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.start_percent <= 1.0 or not 0.0 <= self.end_percent <= 1.0:
            raise ValueError("The guidance starts and ends between 0 and 1: set start_percent and end_percent in that range.")
        if self.start_percent > self.end_percent:
            raise ValueError(
                f"The guidance would end ({self.end_percent:g}) before it starts ({self.start_percent:g}): "
                "set start_percent below end_percent."
            )
        if self.schedule not in SCHEDULES:
            raise ValueError(f"There is no guidance schedule called {self.schedule!r}: choose one of {', '.join(SCHEDULES)}.")
        if not 0.0 <= self.rescale <= 1.0:
            raise ValueError(f"rescale goes from 0 (off) to 1, not {self.rescale:g}.")
        if self.between not in BETWEEN:
            raise ValueError(f"Between two evaluations ε_vp cannot be {self.between!r}: choose one of {', '.join(BETWEEN)}.")
        if self.every < 1:
            raise ValueError(f"ε_vp cannot be computed at every {self.every}th noise level: set every to 1 or more.")
        if not self.tolerance >= 0.0:
            raise ValueError(f"The tolerance is 0 (exact) or more, not {self.tolerance:g}.")
        if not (self.sigma_start >= 0.0 and self.sigma_end >= 0.0):
            raise ValueError("Noise levels are not below 0: set sigma_start and sigma_end to 0 or more.")
        if self.schedule == "interval" and self.sigma_start and self.sigma_start < self.sigma_end:
            raise ValueError(
                f"The guidance would end (sigma {self.sigma_end:g}) before it starts (sigma {self.sigma_start:g}): noise falls "
                "while a picture is made, so set sigma_start above sigma_end."
            )

    @property
    def everywhere(self) -> bool:
        """Whether every evaluation is guided by an ε_vp of its own, whatever its noise level."""
        return self.whole_trajectory and self.sigmas == (math.inf, 0.0) and self.memory() is None

    @property
    def whole_trajectory(self) -> bool:
        return self.start_percent == 0.0 and self.end_percent == 1.0

    @property
    def sigmas(self) -> tuple[float, float]:
        """The noise levels (highest, lowest) that ``schedule`` guides."""
        return (self.sigma_start or math.inf, self.sigma_end) if self.schedule == "interval" else (math.inf, 0.0)

    def memory(self) -> Memory | None:
        """What remembers V during one run, or None where every evaluation computes it."""
        if self.schedule == "reuse" and self.every > 1:
            return Memory(Every(self.every), self.between)
        if self.schedule == "adaptive" and self.tolerance > 0.0:
            return Memory(Adaptive(self.tolerance), self.between)
        return None


class Every:
    """Due at every ``every``-th noise level."""

    def __init__(self, every: int):
        self.every = every

    def due(self, levels: int, distance: float) -> bool:
        return levels >= self.every

    def learn(self, distance: float, wrong: Tensor, move: Tensor, picture: Tensor) -> None:
        pass


class Adaptive:
    """Due where the move is expected to be wrong by more than a share ``tolerance`` of its length.

    A control of step sizes as solvers of differential equations have it: how wrong the foretold V was when it was last computed
    tells how far to trust the next one. Distances are of log σ. Reading that one number is the only time that the device is waited
    for, once each time ε_vp is computed.
    """

    SMALL = 0.1  # of the picture's own length: what a smaller move says hardly matters, as at the end
    FIRST, GROWTH = 2, 2.0  # noise levels until the first measure; how much longer (shorter) the next distance is at most

    def __init__(self, tolerance: float):
        self.tolerance, self.reach = tolerance, None

    def due(self, levels: int, distance: float) -> bool:
        return levels >= self.FIRST if self.reach is None else distance > self.reach

    def learn(self, distance: float, wrong: Tensor, move: Tensor, picture: Tensor) -> None:
        share = float((wrong / (move + self.SMALL * picture).clamp_min(1e-12)).square().mean().sqrt())
        factor = self.tolerance / max(share, 1e-6)
        self.reach = distance * min(max(factor, 1.0 / self.GROWTH), self.GROWTH)


@dataclass
class Memory:
    """V at the noise levels of one run at which it was computed, and what follows from it for the levels between.

    When the noise rises above what was computed last
    (a restart, another picture) nothing that was remembered holds.
    """

    rule: Every | Adaptive
    between: str = "extrapolate"
    nodes: list[tuple[float, Tensor]] = field(default_factory=list)  # (σ, V), the last two
    level: int = 0  # of the last one

    def due(self, sigma: float, level: int) -> bool:
        """Whether V must be computed at this noise level, the ``level``-th of the run."""
        if self.nodes and sigma > self.nodes[-1][0]:
            self.nodes.clear()
        if not self.nodes:
            return True
        at = self.nodes[-1][0]
        return sigma != at and (sigma <= 0.0 or self.rule.due(level - self.level, math.log(at / sigma)))

    def keep(self, sigma: float, level: int, V: Tensor, D_p: Tensor) -> None:
        """V was computed at this level, σ > 0."""
        if self.nodes:
            self.rule.learn(math.log(self.nodes[-1][0] / sigma), sigma * _length(V - self.recall(sigma)), sigma * _length(V), _length(D_p))
        self.nodes, self.level = [*self.nodes[-1:], (sigma, V)], level

    def recall(self, sigma: float) -> Tensor:
        """V at this level, from the last one or two that were computed: a line over σ."""
        at, V = self.nodes[-1]
        if self.between == "hold" or len(self.nodes) == 1:
            return V
        before, V_before = self.nodes[0]
        return torch.lerp(V_before, V, (before - sigma) / (before - at))


def _length(V: Tensor) -> Tensor:
    """Of each sample, (B,)."""
    return V.flatten(1).norm(dim=1)
