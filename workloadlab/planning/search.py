"""The least number of instances that passes, by doubling and bisection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.planning.question import Question, Trial

__all__ = ["MOST_INSTANCES", "least_instances", "least_passing"]

MOST_INSTANCES = 1024

NO_GAIN = 1e-3
"""Doubling that adds less than this share of requests, from a steady state, will not help further."""


def least_passing(
    passes: Callable[[int], bool], guess: int, stuck: Callable[[int, int], bool]
) -> int | None:
    """Return the least n >= 1 that passes, given that every larger one does; None if none is found.

    Args:
        passes: asked about O(log n) numbers.
        guess: where the search starts.
        stuck: whether going from one number to a larger one shows that no number will pass.

    Example:
        >>> asked = []
        >>> least_passing(lambda n: asked.append(n) or n >= 13, 4, lambda a, b: False), asked
        (13, [4, 8, 16, 12, 14, 13])
    """
    low, high = 0, max(1, min(guess, MOST_INSTANCES))
    while not passes(high):
        if high == MOST_INSTANCES or (low and stuck(low, high)):
            return None
        low, high = high, min(2 * high, MOST_INSTANCES)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def least_instances(
    question: Question, attain: float, guess: int, value: Callable[[Trial], float] | None = None
) -> int | None:
    """Return the least number of instances that holds the load in a steady state.

    Args:
        question: what is asked.
        attain: share of the requests that must meet every target.
        guess: where the search starts.
        value: which of a trial's shares counts; None for the share itself.
    """

    def passes(instances: int) -> bool:
        trial = question.trial(instances)
        return trial.steady and (value(trial) if value else trial.met) >= attain

    def stuck(fewer: int, more: int) -> bool:
        before, after = question.trial(fewer), question.trial(more)
        return before.steady and after.steady and after.met - before.met < NO_GAIN

    return least_passing(passes, guess, stuck)
