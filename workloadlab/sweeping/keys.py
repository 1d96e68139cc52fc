"""Digests of what a run is made from: trace, cluster, router, and the versions that compute it."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.atomic import scratch_folder
from workloadlab.errors import UsageError
from workloadlab.installation import code_in_words
from workloadlab.trace import read_parts, trace_digest

if TYPE_CHECKING:
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace

__all__ = ["cell_key", "key_of", "key_of_cluster", "key_of_router", "key_of_trace"]


def key_of(facts: Any) -> str:
    """Return the digest of plain data.

    Example:
        >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1})
        True
    """
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def key_of_trace(trace: Trace) -> str:
    """Return the digest of a trace: of its file, of its parts, or of what its file would be."""
    if trace.path is None:
        with scratch_folder("workloadlab-sweep-") as scratch:
            trace.write(scratch / "trace")
            return trace_digest(scratch / "trace")
    parts = read_parts(Path(trace.path))
    if parts:
        return key_of([trace_digest(trace.path / part.file) for part in parts])
    return trace_digest(trace.path)


def key_of_cluster(cluster: Cluster) -> str:
    """Return the digest of a cluster and of its latency models."""
    return key_of([cluster.to_dict(), [pool.latency.to_dict() for pool in cluster.pools]])


def key_of_router(policy: Router) -> str:
    """Return the digest of a router: of its code, which need not be compiled, and of what it is given.

    Raises:
        UsageError: it is not compiled, or not known in all its parts, so that nobody knows what it does.
    """
    if policy.kind == "batch":
        raise UsageError(
            f"router {policy.name!r} chooses in Python, and a sweep cannot tell when it changes",
            fix="replay it, or write it as a function: see wl.router",
        )
    return key_of(
        [
            _code_of(policy), policy.kind, policy.params, sorted(policy.needs),
            sorted(policy.uses), policy.index and asdict(policy.index), policy.overwrites,
        ]
    )  # fmt: skip


def _code_of(policy: Router) -> str:
    """Return what changes with a router's code; of ours its name, for `cell_key` has our sources."""
    function = policy.function
    if function.__module__.startswith("workloadlab.") and function.__closure__ is None:
        return f"{function.__module__}.{function.__qualname__}"
    from workloadlab.jit.stamps import stamp
    from workloadlab.routing.compilation import linked_function

    try:
        return stamp(linked_function(function))
    except TypeError as error:
        policy.compiled  # noqa: B018  numba's own complaint comes first
        raise UsageError(
            f"router {policy.name!r}: {error}, so a sweep cannot tell when it changes",
            where=policy.location, fix="read numbers, tuples and functions only",
        ) from error  # fmt: skip


def cell_key(
    trace: str,
    cluster: str,
    router: str,
    *,
    rate_scale: float,
    seed: int,
    sessions: str,
    slo: dict[str, float],
) -> str:
    """Return the digest of all that the score and the outcome of a run are made from.

    Args:
        trace: its digest.
        cluster: its digest.
        router: its digest.
        rate_scale: of the run.
        seed: of the run.
        sessions: of the run.
        slo: targets of its score.
    """
    return key_of([code_in_words(), trace, cluster, router, rate_scale, seed, sessions, slo])
