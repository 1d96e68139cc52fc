"""What README says of accuracy stands in docs/accuracy.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ONE, TWO = "Llama-3.1-8B, one RTX PRO 6000", "Qwen3-30B-A3B, two ranks of RTX PRO 6000"
NAMED = "log facts, prompts named"


@pytest.fixture(scope="module")
def rows():
    """Errors in % by (run, replay, load)."""
    found, run = {}, None
    for line in (ROOT / "docs" / "accuracy.md").read_text("utf-8").splitlines():
        if title := re.fullmatch(r"\*\*(.+)\*\*", line):
            run = title[1]
        errors = re.findall(r"\| ([-+][\d.]+) %", line)
        if run and len(errors) >= 3:
            mode, load = (cell.strip() for cell in line.split("|")[1:3])
            found[run, mode, load] = [float(error) for error in errors[:3]]
    return found


@pytest.fixture(scope="module")
def readme():
    return " ".join((ROOT / "README.md").read_text("utf-8").split())


def listed(errors):
    first, second, third = (f"{abs(error):.1f}" for error in errors)
    return f"{first}, {second} and {third} %"


def test_whole_runs(rows, readme):
    one, two = rows[ONE, NAMED, "all"], rows[TWO, NAMED, "all"]
    assert f"{listed(one)} on one GPU and by {listed(two)} on two" in readme
    least, most = (rows[TWO, f"{NAMED}: {end}", "all"][0] for end in ("least", "most"))
    assert f"(TTFT {least:+.1f} to {most:+.1f} % on the two)" in readme
    alone = [abs(rows[run, "log facts", "all"][0]) for run in (ONE, TWO)]
    assert f"alone, TTFT by {alone[0]:.1f} and {alone[1]:.1f} %" in readme


def test_rate_sweeps(rows, readme):
    told = [row for (run, mode, _), row in rows.items() if "log facts, " in mode and "H100" in run]
    ttft, e2e = (max(abs(row[k]) for row in told) for k in (0, 2))
    assert len(told) == 14
    assert f"latency by up to {e2e:.1f} % and TTFT by up to {ttft:.1f} %" in readme
