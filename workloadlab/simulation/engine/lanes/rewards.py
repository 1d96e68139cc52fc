"""Many lanes, each from one decision to its next, and what the way there was worth.

Lanes share nothing that is written, so chunks of them may run on threads side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import from_dtype, types

from workloadlab.jit import entry, inline
from workloadlab.routing.signals import INSTANCE
from workloadlab.simulation.engine.arrays import (
    engines,
    outputs,
    results,
    slots,
    tables,
    views,
)
from workloadlab.simulation.engine.by_address import next_decision, place, step_time
from workloadlab.simulation.engine.instances import catch_up
from workloadlab.simulation.engine.kv_blocks import hits
from workloadlab.simulation.engine.lane import STATUS_DECIDE, STATUS_DONE
from workloadlab.simulation.engine.lane_record import LANES_TYPE
from workloadlab.simulation.engine.record_types import NONE
from workloadlab.simulation.engine.replicas import queue

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Count,
        Index,
        Lane,
        Lanes,
        Position,
        Record,
        Row,
        Seconds,
    )

__all__ = [
    "GO_ON",
    "REWARD",
    "REWARD_FIELDS",
    "TARGETS",
    "advance_lanes",
    "first_refused",
]

GO_ON = -2
"""The choice for a lane that has none to make: it is new, or has got more room."""

REWARD_FIELDS: dict[str, tuple[str, str]] = {
    "ended": ("i8", "requests that ended since the last decision, those rejected not among them"),
    "rejected": ("i8", "requests rejected since then, or failed"),
    "ttft_s": ("f8", "seconds from arrival to first token, summed over those that ended"),
    "e2e_s": ("f8", "seconds from arrival to last token, summed over them"),
    "inflicted_s": ("f8", "seconds that the placement makes others wait, see `Environment`"),
    "misses": ("i8", "requests that ended outside a target, were rejected or failed"),
}
REWARD = np.dtype([(name, code) for name, (code, _) in REWARD_FIELDS.items()], align=True)
"""The costs of a lane from one decision to the next."""

TARGETS = np.dtype([("ttft_s", "f8"), ("tpot_s", "f8"), ("outside_s", "f8")], align=True)
"""Service-level targets, infinite for none, and the time of a request outside the cluster, which
counts in its latencies and lies before its arrival at the router."""


@inline
def _inflicted_s(lane: Lane, chosen: Index) -> Seconds:
    """Return the seconds by which the first request in the queue slows those on an instance."""
    catch_up(chosen, lane)
    e, s = engines(lane)[chosen], slots(lane)[queue(lane).head]
    others = float(min(e.in_flight, e.max_num_seqs - 1))
    if others == 0.0 or views(lane)[chosen].fits == 0:
        return 0.0
    resident = 0
    if e.caching == 1:
        limit = (s.input - 1) // e.block_size
        resident = hits(s, lane, chosen, limit) * e.block_size
    prompt, context = float(s.input - resident), float(e.context + e.prefilled)
    table, seconds = tables(lane)[e.pool], step_time(e)
    without = seconds(0.0, 0.0, others, context, table)
    prefill = seconds(prompt, prompt * resident, others, context, table)
    longer = context + s.input + 0.5 * s.output
    beside = seconds(0.0, 0.0, others + 1.0, longer, table)
    return others * ((prefill - without) + (s.output - 1.0) * (beside - without))


@inline
def _collect(lane: Lane, since: Row, earned: Record, target: Record) -> None:
    """Add up the requests that ended or were rejected after row `since` did."""
    row = lane.last_ended
    while row != since:
        r = results(lane)[row]
        if r.instance == NONE or np.isnan(r.end_s):
            earned.rejected += 1
            earned.misses += 1
        else:
            ttft = r.first_token_s - r.arrival_s + target.outside_s
            later = outputs(lane)[row] - 1
            earned.ended += 1
            earned.ttft_s += ttft
            earned.e2e_s += r.end_s - r.arrival_s + target.outside_s
            if ttft > target.ttft_s or r.end_s - r.first_token_s > later * target.tpot_s:
                earned.misses += 1
        row = r.ended_before


ADVANCE_LANES = types.int64(
    LANES_TYPE,
    types.int64[::1],
    types.int64[::1],
    types.int64[::1],
    types.Array(from_dtype(REWARD), 1, "C"),
    types.Array(from_dtype(TARGETS), 1, "C"),
)


@entry(ADVANCE_LANES)
def advance_lanes(
    lanes: Lanes,
    which: Array,
    choices: Array,
    status: Array,
    rewards: Array,
    targets: Array,
) -> Count:
    """Apply one choice to each lane of `which` and run it to its next decision.

    Writes the status of each lane, adds to its rewards, and returns how many of them do not stand
    at a decision.
    """
    target, others = targets[0], 0
    for j in range(len(which)):
        k, chosen = which[j], choices[j]
        lane, earned = lanes[k], rewards[k]
        since, reached = lane.last_ended, STATUS_DONE
        if chosen != GO_ON:
            if 0 <= chosen < lane.instances:
                earned.inflicted_s += _inflicted_s(lane, chosen)
            reached = place(lane)(lane, chosen)
        if reached == STATUS_DONE:
            reached = next_decision(lane)(lane)
        _collect(lane, since, earned, target)
        status[k] = reached
        if reached != STATUS_DECIDE:
            others += 1
    return others


@entry(types.int64(types.Array(from_dtype(INSTANCE), 2, "C"), types.int64[::1]))
def first_refused(shown: Array, choices: Array) -> Position:
    """Return the first lane whose choice is neither -1 nor an instance that may be chosen, or -1.

    `shown` is what the routers see, (lanes, instances).
    """
    for k in range(len(shown)):
        chosen = choices[k]
        if chosen < -1 or chosen >= shown.shape[1]:
            return k
        if chosen >= 0 and shown[k, chosen].fits == 0:
            return k
    return NONE
