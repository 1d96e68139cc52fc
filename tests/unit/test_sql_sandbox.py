"""SQL over a trace reads the trace, and nothing else of the machine."""

from __future__ import annotations

import polars as pl
import pytest
from click.testing import CliRunner

from workloadlab import Trace, query
from workloadlab.cli.query import command
from workloadlab.errors import MachineError, UsageError
from workloadlab.sql.sandbox import sandbox, within

ESCAPES = {
    "text": "SELECT * FROM read_text('{secret}')",
    "blob": "SELECT * FROM read_blob('{secret}')",
    "csv": "SELECT * FROM read_csv('{secret}', header = false)",
    "csv_auto": "SELECT * FROM read_csv_auto('{secret}')",
    "sniffed": "SELECT * FROM sniff_csv('{secret}')",
    "json": "SELECT * FROM read_json('{secret}')",
    "json_text": "SELECT * FROM read_json_objects('{secret}')",
    "ndjson": "SELECT * FROM read_ndjson_auto('{secret}')",
    "parquet": "SELECT * FROM read_parquet('{other}')",
    "parquet_metadata": "SELECT * FROM parquet_metadata('{other}')",
    "parquet_schema": "SELECT * FROM parquet_schema('{other}')",
    "parquet_footer": "SELECT * FROM parquet_kv_metadata('{other}')",
    "named file": "SELECT * FROM '{other}'",
    "named csv": "SELECT * FROM '{secret}.csv'",
    "listing": "SELECT * FROM glob('{folder}/*')",
    "pattern": "SELECT * FROM read_text('{folder}/*')",
    "up and down": "SELECT * FROM read_text('{folder}/../{name}/secret')",
    "processes": "SELECT * FROM read_text('/proc/self/environ')",
    "network": "SELECT * FROM read_csv('http://127.0.0.1:9/a.csv')",
    "bucket": "SELECT * FROM read_parquet('s3://bucket/a.parquet')",
    "inside query()": "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
    "inside query_table()": "SELECT * FROM query_table('{other}')",
    "in a subquery": "SELECT (SELECT content FROM read_text('{secret}')) FROM trace",
    "python's variables": "SELECT * FROM frame_of_python",
    "python's globals": "SELECT * FROM GLOBAL_FRAME",
    "secrets": "SELECT * FROM duckdb_secrets()",
    "settings": "SELECT * FROM duckdb_settings()",
    "settings by their whole name": "SELECT * FROM system.main.DUCKDB_SETTINGS()",
    "one setting": "SELECT current_setting('allowed_paths')",
    "setting of a name that is computed": "SELECT current_setting('allowed_' || 'paths')",
    "settings of Postgres": "SELECT (SELECT max(setting) FROM pg_settings) FROM trace",
    "settings inside query()": "SELECT * FROM query('FROM duckdb_' || 'settings()')",
    "definition of the view": "SELECT * FROM information_schema.views",
    "definitions of views": "WITH a AS (FROM duckdb_views) FROM a",
    "definitions in SQLite": "SELECT sql FROM sqlite_master",
    "databases": "SELECT * FROM pragma_database_list",
    "another database": "SELECT * FROM sqlite_scan('{secret}', 'a')",
    "environment": "SELECT getenv('HOME')",
    "setting": "SELECT 1; SET enable_external_access = true",
    "attach": "ATTACH '{folder}/new.db'",
    "copy": "COPY trace TO '{folder}/stolen.csv'",
    "load": "LOAD httpfs",
    "install": "INSTALL httpfs",
    "export": "EXPORT DATABASE '{folder}/stolen'",
    "pragma": "PRAGMA enable_object_cache",
}
GLOBAL_FRAME = pl.DataFrame({"password": ["hunter2"]})


@pytest.fixture
def trace(tmp_path) -> Trace:
    return Trace.of([(0, 10, 5), (1, 20, 6)]).save(tmp_path / "my 'own'.trace")


@pytest.mark.parametrize("sql", ESCAPES.values(), ids=ESCAPES)
def test_sql_cannot_read_the_machine(tmp_path, trace, sql):
    (tmp_path / "secret").write_text("hunter2,1\n")
    Trace.of([(0, 1, 1)]).save(tmp_path / "other.parquet")
    frame_of_python = GLOBAL_FRAME
    path = tmp_path / "mine.sql"
    path.write_text(
        sql.format(
            secret=tmp_path / "secret", other=tmp_path / "other.parquet",
            folder=tmp_path, name=tmp_path.name,
        )
    )  # fmt: skip
    before = sorted(path.name for path in tmp_path.iterdir())
    for one in (trace, Trace(trace.frame, trace.provenance)):
        with pytest.raises(UsageError) as refused:
            query(path, one)
        assert "hunter2" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert frame_of_python.height == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'duckdb_settings()' AS a, pg_typeof(1) AS current_setting",
        "WITH sqlite AS (FROM trace) SELECT * FROM sqlite, (DESCRIBE trace)",
        "FROM (PIVOT trace ON input_tokens IN (10, 20) USING count(*))",
        'SELECT list_transform([1, 2], lambda x: x + 1), \'"function_name":"duckdb_x"\'',
        "SELECT " + "(" * 200 + "1" + " + 1)" * 200,
    ],
)
def test_what_reads_no_setting_is_not_refused(trace, sql):
    assert query(sql, trace).height


ENDLESS = (
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) AS n FROM t"
)


def test_a_query_without_end_is_stopped(tmp_path, trace):
    path = tmp_path / "mine.sql"
    path.write_text(ENDLESS)
    with pytest.raises((UsageError, MachineError), match=r"took over 0\.3 s|GiB of memory"):
        query(path, trace, time_limit_s=0.3)


@pytest.mark.parametrize("limit", ["nan", "-1", "0", "1e10", "1e400"])
def test_a_time_limit_is_seconds_over_0_and_a_day_at_most(trace, limit):
    with pytest.raises(UsageError, match=r"time_limit_s = .*\n.* at most 86,400"):
        query(ENDLESS, trace, time_limit_s=float(limit))
    said = CliRunner().invoke(command, ["--sql", ENDLESS, str(trace.path), "--time-limit", limit])
    assert isinstance(said.exception, UsageError)
    assert str(said.exception).startswith(f"--time-limit = {float(limit)!r} is no time")


def test_a_query_that_the_person_stops_ends_as_such():
    with sandbox() as connection, pytest.raises(KeyboardInterrupt), within(connection, 60, 1 << 30):
        raise RuntimeError("Query interrupted")  # what DuckDB makes of Ctrl-C


def test_a_query_over_its_memory_is_stopped(tmp_path, trace):
    path = tmp_path / "mine.sql"
    path.write_text("SELECT list(a.range + b.range) FROM range(5000) a, range(5000) b")
    with pytest.raises(MachineError, match=r"0\.0625 GiB of memory\n.*--memory-limit"):
        query(path, trace, memory_limit=64 << 20)
