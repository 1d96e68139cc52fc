"""A small file that unfolds into a large one is refused by the name of the limit."""

from __future__ import annotations

import gzip
import os
import sys

import pytest

import workloadlab as wl
from workloadlab.errors import DataError, MachineError, UsageError
from workloadlab.ingestion.readers import limits, packing
from workloadlab.ingestion.readers.limits import LIMITS, without_limits

HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens"
GOOD = "2023-11-16 18:15:46,1,2\n"
ROW = '{"timestamp": 1, "input_length": 3, "output_length": 4}\n'


def test_a_packed_file_that_unfolds_too_far(tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "PACKED_BYTES", 1 << 16)
    log = tmp_path / "log.csv.gz"
    log.write_bytes(gzip.compress(f"{HEAD}\n{GOOD}".encode() + b"\n" * (1 << 19)))
    with pytest.raises(DataError, match="over 300 times its packed size"):
        wl.ingest(log)
    with without_limits():
        assert wl.ingest(log).requests == 1


def test_more_columns_than_a_log_has(tmp_path):
    names = ",".join(f"c{k}" for k in range(20_000))
    (tmp_path / "log.csv").write_text(f"{HEAD},{names}\n{GOOD.strip()}{',0' * 20_000}\n")
    with pytest.raises(DataError, match="over 10,000 columns"):
        wl.ingest(tmp_path / "log.csv")


def test_more_bad_rows_than_are_kept(tmp_path, monkeypatch):
    monkeypatch.setitem(LIMITS, "bad rows", 10)
    (tmp_path / "log.csv").write_text(f"{HEAD}\n{GOOD}" + "x,y,z\n" * 11)
    with pytest.raises(DataError, match=r"over 10 bad rows.*\n.*--no-limits"):
        wl.ingest(tmp_path / "log.csv")


def test_one_line_without_end(tmp_path, monkeypatch):
    from workloadlab.ingestion import sources

    monkeypatch.setitem(limits.LIMITS, "bytes in one record", 1000)
    monkeypatch.setitem(sources.text_blocks.__kwdefaults__, "size", 400)
    (tmp_path / "log.csv").write_text(f"{HEAD}\n{GOOD}" + "1" * 3000)
    with pytest.raises(DataError, match="over 1,000 bytes in one record"):
        wl.ingest(tmp_path / "log.csv")


def test_one_deep_row_is_set_aside(tmp_path):
    deep = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}\n"
    (tmp_path / "log.jsonl").write_text(ROW + deep + ROW)
    trace = wl.ingest(tmp_path / "log.jsonl")
    assert trace.provenance.rows["rejected"] == {"invalid JSON": 1}


def test_a_pipe_that_stays_silent(monkeypatch):
    read, write = os.pipe()
    monkeypatch.setitem(LIMITS, "seconds without a byte", 0.01)
    with os.fdopen(read) as stream, os.fdopen(write, "wb", buffering=0) as pipe:
        monkeypatch.setattr(sys, "stdin", stream)
        pipe.write(f"{HEAD}\n{GOOD}".encode())
        with pytest.raises(MachineError, match="no byte came through stdin for"):
            wl.ingest("-")


def test_a_terminal_is_no_log(monkeypatch):
    ours, theirs = pytest.importorskip("pty", reason="has no terminals").openpty()
    with os.fdopen(theirs) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(UsageError, match="is a terminal"):
            wl.ingest("-")
    os.close(ours)
