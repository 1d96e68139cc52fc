"""A lane as one record: its sizes, options and clock, and where its arrays are.

Kernels hand one pointer to each other. A bundle of arrays would travel as a hundred machine words, and a
call would cost more than the steps it takes (measured: half the requests per second). `layout` keeps the
arrays alive and writes their addresses; an accessor such as `engines(lane)` reads the address and the
shape from the record.
"""

from __future__ import annotations

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
    ENGINE,
    LANE,
    PART,
    PROMPT,
    RELEASE,
    RESULT,
    RULES,
    SEAT,
    SEQUENCE,
    STEP,
)

__all__ = [
    "INT",
    "LANES_TYPE",
    "LANE_TYPE",
    "array_of",
    "arrivals",
    "block_ids",
    "cache",
    "copier",
    "decisions",
    "domains",
    "engines",
    "first_blocks",
    "holds",
    "index_buckets",
    "index_parts",
    "index_prompts",
    "index_rules",
    "inputs",
    "member",
    "memory",
    "models",
    "next_turns",
    "offers",
    "outputs",
    "pages",
    "params",
    "predictions",
    "prefix_bits",
    "prefix_keys",
    "priorities",
    "releases",
    "results",
    "ring",
    "scores",
    "seats",
    "serves",
    "sessions",
    "slo_classes",
    "slots",
    "snapshots",
    "starts",
    "steps",
    "tables",
    "tenants",
    "thinks",
    "views",
]

LANE_TYPE = from_dtype(LANE)
LANES_TYPE = types.Array(LANE_TYPE, 1, "C")
FLOAT, INT, BYTE, INT32 = (np.dtype(kind) for kind in ("f8", "i8", "u1", "i4"))


def member(context: Any, builder: Any, record: Any, holder: Any, name: str) -> Any:
    """Return where a field of 8 bytes of a record is, for the code that an accessor makes."""
    word = context.get_value_type(types.intp)
    return cgutils.get_record_member(builder, holder, record.offset(name), word)


def array_of(record: Any, name: str, dtype: np.dtype[Any], *sizes: str | int) -> Any:
    """Make the accessor of a C-contiguous array whose address is a field of a record.

    A size is a field of the record or a constant.
    """
    element = from_dtype(dtype)
    kind = types.Array(element, len(sizes), "C")

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        word = context.get_value_type(types.intp)

        def field(of: str) -> Any:
            return builder.load(member(context, builder, record, arguments[0], of))

        shape = [field(size) if isinstance(size, str) else word(size) for size in sizes]
        strides = [word(dtype.itemsize)]
        for length in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], length))
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


def _array(name: str, dtype: np.dtype[Any], *sizes: str | int) -> Any:
    return array_of(LANE_TYPE, name, dtype, *sizes)


engines = _array("engines", ENGINE, "instances")
slots = _array("slots", SEQUENCE, "slot_count")
ring = _array("ring", INT, "instances", "phases")
seats = _array("seats", SEAT, "instances", "seat_count")
cache = _array("cache", CACHED, "instances", "id_count")
pages = _array("pages", BYTE, "instances", "page_count")
holds = _array("holds", BYTE, "block_count")
results = _array("results", RESULT, "requests")
releases = _array("releases", RELEASE, "requests")
tables = _array("tables", FLOAT, "pools", "table_cells")
domains = _array("domains", FLOAT, "pools", 3, 5, 2)
"""The instances: see `record_types`. `ring` counts decodes by the phase in which they need a block;
`pages` says of which ids `cache` or `prefix_bits` was written since the lane was copied;
`holds` says whether a request uses the resident block of that place in `block_ids`."""

views = _array("views", INSTANCE, "instances")
offers = _array("offers", REQUEST, 1)
snapshots = _array("snapshots", INSTANCE, "depth", "instances")
steps = _array("steps", STEP, "room_for_steps")
decisions = _array("decisions", DECISION, "room_for_decisions")
scores = _array("scores", FLOAT, "room_for_decisions", "instances")
"""What the router sees, reports on their way to it, and the records."""

arrivals = _array("arrivals", FLOAT, "requests")
inputs = _array("inputs", INT, "requests")
outputs = _array("outputs", INT, "requests")
predictions = _array("predictions", INT, "requests")
sessions = _array("sessions", INT, "requests")
models = _array("models", INT, "requests")
priorities = _array("priorities", INT, "requests")
tenants = _array("tenants", INT, "requests")
slo_classes = _array("slo_classes", INT, "requests")
first_blocks = _array("first_blocks", INT, "edges")
block_ids = _array("block_ids", INT32, "block_count")
next_turns = _array("next_turns", INT, "requests")
thinks = _array("thinks", FLOAT, "requests")
prefix_keys = _array("prefix_keys", INT, "requests")
starts = _array("starts", INT, "start_count")
serves = _array("serves", BYTE, "pools", "model_columns")
"""What the requests ask for: see `workload.Workload`. The last column of `serves` is for requests that
name no model."""

index_rules = _array("index_rules", RULES, 1)
index_prompts = _array("index_prompts", PROMPT, "requests")
index_parts = _array("index_parts", PART, "part_count")
index_buckets = _array("index_buckets", INT32, "buckets")
prefix_bits = _array("prefix_bits", INT, "prefix_words", "prefix_ids")
params = _array("params", FLOAT, "param_count")
memory = _array("memory", FLOAT, "memory_cells")
"""A router's own: its prefix index (see `prefix_index`), what it is told of prefixes, parameters and
memory. A bucket is the row of its first prompt, -1 for none; a word has the bits of 64 instances."""
