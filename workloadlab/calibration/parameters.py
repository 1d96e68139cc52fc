"""The parameters of a calibration, and the latency model that their values mean.

The optimizer sees shares: 1 is the value at which a parameter alone would explain all the time in
which the engine was busy. An engine that was busy for 60 s with 3000 steps has a share of 0.4 where a
step costs a constant 8 ms. Shares are of one size for every unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency import LatencyModel

if TYPE_CHECKING:
    from workloadlab.calibration.reconstruction import Reconstruction

__all__ = ["EXTRA", "PHYSICAL", "Parameters", "from_scratch", "from_start"]

Floats = Any

PHYSICAL = {
    "constant_s": "s per step",
    "prefill_token_s": "s per prompt token",
    "prefill_context_s": "s per prompt token and token before its chunk",
    "decode_seq_s": "s per decoding sequence",
    "decode_context_s": "s per token of context of a decoding sequence",
}
"""Parameters of a calibration from nothing, with their units: those of `LatencyModel.linear`."""


EXTRA = {
    "prefill_step_s": "s more per step with prompt tokens",
    "request_overhead_s": "s per request outside queue and engine",
}
"""Parameters that move only if asked for: most engines and most logs do not need them."""

_OUTSIDE = "request_overhead_s"


@dataclass(frozen=True)
class Parameters:
    """Names, units and sizes of the parameters that move.

    Attributes:
        units: unit of each parameter, by name.
        whole: value of each that alone explains the busy time.
        starts: where searches start, in shares.
        start: the model that is scaled, or None.
    """

    units: dict[str, str]
    whole: Floats
    starts: tuple[Floats, ...]
    start: LatencyModel | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(self.units)

    def values(self, shares: Floats) -> dict[str, float]:
        """Return the parameters by name, in their units, to six significant digits."""
        pairs = zip(self.names, shares * self.whole, strict=True)
        return {name: float(f"{value:.5e}") for name, value in pairs}

    def model(self, shares: Floats) -> LatencyModel:
        """Return the latency model that the shares mean."""
        values = self.values(shares)
        if self.start is None:
            values.pop(_OUTSIDE, None)
            return LatencyModel.linear(name="calibrated", **values)
        return self.start.scaled(values["scale"], values["overhead_s"])

    def request_overhead_s(self, shares: Floats, given_s: float) -> float:
        """Return the time of a request outside queue and engine: `given_s` unless it moves."""
        return self.values(shares)[_OUTSIDE] if _OUTSIDE in self.units else given_s

    @cached_property
    def _tables(self) -> tuple[Floats, Floats]:
        """Kernel tables of no parameter, and of what each adds at 1; that of a model is their sum."""
        if self.start is None:
            none = LatencyModel.linear()
            models = [
                LatencyModel.linear(name=name, **({} if name == _OUTSIDE else {name: 1.0}))
                for name in self.names
            ]
        else:
            none = self.start.scaled(0.0, 0.0)
            models = [self.start.scaled(1.0, 0.0), self.start.scaled(0.0, 1.0)]
        table = none.kernel()[1]
        return table, np.stack([model.kernel()[1] for model in models]) - table

    def trial(self, shares: Floats) -> LatencyModel:
        """Return a model that replays like `model(shares)` and is made in microseconds."""
        none, each = self._tables
        table = none + (shares * self.whole) @ each
        if self.start is None:
            return LatencyModel.of_table(table)
        terms = self.start.terms.scaled(float(shares[0] * self.whole[0]))
        return LatencyModel.of_table(table, estimator=self.start.estimator, terms=terms)


def from_scratch(
    work: Reconstruction, overhead_s: float, extra: tuple[str, ...] = ()
) -> Parameters:
    """Start from the reconstruction; `overhead_s` is already counted by the cluster.

    Of `extra` parameters the reconstruction knows the size at most; they start at a tenth of it.

    Sequences and context grow together in most logs, so the reconstruction may give one what belongs
    to the other: further searches start from either.
    """
    whole = work.busy_s / np.maximum(work.totals, 1e-9)
    # A log without long prompts has no context to prefill: keep its unit within a prompt's reach.
    whole[2] = min(whole[2], whole[1] / 256.0)
    first = work.coefficients / whole
    first[0] = max(first[0] - overhead_s / whole[0], 0.0)
    first = np.clip(first, 0.01, 2.0)
    if work.totals[2] == 0:
        first[2] = 0.0
    constant, prefill, context, *decode = first
    both = sum(decode)
    starts = [
        first,
        [constant, prefill, context / 4, 0.1 * both, 0.9 * both],
        [constant, prefill, context / 4, 0.9 * both, 0.1 * both],
        [0.3, 0.2, 0.0, 0.2, 0.2],
    ]
    sizes = {"prefill_step_s": work.busy_s / work.requests, _OUTSIDE: work.mean_ttft_s}
    return Parameters(
        units=PHYSICAL | {name: EXTRA[name] for name in extra},
        whole=np.append(whole, [sizes[name] for name in extra]),
        starts=tuple(np.append(start, np.full(len(extra), 0.1)) for start in starts),
    )


def from_start(start: LatencyModel, work: Reconstruction) -> Parameters:
    """Start from a fitted model: only its scale and a time per step move.

    Raises:
        UnsupportedError: the model's estimator has no coefficients to scale.
    """
    start.scaled(1.0, 0.0)
    return Parameters(
        units={"scale": f"times {start.name}", "overhead_s": "s per step"},
        whole=np.array([1.0, work.busy_s / work.steps]),
        starts=tuple(np.array(at) for at in ((1.0, 0.01), (0.5, 0.01), (2.0, 0.01), (1.0, 0.5))),
        start=start,
    )
