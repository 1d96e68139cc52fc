"""An instance alone, or ranks that step together: from step to step, up to a moment.

Data-parallel ranks of one model share experts, so no rank can be ahead of the others: when any has work
all begin a step, an idle one an empty step, and all end with the slowest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper, inline
from workloadlab.simulation.engine.arrays import engines, steps
from workloadlab.simulation.engine.decodes.runs import only_decodes, run_decodes
from workloadlab.simulation.engine.instance import complete, form_batch
from workloadlab.simulation.engine.lane_record import part
from workloadlab.simulation.engine.record_types import NONE, TICK_S
from workloadlab.simulation.engine.step_times import begin_step

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Count, Flag, Index, Lane, Seconds


@helper
def _work(first: Index, lane: Lane) -> Count:
    """Count the sequences on the ranks from `first` on."""
    every = engines(lane)
    total = 0
    for i in range(first, first + every[first].ranks):
        total += every[i].running.count + every[i].waiting.count + every[i].leaving.count
    return total


@inline
def _begin(first: Index, lane: Lane, now: Seconds) -> Flag:
    """Begin a step on all ranks from `first` on, if they have anything to do.

    Returns whether it could be recorded and served.
    """
    every = engines(lane)
    last = first + every[first].ranks
    if lane.room_for_steps > 0 and lane.recorded_steps + last - first > lane.room_for_steps:
        lane.full = 1
        return False
    seconds, recorded, fullest = 0.0, lane.recorded_steps, np.int64(0)
    for i in range(first, last):
        e = every[i]
        e.now_s = now
        e.chunks = e.paused = 0
        e.chunk_tokens = e.served = 0
        if e.running.count + e.waiting.count + e.leaving.count > 0:
            fullest = max(fullest, form_batch(i, lane))
    if lane.stalled != NONE:
        return False
    if fullest == 0:  # all that was there had ended, and lost its blocks before it decoded in vain
        return True
    for i in range(first, last):
        if every[i].chunk_tokens + every[i].served > 0:
            seconds = max(seconds, begin_step(i, lane, fullest))
    for i in range(first, last):
        every[i].now_s = now + seconds
        every[i].stepping = 1
        every[i].wave += 1
    for k in range(recorded, lane.recorded_steps):
        steps(lane)[k].end_s = now + seconds
    return True


@part("advance_group")
def _advance_group(first: Index, lane: Lane, until: Seconds, begin: Flag) -> None:
    """Run every step of the ranks from `first` on that ends by `until`; start none at or after it.

    With `begin` a step begins on ranks that have work and none in flight, whatever the time.
    """
    every = engines(lane)
    leader = every[first]
    while True:
        if leader.stepping == 1:
            if leader.now_s > until + TICK_S:
                return
            for i in range(first, first + leader.ranks):
                complete(i, lane)
        # A step of ranks is as long as the slowest, which is no line over the steps.
        if leader.ranks == 1 and only_decodes(leader) and lane.stepwise == 0:
            run_decodes(first, lane, until)
            if leader.stepping == 1:
                continue
        now = leader.now_s  # no rank begins before the last one has ended or got work
        for i in range(first + 1, first + leader.ranks):
            now = max(now, every[i].now_s)
        if _work(first, lane) == 0:
            for i in range(first, first + leader.ranks):
                every[i].wave = 0
            return
        if now >= until - TICK_S and not begin:
            return
        if not _begin(first, lane, now):
            return
