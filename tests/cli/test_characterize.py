"""`workloadlab characterize` with its options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.traces import requests_at_ns

from workloadlab.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    n = 300
    made = requests_at_ns(
        np.cumsum(rng.integers(1, 10**9, n)),
        input_tokens=rng.integers(1, 4000, n),
        output_tokens=rng.integers(1, 400, n),
        block_ids=[list(range(k)) for k in rng.integers(1, 9, n)],
        block_size=512,
    )
    return made.save(tmp_path / "a.trace").path


def run(capsys: pytest.CaptureFixture, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    said = capsys.readouterr()
    return caught.value.code, said.out, said.err


def test_sizes_and_model(trace: Path, capsys: pytest.CaptureFixture) -> None:
    code, out, _ = run(
        capsys, "characterize", str(trace), "--json", "--lru-blocks", "2,4",
        "--model", "rtxpro6000-llama-3.1-8b",
    )  # fmt: skip
    facts = json.loads(out)
    assert code == 0
    assert [point["blocks"] for point in facts["prefix"]["lru"]] == [2, 4]
    assert facts["prefix"]["lru"][0]["gib"] == 2 * 512 * 131_072 / 2**30
    assert facts["phases"]["model"] == "rtxpro6000-llama-3.1-8b"
    assert facts["concurrency"]["durations"] == "predicted"


def test_against(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    saved = tmp_path / "drift.json"
    words = ("characterize", str(trace), "--against", str(trace))
    code, out, err = run(capsys, *words, "--json", "-o", str(saved))
    assert code == 0
    assert json.loads(out)["columns"]["input_tokens"]["ks"] == 0
    assert json.loads(saved.read_text()) == json.loads(out)
    assert "comparison written" in err
    assert "Against the reference" in run(capsys, *words)[1]
    assert "TTFT was measured" not in run(capsys, *words)[1]


def test_against_a_log_of_another_clock(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    paths = [
        str(requests_at_ns(np.arange(9), input_tokens=5, ttft_ns=7, ttft_clock=clock).save(
            tmp_path / clock).path)
        for clock in ("client", "engine")
    ]  # fmt: skip
    code, out, _ = run(capsys, "characterize", paths[0], "--against", paths[1])
    assert code == 0
    assert "TTFT was measured by the engine in the reference and by the client here" in " ".join(
        out.split()
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lru-blocks", "ten"], "no list of sizes"),
        (["--lru-blocks", "0"], "no list of sizes"),
        (["--lru-blocks", ","], "no list of sizes"),
        (["--model", "h100-none"], "h100-none"),
        (["--against", "absent.trace"], "no such file"),
    ],
)
def test_mistakes(
    trace: Path, words: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    code, _, err = run(capsys, "characterize", str(trace), *words)
    assert code == 2
    assert message in err


def test_against_leaves_no_place_for_a_model(trace: Path, capsys: pytest.CaptureFixture) -> None:
    words = ("--against", str(trace), "--model", "rtxpro6000-llama-3.1-8b")
    code, _, err = run(capsys, "characterize", str(trace), *words)
    assert (code, "--against takes no --model" in err) == (2, True)
