"""The elements of the arrays that the compiled engine works on, as record types."""

from __future__ import annotations

import numpy as np

__all__ = [
    "ASSUMED_OUTPUT_TOKENS",
    "AWAY",
    "BATCHINGS",
    "CACHED",
    "DECISION",
    "ENDS",
    "EVENT",
    "GONE",
    "HEAP_ENTRY",
    "INBOX",
    "INSTANCE_STATE",
    "LEDGER",
    "LIST",
    "NONE",
    "ORDERS",
    "PAGE_BITS",
    "PART",
    "PROMPT",
    "RELEASE",
    "REPLICA_STREAM",
    "RESULT",
    "RULES",
    "RUN",
    "RUN_PLACE",
    "SEQUENCE",
    "STEP",
    "TICK_S",
]

NONE = -1

RUN = -2
"""`users` of a run of blocks that a request which ended had for itself; of a preempted one `RUN` - 1
less its slot."""

TICK_S = 1e-9
"""Moments closer than a nanosecond, the clock of a trace, are the same moment. A run of steps taken in
one jump ends when step after step does but for the last bits, and those must not order events."""

ASSUMED_OUTPUT_TOKENS = 256
"""Predicted output length while nothing has finished and the trace predicts nothing."""

REPLICA_STREAM = 0x9FB21C651E98DF25
"""Sets the draws of the replica that a request comes to apart from other draws of a run."""

PAGE_BITS = 6
"""So many bits of a block id count the ids of a page, which are noted together as written."""

ORDERS = ("fcfs", "priority", "least_work_left", "bin_packing")
BATCHINGS = ("chunked", "prefill_first", "static")
ENDS = ("max_tokens", "eos")
"""Names of the codes in `INSTANCE_STATE`."""

AWAY, GONE = 0, -1
"""`most_now` of an instance that takes no requests until a later start, or for good."""

RESULT = np.dtype(
    [
        ("arrival_s", "f8"),  # moments, NaN until they are known
        ("dispatch_s", "f8"),
        ("scheduled_s", "f8"),
        ("first_token_s", "f8"),
        ("end_s", "f8"),
        ("instance", "i4"),  # where it was sent, -1 until then
        ("preemptions", "i4"),
        ("cached", "i4"),  # prompt tokens that were resident when it was first scheduled
        (
            "ended_before",
            "i4",
        ),  # row that ended or was rejected before it: those of a span are a chain
    ],
    align=True,
)
"""The outcome of a request."""

SEQUENCE = np.dtype(
    [
        ("row", "i8"),  # in the workload
        ("input", "i8"),  # tokens of the prompt
        ("output", "i8"),  # true output tokens
        ("predicted", "i8"),  # output tokens as predicted when it was sent
        ("priority", "i8"),
        ("first_block", "i8"),  # where its prefix blocks begin in `block_ids`
        ("blocks", "i8"),  # how many they are
        ("accepted", "i8"),  # number of its acceptance on the instance
        ("ready", "i8"),  # step from which on it may be admitted
        ("generated", "i8"),  # output tokens so far; while it decodes, when it began to
        ("cached_blocks", "i8"),  # leading blocks with ids that are cached
        ("runs", "i8"),  # the first of the runs that hold its other blocks, -1 if there is none
        ("target", "i8"),  # tokens to compute before the next output token
        ("computed", "i8"),  # tokens computed, while it prefills
        # what is looked at in each step where blocks are short, close together
        ("chunk", "i8"),  # prompt tokens that the current step computes
        ("base", "i8"),  # tokens computed minus steps of the instance, while it decodes
        ("phase", "i8"),  # in which it needs a block, while it decodes
        ("decoding", "i4"),  # 1 or 0
        ("ended", "i4"),  # 1 once its last token is out
        ("step_blocks", "i8"),  # blocks that it got in this step, where blocks are short
        ("order", "i8"),  # number of its last admission
        ("next", "i8"),  # slots beside it in the list that it is in
        ("previous", "i8"),
    ],
    align=True,
)
"""The slot of a live request: held by the router, waiting or running."""

LIST = np.dtype(
    [
        ("head", "i8"),
        ("tail", "i8"),
        ("count", "i8"),
    ],
    align=True,
)
"""Slots that are linked from the first to the last, -1 where there are none: see `linked_list`."""

INBOX = np.dtype(
    [
        ("undecided", LIST),
        ("decided_s", "f8"),  # when its last decision was made
        ("due_s", "f8"),  # when it has decided on the first, inf if there is none
    ],
    align=True,
)
"""What has come to a replica of a router that takes time for a decision; the first is in work."""

LEDGER = np.dtype(
    [
        ("in_flight", "i8"),  # requests that it sent there and that have not ended
        ("sent", "i8"),  # ever
        ("sent_tokens", "i8"),  # their prompt tokens
        ("reported", "i8"),  # those of `sent` that it takes the report to know
        ("reported_tokens", "i8"),
    ],
    align=True,
)
"""What one of several replicas of the router counts of an instance."""

