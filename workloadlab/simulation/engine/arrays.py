"""The table of a lane's arrays, one row each.

Kernels hand one pointer to each other, that of a lane's record (see `lane_record`). A bundle of arrays
would travel as a hundred machine words, and a call would cost more than the steps it takes (measured:
half the requests per second). So the record has the addresses and sizes of the arrays, and a row of this
table is also the accessor that kernels call: `engines(lane)` reads address and shape from the record.

All else is made from the rows in `ARRAYS`: the record, how a lane is laid out (`setup`), the rows of
many lanes (`side_by_side`), and how a fork gets its own (`fork`, `oracles.forked`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import Any

import numpy as np
from numba import from_dtype, types
from numba.core import cgutils
from numba.core.extending import intrinsic
from numba.np.arrayobj import populate_array

from workloadlab.routing.signals import INSTANCE, REQUEST
from workloadlab.simulation.engine.record_types import (
    CACHED,
    DECISION,
    EVENT,
    HEAP_ENTRY,
    INBOX,
    INSTANCE_STATE,
    LEDGER,
    LIST,
    NONE,
    PART,
    PROMPT,
    RELEASE,
    RESULT,
    RULES,
    RUN_PLACE,
    SEQUENCE,
    STEP,
)

FLOAT, INT, BYTE, INT32 = (np.dtype(kind) for kind in ("f8", "i8", "u1", "i4"))


class Fork(Enum):
    """How a fork gets an array of its lane."""

    READ = "kernels only read it, so lanes may share it"
    WHOLE = "all of it"
    PAGES = "the pages of block ids that either has written since"
    LIVE = "what belongs to requests that are live or will arrive"
    NOTES = "it shares the array, in which both note what they write"
    NOTHING = "lanes that are forked have no such array"


@dataclass(frozen=True)
class Array:
    """An array of a lane.

    Attributes:
        name: of its accessor, and of the field of the record that has its address.
        element: type of an element.
        shape: sizes by name, which are fields of the record too, or numbers.
        fork: how a fork gets its own.
        start: fields of an element that are not 0 before anything has happened, or its value.
        measured: whether it knows its length, for which a router that gets it may ask.
        about: its content.
    """

    name: str
    element: np.dtype[Any]
    shape: tuple[str | int, ...]
    fork: Fork
    start: Any
    measured: bool
    about: str

    @property
    def written(self) -> bool:
        """Whether kernels write it, so that each lane needs its own."""
        return self.fork is not Fork.READ

    def lengths(self, sizes: dict[str, int]) -> tuple[int, ...]:
        """Return the shape in numbers."""
        return tuple(sizes[size] if isinstance(size, str) else size for size in self.shape)

    def fresh(self, sizes: dict[str, int]) -> Any:
        """Return the array as it is before anything has happened."""
        lengths = self.lengths(sizes)
        if not self.start:
            return np.zeros(lengths, self.element)
        first = np.zeros(1, self.element)
        if isinstance(self.start, dict):
            for field, value in self.start.items():
                first[field] = value
        else:
            first[:] = self.start
        # Copies of one element: field by field, numpy takes eight times as long.
        return first.repeat(prod(lengths)).reshape(lengths)


ARRAYS: dict[str, Array] = {}
"""Every array of a lane by its name."""


def member(context: Any, builder: Any, record: Any, holder: Any, name: str) -> Any:
    """Return where a field of 8 bytes of a record is, for the code that an accessor makes."""
    word = context.get_value_type(types.intp)
    return cgutils.get_record_member(builder, holder, record.offset(name), word)


def array_of(name: str, dtype: np.dtype[Any], *sizes: str | int, measured: bool = True) -> Any:
    """Make the accessor of a C-contiguous array whose address is a field of a record.

    A size is a field of the record or a constant. numba reads the first at each access, to count a
    negative index from the end. Kernels use none, so an array that is not measured says it is empty.
    """
    element = from_dtype(dtype)
    kind = types.Array(element, len(sizes), "C")

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = context.get_value_type(types.intp)
        record = signature.args[0]

        def field(of: str) -> Any:
            return builder.load(member(context, builder, record, arguments[0], of))

        shape = [field(size) if isinstance(size, str) else word(size) for size in sizes]
        strides = [word(dtype.itemsize)]
        for length in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        if not measured:
            shape[0] = word(0)
        pointer = context.get_data_type(element).as_pointer()
        array = context.make_array(kind)(context, builder)
        populate_array(
            array,
            data=builder.inttoptr(field(name), pointer),
            shape=shape,
            strides=strides,
            itemsize=word(dtype.itemsize),
            meminfo=None,
        )
        return array._getvalue()

    def accessor(typing_context: Any, holder: Any) -> Any:  # noqa: ARG001
        return kind(holder), codegen

    return intrinsic(accessor)


def copier(record: Any, names: tuple[str, ...]) -> Any:
    """Make what copies fields of 8 bytes from one record to another: `copy(to, source)`."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        to, source = arguments
        for name in names:
            value = builder.load(member(context, builder, record, source, name))
            builder.store(value, member(context, builder, record, to, name))
        return context.get_dummy_value()

    def copy(typing_context: Any, to: Any, source: Any) -> Any:  # noqa: ARG001
        return types.void(to, source), codegen

    return intrinsic(copy)


