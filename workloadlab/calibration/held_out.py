"""Errors of a calibration on requests whose timings its fit had not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from workloadlab.calibration.problem import LATENCIES
from workloadlab.latency.card import ErrorCard, ErrorSlice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.calibration.problem import Problem

__all__ = ["CutErrors", "LatencyErrors", "card_of", "errors_of", "rounded", "worst_of"]

Floats = Any


class LatencyErrors(TypedDict):
    """Errors of one latency over some requests: of the mean, of the p99, and request by request."""

    requests: int
    mean_error: float
    p99_error: float
    mape: float
    bias: float
    p95: float


class CutErrors(TypedDict):
    """Errors on the rest of a log of a fit of its beginning.

    `share` of the requests were fitted, which are `fitted`; errors are by latency.
    """

    share: float
    fitted: int
    held_out: dict[str, LatencyErrors]


def errors_of(problem: Problem, shares: Floats, rows: Floats) -> dict[str, LatencyErrors]:
    """Compare the simulation with the log over some requests, per latency."""
    simulated = problem.simulate(shares)
    result: dict[str, LatencyErrors] = {}
    for name in LATENCIES:
        ours, truth = getattr(simulated, name)[rows], getattr(problem.observed, name)[rows]
        use = np.isfinite(ours) & np.isfinite(truth) & (truth > 0)
        if not use.any():
            continue
        ours, truth = ours[use], truth[use]
        ratio = ours / truth - 1
        result[name] = {
            "requests": int(use.sum()),
            "mean_error": rounded(ours.mean() / truth.mean() - 1),
            "p99_error": rounded(np.quantile(ours, 0.99) / np.quantile(truth, 0.99) - 1),
            "mape": rounded(np.abs(ratio).mean()),
            "bias": rounded(ratio.mean()),
            "p95": rounded(np.quantile(np.abs(ratio), 0.95)),
        }
    return result


def worst_of(cuts: Sequence[CutErrors]) -> dict[str, LatencyErrors]:
    """Return, for each latency, its errors on the cut at which its mean is farthest off."""
    errors = [cut["held_out"] for cut in cuts]
    return {
        name: max((one[name] for one in errors if name in one), key=_off)
        for name in LATENCIES
        if any(name in one for one in errors)
    }


def _off(facts: LatencyErrors) -> float:
    return abs(facts["mean_error"])


def card_of(cuts: Sequence[CutErrors], causes: Sequence[str]) -> ErrorCard:
    """Return the error card of later requests: e2e first, then TPOT and TTFT, each at its worst cut.

    Args:
        cuts: errors after each part of the log.
        causes: of large errors, likely ones, in sentences.
    """
    worst = worst_of(cuts)
    slices = tuple(
        ErrorSlice(by="requests", slice=name, rows=facts["requests"],
                   mape=facts["mape"], bias=facts["bias"], p95=facts["p95"])
        for name in reversed(LATENCIES) if (facts := worst.get(name))
    )  # fmt: skip
    shares = ", ".join(f"{cut['share']:.0%}" for cut in cuts)
    split = (
        f"latencies of the rest of the requests after a fit of the first {shares}: the worst each"
    )
    return ErrorCard(
        split="; ".join([split, *(f"likely cause: {cause}" for cause in causes)]),
        fitted_rows=min(cut["fitted"] for cut in cuts),
        judged_rows=max(facts["requests"] for facts in worst.values()),
        slices=slices,
    )


def rounded(value: float) -> float:
    """Four significant digits: more is noise, and a file is the same on every machine."""
    return float(f"{value:.3e}")
