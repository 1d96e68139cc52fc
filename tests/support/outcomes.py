"""Whether two lanes came out the same, request by request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from workloadlab.simulation.outcome import Outcome

__all__ = ["TIMES", "assert_equal"]

COMPARED = ("instance", "preemptions", "cached_tokens")
TIMES = ("arrival_s", "dispatch_s", "scheduled_s", "first_token_s", "end_s")
"""The same but for the last bits: where engines may stay behind, runs of steps end elsewhere."""


def assert_equal(fast: Outcome, slow: Outcome, *, remembered: bool = True) -> None:
    """Compare every request of two lanes, their steps, and unless told not to, what routers remember."""
    for name in COMPARED:
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name), err_msg=name)
    for name in TIMES:
        np.testing.assert_allclose(
            getattr(fast, name), getattr(slow, name), rtol=0, atol=1e-9, err_msg=name
        )
    assert (fast.steps, fast.steps_outside) == (slow.steps, slow.steps_outside)
    if remembered:
        np.testing.assert_allclose(fast.memory, slow.memory, rtol=1e-9, atol=1e-9, err_msg="memory")
