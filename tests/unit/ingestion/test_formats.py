"""One small log of every format is recognised and read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from support.logs import LOGS, MS, S

import workloadlab as wl
from workloadlab.ingestion.formats import FORMATS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", LOGS)
def test_a_log_is_recognised_and_read(name: str, tmp_path: Path) -> None:
    log = tmp_path / "log.x"
    log.write_text(LOGS[name].text)
    trace = wl.ingest(log)
    assert trace.provenance.reader == name
    assert trace.provenance.t0_unix_ns == LOGS[name].t0
    wanted = LOGS[name].columns
    assert trace.read(*wanted).to_dict(as_series=False) == wanted
    assert trace.provenance.rows["rejected"] == {}


def test_chutes_users_are_users_of_a_round(tmp_path: Path) -> None:
    from datetime import datetime

    pl.DataFrame(
        {"invocation_id": [1, 2, 3], "function_name": ["chat", "chat_stream", "chat_stream"],
         "chute_id": ["c"] * 3, "user_id": ["u", "u", "u"], "rehash_round": [1, 1, 2],
         "instance_id": ["i", "j", "i"],
         "started_at": [datetime(1970, 1, 1, 0, 0, n) for n in range(3)],
         "completed_at": [datetime(1970, 1, 1, 0, 0, 5), datetime(1970, 1, 1, 0, 0, 9), None],
         "it": [43.0, 5296.0, 7.0], "ot": [8.0, 607.0, None], "ct": [None, 64.0, None],
         "ttft": [None, 1.5, None]}
    ).write_parquet(tmp_path / "log.parquet")  # fmt: skip
    trace = wl.ingest(tmp_path / "log.parquet")
    assert trace.provenance.reader == "chutes"
    assert trace.provenance.t0_unix_ns is None
    columns = ("input_tokens", "e2e_ns", "ttft_ns", "client_id", "streaming", "outcome")
    assert trace.read(*columns).rows() == [
        (43, 5 * S, None, "c0", False, "ok"),
        (5296, 8 * S, 1_500 * MS, "c0", True, "ok"),
        (7, None, None, "c1", True, "unfinished"),
    ]


def test_every_format_has_a_log_here() -> None:
    assert {known.name for known in FORMATS} - {"generic", "chutes"} == LOGS.keys()
