"""The requests of a log with their timings, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloadlab.simulation.workload import Workload

__all__ = ["Lane", "Observed", "together", "tpot"]

Floats = Any


@dataclass(frozen=True)
class Lane:
    """Requests that are simulated together: those of one instance, or all of a routed cluster.

    Attributes:
        stopped: the log's requests, after which traffic stops.
        continued: the same, and after them the log's requests once more for as long as its own
            requests were still running: a log that was cut out of traffic looks like this.
        instances: the number of instances that serve them.
    """

    stopped: Workload
    continued: Workload
    instances: int


@dataclass(frozen=True)
class Observed:
    """Requests with their timings, lane by lane, in arrival order within a lane.

    Attributes:
        lanes: the workloads to simulate.
        log, lane: index of each request's log and lane.
        arrival_s, first_s, end_s: moments; NaN where not recorded.
        until_s: moment up to which a request is compared, where it outlives a cut; else infinite. Its
            end and its output tokens are those that it had by then, and its lane has all of them.
        input_tokens, output_tokens: lengths.
        cached_tokens: prompt tokens that a large prefix cache is expected to hold; 0 where none is
            simulated.
        scored: requests whose recorded timings the fit may use: served, and not warm-up.
        instances: the number of instances that served the log.
        placement: the way in which requests came to their instances, in words.
        closed: answers release the next requests.
        cut: the trace says that it is a window of a longer one.
        notes: omissions and assumptions, in sentences.
    """

    lanes: tuple[Lane, ...]
    log: NDArray[np.int64]
    lane: NDArray[np.int64]
    arrival_s: NDArray[np.float64]
    first_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    until_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    cached_tokens: NDArray[np.float64]
    scored: NDArray[np.bool_]
    instances: int
    placement: str
    closed: bool
    cut: bool
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def logs(self) -> int:
        """Number of logs."""
        return int(self.log.max(initial=0)) + 1

    @property
    def outliving(self) -> float:
        """Share of the scored requests that end after the last arrival of their log."""
        last = np.full(self.logs, -np.inf)
        np.maximum.at(last, self.log, self.arrival_s)
        return float(np.mean((self.end_s > last[self.log])[self.scored]))

    @property
    def ttft_s(self) -> NDArray[np.float64]:
        """Time to first token."""
        return self.first_s - self.arrival_s

    @property
    def e2e_s(self) -> NDArray[np.float64]:
        """Time to last token."""
        return self.end_s - self.arrival_s

    @property
    def tpot_s(self) -> NDArray[np.float64]:
        """Time per output token after the first; NaN below two tokens."""
        return tpot(self.first_s, self.end_s, self.output_tokens)


def tpot(first_s: Floats, end_s: Floats, output_tokens: Floats) -> NDArray[np.float64]:
    """Return (end - first)/(output - 1), NaN below two tokens."""
    later = np.maximum(output_tokens - 1, 1)
    span: NDArray[np.float64] = np.where(output_tokens > 1, (end_s - first_s) / later, np.nan)
    return span


def together(logs: Sequence[Observed]) -> Observed:
    """Lay several logs side by side, each served on its own."""
    if len(logs) == 1:
        return logs[0]
    lanes = np.cumsum([0, *(len(one.lanes) for one in logs)])
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in logs])
        for name in ("arrival_s", "first_s", "end_s", "until_s", "input_tokens",
                     "output_tokens", "cached_tokens", "scored")
    }  # fmt: skip
    return replace(
        logs[0],
        lanes=tuple(lane for one in logs for lane in one.lanes),
        log=np.repeat(np.arange(len(logs)), [len(one) for one in logs]),
        lane=np.concatenate(
            [one.lane + first for one, first in zip(logs, lanes[:-1], strict=True)]
        ),
        cut=any(one.cut for one in logs),
        notes=tuple(
            f"log {number}: {note}" for number, one in enumerate(logs) for note in one.notes
        ),
        **joined,
    )
