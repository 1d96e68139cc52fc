"""The arrays of a lane before anything has happened."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.estimators.registry import estimator_named
from workloadlab.routing import INSTANCE, REQUEST, empty_memory
from workloadlab.simulation.engine import record_types as state
from workloadlab.simulation.engine.record_types import BATCHINGS, NONE, ORDERS
from workloadlab.simulation.fixed_signals import fixed_signals
from workloadlab.simulation.workload import prefix_keys, seed_state

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel
    from workloadlab.routing import PrefixIndex, Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.workload import Workload

__all__ = ["WRITTEN", "LaneArrays", "lane_arrays"]

FIRST_SLOTS = 4096

FEWEST_WITH_BITS = 32
"""From so many instances on, engines keep a bit for every block in their caches if the router sees them.
It saves the router a look-up per instance and costs the engines a write per block that comes or goes.
Replays that evict, with prompts of some 25 blocks and of 100, took 1 % less and 4 % more time on 16
instances, 7 % and 1 % less on 32, 13 % and 3 % less on 64."""

WRITTEN = ("engines", "slots", "ring", "seats", "cache", "pages", "holds", "results", "releases",
            "steps", "decisions", "scores", "views", "offers", "snapshots", "index_rules",
            "index_prompts", "index_parts", "index_buckets", "prefix_bits",
            "memory")  # fmt: skip
"""Arrays that the kernel writes; the others may be shared by lanes."""


@dataclass
class LaneArrays:
    """A lane as the kernel reads it, and what keeps its arrays alive.

    Attributes:
        lane: one `LANE` record with the addresses of the arrays.
        arrays: the arrays by the name of their address.
    """

    lane: Any
    arrays: dict[str, Any]

    def put(self, name: str, values: Any) -> None:
        """Give the lane an array, in the place of the one that it had."""
        self.arrays[name] = values
        self.lane[name] = values.ctypes.data

    def put_params(self, params: Any) -> None:
        """Give the router of the lane other parameters, which may change as it goes; rows are sets."""
        self.put("params", params)
        self.lane["param_count"] = params.shape[-1]

    def copy(self) -> LaneArrays:
        """Return a lane that stands where this one does and goes its own way."""
        made = LaneArrays(self.lane.copy(), dict(self.arrays))
        for name in WRITTEN:
            made.put(name, self.arrays[name].copy())
        return made

    def add_slots(self) -> None:
        """Make room for twice as many live requests."""
        slots = np.zeros(2 * len(self.arrays["slots"]), state.SEQUENCE)
        slots[: len(self.arrays["slots"])] = self.arrays["slots"]
        self.put("slots", slots)
        self.lane["slot_count"] = len(slots)


@cache
def _address_of(function: Any, signature: Any) -> int:
    """Return where the code of a compiled function is; remembered, so the function lives on."""
    compiled = function.get_compile_result(signature)
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


def _serves(cluster: Cluster, workload: Workload) -> Any:
    """Return which pool serves which model; the last column is for requests that name none."""
    table = np.ones((len(cluster.pools), len(workload.models) + 1), np.uint8)
    for row, pool in enumerate(cluster.pools):
        if pool.models:
            table[row, :-1] = [name in pool.models for name in workload.models]
    return table


def _requests(workload: Workload, cluster: Cluster, *, prefix: bool) -> dict[str, Any]:
    """Lay out what the requests ask for; the overhead outside the engine delays every arrival."""
    outside_s = cluster.request_overhead_s
    nothing = np.zeros(0)
    closed = len(workload.starts) < len(workload)
    columns = {
        "arrivals": (workload.arrival_s + outside_s if outside_s else workload.arrival_s, float),
        "inputs": (workload.input_tokens, np.int64),
        "outputs": (workload.output_tokens, np.int64),
        "predictions": (workload.predicted_tokens, np.int64),
        "sessions": (workload.session, np.int64),
        "models": (workload.model, np.int64),
        "priorities": (workload.priority, np.int64),
        "tenants": (workload.tenant, np.int64),
        "slo_classes": (workload.slo_class, np.int64),
        "first_blocks": (workload.first_block, np.int64),
        "next_turns": (workload.next_turn if closed else nothing, np.int64),
        "thinks": (workload.think_s + outside_s if closed else nothing, np.float64),
        "prefix_keys": (prefix_keys(workload) if prefix else nothing, np.int64),
        "starts": (workload.starts, np.int64),
        "serves": (_serves(cluster, workload), np.uint8),
        "block_ids": (workload.block_ids, np.int32),
    }
    return {name: np.ascontiguousarray(values, kind) for name, (values, kind) in columns.items()}


def _engines(cluster: Cluster) -> Any:
    from workloadlab.simulation.engine.by_address import DECODE_LINE, STEP_TIME

    engines = np.zeros(sum(pool.instances for pool in cluster.pools), state.ENGINE)
    first = 0
    for number, pool in enumerate(cluster.pools):
        rows = engines[first : first + pool.instances]
        first += pool.instances
        estimator = estimator_named(pool.latency.estimator)
        rows["step_time"] = _address_of(estimator.step_time, STEP_TIME)
        rows["decode_line"] = _address_of(estimator.decode_line, DECODE_LINE)
        rows["kv_blocks"] = pool.blocks
        rows["block_size"] = pool.block_size
        rows["max_num_seqs"] = pool.max_num_seqs
        rows["budget"] = pool.max_num_batched_tokens
        rows["threshold"] = pool.long_prefill_token_threshold
        rows["queue_order"] = ORDERS.index(pool.queue_order)
        rows["batching"] = BATCHINGS.index(pool.batching)
        rows["reserve"] = pool.reserve_full_isl
        rows["spare"] = pool.spare_blocks
        rows["most_in_flight"] = pool.most_in_flight
        rows["overhead_s"] = pool.step_overhead_s
        rows["noise"] = pool.log_noise
        rows["attention_slots"] = pool.attention_slots or np.inf
        rows["overlapped"] = pool.async_scheduling
        rows["pool"] = number
        rows["caching"] = pool.prefix_caching
        rows["ranks"] = pool.instances if pool.step_together else 1
    engines["free"] = engines["kv_blocks"]
    for link in ("oldest", "newest"):
        engines[link] = NONE
    for queue in ("waiting", "running"):
        engines[queue]["head"] = engines[queue]["tail"] = NONE
    return engines


def _tables(cluster: Cluster) -> Any:
    """Return the table of the latency model of every pool, (pools, cells), with zeros behind."""
    tables = [pool.latency.kernel()[1] for pool in cluster.pools]
    padded = np.zeros((len(tables), max(map(len, tables))))
    for row, table in zip(padded, tables, strict=True):
        row[: len(table)] = table
    return padded


def _bounds(model: LatencyModel) -> Any:
    """Return the domain as (kinds, features, low and high); everything if the model has none."""
    if model.domain is not None:
        return model.domain.bounds()
    return np.tile(np.array([-np.inf, np.inf]), (3, 5, 1))


def _results(count: int) -> Any:
    results = np.zeros(count, state.RESULT)
    for moment in ("arrival_s", "dispatch_s", "scheduled_s", "first_token_s", "end_s"):
        results[moment] = np.nan
    results["instance"] = NONE
    return results


def _cache(ids: int, count: int) -> Any:
    """Return the residency of every block id on every instance: none."""
    cache = np.zeros((count, ids), state.CACHED)
    for link in state.CACHED.names or ():
        cache[link] = NONE
    return cache


def _snapshots(cluster: Cluster, count: int) -> Any:
    """Return a ring of as many snapshots as can be on their way to the router."""
    depth = 1
    if cluster.signal_interval_s > 0:
        depth = int(cluster.signal_delay_s / cluster.signal_interval_s) + 2
    return np.zeros((depth, count), INSTANCE)


def _index(settings: PrefixIndex | None, workload: Workload, instances: int) -> dict[str, Any]:
    """Lay out a router's prefix index at the start of a run; without settings it has no prompts."""
    rules, parts = np.zeros(1, state.RULES), np.zeros(instances + 1, state.PART)
    prompts = buckets = 0
    if settings is not None:
        capacity, ttl_s = settings.capacity_tokens, settings.ttl_s
        rules["capacity"] = np.iinfo(np.int64).max if capacity is None else capacity
        rules["ttl_s"] = np.inf if ttl_s is None else ttl_s
        rules["sweep_s"], rules["tree"] = settings.sweep_s, settings.kind == "tree"
        rules["shared"], prompts = settings.shared, len(workload)
        buckets = 1 << prompts.bit_length()
    parts["oldest"] = parts["newest"] = NONE
    return {
        "index_rules": rules,
        "index_prompts": np.zeros(prompts, state.PROMPT),
        "index_parts": parts,
        "index_buckets": np.full(buckets, NONE, np.int32),
    }