def _array(
    name: str,
    element: np.dtype[Any],
    *shape: str | int,
    fork: Fork,
    start: Any = 0,
    measured: bool = False,
    about: str,
) -> Any:
    """Enter a row into the table; return its accessor."""
    ARRAYS[name] = Array(name, element, shape, fork, start, measured, about)
    return array_of(name, element, *shape, measured=measured)


# instances

engines = _array("engines", INSTANCE_STATE, "instances", fork=Fork.WHOLE, about="every instance")
blocks_by_phase = _array(
    "blocks_by_phase", INT, "instances", "phases", fork=Fork.WHOLE,
    about="decodes by the phase in which they need a block",
)  # fmt: skip
decode_heap = _array(
    "decode_heap", HEAP_ENTRY, "instances", "heap_room", fork=Fork.WHOLE,
    about="a heap of decodes by (last step, admission), and the slots that prefill",
)  # fmt: skip
short_steps = _array(
    "short_steps", INT, "instances", "short_room", fork=Fork.WHOLE,
    about="steps at which predictions of decodes, too short, run out, the next one last",
)  # fmt: skip
fill_heap = _array(
    "fill_heap", HEAP_ENTRY, "instances", "fill_room", fork=Fork.WHOLE,
    about="a heap of decodes by (step that fills their next block with an id, admission)",
)  # fmt: skip
cache = _array(
    "cache", CACHED, "instances", "cell_count", fork=Fork.PAGES,
    start={"users": NONE, "older": NONE, "newer": NONE, "copies": NONE},
    about="what every block id is on an instance, and cells for further copies and for runs",
)  # fmt: skip
run_places = _array(
    "run_places", RUN_PLACE, "instances", "spare_count", fork=Fork.PAGES,
    about="where the runs among those cells belong",
)  # fmt: skip
pages = _array(
    "pages", BYTE, "instances", "page_count", fork=Fork.NOTES,
    about="1 for block ids of which `cache` or `prefix_bits` was written since the lane was copied",
)  # fmt: skip
tables = _array(
    "tables", FLOAT, "pools", "table_cells", fork=Fork.READ, about="latency models, zeros behind"
)
terms = _array("terms", FLOAT, "pools", "term_cells", fork=Fork.READ, about="their terms, too")
domains = _array(
    "domains", FLOAT, "pools", 3, 5, 2, fork=Fork.READ,
    about="where latency models were fitted: (kind of step, feature, low and high)",
)  # fmt: skip

# requests

slots = _array("slots", SEQUENCE, "slot_count", fork=Fork.LIVE, about="live requests")
results = _array(
    "results", RESULT, "requests", fork=Fork.LIVE,
    start={"arrival_s": np.nan, "dispatch_s": np.nan, "scheduled_s": np.nan,
           "first_token_s": np.nan, "end_s": np.nan, "instance": NONE},
    about="outcome of every request",
)  # fmt: skip
uses = _array(
    "uses", INT32, "cacheable_blocks", fork=Fork.LIVE,
    about="cell that a request uses for the block of that place in `block_ids`, -1 if it has none",
)  # fmt: skip
releases = _array(
    "releases", RELEASE, "release_room", fork=Fork.NOTHING,
    about="a heap of turns that follow on one that ended, and of requests that come back",
)  # fmt: skip
arrivals = _array("arrivals", FLOAT, "requests", fork=Fork.READ, about="moments of arrival")
inputs = _array("inputs", INT, "requests", fork=Fork.READ, about="prompt tokens")
outputs = _array("outputs", INT, "requests", fork=Fork.READ, about="true output tokens")
predictions = _array(
    "predictions", INT, "requests", fork=Fork.READ, about="predicted output tokens, -1 for none"
)
sessions = _array("sessions", INT, "requests", fork=Fork.READ, about="session, -1 for none")
models = _array("models", INT, "requests", fork=Fork.READ, about="column of `serves` less one")
priorities = _array("priorities", INT, "requests", fork=Fork.READ, about="less is served first")
tenants = _array("tenants", INT, "requests", fork=Fork.READ, about="tenant, -1 for none")
slo_classes = _array(
    "slo_classes", INT, "requests", fork=Fork.READ, about="service class, -1 for none"
)
first_blocks = _array(
    "first_blocks", INT, "edges", fork=Fork.READ,
    about="where the blocks of a request begin in `block_ids`, and where the last one's end",
)  # fmt: skip
block_ids = _array(
    "block_ids", INT32, "block_count", fork=Fork.READ, about="prefix blocks of all requests"
)
next_turns = _array(
    "next_turns", INT, "turns", fork=Fork.READ, about="row of the turn that follows, -1 for none"
)
thinks = _array(
    "thinks", FLOAT, "turns", fork=Fork.READ, about="seconds from the end of the turn before"
)
prefix_keys = _array(
    "prefix_keys", INT, "keyed_requests", fork=Fork.READ, about="see `REQUEST_FIELDS`"
)
starts = _array(
    "starts", INT, "start_count", fork=Fork.READ, about="rows that arrive by the clock, in order"
)
serves = _array(
    "serves", BYTE, "pools", "model_columns", fork=Fork.READ,
    about="1 if a pool serves a model; the first column is for requests that name none",
)  # fmt: skip