INSTANCE_STATE = np.dtype(
    [
        # what each decision looks at on every instance, close together: many have no room in a cache
        ("quiet_s", "f8"),  # before it nothing happens that a router of a lazy lane sees
        ("in_flight", "i8"),  # requests, as the router counts them
        ("most_now", "i8"),  # `most_in_flight` while it takes requests, else AWAY or GONE
        ("pool", "i8"),
        ("ranks", "i8"),  # instances that step together, from this one on
        # what is reported
        ("queued_tokens", "i8"),  # prompt tokens not yet computed
        ("predicted_left", "i8"),  # output tokens predicted less those generated
        ("context", "i8"),  # computed tokens of decodes
        ("prefilled", "i8"),  # computed tokens of the others that run
        ("free", "i8"),  # blocks that hold nothing
        ("idle", "i8"),  # blocks that are cached and used by nobody
        ("running", LIST),
        ("waiting", LIST),
        # its latency model by address, see `by_address`
        ("step_time", "u8"),
        ("decode_line", "u8"),
        # limits and switches of its pool
        ("most_tokens", "i8"),  # of a request
        ("kv_blocks", "i8"),
        ("block_size", "i8"),  # tokens
        ("max_num_seqs", "i8"),  # that run
        ("most_requests", "i8"),  # that it has
        (
            "most_backlog",
            "i8",
        ),  # from so many prompt tokens without a first token on it takes no more
        ("interval", "i8"),  # steps from one in which prompts are computed to the next
        ("budget", "i8"),  # tokens of a step
        ("threshold", "i8"),  # most prompt tokens of one request in a step, 0 for no limit
        ("most_prompt", "i8"),  # the same for the next step, in which a request alone has no limit
        ("queue_order", "i8"),  # in ORDERS
        ("batching", "i8"),  # in BATCHINGS
        ("reserve", "i8"),  # 1 if a prompt is admitted only where all of it has blocks
        ("headroom", "i8"),  # blocks that admissions beside others leave free
        ("most_in_flight", "i8"),  # requests that the router may have here
        ("starts_left", "i8"),  # starts that are still to come
        ("overhead_s", "f8"),  # of a step
        ("sequence_overhead_s", "f8"),  # more of it for each sequence in the batch
        ("captured", "i8"),  # most tokens of a captured graph, 0 where the model knows of none
        ("noise", "f8"),  # deviation of the logarithm of a step's time
        ("attention_slots", "f8"),  # infinite where attention is shared out evenly
        ("plain", "i8"),  # 1 if it is, and the model adds no terms to its kernels
        ("bounded", "i8"),  # 1 if the model has a domain
        ("overlapped", "i8"),  # 1 if a batch is prepared while the step before runs
        ("vain", "i8"),  # 1 if what has ended is in that batch too
        ("caching", "i8"),  # 1 if prefixes stay
        # where it stands
        ("now_s", "f8"),  # end of the step in flight, or of the last one
        ("stepping", "i8"),  # 1 while a step is in flight
        ("paused", "i8"),  # 1 if decodes do not advance in it
        ("steps", "i8"),  # ended steps in which decodes advanced
        ("taken_steps", "i8"),  # all ended steps
        ("phase", "i8"),  # `steps` modulo the block size
        ("outside", "i8"),  # steps outside the domain of the latency model
        # blocks
        ("oldest", "i8"),  # ends of the list of idle ones, by cell
        ("newest", "i8"),
        ("spare", "i8"),  # head of the list of cells without id that were used before, -1 for none
        ("spares", "i8"),  # cells without id that were ever used
        # requests
        ("sent", "i8"),  # ever
        ("sent_tokens", "i8"),  # their prompt tokens
        ("backlog", "i8"),  # prompt tokens of requests without a token
        # requests that ended, where the router sees that
        ("ended", "i8"),
        ("ended_input", "i8"),  # their tokens
        ("ended_output", "i8"),
        ("prefill_s", "f8"),  # their times, added up
        ("decode_s", "f8"),
        # sequences that run
        ("decodes", "i8"),  # decoding ones
        ("longest", "i8"),  # largest `base` of theirs, unless it has left
        ("longest_left", "i8"),  # 1 if it has, so that it must be looked for
        ("short", "i8"),  # decodes whose prediction will run out before they end
        ("over", "i8"),  # those of which it has run out
        ("over_from", "i8"),  # tokens beyond predictions are `over` x `steps` less this
        ("partials", "i8"),  # those amid their prompts
        ("chunks", "i8"),  # prefills of the current step
        ("chunk_tokens", "i8"),  # their prompt tokens
        ("chunk_context", "f8"),  # sum of a chunk's tokens times those cached before it
        ("served", "i8"),  # decodes of the current step
        ("holds", "i8"),  # 1 if prompts wait in it
        ("carries", "i8"),  # 1 if they do not and there are some
        ("saturated", "i8"),  # 1 if requests waited behind the last step that took prompts
        ("executed", "i8"),  # batches, ever
        ("last_prefill", "i8"),  # number of the last one with prompts
        ("wave", "i8"),  # steps since the ranks were idle
        ("fills", "i8"),  # decodes that will fill blocks which have ids
        ("vain_decodes", "i8"),  # sequences that have ended and are in the current step
        ("vain_context", "i8"),  # their computed tokens
        ("vain_longest", "i8"),
        # the queue
        ("blocked", "i8"),  # 1 if it cannot move before blocks come back
        ("all_ready", "i8"),  # step from which on all that wait may be admitted
        ("accepted", "i8"),  # requests, ever
        ("admitted", "i8"),  # requests, ever
        ("leaving", LIST),  # that have ended and keep blocks until the next batch is formed
    ],
    align=True,
)
"""One instance."""

