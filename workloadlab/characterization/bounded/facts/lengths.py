"""Lengths, and what has drifted, from frequencies and picked rows."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.facts.sketch import sketched
from workloadlab.characterization.bounded.kernels import TOKEN_DIGITS
from workloadlab.characterization.bounded.lengths import DAY_NS, STEPS, step_ns
from workloadlab.characterization.bounded.words import total
from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.bands import series_of_bins, series_width_ns
from workloadlab.characterization.statistics.joint import (
    HALF_OCTAVES,
    Density,
    half_octaves,
    joint_facts,
)
from workloadlab.characterization.statistics.reasoning import reasoning_of
from workloadlab.characterization.topics.drift import complete_days, drift_of
from workloadlab.characterization.topics.lengths import Lengths, measure_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.statistics.bands import LengthSeries
    from workloadlab.characterization.statistics.joint import Joint
    from workloadlab.characterization.statistics.reasoning import Reasoning
    from workloadlab.characterization.topics.drift import Drift

__all__ = ["drift_from", "frequencies_of", "lengths_of"]


def frequencies_of(table: NDArray[np.int64]) -> Frequencies:
    """Return rows of (value, count) as frequencies."""
    return Frequencies(table[:, 0], table[:, 1])


def lengths_of(plan: Plan, arrays: dict[str, NDArray[Any]]) -> Lengths:
    """Make the facts of lengths."""
    inputs, outputs = (frequencies_of(arrays[f"length.{name}"]) for name in ("input", "output"))
    reasoning = _reasoning(arrays)
    first = measure_column("input_tokens", inputs, _series(plan, arrays, "input"), missing=0)
    if not plan.outputs:
        none = Unsupported("no request records output_tokens")
        return Lengths(input=first, output=none, joint=none, reasoning=reasoning)
    missing = plan.requests - plan.outputs
    second = measure_column(
        "output_tokens", outputs, _series(plan, arrays, "output"), missing=missing
    )
    return Lengths(
        input=first, output=second, joint=_joint(plan, arrays, outputs), reasoning=reasoning
    )


def _reasoning(arrays: dict[str, NDArray[Any]]) -> Reasoning | Unsupported:
    table, ratios = arrays["length.reasoning"], arrays["length.ratios"]
    if not len(table):
        return Unsupported("no request records reasoning_tokens")
    return reasoning_of(frequencies_of(table), int(ratios[10]), ratios[:10].tolist())


def _series(plan: Plan, arrays: dict[str, NDArray[Any]], name: str) -> LengthSeries | None:
    width_ns = series_width_ns(plan.span_ns)
    if width_ns is None:
        return None
    table = arrays[f"length.{name}.time"]
    bins = plan.span_ns // width_ns + 1
    rows, sums = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
    np.add.at(rows, table[:, 0], table[:, 2])
    np.add.at(sums, table[:, 0], table[:, 3])
    return series_of_bins(
        width_ns, rows.tolist(), sums.tolist(), _medians(table, np.arange(bins + 1))
    )


def _medians(table: NDArray[np.int64], edges: NDArray[np.int64]) -> list[float | None]:
    """Return the medians of the steps between edges."""
    found: list[float | None] = []
    starts = np.searchsorted(table[:, 0], edges)
    for a, b in pairwise(starts.tolist()):
        if a == b:
            found.append(None)
            continue
        places, inverse = np.unique(table[a:b, 1], return_inverse=True)
        counts = np.bincount(inverse, weights=table[a:b, 2]).astype(np.int64)
        whole = sketched(np.column_stack((places, counts)), TOKEN_DIGITS)
        found.append(whole.quantiles([0.5])[0])
    return found


def _joint(plan: Plan, arrays: dict[str, NDArray[Any]], outputs: Frequencies) -> Joint:
    n = plan.outputs
    xx, yy, xy, x = (total(limbs) for limbs in arrays["length.products"])
    y = int(outputs.total)
    flat = np.zeros(STEPS * STEPS, np.int64)
    flat[arrays["length.cells"][:, 0]] = arrays["length.cells"][:, 1]
    pairs, few = arrays["length.pairs"], arrays["length.kendall"]
    return joint_facts(
        rows=n,
        sums=(x, y),
        pearson=_pearson(n, x, y, xx, yy, xy),
        few=(few[:, 1], few[:, 2]),
        many=(pairs[:, 1], pairs[:, 2]),
        density=_density(flat.reshape(STEPS, STEPS)),
    )


def _pearson(n: int, x: int, y: int, xx: int, yy: int, xy: int) -> float | None:
    """Return the correlation from exact sums; None where a side does not vary."""
    a, b = n * xx - x * x, n * yy - y * y
    if a <= 0 or b <= 0:
        return None
    return max(-1.0, min(1.0, (n * xy - x * y) / math.sqrt(a) / math.sqrt(b)))


def _density(cells: NDArray[np.int64]) -> Density:
    inputs, outputs = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    input_edges, output_edges = (
        half_octaves(int(HALF_OCTAVES[some[0]]), int(HALF_OCTAVES[some[-1]]))
        for some in (inputs, outputs)
    )
    held = cells[inputs[0] : inputs[-1] + 1, outputs[0] : outputs[-1] + 1]
    return Density(
        input_edges=tuple(input_edges.tolist()),
        output_edges=tuple(output_edges.tolist()),
        counts=tuple(tuple(row) for row in held.tolist()),
    )


def drift_from(plan: Plan, arrays: dict[str, NDArray[Any]]) -> Drift | Unsupported:
    """Make the facts of drift."""
    halves = {
        "input_tokens": _halves(plan.requests, arrays["length.input.halves"], 1),
        "output_tokens": _halves(plan.outputs, arrays["length.output.halves"], 1),
    }
    if plan.requests > 2:
        before, after = _halves(plan.requests - 1, arrays["gap.halves"], 2)
        halves["iat_s"] = (before / 1e9, after / 1e9)
    days: dict[str, list[float]] = {}
    count = complete_days(plan.span_ns)
    for name, recorded in (("input", plan.requests), ("output", plan.outputs)):
        if count and recorded == plan.requests:
            edges = np.arange(count + 1) * (DAY_NS // step_ns(plan.span_ns))
            medians = _medians(arrays[f"length.{name}.time"], edges)
            days[f"{name}_tokens"] = [median or 0.0 for median in medians]
    return drift_of(plan.requests, halves, days)


def _halves(n: int, table: NDArray[np.int64], column: int) -> tuple[NDArray[Any], NDArray[Any]]:
    middle = int(np.searchsorted(table[:, 0], n // 2))
    return table[:middle, column], table[middle:, column]
