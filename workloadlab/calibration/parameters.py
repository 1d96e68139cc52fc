"""What moves in a calibration, and the latency model that its values mean.

The optimizer sees shares: 1 is the value at which a parameter alone would explain all the time in
which the engine was busy. Shares are of one size whatever the unit of the parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UnsupportedError
from workloadlab.latency import LatencyModel

if TYPE_CHECKING:
    from workloadlab.calibration.reconstruction import Reconstruction

__all__ = ["PHYSICAL", "Parameters", "from_scratch", "from_start"]

Floats = Any

PHYSICAL = {
    "constant_s": "s per step",
    "prefill_token_s": "s per prompt token",
    "prefill_context_s": "s per prompt token and token before its chunk",
    "decode_seq_s": "s per decoding sequence",
    "decode_context_s": "s per token of context of a decoding sequence",
}
"""Parameters of a calibration from nothing, with their units: those of `LatencyModel.linear`."""


@dataclass(frozen=True)
class Parameters:
    """Names, units and sizes of what moves.

    Attributes:
        units: unit of each parameter, by name.
        whole: value of each that alone explains the busy time.
        initial: where the search starts, in shares.
        start: the model that is scaled, or None.
    """

    units: dict[str, str]
    whole: Floats
    initial: Floats
    start: LatencyModel | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(self.units)

    def values(self, shares: Floats) -> dict[str, float]:
        """Return the parameters by name, in their units."""
        pairs = zip(self.names, shares * self.whole, strict=True)
        return {name: float(value) for name, value in pairs}

    def model(self, shares: Floats) -> LatencyModel:
        """Return the latency model that the shares mean."""
        values = self.values(shares)
        if self.start is None:
            return LatencyModel.linear(**values)
        return _scaled(self.start, values["scale"], values["overhead_s"])


def from_scratch(work: Reconstruction, overhead_s: float) -> Parameters:
    """Start from the reconstruction; `overhead_s` is already counted by the cluster."""
    whole = work.busy_s / np.maximum(work.totals, 1e-9)
    # What the log hardly has would be worth next to nothing: keep its whole within a prompt's reach.
    whole[2] = min(whole[2], whole[1] / 256.0)
    initial = work.coefficients / whole
    initial[0] = max(initial[0] - overhead_s / whole[0], 0.0)
    return Parameters(units=PHYSICAL, whole=whole, initial=np.clip(initial, 0.01, 2.0))


def from_start(start: LatencyModel, work: Reconstruction) -> Parameters:
    """Start from a fitted model: only its scale and a time per step move.

    Raises:
        UnsupportedError: the model's estimator has no coefficients to scale.
    """
    if start.estimator != "linear":
        raise UnsupportedError(
            f"{start.name} is a {start.estimator} model, and only linear models can be scaled",
            fix="start from a linear model, or from none",
        )
    return Parameters(
        units={"scale": f"x {start.name}", "overhead_s": "s per step"},
        whole=np.array([1.0, work.busy_s / work.steps]),
        initial=np.array([1.0, 0.0]),
        start=start,
    )


def _scaled(start: LatencyModel, scale: float, overhead_s: float) -> LatencyModel:
    coefficients = {name: value * scale for name, value in start.coefficients.items()}
    for name in ("decode_step", "prefill_step"):
        coefficients[name] += overhead_s
    return replace(start, coefficients=coefficients)
