"""The arrays that the compiled engine works on, as record types, and the bundle of a lane."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "CACHED",
    "ENGINE",
    "JIT",
    "JOB",
    "NONE",
    "RELEASE",
    "RESULT",
    "SEAT",
    "SEQUENCE",
    "Lane",
]

JIT: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
"""How every kernel is compiled. Kernels allocate nothing, so numba's reference counting is off: with it,
taking an array out of the bundle costs an atomic increment, and a replay takes twice as long."""

NONE = -1

JOB = np.dtype(
    [("arrival_s", "f8"), ("input", "i8"), ("output", "i8"), ("predicted", "i8"), ("session", "i8"),
     ("model", "i8"), ("first_block", "i8"), ("blocks", "i8"), ("next_turn", "i8"), ("think_s", "f8")],
    align=True,
)  # fmt: skip
"""What a request asks for; its prefix blocks are `blocks` ids from `first_block` on. In closed-loop
sessions `next_turn` is the row that follows, and `think_s` the pause before this one."""

RESULT = np.dtype(
    [("dispatch_s", "f8"), ("scheduled_s", "f8"), ("first_token_s", "f8"), ("end_s", "f8"),
     ("instance", "i8"), ("preemptions", "i8"), ("cached", "i8")],
    align=True,
)  # fmt: skip
"""What happened to it; times are NaN and the instance -1 until then."""

SEQUENCE = np.dtype(
    [("predicted", "i8"), ("generated", "i8"), ("target", "i8"), ("computed", "i8"),
     ("chunk", "i8"), ("base", "i8"), ("decoding", "i8"), ("named", "i8"), ("order", "i8"),
     ("next", "i8"), ("previous", "i8")],
    align=True,
)  # fmt: skip
"""A request inside an engine. `computed` holds while prefilling, `base` while decoding; `named` counts
its blocks that went through the prefix cache; `next` links the waiting queue, `next` and `previous`
the running list in order of admission."""

ENGINE = np.dtype(
    [("kv_blocks", "i8"), ("block_size", "i8"), ("max_num_seqs", "i8"), ("budget", "i8"),
     ("reserve", "i8"), ("spare", "i8"), ("overhead_s", "f8"), ("overlapped", "i8"), ("pool", "i8"),
     ("caching", "i8"),
     ("now_s", "f8"), ("stepping", "i8"), ("steps", "i8"), ("phase", "i8"), ("outside", "i8"),
     ("free", "i8"), ("idle", "i8"), ("oldest", "i8"), ("newest", "i8"),
     ("in_flight", "i8"), ("predicted_left", "i8"), ("queued_tokens", "i8"),
     ("decodes", "i8"), ("context", "i8"), ("partial", "i8"), ("chunks", "i8"),
     ("waiting", "i8"), ("wait_head", "i8"), ("wait_tail", "i8"),
     ("admitted", "i8"), ("running", "i8"), ("run_head", "i8"), ("run_tail", "i8")],
    align=True,
)  # fmt: skip
"""One instance: its limits, then its state. `free` blocks hold nothing; `idle` ones hold cached prefixes
that nobody uses, linked from the `oldest` to the `newest`. `decodes` and `context` count decoding
sequences and their computed tokens; `phase` is `steps` modulo the block size; `partial` is the
sequence amid its prompt; `chunks` counts the prefills of the current step."""

SEAT = np.dtype([("step", "i8"), ("order", "i8"), ("row", "i8"), ("chunk", "i8")], align=True)
"""Scratch of an instance, one per possible sequence: a heap of decodes by (last step, order of
admission), and the rows that prefill in the current step."""

CACHED = np.dtype([("users", "i4"), ("older", "i4"), ("newer", "i4")], align=True)
"""A block id on an instance: sequences that use it, -1 if it is not resident; links while idle."""


RELEASE = np.dtype([("at_s", "f8"), ("row", "i8")], align=True)
"""A turn that will arrive."""


class Lane(NamedTuple):
    """Everything that one replay works on.

    `counts` holds the output tokens and the number of finished requests, and the number of releases.
    """

    engines: Any
    jobs: Any
    results: Any
    sequences: Any
    ring: Any
    seats: Any
    cache: Any
    block_ids: Any
    holds: Any
    step_time: Any
    tables: Any
    domains: Any
    serves: Any
    releases: Any
    counts: Any
