"""Blocks of text to rows: the fast paths against the patient ones, and line numbers."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from workloadlab.ingestion import numbers, rows
from workloadlab.ingestion.head import Head
from workloadlab.ingestion.inspect import inspect
from workloadlab.ingestion.numbers import Numbers
from workloadlab.ingestion.parsing.fields import fields
from workloadlab.ingestion.parsing.json import numbers_only
from workloadlab.ingestion.readers.chunk import piecewise
from workloadlab.ingestion.readers.csv import fast_rows, patient_rows, read_csv
from workloadlab.ingestion.readers.json import fast_objects, patient_objects
from workloadlab.ingestion.sources import text_blocks

if TYPE_CHECKING:
    from workloadlab.ingestion.readers.chunk import Chunk

TEXT = {"a": pl.String(), "c": pl.String()}


def csv(folder: Path, body: str, header: str = "a,b,c\n") -> Path:
    path = folder / "log.csv"
    path.write_bytes((header + body).encode())
    return path


def same(fast: Chunk | None, patient: Chunk) -> None:
    assert fast is not None
    assert fast.frame.equals(patient.frame)
    assert fast.places().equals(patient.places().cast(pl.Int64))
    assert patient.rejects is None or patient.rejects.height == 0


@pytest.mark.parametrize(
    "body",
    [
        "1,2,3\n4,5,6\n",
        "1,2,3\r\n4,5,6",
        "1,,\n,,\n",
        '"1",2,3\n4,"x, ""y""",6\n',
        "ä,2,3\n",
    ],
)
def test_polars_and_the_patient_reader_agree(tmp_path: Path, body: str) -> None:
    head = inspect(csv(tmp_path, body))
    same(fast_rows(body.encode(), head, TEXT), patient_rows(body.encode(), head, TEXT))


@pytest.mark.parametrize(
    ("body", "rows", "bad"),
    [
        ("1,2\n1,2,3\n", [(2, 2)], [(1, 1, "wrong number of fields")]),
        (
            "1,2,3,4\n1,2\n1,2,3\n",
            [(3, 3)],
            [(1, 1, "wrong number of fields"), (2, 2, "wrong number of fields")],
        ),
        ("1,2,3\n\n\n4,5,6\n", [(1, 1), (2, 4)], []),
        ('1,"x\ny",3\n4,5,6\n', [(1, 1), (2, 3)], []),
        ('1,"x,3\n4,5,6\n', [(2, 2)], [(1, 1, "unclosed quote")]),
        (
            '1,"x,3\n4,5,6\n7,8"\n4,5,6\n',
            [(2, 2), (4, 4)],
            [(1, 1, "wrong number of fields"), (3, 3, "unclosed quote")],
        ),
        (
            '1,"x,3\n4,5,6\n7,8"x,9\n',
            [(2, 2)],
            [(1, 1, "unclosed quote"), (3, 3, "unclosed quote")],
        ),
    ],
)
def test_what_is_no_record_is_left_to_the_patient_reader(
    tmp_path: Path, body: str, rows: list[tuple[int, int]], bad: list[tuple[int, int, str]]
) -> None:
    head = inspect(csv(tmp_path, body))
    assert fast_rows(body.encode(), head, TEXT) is None
    chunk = patient_rows(body.encode(), head, TEXT)
    assert chunk.places().rows() == rows
    assert chunk.rejects is not None
    assert chunk.rejects.select("row", "line", "reason").rows() == bad


def test_an_empty_last_value_is_no_missing_field(tmp_path: Path) -> None:
    head = inspect(csv(tmp_path, "1,2,3\n"))
    fast = fast_rows(b"1,2,\n4,5,6\n", head, TEXT)
    assert fast is not None
    assert fast.frame["c"].to_list() == [None, "6"]
    assert fast_rows(b"1,2\n4,5,6\n", head, TEXT) is None


