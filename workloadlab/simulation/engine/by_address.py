"""Compiled functions by address: latency models and routers, and the parts of the engine itself.

numba looks a function that is an argument up again at each call, which takes 0.2 ms: a good part of a
short lane's time, and more than hundreds of lanes take from one decision to the next. A function that is
called by name becomes a part of its caller, and is optimized once more with it: the engine would be
compiled for replays, for environments and for oracles.

Each line at the end makes what kernels call: twice, as `score(lane)` is the function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import from_dtype, types
from numba.core import cgutils
from numba.core.extending import intrinsic

from workloadlab.routing.signals import signatures
from workloadlab.simulation.engine.arrays import member
from workloadlab.simulation.engine.record_types import SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DECODE_LINE",
    "PARTS",
    "ROUTERS",
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
"""Signatures of a latency model, whose addresses an instance has."""

ROUTERS = dict(zip(("score", "choose"), signatures(), strict=True))
"""Signatures of a router by its kind; a lane has the address of its own."""

LANE = "lane"
"""Stands for the type of a lane, whose record has the addresses of what is declared here."""

PARTS: dict[str, Callable[[Any], Any]] = {}
"""The parts of the engine by name: what returns the signature, given the type of a lane. `lane_record`
has the functions."""


def _function(name: str, signature: Callable[[Any], Any]) -> Any:
    """Make the accessor of a function whose address is a field of a record.

    Its signature may depend on the type of the record.
    """

    def accessor(typing_context: Any, holder: Any) -> Any:  # noqa: ARG001
        kind = types.FunctionType(signature(holder))

        def codegen(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            pointer = context.get_value_type(types.voidptr)
            field = member(context, builder, holder, arguments[0], name)
            made = cgutils.create_struct_proxy(kind)(context, builder)
            made.jit_addr = builder.inttoptr(builder.load(field), pointer)
            made.c_addr = made.py_addr = pointer(None)
            return made._getvalue()

        return kind(holder), codegen

    return intrinsic(accessor)


def _part(name: str, returns: Any, *arguments: Any) -> Any:
    """Enter a part of the engine; return its accessor. An argument may be LANE."""

    def signature(lane: Any) -> Any:
        return returns(*(lane if kind is LANE else kind for kind in arguments))

    PARTS[name] = signature
    return _function(name, signature)


step_time = _function("step_time", lambda _: STEP_TIME)
decode_line = _function("decode_line", lambda _: DECODE_LINE)

score = _function("score", lambda _: ROUTERS["score"])
choose = _function("choose", lambda _: ROUTERS["choose"])

schedule = _part(
    "schedule", types.Tuple((types.int64, types.float64, types.int64)), types.int64, LANE
)
advance_group = _part("advance_group", types.void, types.int64, LANE, types.float64, types.boolean)
index_match = _part("index_match", types.void, LANE)
index_insert = _part("index_insert", types.void, LANE, from_dtype(SEQUENCE), types.int64)
next_decision = _part("next_decision", types.int64, LANE)
place = _part("place", types.int64, LANE, types.int64)
handle_events = _part("handle_events", types.void, LANE)
