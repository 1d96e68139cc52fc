"""Sessions and parties against loops over the rows."""

from __future__ import annotations

import statistics
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloadlab import Trace, characterize
from workloadlab.characterization import Unsupported
from workloadlab.characterization.statistics.shares import share_out
from workloadlab.characterization.study import Study
from workloadlab.characterization.topics.sessions import Sessions, measure_sessions

SECOND = 1_000_000_000

rows_of = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", None]),
        st.integers(0, 50),  # arrival, s
        st.integers(0, 20),  # e2e, s
        st.integers(0, 200_000),  # input tokens
        st.sampled_from(["stop", "tool_calls"]),
    ),
    min_size=1,
    max_size=40,
)


def trace_of(rows: list[tuple]) -> Trace:
    names, arrivals, e2e, inputs, reasons = zip(*rows, strict=True)
    return Trace.from_frame(
        pl.DataFrame(
            {
                "session_id": names,
                "arrival_ns": [t * SECOND for t in arrivals],
                "e2e_ns": [t * SECOND for t in e2e],
                "input_tokens": inputs,
                "output_tokens": [i % 7 for i in inputs],
                "finish_reason": reasons,
            },
            schema_overrides={"session_id": pl.String},
        )
    )


@settings(deadline=None)
@given(rows_of)
def test_sessions(rows: list[tuple]) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    found = measure_sessions(Study(trace_of(rows)))
    groups: dict[str, list[tuple]] = {}
    for row in rows:
        if row[0] is not None:
            groups.setdefault(row[0], []).append(row)
    if not groups:
        assert isinstance(found, Unsupported)
        return
    turns = [len(group) for group in groups.values()]
    assert (found.count, found.requests) == (len(groups), sum(turns))
    assert found.missing == len(rows) - sum(turns)
    assert found.turns.mean == pytest.approx(statistics.mean(turns))
    assert found.turns.single_share == turns.count(1) / len(turns)
    for hazard in found.hazard:
        reached = [n for n in turns if n >= hazard.turn]
        assert hazard.reached == len(reached)
        assert hazard.probability == sum(n > hazard.turn for n in reached) / len(reached)
    pauses = [
        (b[1] - a[1] - a[2], a[4] == "tool_calls")
        for group in groups.values()
        for a, b in pairwise(group)
    ]
    if pauses:
        tool = [max(p, 0) for p, was_tool in pauses if was_tool]
        assert found.pauses_s.measured_from == "end"
        assert found.pauses_s.all.n == len(pauses)
        assert found.pauses_s.overlapping == sum(p < 0 for p, _ in pauses)
        assert (found.pauses_s.tool.p50 if tool else None) == (
            pytest.approx(statistics.median(tool)) if tool else None
        )
        assert (found.pauses_s.think is None) == (len(tool) == len(pauses))
    else:
        assert isinstance(found.pauses_s, Unsupported)
    check_context(found, groups)
    check_live(found, groups)


def check_context(found: Sessions, groups: dict[str, list[tuple]]) -> None:
    for k, median in enumerate(found.context.input_p50_by_turn):
        assert median == statistics.median(g[k][3] for g in groups.values() if len(g) > k)
    steps = [(a[3], b[3]) for g in groups.values() for a, b in pairwise(g)]
    assert found.context.shrinks == sum(b < a for a, b in steps)
    resets = 0
    for group in groups.values():
        inputs = [row[3] for row in group]
        for i in range(1, len(inputs)):
            old, new = inputs[i - 1], inputs[i]
            if new - old <= -65_536:
                resets += not any(x > (old + new) / 2 for x in inputs[i + 1 : i + 4])
    assert found.context.resets == resets
    several = [row for g in groups.values() if len(g) > 1 for row in g]
    every = [row for g in groups.values() for row in g]
    total = sum(row[3] for row in every)
    if total:
        assert found.multi_turn.input_tokens == sum(row[3] for row in several) / total


def check_live(found: Sessions, groups: dict[str, list[tuple]]) -> None:
    lives = [(min(r[1] for r in g), max(r[1] + r[2] for r in g)) for g in groups.values()]
    assert found.live.peak == max(sum(b <= t <= d for b, d in lives) for t, _ in lives)
    span = max(d for _, d in lives) - min(b for b, _ in lives)
    if span:
        assert found.live.mean == pytest.approx(sum(d - b for b, d in lives) / span)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
def test_shares(amounts: list[int]) -> None:
    shares = share_out(np.array(amounts))
    if not sum(amounts):
        assert shares is None
        return
    largest = sorted(amounts, reverse=True)
    for share, k in ((0.5, shares.k50), (0.9, shares.k90), (0.99, shares.k99)):
        assert sum(largest[:k]) >= share * sum(amounts) - 1e-6
        assert sum(largest[: k - 1]) < share * sum(amounts)
    assert shares.top5 == pytest.approx(sum(largest[:5]) / sum(amounts))
    assert shares.hhi == pytest.approx(sum((x / sum(amounts)) ** 2 for x in amounts))
    assert shares.curve[-1] == (len(amounts), 1.0)


def test_parties() -> None:
    rng = np.random.default_rng(1)
    steady = np.arange(0, 4 * 86_400, 60) + 0.5
    bursty = np.sort(np.concatenate([rng.uniform(t, t + 20, 60) for t in range(0, 345_600, 3600)]))
    times = np.concatenate((steady, bursty))
    names = ["steady"] * len(steady) + ["bursty"] * len(bursty)
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": (times * SECOND).astype(np.int64),
                "input_tokens": [100] * len(steady) + [10] * len(bursty),
                "output_tokens": [5] * len(times),
                "tenant_id": names,
                "model": ["m"] * len(times),
            }
        )
    )
    tenants = characterize(trace).tenants
    assert (tenants.by, tenants.count, tenants.k90) == ("tenant_id", 2, 2)
    assert set(tenants.parties) == {"tenant_id", "model"}
    parties = tenants.parties["tenant_id"]
    by_name = {party.name: party for party in parties.largest}
    assert by_name["steady"].iat_cv == pytest.approx(0, abs=1e-9)
    assert by_name["bursty"].iat_cv > 3
    assert by_name["bursty"].dispersion_share > 0.99
    assert by_name["steady"].rate_cv < 0.1
    assert by_name["steady"].token_share == pytest.approx(105 / 120)
    assert parties.bursty_share == pytest.approx(0.5)
    assert parties.stability.days == 3
    assert parties.stability.top_jaccard == 1.0


def test_without_names_there_are_no_parties() -> None:
    profile = characterize(
        Trace.from_frame(pl.DataFrame({"arrival_ns": [0, 5], "input_tokens": [1, 2]}))
    )
    assert "names a tenant" in profile.tenants.unsupported
    assert "session_id" in profile.sessions.unsupported
    assert "block_ids" in profile.prefix.unsupported


def test_one_session_of_a_million_turns() -> None:
    n = 1_000_000
    trace = Trace.from_frame(
        pl.DataFrame(
            {"arrival_ns": np.arange(n), "input_tokens": np.ones(n, dtype=np.uint32)}
        ).with_columns(session_id=pl.lit("only"))
    )
    found = measure_sessions(Study(trace))
    assert (found.count, found.turns.max) == (1, n)
    assert len(found.hazard) == 30
    assert {hazard.probability for hazard in found.hazard} == {1.0}
