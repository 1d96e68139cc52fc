"""The requests of sessions as arrays, turn by turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import read_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.trace import Trace

__all__ = ["SessionRows", "read_sessions"]

TOOL_ENDS = ("tool_calls", "tool_use", "function_call")


@dataclass(frozen=True)
class SessionRows:
    """Requests with a session, sorted by session and then by arrival.

    Attributes:
        session: ascending code from 0.
        first: whether the row begins a session.
        turn: from 0, by order of arrival.
        end_ns: arrival plus e2e; the arrival where e2e is not recorded.
        ends_recorded: whether all rows have an e2e.
        after_tool: whether the answer was a tool call, as far as finish_reason says; None where
            no row has one.
        think_ns: recorded pauses before the request, -1 where not recorded.
        missing: rows without a session, left out.
    """

    session: NDArray[np.int64]
    first: NDArray[np.bool_]
    turn: NDArray[np.int64]
    arrival_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    ends_recorded: bool
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    after_tool: NDArray[np.bool_] | None
    think_ns: NDArray[np.int64]
    missing: int


def read_sessions(trace: Trace) -> SessionRows | Unsupported:
    """Read the requests that name a session; Unsupported where none does."""
    if not trace.has("session_id"):
        return Unsupported(
            "no request records session_id, so affinity routing has nothing to go by"
        )
    columns = ("session_id", "e2e_ns", "input_tokens", "output_tokens", "finish_reason", "think_ns")
    rows = read_columns(trace, *columns)
    named = rows.filter(pl.col("session_id").is_not_null())
    if not len(named):
        return Unsupported("no measured request records session_id")
    codes = (named["session_id"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    order = np.argsort(codes, kind="stable")
    session = codes[order]
    first = np.append(True, session[1:] != session[:-1])
    starts = np.flatnonzero(first)
    arrival = named["arrival_ns"].to_numpy()[order]
    e2e = named["e2e_ns"].fill_null(0).to_numpy()[order]
    reason = named["finish_reason"]
    tools = None
    if reason.null_count() < len(reason):
        tools = reason.is_in(list(TOOL_ENDS)).fill_null(value=False).to_numpy()[order]
    return SessionRows(
        session=session,
        first=first,
        turn=np.arange(len(session)) - np.repeat(starts, np.diff(np.append(starts, len(session)))),
        arrival_ns=arrival,
        end_ns=arrival + np.maximum(e2e, 0),
        ends_recorded=named["e2e_ns"].null_count() == 0,
        input_tokens=named["input_tokens"].cast(pl.Int64).to_numpy()[order],
        output_tokens=named["output_tokens"].cast(pl.Int64).fill_null(0).to_numpy()[order],
        after_tool=tools,
        think_ns=named["think_ns"].fill_null(-1).to_numpy()[order],
        missing=len(rows) - len(named),
    )
