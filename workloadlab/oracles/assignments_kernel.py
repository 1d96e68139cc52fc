"""Play one lane under many plans, each an instance for every request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from workloadlab.jit import entry
from workloadlab.oracles.fork_kernel import copy_lane
from workloadlab.simulation.engine.arrays import results
from workloadlab.simulation.engine.lane import RUN_LANE, STATUS_DONE
from workloadlab.simulation.engine.lane_record import LANES_TYPE
from workloadlab.simulation.engine.record_types import NONE

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Array, Function, Index, Lanes, Row, Status

__all__ = ["play_plans"]


_PLAY_PLANS = RUN_LANE.return_type(
    LANES_TYPE,
    LANES_TYPE,
    types.uint64[::1],
    types.uint64[::1],
    types.FunctionType(RUN_LANE),
    types.float64[:, ::1],
    types.float64[::1],
)


@entry(_PLAY_PLANS)
def play_plans(
    lanes: Lanes,
    forks: Lanes,
    state: Array,
    forked: Array,
    play: Function,
    plans: Array,
    totals: Array,
) -> tuple[Status, Row, Index]:
    """Play the fork of a fresh lane under every plan; write the total latency of each.

    It is NaN where a request was not served where its plan says. The parameters of the fork are
    the first plan, so that each next one lies behind it. Returns (status, row, chosen instance)
    of the last.
    """
    lane, fork = lanes[0], forks[0]
    first_plan = fork.params
    for k in range(len(plans)):
        copy_lane(lane, fork, state, forked, lane.requests)
        fork.params = first_plan + k * plans.strides[0]
        status, failed, said = play(forks)
        if status != STATUS_DONE:
            return status, failed, said
        totals[k] = 0.0
        for row in range(lane.requests):
            r = results(fork)[row]
            totals[k] += r.end_s - r.arrival_s
            if r.instance != plans[k, row]:
                totals[k] = np.nan
    return STATUS_DONE, NONE, NONE
