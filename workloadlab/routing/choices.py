"""What most routers do: choose one of the instances that can serve, by a number.

A number is a function of an instance and of whatever else the router hands on. `least` makes of it the
function that chooses:

    def work(instance, params):
        return instance.queued_tokens + params[0] * instance.output_tokens_left

    least_work = least(work)

    @wl.router(kind="choose", params=[0.5])
    def my_router(request, instances, params):
        return least_work(instances, params)

Of equal numbers the lowest index wins. A pair of numbers breaks ties by its second. All is plain Python,
and is compiled with the router that calls it. Functions are bound once, outside of the router: one that
was handed over with each call would keep numba from storing the router's code.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Number = Callable[..., Any]

__all__ = [
    "any_of",
    "count_able",
    "in_flight",
    "least",
    "least_among",
    "least_at_random",
    "least_cell",
    "least_in_flight",
    "least_of_drawn",
    "lowest_and_highest",
    "nth_able",
    "one_of_equals",
    "range_in_flight",
    "total",
    "total_in_flight",
]


def in_flight(instance: Any) -> Any:
    """Return the requests in flight: the number that most routers choose by."""
    return instance.in_flight


def count_able(instances: Any) -> int:
    """Count the instances that can serve the request."""
    able = 0
    for i in range(len(instances)):
        able += instances[i].fits
    return able


def nth_able(instances: Any, nth: Any) -> int:
    """Return the nth instance that can serve, from 0; -1 if there are not so many."""
    for i in range(len(instances)):
        if instances[i].fits == 1:
            if nth == 0:
                return i
            nth -= 1
    return -1


def any_of(instances: Any, draw: Any) -> int:
    """Return one of the instances that can serve, each with equal probability."""
    able = count_able(instances)
    return nth_able(instances, min(int(draw * able), able - 1))


def one_of_equals(draw: Any, ties: Any) -> Any:
    """Say whether the last of `ties` equals is taken, and return a draw for the next question.

    With draw uniform in [0, 1) every one of them ends up taken equally often.
    """
    spread = draw * ties
    if spread < 1.0:
        return True, spread
    return False, (spread - 1.0) / (ties - 1)


def least(number: Number) -> Callable[..., int]:
    """Make what chooses the least `number(instance, *given)`: (instances, *given) -> index.

    It returns -1 if no instance can serve.

    Example:
        >>> import numpy as np
        >>> from workloadlab.routing import INSTANCE
        >>> instances = np.zeros(3, INSTANCE).view(np.recarray)
        >>> instances.fits, instances.in_flight = 1, [4, 2, 2]
        >>> least(in_flight)(instances)
        1
    """

    def least_of(instances: Any, *given: Any) -> int:
        best = nth_able(instances, 0)
        if best < 0:
            return -1
        lowest = number(instances[best], *given)
        for i in range(best + 1, len(instances)):
            if instances[i].fits == 1:
                value = number(instances[i], *given)
                if value < lowest:
                    best, lowest = i, value
        return best

    return least_of


def least_cell(instances: Any, cells: Any) -> int:
    """Return the instance whose own cell of a column of the memory is least; -1 if none can serve.

    By position: `least` of `cells[instance.index]` is the same, at some 3 ns more for 8 instances.
    """
    best = -1
    for i in range(len(instances)):
        if instances[i].fits == 1 and (best < 0 or cells[i] < cells[best]):
            best = i
    return best


def least_among(allowed: Number, number: Number) -> Callable[..., int]:
    """Make what chooses the least of those for which `allowed(instance, *given)`; -1 if none is."""

    def least_of_allowed(instances: Any, *given: Any) -> int:
        best = -1
        for i in range(len(instances)):
            if instances[i].fits == 1 and allowed(instances[i], *given):
                value = number(instances[i], *given)
                if best < 0:
                    lowest = value
                if best < 0 or value < lowest:
                    best, lowest = i, value
        return best

    return least_of_allowed


def least_at_random(number: Number, *, afresh: bool = True) -> Callable[..., int]:
    """Make what chooses as `least` does, of equals one at random: (instances, draw, *given) -> index.

    Args:
        number: what is least.
        afresh: equals that turn up behind others use the draw as it was given, not what those left of
            it. Either is as random; the choices differ.
    """

    def least_of(instances: Any, draw: Any, *given: Any) -> int:
        best = nth_able(instances, 0)
        if best < 0:
            return -1
        lowest, ties, left = number(instances[best], *given), 1, draw
        for i in range(best + 1, len(instances)):
            if instances[i].fits == 0:
                continue
            value = number(instances[i], *given)
            if value < lowest:
                best, lowest, ties = i, value, 1
                if afresh:
                    left = draw
            elif value == lowest:
                ties += 1
                taken, left = one_of_equals(left, ties)
                if taken:
                    best = i
        return best

    return least_of


def least_of_drawn(number: Number) -> Callable[..., int]:
    """Make what draws some instances and chooses the least: (instances, count, draw, *given) -> index.

    They are distinct, and all equally likely; all instances if there are fewer.
    """

    def least_of(instances: Any, count: Any, draw: Any, *given: Any) -> int:
        left = count_able(instances)
        wanted = min(count, left)
        best = -1
        for i in range(len(instances)):
            if instances[i].fits == 1 and wanted > 0:
                share = wanted / left
                left -= 1
                if draw < share:
                    draw /= share
                    wanted -= 1
                    value = number(instances[i], *given)
                    if best < 0:
                        lowest = value
                    if best < 0 or value < lowest:
                        best, lowest = i, value
                else:
                    draw = (draw - share) / (1.0 - share)
        return best

    return least_of


def lowest_and_highest(number: Number) -> Callable[..., Any]:
    """Make what returns the lowest and the highest number: (instances, *given) -> two floats."""

    def range_of(instances: Any, *given: Any) -> Any:
        low, high = math.inf, -math.inf
        for i in range(len(instances)):
            if instances[i].fits == 1:
                value = number(instances[i], *given)
                low, high = min(low, value), max(high, value)
        return low, high

    return range_of


def total(number: Number) -> Callable[..., Any]:
    """Make what returns the sum of the numbers of those that can serve: (instances, *given) -> sum."""

    def total_of(instances: Any, *given: Any) -> Any:
        added = 0
        for i in range(len(instances)):
            if instances[i].fits == 1:
                added += number(instances[i], *given)
        return added

    return total_of


least_in_flight = least(in_flight)
range_in_flight = lowest_and_highest(in_flight)
total_in_flight = total(in_flight)
