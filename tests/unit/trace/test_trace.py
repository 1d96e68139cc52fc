from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest

from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.trace import COLUMNS, Provenance, Trace, write_atomically


def small(**columns):
    return Trace.from_frame(
        pl.DataFrame({"arrival_ns": [2_000, 0, 1_000], "input_tokens": [3, 1, 2], **columns})
    )


def test_from_frame_sorts_casts_and_fills():
    frame = small().frame.collect()
    assert frame["arrival_ns"].to_list() == [0, 1_000, 2_000]
    assert frame["row_id"].to_list() == [1, 2, 0]
    assert frame["warmup"].to_list() == [False] * 3
    assert {name: frame.schema[name] for name in frame.columns} == {
        name: COLUMNS[name] for name in frame.columns
    }


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"input_tokens": [1]}, "no column arrival_ns"),
        ({"arrival_ns": [0], "input_tokens": [1], "prompt": ["secret"]}, "unknown columns prompt"),
    ],
)
def test_from_frame_refuses(columns, said):
    with pytest.raises(UsageError, match=said):
        Trace.from_frame(pl.DataFrame(columns))


def test_requests_written_out_are_rows_in_order_of_arrival():
    made = Trace.of([(0.001, 3, None), (0, 1, 7)])
    assert made.read("arrival_ns", "input_tokens", "output_tokens").rows() == [
        (0, 1, 7),
        (1_000_000, 3, None),
    ]
    assert not Trace.of([(0, 1, None)] * 200).has("output_tokens")
    assert Trace.of([(0, 1, None)] * 200 + [(1, 1, 2)]).has("output_tokens")
    assert Trace.of([]).requests == 0


def test_save_and_open_give_the_same_rows_and_provenance(tmp_path):
    made = Provenance(
        reader="frame",
        sources=[{"path": "a.csv", "sha256": "00"}],
        t0_unix_ns=5,
        units={"arrival": "ns"},
    )
    trace = replace(small(output_tokens=[7, None, 9]), provenance=made)
    opened = trace.save(tmp_path / "a.trace")
    assert opened.frame.collect().equals(trace.frame.collect())
    assert opened.provenance == trace.provenance
    assert (opened.requests, opened.span_s) == (3, 2e-6)


def test_same_trace_same_bytes(tmp_path):
    small().save(tmp_path / "a.trace")
    small().save(tmp_path / "b.trace")
    assert (tmp_path / "a.trace").read_bytes() == (tmp_path / "b.trace").read_bytes()


def test_capabilities_need_values_not_only_columns():
    assert small().capabilities() == ["arrivals", "input"]
    assert not small(output_tokens=[None] * 3).supports("lengths")
    assert small(output_tokens=[None, 1, None]).supports("lengths")
    with pytest.raises(UsageError, match="no capability is called 'magic'"):
        small().supports("magic")


def test_require_refuses_in_a_sentence():
    with pytest.raises(UnsupportedError, match=r"a comparison needs ttft_ns and e2e_ns, which"):
        small().require("timings", "a comparison")


def test_read_gives_absent_columns_as_typed_nulls():
    frame = small().read("arrival_ns", "block_ids")
    assert frame["block_ids"].to_list() == [None] * 3
    assert frame.schema["block_ids"] == COLUMNS["block_ids"]


def test_window_is_half_open_and_remembers_its_parent():
    trace = Trace.from_frame(
        pl.DataFrame({"arrival_ns": [0, 10**9, 2 * 10**9], "input_tokens": [1, 2, 3]})
    )
    part = trace.window(1, 2)
    assert part.read("input_tokens")["input_tokens"].to_list() == [2]
    assert part.provenance.parents[0]["reader"] == "frame"
    with pytest.raises(UsageError, match="is empty"):
        trace.window(2, 2)


def test_empty_trace():
    trace = small()
    empty = Trace(trace.frame.filter(pl.col("input_tokens") > 9), trace.provenance)
    assert (empty.requests, empty.span_s, empty.capabilities()) == (0, 0.0, [])


def test_open_refuses_what_is_no_trace(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        Trace.open(tmp_path / "missing.trace")
    with pytest.raises(UsageError, match="is a folder"):
        Trace.open(tmp_path)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DataError, match="not Parquet"):
        Trace.open(tmp_path / "text")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "plain.parquet")
    with pytest.raises(DataError, match="Parquet but not a trace"):
        Trace.open(tmp_path / "plain.parquet")