HEAP_ENTRY = np.dtype(
    [
        ("step", "i8"),  # last step of a decode: the heap is ordered by it,
        ("order", "i8"),  # then by admission
        ("slot", "i8"),  # of the decode
        ("chunk", "i8"),  # no part of the heap: slots that prefill in this step, partials first
    ],
    align=True,
)
"""Scratch of an instance, one for each sequence that can run."""

CACHED = np.dtype(
    [
        ("users", "i4"),  # sequences that use it, -1 if it is not cached; see `RUN`
        ("older", "i4"),  # cells beside it in the list of idle ones; of a copy in use, its place
        ("newer", "i4"),
        ("copies", "i4"),  # the next copy, at last the id itself, -1 for none; of a run, its blocks
    ],
    align=True,
)
"""A cell of an instance: what a block id is there; beyond the ids, a further copy or a run of blocks."""

RUN_PLACE = np.dtype(
    [
        ("first", "i4"),  # place of its first block in the request
        ("next", "i4"),  # cell of the run that the same request cached next
    ],
    align=True,
)
"""Where a run of blocks of a preempted request belongs."""

RULES = np.dtype(
    [
        ("ttl_s", "f8"),
        ("sweep_s", "f8"),  # between sweeps, 0 if each insertion trims
        ("tree", "i8"),  # 1 if tokens behind the last whole block count too
        ("shared", "i8"),  # 1 if the capacity is that of all instances together
        ("swept", "i8"),  # how many sweeps were due
    ],
    align=True,
)
"""The limits of a router's prefix index."""

PART = np.dtype(
    [
        ("tokens", "i8"),
        ("capacity", "i8"),  # most tokens
        ("oldest", "i4"),  # rows sent there first and last, -1 where the capacity is not the part's
        ("newest", "i4"),
    ],
    align=True,
)
"""The index by instance: its belief of what one holds, or all together."""

PROMPT = np.dtype(
    [
        ("used_s", "f8"),  # when it was sent
        ("instance", "i4"),  # where
        ("shared", "i4"),  # leading blocks that younger ones have taken over
        ("blocks", "i4"),  # leading blocks that are not forgotten
        ("rest", "i4"),  # tokens behind the last of them
        ("head", "i4"),  # block id that its edge begins with
        ("chained", "i4"),  # row that is next in its bucket, -1 for none
        ("newer", "i4"),  # row that is next in its queue, -1 for none
    ],
    align=True,
)
"""A prompt in the index."""

RELEASE = np.dtype(
    [
        ("at_s", "f8"),
        ("row", "i8"),
    ],
    align=True,
)
"""A turn that will arrive, or a request that comes back."""

EVENT = np.dtype(
    [
        ("at_s", "f8"),
        ("kind", "i8"),  # its place in `EVENT_KINDS`, see `simulation.event`
        ("subject", "i8"),  # an instance
        ("value", "f8"),  # that the kind needs besides
    ],
    align=True,
)
"""An entry of the event queue."""

STEP = np.dtype(
    [
        ("instance", "i8"),
        ("start_s", "f8"),
        ("end_s", "f8"),
        ("prefill_tokens", "i8"),
        ("prefill_context_tokens", "f8"),  # sum of chunk times what was computed before it
        ("decode_seqs", "i8"),
        ("decode_context_tokens", "i8"),
        ("waiting", "i8"),
        ("kv_blocks_used", "i8"),
    ],
    align=True,
)
"""The record of one step."""

DECISION = np.dtype(
    [
        ("row", "i8"),
        ("at_s", "f8"),
        ("chosen", "i8"),
        ("view_age_s", "f8"),  # of the report that the router saw
        ("held", "i8"),  # requests in its queue
    ],
    align=True,
)
"""The record of one decision; its scores stand beside it."""
