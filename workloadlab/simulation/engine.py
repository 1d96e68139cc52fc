"""Run the compiled engine on one lane: lay out its arrays, call it, read its verdict."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.routing import INSTANCE, REQUEST, Router, empty_memory, router
from workloadlab.simulation.reference import UNLIMITED_BLOCKS, prefix_keys, spare_blocks
from workloadlab.simulation.workload import Outcome, Workload, seed_state

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel
    from workloadlab.simulation.cluster import Cluster

__all__ = ["replay_lane"]


@router
def _no_score(request: Any, instance: Any, params: Any) -> float:  # noqa: ARG001
    return 0.0


@router(kind="choose")
def _no_choice(request: Any, instances: Any, params: Any, memory: Any) -> int:  # noqa: ARG001
    return 0


@cache
def _placeholders() -> tuple[Any, Any]:
    """Functions for the slot that a router's kind leaves empty."""
    return _no_score.compiled, _no_choice.compiled


def _engines(cluster: Cluster) -> Any:
    from workloadlab.simulation.kernel_state import ENGINE

    engines = np.zeros(sum(pool.instances for pool in cluster.pools), ENGINE)
    first = 0
    for number, pool in enumerate(cluster.pools):
        rows = engines[first : first + pool.instances]
        first += pool.instances
        rows["kv_blocks"] = UNLIMITED_BLOCKS if pool.kv_blocks is None else pool.kv_blocks
        rows["block_size"] = pool.block_size
        rows["max_num_seqs"] = pool.max_num_seqs
        rows["budget"] = pool.max_num_batched_tokens
        rows["reserve"] = pool.reserve_full_isl
        rows["spare"] = spare_blocks(pool)
        rows["overhead_s"] = pool.step_overhead_s
        rows["overlapped"] = pool.async_scheduling
        rows["pool"] = number
        rows["caching"] = pool.prefix_caching
    engines["free"] = engines["kv_blocks"]
    for link in ("partial", "wait_head", "wait_tail", "run_head", "run_tail", "oldest", "newest"):
        engines[link] = -1
    return engines


def _serves(cluster: Cluster, workload: Workload) -> Any:
    """Return which pool serves which model; the last column is for requests that name none."""
    table = np.ones((len(cluster.pools), len(workload.models) + 1), np.uint8)
    for row, pool in enumerate(cluster.pools):
        if pool.models:
            table[row, :-1] = [name in pool.models for name in workload.models]
    return table


def _bounds(model: LatencyModel) -> Any:
    """Return the domain as (kinds, features, low and high); everything if the model has none."""
    if model.domain is not None:
        return model.domain.bounds()
    return np.tile(np.array([-np.inf, np.inf]), (3, 5, 1))


def _jobs(workload: Workload, cluster: Cluster) -> Any:
    """Lay out what the requests ask for; the overhead outside the engine delays every arrival."""
    from workloadlab.simulation.kernel_state import JOB

    jobs = np.empty(len(workload), JOB)
    jobs["arrival_s"] = workload.arrival_s + cluster.request_overhead_s
    jobs["input"], jobs["model"] = workload.input_tokens, workload.model
    jobs["output"], jobs["predicted"] = workload.output_tokens, workload.predicted_tokens
    jobs["session"], jobs["next_turn"] = workload.session, workload.next_turn
    jobs["think_s"] = workload.think_s + cluster.request_overhead_s
    jobs["first_block"], jobs["blocks"] = workload.first_block[:-1], np.diff(workload.first_block)
    return jobs


def _cache(workload: Workload, cluster: Cluster, count: int) -> Any:
    """Return the residency of every block id on every instance: none; no ids if nobody caches."""
    from workloadlab.simulation.kernel_state import CACHED, NONE

    caching = any(pool.prefix_caching for pool in cluster.pools)
    ids = int(workload.block_ids.max(initial=-1)) + 1 if caching else 0
    cache = np.zeros((count, ids), CACHED)
    for link in CACHED.names or ():
        cache[link] = NONE
    return cache


