"""Any list of valid rows survives ingest, and bad rows are counted exactly."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

import workloadlab as wl

Row = tuple[int, int, int | None, int | None, str | None]

row = st.tuples(
    st.integers(0, 10**15),
    st.integers(0, 10_000_000),
    st.none() | st.integers(0, 10_000_000),
    st.none() | st.integers(1, 10**12),
    st.none() | st.sampled_from(["a", "b", 'with "quotes", commas', "naïve", "x\ny"]),
)
KEYS = ("arrival_ns", "prompt_tokens", "completion_tokens", "ttft_ns", "session_id")
COLUMNS = ("arrival_ns", "input_tokens", "output_tokens", "ttft_ns", "session_id")


def csv_line(values: tuple[Any, ...]) -> str:
    cells = ("" if value is None else str(value) for value in values)
    return ",".join(
        '"' + cell.replace('"', '""') + '"' if set(cell) & set('",\n') else cell for cell in cells
    )


def as_csv(rows: list[Row]) -> str:
    return "\n".join([",".join(KEYS), *map(csv_line, rows)])


def as_jsonl(rows: list[Row]) -> str:
    return "\n".join(json.dumps(dict(zip(KEYS, values, strict=True))) for values in rows)


def expected(rows: list[Row]) -> list[Row]:
    first = min(values[0] for values in rows)
    ordered = sorted(rows, key=lambda values: values[0])
    return [(values[0] - first, *values[1:]) for values in ordered]


@settings(max_examples=60, deadline=None)
@given(st.lists(row, min_size=1, max_size=40), st.sampled_from([as_csv, as_jsonl]), st.booleans())
def test_valid_rows_come_back(rows: list[Row], write: Any, packed: bool) -> None:
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        text = write(rows).encode()
        log.write_bytes(gzip.compress(text) if packed else text)
        units = {"arrival": "ns", "ttft": "ns"}
        trace = wl.ingest(log, Path(folder, "out"), units=units, keep_ids=True)
        assert trace.read(*COLUMNS).rows() == expected(rows)
        assert trace.provenance.rows["rejected"] == {}
        assert not Path(folder, "out.rejects.parquet").exists()


BAD = {
    "x,5,6": ("TIMESTAMP", "unparseable time"),
    ",5,6": ("TIMESTAMP", "missing value"),
    "2023-11-16 18:15:46,,6": ("ContextTokens", "missing value"),
    "2023-11-16 18:15:46,5.5,6": ("ContextTokens", "not an integer"),
    "2023-11-16 18:15:46,-5,6": ("ContextTokens", "negative token count"),
    "2023-11-16 18:15:46,5,10000001": ("GeneratedTokens", "absurd token count"),
    "2023-11-16 18:15:46,5": (None, "wrong number of fields"),
    "2023-11-16 18:15:46,5,6,7": (None, "wrong number of fields"),
    '2023-11-16 18:15:46,"5,6': (None, "unclosed quote"),
}
GOOD = "2023-11-16 18:15:46.5,5,6"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([GOOD, *BAD]), max_size=30), st.sampled_from([64, 1 << 24]))
def test_bad_rows_are_counted_exactly(lines: list[str], block: int) -> None:
    from workloadlab.ingestion import sources

    options: dict[str, Any] = sources.text_blocks.__kwdefaults__
    lines = [GOOD, *lines, GOOD]
    bad = [(k, *BAD[line]) for k, line in enumerate(lines, start=1) if line in BAD]
    with TemporaryDirectory() as folder:
        log, size = Path(folder, "log"), options["size"]
        log.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]))
        options["size"] = block
        try:
            trace = wl.ingest(log, Path(folder, "out"))
        finally:
            options["size"] = size
        assert trace.requests == len(lines) - len(bad)
        counts = Counter(reason for _, _, reason in bad)
        assert trace.provenance.rows["rejected"] == dict(sorted(counts.items()))
        assert trace.provenance.rows["read"] == len(lines)
        if bad:
            rejects = pl.read_parquet(Path(folder, "out.rejects.parquet"))
            assert rejects.select("row", "column", "reason").rows() == bad
            assert rejects["line"].to_list() == [k + 1 for k, *_ in bad]
