"""Power of d choices: look at a few instances drawn at random."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.choices import count_able, least_of_drawn, nth_able
from workloadlab.routing.prompts import prompts_ahead
from workloadlab.routing.router import router

__all__ = ["power_of_d", "power_of_two"]

FAMILY = "power of d"
SOURCE = "Mitzenmacher 2001; Vvedenskaya et al. 1996; Ray Serve, smg and AIBrix (2026)"


def _load(instance: Any, signal: Any) -> float:
    """Return the signal: 0 in flight, 1 share of KV blocks in use, 2 tokens still to process."""
    if signal == 0:
        return float(instance.in_flight)
    if signal == 1:
        return float(instance.kv_blocks_used / instance.kv_blocks)
    return float(prompts_ahead(instance) + instance.output_tokens_left)


_least_of_drawn = least_of_drawn(_load)


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
    count = count_able(instances)
    spread = request.draw * count
    nth_first = min(int(spread), count - 1)
    nth_second = min(int((spread - nth_first) * (count - 1)), count - 2)
    if nth_second >= nth_first:
        nth_second += 1
    first, second = nth_able(instances, nth_first), nth_able(instances, nth_second)
    if second < 0:
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
    return _least_of_drawn(instances, max(int(params[0]), 1), request.draw, params[1])
