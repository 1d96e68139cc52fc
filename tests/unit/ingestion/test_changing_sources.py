"""A log that changes while it is read makes no trace; what a killed ingest left is collected."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

import workloadlab as wl
from workloadlab.errors import DataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

LOG = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,2\n"


def _truncate(path: Path) -> None:
    path.write_text(LOG[:-8])


def _append(path: Path) -> None:
    path.write_text(LOG + LOG[-26:])


@pytest.mark.parametrize("change", [_truncate, _append, os.unlink], ids=["cut", "grown", "gone"])
def test_a_log_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, change):
    log = tmp_path / "log.csv"
    log.write_text(LOG)
    module = sys.modules["workloadlab.ingestion.ingest"]
    write = module.write_trace

    def meanwhile(*given):
        write(*given)
        change(log)

    monkeypatch.setattr(module, "write_trace", meanwhile)
    with pytest.raises(DataError, match="changed while it was read"):
        wl.ingest(log, tmp_path / "a.trace")
    assert not (tmp_path / "a.trace").exists()


def test_what_a_killed_ingest_left_is_collected(tmp_path):
    left = tmp_path / ".ingest-killed"
    left.mkdir()
    (left / "owner").touch()
    (left / "ordered").write_text("raw ids")
    (tmp_path / ".ingest-notes").mkdir()
    (tmp_path / "log.csv").write_text(LOG)
    wl.ingest(tmp_path / "log.csv", tmp_path / "a.trace")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".ingest-notes", "a.trace", "log.csv"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is a pipe"):
        wl.ingest(tmp_path / "pipe", tmp_path / "a.trace")
