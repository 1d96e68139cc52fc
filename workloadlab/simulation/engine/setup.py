"""The arrays of a lane before anything has happened."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.jit import compiled_beside
from workloadlab.latency.estimators.registry import estimator_named
from workloadlab.latency.step_terms import NO_TERMS
from workloadlab.routing import empty_memory
from workloadlab.routing.signals import ENDED_FIELDS, REPORTED_FIELDS, SINCE_REPORT_FIELDS
from workloadlab.simulation.engine.arrays import ARRAYS
from workloadlab.simulation.engine.by_address import DECODE_LINE, PARTS, ROUTERS, STEP_TIME
from workloadlab.simulation.engine.lane_record import (
    CLOCK,
    COMPILED_PARTS,
    LANE,
    LaneArrays,
    signature_of,
)
from workloadlab.simulation.engine.record_types import (
    AWAY,
    BATCHINGS,
    INSTANCE_STATE,
    NONE,
    ORDERS,
    PAGE_BITS,
    PART,
    RULES,
)
from workloadlab.simulation.event import presence
from workloadlab.simulation.fixed_signals import fixed_signals
from workloadlab.simulation.pool import UNLIMITED
from workloadlab.simulation.workload import prefix_keys, seed_state

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel
    from workloadlab.routing import PrefixIndex, Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.workload import Workload

__all__ = ["address_of", "lane_arrays", "lane_bytes", "timed"]

FIRST_SLOTS = 4096

BESIDE = ("workloadlab.simulation.engine.batch_formation", "workloadlab.simulation.engine.lane")
"""What another process compiles, half of all, while this one compiles latency models and `group`."""

FEWEST_WITH_BITS = 32
"""From so many instances on, engines keep a bit for every block in their caches if the router sees them.
It saves the router a look-up per instance and costs the engines a write per block that comes or goes.
Replays that evict, with prompts of some 25 blocks and of 100, took 1 % less and 4 % more time on 16
instances, 7 % and 1 % less on 32, 13 % and 3 % less on 64."""


@cache
def address_of(function: Any, signature: Any) -> int:
    """Return where the code of a compiled function is; remembered, so the function lives on."""
    compiled = function.get_compile_result(signature)
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


def _serves(cluster: Cluster, workload: Workload) -> Any:
    """Return which pool serves which model; the first column is for requests that name none."""
    table = np.ones((len(cluster.pools), len(workload.models) + 1), np.uint8)
    for row, pool in enumerate(cluster.pools):
        if pool.models:
            table[row, 1:] = [name in pool.models for name in workload.models]
    return table


def timed(workload: Workload, models: list[LatencyModel], outside_s: float) -> dict[str, Any]:
    """Lay out step times, and when requests come: the time outside the engines delays every arrival."""
    given = {
        "tables": _stacked([model.kernel()[1] for model in models]),
        "terms": _stacked([model.terms.table for model in models]),
        "arrivals": workload.arrival_s + outside_s if outside_s else workload.arrival_s,
        "thinks": workload.think_s + outside_s if workload.closed else (),
    }
    return {name: np.ascontiguousarray(v, ARRAYS[name].element) for name, v in given.items()}


def _requests(workload: Workload, cluster: Cluster, *, keyed: bool) -> dict[str, Any]:
    """Lay out what the requests ask for; in a closed loop turns follow on others."""
    return {
        "inputs": workload.input_tokens,
        "outputs": workload.output_tokens,
        "predictions": workload.predicted_tokens,
        "sessions": workload.session,
        "models": workload.model,
        "priorities": workload.priority,
        "tenants": workload.tenant,
        "slo_classes": workload.slo_class,
        "first_blocks": workload.first_block,
        "next_turns": workload.next_turn if workload.closed else (),
        "prefix_keys": prefix_keys(workload) if keyed else (),
        "starts": workload.starts,
        "serves": _serves(cluster, workload),
        "block_ids": workload.block_ids,
    }


def _or_unlimited(limit: int | None) -> int:
    return UNLIMITED if limit is None else limit


def _engines(cluster: Cluster, *, named: bool) -> Any:
    engines = np.zeros(sum(pool.instances for pool in cluster.pools), INSTANCE_STATE)
    first = 0
    for number, pool in enumerate(cluster.pools):
        rows = engines[first : first + pool.instances]
        first += pool.instances
        estimator = estimator_named(pool.latency.estimator)
        rows["step_time"] = address_of(estimator.step_time, STEP_TIME)
        rows["decode_line"] = address_of(estimator.decode_line, DECODE_LINE)
        rows["kv_blocks"] = pool.blocks
        rows["block_size"] = pool.block_size
        rows["max_num_seqs"] = pool.seats
        rows["most_tokens"] = pool.most_tokens
        rows["most_requests"] = _or_unlimited(pool.max_num_queued_reqs)
        rows["most_backlog"] = _or_unlimited(pool.max_num_queued_tokens)
        rows["interval"] = pool.prefill_schedule_interval
        rows["last_prefill"] = -pool.prefill_schedule_interval
        rows["budget"] = pool.max_num_batched_tokens
        rows["threshold"] = pool.long_prefill_token_threshold
        rows["queue_order"] = ORDERS.index(pool.queue_order)
        rows["batching"] = BATCHINGS.index(pool.batching)
        rows["reserve"] = pool.reserve_full_isl
        rows["headroom"] = pool.spare_blocks
        rows["most_in_flight"] = rows["most_now"] = pool.most_in_flight
        rows["overhead_s"] = pool.step_overhead_s
        rows["sequence_overhead_s"] = pool.sequence_overhead_s
        rows["captured"] = pool.captured_tokens
        rows["noise"] = pool.log_noise
        rows["attention_slots"] = pool.attention_slots or np.inf
        rows["plain"] = pool.latency.terms == NO_TERMS and not pool.attention_slots
        rows["bounded"] = pool.latency.domain is not None
        rows["overlapped"] = pool.async_scheduling
        rows["vain"] = pool.decodes_in_vain
        rows["pool"] = number
        # Where no block has an id, what stays is only found by a sequence that was preempted.
        rows["caching"] = pool.prefix_caching and (named or pool.limited)
        rows["ranks"] = pool.ranks
    absent, engines["starts_left"] = presence(cluster.event_queue, len(engines))
    engines["most_now"][absent] = AWAY
    engines["free"] = engines["kv_blocks"]
    for link in ("oldest", "newest", "spare"):
        engines[link] = NONE
    for queue in ("waiting", "running", "leaving"):
        engines[queue]["head"] = engines[queue]["tail"] = NONE
    return engines


def _stacked(tables: list[Any]) -> Any:
    """Return one table for every pool, (pools, cells), with zeros behind."""
    padded = np.zeros((len(tables), max(map(len, tables))))
    for row, table in zip(padded, tables, strict=True):
        row[: len(table)] = table
    return padded


def _bounds(model: LatencyModel) -> Any:
    """Return the domain as (kinds, features, low and high); everything if the model has none."""
    if model.domain is not None:
        return model.domain.bounds()
    return np.tile(np.array([-np.inf, np.inf]), (3, 5, 1))


def _instances(cluster: Cluster, *, named: bool) -> dict[str, Any]:
    """Lay out the instances, where their latency models hold, and what happens to them."""
    return {
        "engines": _engines(cluster, named=named),
        "domains": np.stack([_bounds(pool.latency) for pool in cluster.pools]),
        "events": np.array(cluster.event_queue, ARRAYS["events"].element),
    }


def _index(settings: PrefixIndex | None, cluster: Cluster) -> dict[str, Any]:
    """Lay out the limits of prefix indexes and their empty parts, for each replica of the router."""
    rules = np.zeros(cluster.replicas, RULES)
    tokens = [
        pool.blocks * pool.block_size for pool in cluster.pools for _ in range(pool.instances)
    ]
    parts = np.zeros((cluster.replicas, len(tokens) + 1), PART)
    parts["oldest"] = parts["newest"] = NONE
    if settings is not None:
        rules["ttl_s"] = np.inf if settings.ttl_s is None else settings.ttl_s
        rules["sweep_s"], rules["tree"] = settings.sweep_s, settings.kind == "tree"
        rules["shared"] = settings.shared
        parts["capacity"] = settings.capacities(tokens)
    return {"index_rules": rules, "index_parts": parts}


def _router(
    policy: Router, index: PrefixIndex | None, cluster: Cluster, models: tuple[str, ...]
) -> dict[str, Any]:
    """Lay out what a router sees at first, and its own."""
    cells = empty_memory(len(cluster.instance_names)) if policy.kind == "choose" else np.zeros(0)
    return {
        "views": fixed_signals(cluster, models),
        **_index(index, cluster),
        "params": np.array(policy.params, float),
        "memory": np.tile(cells, (cluster.replicas, 1)),
    }


def _index_of(readers: tuple[Router, ...]) -> PrefixIndex | None:
    """Return the one prefix index that readers keep, if any."""
    return next((one.index for one in readers if one.index is not None), None)


def _options(
    workload: Workload, cluster: Cluster, readers: tuple[Router, ...], seed: int, *, stepwise: bool
) -> dict[str, Any]:
    """Return the facts of a run; `stepwise` if every step must be seen.

    The first of the readers is the lane's router.
    """
    policy = readers[0]
    instances = sum(pool.instances for pool in cluster.pools)
    told = any("prefix" in one.reads for one in readers)
    guesses = _index_of(readers) is not None
    sees_cache = told and not guesses and any(pool.prefix_caching for pool in cluster.pools)
    stepwise = stepwise or any(pool.step_noise > 0 for pool in cluster.pools)
    fresh = cluster.signal_interval_s == 0 and not workload.closed and not stepwise

    def may_see(*signals: str) -> bool:
        return any(one.may_see(*signals) for one in readers)

    return {
        "seed": seed_state(seed),
        "most_held": cluster.most_held,
        "by_score": policy.kind == "score",
        "foresees": may_see("next_decode_s"),
        "tells_left": may_see("output_tokens_left"),
        "tells_ended": may_see(*ENDED_FIELDS),
        "lazy": fresh and not any(one.sees_decoding for one in readers),
        "shows": cluster.signal_interval_s == 0 and may_see(*REPORTED_FIELDS, *SINCE_REPORT_FIELDS),
        "oracle": "oracle" in policy.reads,
        "prefix": told,
        "block_tokens": workload.block_size,
        "guesses": guesses,
        "sees_cache": sees_cache,
        "keeps_bits": sees_cache and instances >= FEWEST_WITH_BITS,
        "closed": workload.closed,
        "stepwise": stepwise,
        "interval_s": cluster.signal_interval_s,
        "delay_s": cluster.signal_delay_s,
        "decision_s": cluster.decision_overhead_s,
        "overwrites": policy.overwrites,
        "prefix_words": -(-instances // 64),
    }


def _names_outputs(workload: Workload) -> bool:
    """Say whether the trace names blocks of outputs, which decodes fill."""
    size = max(workload.block_size, 1)
    return bool((np.diff(workload.first_block) > workload.input_tokens // size).any())


def _spares(workload: Workload, cluster: Cluster) -> int:
    """Return how many cells without id an instance may need: each holds a cached block at least.

    None where nothing is ever evicted. The copies are as many as the trace names blocks, twice that if
    requests are preempted over and over; between two of them is one run, and a request may have one.
    """
    limited = [pool.blocks for pool in cluster.pools if pool.prefix_caching and pool.limited]
    most = 2 * len(workload.block_ids) + 4 * len(workload) + 64
    return min(max(limited, default=0), most)


def _sizes(workload: Workload, cluster: Cluster, options: dict[str, Any]) -> dict[str, int]:
    """Return how much room the arrays need that are empty at first."""
    n, count = len(workload), sum(pool.instances for pool in cluster.pools)
    caching = any(pool.prefix_caching for pool in cluster.pools)
    indexed = n if options["guesses"] else 0
    ids = int(workload.block_ids.max(initial=-1)) + 1
    spares = _spares(workload, cluster)
    noted = spares + ids if caching or options["guesses"] else 0
    heap_room = min(max(pool.max_num_seqs for pool in cluster.pools), n) + 1
    depth = 1  # as many reports as can be on their way
    if cluster.signal_interval_s > 0:
        depth = int(cluster.signal_delay_s / cluster.signal_interval_s) + 2
    return {
        "phases": max(pool.block_size for pool in cluster.pools),
        "heap_room": heap_room,
        "short_room": heap_room if options["tells_left"] else 0,
        "id_count": ids if caching else 0,
        "spare_count": spares,
        "cell_count": (ids if caching else 0) + spares,
        "fill_room": heap_room if caching and _names_outputs(workload) else 0,
        "page_count": 8 * ((noted >> PAGE_BITS + 3) + 1),  # copied eight at a time
        "cacheable_blocks": len(workload.block_ids) if caching else 0,
        "release_room": n if options["closed"] or cluster.events else 0,
        "depth": depth,
        "indexed_requests": indexed,
        "buckets": 1 << indexed.bit_length() if indexed else 0,
        "counting_replicas": cluster.replicas if cluster.replicas > 1 else 0,
        "bit_rows": -(-count // 64) * (cluster.replicas if options["guesses"] else 1),
        "prefix_ids": ids if options["guesses"] or options["keeps_bits"] else 0,
    }


def _as_in_the_table(given: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    """Return the given arrays as the table has them; adds their lengths to `sizes`."""
    arrays = {}
    for name, values in given.items():
        row = ARRAYS[name]
        arrays[name] = np.ascontiguousarray(values, row.element)
        lengths = zip(row.shape, arrays[name].shape, strict=True)
        sizes |= {size: length for size, length in lengths if isinstance(size, str)}
    return arrays


@cache
def _parts(*, events: bool, indexed: bool) -> dict[str, int]:
    """Return where the parts of the engine are; to import one compiles it.

    What a lane never calls is not compiled for it.
    """
    needed = set(PARTS)
    if events:
        from workloadlab.simulation.engine import events as handlers  # noqa: F401  it compiles them
    else:
        needed.remove("handle_events")
    if indexed:
        from workloadlab.simulation.engine import prefix_index  # noqa: F401  it compiles them
    else:
        needed -= {"index_match", "index_insert"}
    from workloadlab.simulation.engine import group  # noqa: F401, I001  what no other process compiles
    from workloadlab.simulation.engine import batch_formation, lane  # noqa: F401

    return {name: address_of(COMPILED_PARTS[name], signature_of(name)) for name in sorted(needed)}


def _functions(policy: Router, cluster: Cluster, *, indexed: bool) -> dict[str, int]:
    """Return where the functions of a lane are: the parts of the engine, and the router."""
    parts = _parts(events=bool(cluster.events), indexed=indexed)
    if policy.kind not in ROUTERS:
        return parts
    return {**parts, policy.kind: address_of(policy.compiled, ROUTERS[policy.kind])}


def lane_arrays(
    workload: Workload,
    cluster: Cluster,
    policy: Router,
    seed: int,
    *,
    readers: tuple[Router, ...] = (),
    slots: int = FIRST_SLOTS,
    recorded_steps: int = 0,
    recorded_decisions: int = 0,
) -> LaneArrays:
    """Lay out a lane.

    Args:
        workload: what to replay.
        cluster: on what.
        policy: the router; one that chooses for many lanes at once is asked by its caller.
        seed: of the run.
        readers: others that are shown what the router is; they keep the same prefix index, or none.
        slots: how many requests can be live at first.
        recorded_steps: how many steps the record holds; 0 for no record.
        recorded_decisions: the same of decisions.
    """
    with compiled_beside(*BESIDE):
        given, sizes, options = _described(
            workload, cluster, (policy, *readers), seed, slots=slots, recorded_steps=recorded_steps,
            recorded_decisions=recorded_decisions,
        )  # fmt: skip
        functions = _functions(policy, cluster, indexed=options["guesses"])
    made = LaneArrays(np.zeros(1, LANE), {})
    for name, row in ARRAYS.items():
        made.put(name, given[name] if name in given else row.fresh(sizes))
    for name, value in {**sizes, **options, **CLOCK, **functions}.items():
        made.lane[name] = value
    made.lane["event_s"] = min(made.arrays["events"]["at_s"], default=np.inf)
    return made


def lane_bytes(
    workload: Workload, cluster: Cluster, policy: Router, *, slots: int = FIRST_SLOTS
) -> int:
    """Return what a lane has of its own, whatever others share with it; lays nothing out."""
    # A replay begins with this, and lays lanes out later.
    with compiled_beside(*BESIDE, waited=False):
        given, sizes, _ = _described(workload, cluster, (policy,), 0, slots=slots)
    return sum(
        given[name].nbytes if name in given else prod(row.lengths(sizes)) * row.element.itemsize
        for name, row in ARRAYS.items()
        if row.written
    )


def _described(
    workload: Workload,
    cluster: Cluster,
    readers: tuple[Router, ...],
    seed: int,
    *,
    slots: int = FIRST_SLOTS,
    recorded_steps: int = 0,
    recorded_decisions: int = 0,
) -> tuple[dict[str, Any], dict[str, int], dict[str, Any]]:
    """Return (arrays that a lane begins with, sizes of all, facts of the run)."""
    options = _options(workload, cluster, readers, seed, stepwise=recorded_steps > 0)
    requests = _requests(workload, cluster, keyed=options["prefix"])
    models = [pool.latency for pool in cluster.pools]
    times = timed(workload, models, cluster.request_overhead_s)
    instances = _instances(cluster, named=len(workload.block_ids) > 0)
    router = _router(readers[0], _index_of(readers), cluster, workload.models)
    sizes = _sizes(workload, cluster, options)
    sizes["slot_count"] = min(len(workload), slots)
    sizes["room_for_steps"], sizes["room_for_decisions"] = recorded_steps, recorded_decisions
    given = _as_in_the_table({**requests, **times, **instances, **router}, sizes)
    return given, sizes, options
