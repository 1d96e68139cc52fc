"""A replay that returns metrics only: for searches that replay a thousand times and keep no rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.arguments import checked
from workloadlab.execution import run_lanes
from workloadlab.routing import resolve_all
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.simulation.runs import lanes_of
from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from workloadlab.routing import Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Floats, Sessions, Workload
    from workloadlab.trace import AnyTrace

__all__ = ["Metrics", "Targets", "metrics_of", "replay_metrics"]


@dataclass(frozen=True)
class Targets:
    """A service level in seconds, infinite where nothing is asked: what goodput counts."""

    ttft_s: float = np.inf
    tpot_s: float = np.inf


@dataclass(frozen=True)
class Metrics:
    """What one replay came to, in seconds over the requests served; NaN where none was.

    Attributes:
        requests, served: how many, and how many of them came to an end.
        ttft_mean_s, ttft_p50_s, ttft_p95_s, ttft_p99_s: time to first token.
        e2e_mean_s, e2e_p50_s, e2e_p95_s, e2e_p99_s: arrival to last token.
        makespan_s: first arrival to last end, or to the last arrival where that came later.
        goodput_rps: requests that meet the targets, over the makespan.
        preemptions: of all requests.
    """

    requests: int
    served: int
    ttft_mean_s: float
    ttft_p50_s: float
    ttft_p95_s: float
    ttft_p99_s: float
    e2e_mean_s: float
    e2e_p50_s: float
    e2e_p95_s: float
    e2e_p99_s: float
    makespan_s: float
    goodput_rps: float
    preemptions: int


def metrics_of(outcome: Outcome, workload: Workload, targets: Targets | None = None) -> Metrics:
    """Return the metrics of an outcome: those of `score`, by the same quantiles.

    Args:
        outcome: from an engine.
        workload: what was replayed, for the lengths of outputs.
        targets: for goodput; None asks for nothing.
    """
    targets = targets or Targets()
    served = np.isfinite(outcome.end_s)
    arrival_s = outcome.arrival_s[served]
    ttft_s = outcome.first_token_s[served] - arrival_s
    e2e_s = outcome.end_s[served] - arrival_s
    later = np.maximum(workload.output_tokens[served] - 1, 1)
    met = (ttft_s <= targets.ttft_s) & ((e2e_s - ttft_s) / later <= targets.tpot_s)
    ended_s = outcome.end_s[served].max(initial=-np.inf)
    ended_s = max(ended_s, outcome.arrival_s.max(initial=-np.inf))
    makespan_s = float(ended_s - outcome.arrival_s.min()) if served.any() else np.nan
    return Metrics(
        len(served), int(served.sum()), *_summary(ttft_s), *_summary(e2e_s), makespan_s,
        float(met.sum() / makespan_s) if makespan_s else 0.0,
        int(outcome.preemptions.sum()),
    )  # fmt: skip


def _summary(seconds: Floats) -> tuple[float, float, float, float]:
    """Return mean, median, p95 and p99."""
    if len(seconds) == 0:
        return np.nan, np.nan, np.nan, np.nan
    p50, p95, p99 = quantiles(seconds, [0.5, 0.95, 0.99])
    return float(seconds.mean()), p50, p95, p99


@checked
def replay_metrics(
    trace: AnyTrace,
    cluster: Cluster | str | Path,
    *,
    routers: str | Iterable[str | Router | Callable[..., Any]] = ("round_robin", "least_requests"),
    rate_scale: float | Iterable[float] = 1.0,
    seeds: int = 1,
    sessions: Sessions = "open",
    ttft_s: float | None = None,
    tpot_s: float | None = None,
    threads: int | None = None,
) -> pl.DataFrame:
    """Replay as `replay` does and keep one row of metrics for each run, no outcome traces.

    Args:
        trace: needs arrivals and lengths.
        cluster: what the routers choose among.
        routers: as in `replay`.
        rate_scale: arrival rates relative to the trace.
        seeds: number of seeds, 0 to seeds - 1.
        sessions: when the later turns of a session arrive, as in `replay`.
        ttft_s: target of the time to first token that goodput counts; None for none.
        tpot_s: the same of the time per later token.
        threads: lanes at a time; None for one per core.

    Returns:
        router, rate_scale, seed, and the fields of `Metrics`; one row for each run.

    Raises:
        UnsupportedError: the trace lacks what the replay or a router needs.
        UsageError: unknown router, bad scale, or a router that misbehaves.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(0, 10, 2), (0, 10, 2)])
        >>> cluster = Cluster.uniform(2, LatencyModel.linear(constant_s=0.5), step_overhead_s=0.0)
        >>> replay_metrics(trace, cluster)["e2e_mean_s"].to_list()
        [1.0, 1.0]
    """
    policies = resolve_all(routers)
    lanes = lanes_of(policies, rate_scale, seeds)
    workload, simulated = workload_and_cluster(trace, cluster, policies, sessions)
    scaled = {scale: workload.scaled(scale) for _, scale, _ in lanes}
    targets = Targets(np.inf if ttft_s is None else ttft_s, np.inf if tpot_s is None else tpot_s)
    for policy in policies:
        if policy.kind != "batch":
            policy.compiled  # noqa: B018  compiled once, before the threads ask for it

    def played(policy: Router, scale: float, seed: int) -> dict[str, Any]:
        outcome = replay_lane(scaled[scale], simulated, policy, seed)
        facts = asdict(metrics_of(outcome, scaled[scale], targets))
        return {"router": policy.name, "rate_scale": scale, "seed": seed, **facts}

    return pl.DataFrame(run_lanes(played, lanes, threads=threads))
