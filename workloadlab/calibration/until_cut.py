"""A log that was cut out of traffic, as it was at the cut.

What came after the cut is not in the log, and yet it decides how long the requests took that outlived
the cut. So they count with the tokens that they had by then, which the engine's step clock knows. A
model that is only scaled needs no more; one from nothing would have to guess what larger batches take.

A simulation gives them all their tokens and counts the steps that it took by the cut. If they ended
there, one that is a little too fast would end them early: what is queued would take their seats, and
the last of them would run in small batches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.calibration.step_clock import StepClock, step_clock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.calibration.observed import Observed
    from workloadlab.simulation import Pool

__all__ = ["steps_until", "until_the_cut"]

_FEWEST_STEPS = 20
"""A clock that is off by a step says little of how long fewer took."""


def until_the_cut(observed: Observed, pool: Pool) -> Observed:
    """Return one log with its last arrival as its end; the same if it was not cut.

    Requests without a first token by then are load, their timings are not used. Where a lane has
    several instances that step apart, or its steps cannot be counted, nothing changes.
    """
    if not observed.cut or observed.closed:
        return observed
    cut_s = float(observed.arrival_s.max())
    outputs, end_s = observed.output_tokens.copy(), observed.end_s.copy()
    until_s = observed.until_s.copy()
    for lane, laid in enumerate(observed.lanes):
        rows = np.flatnonzero((observed.lane == lane) & np.isfinite(end_s))
        together = laid.instances == 1 or pool.step_together
        first = observed.first_s[rows]
        clock = step_clock(first, end_s[rows], outputs[rows]) if together else None
        if clock is None:
            return observed
        outlive = (end_s[rows] > cut_s) & (first <= cut_s)
        done = np.floor(clock.steps_between(first, cut_s)).astype(np.int64)
        done = np.clip(done, 0, outputs[rows] - 1)[outlive]
        done[done < _FEWEST_STEPS] = 0
        outputs[rows[outlive]] = done + 1
        end_s[rows[outlive]] = np.maximum(clock.after(first[outlive], done), first[outlive])
        until_s[rows[outlive]] = cut_s
    outliving = float(np.mean((observed.end_s > cut_s)[observed.scored]))
    note = (
        f"{outliving:.0%} of the requests outlive the log, which is a window of a longer one: of these "
        "the tokens up to its last arrival count, by the steps that the log shows"
    )
    return replace(
        observed,
        output_tokens=outputs,
        end_s=end_s,
        until_s=until_s,
        scored=observed.scored & ~(observed.first_s > cut_s),
        notes=(*observed.notes, note) if outliving else observed.notes,
    )


def steps_until(
    steps: NDArray[np.void],
    instance: NDArray[np.int64],
    begin_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Count the steps with decodes that instances took from one moment to another.

    Args:
        steps: of a simulation, as `Recorder.step_records` has them.
        instance: of each request.
        begin_s: the moment from which its steps count.
        end_s: the last moment.
    """
    found = np.zeros(len(begin_s))
    for one in np.unique(instance[instance >= 0]):
        ends = steps["end_s"][(steps["instance"] == one) & (steps["decode_seqs"] > 0)]
        if len(ends):
            clock = StepClock(ends, np.arange(len(ends), dtype=float))
            rows = instance == one
            found[rows] = clock.steps_between(begin_s[rows], end_s[rows])
    return found
