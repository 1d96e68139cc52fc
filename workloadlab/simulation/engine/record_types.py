"""The arrays that the compiled engine works on, as record types."""

from __future__ import annotations

import numpy as np

__all__ = [
    "ASSUMED_OUTPUT_TOKENS",
    "BATCHINGS",
    "CACHED",
    "DECISION",
    "ENGINE",
    "LANE",
    "LIST",
    "NONE",
    "ORDERS",
    "PAGE_BITS",
    "PART",
    "PROMPT",
    "RELEASE",
    "RESULT",
    "RULES",
    "SEAT",
    "SEQUENCE",
    "STEP",
    "TICK_S",
]

NONE = -1

TICK_S = 1e-9
"""Moments closer than a nanosecond, the clock of a trace, are the same moment. A run of steps taken in
one jump ends when step after step does but for the last bits, and those must not order events."""

ASSUMED_OUTPUT_TOKENS = 256
"""Predicted output length while nothing has finished and the trace predicts nothing."""

ORDERS = ("fcfs", "priority", "least_work_left", "bin_packing")
BATCHINGS = ("chunked", "prefill_first", "static")
"""Names of the codes in `ENGINE`."""

RESULT = np.dtype(
    [("arrival_s", "f8"), ("dispatch_s", "f8"), ("scheduled_s", "f8"), ("first_token_s", "f8"),
     ("end_s", "f8"), ("instance", "i4"), ("preemptions", "i4"), ("cached", "i4"),
     ("ended_before", "i4")],
    align=True,
)  # fmt: skip
"""What happened to a request; times are NaN and the instance -1 until then. `ended_before` is the row
that ended or was rejected before this one, so that those of a span can be walked through."""

SEQUENCE = np.dtype(
    [("row", "i8"), ("input", "i8"), ("output", "i8"), ("predicted", "i8"), ("priority", "i8"),
     ("first_block", "i8"), ("blocks", "i8"), ("accepted", "i8"), ("ready", "i8"),
     ("generated", "i8"), ("target", "i8"), ("computed", "i8"), ("chunk", "i8"), ("base", "i8"),
     ("decoding", "i8"), ("named", "i8"), ("taken", "i8"), ("order", "i8"),
     ("next", "i8"), ("previous", "i8")],
    align=True,
)  # fmt: skip
"""The slot of a live request: held by the router, waiting or running. Its prefix blocks are `blocks` ids
from `first_block` on. `computed` holds while prefilling, `base` while decoding; `named` counts its
blocks that went through the prefix cache; `taken` those that it got in this step, where blocks are
short; `accepted` and `order` number its acceptance and its last admission; from step `ready` on it may
be admitted; `next` and `previous` link the list that it is in."""

LIST = np.dtype([("head", "i8"), ("tail", "i8"), ("count", "i8")], align=True)
"""Slots that are linked from the first to the last, -1 where there are none: see `linked_list`."""

ENGINE = np.dtype(
    [("step_time", "u8"), ("decode_line", "u8"),
     ("kv_blocks", "i8"), ("block_size", "i8"), ("max_num_seqs", "i8"), ("budget", "i8"),
     ("threshold", "i8"), ("queue_order", "i8"), ("batching", "i8"), ("reserve", "i8"),
     ("spare", "i8"), ("most_in_flight", "i8"), ("overhead_s", "f8"), ("noise", "f8"),
     ("attention_slots", "f8"),
     ("overlapped", "i8"), ("pool", "i8"), ("caching", "i8"), ("ranks", "i8"),
     ("quiet_s", "f8"), ("now_s", "f8"), ("stepping", "i8"), ("paused", "i8"), ("steps", "i8"),
     ("taken_steps", "i8"), ("phase", "i8"), ("outside", "i8"),
     ("free", "i8"), ("idle", "i8"), ("oldest", "i8"), ("newest", "i8"),
     ("in_flight", "i8"), ("sent", "i8"), ("sent_tokens", "i8"), ("predicted_left", "i8"),
     ("queued_tokens", "i8"), ("decodes", "i8"), ("context", "i8"), ("prefilled", "i8"),
     ("partials", "i8"), ("chunks", "i8"), ("blocked", "i8"), ("all_ready", "i8"),
     ("accepted", "i8"), ("waiting", LIST), ("admitted", "i8"), ("running", LIST)],
    align=True,
)  # fmt: skip
"""One instance: the addresses of its latency model (see `by_address`), its limits, then its state.
`steps` counts those in which decodes advance, `taken_steps` all. `free` blocks hold nothing; `idle`
ones hold cached prefixes that nobody uses, linked from the `oldest` to the `newest`. `decodes` and
`context` count decoding sequences and their computed tokens, `prefilled` the computed tokens of the
others; `phase` is `steps` modulo the block size; `partials` counts the sequences amid their prompts,
`chunks` the prefills of the current step; `blocked` says that the queue cannot move before blocks come
back; from step `all_ready` on all that wait may be admitted. `attention_slots` is infinite where
attention is shared out evenly; `ranks` is how many instances step together; before `quiet_s` nothing
can happen that a router of a lazy lane sees."""