# cluster

events = _array(
    "events", EVENT, "event_count", fork=Fork.READ, about="entries of the event queue, in order"
)

# router

views = _array(
    "views", INSTANCE, "instances", fork=Fork.WHOLE, measured=True,
    about="instances as the router sees",
)  # fmt: skip
offers = _array("offers", REQUEST, 1, fork=Fork.WHOLE, about="the request to place")
snapshots = _array(
    "snapshots", INSTANCE, "depth", "instances", fork=Fork.WHOLE,
    about="a ring of reports on their way to the router",
)  # fmt: skip
queues = _array(
    "queues", LIST, "replicas", fork=Fork.WHOLE, start={"head": NONE, "tail": NONE},
    about="requests that wait at each of its replicas",
)  # fmt: skip
inboxes = _array(
    "inboxes", INBOX, "replicas", fork=Fork.WHOLE,
    start={"undecided": (NONE, NONE, 0), "due_s": np.inf},
    about="requests that each decides on, one after the other, if that takes time",
)  # fmt: skip
settled = _array("settled", INT, "replicas", fork=Fork.WHOLE, about="their tails before arrivals")
ledgers = _array(
    "ledgers", LEDGER, "counting_replicas", "instances", fork=Fork.WHOLE,
    about="what each replica counts by itself, if there are several",
)  # fmt: skip
sent_then = _array(
    "sent_then", INT, "depth", "counting_replicas", "instances", 2, fork=Fork.WHOLE,
    about="requests and prompt tokens that each had sent when a report was taken",
)  # fmt: skip
index_rules = _array("index_rules", RULES, "replicas", fork=Fork.WHOLE, about="limits of its index")
index_prompts = _array(
    "index_prompts", PROMPT, "indexed_requests", fork=Fork.WHOLE,
    about="prompts in the index by row",
)  # fmt: skip
index_parts = _array(
    "index_parts", PART, "replicas", "part_count", fork=Fork.WHOLE,
    about="the index by instance, the last one all together",
)  # fmt: skip
index_buckets = _array(
    "index_buckets", INT32, "replicas", "buckets", fork=Fork.WHOLE, start=NONE,
    about="first prompt of each bucket of edges, -1 for none",
)  # fmt: skip
prefix_bits = _array(
    "prefix_bits", INT, "bit_rows", "prefix_ids", fork=Fork.PAGES,
    about="bits of 64 instances that say which of them the router thinks to have a block, by replica",
)  # fmt: skip
params = _array(
    "params", FLOAT, "param_count", fork=Fork.READ, measured=True, about="its parameters"
)
memory = _array("memory", FLOAT, "replicas", "memory_cells", fork=Fork.WHOLE, about="its memory")

# records

steps = _array("steps", STEP, "room_for_steps", fork=Fork.NOTHING, about="steps")
decisions = _array(
    "decisions", DECISION, "room_for_decisions", fork=Fork.NOTHING, about="decisions"
)
scores = _array(
    "scores", FLOAT, "room_for_decisions", "instances", fork=Fork.NOTHING,
    about="scores of every instance, NaN for those that could not be chosen",
)  # fmt: skip

SIZES = tuple(
    dict.fromkeys(size for row in ARRAYS.values() for size in row.shape if isinstance(size, str))
)
"""The sizes by name."""
