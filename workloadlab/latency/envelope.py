"""The least and the most that a step may take, the wider the farther it is from those of a log.

A line through small batches says little of large ones: matrix products cost nothing more while weights
are read, and then do; experts are all read at some batch; attention is another kernel beside a prompt.
What holds of any engine is that a larger step takes no less time, and that tokens have a price at most.

A model of kernels that a log only scaled knows more: it was measured at such batches. What it does not
know is whether the engine is off there by as much as at the log's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.latency.step import FEATURES
from workloadlab.latency.step_terms import NO_TERMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.fields import Fields
    from workloadlab.latency.model import LatencyModel

__all__ = ["Drift", "Envelope", "ends", "parse_drift", "parse_envelope"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

LEVEL = 0.95
"""Share of later steps that lie within."""

_REACH = 64.0
"""Multiple of the log's largest prompts and batches up to which tables have nodes; lines follow."""
_CONTEXTS, _SHORT, _LONG = (1, 3), 16.0, 2.0**20
"""Axes of mean contexts, and the shortest and longest of their nodes; one is 0."""
_SIZES = (0, 2, 3)
"""Features by which steps are larger or smaller: all but what is cached of the prompts."""
_FINE, _COARSE = 1.3, 3.0
"""Ratios of neighbouring nodes, in grids of two axes and of four."""

DRIFT = 0.10
"""Logarithm by which the error of a model of kernels moves at most in 95 % of doublings of the batch; it
grows with their root. From rows of AIConfigurator's silicon_sample.csv (ai-dynamo/aiconfigurator
095f58a) that differ in their clients alone, replayed as `docs/accuracy.md` has it: over one, two,
three and four doublings 95 % of the errors of TPOT move by up to 10.6, 11.8, 16.0 and 15.5 % (102, 78,
52 and 27 pairs). It was not chosen on any run that is calibrated there."""


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Bounds of the time of a step f = (p, x, n, c), by g, the nearest step within the log's.

        least = (1 - error) x t(g) - most_s . max(0, g - f)
        most  = (1 + error) x t(g) + most_s . max(0, f - g)

    Attributes:
        error: relative error of t that 95 % of later requests stayed within.
        low: least of each of `FEATURES` in the steps of the log.
        high: most of each.
        most_s: seconds that one more of each may take at most.
        beside_prompt_s: the last of these in steps with a prompt.

    Example:
        >>> one = Envelope(error=0.1, low=(0, 0, 1, 0), high=(512, 0, 16, 16e3),
        ...                most_s=(1e-4, 0.0, 1e-4, 1e-7), beside_prompt_s=1e-6)
        >>> steps = np.array([[0.0, 0, 16, 16e3], [0.0, 0, 64, 64e3]])
        >>> least, most = one.around(steps, lambda rows: 0.01 + 1e-4 * rows[:, 2])
        >>> least.round(5), most.round(5)
        (array([0.01044, 0.01044]), array([0.01276, 0.02236]))
    """

    error: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    most_s: tuple[float, ...]
    beside_prompt_s: float

    def around(
        self, steps: Floats, predict: Callable[[Floats], Floats], level: float = LEVEL
    ) -> tuple[Floats, Floats]:
        """Return the least and the most seconds of rows of (p, x, n, c), which hold a share `level`.

        Raises:
            UsageError: the level is not above 0 or is above 0.95.
        """
        _check_level(level)
        near = np.where(steps > 0, np.clip(steps, self.low, self.high), 0.0)
        price = np.tile(self.most_s, (len(steps), 1))
        price[steps[:, 0] > 0, 3] = self.beside_prompt_s
        seconds = predict(near)
        fewer, more = (np.maximum(0.0, d) for d in (near - steps, steps - near))
        least = (1.0 - self.error) * seconds - (price * fewer).sum(axis=1)
        most = (1.0 + self.error) * seconds + (price * more).sum(axis=1)
        return np.maximum(0.0, least), most

    def prices(self, _: Callable[[Floats], Floats]) -> tuple[float, ...]:
        """Return `most_s` and `beside_prompt_s`, which do not depend on a model."""
        return (*self.most_s, self.beside_prompt_s)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return _plain(self)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Bounds of the time of a step f, by a model t of kernels that a log has scaled.

        least = (1 - error) x t(f) / drift,  most = (1 + error) x t(f) x drift
        drift = exp(DRIFT x sqrt(doublings from the log's largest p, n or c to that of f))

    Attributes:
        error: relative error of t that 95 % of later requests stayed within.
        high: most of each of `FEATURES` in the steps of the log.

    Example:
        >>> one = Drift(error=0.1, high=(512, 0, 16, 16e3))
        >>> steps = np.array([[0.0, 0, 16, 16e3], [0.0, 0, 64, 16e3]])
        >>> least, most = one.around(steps, lambda rows: 0.01 + 1e-4 * rows[:, 2])
        >>> least.round(5), most.round(5)
        (array([0.01044, 0.01281]), array([0.01276, 0.02078]))
    """

    error: float
    high: tuple[float, ...]

    def around(
        self, steps: Floats, predict: Callable[[Floats], Floats], level: float = LEVEL
    ) -> tuple[Floats, Floats]:
        """Return the least and the most seconds of rows of (p, x, n, c), which hold a share `level`.

        Raises:
            UsageError: the level is not above 0 or is above 0.95.
        """
        _check_level(level)
        times = (steps / np.maximum(self.high, 1.0))[:, _SIZES].max(axis=1)
        drift = np.exp(DRIFT * np.sqrt(np.log2(np.maximum(times, 1.0))))
        seconds = predict(steps)
        least = np.maximum(0.0, 1.0 - self.error) * seconds / drift
        return least, (1.0 + self.error) * seconds * drift

    def prices(self, predict: Callable[[Floats], Floats]) -> tuple[float, ...]:
        """Return what one more of each feature costs past the log's largest step, at most."""
        largest = np.maximum(self.high, 1.0)
        steps = np.vstack([largest, largest + np.diag(largest)])
        _, most = self.around(steps, predict)
        p, x, n, c = (float(price) for price in (most[1:] - most[0]) / largest)
        return p, x, n, c, c

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return _plain(self)


