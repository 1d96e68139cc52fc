"""Sessions brought together on disk against the same sessions held in memory."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from support.profiles import differences

from workloadlab import Trace
from workloadlab.characterization.bounded import make_plan
from workloadlab.characterization.bounded.by_session import sorted_by_session
from workloadlab.characterization.bounded.live import LiveFiles
from workloadlab.characterization.bounded.partial import merge
from workloadlab.characterization.bounded.session_topics import session_topics
from workloadlab.characterization.bounded.sessions import RULES, tally_sessions
from workloadlab.characterization.facts import to_plain
from workloadlab.characterization.study import Study
from workloadlab.characterization.topics.agentic import AGENTIC
from workloadlab.characterization.topics.sessions import SESSIONS

if TYPE_CHECKING:
    import random

FILES = "workloadlab.characterization.bounded.by_session.FILE_ROWS"


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Draw turns whose times, lengths and ends are often equal, and often far apart."""
    times = st.sampled_from([0, 1, 5, 10**9, 7 * 10**10, 3 * 10**15])
    tokens = st.sampled_from([0, 1, 40, 3_000, 70_000, 200_000])
    row = st.fixed_dictionaries(
        {
            "arrival_ns": times, "input_tokens": tokens, "output_tokens": tokens | st.none(),
            "session_id": st.sampled_from("abcdef") | st.none(), "e2e_ns": times | st.none(),
            "finish_reason": st.sampled_from(["stop", "tool_calls", None]),
            "think_ns": times | st.none(), "cached_tokens": tokens | st.none(),
            "warmup": st.sampled_from([False, False, False, True]),
        }
    )  # fmt: skip
    rows = draw(st.lists(row, min_size=1, max_size=40))
    absent = draw(
        st.sets(st.sampled_from(["e2e_ns", "finish_reason", "think_ns", "cached_tokens"]))
    )
    if draw(st.booleans()):
        rows = [each | {"e2e_ns": each["e2e_ns"] or 3} for each in rows]
    kinds = {"session_id": pl.String, "finish_reason": pl.String, "warmup": pl.Boolean}
    schema = {name: kinds.get(name, pl.Int64) for name in rows[0] if name not in absent}
    kept = [{name: each[name] for name in schema} for each in rows]
    return Trace.from_frame(pl.DataFrame(kept, schema))


@settings(max_examples=40)
@given(traces(), st.integers(1, 12), st.integers(1, 9), st.randoms(use_true_random=False))
def test_sessions_by_files_are_the_sessions_at_once(
    trace: Trace, group_rows: int, file_rows: int, order: random.Random
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("workloadlab.trace.store.ROW_GROUP", group_rows),
        patch(FILES, file_rows),
    ):
        trace = trace.save(Path(folder) / "drawn.trace")
        if not len(trace.frame.filter(~pl.col("warmup")).collect()):
            return
        study, plan = Study(trace), make_plan(trace, part_rows=file_rows)
        exact = {topic.name: to_plain(study.find(topic)) for topic in (SESSIONS, AGENTIC)}
        assert differences(exact, to_plain(session_topics(plan))) == {}
        with sorted_by_session(plan) as rows:
            tallies = [tally_sessions("key", k, rows.read(k)) for k in range(len(rows.files))]
    if tallies:
        in_order = functools.reduce(_merged, tallies).to_bytes()
        order.shuffle(tallies)
        middle = len(tallies) // 2
        halves = [
            functools.reduce(_merged, half) for half in (tallies[:middle], tallies[middle:]) if half
        ]
        assert functools.reduce(_merged, halves).to_bytes() == in_order


def _merged(a: Any, b: Any) -> Any:
    return merge(a, b, RULES)


moments = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=9)


@given(st.lists(moments, min_size=1, max_size=4), st.sets(st.integers(0, 15)))
def test_the_most_that_live_at_a_time_is_that_of_any_moment(
    lives: list[list[tuple[int, int]]], edges: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live = LiveFiles(Path(folder))
        for each in lives:
            born = np.array([at for at, _ in each])
            live.add(born, born + np.array([lasts for _, lasts in each]))
        everyone = [one for each in lives for one in each]
        most = max(sum(at <= t <= at + lasts for at, lasts in everyone) for t in range(16))
        assert live.peak(sorted(edges)) == most
