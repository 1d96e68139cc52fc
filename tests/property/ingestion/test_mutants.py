"""A damaged log of any format is accounted for to the row, or refused in a sentence."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from support.logs import LOGS
from support.mutants import mutant

import workloadlab as wl

MUTANTS = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 100


def assert_accounted_for(log: bytes, folder: Path) -> None:
    """Hold that every row of the log was written, rejected or left out, or the log refused."""
    path, out = folder / "log.x", folder / "out.trace"
    path.write_bytes(log)
    try:
        rows = wl.ingest(path, out).provenance.rows
    except wl.WorkloadlabError:
        assert {each.name for each in folder.iterdir()} == {path.name}
        return
    assert rows["read"] == rows["written"] + sum(rows.get("left_out", {}).values()) + sum(
        rows["rejected"].values()
    )
    assert rows["written"] == wl.Trace.open(out).requests > 0


@settings(max_examples=MUTANTS)
@given(st.sampled_from(sorted(LOGS)), st.integers(1, 3), st.integers(0, 2**32))
def test_a_damaged_log_is_accounted_for_or_refused(name: str, copies: int, seed: int) -> None:
    with TemporaryDirectory() as folder:
        log = LOGS[name].text.encode()
        header = log.index(b"\n") + 1 if log[:1] not in b"[{" else 0
        whole = log + log[header:] * (copies - 1)
        assert_accounted_for(mutant(whole, Random(seed)), Path(folder))
