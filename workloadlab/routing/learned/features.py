"""What a learned router that is no formula sees of one instance; the same numbers for every instance.

A choice writes the costs of all instances behind its own cells of the memory first, then the features of
one instance after the other in front of them.
"""

from __future__ import annotations

from typing import Any

from workloadlab.routing.learned.rules import DOMAIN, NOTES
from workloadlab.routing.learned.terms import TERMS, divisor, terms_of
from workloadlab.routing.memory import CELLS

__all__ = ["ASKED", "FEATURES", "FEATURES_AT", "SCRATCH", "tell_costs", "tell_instance"]

ASKED = ("input_tokens", "predicted_output_tokens", "queue_length")
"""What is asked for, and how many wait in the router's queue."""

FEATURES = (*TERMS, *(f"{name}_above_least" for name in TERMS), *ASKED)
"""The costs of an instance over its speed, how far each is above the least of all, and the request."""

_COUNT = len(TERMS)

FEATURES_AT = NOTES.highest + len(DOMAIN)
"""Where the features of the instance in question stand in the memory; behind them the least costs of the
fleet, and behind the router's own cells the costs of every instance."""

_REQUEST = FEATURES_AT + 2 * _COUNT
_LEAST = FEATURES_AT + len(FEATURES)

SCRATCH = _LEAST + _COUNT
"""The first cell behind all that; a form may use it and those that follow."""


def tell_costs(request: Any, instances: Any, params: Any, memory: Any) -> None:
    """Write the costs of every instance, and the least of each."""
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


def tell_instance(request: Any, i: Any, memory: Any) -> None:
    """Write the features of instance `i`; they may be changed in their place."""
    memory[_REQUEST] = request.input_tokens
    memory[_REQUEST + 1] = request.predicted_output_tokens
    memory[_REQUEST + 2] = request.queue_length
    for k in range(_COUNT):
        cost = memory[CELLS + _COUNT * i + k]
        memory[FEATURES_AT + k] = cost
        memory[FEATURES_AT + _COUNT + k] = cost - memory[_LEAST + k]
