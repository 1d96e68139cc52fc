"""Numbers beyond what a replay can count are refused at the door, with field and value."""

from __future__ import annotations

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.errors import DataError, UsageError
from workloadlab.execution import run_lanes

STEP = wl.LatencyModel.linear(constant_s=0.01)
ROWS = {"arrival_ns": [0, 1], "input_tokens": [5, 6], "output_tokens": [1, 2]}


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("input_tokens", [5, -3], "row 2, column input_tokens: -3 is not"),
        (
            "input_tokens",
            [5, 2**32 - 1],
            "4294967295 is not a whole number from 0 to 1,000,000,000",
        ),
        ("input_tokens", [5.0, float("nan")], "column input_tokens: nan"),
        ("output_tokens", [1.5, 2.0], "row 1, column output_tokens: 1.5"),
        ("output_tokens", [float("inf"), 2.0], "column output_tokens: inf"),
        ("arrival_ns", [0, 2**63 - 1], "column arrival_ns: 9223372036854775807"),
        ("arrival_ns", [0.0, 1e30], "column arrival_ns: 1e"),
        ("think_ns", [0, 2**62 + 1], "column think_ns"),
        ("priority", [0, 40_000], "column priority: 40000"),
        ("block_size", [16, 70_000], "column block_size: 70000"),
    ],
    ids=["negative", "huge", "nan", "half", "inf", "late", "later", "think", "priority", "block"],
)
def test_a_frame_with_impossible_numbers_is_refused(column, values, said):
    with pytest.raises(DataError) as refused:
        wl.Trace.from_frame(pl.DataFrame(ROWS | {column: values}))
    assert said in str(refused.value)


def test_whole_floats_and_nulls_are_taken():
    trace = wl.Trace.from_frame(pl.DataFrame(ROWS | {"output_tokens": [2.0, None]}))
    assert trace.read("output_tokens")["output_tokens"].to_list() == [2, None]


def test_a_trace_file_with_impossible_numbers_is_refused():
    trace = wl.Trace.of([(0, 1, 1)])
    wrong = trace.frame.with_columns(input_tokens=pl.lit(2**32 - 1, pl.UInt32))
    with pytest.raises(DataError, match="column input_tokens: 4294967295"):
        wl.replay(wl.Trace(wrong, trace.provenance), wl.Cluster.uniform(1, STEP))


def test_a_replay_that_ends_in_centuries_is_refused():
    slow = wl.Cluster.uniform(1, wl.LatencyModel.linear(constant_s=1e9))
    with pytest.raises(DataError, match="check the latency model"):
        wl.replay(wl.Trace.of([(0, 10, 100)]), slow, routers=["random"])


def test_a_rate_scale_that_makes_centuries_is_refused():
    with pytest.raises(UsageError, match=r"longer than 146 years\n  fix: use x0\.002 or more"):
        wl.replay(
            wl.Trace.of([(0, 1, 1), (9e6, 1, 1)]), wl.Cluster.uniform(1, STEP), rate_scale=1e-6
        )


def test_more_instances_and_threads_than_make_sense_are_refused():
    with pytest.raises(UsageError, match="1,000,000 instances"):
        wl.Cluster.uniform(1_000_000, STEP)
    for threads in (0, -1, 100_000):
        with pytest.raises(UsageError, match="use 1 to 1024"):
            run_lanes(abs, [(1,)], threads=threads)