def test_integers_are_read_as_such_only_if_all_are(tmp_path: Path) -> None:
    wanted = {"a": pl.UInt32(), "c": pl.String()}
    head = inspect(csv(tmp_path, "1,2,3\n"))
    fast = fast_rows(b"1,2,3\n,5,6\n", head, wanted)
    assert fast is not None
    assert fast.frame["a"].to_list() == [1, None]
    for body in (b"1,2,3\n1.5,2,3\n", b"1,2,3\n-1,2,3\n", b"1,2,3\n4294967296,2,3\n"):
        assert fast_rows(body, head, wanted) is None


def test_invalid_utf8_costs_no_row(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"a,b,c\n1,caf\xe9,3\n4,5,6\n")
    reading = read_csv(inspect(path), TEXT)
    frame = pl.concat([chunk.frame for piece in reading.pieces for chunk in reading.parse(piece)])
    assert frame.rows() == [("1", "3"), ("4", "6")]


def test_the_header_may_follow_a_mark_and_blank_lines(tmp_path: Path) -> None:
    path = csv(tmp_path, "1,2,3\n", header="\ufeff\r\n\na;b;c\n".replace(";", ","))
    head = inspect(path)
    assert head.keys == ("a", "b", "c")
    reading = read_csv(head, TEXT)
    assert reading.header_lines == 3
    assert [chunk.frame.rows() for chunk in reading.parse(next(reading.pieces))] == [[("1", "3")]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    path = csv(tmp_path, "1,2,3\n".replace(",", separator), "a,b,c\n".replace(",", separator))
    head = inspect(path)
    assert head.separator == separator
    reading = read_csv(head, TEXT)
    assert [chunk.frame.rows() for chunk in reading.parse(next(reading.pieces))] == [[("1", "3")]]


@pytest.mark.parametrize("size", [7, 20, 64, 10_000])
@pytest.mark.parametrize("packed", [False, True])
def test_blocks_end_where_records_end(tmp_path: Path, size: int, packed: bool) -> None:
    whole = b'1,"a\nb",3\n' + b"4,5,6\n" * 20 + b'7,"c, ""\n""",9'
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(whole) if packed else whole)
    blocks = list(text_blocks(path, quotes=True, size=size))
    assert b"".join(blocks) == whole
    assert all(block.count(b'"') % 2 == 0 for block in blocks)
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    assert len(blocks) > 1 or size == 10_000
    assert next(text_blocks(path, quotes=True, skip=10, size=size)).startswith(b"4,5,6")


def test_fields_undo_their_quotes() -> None:
    assert fields('1,"a, ""b""",,"","x', ",") == ["1", 'a, "b"', "", "", '"x']


WAYS = {"t": (("t",), ""), "u.in": (("u", "in"), ""), "ids": (("ids",), "")}
HEAD = Head(Path("log.jsonl"), "jsonl", (), ())
WANTED = {"t": pl.String(), "u.in": pl.String(), "ids": pl.List(pl.UInt64())}


@pytest.mark.parametrize(
    "body",
    [
        '{"t": 1, "u": {"in": 2}, "ids": [1, 2]}\n{"t": "x", "u": null, "ids": []}\n{}',
        '{"t": 479748.340626232, "ids": null}\r\n{"t": true, "u": {"out": 1}}\n',
        '{"t": 18446744073709551615, "ids": [18446744073709551615]}\n',
    ],
)
def test_polars_and_json_agree(body: str) -> None:
    same(fast_objects(body.encode(), WAYS, WANTED), patient_objects(body.encode(), HEAD, WANTED))


