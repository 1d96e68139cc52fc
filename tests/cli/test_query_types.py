"""Every type that DuckDB returns is shown: in a table, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json

import duckdb
import pytest
from support.traces import requests_every

import workloadlab as wl

# Literal, as text, and as JSON where that is another thing than the text.
TYPES = {
    "ARRAY": ("array_value(1, 2)", "[1, 2]", [1, 2]),
    "BIGINT": ("7::bigint", "7", 7),
    "BIGNUM": ("12345678901234567890123456789012345678901::bignum", "1" + "2345678901" * 4),
    "BIT": ("'101'::bit", "101"),
    "BLOB": ("'x\\xFF'::blob", "x\\xFF"),
    "BOOLEAN": ("true", "true", True),
    "DATE": ("'2020-01-02'::date", "2020-01-02"),
    "DECIMAL": ("2.5", "2.5", 2.5),
    "DOUBLE": ("2.5::double", "2.5", 2.5),
    "ENUM": ("'a'::enum('a', 'b')", "a"),
    "FLOAT": ("2.5::float", "2.5", 2.5),
    "GEOMETRY": ("'POINT(1 2)'::geometry", "POINT (1 2)"),
    "HUGEINT": ("sum(7::bigint)", "7", 7),
    "INTEGER": ("7", "7", 7),
    "INTERVAL": ("interval '1 month 3 days 2.5 s'", "1 month 3 days 00:00:02.5"),
    "JSON": ("""'{"a": [1]}'::json""", '{"a": [1]}', {"a": [1]}),
    "LIST": ("['nan'::double, 1]", "[null, 1.0]", [None, 1.0]),
    "MAP": ("map(['a'], [2])", '{"a": 2}', {"a": 2}),
    "SMALLINT": ("7::smallint", "7", 7),
    "STRUCT": ("{'a': 'x'::blob, 'b': [interval 1 day]}", '{"a": "x", "b": ["1 day"]}',
               {"a": "x", "b": ["1 day"]}),
    "TIME": ("'12:00'::time", "12:00:00"),
    "TIME WITH TIME ZONE": ("'12:00:00+02'::timetz", "12:00:00+02"),
    "TIMESTAMP": ("'2020-01-02 03:04:05.5'::timestamp", "2020-01-02 03:04:05.5"),
    "TIMESTAMP WITH TIME ZONE": ("'infinity'::timestamptz", "infinity"),
    "TIMESTAMP_MS": ("'2020-01-02'::timestamp_ms", "2020-01-02 00:00:00"),
    "TIMESTAMP_NS": ("'2020-01-02'::timestamp_ns", "2020-01-02 00:00:00"),
    "TIMESTAMP_S": ("'2020-01-02'::timestamp_s", "2020-01-02 00:00:00"),
    "TIMESTAMPTZ_NS": ("'2020-01-02 00:00:00+00'::timestamptz_ns", "2020-01-02 00:00:00+00"),
    "TIME_NS": ("'12:00'::time_ns", "12:00:00"),
    "TINYINT": ("7::tinyint", "7", 7),
    "TUPLE": ("row(1, 'a')", '[1, "a"]', [1, "a"]),
    "TYPE": ("get_type(1)", "INTEGER"),
    "UBIGINT": ("7::ubigint", "7", 7),
    "UHUGEINT": ("340282366920938463463374607431768211455::uhugeint",
                 "340282366920938463463374607431768211455"),
    "UINTEGER": ("7::uinteger", "7", 7),
    "UNION": ("union_value(n := 2)", '{"n": 2}', {"n": 2}),
    "USMALLINT": ("7::usmallint", "7", 7),
    "UTINYINT": ("7::utinyint", "7", 7),
    "UUID": ("'00000000-0000-0000-0000-00000000000a'::uuid", "00000000-0000-0000-0000-00000000000a"),
    "VARCHAR": ("'x, y'", "x, y"),
    "VARIANT": ("[1]::variant", "[1]", [1]),
}  # fmt: skip
KNOWN = {
    name for (name,) in duckdb.sql("SELECT DISTINCT logical_type FROM duckdb_types()").fetchall()
}


def test_no_type_is_left_out():
    assert KNOWN - set(TYPES) <= {"NULL", "INTEGER LITERAL", "STRING LITERAL"}


@pytest.mark.parametrize("kind", [name for name in TYPES if name in {*KNOWN, "JSON"}])
def test_a_value_of_every_type_is_shown(run, tmp_path, kind):
    literal, text, *as_json = TYPES[kind]
    trace = requests_every(1.0, 3).save(tmp_path / "a.trace").path
    sql = f"SELECT {literal} AS v, NULL AS v"
    code, out, err = run("query", "--sql", sql, trace)
    assert (code, err) == (0, "")
    assert text in " ".join(out.replace(",", "").split()) if text.isdigit() else text in out
    _, out, _ = run("query", "--sql", sql, trace, "--csv")
    assert list(csv.reader(io.StringIO(out)))[1] == [text, ""]
    _, out, _ = run("query", "--sql", sql, trace, "--json")
    assert json.loads(out)["rows"] == [{"v": as_json[0] if as_json else text, "v_1": None}]
    assert wl.query(sql, trace).height == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT session_id, list(row_id) FROM trace GROUP BY 1",
        "SELECT histogram(input_tokens) FROM trace",
        "SELECT to_microseconds(arrival_ns // 1000) FROM trace",
        "SELECT 'nan'::double, '-inf'::float, 'infinity'::date, '24:00'::time",
        "SELECT []::int[], NULL::int[] FROM trace WHERE false",
    ],
)
@pytest.mark.parametrize("form", ["", "--csv", "--json"])
def test_ordinary_sql_is_answered(run, tmp_path, sql, form):
    trace = requests_every(1.0, 3).save(tmp_path / "a.trace").path
    assert run("query", "--sql", sql, trace, *form.split())[::2] == (0, "")
