"""Errors of a replay against a real run, by load band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.scoring.timings import read_timings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from workloadlab.scoring.timings import Timings
    from workloadlab.trace import Trace

__all__ = ["BANDS", "METRICS", "Cell", "bands_of", "cells_of"]

BANDS = ("light", "knee", "overload")
METRICS = ("ttft_s", "tpot_s", "e2e_s", "throughput_rps")


@dataclass(frozen=True)
class Cell:
    """What one replay missed in one load band.

    Attributes:
        run: the real run.
        mode: what the replay was told: "defaults", "log facts" or "calibrated".
        band: of `BANDS`, or "all".
        requests: of the run in the band.
        errors: simulated / measured - 1 of the means, by name of `METRICS`.
    """

    run: str
    mode: str
    band: str
    requests: int
    errors: dict[str, float]


def bands_of(log: Timings, seats: int) -> npt.NDArray[np.str_]:
    """Return the load band that each request found on arrival.

    Requests in flight, itself included, are "light" load on up to half of the seats (`max_num_seqs` of
    all instances), "knee" on up to all of them, and "overload" beyond.
    """
    arrived = np.searchsorted(np.sort(log.arrival_s), log.arrival_s, side="right")
    ended = np.searchsorted(np.sort(log.arrival_s + log.e2e_s), log.arrival_s, side="right")
    share = (arrived - ended) / seats
    return np.select([share <= 0.5, share <= 1], BANDS[:2], BANDS[2])


def cells_of(
    run: str, mode: str, simulated: Trace, observed: Trace, seats: int, after_s: float = 0.0
) -> Iterator[Cell]:
    """Yield errors over all requests that arrived from `after_s` on, and over each band of them."""
    ours, log = read_timings(simulated), read_timings(observed)
    positions = ours.match(log)
    assert positions is not None, "a replay holds the requests of its log"
    i, j = positions
    bands, judged = bands_of(log, seats)[j], log.arrival_s[j] >= after_s
    for band in ("all", *BANDS):
        chosen = judged if band == "all" else judged & (bands == band)
        if chosen.any():
            errors = {
                name: _mean(getattr(ours, name)[i][chosen]) / _mean(getattr(log, name)[j][chosen])
                - 1
                for name in METRICS[:3]
            }
            yield Cell(run, mode, band, int(chosen.sum()), errors)


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values[np.isfinite(values)].mean())
