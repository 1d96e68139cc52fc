"""Named queries: their headers, their parameters, and the sentences for mistakes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl
import pytest

from workloadlab import Trace, query
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.sql import Query, queries
from workloadlab.trace import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000
SQL_TYPES = {"DOUBLE": pl.Float64(), "BIGINT": pl.Int64(), "VARCHAR": pl.String()}
NAMED = {query.name: query for query in queries()}


@pytest.fixture
def trace() -> Trace:
    return Trace.from_frame(
        pl.DataFrame({"arrival_ns": [0, 70 * SECOND, 250 * SECOND], "input_tokens": [1, 2, 4]})
    )


@pytest.fixture
def outcomes() -> Trace:
    """Return two requests that record every column but lists of offsets, none a warm-up."""
    named = {
        "arrival_ns": [0, SECOND],
        "input_tokens": [1, 2],
        "output_tokens": [0, 5],
        "ttft_ns": [SECOND, SECOND],
        "e2e_ns": [SECOND, 3 * SECOND],
        "instance_id": ["a", "a"],
        "outcome": ["ok", None],
        "tenant_id": ["x", "y"],
        "session_id": ["s", "s"],
        "cached_tokens": [0, 1],
        "preemptions": [0, 0],
        "block_ids": [[1, 2], [1]],
        "block_size": [1, 1],
        "run_id": ["random__x1.0__s0", "random__x1.0__s0"],
        "warmup": [False, False],
    }
    others = [
        pl.lit(1).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
        if name not in named and not isinstance(dtype, pl.List)
    ]
    return Trace.from_frame(pl.DataFrame(named).with_columns(others))


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.sql"
    path.write_text(text)
    return path


@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
def test_headers_are_complete_and_true(named: Query, outcomes: Trace) -> None:
    assert named.title
    assert named.question.endswith("?")
    assert named.columns_in
    declared = {column.name: SQL_TYPES[column.type] for column in named.columns_out}
    result = query(named.name, outcomes)
    assert dict(result.schema) == declared
    for parameter in named.parameters:
        assert parameter.description
        assert f"${parameter.name}" in named.sql


@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
def test_headers_name_the_columns_that_are_read(named: Query, outcomes: Trace) -> None:
    body = "\n".join(line for line in named.sql.splitlines() if not line.startswith("--"))
    read = set(re.findall(r"\w+", body)) & set(COLUMNS)
    assert read == {*named.columns_in, *named.optional_columns_in}
    narrow = Trace(outcomes.frame.drop(named.optional_columns_in), outcomes.provenance)
    assert query(named.name, narrow).height == query(named.name, outcomes).height


@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
def test_queries_run_in_duckdb_alone(named: Query, outcomes: Trace, tmp_path: Path) -> None:
    import duckdb

    path = outcomes.save(tmp_path / "x.trace").path
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW trace AS FROM read_parquet('{path}')")
        if named.parameters:
            values = ", ".join(f"{p.name} := {p.default!r}" for p in named.parameters)
            connection.execute(f"PREPARE named AS {named.sql}")
            alone = connection.sql(f"EXECUTE named({values})").pl()
        else:
            alone = connection.sql(named.sql).pl()
    assert alone.equals(query(named.name, outcomes))


def test_bins_without_requests_are_rows_of_zeros(trace: Trace) -> None:
    minutes = query("rate_by_minute", trace)
    assert minutes["minute"].to_list() == [0, 1, 2, 3, 4]
    assert minutes["requests"].to_list() == [1, 1, 0, 0, 1]
    assert minutes["input_tokens"].to_list() == [1, 2, 0, 0, 4]
    assert minutes["output_tokens"].to_list() == [None, None, 0, 0, None]


@pytest.mark.parametrize("bin_s", [120, 120.0, "120", "1.2e2"])
def test_parameters_are_converted(trace: Trace, bin_s: object) -> None:
    by_keyword = query("rate_by_minute", trace, bin_s=bin_s)
    assert by_keyword["requests"].to_list() == [2, 0, 1]
    assert by_keyword.equals(query("rate_by_minute", trace, params={"bin_s": bin_s}))


def test_empty_trace_gives_empty_results() -> None:
    empty = Trace.from_frame(
        pl.DataFrame(
            schema={
                name: COLUMNS[name]
                for name in ("arrival_ns", "input_tokens", "ttft_ns", "e2e_ns", "instance_id")
            }
        )
    )
    assert query("rate_by_minute", empty).height == 0
    assert query("latency_by_instance", empty).height == 0
    assert query("length_quantiles", empty)["n"].to_list() == [0, 0]


def test_an_output_of_one_token_has_no_tpot(outcomes: Trace) -> None:
    row = query("latency_by_instance", outcomes).to_dicts()[0]
    assert row["requests"] == 2
    assert row["tpot_mean_s"] == row["tpot_p99_s"] == 0.5
    assert row["e2e_p50_s"] == 2.0


def test_absent_columns_read_as_typed_nulls(trace: Trace, tmp_path: Path) -> None:
    everything = query(write(tmp_path, "FROM trace"), trace)
    assert dict(everything.schema) == COLUMNS
    assert everything["block_ids"].null_count() == 3


def test_a_file_of_ones_own(trace: Trace, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "-- param: least BIGINT | shortest prompt kept\n"
        "-- param: odd BOOLEAN = false | keep odd ones\n"
        "SELECT input_tokens FROM trace "
        "WHERE input_tokens >= $least AND ($odd OR input_tokens % 2 = 0) ORDER BY 1",
    )
    assert query(path, trace, least="2")["input_tokens"].to_list() == [2, 4]
    assert query(str(path), trace, least=1, odd="true")["input_tokens"].to_list() == [1, 2, 4]
    with pytest.raises(UsageError, match="needs a value for the parameter least"):
        query(path, trace)


def test_parameters_that_no_header_declares(trace: Trace, tmp_path: Path) -> None:
    path = write(tmp_path, "SELECT count(*) AS n FROM trace WHERE input_tokens >= $least")
    assert query(path, trace, least="2").item() == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bin": 1}, "no parameter 'bin'.*\n.*did you mean bin_s"),
        ({"bin_s": "ten"}, "bin_s is 'ten', not a DOUBLE"),
        ({"bin_s": None}, "bin_s is None, not a DOUBLE"),
        ({"bin_s": 0}, "bin_s must lie between"),
        ({"bin_s": -60}, "bin_s must lie between"),
        ({"bin_s": float("nan")}, "bin_s must lie between"),
        ({"bin_s": 1e-6}, "ten million bins"),
    ],
)
def test_wrong_parameters(trace: Trace, params: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        query("rate_by_minute", trace, params=params)


def test_integers_and_booleans_are_not_guessed(trace: Trace, tmp_path: Path) -> None:
    path = write(
        tmp_path, "-- param: n BIGINT = 1\n-- param: b BOOLEAN = true\nSELECT $n AS n, $b AS b"
    )
    for wrong in ({"n": 1.5}, {"n": "1.0"}, {"b": "yes"}):
        with pytest.raises(UsageError, match=r"not a (BIGINT|BOOLEAN)"):
            query(path, trace, params=wrong)


def test_unknown_query_names_the_nearest(trace: Trace) -> None:
    with pytest.raises(UsageError, match="did you mean length_quantiles"):
        query("lenght_quantile", trace)
    with pytest.raises(UsageError, match="query --list"):
        query("zzz", trace)
    with pytest.raises(UsageError, match="no such file"):
        query("absent.sql", trace)


def test_a_trace_without_the_columns_is_refused(trace: Trace, outcomes: Trace) -> None:
    with pytest.raises(UnsupportedError, match="instance_id and ttft_ns and e2e_ns, which"):
        query("latency_by_instance", trace)
    nulled = Trace(
        outcomes.frame.with_columns(ttft_ns=pl.lit(None, pl.Int64())), outcomes.provenance
    )
    with pytest.raises(UnsupportedError, match="needs ttft_ns, which"):
        query("latency_by_instance", nulled)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "DuckDB refuses the query: Parser Error"),
        ("SELECT nothing_here FROM trace", "nothing_here"),
        ("", "exactly one SELECT"),
        ("-- only a comment", "exactly one SELECT"),
        ("SELECT 1; SELECT 2", "exactly one SELECT"),
        ("CREATE TABLE t (a INTEGER)", "exactly one SELECT"),
        ("COPY trace TO 'stolen.csv'", "exactly one SELECT"),
    ],
)
def test_sql_that_cannot_run(trace: Trace, tmp_path: Path, sql: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        query(write(tmp_path, sql), trace)


def test_a_file_that_vanished(trace: Trace, tmp_path: Path) -> None:
    saved = trace.save(tmp_path / "x.trace")
    assert saved.requests == 3
    _ = saved.columns
    path = write(tmp_path, "SELECT count(*) FROM trace")
    saved.path.unlink()
    with pytest.raises(DataError, match=r"x\.trace"):
        query(path, saved)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("-- param: n HUGE = 1", "parameter that cannot be read"),
        ("-- in: input_token", "no column of a trace.*\n.*input_tokens"),
        ("-- out: n", "result column that cannot be read"),
    ],
)
def test_headers_that_cannot_be_read(
    trace: Trace, tmp_path: Path, header: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        query(write(tmp_path, f"{header}\nSELECT 1"), trace)


def test_listing_is_plain_data() -> None:
    facts = NAMED["rate_by_minute"].to_dict()
    assert facts["parameters"][0]["default"] == 60.0
    assert "sql" not in facts
    assert list(NAMED) == sorted(NAMED)