SEAT = np.dtype([("step", "i8"), ("order", "i8"), ("slot", "i8"), ("chunk", "i8")], align=True)
"""Scratch of an instance, one per possible sequence: a heap of decodes by (last step, order of
admission), and the slots that prefill in the current step, those amid their prompts first."""

CACHED = np.dtype([("users", "i4"), ("older", "i4"), ("newer", "i4")], align=True)
"""A block id on an instance: sequences that use it, -1 if it is not resident; links while idle."""

PAGE_BITS = 6
"""So many bits of a block id count the ids of a page, which are noted together as written."""

RULES = np.dtype(
    [("capacity", "i8"), ("ttl_s", "f8"), ("sweep_s", "f8"), ("tree", "i8"), ("shared", "i8"),
     ("swept", "i8")],
    align=True,
)  # fmt: skip
"""The limits of the index, and how many sweeps were due."""

PART = np.dtype([("tokens", "i8"), ("oldest", "i4"), ("newest", "i4")], align=True)
"""What an instance is believed to hold, the last one all together: tokens, and the rows whose prompts
were sent there first and last; -1 for none, and where the capacity is not that of the part."""

PROMPT = np.dtype(
    [("used_s", "f8"), ("instance", "i4"), ("shared", "i4"), ("blocks", "i4"), ("rest", "i4"),
     ("head", "i4"), ("chained", "i4"), ("newer", "i4")],
    align=True,
)  # fmt: skip
"""A prompt in the index: when it was sent where, how many of its leading blocks younger ones have taken
over, how many are not forgotten, and how many tokens behind the last block; the block that its edge
begins with; and the rows of the next in its bucket and in its queue, -1 for none."""

RELEASE = np.dtype([("at_s", "f8"), ("row", "i8")], align=True)
"""A turn that will arrive."""

_ADDRESSES = (
    "engines", "slots", "ring", "seats", "cache", "pages", "block_ids", "holds", "results", "releases",
    "steps", "decisions", "scores", "tables", "domains", "views", "offers", "snapshots",
    "arrivals", "inputs", "outputs", "predictions", "sessions", "models", "priorities",
    "tenants", "slo_classes",
    "first_blocks", "next_turns", "thinks", "prefix_keys", "starts", "serves",
    "index_rules", "index_prompts", "index_parts", "index_buckets", "prefix_bits",
    "params", "memory",
)  # fmt: skip
_SIZES = (
    "instances", "pools", "requests", "start_count", "slot_count", "seat_count", "phases",
    "id_count", "page_count", "block_count", "edges", "table_cells", "model_columns", "depth",
    "room_for_steps", "room_for_decisions", "prefix_ids", "prefix_words", "part_count", "buckets",
    "param_count", "memory_cells",
)  # fmt: skip
_FUNCTIONS = (
    "score", "choose", "schedule", "advance_group",
    "index_match", "index_insert", "next_decision", "place",
)  # fmt: skip
_OPTIONS = (
    "most_held", "by_score", "lazy", "oracle", "prefix", "block_tokens", "guesses", "sees_cache",
    "keeps_bits", "foresees", "closed", "stepwise",
)  # fmt: skip
_CLOCK = (
    "stage", "last_tick", "seen_tick", "started", "arrived", "decided",
    "released", "ended", "finished", "finished_tokens", "free_slot", "used_slots",
    "recorded_steps", "recorded_decisions", "full", "stalled", "last_ended",
)  # fmt: skip

_SECONDS = ("interval_s", "delay_s", "decision_s", "now_s", "reached_s", "busy_s")

LANE = np.dtype(
    [
        *((name, "u8") for name in (*_ADDRESSES, *_FUNCTIONS, "seed")),
        *((name, "i8") for name in (*_SIZES, *_OPTIONS, *_CLOCK)),
        ("held", LIST),
        *((name, "f8") for name in _SECONDS),
    ],
    align=True,
)
"""A lane: the addresses of its arrays (see `arrays`) and of its functions (see `by_address`),
sizes, the router's side, and where it stands. A lane is `lazy` if its router sees nothing that changes
while an engine only decodes: then such engines stay behind `reached_s`, where the others are. It
`sees_cache` if its router is told what is really cached, and `keeps_bits` if engines note that in
`prefix_bits`; it `foresees` if its router is told how long the next decode steps take. `held` is
the router's queue; `ended` heads the list of sequences whose next turn is due a release; `full` says
that the record of steps must be read before the lane goes on; `stalled` names a sequence that no step
would ever serve; `last_ended` is the row that ended or was rejected last."""

STEP = np.dtype(
    [("instance", "i8"), ("start_s", "f8"), ("end_s", "f8"), ("prefill_tokens", "i8"),
     ("prefill_context_tokens", "f8"), ("decode_seqs", "i8"), ("decode_context_tokens", "i8"),
     ("waiting", "i8"), ("kv_blocks_used", "i8")],
    align=True,
)  # fmt: skip
"""The record of one step."""

DECISION = np.dtype(
    [("row", "i8"), ("at_s", "f8"), ("chosen", "i8"), ("view_age_s", "f8"), ("held", "i8")],
    align=True,
)  # fmt: skip
"""The record of one decision; its scores stand beside it."""
