"""The compiled functions of a lane, by address: its latency models and its router.

numba looks a function that is an argument up again at each call, which takes 0.2 ms: a good part of a
short lane's time, and more than hundreds of lanes take from one decision to the next.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from workloadlab.routing import signatures
from workloadlab.simulation.kernel_lane import LANE_TYPE

__all__ = [
    "CHOOSE",
    "DECODE_LINE",
    "SCORE",
    "STEP_TIME",
    "choose",
    "decode_line",
    "score",
    "step_time",
]

STEP_TIME = types.float64(
    types.float64, types.float64, types.float64, types.float64, types.float64[::1]
)
DECODE_LINE = types.UniTuple(types.float64, 3)(types.float64, types.float64, types.float64[::1])
SCORE, CHOOSE = signatures()


def _function(name: str, signature: Any) -> Any:
    """Make the accessor of a function whose address is a field of the lane."""
    kind = types.FunctionType(signature)

    def codegen(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        word = context.get_value_type(types.uintp)
        pointer = context.get_value_type(types.voidptr)
        field = cgutils.get_record_member(builder, arguments[0], LANE_TYPE.offset(name), word)
        made = cgutils.create_struct_proxy(kind)(context, builder)
        made.jit_addr = builder.inttoptr(builder.load(field), pointer)
        made.c_addr = made.py_addr = pointer(None)
        return made._getvalue()

    def accessor(typing_context: Any, lane: Any) -> Any:  # noqa: ARG001
        return kind(lane), codegen

    return intrinsic(accessor)


step_time, decode_line = _function("step_time", STEP_TIME), _function("decode_line", DECODE_LINE)
score, choose = _function("score", SCORE), _function("choose", CHOOSE)
"""Call them twice: `step_time(lane)` is the function."""
