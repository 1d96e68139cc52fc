"""All instances of a lane: they advance to a moment, at once or where one is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper, inline
from workloadlab.simulation.engine.arrays import engines
from workloadlab.simulation.engine.by_address import advance_group
from workloadlab.simulation.engine.decodes.runs import quiet_until
from workloadlab.simulation.engine.record_types import NONE, TICK_S

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Count, Flag, Index, Lane, Seconds

__all__ = ["advance", "catch_up", "next_end"]

SEQUENCES, STEPS = 1, 2
"""Of what the next end is looked for."""


@helper
def _move(lane: Lane, until: Seconds, peek: Count) -> Seconds:
    """Advance all instances, or begin steps and look ahead: see `advance` and `next_end`."""
    every = engines(lane)
    earliest = np.inf
    lazy = lane.lazy == 1 and peek == 0 and lane.held == 0
    i = np.int64(0)
    while i < lane.instances and lane.stalled == NONE and lane.full == 0:
        e = every[i]
        if lazy and until < e.quiet_s - TICK_S:  # nothing ends by then, so the router sees the same
            i += 1
            continue
        advance_group(lane)(i, lane, until, peek > 0)
        if lazy and e.ranks == 1:
            e.quiet_s = quiet_until(i, lane)
        if e.stepping == 1 and peek > 0:
            alone = e.ranks == 1 and lane.stepwise == 0
            end = quiet_until(i, lane) if peek == SEQUENCES and alone else e.now_s
            earliest = min(earliest, end)
        i += e.ranks  # their leader has taken them along
    return earliest


@inline
def advance(lane: Lane, until: Seconds) -> None:
    """Run every step of every instance that ends by `until`; start none at or after it."""
    _move(lane, until, np.int64(0))


@inline
def catch_up(i: Index, lane: Lane) -> None:
    """Advance an instance to where a lazy lane is; what is sent there then changes what happens."""
    e = engines(lane)[i]
    if lane.lazy == 1 and e.ranks == 1:
        advance_group(lane)(i, lane, lane.reached_s, np.bool_(0))
        e.quiet_s = 0.0


@inline
def next_end(lane: Lane, of_steps: Flag) -> Seconds:
    """Begin all steps that can begin; return a moment before which no sequence ends, or no step.

    It is inf if all instances are idle.
    """
    return _move(lane, -np.inf, STEPS if of_steps else SEQUENCES)
