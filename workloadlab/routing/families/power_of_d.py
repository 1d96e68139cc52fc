"""Power of d choices: look at a few instances drawn at random."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.router import router

__all__ = ["power_of_d", "power_of_two"]

FAMILY = "power of d"
SOURCE = "Mitzenmacher 2001; Vvedenskaya et al. 1996; Ray Serve, SGLang and AIBrix"


def _load(instance: Any, signal: Any) -> float:
    """Return the signal: 0 in flight, 1 share of KV blocks in use, 2 tokens still to process."""
    if signal == 0:
        return float(instance.in_flight)
    if signal == 1:
        return float(instance.kv_blocks_used / instance.kv_blocks)
    return float(instance.queued_tokens + instance.output_tokens_left)


@router(
    kind="choose",
    family=FAMILY,
    params={"signal": 0},
    formula="the less loaded of two distinct instances drawn at random",
    source=SOURCE,
)
def power_of_two(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Draw two instances, take the less loaded by `signal`; ties to the first drawn.

    Signals: 0 requests in flight (Ray, AIBrix), 1 KV blocks in use (SGLang, where engines report it),
    2 prompt and predicted output tokens still to process.
    """
    count = 0
    for i in range(len(instances)):
        count += instances[i].fits
    spread = request.draw * count
    nth_first = min(int(spread), count - 1)
    nth_second = min(int((spread - nth_first) * (count - 1)), count - 2)
    if nth_second >= nth_first:
        nth_second += 1
    first = second = seen = 0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            if seen == nth_first:
                first = i
            if seen == nth_second:
                second = i
            seen += 1
    if count < 2:
        return first
    if _load(instances[second], params[0]) < _load(instances[first], params[0]):
        return second
    return first


@router(
    kind="choose",
    family=FAMILY,
    params={"d": 3, "signal": 0},
    formula="the least loaded of d distinct instances drawn at random",
    source=SOURCE,
)
def power_of_d(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Draw d instances, take the least loaded by `signal`; ties to the lowest index.

    Signals are those of power_of_two. With d = 1 it is `random`; with d at least the number of instances
    it looks at all of them.
    """
    left = 0
    for i in range(len(instances)):
        left += instances[i].fits
    wanted = min(max(int(params[0]), 1), left)
    draw = request.draw
    best, best_load = 0, -1.0
    for i in range(len(instances)):
        if instances[i].fits == 1 and wanted > 0:
            share = wanted / left
            left -= 1
            if draw < share:
                draw /= share
                wanted -= 1
                load = _load(instances[i], params[1])
                if best_load < 0.0 or load < best_load:
                    best, best_load = i, load
            else:
                draw = (draw - share) / (1.0 - share)
    return best
