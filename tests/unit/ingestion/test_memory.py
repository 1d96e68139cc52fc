"""Ids are what grows with a log: more than memory holds are refused before they are numbered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import workloadlab as wl
from workloadlab.errors import MachineError, UsageError
from workloadlab.ingestion.second_pass import BLOCK_BYTES, ID_BYTES
from workloadlab.sizes import bytes_words

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize("limit", [0, -1, float("nan"), "4GB"], ids=str)
def test_a_limit_is_a_number_of_bytes(log: Path, limit: object) -> None:
    with pytest.raises(UsageError, match="memory_limit"):
        wl.ingest(log, memory_limit=limit)  # type: ignore[arg-type]
