"""The linear form of a learned router: a weighted sum of costs."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.learned.rules import HEAD, beyond_cap, has_head_room, longest_wait, note
from workloadlab.routing.learned.terms import TERMS, WAIT, divisor, terms_of
from workloadlab.routing.router import DEFER

__all__ = ["LINEAR", "choose_linear"]

LINEAR = (*HEAD, *TERMS)
"""The numbers of a linear router, in the order of its parameters."""

_WEIGHTS = len(HEAD)


def choose_linear(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Choose the least weighted cost over speed, cap included; ties to the lowest index.

    A request waits in the router's queue while no instance has head room for it.
    """
    longest_s = longest_wait(instances, params)
    best, lowest = DEFER, 0.0
    for i in range(len(instances)):
        if instances[i].fits == 0 or not has_head_room(request, instances[i], params):
            continue
        terms = terms_of(request, instances[i], params[0], params[1], params[2], params[3])
        cost = 0.0
        for k in range(len(terms)):
            cost += params[_WEIGHTS + k] * terms[k]
        slower = divisor(instances[i], params[4])
        cost = cost / slower + beyond_cap(terms[WAIT] / slower, longest_s, params)
        if best < 0 or cost < lowest:
            best, lowest = i, cost
    if best >= 0:
        note(request, instances[best], params, memory)
    return best
