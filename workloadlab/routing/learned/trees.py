"""The form of a learned router that is a sum of small trees over the costs and the request."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.learned.rules import (
    DOMAIN,
    HEAD,
    NOTES,
    beyond_cap,
    has_head_room,
    longest_wait,
    note,
)
from workloadlab.routing.learned.terms import TERMS, WAIT, divisor, terms_of
from workloadlab.routing.memory import CELLS
from workloadlab.routing.router import DEFER

__all__ = ["FEATURES", "FEATURES_AT", "MOST_LEVELS", "TREE_HEAD", "choose_trees"]

FEATURES = (
    *TERMS,
    *(f"{name}_above_least" for name in TERMS),
    "input_tokens",
    "predicted_output_tokens",
    "queue_length",
)
"""What the trees see of one instance: its costs over its speed, how far each is above the least of the
fleet, and the request."""

TREE_HEAD = (*HEAD, "constant", "trees", "levels")
"""The parameters before the trees. Of each tree follow 2^levels - 1 pairs of feature and threshold,
level by level, and 2^levels leaves; a feature at or below its threshold goes left."""

MOST_LEVELS = 8

_COUNT = len(TERMS)
_CONSTANT, _TREES = len(HEAD), len(TREE_HEAD)

FEATURES_AT = NOTES.highest + len(DOMAIN)
"""Where the features of the instance in question stand in the memory; behind them the least costs of the
fleet, and behind the router's own cells the costs of every instance."""

_REQUEST = FEATURES_AT + 2 * _COUNT
_LEAST = FEATURES_AT + len(FEATURES)


def _sum_of_trees(params: Any, memory: Any) -> float:
    trees, levels = int(params[_CONSTANT + 1]), int(params[_CONSTANT + 2])
    total, inner = params[_CONSTANT], (1 << levels) - 1
    at = _TREES
    for _ in range(trees):
        node = 0
        for _ in range(levels):
            value = memory[FEATURES_AT + int(params[at + 2 * node])]
            node = 2 * node + (2 if value > params[at + 2 * node + 1] else 1)
        total += params[at + inner + node]
        at += 3 * inner + 1
    return float(total)


def _tell_costs(request: Any, instances: Any, params: Any, memory: Any) -> None:
    """Write the costs of every instance behind the cells, and the least of each."""
    for k in range(_COUNT):
        memory[_LEAST + k] = -1.0
    for i in range(len(instances)):
        if instances[i].fits == 0:
            continue
        terms = terms_of(request, instances[i], params[0], params[1], params[2], params[3])
        slower = divisor(instances[i], params[4])
        for k in range(len(terms)):
            cost = terms[k] / slower
            memory[CELLS + _COUNT * i + k] = cost
            if memory[_LEAST + k] < 0.0 or cost < memory[_LEAST + k]:
                memory[_LEAST + k] = cost


def choose_trees(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Choose the least sum of trees, cap included; ties to the lowest index.

    A request waits in the router's queue while no instance has head room for it.
    """
    longest_s = longest_wait(instances, params)
    _tell_costs(request, instances, params, memory)
    memory[_REQUEST] = request.input_tokens
    memory[_REQUEST + 1] = request.predicted_output_tokens
    memory[_REQUEST + 2] = request.queue_length
    best, lowest = DEFER, 0.0
    for i in range(len(instances)):
        if instances[i].fits == 0 or not has_head_room(request, instances[i], params):
            continue
        for k in range(_COUNT):
            cost = memory[CELLS + _COUNT * i + k]
            memory[FEATURES_AT + k] = cost
            memory[FEATURES_AT + _COUNT + k] = cost - memory[_LEAST + k]
        value = _sum_of_trees(params, memory)
        value += beyond_cap(memory[FEATURES_AT + WAIT], longest_s, params)
        if best < 0 or value < lowest:
            best, lowest = i, value
    if best >= 0:
        note(request, instances[best], params, memory)
    return best
