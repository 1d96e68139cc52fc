"""Policies that keep requests in the router's own queue until an instance has room.

A request is offered again at every arrival and at every end of an engine's step. While every instance
that can serve is idle nothing would ever change, so then it is placed at once.
"""

from __future__ import annotations

import math
from typing import Any

from workloadlab.routing.router import router

__all__ = ["hold_until_fit", "hra", "max_capacity"]

FAMILY = "central queue"


def _blocks(tokens: Any, block_size: Any) -> int:
    return int((tokens + block_size - 1) // block_size)


def _room(instance: Any) -> int:
    """Return the blocks that neither running nor queued prompts take, those just sent included."""
    queued = instance.queued_tokens + instance.sent_tokens_since_report
    taken = instance.kv_blocks_used + _blocks(queued, instance.block_size)
    return int(instance.kv_blocks - taken)


def _roomier(a: Any, b: Any) -> bool:
    """Say whether `a` has more room, or as much and fewer in flight."""
    if _room(a) == _room(b):
        return bool(a.in_flight < b.in_flight)
    return _room(a) > _room(b)


def _all_idle(instances: Any) -> bool:
    for i in range(len(instances)):
        if instances[i].fits == 1 and instances[i].in_flight > 0:
            return False
    return True


@router(
    kind="choose",
    family=FAMILY,
    params={"interval_s": 1},
    formula="once a second, the head of the queue to the instance with the most free blocks if it fits",
    source="maximum capacity usage of Jain et al. 2024",
)
def max_capacity(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """One request per interval_s to the most free blocks; ties to the fewest in flight, then the lowest.

    It fits if its prompt and predicted output do, and the batch has a place. A second is over at the
    first arrival or end of a step after it; an idle cluster takes a request at once.
    """
    idle = _all_idle(instances)
    if request.now_s < memory[0] and not idle:
        return -1
    best = -1
    for i in range(len(instances)):
        if instances[i].fits == 1 and (best < 0 or _roomier(instances[i], instances[best])):
            best = i
    v = instances[best]
    wanted = _blocks(request.input_tokens + request.predicted_output_tokens, v.block_size)
    if not idle and (wanted > _room(v) or v.in_flight >= v.max_num_seqs):
        return -1
    memory[0] = request.now_s + params[0]
    return best


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
    best, shortest = -1, 0
    idle = _all_idle(instances)
    for i in range(len(instances)):
        v = instances[i]
        if v.fits == 0:
            continue
        prompts = v.queued_tokens + v.sent_tokens_since_report + request.input_tokens
        reserved = math.ceil(prompts * (1.0 + params[0]) / v.block_size)
        free = v.kv_blocks - v.kv_blocks_used - reserved
        queue = v.waiting + v.running + v.sent_since_report
        if (idle or free >= params[1] * v.kv_blocks) and (best < 0 or queue < shortest):
            best, shortest = i, queue
    return best


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
    best = -1
    for i in range(len(instances)):
        v = instances[i]
        if v.fits == 0 or v.in_flight >= v.max_num_seqs:
            continue
        wanted = _blocks(request.input_tokens + request.predicted_output_tokens, v.block_size)
        ready = v.waiting + v.sent_since_report == 0 and wanted <= _room(v)
        if (v.in_flight == 0 or ready) and (best < 0 or v.in_flight < instances[best].in_flight):
            best = i
    return best