def test_lines_that_are_no_objects_are_set_aside_without_quoting_them() -> None:
    body = (
        '{"t": 1}\n\n{"t": 2, "prompt": "secr\n[1]\n"x"\n{"t": 3, "ids": [1.5]}\n{"ids": ["a", -1]}'
    )
    assert fast_objects(body.encode(), WAYS, WANTED) is None
    chunk = patient_objects(body.encode(), HEAD, WANTED)
    assert chunk.frame["t"].to_list() == ["1", None]
    assert chunk.places().rows() == [(1, 1), (6, 7)]
    assert chunk.frame["ids"].to_list()[1][1] == 2**64 - 1
    assert chunk.rejects is not None
    assert chunk.rejects.rows() == [
        (2, 3, None, None, "invalid JSON"),
        (3, 4, None, None, "not a JSON object"),
        (4, 5, None, None, "not a JSON object"),
        (5, 6, "ids", None, "not a list of block ids"),
    ]


def test_numbers_that_json_does_not_know_become_text_and_in_lists_null() -> None:
    text = b'{"a": NaN, "b":-Infinity, "c": [Infinity,NaN], "d": "say NaN, or: Infinity"}'
    known = b'{"a": "NaN", "b":"Infinity", "c": [null,null], "d": "say NaN, or: Infinity"}'
    assert numbers_only(text) == known


def test_a_bad_line_makes_only_its_neighbours_slow(tmp_path: Path) -> None:
    body = b"1,2,3\n" * 100_000 + b"1,2\n" + b"4,5,6\n" * 100_000
    head = inspect(csv(tmp_path, body.decode()))
    slow: list[int] = []

    def patient(text: bytes) -> Chunk:
        slow.append(len(text))
        return patient_rows(text, head, TEXT)

    chunks = piecewise(body, lambda text: fast_rows(text, head, TEXT), patient, quotes=True)
    assert len(slow) == 1
    assert slow[0] < 1 << 16
    assert sum(chunk.row_count for chunk in chunks) == 200_001
    assert sum(chunk.line_count for chunk in chunks) == 200_001


@pytest.mark.parametrize("at_once", [7, 1 << 17])
def test_chained_blocks_are_equal_where_all_blocks_before_are(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(rows, "IDS_AT_ONCE", at_once)
    dice = random.Random(0)
    lists = [
        None if dice.random() < 0.1 else [dice.randint(0, 3) for _ in range(dice.randint(0, 6))]
        for _ in range(300)
    ]
    ids = pl.Series(lists, dtype=pl.List(pl.UInt64))
    sessions = pl.Series([f"s{n % 3}" for n in range(300)])
    frame = pl.DataFrame({"block_ids": ids, "session_id": sessions})
    for local in (False, True):
        chained = rows.chained_blocks(frame, local=local)["block_ids"].to_list()
        known: dict[object, int] = {}
        for session, given, made in zip(sessions, lists, chained, strict=True):
            assert (given is None) == (made is None)
            for end, block in enumerate(made or [], start=1):
                prefix = (session if local else None, *(given or [])[:end])
                assert known.setdefault(prefix, block) == block
        assert len(set(known.values())) == len(known)


@pytest.mark.parametrize("group", [1, 3, 1 << 14])
def test_keys_are_numbered_in_the_order_in_which_they_appear(
    monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    monkeypatch.setattr(numbers, "GROUP", group)
    dice = random.Random(1)
    for count in (0, 1, 2, 500):
        some = [dice.choice((dice.getrandbits(64), dice.getrandbits(3))) for _ in range(count)]
        keys = [dice.choice(some) for _ in range(count)]
        known: dict[int, int] = {}
        fresh = [key not in keys[:place] for place, key in enumerate(keys)]
        found = numbers.numbered(np.array(keys, np.uint64))
        assert found[0].tolist() == [known.setdefault(key, len(known)) for key in keys]
        assert found[1].tolist() == fresh


def test_dense_numbers_are_those_of_first_appearance() -> None:
    lists = pl.Series("block_ids", [[9, 4], None, [], [4, 7, 9]], dtype=pl.List(pl.UInt64))
    assert Numbers().dense("block_ids", lists).to_list() == [[0, 1], None, [], [1, 2, 0]]
