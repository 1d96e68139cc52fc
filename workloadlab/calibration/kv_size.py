"""The KV size of an engine that nobody wrote down, with an interval.

Where requests wait for blocks or are preempted, the size decides when each begins, and the search finds
the one at which they begin as in the log. How near that is to the truth shows where the truth is known:
the engine found is simulated with the noise of the log's steps, again and again, and each such log
is searched for its size. A cache that was never full shows only that it is no smaller than what it held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from workloadlab.calibration.noise import noisy_moves
from workloadlab.calibration.optimizer import steady_pair
from workloadlab.words import plural

if TYPE_CHECKING:
    from workloadlab.calibration.optimizer import Fit, Target
    from workloadlab.calibration.problem import Problem

__all__ = ["KvFacts", "kv_sentence", "kv_size"]

Floats = Any

_REACH, _SIZES = 0.07, 29
"""How far around the size found others are tried, as a fraction of it, and how many."""
_LOGS, _FIRST_SEED = 16, 5000
_DEVIATIONS = 3.0
_SEEMING = 0.05
"""Share of its size by which a cache may seem to hold more: whoever is preempted still seems to hold
blocks. Up to 0.04 in 200 simulated logs."""


class KvFacts(TypedDict):
    """KV blocks of an instance as a log shows them: without `estimate` and `high`, it was never full."""

    estimate: int | None
    low: int
    high: int | None


def kv_size(problem: Problem, target: Target, fit: Fit, most_blocks: int) -> KvFacts:
    """Return the KV size that a search found, with its 95 % interval.

    Args:
        problem: with the size found, or None.
        target: of its search.
        fit: where that ended.
        most_blocks: blocks that the log's running requests held at their most, estimated.
    """
    least = int(most_blocks / (1 + _SEEMING))
    size = problem.kv_blocks
    if size is None:
        return {"estimate": None, "low": least, "high": None}
    sizes = np.unique(np.rint(size * np.linspace(1 - _REACH, 1 + _REACH, _SIZES)).astype(int))
    simulated = [replace(problem, kv_blocks=int(one)).simulate(fit.shares) for one in sizes]
    noise, _ = noisy_moves(problem, target, fit, steady_pair(target, fit.shares))
    found = []
    for turn in range(_LOGS):
        log = problem.simulate(fit.shares, noise=noise.level, seed=_FIRST_SEED + turn)
        losses = [target.loss(problem.distance(one, log)) for one in simulated]
        found.append(sizes[int(np.argmin(losses))])
    spread = float(np.sqrt(np.mean(np.log(np.array(found) / size) ** 2)))
    reach = _DEVIATIONS * spread + 2 * _REACH / (_SIZES - 1)
    return {
        "estimate": size,
        "low": max(min(least, size), int(np.floor(size * np.exp(-reach)))),
        "high": int(np.ceil(size * np.exp(reach))),
    }


def kv_sentence(found: KvFacts, block_size: int) -> str:
    """Say what the log shows of the KV size."""
    if found["estimate"] is None:
        return (
            "the log cannot tell the KV size, since no queue shows a full cache: it has at least "
            f"{plural(found['low'], 'block')} of {block_size} tokens"
        )
    return (
        f"the queues of the log show {found['estimate']:,} KV blocks of {block_size} tokens per "
        f"instance (95 %: {found['low']:,} to {found['high']:,}): write kv_blocks = "
        f"{found['estimate']} in the cluster"
    )
