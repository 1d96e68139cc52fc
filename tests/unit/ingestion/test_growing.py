"""A trace that grows: logs put behind others are one trace, as if they had been read together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.errors import DataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "timestamp,prompt_tokens,completion_tokens,session_id,request_id\n"
DAYS = [
    "2026-09-21 14:13:20,5,2,ann,a\n2026-09-21 14:13:25,7,2,bob,b\n",
    "2026-09-22 14:13:20,9,2,bob,c\nbad,1,1,cid,d\n2026-09-22 14:13:21,9,2,cid,a\n",
    "2026-09-20 14:13:20,4,2,dan,e\n2026-09-21 14:13:24,3,1,ann,f\n",
]
COLUMNS = ("row_id", "arrival_ns", "input_tokens", "session_id", "request_id", "flags")


@pytest.fixture
def logs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"day{n}.csv" for n in range(len(DAYS))]
    for path, text in zip(paths, DAYS, strict=True):
        path.write_text(HEADER + text)
    return paths


def test_logs_put_behind_others_are_as_if_read_together(logs: list[Path], tmp_path: Path) -> None:
    for log in logs:
        grown = wl.ingest(log, tmp_path / "all", append=True)
    whole = wl.ingest(logs)
    mine, theirs = grown.read(*COLUMNS), whole.read(*COLUMNS)
    told = ("arrival_ns", "input_tokens", "flags")
    assert mine.select(told).equals(theirs.select(told))
    assert mine["row_id"].sort().to_list() == list(range(6))
    pairs = pl.DataFrame({"mine": mine["session_id"], "theirs": theirs["session_id"]}).unique()
    assert pairs["mine"].n_unique() == pairs["theirs"].n_unique() == pairs.height == 4
    assert grown.provenance.t0_unix_ns == whole.provenance.t0_unix_ns
    assert grown.provenance.rows == whole.provenance.rows
    assert [each["path"] for each in grown.provenance.sources] == [
        "day2.csv",
        "day0.csv",
        "day1.csv",
    ]
    assert pl.read_parquet(tmp_path / "all.rejects.parquet").height == 1
    assert {each.name for each in (tmp_path / "all").iterdir()} == {
        ".ids", "parts.json", *(each["file"] for each in _parts(tmp_path / "all"))
    }  # fmt: skip


def _parts(folder: Path) -> list[dict[str, str]]:
    return json.loads((folder / "parts.json").read_text())["parts"]


def test_the_same_bytes_are_skipped(logs: list[Path], tmp_path: Path) -> None:
    wl.ingest(logs[0], tmp_path / "all", append=True)
    copy = tmp_path / "copy.csv"
    copy.write_bytes(logs[0].read_bytes())
    assert wl.ingest(copy, tmp_path / "all", append=True).requests == 2
    assert wl.ingest([copy, logs[1]], tmp_path / "all", append=True).requests == 4


def test_block_ids_go_on(tmp_path: Path) -> None:
    line = '{"timestamp": %d, "input_length": 1024, "output_length": 1, "hash_ids": [%d, %d]}\n'
    for n, ids in enumerate([(9, 4), (9, 7)]):
        log = tmp_path / f"{n}.jsonl"
        log.write_text(line % (1_790_000_000_000 + n, *ids))
        trace = wl.ingest(log, tmp_path / "all", append=True)
    assert trace.read("block_ids")["block_ids"].to_list() == [[0, 1], [0, 2]]


def test_verbs_take_the_folder(logs: list[Path], tmp_path: Path) -> None:
    trace = wl.ingest(logs[0], tmp_path / "all", append=True)
    assert wl.query("length_quantiles", trace).height > 0
    assert wl.Trace.open(tmp_path / "all").span_s == 5.0


def test_what_cannot_grow_is_refused_and_leaves_nothing(logs: list[Path], tmp_path: Path) -> None:
    relative = tmp_path / "relative.csv"
    relative.write_text("arrival,prompt_tokens\n1,2\n3,4\n")
    with pytest.raises(UsageError, match="counts its arrivals from a start"):
        wl.ingest(relative, tmp_path / "all", append=True)
    assert not (tmp_path / "all").exists()
    with pytest.raises(UsageError, match="is no trace that grows"):
        wl.ingest(logs[0], tmp_path, append=True)
    wl.ingest(logs[0], tmp_path / "all", append=True)
    before = sorted((tmp_path / "all").iterdir())
    with pytest.raises(UsageError, match="renumbers its ids"):
        wl.ingest(logs[1], tmp_path / "all", append=True, keep_ids=True)
    with pytest.raises(DataError):
        wl.ingest(logs[1], tmp_path / "all", append=True, strict=True)
    assert sorted((tmp_path / "all").iterdir()) == before
    with pytest.raises(UsageError, match="--share"):
        wl.ingest(logs[1], tmp_path / "all", append=True, share=True)
