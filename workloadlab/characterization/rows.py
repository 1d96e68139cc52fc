"""The rows that statistics cover, as plain arrays: in order of arrival, or session by session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported
from workloadlab.trace import COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.trace import Trace

__all__ = [
    "LENGTHS",
    "MEASURED",
    "NO_SESSIONS",
    "SESSION_COLUMNS",
    "TOTAL_TOKENS",
    "UNNAMED",
    "Measured",
    "SessionRows",
    "read_columns",
    "read_measured",
    "read_sessions",
    "session_rows",
    "tokens_in",
    "without_nulls",
]

MEASURED = ~pl.col("warmup").fill_null(value=False)
"""A row counts unless it is a warm-up request."""

LENGTHS = ("input_tokens", "output_tokens")
"""The columns of lengths; a trace need not record outputs."""

TOTAL_TOKENS = pl.sum_horizontal(pl.col(LENGTHS).cast(pl.Int64), ignore_nulls=False)
"""Tokens of a request's prompt and output; null where the output is not recorded."""

SESSION_COLUMNS = (
    "session_id", "e2e_ns", "input_tokens", "output_tokens", "finish_reason", "think_ns",
)  # fmt: skip
"""The columns that facts of sessions are made of, beside the arrival."""

TOOL_ENDS = ("tool_calls", "tool_use", "function_call")


@dataclass(frozen=True)
class Measured:
    """Requests in arrival order, warm-up rows left out.

    Attributes:
        arrival_ns: int64, ascending.
        input_tokens: uint32.
        output_tokens: uint32; 0 where not recorded.
        output_recorded: bool, which outputs are recorded.
        inversions: rows of the trace that arrive before the row above them; 0 in a valid trace.
    """

    arrival_ns: NDArray[np.int64]
    input_tokens: NDArray[np.uint32]
    output_tokens: NDArray[np.uint32]
    output_recorded: NDArray[np.bool_]
    inversions: int

    @property
    def n(self) -> int:
        """Number of requests."""
        return len(self.arrival_ns)

    @property
    def span_ns(self) -> int:
        """Nanoseconds from the first to the last arrival."""
        return int(self.arrival_ns[-1] - self.arrival_ns[0]) if self.n else 0

    @property
    def lengths(self) -> dict[str, NDArray[np.uint32]]:
        """The recorded lengths by column, in arrival order."""
        outputs = self.output_tokens[self.output_recorded]
        return dict(zip(LENGTHS, (self.input_tokens, outputs), strict=True))


def read_measured(trace: Trace) -> Measured:
    """Read the columns that the topics on arrivals and lengths need."""
    output = pl.col("output_tokens") if "output_tokens" in trace.columns else pl.lit(None)
    frame = (
        trace.frame.filter(MEASURED)
        .select(
            "arrival_ns",
            "input_tokens",
            output_tokens=output.cast(pl.UInt32).fill_null(0),
            output_recorded=output.is_not_null(),
        )
        .collect()
    )
    arrival, inputs, outputs, recorded = (column.to_numpy() for column in frame.get_columns())
    inversions = int(np.count_nonzero(arrival[1:] < arrival[:-1]))
    if inversions:
        order = np.argsort(arrival, kind="stable")
        arrival, inputs, outputs, recorded = (
            a[order] for a in (arrival, inputs, outputs, recorded)
        )
    return Measured(arrival, inputs, outputs, recorded, inversions)


def read_columns(trace: Trace, *columns: str) -> pl.DataFrame:
    """Read columns of the measured rows in order of arrival; absent ones come back as nulls."""
    rows = (
        trace.frame.filter(MEASURED)
        .select(
            pl.col(name) if name in trace.columns else pl.lit(None, COLUMNS[name]).alias(name)
            for name in dict.fromkeys(("arrival_ns", *columns))
        )
        .collect()
    )
    return rows if rows["arrival_ns"].is_sorted() else rows.sort("arrival_ns", maintain_order=True)


def tokens_in(rows: pl.DataFrame, name: str) -> int:
    """Add up a column of tokens; polars would add 32 bits in 32 bits."""
    return int(rows[name].cast(pl.Int64).sum())


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


UNNAMED = Unsupported("no request records session_id, so affinity routing has nothing to go by")
NO_SESSIONS = Unsupported("no measured request records session_id")


def read_sessions(trace: Trace) -> SessionRows | Unsupported:
    """Read the requests that name a session; Unsupported where none does."""
    if not trace.has("session_id"):
        return UNNAMED
    rows = read_columns(trace, *SESSION_COLUMNS)
    named = rows.filter(pl.col("session_id").is_not_null())
    if not len(named):
        return NO_SESSIONS
    return session_rows(
        without_nulls(named),
        ends_recorded=named["e2e_ns"].null_count() == 0,
        tools_recorded=named["finish_reason"].null_count() < len(named),
        missing=len(rows) - len(named),
    )


def without_nulls(named: pl.DataFrame) -> pl.DataFrame:
    """Return rows that name a session as `session_rows` takes them."""
    tool = pl.col("finish_reason").is_in(list(TOOL_ENDS)).fill_null(value=False)
    return named.select(
        "session_id",
        "arrival_ns",
        e2e_ns=pl.col("e2e_ns").fill_null(0),
        input_tokens=pl.col("input_tokens").cast(pl.Int64),
        output_tokens=pl.col("output_tokens").cast(pl.Int64).fill_null(0),
        think_ns=pl.col("think_ns").fill_null(-1),
        tool=tool,
    )


def session_rows(
    named: pl.DataFrame, *, ends_recorded: bool, tools_recorded: bool, missing: int
) -> SessionRows:
    """Return rows session by session.

    Args:
        named: rows from `without_nulls`, in order of arrival; at least one.
        ends_recorded: whether every row of the trace that names a session has an e2e.
        tools_recorded: whether any has a finish_reason.
        missing: rows of the trace without a session.
    """
    codes = (named["session_id"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    order = np.argsort(codes, kind="stable")
    session = codes[order]
    first = np.append(True, session[1:] != session[:-1])
    starts = np.flatnonzero(first)
    arrival = named["arrival_ns"].to_numpy()[order]
    return SessionRows(
        session=session,
        first=first,
        turn=np.arange(len(session)) - np.repeat(starts, np.diff(np.append(starts, len(session)))),
        arrival_ns=arrival,
        end_ns=arrival + np.maximum(named["e2e_ns"].to_numpy()[order], 0),
        ends_recorded=ends_recorded,
        input_tokens=named["input_tokens"].to_numpy()[order],
        output_tokens=named["output_tokens"].to_numpy()[order],
        after_tool=named["tool"].to_numpy()[order] if tools_recorded else None,
        think_ns=named["think_ns"].to_numpy()[order],
        missing=missing,
    )
