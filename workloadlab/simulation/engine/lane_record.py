"""A lane as one record: where its arrays and functions are, its sizes, options and clock.

The addresses and sizes come from the tables of `arrays` and `by_address`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import from_dtype, types

from workloadlab.jit import by_address
from workloadlab.simulation.engine.arrays import ARRAYS, SIZES
from workloadlab.simulation.engine.by_address import PARTS, ROUTERS
from workloadlab.simulation.engine.record_types import NONE, SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "ADDRESSES",
    "CLOCK",
    "COMPILED_PARTS",
    "LANE",
    "LANES_TYPE",
    "LANE_TYPE",
    "OPTIONS",
    "LaneArrays",
    "part",
    "signature_of",
]

ADDRESSES = (*ARRAYS, *ROUTERS, *PARTS)
"""The words at the head of the record."""

OPTIONS = {
    "seed": "u8",  # of what happens by chance
    "most_held": "i8",  # requests that may wait at the router
    "by_score": "i8",  # 1 if it scores, 0 if it chooses
    "lazy": "i8",  # 1 if the router sees nothing that changes while an engine only decodes
    "shows": "i8",  # 1 if it may read reports, and those are never stale
    "oracle": "i8",  # 1 if it sees true output lengths
    "prefix": "i8",  # 1 if it sees prefix keys
    "block_tokens": "i8",  # tokens of a block of `block_ids`
    "id_count": "i8",  # cells of an instance that are of block ids, the first ones
    "guesses": "i8",  # 1 if it keeps a prefix index
    "sees_cache": "i8",  # 1 if it is told what is really cached
    "keeps_bits": "i8",  # 1 if engines note that in `prefix_bits`
    "foresees": "i8",  # 1 if it is told how long the next decode steps take
    "tells_left": "i8",  # 1 if it is told how many output tokens are left
    "tells_ended": "i8",  # 1 if it is told how long those took that ended
    "closed": "i8",  # 1 if the end of a turn releases the next
    "stepwise": "i8",  # 1 if runs of steps are not taken in one jump
    "interval_s": "f8",  # between reports of the engines, 0 if they are never stale
    "delay_s": "f8",  # of a report on its way
    "decision_s": "f8",  # that the router takes for a request, 0 for none
    "overwrites": "i8",  # 1 if a report that arrives makes it forget what it sent before
    "prefix_words": "i8",  # rows of `prefix_bits` that one replica has
}
"""Facts of the run and their types."""

CLOCK = {
    "stage": 0,  # see `lane`
    "last_tick": NONE,  # number of the last report that was taken
    "seen_tick": NONE,  # and of the last that the router saw
    "started": 0,  # of `starts`
    "arrived": 0,  # requests
    "decided": 0,  # offers made to the router
    "released": 0,  # length of the heap of releases
    "replica": 0,  # of the router, whose turn it is
    "first_word": 0,  # where its rows of `prefix_bits` begin
    "held": 0,  # requests in the queues of all replicas
    "finished": 0,  # requests, and their output tokens
    "finished_tokens": 0,
    "free_slot": NONE,  # head of the list of slots that were used before
    "used_slots": 0,  # slots that were ever used
    "recorded_steps": 0,  # in the record
    "recorded_decisions": 0,
    "full": 0,  # 1 if the record of steps must be read before the lane goes on
    "stalled": NONE,  # slot of a sequence that no step would ever serve
    "last_ended": NONE,  # row that ended or was rejected last
    "next_event": 0,  # first of `events` that is still to come
    "event_s": np.inf,  # its moment, inf if there is none
    "now_s": 0.0,
    "reached_s": 0.0,  # where a lazy lane is: engines that only decode may stay behind it
}
"""Where a lane stands, by its start."""

LANE = np.dtype(
    [
        *((name, "u8") for name in ADDRESSES),
        *((name, "i8") for name in SIZES),
        *OPTIONS.items(),
        *((name, "f8" if isinstance(start, float) else "i8") for name, start in CLOCK.items()),
    ],
    align=True,
)
"""A lane."""

_WRITTEN = tuple(name for name, row in ARRAYS.items() if row.written)

LANE_TYPE = from_dtype(LANE)
LANES_TYPE = types.Array(LANE_TYPE, 1, "C")


@dataclass
class LaneArrays:
    """A lane as the kernel reads it, and what keeps its arrays alive.

    Attributes:
        lane: one `LANE` record with the addresses of the arrays.
        arrays: the arrays by the name of their address.
    """

    lane: Any
    arrays: dict[str, Any]

    def put(self, name: str, values: Any) -> None:
        """Give the lane an array, in the place of the one that it had."""
        self.arrays[name] = values
        self.lane[name] = values.ctypes.data

    def put_params(self, params: Any) -> None:
        """Give the router of the lane other parameters, which may change as it goes; rows are sets."""
        self.put("params", params)
        self.lane["param_count"] = params.shape[-1]

    def copy(self) -> LaneArrays:
        """Return a lane that stands where this one does and goes its own way."""
        made = LaneArrays(self.lane.copy(), dict(self.arrays))
        for name in _WRITTEN:
            made.put(name, _copied(self.arrays[name]))
        return made

    def go_back(self, start: LaneArrays, anew: Iterable[str]) -> None:
        """Stand again where the lane does that this one is a copy of; faster than another copy.

        Args:
            start: that lane.
            anew: arrays that are not written over, as somebody has them.
        """
        addresses = self.lane.view(np.uint64)[: len(ADDRESSES)].copy()
        self.lane.view(np.uint8)[:] = start.lane.view(np.uint8)
        self.lane.view(np.uint64)[: len(ADDRESSES)] = addresses
        for name in _WRITTEN:
            first = start.arrays[name]
            if name in anew or len(first) != len(self.arrays[name]):
                self.put(name, _copied(first))
            elif first.size:
                self.arrays[name].view(np.uint8)[...] = first.view(np.uint8)

    def add_slots(self) -> None:
        """Make room for twice as many live requests."""
        slots = np.zeros(2 * len(self.arrays["slots"]), SEQUENCE)
        slots[: len(self.arrays["slots"])] = self.arrays["slots"]
        self.put("slots", slots)
        self.lane["slot_count"] = len(slots)


def _copied(values: Any) -> Any:
    """Copy as bytes: numpy copies a record field by field, which takes five times as long."""
    return values.view(np.uint8).copy().view(values.dtype)


COMPILED_PARTS: dict[str, Any] = {}
"""The parts of the engine by name."""


def signature_of(name: str) -> Any:
    """Return the signature of a part."""
    return PARTS[name](LANE_TYPE)


def part(name: str, compiled: Callable[[Any], Any] = by_address) -> Callable[[Any], Any]:
    """Compile a part of the engine, which kernels find by the address that a lane has.

    Args:
        name: of its row in `PARTS`.
        compiled: how; `entry` if Python calls it too.
    """

    def decorate(function: Any) -> Any:
        COMPILED_PARTS[name] = compiled(signature_of(name))(function)
        return COMPILED_PARTS[name]

    return decorate
