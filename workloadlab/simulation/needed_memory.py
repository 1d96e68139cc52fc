"""How much memory a replay takes, told before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.errors import MachineError
from workloadlab.simulation.engine import setup
from workloadlab.sizes import allowed_bytes, bytes_words
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.routing import Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.workload import Workload

__all__ = ["lane_bytes", "needed_bytes", "refuse_more_than"]

REQUEST_BYTES = 300
"""Of a request in the trace's columns and in the workload."""

OUTCOME_BYTES = 150
"""Of a request in the outcome trace of one run. Both were measured on runs of 1,000,000 requests."""


def lane_bytes(workload: Workload, cluster: Cluster, policies: Sequence[Router]) -> int:
    """Return what the fullest lane has of its own; see `engine/setup.py`."""
    compiled = [policy for policy in policies if policy.kind != "batch"]
    fullest = next((policy for policy in compiled if policy.index is not None), None)
    if not compiled:
        return 0
    return setup.lane_bytes(workload, cluster, fullest or compiled[0])


def needed_bytes(requests: int, runs: int, at_a_time: int, per_lane: int) -> int:
    """Estimate the memory of a replay beyond that of the program.

    Args:
        requests: of the trace.
        runs: routers x rates x seeds; the outcomes of all are kept.
        at_a_time: runs that are under way at once.
        per_lane: see `lane_bytes`.

    Example:
        >>> needed_bytes(1_000_000, runs=12, at_a_time=2, per_lane=60_000_000) // 10**6
        2220
    """
    return requests * (REQUEST_BYTES + runs * OUTCOME_BYTES) + min(runs, at_a_time) * per_lane


def refuse_more_than(
    limit: int | str | None, requests: int, runs: int, at_a_time: int, per_lane: int
) -> None:
    """Refuse a replay that needs more memory than it may use.

    Args:
        limit: bytes; None for all that this machine or container has.
        requests: of the trace.
        runs: routers x rates x seeds.
        at_a_time: runs that are under way at once.
        per_lane: see `lane_bytes`.

    Raises:
        MachineError: says how much it needs, and which of threads and runs would make it fit.
        UsageError: the limit is no number of bytes.
    """
    allowed = allowed_bytes(limit)
    needed = needed_bytes(requests, runs, at_a_time, per_lane)
    if needed <= allowed:
        return
    fixes = []
    if needed_bytes(requests, runs, 1, per_lane) <= allowed:
        fixes.append("--threads 1")
    most = _most_runs(allowed, requests, per_lane)
    if most:
        fixes.append(f"at most {most:,} runs at a time (routers x rates x seeds)")
    fixes.append("a sample of the trace")
    raise MachineError(
        f"this replay of {plural(runs, 'run')} of {plural(requests, 'request')} needs about "
        f"{bytes_words(needed)} and may use {bytes_words(allowed)}",
        fix=f"use {' or '.join(fixes)}, or allow more with --memory-limit",
    )


def _most_runs(allowed: float, requests: int, per_lane: int) -> int:
    left = allowed - requests * REQUEST_BYTES - per_lane
    return max(0, int(left // max(1, requests * OUTCOME_BYTES)))
