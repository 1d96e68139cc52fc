"""A trace that grows: logs put behind others are one trace, as if they had been read together."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.errors import DataError, UsageError
from workloadlab.trace import read_parts

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


def _ids(folder: Path) -> list[Path]:
    return sorted(folder.glob(".ids/*"))


def _as_before_ids_were_named(folder: Path) -> None:
    for path in _ids(folder):
        path.rename(path.with_name(f"{path.name.partition('.')[0]}.parquet"))
    manifest = json.loads((folder / "parts.json").read_text())
    del manifest["ids"], manifest["sha256"]
    (folder / "parts.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("before", [False, True], ids=["named", "unnamed"])
@pytest.mark.parametrize("keep_ids", [False, True])
def test_a_folder_without_one_of_its_ids_does_not_grow(
    logs: list[Path], tmp_path: Path, before: bool, keep_ids: bool
) -> None:
    made = tmp_path / "made"
    wl.ingest(logs[0], made, append=True, keep_ids=keep_ids)
    if before:
        _as_before_ids_were_named(made)
    assert len(_ids(made)) == 2 - keep_ids
    for gone in (".ids", *(f".ids/{path.name}" for path in _ids(made))):
        copy = tmp_path / "copy"
        shutil.copytree(made, copy)
        (shutil.rmtree if gone == ".ids" else type(copy).unlink)(copy / gone)
        with pytest.raises(DataError, match=r"\.ids.*is missing(.|\n)*anew into another folder"):
            wl.ingest(logs[1], copy, append=True, keep_ids=keep_ids)
        assert wl.Trace.open(copy).requests == 2
        shutil.rmtree(copy)
    assert wl.ingest(logs[1], made, append=True, keep_ids=keep_ids).requests == 4
    assert len(_ids(made)) == 2 - keep_ids


def test_a_folder_with_damaged_ids_does_not_grow(logs: list[Path], tmp_path: Path) -> None:
    wl.ingest(logs[0], tmp_path / "all", append=True)
    for path in _ids(tmp_path / "all"):
        whole = path.read_bytes()
        for at in range(0, len(whole), 41):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
            with pytest.raises(DataError, match=rf"{path.name}.*is damaged"):
                wl.ingest(logs[1], tmp_path / "all", append=True)
        path.write_bytes(whole)
    assert wl.ingest(logs[1], tmp_path / "all", append=True).requests == 4


def test_unnamed_ids_that_cannot_be_read_are_told(logs: list[Path], tmp_path: Path) -> None:
    wl.ingest(logs[0], tmp_path / "all", append=True)
    _as_before_ids_were_named(tmp_path / "all")
    for path in _ids(tmp_path / "all"):
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="is damaged"):
        wl.ingest(logs[1], tmp_path / "all", append=True)


def test_a_folder_without_ids_grows_without_them(tmp_path: Path) -> None:
    for n in range(2):
        log = tmp_path / f"{n}.csv"
        log.write_text(f"timestamp,prompt_tokens\n2026-09-21 14:13:2{n},5\n")
        assert wl.ingest(log, tmp_path / "all", append=True).requests == n + 1
        if not n:
            _as_before_ids_were_named(tmp_path / "all")


def test_ids_of_a_log_without_some_stay(logs: list[Path], tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text("timestamp,prompt_tokens,completion_tokens\n2026-09-21 18:13:20,5,1\n")
    for log in (logs[0], bare, logs[1]):
        trace = wl.ingest(log, tmp_path / "all", append=True)
    assert trace.read("session_id")["session_id"].to_list() == ["s0", "s1", None, "s1", "s2"]


def test_a_death_between_ids_and_manifest_changes_nothing(
    logs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, whole = tmp_path / "all", tmp_path / "whole"
    for log in logs:
        wl.ingest(log, whole, append=True)
    wl.ingest(logs[0], folder, append=True)
    kept = {path: path.read_bytes() for path in _ids(folder)}

    def die(*_: object) -> None:
        assert all(path.read_bytes() == content for path, content in kept.items())
        assert len(_ids(folder)) > len(kept)
        shutil.copytree(folder, tmp_path / "dead")
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["workloadlab.ingestion.growing"], "write_parts", die)
    with pytest.raises(KeyboardInterrupt):
        wl.ingest(logs[1], folder, append=True)
    monkeypatch.undo()
    assert _ids(folder) == sorted(kept)
    for each in (folder, tmp_path / "dead"):
        for log in logs[1:]:
            wl.ingest(log, each, append=True)
        assert (each / "parts.json").read_bytes() == (whole / "parts.json").read_bytes()
        for part in read_parts(whole):
            assert (each / part.file).read_bytes() == (whole / part.file).read_bytes()
        assert [path.name for path in _ids(each)] == [path.name for path in _ids(whole)]
