"""The form of a learned router that is a sum of small trees over the costs and the request."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.learned.features import FEATURES_AT, tell_costs, tell_instance
from workloadlab.routing.learned.rules import HEAD, beyond_cap, has_head_room, longest_wait, note
from workloadlab.routing.learned.terms import WAIT
from workloadlab.routing.router import DEFER

__all__ = ["MOST_LEVELS", "TREE_HEAD", "choose_trees"]

TREE_HEAD = (*HEAD, "constant", "trees", "levels")
"""The parameters before the trees. Of each tree follow 2^levels - 1 pairs of feature and threshold,
level by level, and 2^levels leaves; a feature at or below its threshold goes left."""

MOST_LEVELS = 8

_CONSTANT, _TREES = len(HEAD), len(TREE_HEAD)


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


def choose_trees(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Choose the least sum of trees, cap included; ties to the lowest index.

    A request waits in the router's queue while no instance has head room for it.
    """
    longest_s = longest_wait(instances, params)
    tell_costs(request, instances, params, memory)
    best, lowest = DEFER, 0.0
    for i in range(len(instances)):
        if instances[i].fits == 0 or not has_head_room(request, instances[i], params):
            continue
        tell_instance(request, i, memory)
        value = _sum_of_trees(params, memory)
        value += beyond_cap(memory[FEATURES_AT + WAIT], longest_s, params)
        if best < 0 or value < lowest:
            best, lowest = i, value
    if best >= 0:
        note(request, instances[best], params, memory)
    return best
