"""Compiled functions by address: latency models and routers, and the parts of the engine itself.

numba looks a function that is an argument up again at each call, which takes 0.2 ms: a good part of a
short lane's time, and more than hundreds of lanes take from one decision to the next. A function that is
called by name becomes a part of its caller, and is optimized once more with it: the engine would be
compiled for replays, for environments and for oracles.
"""

from __future__ import annotations

from typing import Any

from numba import from_dtype, types
from numba.core import cgutils
from numba.core.extending import intrinsic

from workloadlab.routing import signatures
from workloadlab.simulation.engine.arrays import LANE_TYPE, member
from workloadlab.simulation.engine.record_types import ENGINE, SEQUENCE

__all__ = [
    "ADVANCE_GROUP",
    "CHOOSE",
    "DECODE_LINE",
    "HANDLE_EVENTS",
    "INDEX_INSERT",
    "INDEX_MATCH",
    "NEXT_DECISION",
    "PLACE",
    "SCHEDULE",
    "SCORE",
    "STEP_TIME",
    "advance_group",
    "choose",
    "decode_line",
    "handle_events",
    "index_insert",
    "index_match",
    "next_decision",
    "place",
    "schedule",
    "score",
    "step_time",
]

STEP_TIME = types.float64(
    types.float64, types.float64, types.float64, types.float64, types.float64[::1]
)
DECODE_LINE = types.UniTuple(types.float64, 3)(types.float64, types.float64, types.float64[::1])
SCORE, CHOOSE = signatures()
SCHEDULE = types.Tuple((types.int64, types.float64, types.int64))(types.int64, LANE_TYPE)
INDEX_MATCH = types.void(LANE_TYPE)
INDEX_INSERT = types.void(LANE_TYPE, from_dtype(SEQUENCE), types.int64)
ADVANCE_GROUP = types.void(types.int64, LANE_TYPE, types.float64, types.boolean)
NEXT_DECISION = types.int64(LANE_TYPE)
PLACE = types.int64(LANE_TYPE, types.int64)
HANDLE_EVENTS = types.void(LANE_TYPE)


def _function(record: Any, name: str, signature: Any) -> Any:
    """Make the accessor of a function whose address is a field of a record."""
    kind = types.FunctionType(signature)

    def codegen(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        pointer = context.get_value_type(types.voidptr)
        field = member(context, builder, record, arguments[0], name)
        made = cgutils.create_struct_proxy(kind)(context, builder)
        made.jit_addr = builder.inttoptr(builder.load(field), pointer)
        made.c_addr = made.py_addr = pointer(None)
        return made._getvalue()

    def accessor(typing_context: Any, holder: Any) -> Any:  # noqa: ARG001
        return kind(holder), codegen

    return intrinsic(accessor)


_ENGINE_TYPE = from_dtype(ENGINE)
step_time = _function(_ENGINE_TYPE, "step_time", STEP_TIME)
decode_line = _function(_ENGINE_TYPE, "decode_line", DECODE_LINE)
score, choose = _function(LANE_TYPE, "score", SCORE), _function(LANE_TYPE, "choose", CHOOSE)
schedule = _function(LANE_TYPE, "schedule", SCHEDULE)
index_match = _function(LANE_TYPE, "index_match", INDEX_MATCH)
index_insert = _function(LANE_TYPE, "index_insert", INDEX_INSERT)
advance_group = _function(LANE_TYPE, "advance_group", ADVANCE_GROUP)
next_decision = _function(LANE_TYPE, "next_decision", NEXT_DECISION)
place = _function(LANE_TYPE, "place", PLACE)
handle_events = _function(LANE_TYPE, "handle_events", HANDLE_EVENTS)
"""Call them twice: `score(lane)` is the function. What follows `choose` is in `lane.PARTS`, but
for `handle_events`: it is compiled for the first cluster that has events."""
