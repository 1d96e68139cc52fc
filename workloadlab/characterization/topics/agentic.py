"""Agents: steps between a person's words, time in tools, tokens that are new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import read_columns, tokens_in
from workloadlab.characterization.statistics.measures import Spread, exact_sum, spread_of
from workloadlab.characterization.study import Topic
from workloadlab.characterization.topics.sessions import SESSIONS
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.rows import SessionRows
    from workloadlab.characterization.study import Study
    from workloadlab.trace import Trace

__all__ = [
    "AGENTIC",
    "LARGE_APPEND",
    "LONG_TOOL_NS",
    "NO_SECOND",
    "Agentic",
    "Appends",
    "ToolTime",
    "appended_tokens",
    "measure_agentic",
    "steps_of",
]

LARGE_APPEND = 10_000
LONG_TOOL_NS = 60_000_000_000
NO_SECOND = Unsupported("no session has a second request")


@dataclass(frozen=True)
class Appends:
    """Tokens that a request adds to what its session had in context.

    A first request appends its prompt; a later one its prompt minus the prompt and the output of the
    one before, 0 at least. After a compaction that is 0, though the prompt is new.

    Attributes:
        large_share: share of the requests that append 10,000 tokens or more.
        large_token_share: share of all appended tokens in those.
        fresh_share: appended / all input tokens; the rest was in context before.
        prefill_amplification: input / appended tokens: work without a prefix cache, relative to what
            is new.
    """

    tokens: Spread
    large_share: float
    large_token_share: float | None
    fresh_share: float | None
    prefill_amplification: float | None


@dataclass(frozen=True)
class ToolTime:
    """Pauses after tool calls.

    Attributes:
        over_a_minute_share: share of the pauses longer than 60 s.
        over_a_minute_time_share: share of the time of all pauses in those.
    """

    seconds: Spread
    over_a_minute_share: float
    over_a_minute_time_share: float | None


@dataclass(frozen=True)
class Agentic:
    """Sessions of several requests, seen as an agent's work.

    Attributes:
        steps_per_turn: requests from a person's words to the answer: a run of tool calls and what
            ends it; None where finish_reason is not recorded.
        cached_share: recorded cached tokens / input tokens, where cached_tokens is recorded.
        compactions: large drops of the prompt that last; see the sessions' resets.
    """

    steps_per_turn: Spread | None
    tool_time: ToolTime | None
    appends: Appends
    cached_share: float | None
    compactions: int

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        rows: list[list[Cell]] = []
        for name, s in (
            ("steps per turn", self.steps_per_turn),
            ("tool time, s", self.tool_time.seconds if self.tool_time else None),
            ("appended tokens", self.appends.tokens),
        ):
            if s:
                rows.append([name, s.n, s.mean, s.p50, s.p90, s.p99, s.max])
        return [Table("Agents", ["", "n", "mean", "p50", "p90", "p99", "max"], rows)]


def measure_agentic(study: Study) -> Agentic | Unsupported:
    """Measure agents' work; Unsupported where no session has a second request."""
    rows, sessions = study.session_rows, study.find(SESSIONS)
    if isinstance(rows, Unsupported):
        return rows
    if isinstance(sessions, Unsupported):
        return sessions
    if rows.first.all():
        return NO_SECOND
    return Agentic(
        steps_per_turn=None if rows.after_tool is None else spread_of(steps_of(rows)),
        tool_time=_tool_time(rows),
        appends=_appends(rows),
        cached_share=_cached_share(study.trace),
        compactions=sessions.context.resets,
    )


def _cached_share(trace: Trace) -> float | None:
    if not trace.has("cached_tokens"):
        return None
    recorded = read_columns(trace, "cached_tokens", "input_tokens").drop_nulls("cached_tokens")
    cached, total = (tokens_in(recorded, name) for name in ("cached_tokens", "input_tokens"))
    return cached / total if total else None


def steps_of(rows: SessionRows) -> NDArray[np.int64]:
    """Return the requests of each run of tool calls with what ends it; finish_reason is recorded."""
    begins = rows.first.copy()
    if rows.after_tool is not None:
        begins[1:] |= ~rows.after_tool[:-1]
    return np.diff(np.append(np.flatnonzero(begins), len(begins)))


def _tool_time(rows: SessionRows) -> ToolTime | None:
    if rows.after_tool is None or not rows.ends_recorded:
        return None
    after = ~rows.first[1:] & rows.after_tool[:-1]
    pauses: NDArray[np.int64] = np.maximum((rows.arrival_ns[1:] - rows.end_ns[:-1])[after], 0)
    seconds = spread_of(pauses / 1e9)
    if seconds is None:
        return None
    total, long = exact_sum(pauses), pauses > LONG_TOOL_NS
    return ToolTime(
        seconds=seconds,
        over_a_minute_share=int(np.count_nonzero(long)) / len(pauses),
        over_a_minute_time_share=exact_sum(pauses[long]) / total if total else None,
    )


def appended_tokens(rows: SessionRows) -> NDArray[np.int64]:
    """Return what each request adds to what its session had in context."""
    appended = rows.input_tokens.copy()
    context = rows.input_tokens + rows.output_tokens
    later = ~rows.first[1:]
    appended[1:][later] = np.maximum(rows.input_tokens[1:] - context[:-1], 0)[later]
    return appended


def _appends(rows: SessionRows) -> Appends:
    appended = appended_tokens(rows)
    large = appended >= LARGE_APPEND
    total, everything = int(appended.sum()), int(rows.input_tokens.sum())
    return Appends(
        tokens=spread_of(appended) or Spread(0, 0.0, 0.0, 0.0, 0.0, 0.0),
        large_share=int(np.count_nonzero(large)) / len(appended),
        large_token_share=int(appended[large].sum()) / total if total else None,
        fresh_share=total / everything if everything else None,
        prefill_amplification=everything / total if total else None,
    )


AGENTIC = Topic(
    name="agentic",
    about="steps, tools and new tokens of sessions",
    needs=("session_id",),
    facts=Agentic,
    measure=measure_agentic,
)
