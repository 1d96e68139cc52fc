"""The metrics of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.scoring.timings import LATENCIES, Timings
from workloadlab.statistics import finite, quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SLO", "run_metrics", "summarize"]

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, kw_only=True)
class SLO:
    """Service-level targets in seconds; a request meets the level if it meets all that are set.

    A request of one token has no TPOT and so meets any TPOT target; a rejected or failed one meets
    nothing.

    Raises:
        UsageError: a target that is not positive.

    Example:
        >>> SLO(ttft_s=1.0, tpot_s=0.05).to_dict()
        {'ttft_s': 1.0, 'tpot_s': 0.05}
    """

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None

    def __post_init__(self) -> None:
        for name, target in self.to_dict().items():
            if not target > 0:
                raise UsageError(f"the {name} target {target} is not positive", fix="use seconds")

    def to_dict(self) -> dict[str, float]:
        """Return the targets that are set."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def met(self, timings: Timings) -> NDArray[np.bool_]:
        """Return which requests meet every target."""
        good = timings.served.copy()
        for name, target in self.to_dict().items():
            values = getattr(timings, name)
            within = values <= target
            if name == "tpot_s":
                within |= timings.output_tokens <= 1
            good &= within
        return good


def summarize(values: NDArray[np.float64]) -> dict[str, float | None]:
    """Return mean and percentiles of the recorded values; None where nothing is recorded."""
    known = values[np.isfinite(values)]
    if not len(known):
        return dict.fromkeys(("mean", *PERCENTILES))
    levels = quantiles(known, list(PERCENTILES.values()))
    return {"mean": float(known.mean()), **dict(zip(PERCENTILES, levels, strict=True))}


def run_metrics(timings: Timings, *, slo: SLO | None, instances: int | None) -> dict[str, Any]:
    """Return the metrics of one run as plain data.

    Makespan is from the first arrival to the last end; throughput, tokens per second and goodput are
    over the makespan. `load_cv` is the standard deviation over the mean of the tokens (input and
    output) that each instance served, n below the sum, idle instances counted as 0.

    Args:
        timings: of the run.
        slo: targets for attainment and goodput; without one both are None.
        instances: size of the cluster; None takes the instances that occur.
    """
    served = timings.served
    ends = (timings.arrival_s + timings.e2e_s)[served & np.isfinite(timings.e2e_s)]
    makespan = float(ends.max() - timings.arrival_s.min()) if len(ends) else None
    met = int(slo.met(timings).sum()) if slo and slo.to_dict() else None

    def rate(count: int | None) -> float | None:
        return count / makespan if makespan and count is not None else None

    tokens = timings.input_tokens + timings.output_tokens
    placed = served & (timings.instance >= 0)
    load = np.bincount(
        timings.instance[placed],
        weights=tokens[placed],
        minlength=max(instances or 0, len(timings.instances)),
    )
    cached = timings.cached_tokens
    prompt_tokens = int(timings.input_tokens.sum())
    return {
        "requests": len(timings),
        "served": int(served.sum()),
        "makespan_s": makespan,
        "throughput_rps": rate(int(served.sum())),
        "output_tokens_per_s": rate(int(timings.output_tokens[served].sum())),
        **{name: summarize(getattr(timings, name)) for name in LATENCIES},
        "slo_attainment": met / len(timings) if met is not None and len(timings) else None,
        "goodput_rps": rate(met),
        "cache_hit_ratio": int(cached.sum()) / prompt_tokens
        if cached is not None and prompt_tokens
        else None,
        "preemptions": int(timings.preemptions.sum()),
        "load_cv": finite(load.std() / load.mean()) if len(load) and load.sum() else None,
    }
