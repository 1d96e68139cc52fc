"""Policies that keep requests in the router's own queue until an instance has room.

A request is offered again at every arrival and at every end of an engine's step. While every instance
that can serve is idle nothing would ever change, so then it is placed at once.
"""

from __future__ import annotations

import math
from typing import Any

from workloadlab.routing.choices import count_able, least, least_among, total
from workloadlab.routing.families.scorers import best_blend, llmd_default
from workloadlab.routing.memory import memory_slots
from workloadlab.routing.prompts import blocks_of, blocks_of_request, prompts_ahead, prompts_with
from workloadlab.routing.router import router

__all__ = ["hold_until_fit", "hra", "llmd_saturation", "max_capacity"]

FAMILY = "central queue"
NEXT = memory_slots(next_s=1)
"""When `max_capacity` may place a request again."""
WEIGHTS = dict(zip(llmd_default.param_names, llmd_default.params, strict=True))
QUEUE_DEPTH, KV_USE, STALE = (len(WEIGHTS) + k for k in range(3))
"""Of `llmd_saturation`: the weights of its scorers, and where its other numbers stand."""


def _room(instance: Any) -> int:
    """Return the blocks that neither running nor queued prompts take, those just sent included."""
    queued = blocks_of(prompts_ahead(instance), instance.block_size)
    taken = instance.kv_blocks_used + queued
    return int(instance.kv_blocks - taken)


def _all_idle(instances: Any) -> bool:
    for i in range(len(instances)):
        if instances[i].fits == 1 and instances[i].in_flight > 0:
            return False
    return True


def _room_then_load(instance: Any) -> Any:
    """Return a pair that is lowest for the most room, of equal ones the fewest in flight."""
    return -_room(instance), instance.in_flight


_roomiest = least(_room_then_load)


@router(
    kind="choose",
    family=FAMILY,
    params={"interval_s": 0.02},
    memory=NEXT,
    formula="every 20 ms, the head of the queue to the instance with the most free blocks if it fits",
    source="maximum capacity usage of Jain et al. 2024",
)
def max_capacity(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """One request per interval_s to the most free blocks; ties to the fewest in flight, then the lowest.

    It fits if its prompt and predicted output do, and the batch has a place. The paper says once per
    second, and that it gains 2.6 % over round robin where 20 requests arrive in a second, so it cannot
    place one a second; 20 ms is its router's step. An interval is over at the first arrival or end of a
    step after it; an idle cluster takes a request at once.
    """
    idle = _all_idle(instances)
    if request.now_s < memory[NEXT.next_s] and not idle:
        return -1
    best = _roomiest(instances)
    v = instances[best]
    wanted = blocks_of_request(request, v)
    if not idle and (wanted > _room(v) or v.in_flight >= v.max_num_seqs):
        return -1
    memory[NEXT.next_s] = request.now_s + params[0]
    return best


def _queue(instance: Any, request: Any, params: Any, idle: Any) -> Any:
    return instance.waiting + instance.running + instance.sent_since_report


def _has_head_room(instance: Any, request: Any, params: Any, idle: Any) -> bool:
    prompts = prompts_with(request, instance)
    reserved = math.ceil(prompts * (1.0 + params[0]) / instance.block_size)
    free = instance.kv_blocks - instance.kv_blocks_used - reserved
    return bool(idle or free >= params[1] * instance.kv_blocks)


_shortest_queue = least_among(_has_head_room, _queue)


@router(
    kind="choose",
    family=FAMILY,
    params={"decode_ratio": 1, "safety": 0.05},
    formula="admissible: free - (1 + decode_ratio)(queued + input) / block >= safety x blocks; the "
    "shortest queue of those, else hold",
    source="head-room admission of Glia (2025); its constants are not published, these are guesses",
)
def hra(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Reserve room for prompts to grow; queue is waiting + running, ties to the lowest index.

    Glia also orders its queue by prompt length, then age; a router sees only the head, which blocks the
    rest. An idle cluster takes a request at once.
    """
    idle = _all_idle(instances)
    return _shortest_queue(instances, request, params, idle)


def _saturation(instance: Any, request: Any, params: Any) -> float:
    """Return how far a queue and a cache are on their way to full, 1 if the report is too old to say."""
    if request.report_age_s > params[STALE]:
        return 1.0
    queue = instance.waiting / params[QUEUE_DEPTH]
    return float(max(queue, instance.kv_blocks_used / instance.kv_blocks / params[KV_USE]))


_total_saturation = total(_saturation)


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    params={**WEIGHTS, "queue_depth": 5, "kv_use": 0.8, "stale_s": 0.2},
    index=llmd_default.index,
    formula="hold while the mean of max(waiting / 5, kv / 0.8) >= 1, reports older than 200 ms counting "
    "as 1; then as llmd_default",
    source="flow control of the llm-d router with its utilization detector, commit ebab68792 (November "
    "2026)",
)
def llmd_saturation(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Keep requests back while the pool is saturated, then take the largest sum; ties at random.

    The first numbers are the weights of `weighted`, by which it chooses. Reports older than stale_s halt
    everything, so it wants a signal_interval_s of at most 0.2; llm-d scrapes every 50 ms. An idle
    cluster takes a request at once. llm-d's priority bands and fair queues are not simulated: first
    come, first served.
    """
    able = count_able(instances)
    if not _all_idle(instances) and _total_saturation(instances, request, params) >= able:
        return -1
    return best_blend(request, instances, params)


def _load(instance: Any, request: Any) -> Any:
    return instance.in_flight


def _starts_at_once(instance: Any, request: Any) -> bool:
    if instance.in_flight >= instance.max_num_seqs:
        return False
    wanted = blocks_of_request(request, instance)
    ready = instance.waiting + instance.sent_since_report == 0 and wanted <= _room(instance)
    return bool(instance.in_flight == 0 or ready)


_least_loaded_ready = least_among(_starts_at_once, _load)


@router(
    kind="choose",
    family=FAMILY,
    formula="the fewest in flight among instances with an empty queue, a free place in the batch and "
    "blocks for prompt and predicted output; else hold",
    source="classic central queue; with one place per instance M/G/n",
)
def hold_until_fit(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Place a request only where it starts in the next step; ties to the lowest index.

    Reads in flight, waiting, the size of the batch and KV use. An idle instance takes it at once.
    """
    return _least_loaded_ready(instances, request)
