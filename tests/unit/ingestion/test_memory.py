"""Ids are what grows with a log: more than memory holds are refused before they are numbered."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.errors import MachineError, UsageError
from workloadlab.ingestion import first_pass, sources
from workloadlab.ingestion.second_pass import BLOCK_BYTES, ID_BYTES
from workloadlab.sizes import bytes_words

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.ingestion.first_pass import Staged

ROWS, SESSIONS, BLOCKS = 3_000, 100, 4


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text(
        "".join(
            f'{{"timestamp": {n}000, "input_length": 2000, "output_length": 9, '
            f'"hash_ids": {[BLOCKS * n + k for k in range(BLOCKS)]}, '
            f'"session_id": "u{n % SESSIONS}", "request_id": "q{n}"}}\n'
            for n in range(1, ROWS + 1)
        )
    )
    return path


def test_more_ids_than_memory_holds_are_refused_before_anything_is_written(
    log: Path, tmp_path: Path
) -> None:
    out = tmp_path / "x.trace"
    blocks, ids = ROWS * BLOCKS, ROWS + SESSIONS
    needed = blocks * BLOCK_BYTES + ids * ID_BYTES
    with pytest.raises(MachineError, match="numbering 12,000 ids in block_ids") as caught:
        wl.ingest(log, out, memory_limit=needed // 2)
    assert bytes_words(needed)[:3] in str(caught.value)
    assert "--map block_ids=" in str(caught.value)
    assert not out.exists()
    roughly = int(1.05 * needed)  # the distinct ids are counted by a sketch
    assert wl.ingest(log, out, memory_limit=roughly).requests == ROWS


def test_the_fix_is_true(log: Path) -> None:
    assert wl.ingest(
        log, mapping={"block_ids": ""}, memory_limit=int(1.05 * (ROWS + SESSIONS) * ID_BYTES)
    ).requests == ROWS  # fmt: skip


@pytest.mark.parametrize("limit", [0, -1, float("nan"), "4 lots"], ids=str)
def test_a_limit_is_a_number_of_bytes(log: Path, limit: object) -> None:
    with pytest.raises(UsageError, match="memory_limit"):
        wl.ingest(log, memory_limit=limit)  # type: ignore[arg-type]


KINDS = {
    "merged": 'merge_by = "request_id"\n[columns]\nrequest_id = "id"\n',
    "innermost": 'innermost = true\n[columns]\n_id = "id"\n_parent = "up"\n',
    "rooted": 'rooted = true\n[columns]\n_id = "id"\n_parent = "up"\n',
}
TIMES = 'arrival = {key = "t", unit = "s"}\ninput_tokens = "n"\nsession_id = "user"\n'


def spans(folder: Path, kind: str) -> tuple[Path, Path]:
    """Return a log whose rows are joined in this way, and how it is read."""
    log, own = folder / "spans.jsonl", folder / f"{kind}.toml"
    ids = [k // 2 if kind == "merged" else k for k in range(400)]
    log.write_text(
        "".join(
            f'{{"t": {1_700_000_000 + k}, "n": {k + 1}, "id": "span-{i}", '
            f'"up": {f"{chr(34)}span-{i - 1}{chr(34)}" if i % 4 else "null"}, "user": "ann-{i % 9}"}}\n'
            for k, i in enumerate(ids)
        )
    )
    columns = TIMES.replace('session_id = "user"\n', "") if kind == "rooted" else TIMES
    own.write_text(KINDS[kind] + columns)
    return log, own


@pytest.mark.parametrize("append", [False, True], ids=["once", "append"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_are_joined_lie_on_the_disk_without_their_ids(
    kind: str, append: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, own = spans(tmp_path, kind)
    whole = wl.ingest(log, tmp_path / "whole", mapping=own, append=append).frame.collect()
    module = import_module("workloadlab.ingestion.ingest")
    settle, spilled = module.settle, []

    def looked_at(staged: Staged, *said: object, **more: object) -> list[str]:
        spilled.extend(pl.read_parquet(path) for path in staged.files())
        return settle(staged, *said, **more)

    monkeypatch.setitem(sources.text_blocks.__kwdefaults__, "size", 2_000)
    monkeypatch.setattr(first_pass, "HELD_BYTES", 2_000)
    monkeypatch.setattr(module, "settle", looked_at)
    again = wl.ingest(log, tmp_path / "again", mapping=own, append=append).frame.collect()
    assert again.equals(whole)
    assert whole.height == {"merged": 200, "innermost": 100, "rooted": 400}[kind]
    kinds = {name: dtype for name, dtype in pl.concat(spilled).schema.items() if "id" in name}
    assert kinds
    assert set(kinds.values()) <= {pl.Int128(), pl.Binary()}


@pytest.mark.parametrize("kind", KINDS)
def test_more_rows_than_memory_joins_are_refused(kind: str, tmp_path: Path) -> None:
    log, own = spans(tmp_path, kind)
    with pytest.raises(MachineError, match="joining 400 rows to requests takes them to about"):
        wl.ingest(log, tmp_path / "x.trace", mapping=own, memory_limit=20_000)
    assert not (tmp_path / "x.trace").exists()


def test_more_rows_than_can_be_held_against_each_other_are_refused(log: Path) -> None:
    with pytest.raises(MachineError, match="finding what repeats in 3,000 rows"):
        wl.ingest(log, drop_repeats=True, memory_limit=200_000)


@pytest.mark.parametrize("held", [2_000, 1 << 20], ids=["spilled", "held"])
def test_strays_and_repeats_are_left_out_part_by_part(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [*range(300), *range(150, 200), 60_000]
    log = tmp_path / "log.csv"
    log.write_text(
        "arrival,input_tokens,request_id\n"
        + "".join(f"{1_700_000_000 + day * 86_401},{day % 7 + 1},q{day}\n" for day in days)
    )
    monkeypatch.setitem(sources.text_blocks.__kwdefaults__, "size", 500)
    monkeypatch.setattr(first_pass, "HELD_BYTES", held)
    trace = wl.ingest(log, drop_repeats=True)
    assert trace.provenance.rows["rejected"] == {"arrival years away from all others": 1}
    assert trace.provenance.rows["left_out"] == {"repeat of another row": 50}
    assert trace.read("input_tokens")["input_tokens"].to_list() == [
        day % 7 + 1 for day in range(300)
    ]
