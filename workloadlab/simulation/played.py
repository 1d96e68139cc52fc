"""Around the lanes of a replay: what goes in, checked, and the runs that come out.

Whoever plays lanes, a router or an oracle, starts and ends here, so that their runs can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.routing import unmet_need
from workloadlab.simulation.records import Recorder
from workloadlab.simulation.workload import REPLAYED, Sessions, outcome_trace, workload_of
from workloadlab.trace import COLUMNS, RunInfo, Runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workloadlab.routing import Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.workload import Outcome, Workload
    from workloadlab.trace import Trace

__all__ = ["Played", "check_needs", "lanes_of", "prepare", "runs_of"]

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
    policies: Sequence[Policy], rate_scale: float | Iterable[float], seeds: int
) -> list[tuple[Policy, float, int]]:
    """Return every policy with every rate scale and every seed.

    Raises:
        UsageError: none at all, or too many.
    """
    scales = [rate_scale] if isinstance(rate_scale, int | float) else list(rate_scale)
    if not policies or not scales or seeds < 1:
        raise UsageError("nothing to replay", fix="give at least one router, rate scale and seed")
    if len(policies) * len(scales) * seeds > MOST_LANES:
        raise UsageError(f"more than {MOST_LANES:,} runs in one call", fix="split the sweep")
    return [(p, float(scale), seed) for p in policies for scale in scales for seed in range(seeds)]


def check_needs(policy: Router, trace: Trace, cluster: Cluster) -> None:
    """Refuse a router that needs what the trace or the cluster does not have.

    Raises:
        UnsupportedError: it does; names what is missing.
    """
    reason = unmet_need(policy, trace, prefix_caching=_caching(cluster))
    if reason:
        raise UnsupportedError(
            f"router {policy.name!r} {reason}",
            fix="choose another router, set prefix_caching, or ingest a log that has what it needs",
        )


def prepare(trace: Trace, cluster: Cluster, sessions: Sessions) -> tuple[Workload, Cluster]:
    """Read what a replay needs; pools that cache prefixes get blocks as large as the trace's.

    Raises:
        UnsupportedError: the trace lacks what the replay needs.
        UsageError: no such kind of sessions.
    """
    if sessions not in get_args(Sessions):
        raise UsageError(f"sessions = {sessions!r}", fix='use "open", "closed" or "clients"')
    caching = _caching(cluster)
    workload = workload_of(trace, prefixes=caching, sessions=sessions)
    if not caching:
        return workload, cluster
    pools = tuple(
        pool.in_blocks_of(workload.block_size) if pool.prefix_caching else pool
        for pool in cluster.pools
    )
    return workload, replace(cluster, pools=pools)


def _caching(cluster: Cluster) -> bool:
    return any(pool.prefix_caching for pool in cluster.pools)


def runs_of(trace: Trace, cluster: Cluster, played: Sequence[Played], sessions: Sessions) -> Runs:
    """Lay the outcomes of lanes beside the trace.

    Args:
        trace: what was replayed.
        cluster: on what, as the user wrote it.
        played: the lanes.
        sessions: how turns were released.
    """
    base = trace.frame.select(
        name for name in trace.columns if name in COLUMNS and name not in REPLAYED
    ).collect()
    names, infos, traces, records = cluster.instance_names, [], [], []
    for lane in played:
        records.append(lane.recorder.frames(cluster, lane.outcome))
        info = RunInfo(
            run_id=f"{lane.router}__x{lane.rate_scale!r}__s{lane.seed}",
            router=lane.router,
            rate_scale=lane.rate_scale,
            seed=lane.seed,
            instances=len(names),
            steps=lane.outcome.steps,
            steps_outside_domain=lane.outcome.steps_outside,
        )
        infos.append(info)
        options = {
            "router": lane.router,
            **lane.options,
            "rate_scale": lane.rate_scale,
            "seed": lane.seed,
            "sessions": sessions,
            "cluster": cluster.to_dict(),
        }
        traces.append(
            outcome_trace(
                trace, base, lane.workload, lane.outcome,
                run_id=info.run_id, names=names, options=options,
            )
        )  # fmt: skip
    return Runs(tuple(infos), tuple(traces), cluster.to_dict(), tuple(records))