def lane_arrays(
    workload: Workload,
    cluster: Cluster,
    policy: Router,
    seed: int,
    *,
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
        slots: how many requests can be live at first.
        recorded_steps: how many steps the record holds; 0 for no record.
        recorded_decisions: the same of decisions.
    """
    from workloadlab.simulation.engine import lane as kernel
    from workloadlab.simulation.engine.by_address import CHOOSE, SCORE

    n, reads = len(workload), policy.reads
    engines = _engines(cluster)
    count = len(engines)
    requests = _requests(workload, cluster, prefix="prefix" in reads)
    closed = len(requests["starts"]) < n
    caching = any(pool.prefix_caching for pool in cluster.pools)
    guesses = policy.index is not None
    sees_cache = caching and "prefix" in reads and not guesses
    keeps_bits = sees_cache and count >= FEWEST_WITH_BITS
    ids = int(workload.block_ids.max(initial=-1)) + 1 if caching or guesses else 0
    arrays = {
        **requests,
        "engines": engines,
        "slots": np.zeros(min(n, slots), state.SEQUENCE),
        "ring": np.zeros((count, int(engines["block_size"].max())), np.int64),
        "seats": np.zeros((count, min(int(engines["max_num_seqs"].max()), n) + 1), state.SEAT),
        "cache": _cache(ids if caching else 0, count),
        "holds": np.zeros(len(workload.block_ids) if caching else 0, np.uint8),
        "results": _results(n),
        "releases": np.zeros(n if closed else 0, state.RELEASE),
        "steps": np.zeros(recorded_steps, state.STEP),
        "decisions": np.zeros(recorded_decisions, state.DECISION),
        "scores": np.zeros((recorded_decisions, count)),
        "tables": _tables(cluster),
        "domains": np.stack([_bounds(pool.latency) for pool in cluster.pools]),
        "views": fixed_signals(cluster, workload.models),
        "offers": np.zeros(1, REQUEST),
        "snapshots": _snapshots(cluster, count),
        **_index(policy.index, workload, count),
        "prefix_bits": np.zeros((-(-count // 64), ids if guesses or keeps_bits else 0), np.int64),
        "params": np.array(policy.params, float),
        "memory": empty_memory(count) if policy.kind == "choose" else np.zeros(0),
    }
    arrays["pages"] = np.zeros((count, 8 * ((ids >> state.PAGE_BITS + 3) + 1)), np.uint8)
    made = LaneArrays(np.zeros(1, state.LANE), {})
    for name, values in arrays.items():
        made.put(name, values)
    lane = made.lane
    for name in ("last_tick", "seen_tick", "ended", "free_slot", "stalled",
                 "last_ended"):  # fmt: skip
        lane[name] = NONE
    lane["held"]["head"] = lane["held"]["tail"] = NONE
    lane["instances"], lane["pools"], lane["requests"] = count, len(cluster.pools), n
    lane["start_count"], lane["slot_count"] = len(requests["starts"]), len(arrays["slots"])
    lane["phases"], lane["seat_count"] = arrays["ring"].shape[1], arrays["seats"].shape[1]
    lane["id_count"], lane["page_count"] = arrays["cache"].shape[1], arrays["pages"].shape[1]
    lane["block_count"] = len(requests["block_ids"])
    lane["table_cells"], lane["model_columns"] = arrays["tables"].shape[1], len(workload.models) + 1
    lane["edges"] = n + 1
    lane["buckets"] = len(arrays["index_buckets"])
    lane["prefix_words"], lane["prefix_ids"] = arrays["prefix_bits"].shape
    lane["guesses"], lane["sees_cache"], lane["keeps_bits"] = guesses, sees_cache, keeps_bits
    lane["part_count"], lane["block_tokens"] = count + 1, workload.block_size
    lane["param_count"], lane["memory_cells"] = len(policy.params), len(arrays["memory"])
    for name, (function, signature) in kernel.PARTS.items():
        lane[name] = _address_of(function, signature)
    lane["by_score"] = policy.kind == "score"
    if policy.kind != "batch":
        signature = SCORE if policy.kind == "score" else CHOOSE
        lane[policy.kind] = _address_of(policy.compiled, signature)
    lane["depth"] = len(arrays["snapshots"])
    lane["room_for_steps"], lane["room_for_decisions"] = recorded_steps, recorded_decisions
    lane["most_held"], lane["closed"] = cluster.most_held, closed
    lane["oracle"], lane["prefix"] = "oracle" in reads, "prefix" in reads
    lane["stepwise"] = recorded_steps > 0 or any(pool.step_noise > 0 for pool in cluster.pools)
    fresh = cluster.signal_interval_s == 0 and not closed and not lane["stepwise"][0]
    lane["foresees"] = policy.may_see("next_decode_s")
    lane["lazy"] = fresh and not policy.sees_decoding
    lane["interval_s"], lane["delay_s"] = cluster.signal_interval_s, cluster.signal_delay_s
    lane["decision_s"], lane["seed"] = cluster.decision_overhead_s, seed_state(seed)
    return made
