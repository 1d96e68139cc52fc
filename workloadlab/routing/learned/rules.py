"""What all forms of a learned router share: a relative cap, two hold rules, and a note of its domain."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.learned.terms import GRADIENTS, divisor, used_share
from workloadlab.routing.memory import memory_slots
from workloadlab.routing.prompts import prompts_ahead, prompts_with

__all__ = [
    "BOUNDS",
    "DOMAIN",
    "HEAD",
    "NOTES",
    "RULES",
    "beyond_cap",
    "has_head_room",
    "longest_wait",
    "note",
]

RULES = (
    *GRADIENTS, "speed", "cap_weight", "cap_times", "cap_floor_s", "hold_ratio", "hold_share",
    "hold_wait_s",
)  # fmt: skip
"""Gradients in seconds, the exponent of the speed, the cap and the hold rules."""

DOMAIN = ("input_tokens", "predicted_output_tokens", "in_flight", "ahead_tokens", "used_share")
"""What a choice is compared with training in: the request, and the instance that it goes to."""

BOUNDS = tuple(f"{side}_{name}" for name in DOMAIN for side in ("low", "high"))

HEAD = (*RULES, *BOUNDS)
"""The first parameters of every form."""

NOTES = memory_slots(decisions=1, outside=1, lowest=len(DOMAIN), highest=len(DOMAIN))
"""What it remembers: decisions, those outside its domain, and the range of what it met."""

_SPEED, _CAP, _HOLD, _BOUNDS = 4, 5, 8, len(RULES)


def longest_wait(instances: Any, params: Any) -> float:
    """Return the wait, in seconds of prompts ahead, beyond which one counts more: relative to the fleet.

    `cap_times` the mean over the instances that can serve, and `cap_floor_s`.
    """
    total, able = 0.0, 0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            total += params[1] * prompts_ahead(instances[i]) / divisor(instances[i], params[_SPEED])
            able += 1
    return float(params[_CAP + 1] * total / max(able, 1) + params[_CAP + 2])


def beyond_cap(wait_s: Any, longest_s: Any, params: Any) -> float:
    """Return what a wait costs beyond the cap: a hinge of slope `cap_weight`."""
    return float(params[_CAP] * max(0.0, wait_s - longest_s))


def has_head_room(request: Any, instance: Any, params: Any) -> bool:
    """Say whether an instance is to take a request now: it would start soon, and has blocks for it.

    Soon: the prompts ahead take at most `hold_wait_s`, the age of the report taken off. Blocks: for all
    prompts, grown by `hold_ratio`, and a share to spare. What is negative asks for nothing, and an idle
    instance takes everything.
    """
    if instance.in_flight == 0:
        return True
    longest_s = params[_HOLD + 2]
    if longest_s >= 0.0:
        wait_s = params[1] * prompts_ahead(instance) / divisor(instance, params[_SPEED])
        if wait_s - request.report_age_s > longest_s:
            return False
    ratio = params[_HOLD]
    if ratio < 0.0:
        return True
    reserved = prompts_with(request, instance) * (1.0 + ratio) / instance.block_size
    free = instance.kv_blocks - instance.kv_blocks_used - reserved
    return bool(free >= params[_HOLD + 1] * instance.kv_blocks)


def note(request: Any, instance: Any, params: Any, memory: Any) -> None:
    """Remember a placement: whether it lies in the domain, and the range of all so far."""
    first = memory[NOTES.decisions] == 0.0
    memory[NOTES.decisions] += 1.0
    seen = (
        float(request.input_tokens),
        float(request.predicted_output_tokens),
        float(instance.in_flight),
        float(prompts_ahead(instance)),
        float(used_share(instance)),
    )
    outside = 0.0
    for k in range(len(seen)):
        low, high = NOTES.lowest + k, NOTES.highest + k
        memory[low] = seen[k] if first else min(memory[low], seen[k])
        memory[high] = seen[k] if first else max(memory[high], seen[k])
        if seen[k] < params[_BOUNDS + 2 * k] or seen[k] > params[_BOUNDS + 2 * k + 1]:
            outside = 1.0
    memory[NOTES.outside] += outside