def _views(engines: Any) -> Any:
    """Return the router's view of the instances before anything is reported."""
    views = np.zeros(len(engines), INSTANCE)
    views["index"] = np.arange(len(engines))
    for name in ("kv_blocks", "block_size", "max_num_seqs"):
        views[name] = engines[name]
    return views


def replay_lane(workload: Workload, cluster: Cluster, policy: Router, seed: int) -> Outcome:
    """Replay one lane in compiled code; releases the GIL while it runs.

    Raises:
        UsageError: the router cannot be compiled, raises, returns an instance that does not exist,
            scores every instance NaN, or defers for ever.
    """
    from workloadlab.latency.mixed import mixed_kernel
    from workloadlab.simulation import kernel
    from workloadlab.simulation import kernel_state as state
    from workloadlab.simulation.kernel_index import empty_index

    n, pools = len(workload), cluster.pools
    jobs = _jobs(workload, cluster)
    results = np.zeros(n, state.RESULT)
    for moment in ("dispatch_s", "scheduled_s", "first_token_s", "end_s"):
        results[moment] = np.nan
    results["instance"] = -1
    engines = _engines(cluster)
    count = len(engines)
    seats = min(int(np.minimum(engines["max_num_seqs"], engines["budget"]).max()), n) + 1
    step_time, tables = mixed_kernel([pool.latency for pool in pools])
    no_score, no_choice = _placeholders()
    scores = policy.kind == "score"
    arguments = (
        jobs,
        results,
        np.zeros(n, state.SEQUENCE),
        engines,
        np.zeros((count, int(engines["block_size"].max())), np.int64),
        np.zeros((count, seats), state.SEAT),
        _cache(workload, cluster, count),
        workload.block_ids,
        np.zeros(len(workload.block_ids), np.uint8),
        step_time,
        tables,
        np.stack([_bounds(pool.latency) for pool in pools]),
        _serves(cluster, workload),
        np.zeros(len(workload.think_s), state.RELEASE),
        np.zeros(3, np.int64),
        workload.starts,
        prefix_keys(workload),
        scores,
        policy.compiled if scores else no_score,
        no_choice if scores else policy.compiled,
        "oracle" in policy.reads,
        "prefix" in policy.reads,
        *empty_index(policy.index, workload, count),
        np.array(policy.params),
        empty_memory(count),
        np.zeros(1, REQUEST),
        _views(engines),
        np.uint64(seed_state(seed)),
        float(cluster.signal_interval_s),
    )
    try:
        status, row, chosen = kernel.run_lane(*arguments)
    except (ArithmeticError, ValueError, IndexError, AssertionError) as error:
        raise UsageError(
            f"router {policy.name!r} raised {type(error).__name__}: {error}",
            where=policy.location,
            fix="guard the case, for example a division by zero on an idle instance",
        ) from error
    _check_status(status, row, chosen, policy, count)
    return Outcome(
        arrival_s=jobs["arrival_s"] - cluster.request_overhead_s,
        instance=results["instance"].copy(),
        dispatch_s=results["dispatch_s"].copy(),
        scheduled_s=results["scheduled_s"].copy(),
        first_token_s=results["first_token_s"].copy(),
        end_s=results["end_s"].copy(),
        preemptions=results["preemptions"].copy(),
        cached_tokens=results["cached"].copy(),
        steps=int(engines["steps"].sum()),
        steps_outside=int(engines["outside"].sum()),
    )


def _check_status(status: int, row: int, chosen: int, policy: Router, count: int) -> None:
    from workloadlab.simulation import kernel

    if status == kernel.STATUS_OK:
        return
    said = {
        kernel.STATUS_NO_INSTANCE: (
            f"chose instance {chosen} for request {row}; the cluster has 0 to {count - 1}",
            "return an index into `instances`, or -1 to defer",
        ),
        kernel.STATUS_ALL_NAN: (
            f"scores every instance NaN for request {row}",
            "return a number; guard divisions of zero by zero",
        ),
        kernel.STATUS_STUCK: (
            f"defers request {row} although every instance is idle and nothing else will arrive",
            "place a request when an instance is idle",
        ),
    }
    what, fix = said[status]
    raise UsageError(f"router {policy.name!r} {what}", where=policy.location, fix=fix)
