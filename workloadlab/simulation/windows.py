"""Windows of a workload: the parts that the lanes of an environment replay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.arguments import listed, numbers
from workloadlab.errors import UsageError
from workloadlab.simulation.workload import PER_REQUEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.simulation.workload import Ints, Workload

__all__ = ["Episode", "Window", "cut", "drawn_episode", "windows_of"]


@dataclass(frozen=True)
class Window:
    """Rows `first` to `last` - 1 of a workload, with the clock set to 0 at `start_s`."""

    first: int
    last: int
    start_s: float


@dataclass(frozen=True)
class Episode:
    """What a lane replays: a window, at a rate, with a seed.

    Attributes:
        stream: the lane whose draws it comes from.
        number: how many episodes of that lane came before.
        window: which rows of the trace.
        rate_scale: arrival rate relative to the trace.
        seed: of the run, as `replay` takes it.
    """

    stream: int
    number: int
    window: Window
    rate_scale: float
    seed: int


def drawn_episode(
    windows: Sequence[Window], rate_scales: Sequence[float], seed: int, stream: int, number: int
) -> Episode:
    """Return the `number`-th episode of a lane: the same whatever came before."""
    draws = np.random.SeedSequence([seed, stream, number]).generate_state(3, np.uint64).tolist()
    window, rate_scale = windows[draws[0] % len(windows)], rate_scales[draws[1] % len(rate_scales)]
    return Episode(stream, number, window, rate_scale, draws[2] >> 33)


def windows_of(
    workload: Workload, windows: int | Sequence[tuple[float, float]] | None
) -> tuple[Window, ...]:
    """Return the windows that were asked for.

    Args:
        workload: the whole.
        windows: None for one window of everything; a number of requests for windows of so many, one
            behind the other, the rest at the end left out; or pairs of seconds, each window with the
            requests that arrive from the first up to before the second.

    Raises:
        UsageError: no such windows, or one without requests.
    """
    arrival_s, n = workload.arrival_s, len(workload)
    if windows is None:
        windows = n
    if isinstance(windows, int) and not isinstance(windows, bool):
        if not 1 <= windows <= n:
            raise UsageError(
                f"windows of {windows:,} requests", fix=f"use 1 to {n:,}, what the trace has"
            )
        firsts = range(0, n - windows + 1, windows)
        return tuple(Window(first, first + windows, float(arrival_s[first])) for first in firsts)
    made = []
    for start_s, end_s in _seconds(windows):
        first, last = (int(row) for row in np.searchsorted(arrival_s, (start_s, end_s)))
        if first >= last:
            raise UsageError(
                f"no request arrives in the window from {start_s} to {end_s} s",
                fix=f"arrivals are from {arrival_s[0]:.3f} to {arrival_s[-1]:.3f} s",
            )
        made.append(Window(first, last, float(start_s)))
    if not made:
        raise UsageError("no windows", fix="give pairs of seconds, or a number of requests")
    return tuple(made)


def _seconds(windows: object) -> list[tuple[float, float]]:
    """Return pairs of seconds.

    Raises:
        UsageError: something else is among them.
    """
    found = [tuple(numbers("windows", each)) for each in listed("windows", windows)]
    if any(len(each) != 2 for each in found):
        raise UsageError("windows are no pairs of seconds", fix="write [(0, 60), (60, 120)]")
    return [(start_s, end_s) for start_s, end_s in found]


def cut(workload: Workload, window: Window) -> Workload:
    """Return the requests of a window as a workload of their own.

    Block ids are numbered anew, so that caches are as small as the window. A turn whose predecessor is
    not in the window arrives by the clock.
    """
    rows = slice(window.first, window.last)
    edges = workload.first_block[window.first : window.last + 1]
    ids = np.unique(workload.block_ids[edges[0] : edges[-1]], return_inverse=True)[1]
    own = {name: getattr(workload, name)[rows] for name in PER_REQUEST}
    own["arrival_s"] = own["arrival_s"] - window.start_s
    own["next_turn"] = _inside(own["next_turn"], window)
    blocks = {"block_ids": ids.reshape(-1).astype(np.int32), "first_block": edges - edges[0]}
    return replace(workload, **own, **blocks)


def _inside(next_turn: Ints, window: Window) -> Ints:
    """Count the rows from the start of the window; -1 for those outside it."""
    inside = (next_turn >= window.first) & (next_turn < window.last)
    return np.where(inside, next_turn - window.first, -1)
