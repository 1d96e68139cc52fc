"""How close a replay is to reality: simulated beside observed timings of the same requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.scoring.timings import LATENCIES, read_timings
from workloadlab.statistics import finite, quantiles

if TYPE_CHECKING:
    from workloadlab.trace import Trace

__all__ = ["fidelity", "request_errors"]

POINTS = {"p50_error": 0.5, "p90_error": 0.9, "p99_error": 0.99}


def _matched(simulated: Trace, observed: Trace) -> dict[str, tuple[Any, Any]]:
    observed.require("timings", "a comparison with observed timings")
    ours, theirs = read_timings(simulated), read_timings(observed)
    positions = ours.match(theirs)
    if positions is None:
        raise UsageError(
            f"the replay and the observed trace do not hold the same requests "
            f"({len(ours)} and {len(theirs)} rows)",
            fix="replay the observed trace itself, then score against it",
        )
    i, j = positions
    return {name: (getattr(ours, name)[i], getattr(theirs, name)[j]) for name in LATENCIES}


def fidelity(simulated: Trace, observed: Trace) -> dict[str, Any]:
    """Return signed errors of a replay against the observed timings of the same requests.

    Per latency: `mean_error`, `p50_error`, `p90_error`, `p99_error` = simulated / observed - 1 of the
    mean and the quantiles; `request_error` is, request by request, the mean of |simulated - observed|
    over the mean of observed. None where nothing was observed or the observed value is 0.

    Raises:
        UnsupportedError: the observed trace has no timings.
        UsageError: the two do not hold the same requests.
    """
    result: dict[str, Any] = {}
    for name, (ours, theirs) in _matched(simulated, observed).items():
        known = np.isfinite(ours) & np.isfinite(theirs)
        if not known.any():
            result[name] = None
            continue
        x, y = ours[known], theirs[known]
        levels = list(POINTS.values())
        statistics = {"mean_error": (float(x.mean()), float(y.mean()))} | dict(
            zip(POINTS, zip(quantiles(x, levels), quantiles(y, levels), strict=True), strict=True)
        )
        result[name] = {
            "requests": int(known.sum()),
            **{key: finite(a / b - 1) if b else None for key, (a, b) in statistics.items()},
            "request_error": finite(np.abs(x - y).mean() / y.mean()) if y.any() else None,
        }
    if all(value is None for value in result.values()):
        raise UnsupportedError("no request has both simulated and observed timings")
    return result


def request_errors(simulated: Trace, observed: Trace) -> Any:
    """Return one row per request: row_id, and simulated, observed and error of each latency.

    Returns:
        polars.DataFrame with columns row_id, ttft_s, ttft_s_observed, ttft_s_error, ...; errors are
        signed fractions, null where undefined.
    """
    import polars as pl

    matched = _matched(simulated, observed)
    row_id = np.sort(read_timings(observed).row_id)
    columns: dict[str, Any] = {"row_id": row_id}
    for name, (ours, theirs) in matched.items():
        columns[name], columns[f"{name}_observed"] = ours, theirs
        with np.errstate(divide="ignore", invalid="ignore"):
            columns[f"{name}_error"] = np.where(theirs > 0, ours / theirs - 1, np.nan)
    return pl.DataFrame(columns, nan_to_null=True)
