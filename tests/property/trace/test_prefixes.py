"""Block ids from sessions and averages of gauges, against plain loops."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import workloadlab as wl
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.scoring import occupancy
from workloadlab.trace import session_prefixes

SESSIONS = st.sampled_from(["a", "b", None])
ROWS = st.lists(st.tuples(SESSIONS, st.integers(0, 70)), min_size=1, max_size=25)


def chats(rows):
    return wl.Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": range(len(rows)),
                "input_tokens": [tokens for _, tokens in rows],
                "session_id": pl.Series([name for name, _ in rows], dtype=pl.String),
            }
        )
    )


@given(ROWS, st.integers(1, 20), st.integers(0, 40))
def test_blocks_are_equal_where_the_prompts_begin_alike(rows, size, shared):
    """The twin names what a block holds: the history it belongs to, and its place there."""
    if all(name is None for name, _ in rows):
        rows = [("a", 5), *rows]
    found = session_prefixes(chats(rows), block_size=size, shared_tokens=shared)
    history, last, names = {}, {}, []
    for row, (name, tokens) in enumerate(rows):
        if name is None or tokens < last.get(name, tokens + 1):
            history[name] = row
        last[name] = tokens
        names.append(
            [("all" if k < shared // size else history[name], k) for k in range(tokens // size)]
        )
    ids = found.read("block_ids")["block_ids"].to_list()
    assert [len(one) for one in ids] == [len(one) for one in names]
    pairs = {pair for one, other in zip(ids, names, strict=True)
             for pair in zip(one, other, strict=True)}  # fmt: skip
    assert len(pairs) == len({number for number, _ in pairs}) == len({name for _, name in pairs})
    assert found.read("block_size")["block_size"].unique().to_list() == [size]


def test_rows_stay_and_turns_order_them():
    trace = wl.Trace.from_frame(
        pl.DataFrame({"arrival_ns": [0, 1, 2], "input_tokens": [64, 32, 48], "turn": [2, 0, 1],
                      "session_id": ["a"] * 3})
    )  # fmt: skip
    found = session_prefixes(trace)
    assert found.read("block_ids")["block_ids"].to_list() == [[0, 1, 2, 3], [0, 1], [0, 1, 2]]
    assert found.read("row_id", "turn", "input_tokens").equals(
        trace.read("row_id", "turn", "input_tokens")
    )
    assert found.provenance.parents == [trace.provenance.to_dict()]
    again = session_prefixes(found, block_size=32).read("block_ids")["block_ids"].to_list()
    assert again == [[0, 1], [0], [0]]


def test_what_cannot_be_made_is_refused():
    with pytest.raises(UnsupportedError, match="session_id"):
        session_prefixes(
            wl.Trace.from_frame(pl.DataFrame({"arrival_ns": [0], "input_tokens": [9]}))
        )
    with pytest.raises(UsageError, match="block size 0"):
        session_prefixes(chats([("a", 1)]), block_size=0)
    with pytest.raises(UsageError, match="-1 shared"):
        session_prefixes(chats([("a", 1)]), shared_tokens=-1)


REQUESTS = st.lists(
    st.tuples(*[st.integers(0, 9)] * 5, st.integers(0, 50), st.integers(0, 50)),
    min_size=2,
    max_size=12,
)


@given(REQUESTS)
def test_occupancy_equals_a_sum_over_small_steps(requests):
    moments, arrival = [], 0
    for gap, sent, queue, first, rest, prompt, output in requests:
        arrival += gap
        parts = [sent, sent + queue, sent + queue + first, sent + queue + first + rest]
        moments.append((arrival, *parts, prompt, output))
    names = ("arrival_ns", "dispatch_ns", "queue_ns", "ttft_ns", "e2e_ns", "input_tokens",
             "output_tokens")  # fmt: skip
    frame = pl.DataFrame(moments, schema=names, orient="row")
    trace = wl.Trace.from_frame(frame.with_columns(pl.col("^.*_ns$") * 10**9))
    last, first = moments[-1][0], moments[0][0]
    if last == first:
        with pytest.raises(UsageError, match="at once"):
            occupancy(trace)
        return
    running = waiting = held = 0.0
    step = 0.5
    for at, sent, queue, token, end, prompt, output in moments:
        t = first + step / 2
        while t < last:
            waiting += step * (at + sent <= t < at + queue)
            running += step * (at + queue <= t < at + end)
            held += step * prompt * (at + queue <= t < at + end)
            if at + token <= t < at + end:
                held += step * output * (t - at - token) / (end - token)
            t += step
    found = occupancy(trace)
    span = last - first
    assert found.running == pytest.approx(running / span)
    assert found.waiting == pytest.approx(waiting / span)
    assert found.kv_tokens == pytest.approx(held / span)


def test_hit_ratio_is_of_tokens():
    frame = pl.DataFrame({"arrival_ns": [0, 10], "ttft_ns": [1, 1], "e2e_ns": [2, 2],
                          "input_tokens": [100, 300], "output_tokens": [5, 5],
                          "cached_tokens": [0, 200]})  # fmt: skip
    assert occupancy(wl.Trace.from_frame(frame)).hit_ratio == 0.5
