"""Rows that do not fit in memory are sorted as those that do."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

import workloadlab as wl
from workloadlab.ingestion import first_pass, sorting, sources

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("spread", [3, 5_000])
def test_a_log_in_order_of_completion_is_sorted_in_stretches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spread: int
) -> None:
    dice = random.Random(1)
    rows = [(n // 3 + dice.randint(0, spread), dice.randint(1, 99)) for n in range(5_000)]
    log = tmp_path / "log.csv"
    log.write_text(
        "arrival_ms,prompt_tokens,session,request_id\n"
        + "".join(
            f"{at},{tokens},{f's{tokens}' if tokens != 7 else ''},q{n % 4_000}\n"
            for n, (at, tokens) in enumerate(rows)
        )
    )
    whole = wl.ingest(log, tmp_path / "whole.trace").frame.collect()
    monkeypatch.setattr(sources.text_blocks, "__kwdefaults__", {"skip": 0, "size": 4_000})
    monkeypatch.setattr(first_pass, "HELD_BYTES", 8_000)
    monkeypatch.setattr(first_pass, "SPILL_BYTES", 3_000)
    monkeypatch.setattr(sorting, "STRETCH_BYTES", 10_000)
    assert wl.ingest(log, tmp_path / "parts.trace").frame.collect().equals(whole)
    want = sorted(range(5_000), key=lambda n: rows[n][0])
    assert whole["row_id"].to_list() == want