def _check_level(level: float) -> None:
    if not 0 < level <= LEVEL:
        raise UsageError(f"level is {level}", fix=f"give a share above 0, at most {LEVEL:g}")


def _plain(bounds: Envelope | Drift) -> dict[str, Any]:
    facts = asdict(bounds)
    return {name: list(v) if isinstance(v, tuple) else v for name, v in facts.items()}


def _tables(
    bounds: Envelope | Drift, predict: Callable[[Floats], Floats]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the coefficients of two table models, of the least and of the most seconds.

    A table is straight from node to node, which makes the least less and the most more.
    """
    from workloadlab.latency.estimators.linear import TERMS
    from workloadlab.latency.estimators.table import AXES, steps_at

    grids: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for kind, axes in AXES.items():
        ratio = _FINE if len(axes) == 2 else _COARSE
        nodes = [_nodes(axis, bounds.high[axis], ratio) for axis in axes]
        steps = steps_at([np.array(axis) for axis in nodes], axes)
        for grid, seconds in zip(grids, bounds.around(steps, predict), strict=True):
            grid[kind] = {"nodes": nodes, "seconds": seconds.tolist()}
    p, x, n, c, beside = bounds.prices(predict)
    prices = {"prefill_tokens": p, "prefill_context": x, "decode_seqs": n, "mixed_seqs": n,
              "decode_context": c, "mixed_context": beside}  # fmt: skip
    flat = dict.fromkeys(TERMS, 0.0)
    beyond = (flat, flat | prices)
    least, most = (
        {"fallback": lines, "curve_tokens": [1.0], "curve_s": [0.0], "grids": grid}
        for lines, grid in zip(beyond, grids, strict=True)
    )
    return least, most


def _nodes(axis: int, most: float, ratio: float) -> list[float]:
    """Nodes of an axis, from the least possible past the largest of the log, which is one."""
    if axis in _CONTEXTS:
        return [0.0, *_spaced(_SHORT, _LONG, ratio)]
    known = max(1.0, most)
    return sorted({*_spaced(1.0, _REACH * known, ratio), known})


def _spaced(first: float, last: float, ratio: float) -> list[float]:
    """Whole numbers, each about `ratio` times the one before."""
    count = int(np.ceil(np.log(last / first) / np.log(ratio))) + 1
    return [float(node) for node in np.unique(np.geomspace(first, last, count).round())]


def ends(model: LatencyModel) -> tuple[LatencyModel, LatencyModel]:
    """Return two models: one whose steps take the least that the model's envelope allows, one the most.

    A replay with each bounds how far off a replay with the model may be, where its batches leave those
    of the log. What a model adds to its kernels stays as it is. A model that no log was calibrated on
    is returned twice.

    Example:
        >>> from workloadlab.latency import LatencyModel
        >>> model = LatencyModel.linear(constant_s=0.01)
        >>> ends(model) == (model, model)
        True
    """
    if not isinstance(model.intervals, Envelope | Drift):
        return model, model
    kernels = replace(model, terms=NO_TERMS)
    least, most = (
        replace(model, name=f"{model.name} at the {end}", estimator="table",
                coefficients=coefficients, intervals=None)
        for end, coefficients in zip(
            ("least", "most"), _tables(model.intervals, kernels.seconds), strict=True
        )
    )  # fmt: skip
    return least, most


def parse_envelope(take: Fields) -> Envelope:
    """Read what `Envelope.to_dict` wrote.

    Raises:
        DataError: a field is missing, unknown or no number; names it.
    """
    take.only(field.name for field in fields(Envelope))
    low, high, most_s = (
        take.numbers(name, count=len(FEATURES), low=0.0) for name in ("low", "high", "most_s")
    )
    if any(least > most for least, most in zip(low, high, strict=True)):
        raise take.wrong("low", low, "write no number over that of high")
    return Envelope(
        error=take.number("error", low=0.0),
        low=tuple(low),
        high=tuple(high),
        most_s=tuple(most_s),
        beside_prompt_s=take.number("beside_prompt_s", low=0.0),
    )


def parse_drift(take: Fields) -> Drift:
    """Read what `Drift.to_dict` wrote.

    Raises:
        DataError: a field is missing, unknown or no number; names it.
    """
    take.only(field.name for field in fields(Drift))
    high = take.numbers("high", count=len(FEATURES), low=0.0)
    return Drift(error=take.number("error", low=0.0), high=tuple(high))
