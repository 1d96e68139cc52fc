"""The log of every format in other clothes: packed, in a list, in an envelope, as another table."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from support.logs import LOGS

import workloadlab as wl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIDES = {"row_id", "flags", "run_id", "source_format"}
"""Columns that tell of the file and not of the requests."""


def said(log: bytes, path: Path) -> tuple[dict[str, list[Any]], int | None]:
    """Return what an ingested log says of its requests, and the date of the first."""
    path.write_bytes(log)
    trace = wl.ingest(path)
    frame = trace.frame.collect()
    filled = {each.name: each.to_list() for each in frame if each.null_count() < frame.height}
    return {k: v for k, v in filled.items() if k not in SIDES}, trace.provenance.t0_unix_ns


def values(text: str) -> list[dict[str, Any]]:
    """Return the JSON values of a log, those of a list each by itself."""
    decoder, found, at = json.JSONDecoder(), list[Any](), 0
    while at < len(text.rstrip()):
        value, end = decoder.raw_decode(text, at)
        found += value if isinstance(value, list) else [value]
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return found


def lines(values: list[Any]) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def table(text: str, write: Callable[[pl.DataFrame], bytes]) -> bytes:
    """Write the rows of a CSV log again, as text."""
    rows = list(csv.DictReader(io.StringIO(text)))
    return write(pl.DataFrame(rows, infer_schema_length=None))


def as_parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.with_columns(pl.all().replace("", None)).write_parquet(stream)
    return stream.getvalue()


TABLES: dict[str, Callable[[pl.DataFrame], bytes]] = {
    "semicolons": lambda frame: frame.write_csv(separator=";").encode(),
    "quoted, other line ends": lambda frame: frame.write_csv(
        quote_style="always", line_terminator="\r\n"
    ).encode(),
    "upper case": lambda frame: frame.rename(str.upper).write_csv().encode(),
    "other order, more columns": lambda frame: (
        frame.select(reversed(frame.columns)).with_row_index("n").write_csv().encode()
    ),
    "parquet": as_parquet,
    "json lines": lambda frame: (
        frame.with_columns(pl.all().replace("", None)).write_ndjson().encode()
    ),
}
JSON: dict[str, Callable[[list[Any]], bytes]] = {
    "a list": lambda found: json.dumps(found, indent=1).encode(),
    "an answer": lambda found: json.dumps({"object": "list", "data": found}).encode(),
    "a container's log": lambda found: lines(
        [{"log": json.dumps(each) + "\n", "stream": "stdout"} for each in found]
    ),
    "a field of a shipper": lambda found: lines(
        [{"id": "a", "jsonPayload": each} for each in found]
    ),
    "other order, more keys": lambda found: lines(
        [dict(reversed(each.items())) | {"zz": {"a": [1]}} for each in found]
    ),
}


@pytest.mark.parametrize("name", sorted(LOGS))
def test_a_log_says_the_same_in_other_clothes(name: str, tmp_path: Path) -> None:
    text = LOGS[name].text
    is_json = text.lstrip()[0] in "{["
    expected = said(text.encode(), tmp_path / "log")
    clothes = {"packed": gzip.compress(text.encode()), "marked": b"\xef\xbb\xbf" + text.encode()}
    if is_json:
        clothes |= {worn: write(values(text)) for worn, write in JSON.items()}
    else:
        clothes |= {worn: table(text, write) for worn, write in TABLES.items()}
    found = {worn: said(log, tmp_path / "log") for worn, log in clothes.items()}
    if name == "llmservingsim":  # its two clocks are compared in JSON lines only
        found = {worn: (columns, expected[1]) for worn, (columns, _) in found.items()}
    assert found == dict.fromkeys(clothes, expected)
