"""When ε_vp is computed: the options of the guidance and the part of the trajectory they cover."""

from __future__ import annotations

from dataclasses import dataclass

SCHEDULES = ("exact",)


@dataclass(frozen=True)
class GuidanceOptions:
    """What travels as VIPER_GUIDANCE.

    ``start_percent``/``end_percent``: the part of the trajectory that is guided, 0 is the first step (pure noise) and
    1 the end. ``schedule``: ``exact`` computes ε_vp at every evaluation of the model. ``rescale``: φ of the guided
    rescale (see `guidance.rescale`), 0 is off.
    """

    start_percent: float = 0.0
    end_percent: float = 1.0
    schedule: str = "exact"
    rescale: float = 0.0

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

    @property
    def whole_trajectory(self) -> bool:
        return self.start_percent == 0.0 and self.end_percent == 1.0
