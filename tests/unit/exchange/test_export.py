"""What is exported comes back by ingest, and what a file cannot hold is said."""

from __future__ import annotations

import polars as pl
import pytest

from workloadlab import Trace, export, ingest
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.exchange import TARGETS

ALL = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


def rich() -> Trace:
    """Four requests with something in every group of columns."""
    return Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [0, 1_234_567_891, 5_000_000_007, 9_999_999_999],
                "input_tokens": [100, 1100, 40, 2],
                "output_tokens": [5, 7, 1, 3],
                "block_ids": [[0], [0, 1, 2], [3], [4]],
                "block_size": [512] * 4,
                "session_id": ["s0", "s0", "s1", "s1"],
                "turn": [0, 1, 0, 1],
                "think_ns": [None, 1_000_000, None, 2_500_000],
                "ttft_ns": [1_000_000, 2_000_000, 3_000_000, 4_000_000],
                "e2e_ns": [5_000_000, 6_000_000, 7_000_000, 8_000_000],
                "priority": [0, 1, 0, 2],
                "kv_usage_at_arrival": [0.1, 0.2, 0.3, 0.4],
            }
        )
    )


@ALL
def test_a_round_trip_keeps_what_the_format_holds(target, tmp_path):
    trace = rich()
    path = tmp_path / f"x.{target.kind}"
    done = export(trace, path, target.name)
    assert done.requests == len(trace)
    back = ingest(path, format=target.reads_back)
    assert back.provenance.rows.get("rejected", {}) == {}
    resolution = {"azure": 100, "blis": 1000, "mooncake": 1_000_000}.get(target.reads_back, 1)
    arrivals = trace.read("arrival_ns")["arrival_ns"] // resolution * resolution
    assert back.read("arrival_ns")["arrival_ns"].to_list() == arrivals.to_list()
    lengths = ("input_tokens", "output_tokens")
    assert back.read(*lengths).equals(trace.read(*lengths))
    held = {key.column for key in target.keys.values()}
    for column in ("block_ids", "session_id", "think_ns", "priority"):
        if column in held:
            assert back.read(column)[column].to_list() == trace.read(column)[column].to_list(), (
                column
            )
    for column in ("ttft_ns", "e2e_ns"):
        if column in held:
            errors = back.read(column)[column] - trace.read(column)[column]
            assert errors.abs().max() <= 1000


@ALL
def test_each_column_is_held_or_said_to_be_lost(target, tmp_path):
    done = export(rich(), tmp_path / "x", target.name)
    held = {key.column for key in target.keys.values()}
    wanted = {"block_ids", "session_id", "turn", "think_ns", "ttft_ns", "e2e_ns", "priority"}
    assert wanted - held <= set(done.lost)
    assert "kv_usage_at_arrival" in done.lost


@ALL
def test_a_plain_trace_exports_without_a_word_of_blocks(target, tmp_path):
    done = export(Trace.of([(0, 10, 5), (1, 20, 6)]), tmp_path / "x", target.name)
    assert set(done.lost) <= {"arrival_ns"}


def test_the_header_of_blis_lies_beside(tmp_path):
    export(rich(), tmp_path / "x.csv", "blis")
    assert (tmp_path / "x.csv.yaml").read_text().startswith("trace_version: 2")


def test_mistakes_are_sentences(tmp_path):
    with pytest.raises(UsageError, match="did you mean mooncake"):
        export(rich(), tmp_path / "x", "moncake")
    with pytest.raises(UnsupportedError, match="an export needs output_tokens"):
        export(Trace.of([(0, 10, None)]), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
