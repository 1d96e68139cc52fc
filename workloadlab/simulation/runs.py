"""Around the lanes of a replay: what goes in, checked, and the runs that come out.

Whoever plays lanes, a router or an oracle, starts and ends here, so that their runs can be compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from workloadlab.arguments import numbers, whole_number
from workloadlab.errors import UsageError
from workloadlab.simulation.outcome import REPLAYED, outcome_trace
from workloadlab.simulation.recording import Recorder
from workloadlab.trace import COLUMNS, RunInfo, Runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from workloadlab.routing import Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Sessions, Workload
    from workloadlab.trace import Trace

__all__ = ["Outcomes", "Played", "lanes_of", "options_of", "runs_of", "told_apart"]

MOST_LANES = 100_000

Policy = TypeVar("Policy")


@dataclass(frozen=True)
class Played:
    """One lane, played.

    Attributes:
        router: who chose.
        rate_scale, seed: of the run.
        workload: as replayed, so with scaled arrivals.
        outcome: what became of the requests.
        options: what else was chosen, for the provenance.
        recorder: what was written down on the way.
    """

    router: str
    rate_scale: float
    seed: int
    workload: Workload
    outcome: Outcome
    options: dict[str, Any] = field(default_factory=dict)
    recorder: Recorder = field(default_factory=Recorder)


def lanes_of(
    policies: Sequence[Policy], rate_scale: float | str | Iterable[float], seeds: int | str
) -> list[tuple[Policy, float, int]]:
    """Return every policy with every rate scale, each once, and every seed.

    Raises:
        UsageError: none at all, too many, or a rate or a number of seeds that is none.
    """
    scales = list(dict.fromkeys(numbers("rate_scale", rate_scale)))
    seeds = whole_number("seeds", seeds)
    if not policies or not scales:
        raise UsageError("nothing to replay", fix="give at least one router and one rate scale")
    if len(policies) * len(scales) * seeds > MOST_LANES:
        raise UsageError(f"more than {MOST_LANES:,} runs in one call", fix="split the sweep")
    return [(p, scale, seed) for p in policies for scale in scales for seed in range(seeds)]


def _as_given(workload: Workload, outcome: Outcome, cluster: Cluster) -> Workload:
    """Return the workload with outputs as long as the instances let them be: see `max_model_len`."""
    each = [pool.most_tokens for pool in cluster.pools for _ in range(pool.instances)]
    most = np.array(each)[outcome.instance] - workload.input_tokens
    placed = outcome.instance >= 0
    given = np.where(placed, np.minimum(workload.output_tokens, most), workload.output_tokens)
    return replace(workload, output_tokens=given)


def told_apart(policies: Iterable[Router]) -> list[Router]:
    """Add a number to a name that occurs again, so that runs can be told apart."""
    seen: dict[str, int] = {}
    named = []
    for policy in policies:
        seen[policy.name] = count = seen.get(policy.name, 0) + 1
        named.append(policy if count == 1 else replace(policy, name=f"{policy.name}_{count}"))
    return named


def options_of(policy: Router) -> dict[str, Any]:
    """Return what a router was replayed with, for the provenance."""
    index = None if policy.index is None else asdict(policy.index)
    return {"params": list(policy.settings), "model": policy.model or None, "index": index}


@dataclass(frozen=True)
class Outcomes:
    """Lays the outcomes of lanes beside a trace.

    Attributes:
        trace: what was replayed.
        cluster: on what, as the user wrote it.
        sessions: how turns were released.
    """

    trace: Trace
    cluster: Cluster
    sessions: Sessions

    @cached_property
    def base(self) -> pl.DataFrame:
        """The trace's rows without what a replay replaces."""
        kept = (name for name in self.trace.columns if name in COLUMNS and name not in REPLAYED)
        return self.trace.frame.select(kept).collect()

    def of(self, lane: Played) -> tuple[RunInfo, Trace]:
        """Return the facts of a run, and its outcome trace."""
        names = self.cluster.instance_names
        info = RunInfo(
            run_id=f"{lane.router}__x{lane.rate_scale!r}__s{lane.seed}",
            router=lane.router,
            rate_scale=lane.rate_scale,
            seed=lane.seed,
            instances=len(names),
            steps=lane.outcome.steps,
            steps_outside_domain=lane.outcome.steps_outside,
        )
        options = {
            "router": lane.router,
            **lane.options,
            "rate_scale": lane.rate_scale,
            "seed": lane.seed,
            "sessions": self.sessions,
            "cluster": self.cluster.to_dict(),
        }
        trace = outcome_trace(
            self.trace, self.base, _as_given(lane.workload, lane.outcome, self.cluster),
            lane.outcome, run_id=info.run_id, names=names, options=options,
        )  # fmt: skip
        return info, trace


def runs_of(trace: Trace, cluster: Cluster, played: Sequence[Played], sessions: Sessions) -> Runs:
    """Lay the outcomes of lanes beside the trace.

    Args:
        trace: what was replayed.
        cluster: on what, as the user wrote it.
        played: the lanes.
        sessions: how turns were released.
    """
    outcomes = Outcomes(trace, cluster, sessions)
    laid = [outcomes.of(lane) for lane in played]
    return Runs(
        tuple(info for info, _ in laid),
        tuple(outcome for _, outcome in laid),
        cluster.to_dict(),
        tuple(lane.recorder.frames(cluster, lane.outcome) for lane in played),
    )
