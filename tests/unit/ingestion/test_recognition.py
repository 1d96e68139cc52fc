"""A known format is known in another container, in other letters, and inside of an envelope."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.parsing.envelopes import inner_ways

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

S, MS = 10**9, 10**6
MOONCAKE = {"timestamp": [0, 3000], "input_length": [600, 700], "output_length": [1, 2],
            "hash_ids": [[1, 2], [1, 3]]}  # fmt: skip
LITELLM = {
    "request_id": "a",
    "call_type": "acompletion",
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "startTime": "2026-09-21 14:13:20",
    "endTime": "2026-09-21 14:13:22",
    "completionStartTime": "2026-09-21 14:13:20.5",
    "metadata": json.dumps({"usage_object": {"prompt_tokens_details": {"cached_tokens": 64}}}),
    "status": "success",
}
KTHENA = {"timestamp": "2026-09-21T14:13:20Z", "status_code": 200, "input_tokens": 120,
          "output_tokens": 30, "duration_total": 1500, "model_name": "m"}  # fmt: skip


def read(path: Path, text: str) -> Trace:
    path.write_text(text)
    return wl.ingest(path)


def columns(trace: Trace, *names: str) -> list[Any]:
    return [trace.frame.collect()[name].to_list() for name in names]


@pytest.mark.parametrize("container", ["csv", "parquet"])
def test_a_copy_in_another_container_keeps_its_units_and_blocks(
    tmp_path: Path, container: str
) -> None:
    path, frame = tmp_path / "log", pl.DataFrame(MOONCAKE)
    if container == "parquet":
        frame.write_parquet(path)
    else:
        ids = pl.Series("hash_ids", [json.dumps(each) for each in MOONCAKE["hash_ids"]])
        frame.with_columns(ids).write_csv(path)
    trace = wl.ingest(path)
    assert columns(trace, "arrival_ns", "block_ids") == [[0, 3 * S], [[0, 1], [0, 2]]]


def test_a_table_of_times_and_lengths_alone_is_not_taken_for_mooncake(tmp_path: Path) -> None:
    rows = "".join(f"{n * 3000},{600 + n},5\n" for n in range(4))
    with pytest.raises(UsageError, match="seconds, or milliseconds"):
        read(tmp_path / "log", "timestamp,input_length,output_length\n" + rows)


@pytest.mark.parametrize("upper", [True, False])
def test_a_database_changes_the_letters_of_columns(tmp_path: Path, upper: bool) -> None:
    letters = str.upper if upper else str.lower
    path = tmp_path / "log"
    pl.DataFrame([LITELLM]).rename(letters).write_csv(path)
    trace = wl.ingest(path)
    assert trace.provenance.reader == "litellm"
    assert columns(trace, "ttft_ns", "e2e_ns", "cached_tokens") == [[500 * MS], [2 * S], [64]]
    frame = tmp_path / "frame"
    pl.DataFrame([LITELLM]).rename(letters).write_parquet(frame)
    assert columns(wl.ingest(frame), "ttft_ns", "cached_tokens") == [[500 * MS], [64]]


def test_letters_that_make_two_columns_one_stay(tmp_path: Path) -> None:
    head = "timestamp,TIMESTAMP,prompt_tokens,completion_tokens"
    trace = read(tmp_path / "log", f"{head}\n2026-09-21T14:13:20Z,x,7,3\n")
    assert columns(trace, "input_tokens") == [[7]]


@pytest.mark.parametrize("name", ["starttime,prompttokens,completiontokens",
                                  "Start Time,Prompt Tokens,Completion Tokens"])  # fmt: skip
def test_names_without_marks_between_words(tmp_path: Path, name: str) -> None:
    trace = read(tmp_path / "log", f"{name}\n2026-09-21T14:13:20Z,7,3\n")
    assert columns(trace, "input_tokens", "output_tokens") == [[7], [3]]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"object": "list", "data": [KTHENA], "has_more": False}),
        json.dumps({"took": 1, "hits": {"total": 1, "hits": [{"_id": "a", "_source": KTHENA}]}}),
        json.dumps({"log": json.dumps(KTHENA) + "\n", "stream": "stdout"}) + "\n",
        json.dumps({"insertId": "a", "timestamp": "2026-09-21T14:13:59Z", "jsonPayload": KTHENA}),
        json.dumps({"events": [{"timestamp": 1790000000000, "message": json.dumps(KTHENA)}]}),
    ],
)
def test_a_known_log_in_an_envelope(tmp_path: Path, text: str) -> None:
    trace = read(tmp_path / "log", text)
    if trace.provenance.reader == "kthena":
        assert columns(trace, "e2e_ns") == [[1_500 * MS]]
    assert columns(trace, "input_tokens", "outcome") == [[120], ["ok"]]
    assert trace.provenance.t0_unix_ns == 1_790_000_000 * S


def test_requests_by_name_are_all_read(tmp_path: Path) -> None:
    rows = {f"r{n}": KTHENA | {"input_tokens": n} for n in range(3)}
    assert columns(read(tmp_path / "log", json.dumps(rows)), "input_tokens") == [[0, 1, 2]]
    plain = {f"r{n}": {"ts": 1790000000 + n, "prompt_tokens": n, "output_len": 1} for n in range(3)}
    assert columns(read(tmp_path / "log", json.dumps(plain)), "input_tokens") == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("values", "ways"),
    [
        ([{"a": {"n": 1, "m": 2}, "b": {"n": 1, "k": 3}}], ("a", "b")),
        ([{"usage": {"n": 1}, "timing": {"t": 1}}], ("usage", "timing")),
        ([{"a": [1], "b": "{}", "c": {}}, {"d": [{}]}], ("b", "d[]")),
        ([{"a": {"b": {"c": {"d": {"e": 1}}}}}], ("a", "a.b", "a.b.c")),
        ([{"a.b": {"n": 1}}, [1], "x"], ()),
    ],
)
def test_where_records_may_lie(values: list[Any], ways: tuple[str, ...]) -> None:
    assert inner_ways(values) == ways


def test_a_log_and_its_packed_copy_are_one(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "d").mkdir()
    text = (json.dumps(KTHENA) + "\n").encode()
    (tmp_path / "d" / "a.jsonl").write_bytes(text)
    (tmp_path / "d" / "a.jsonl.gz").write_bytes(gzip.compress(text))
    trace = wl.ingest(tmp_path / "d")
    assert trace.requests == 1
    assert "a.jsonl.gz has the bytes of a.jsonl: left aside" in trace.provenance.notes


def test_archives_are_named(tmp_path: Path) -> None:
    import gzip
    import tarfile

    log = tmp_path / "log"
    log.write_text(json.dumps(KTHENA))
    packed = tmp_path / "log.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(log, "log")
    with pytest.raises(DataError, match="is a tar archive"):
        wl.ingest(packed)
    packed.write_bytes(gzip.compress(gzip.compress(log.read_bytes())))
    with pytest.raises(DataError, match="is packed twice"):
        wl.ingest(packed)


def test_zstd_that_begins_with_a_frame_to_skip(tmp_path: Path) -> None:
    import pyarrow as pa

    log = tmp_path / "log.zst"
    frame = pa.compress(json.dumps(KTHENA).encode(), "zstd", asbytes=True)
    log.write_bytes(b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + frame)
    assert wl.ingest(log).requests == 1


ROW = {"timestamp": 1790000000, "input_tokens": 100, "output_tokens": 5}
ROWS = [ROW | {"timestamp": 1790000000 + n} for n in range(8)]
BY_ID = {f"r{n}": row for n, row in enumerate(ROWS)}


@pytest.mark.parametrize(
    ("document", "count"),
    [
        ({**BY_ID, "meta": {"x": 1}}, 8),
        ({**BY_ID, "last": None}, 8),
        ({**BY_ID, "r9": {"error": "x"}}, 8),
        ({"requests": BY_ID}, 8),
        ({"data": BY_ID, "total": 8}, 8),
        ({name: [row] for name, row in BY_ID.items()}, 7),
        ({"s1": ROWS[:4], "s2": ROWS[4:]}, 4),
        ({"data": ROWS[:5], "more": ROWS[5:]}, 3),
        ({"data": ROWS, "most": {"input_tokens": 9}}, 8),
    ],
)
def test_no_request_of_a_document_is_lost(tmp_path, document, count):
    path = tmp_path / "log.json"
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match=rf"{count} objects with tokens lie"):
        wl.ingest(path)


@pytest.mark.parametrize(
    "document", [BY_ID, {"data": ROWS, "models": [{"name": n} for n in "abc"]}]
)
def test_what_is_beside_the_requests_does_not_matter(tmp_path, document):
    path = tmp_path / "log.json"
    path.write_text(json.dumps(document))
    assert len(wl.ingest(path)) == 8
