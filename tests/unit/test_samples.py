"""The sample logs are what their script makes, and have the traits they are made for."""

from __future__ import annotations

import importlib.util
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

import workloadlab as wl

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("chat.csv", "agent.jsonl")


def test_the_files_are_what_the_script_writes(samples: Path, tmp_path: Path) -> None:
    specification = importlib.util.spec_from_file_location(
        "make_samples", samples / "make_samples.py"
    )
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    sys.modules["make_samples"] = script
    specification.loader.exec_module(script)
    script.write(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (samples / name).read_bytes(), name


def test_they_are_small(samples: Path) -> None:
    assert sum((samples / name).stat().st_size for name in FILES) < 2_000_000


def test_chat_is_bursty_and_capped(samples: Path) -> None:
    trace = wl.ingest(samples / "chat.csv")
    assert trace.provenance.reader == "azure"
    assert trace.provenance.rows["rejected"] == {}
    assert trace.requests == 12_000
    gaps = np.diff(trace.read("arrival_ns")["arrival_ns"].to_numpy())
    assert gaps.std() / gaps.mean() > 1.2
    answers = trace.read("output_tokens")["output_tokens"]
    assert answers.max() == 1_000
    assert 0.02 < (answers == 1_000).mean() < 0.1


def test_agents_share_and_extend_their_prefixes(samples: Path) -> None:
    trace = wl.ingest(samples / "agent.jsonl")
    assert trace.provenance.reader == "mooncake"
    assert trace.provenance.rows["repaired"] == {}
    assert trace.requests == 1_500
    for capability in ("prefix", "session", "think"):
        assert trace.supports(capability)
    frame = trace.read("session_id", "input_tokens", "block_ids", "think_ns", "arrival_ns")
    heads = frame["block_ids"].list.get(0)
    assert heads.n_unique() == 3
    for turns in frame.partition_by("session_id", maintain_order=True):
        rows = turns.rows(named=True)
        assert rows[0]["think_ns"] is None
        for before, after in pairwise(rows):
            full = before["input_tokens"] // 512
            assert after["block_ids"][:full] == before["block_ids"][:full]
            assert after["input_tokens"] > before["input_tokens"]
            assert 0 <= after["think_ns"] < after["arrival_ns"] - before["arrival_ns"]
    seen = frame["block_ids"].explode()
    assert seen.n_unique() < seen.len() / 5