@pytest.mark.parametrize(
    ("footer", "frame", "said"),
    [
        ({"schema_version": 99, "reader": "x"}, {"row_id": [1]}, "schema version 99"),
        ({"schema_version": 1, "reader": "x"}, {"row_id": [1]}, "lacks the columns"),
        (
            {"schema_version": 1, "reader": "x"},
            {"row_id": ["a"], "source_format": ["x"], "arrival_ns": [0], "input_tokens": [1],
             "warmup": [False], "flags": [0]},
            "column row_id is String",
        ),
    ],
)  # fmt: skip
def test_open_refuses_foreign_schemas(tmp_path, footer, frame, said):
    path = tmp_path / "x.trace"
    pl.DataFrame(frame).write_parquet(path, metadata={"workloadlab": json.dumps(footer)})
    with pytest.raises(DataError, match=said):
        Trace.open(path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail():
        with write_atomically(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_write_refuses_a_missing_folder(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        small().save(tmp_path / "no" / "a.trace")


def test_provenance_ignores_keys_of_later_versions():
    facts = Provenance(reader="azure").to_dict() | {"from_the_future": 1}
    assert Provenance.from_dict(facts) == Provenance(reader="azure")


def test_what_needs_no_opening_is_returned():
    trace = small()
    assert Trace.open(trace) is trace
    frame = pl.DataFrame({"arrival_ns": [0, 1], "input_tokens": [3, 4]})
    assert len(Trace.open(frame)) == 2
    with pytest.raises(UsageError, match="the trace that was given is of type int"):
        Trace.open(3)
    with pytest.raises(UsageError, match=r"wl\.ingest"):
        Trace.open(pl.DataFrame({"ts": [0]}))


def test_parts_remember_what_they_are_a_part_of():
    trace = small(model=["a", "b", "a"])
    part = trace.filter(pl.col("input_tokens") > 0, model="a")
    assert part.read("model")["model"].to_list() == ["a", "a"]
    assert len(trace.filter(model=["a", "b"])) == 3
    assert part.provenance.reader == "filter"
    assert part.provenance.parents == [trace.provenance.to_dict()]
    with pytest.raises(UsageError, match="did you mean model"):
        trace.filter(modl="a")
    with pytest.raises(UsageError, match="no column"):
        trace.filter(pl.col("nothing") > 1)


def test_a_sample_is_drawn_by_its_seed_and_keeps_the_order():
    trace = Trace.of([(k, 10 + k, 5) for k in range(50)])
    drawn = trace.sample(10, seed=3)
    assert drawn.to_polars().equals(trace.sample(10, seed=3).to_polars())
    assert not drawn.to_polars().equals(trace.sample(10, seed=4).to_polars())
    assert drawn.read("arrival_ns")["arrival_ns"].is_sorted()
    assert len(trace.sample(1000)) == 50
    with pytest.raises(UsageError, match="a sample of 0"):
        trace.sample(0)


def in_sessions(sessions: list[str | None]) -> Trace:
    rows = {"arrival_ns": range(len(sessions)), "input_tokens": 1, "session_id": sessions}
    return Trace.from_frame(pl.DataFrame(rows, schema_overrides={"session_id": pl.String}))


def test_a_sample_by_session_holds_whole_sessions_and_a_share_of_the_rest():
    names = [f"s{k % 40}" if k % 5 else None for k in range(1000)]
    trace = in_sessions(names)
    drawn = trace.sample(200, by="session", seed=1)
    counts = dict(drawn.to_polars()["session_id"].value_counts().iter_rows())
    alone = counts.pop(None)
    assert alone == 40
    assert all(n == names.count(name) for name, n in counts.items())
    assert 200 - max(map(names.count, {*names} - {None})) < len(drawn) <= 200
    assert drawn.read("arrival_ns")["arrival_ns"].is_sorted()
    assert drawn.to_polars().equals(trace.sample(200, by="session", seed=1).to_polars())
    assert not drawn.to_polars().equals(trace.sample(200, by="session", seed=2).to_polars())


def test_a_session_larger_than_the_sample_is_drawn_all_the_same():
    assert len(in_sessions(["a"] * 10).sample(3, by="session")) == 10
    pairs = in_sessions(["a", "a", "b", "b"])
    assert {len(pairs.sample(n, by="session", seed=s)) for n in (1, 2, 3) for s in range(9)} == {2}


@pytest.mark.parametrize("by", ["request", "session", "window"])
def test_a_sample_of_all_breaks_nothing(by):
    drawn = in_sessions(["a", "b", "b"]).sample(10**9, by=by)
    assert len(drawn) == 3
    assert drawn.provenance.notes == [f"A sample by {by}: all of 3 requests. It breaks nothing."]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"requests": None}, "requests = None"),
        ({"requests": float("inf")}, "a sample of inf"),
        ({"requests": float("nan")}, "a sample of nan"),
        ({"requests": 2, "by": None}, "by = None"),
        ({"requests": 2, "by": ["request"]}, "by = "),
        ({"requests": 2, "seed": -1}, "seed -1"),
        ({"requests": 2, "seed": "a"}, "seed = 'a'"),
    ],
)
def test_a_sample_that_cannot_be_drawn_says_why(options, said):
    with pytest.raises(UsageError, match=said):
        in_sessions(["a", "b", "b"]).sample(**options)


def test_a_sample_by_window_is_a_stretch():
    trace = Trace.of([(k, 10 + k, 5) for k in range(50)])
    starts = set()
    for seed in range(20):
        rows = trace.sample(10, by="window", seed=seed).read("row_id")["row_id"].to_list()
        assert rows == list(range(rows[0], rows[0] + 10))
        starts.add(rows[0])
    assert len(starts) > 5
    assert len(trace.sample(99, by="window")) == 50


def test_a_sample_says_what_it_keeps_and_breaks(tmp_path):
    trace = in_sessions(["a", "b", "b"])
    (note,) = trace.sample(2, by="session").save(tmp_path / "s.trace").provenance.notes
    assert "It keeps sessions" in note
    assert "breaks rates" in note
    with pytest.raises(UsageError, match="a sample by 'sessions'") as refused:
        trace.sample(2, by="sessions")
    assert "session" in refused.value.fix
    with pytest.raises(UnsupportedError, match="session_id"):
        Trace.of([(0, 1, 1)]).sample(1, by="session")


def test_head_shows_what_is_recorded():
    head = small().head(2)
    assert head.height == 2
    assert "output_tokens" not in head.columns


def test_an_empty_trace_is_still_a_trace():
    assert Trace.of([])
    assert len(Trace.of([])) == 0


def test_representations_name_the_facts():
    text = repr(small(output_tokens=[1, 2, 3]))
    assert "3 requests" in text
    assert "lengths" in text
    assert "<table" in small()._repr_html_()
