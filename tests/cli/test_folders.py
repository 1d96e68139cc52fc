"""Every verb that takes a trace takes the folder of one that grows."""

from __future__ import annotations

import pytest

import workloadlab as wl

HEADER = "timestamp,prompt_tokens,completion_tokens,session_id\n"
CLUSTER = '[[pool]]\nlatency = "rtxpro6000-llama-3.1-8b"\n'


@pytest.fixture
def folder(tmp_path):
    for day in (20, 21):
        rows = [
            f"2026-09-{day} 14:{k:02}:20,{100 + k * 7 % 30},{k * 11 % 30},s{k % 5}\n"
            for k in range(30)
        ]
        log = tmp_path / f"{day}.csv"
        log.write_text(HEADER + "".join(rows))
        wl.ingest(log, tmp_path / "all", append=True)
    (tmp_path / "c.toml").write_text(CLUSTER)
    return tmp_path / "all"


@pytest.mark.parametrize(
    "words",
    [
        "characterize all",
        "characterize all --row-limit 1",
        "characterize all --against all",
        "cluster all --latency rtxpro6000-llama-3.1-8b",
        "export all -o all.jsonl",
        "plan all --cluster c.toml --slo ttft=2",
        "query session_turns all",
        "replay all --cluster c.toml --router random -o runs",
        "report all.html --trace all",
    ],
)
def test_a_verb_reads_a_folder(run, folder, words):
    code, _, said = run(*words.split())
    assert (code, said.count("error")) == (0, 0), said


def test_the_command_says_that_it_measured_in_parts(run, folder):
    _, out, _ = run("characterize", "all", "--row-limit", "10")
    assert "Measured in one part, without holding the rows" in out
    assert "60 requests" in out
    code, _, said = run("characterize", "all", "--against", "all", "--row-limit", "10")
    assert code == 2
    assert "--row-limit" in said
