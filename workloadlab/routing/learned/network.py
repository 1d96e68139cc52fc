"""The form of a learned router that is a small neural network: the value of a placement, and of waiting.

One network reads the features of one instance after the other and has two outputs: the value of placing
the request there, and what the instance says for waiting, whose mean over the fleet is the value of
waiting. So it serves any number of instances. A request that waits is looked at again when another ends.
"""

from __future__ import annotations

import math
from typing import Any

from workloadlab.routing.choices import total_in_flight
from workloadlab.routing.learned.features import (
    FEATURES,
    FEATURES_AT,
    SCRATCH,
    tell_costs,
    tell_instance,
)
from workloadlab.routing.learned.rules import HEAD, beyond_cap, has_head_room, longest_wait, note
from workloadlab.routing.learned.terms import WAIT
from workloadlab.routing.router import DEFER

__all__ = ["MOST_HIDDEN", "NETWORK_HEAD", "OUTPUTS", "WAITS", "choose_network", "still_waits"]

OUTPUTS = ("place", "wait")
MOST_HIDDEN = 64

NETWORK_HEAD = (*HEAD, "first", "second")
"""The parameters before the network: the sizes of its hidden layers. Of each feature x follows a unit u,
and the network reads ln(1 + x / u); then of both hidden layers, of ReLUs, and of the output a row of
weights and the bias of each cell."""

WAITS = SCRATCH + MOST_HIDDEN
"""Where it notes which row waits, + 1, and how many requests were in flight when it was told to."""

_SIZES = len(HEAD)
_UNITS = len(NETWORK_HEAD)
_WEIGHTS = _UNITS + len(FEATURES)


def _weighted(params: Any, row: Any, memory: Any, first: Any, count: Any) -> Any:
    """Return the sum of `count` cells by the weights from `row` on, and the bias behind these."""
    total = params[row + count]
    for k in range(count):
        total += params[row + k] * memory[first + k]
    return total


def _values(params: Any, memory: Any) -> Any:
    """Return both outputs for the features in the memory."""
    inputs, first, second = len(FEATURES), int(params[_SIZES]), int(params[_SIZES + 1])
    for k in range(inputs):
        memory[FEATURES_AT + k] = math.log1p(memory[FEATURES_AT + k] / params[_UNITS + k])
    row = _WEIGHTS
    for cell in range(first):
        memory[SCRATCH + cell] = max(0.0, _weighted(params, row, memory, FEATURES_AT, inputs))
        row += inputs + 1
    out = row + second * (first + 1)
    place, wait = params[out + second], params[out + 2 * second + 1]
    for cell in range(second):
        value = max(0.0, _weighted(params, row, memory, SCRATCH, first))
        place += params[out + cell] * value
        wait += params[out + second + 1 + cell] * value
        row += first + 1
    return place, wait


def still_waits(row: Any, busy: Any, memory: Any) -> Any:
    """Say whether the request of a row was told to wait, and nothing has ended since; of many, too."""
    return (memory[WAITS] == row + 1.0) & (busy > 0) & (memory[WAITS + 1] <= busy)


def choose_network(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Choose the highest value, less what is beyond the cap; ties to the lowest index, then to placing.

    A request waits in the router's queue if that is worth more and something runs, or while no instance
    has head room for it.
    """
    busy = total_in_flight(instances)
    if still_waits(request.row, busy, memory):
        return DEFER
    longest_s = longest_wait(instances, params)
    tell_costs(request, instances, params, memory)
    best, highest, waiting, able = DEFER, 0.0, 0.0, 0
    for i in range(len(instances)):
        if instances[i].fits == 0:
            continue
        tell_instance(request, i, memory)
        wait_s = memory[FEATURES_AT + WAIT]
        place, wait = _values(params, memory)
        able += 1
        waiting += wait
        if not has_head_room(request, instances[i], params):
            continue
        value = place - beyond_cap(wait_s, longest_s, params)
        if best < 0 or value > highest:
            best, highest = i, value
    if best >= 0 and busy > 0 and waiting > highest * able:
        best = DEFER
        memory[WAITS], memory[WAITS + 1] = request.row + 1.0, busy
    if best >= 0:
        note(request, instances[best], params, memory)
    return int(best)
