"""The steps of an engine, counted by the requests that ran in them.

From its first token to its last a request takes part in every step of its instance. So with S(t) for the
steps done by the moment t, S(last) - S(first) = output tokens - 1 holds for each request: 300
tokens in 10 s are 299 steps in these 10 s, whoever else ran. Least squares over all requests finds S.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["StepClock", "step_clock"]

Floats = Any

_STEPS = 4
"""Steps of a bin, in the middle of the log's requests."""
_MOST_BINS = 4000
_EVEN = 3.0
"""Weight of one more step in a bin than in the next against one step missed over a request."""
_FEWEST = 8
_WRONG = 0.02
"""Share of its steps by which a typical request may be off, or the log does not share its steps."""


@dataclass(frozen=True)
class StepClock:
    """Steps done by each of a row of moments; straight in between.

    Example:
        >>> clock = step_clock(np.arange(9.0), 20 + np.arange(9.0), np.full(9, 401))
        >>> round(float(clock.steps_between(10.0, 15.0)))
        100
    """

    moments_s: NDArray[np.float64]
    steps: NDArray[np.float64]

    def steps_between(self, begin_s: Floats, end_s: Floats) -> Floats:
        """Count the steps from one moment to another."""
        begin, end = (np.interp(at, self.moments_s, self.steps) for at in (begin_s, end_s))
        return end - begin

    def after(self, begin_s: Floats, steps: Floats) -> Floats:
        """Return the moments at which so many steps are done from `begin_s` on."""
        count = np.interp(begin_s, self.moments_s, self.steps) + steps
        return np.interp(count, self.steps, self.moments_s)


def step_clock(first_s: Floats, end_s: Floats, output_tokens: Floats) -> StepClock | None:
    """Count the steps of an instance, or of ranks that step together, from its requests.

    Args:
        first_s: moments of first tokens.
        end_s: moments of last tokens.
        output_tokens: of each request.

    Returns:
        None where fewer than eight requests decode, or no steps explain them: requests that were
        preempted miss steps, and instances have their own.
    """
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.linalg import spsolve

    use = (output_tokens > 1) & (end_s > first_s)
    if use.sum() < _FEWEST:
        return None
    first, end, steps = first_s[use], end_s[use], output_tokens[use] - 1.0
    span = end.max() - first.min()
    width = max(_STEPS * float(np.median((end - first) / steps)), span / _MOST_BINS)
    bins = int(np.ceil(span / width)) + 1
    moments = first.min() + width * np.arange(bins + 1)
    rows = np.tile(np.arange(len(first)), 4)
    columns, weights = [], []
    for at, sign in ((end, 1.0), (first, -1.0)):
        place = (at - moments[0]) / width
        below = np.minimum(place.astype(np.int64), bins - 1)
        columns += [below, below + 1]
        weights += [sign * (1.0 - (place - below)), sign * (place - below)]
    shape = (len(first), bins + 1)
    taken = coo_array((np.concatenate(weights), (rows, np.concatenate(columns))), shape).tocsr()
    uneven = _EVEN * diags_array(
        [np.ones(bins - 1), np.full(bins - 1, -2.0), np.ones(bins - 1)],
        offsets=[0, 1, 2],
        shape=(bins - 1, bins + 1),
    )
    normal = (taken.T @ taken + uneven.T @ uneven).tocsc()[1:, 1:]
    done = np.append(0.0, spsolve(normal, (taken.T @ steps)[1:]))
    off = np.abs(taken @ done - steps) / np.maximum(steps, 1.0 / _WRONG)
    if not np.isfinite(done).all() or float(np.median(off)) > _WRONG:
        return None
    return StepClock(moments, np.maximum.accumulate(done))
