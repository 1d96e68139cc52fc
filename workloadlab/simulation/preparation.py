"""What a replay and an environment start from: a trace and a cluster, made to fit each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.routing import Router, unmet_need
from workloadlab.simulation.cluster import Cluster
from workloadlab.simulation.workload import Sessions, Workload, workload_of
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from workloadlab.trace import AnyTrace

__all__ = ["refusals", "workload_and_cluster"]


def workload_and_cluster(
    trace: AnyTrace | Workload,
    cluster: Cluster | str | Path,
    policies: Iterable[Router],
    sessions: Sessions,
) -> tuple[Workload, Cluster]:
    """Return the requests as arrays, and the cluster with KV blocks of the trace where it caches.

    Args:
        trace: what to replay, or its path; requests that were made to fit the cluster stay as they are.
        cluster: on what, or its file.
        policies: the routers, for what they need.
        sessions: when the later turns of a session arrive.

    Raises:
        UnsupportedError: the trace or the cluster lacks what a router or the replay needs.
        UsageError: an unknown kind of sessions, a pool whose blocks do not fit those of the trace, or
            one that none of the requests could use.
    """
    cluster = Cluster.load(cluster)
    if isinstance(trace, Workload):
        return trace, cluster
    trace = Trace.open(trace)
    if sessions not in get_args(Sessions):
        raise UsageError(f"sessions = {sessions!r}", fix='use "open", "closed" or "clients"')
    caching = any(pool.prefix_caching for pool in cluster.pools)
    for policy in policies:
        reason = unmet_need(policy, trace, prefix_caching=caching)
        if reason:
            raise UnsupportedError(
                f"router {policy.name!r} {reason}",
                fix="choose another router, set prefix_caching, or ingest a log that has what it needs",
            )
    named = caching and trace.supports("prefix")
    workload = workload_of(trace, prefixes=named, sessions=sessions)
    simulated = _caching_by(cluster, workload) if caching else cluster
    _check_pools(simulated, workload)
    return workload, simulated


def refusals(trace: Trace, cluster: Cluster) -> Iterator[str]:
    """Say what no pool serves: prompts too long, needs beyond the KV cache, what never runs."""
    yield from _never_running(cluster)
    if not trace.supports("input"):
        return
    prompts = trace.read("input_tokens")["input_tokens"].to_numpy().astype(np.int64)
    most = max(pool.most_tokens for pool in cluster.pools)
    fits = prompts < most
    if long := int((~fits).sum()):
        yield (
            f"{long:,} of {trace.requests:,} prompts leave no room for an answer in max_model_len = "
            f"{most:,} and are rejected; max_model_len = inf in the cluster file takes the limit away"
        )
    roomy = max(cluster.pools, key=lambda pool: pool.blocks * pool.block_size)
    answers = np.ones_like(prompts)
    if trace.supports("output"):
        answers = trace.read("output_tokens")["output_tokens"].fill_null(1).to_numpy()
    need = np.minimum(prompts + np.maximum(answers, 1).astype(np.int64) - 1, roomy.most_tokens)
    if large := int((fits & (need > roomy.blocks * roomy.block_size)).sum()):
        yield (
            f"{large:,} of {trace.requests:,} requests need more KV cache than an instance has "
            f"({roomy.blocks:,} blocks of {roomy.block_size} tokens) and are rejected; kv_blocks in the "
            "cluster file gives it more"
        )


def _never_running(cluster: Cluster) -> Iterator[str]:
    """Name the instances that an event takes away at the start, and none brings back."""
    back = {event.instance.partition("/")[0] for event in cluster.events if event.kind == "start"}
    for event in cluster.events:
        leaves = event.at_s == 0 and event.kind in ("stop", "drain")
        if leaves and event.instance.partition("/")[0] not in back:
            yield (
                f"{event.instance} serves nothing, because an event of the cluster "
                f"({event.kind} at 0 s) takes it away at the start and none starts it again"
            )


def _caching_by(cluster: Cluster, workload: Workload) -> Cluster:
    """Return the cluster with the blocks of a workload; without any nobody shares one."""
    size = workload.block_size
    pools = tuple(
        pool.in_blocks_of(size) if size and pool.prefix_caching else pool for pool in cluster.pools
    )
    return replace(cluster, pools=pools)


def _check_pools(cluster: Cluster, workload: Workload) -> None:
    """Refuse a pool that none of the requests could use: a misspelt model, or too few KV blocks."""
    for pool in cluster.pools:
        served = np.ones(len(workload), bool)
        if pool.models:
            known = [index for index, name in enumerate(workload.models) if name in pool.models]
            served = np.isin(workload.model, [*known, -1])
        if not served.any():
            raise UsageError(
                f"pool {pool.name!r} serves {', '.join(pool.models)}, which no request asks for",
                fix=f"the trace asks for {', '.join(workload.models)}",
            )
        shortest = int(workload.input_tokens[served].min())
        if shortest >= pool.most_tokens:
            raise UsageError(
                f"pool {pool.name!r} takes requests of up to {pool.most_tokens:,} tokens, and the "
                f"shortest prompt has {shortest:,}",
                fix="give it a larger max_model_len",
            )
        least = -(-min(int(workload.kv_tokens[served].min()), pool.most_tokens) // pool.block_size)
        if least > pool.blocks:
            raise UsageError(
                f"pool {pool.name!r} has {pool.blocks:,} KV blocks of {pool.block_size} tokens, and its "
                f"smallest request needs {least:,}",
                fix="give it more kv_blocks",
            )
