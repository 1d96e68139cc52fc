"""Spread of measured steps around predicted ones: quantiles of held-out ratios by kind of step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.latency.step import KINDS, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Intervals"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_LEVELS = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995)
_FEWEST = 40  # steps of a kind that bear quantiles of their own


@dataclass(frozen=True)
class Intervals:
    """Quantiles of measured over predicted time on steps that the judged fits had not seen.

    Attributes:
        levels: the probabilities, rising.
        ratios: "all" and kinds of step with enough of them -> the quantiles at `levels`.
    """

    levels: tuple[float, ...]
    ratios: dict[str, tuple[float, ...]]

    @classmethod
    def of(cls, features: Floats, measured_s: Floats, predicted_s: Floats) -> Intervals:
        """Take quantiles (linear) for rows of (p, x, n, c)."""
        ratio, kinds = measured_s / predicted_s, kind_of(features)
        masks = {"all": np.ones(len(ratio), bool)}
        masks |= {kind: kinds == index for index, kind in enumerate(KINDS)}
        return cls(
            levels=_LEVELS,
            ratios={
                kind: tuple(float(f"{q:.5g}") for q in np.quantile(ratio[mask], _LEVELS))
                for kind, mask in masks.items()
                if kind == "all" or mask.sum() >= _FEWEST
            },
        )

    def around(
        self, features: Floats, predict: Callable[[Floats], Floats], level: float
    ) -> tuple[Floats, Floats]:
        """Return low and high seconds that hold a share `level` of such rows of (p, x, n, c).

        Raises:
            UsageError: the level is not above 0 or is beyond what was recorded.
        """
        widest = self.levels[-1] - self.levels[0]
        if not 0 < level <= widest + 1e-9:
            raise UsageError(f"level is {level}", fix=f"give a share above 0, at most {widest:g}")
        predicted_s = predict(features)
        ends = np.empty((2, len(features)))
        kinds = kind_of(features)
        for index, kind in enumerate(KINDS):
            ratios = self.ratios.get(kind, self.ratios["all"])
            wanted = np.interp([(1 - level) / 2, (1 + level) / 2], self.levels, ratios)
            ends[:, kinds == index] = wanted[:, None]
        return ends[0] * predicted_s, ends[1] * predicted_s

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "levels": list(self.levels),
            "ratios": {kind: list(values) for kind, values in self.ratios.items()},
        }
