"""A mapping file is read as it says, or refused at the place that is wrong."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import workloadlab as wl
from workloadlab.errors import UsageError, WorkloadlabError
from workloadlab.ingestion.mapping import EXAMPLE, FACTS, WORDS
from workloadlab.ingestion.mapping.said import Said
from workloadlab.ingestion.mapping.values import value

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

COLUMNS = '[columns]\narrival = {key = "t", unit = "s"}\ninput_tokens = "n"\n'
ROWS = [{"t": 1, "n": 5, "m": 7, "d": 3}, {"t": 2, "n": 5, "m": 7, "d": 9}]


def read(folder: Path, mapping: str, rows: list[dict[str, object]] | None = None) -> Trace:
    log, own = folder / "log.jsonl", folder / "own.toml"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows or ROWS))
    own.write_text(mapping)
    return wl.ingest(log, mapping=own)


def test_the_example_of_the_reference_is_read(tmp_path: Path) -> None:
    def line(t: int, done: int, out: dict[str, object], code: int) -> dict[str, object]:
        call = {"id": "a", "type": "chat", "t": t, "done": done, "prompt": 3, "cached": 2}
        return call | out | {"code": code}

    calls = [line(10, 12, {}, 500), line(11, 30, {"tokens": {"out": 6}}, 200)]
    other = {"id": "b", "type": "embed", "t": 1, "prompt": 3}
    trace = read(tmp_path, EXAMPLE, [{"data": {"requests": [*calls, other]}}])
    columns = ("arrival_ns", "e2e_ns", "input_tokens", "output_tokens", "outcome")
    assert trace.read(*columns).rows() == [(0, 19_000_000, 5, 6, "ok")]


@pytest.mark.parametrize("name", WORDS)
def test_the_example_of_a_word_is_that_word(name: str, tmp_path: Path) -> None:
    said = tomllib.loads(f"v = {WORDS[name].example}")["v"]
    assert name in said
    said.pop("unit", None)
    value(Said(tmp_path, "v", said))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ('{minus=["d"]}', r"minus = \['d'\]"),
        ('{first="m"}', "write a list"),
        ("{first=[]}", "write a list"),
        ("{first=[1]}", r"first\[0\] = 1"),
        ('{total=["m",{minus=["d"]}]}', r"total\[1\].minus"),
        ('{only="m"}', "say of too"),
        ('{only="m",of="d",is=[]}', "is = "),
        ('{choose="m"}', "say table too"),
        ('{choose="m",table=3}', "table = 3"),
        ('{choose="m",table={a=3}}', "table.a = 3"),
        ('{at="m",place="x"}', "place = 'x'"),
        ('{apart="m"}', "say part too"),
        ("{key=5}", "key = 5"),
        ("5", "write a key of the log in quotes"),
        ("true", "output_tokens = true"),
        ('""', "output_tokens = ''"),
        ('{key="m",extra=3}', "extra = 3"),
        ('{first=["m"],total=["d"]}', "more than one word"),
        ('{key="m",unit="s"}', "output_tokens is no time"),
        ('{moments=["t","m"]}', "for token_offsets only"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_column_cannot_be(words: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        read(tmp_path, f"{COLUMNS}output_tokens = {words}\n")


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ("where = 5", "write a table"),
        ("where = {t = []}", "write a list"),
        ("where = {t = {a = 1}}", "where.t = "),
        ('zipped = "t"', "write a list"),
        ('nullable = "arrival"', "write a list"),
        ("merge_by = 5", "merge_by = 5"),
        ('merge_by = "zz"', "zz is no column of a trace"),
        ('merge_by = "request_id"', "merge_by, and has no column request_id"),
        ("neighbours = true", "say merge_by too"),
        ("innermost = true", "innermost, and has no column _id"),
        ("rooted = 1", "write true or false"),
        ("block_size = true", "write 1 to 65535"),
        ("block_size = 65536", "write 1 to 65535"),
        ('local_blocks = "no"', "write true or false"),
        ('clock = "mine"', "gateway"),
        ("note = 5", "note = 5"),
        ("records = 5", "records = 5"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_said_of_a_log(fact: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        read(tmp_path, f'{fact}\n{COLUMNS}output_tokens = "m"\n')


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        (f'where = {{kind = "chat"}}\n{COLUMNS}', "no column 'kind' \\(where in"),
        (f'{COLUMNS}output_tokens = "mm"\n', "no column 'mm' \\(output_tokens in"),
        (f'{COLUMNS}output_tokens = {{total = ["mm", "m"]}}\n', "no column 'mm'"),
    ],
    ids=["where", "column", "total"],
)
def test_a_flat_file_has_what_is_named(mapping: str, told: str, tmp_path: Path) -> None:
    log, own = tmp_path / "log.csv", tmp_path / "own.toml"
    log.write_text("t,n,m\n1,5,7\n2,6,8\n")
    own.write_text(mapping)
    with pytest.raises(UsageError, match=told):
        wl.ingest(log, mapping=own)
    own.write_text(f'where = {{kind = false}}\n{COLUMNS}output_tokens = {{first = ["mm", "m"]}}\n')
    assert wl.ingest(log, mapping=own).read("output_tokens")["output_tokens"].to_list() == [7, 8]


def test_conditions_ask_for_texts_or_for_presence(tmp_path: Path) -> None:
    rows = [{"t": 1, "n": 1, "k": True}, {"t": 2, "n": 2, "k": False}, {"t": 3, "n": 3}]

    def kept(condition: str) -> list[int]:
        trace = read(tmp_path, f"where = {{k = {condition}}}\n{COLUMNS}", rows)
        return trace.read("input_tokens")["input_tokens"].to_list()

    assert kept("true") == [1, 2]
    assert kept("false") == [3]
    assert kept('"false"') == [2]
    assert kept('["true", "false"]') == [1, 2]


def test_rows_in_one_another_are_named_by_id_and_parent(tmp_path: Path) -> None:
    rows = [
        {"t": 1, "n": 9, "id": "a", "up": None},
        {"t": 2, "n": 4, "id": "b", "up": "a"},
        {"t": 3, "n": 5, "id": "c", "up": "b"},
    ]
    tree = f'{COLUMNS}_id = "id"\n_parent = "up"\n'
    inner = read(tmp_path, f"innermost = true\n{tree}", rows)
    assert inner.read("input_tokens")["input_tokens"].to_list() == [5]
    rooted = read(tmp_path, f"rooted = true\n{tree}", rows)
    assert rooted.read("session_id")["session_id"].to_list() == ["s0"] * 3


TARGETS = ["output_tokens", "e2e", "token_offsets", "_id", "model"]
ATOMS = st.one_of(
    st.sampled_from(["t", "n", "m", "", "zz[]", "client"]), st.integers(-2, 9), st.booleans()
)
SHAPES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([*WORDS, *{name for word in WORDS.values() for name in word.beside}, "unit"]),
        inner,
        max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.dictionaries(st.sampled_from(TARGETS), SHAPES),
    facts=st.dictionaries(st.sampled_from(list(FACTS)), SHAPES, max_size=2),
)  # fmt: skip
def test_a_file_is_read_or_refused_in_a_sentence(
    columns: dict[str, object], facts: dict[str, object], tmp_path: Path
) -> None:
    mapping = facts | {
        "columns": {"arrival": {"key": "t", "unit": "s"}, "input_tokens": "n"} | columns
    }
    try:
        read(tmp_path, "".join(f"{name} = {toml(what)}\n" for name, what in mapping.items()))
    except WorkloadlabError:
        return


def toml(what: object) -> str:
    """Return a value as TOML writes it within a line."""
    if isinstance(what, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in what.items()) + "}"
    if isinstance(what, list):
        return "[" + ", ".join(toml(inner) for inner in what) + "]"
    return json.dumps(what)


@pytest.mark.parametrize(("unit", "size"), [("s", 10**9), ("ms", 10**6)])
def test_listed_times_of_tokens_are_read(unit: str, size: int, tmp_path: Path) -> None:
    rows = [{"t": 1, "n": 5, "o": [1, 2.5]}, {"t": 2, "n": 5, "o": None}, {"t": 3, "n": 5, "o": 7}]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    mapping = {"arrival": "t", "input_tokens": "n", "token_offsets": "o"}
    trace = wl.ingest(
        log, format="generic", mapping=mapping, units={"arrival": "s", "token_offsets": unit}
    )
    times = trace.read("token_offsets_ns")["token_offsets_ns"].to_list()
    assert times[:2] == [[size, size * 5 // 2], None]
    with pytest.raises(UsageError, match="--unit token_offsets=ms"):
        wl.ingest(log, format="generic", mapping=mapping, units={"arrival": "s"})
