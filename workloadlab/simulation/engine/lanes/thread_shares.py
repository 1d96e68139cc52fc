"""Shares of a step, each on a thread of its own that looks out for the next without a system call.

To wake a thread takes 0.1 ms, which is as long as the share of a step of hundreds of lanes. A thread
that is done therefore looks for its next share for a while before it goes to sleep. And as cores are not
equally fast, who is through with its own share goes on with what others have not begun.

numba's own `prange`, measured in turns with this on 256 lanes and two threads, is no way out. On its
workqueue a step takes 1.9 times as long, which is as long as on one thread, and two Python threads that
step at once end the process. On GNU OpenMP it takes 1.0 to 1.05 times as long where cores are idle and
1.5 to 10 times where others use them, a forked process is ended at its first step, and not every machine
has the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import from_dtype, types
from numba.core.extending import intrinsic

from workloadlab.jit import entry, helper
from workloadlab.simulation.engine.arrays import INT, array_of, member
from workloadlab.simulation.engine.lane_record import LANE
from workloadlab.simulation.engine.lanes.rewards import (
    ADVANCE_LANES,
    REWARD,
    TARGETS,
    advance_lanes,
)
from workloadlab.simulation.engine.record_types import NONE

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Array, Count, Flag, Lanes, Position

__all__ = ["SHARE", "follow", "gather", "lead", "post"]

PATIENCE = 400_000
"""How often a thread looks for what it waits for, some 0.2 ms long."""

CHUNK = 8
"""Lanes that are begun at a time."""

SHARE = np.dtype(
    [
        ("asked", "i8"),  # number of the step
        ("done", "i8"),  # number of the last step that it finished
        ("asleep", "i8"),  # 1 if the thread must be woken
        ("others", "i8"),  # lanes of its own that stand at no decision after the step
        ("lanes", "u8"),  # arguments of `advance_lanes` by address
        ("which", "u8"),
        ("choices", "u8"),
        ("status", "u8"),
        ("rewards", "u8"),
        ("targets", "u8"),
        ("lane_count", "i8"),  # their lengths
        ("which_count", "i8"),
        ("threads", "i8"),  # that share the step
        ("begun", "i8"),  # places of `which` before it are taken,
        ("last", "i8"),  # those from here on are not in this share
    ],
    align=True,
)
"""The share of a thread in a step."""

_SHARE_TYPE = from_dtype(SHARE)
_lanes = array_of("lanes", LANE, "lane_count")
_which = array_of("which", INT, "which_count")
_choices = array_of("choices", INT, "which_count")
_status = array_of("status", INT, "lane_count")
_rewards = array_of("rewards", REWARD, "lane_count")
_targets = array_of("targets", TARGETS, 1)


def _atomic(name: str) -> tuple[Any, Any, Any]:
    """Make what reads, writes and adds to a field that threads share; all see one order.

    The last returns the value before it added.
    """

    def at(context: Any, builder: Any, share: Any) -> Any:
        return member(context, builder, _SHARE_TYPE, share, name)

    def read(typing_context: Any, share: Any) -> Any:  # noqa: ARG001
        def codegen(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            return builder.load_atomic(at(context, builder, arguments[0]), "seq_cst", 8)

        return types.int64(share), codegen

    def write(typing_context: Any, share: Any, value: Any) -> Any:  # noqa: ARG001
        def codegen(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            pointer = at(context, builder, arguments[0])
            builder.store_atomic(arguments[1], pointer, "seq_cst", 8)
            return context.get_dummy_value()

        return types.void(share, types.int64), codegen

    def add(typing_context: Any, share: Any, count: Any) -> Any:  # noqa: ARG001
        def codegen(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            pointer = at(context, builder, arguments[0])
            return builder.atomic_rmw("add", pointer, arguments[1], "seq_cst")

        return types.int64(share, types.int64), codegen

    return intrinsic(read), intrinsic(write), intrinsic(add)


_asked, _ask, _ = _atomic("asked")
_done, _finish, _ = _atomic("done")
_asleep, _sleep, _ = _atomic("asleep")
_, _, _begin = _atomic("begun")

_SHARES = types.Array(_SHARE_TYPE, 1, "C")


@entry(types.boolean(_SHARES, types.int64, *ADVANCE_LANES.args))
def post(
    shares: Array,
    count: Count,
    lanes: Lanes,
    which: Array,
    choices: Array,
    status: Array,
    rewards: Array,
    targets: Array,
) -> Flag:
    """Share a step out among the first `count` threads; say whether one of them is asleep."""
    sleeps = False
    for k in range(count):
        s = shares[k]
        s.lanes, s.which, s.choices = lanes.ctypes.data, which.ctypes.data, choices.ctypes.data
        s.status, s.rewards, s.targets = (
            status.ctypes.data,
            rewards.ctypes.data,
            targets.ctypes.data,
        )
        s.lane_count, s.which_count, s.threads = len(lanes), len(which), count
        s.begun, s.last = len(which) * k // count, len(which) * (k + 1) // count
    for k in range(count):
        _ask(shares[k], shares[k].asked + 1)
        if k > 0 and _asleep(shares[k]) == 1:
            sleeps = True
    return sleeps


@helper
def _take(shares: Array, k: Position) -> None:
    """Do share `k`, then what is left of the others."""
    own, others = shares[k], 0
    asked, threads = own.asked, own.threads
    for turn in range(threads):
        s = shares[(k + turn) % threads]
        first = _begin(s, CHUNK)
        while first < s.last:
            last = min(first + CHUNK, s.last)
            others += advance_lanes(
                _lanes(s),
                _which(s)[first:last],
                _choices(s)[first:last],
                _status(s),
                _rewards(s),
                _targets(s),
            )
            first = _begin(s, CHUNK)
    own.others = others
    _finish(own, asked)


@entry(types.int64(_SHARES, types.int64))
def gather(shares: Array, count: Count) -> Count:
    """Wait for the shares of a step; return how many lanes stand at no decision, -1 if it takes long."""
    others = tries = 0
    for k in range(count):
        s = shares[k]
        while _done(s) != s.asked:
            tries += 1
            if tries == PATIENCE:
                return NONE
        others += s.others
    return others


@entry(types.int64(_SHARES, types.int64))
def lead(shares: Array, count: Count) -> Count:
    """Take the first share of a step, then `gather` all."""
    _take(shares, np.int64(0))
    return gather(shares, count)


@entry(types.void(_SHARES, types.int64))
def follow(shares: Array, k: Position) -> None:
    """Take the share `k` of step after step, until none comes for a while."""
    s = shares[k]
    while True:
        _sleep(s, 0)
        tries = 0
        while tries < PATIENCE:
            tries += 1
            if _asked(s) != s.done:
                _take(shares, k)
                tries = 0
        _sleep(s, 1)
        if _asked(s) == s.done:
            return
