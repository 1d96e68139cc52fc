"""`workloadlab ingest`: what it says of what it read."""

from __future__ import annotations

import json

import polars as pl
from support.web import served

from workloadlab.ingestion.heads import sha256

LOG = (
    '{"type": "GENERATION", "id": "a", "startTime": "2026-09-21T14:13:20Z", "endTime": null, '
    '"completionStartTime": null, "usageDetails": {"input": 5, "output": 2}}\n'
)


def test_rows_left_out_are_told_by_reason(run, tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(LOG + LOG.replace("GENERATION", "SPAN") * 2)
    code, out, err = run("ingest", log, "-o", "out.trace")
    assert code == 0, err
    assert "2 rows left out: 2 type is not GENERATION" in err
    code, out, _ = run("ingest", log, "-o", "out.trace", "--json")
    assert json.loads(out)["rows"]["left_out"] == {"type is not GENERATION": 2}


def test_a_log_with_ends_alone_is_scored_and_said_to_lack_first_tokens(run, tmp_path):
    rows = "".join(f"{second},10,5,0.5\n" for second in range(200))
    (tmp_path / "log.csv").write_text(f"arrival_s,input_tokens,output_tokens,e2e_s\n{rows}")
    code, _, err = run("ingest", "log.csv", "-o", "a.trace")
    assert code == 0
    assert "end-to-end times without TTFT" in err
    assert 'compare by "mean e2e_s"' in run("score", "a.trace")[1]
    assert "latency of observed is 500 ms" in run("score", "a.trace", "--by", "mean e2e_s")[1]


def test_what_comes_through_a_pipe_is_called_standard_input(run, tmp_path, monkeypatch):
    texts = {"empty": "", "bad": LOG + LOG.replace('"input": 5', '"input": "x"')}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        with (tmp_path / name).open() as piped:
            monkeypatch.setattr("sys.stdin", piped)
            code, _, err = run("ingest", "-", "-o", "out.trace")
        assert code == (3 if name == "empty" else 0)
        assert "standard input: is empty" in err or name == "bad"
        assert ".ingest-" not in err
    rejects = pl.read_parquet(tmp_path / "out.trace.rejects.parquet")
    assert rejects["file"].to_list() == ["standard input"]


def test_published_traces_are_listed_and_got(run, tmp_path):
    log = tmp_path / "web" / "log.jsonl"
    log.parent.mkdir()
    log.write_text(LOG)
    with served(log.parent) as address:
        (tmp_path / "mine.toml").write_text(
            f'[mine]\nabout = "one request"\nurl = "{address}/log.jsonl"\nbytes = {len(LOG)}\n'
            f'sha256 = "{sha256(log)}"\nlicence = "CC0-1.0"\nformat = "langfuse"\n'
        )
        code, out, err = run("traces", "get", "mine", "--catalog", "mine.toml")
        assert (code, out) == (0, "mine.trace: 1 request over 0.0 s (langfuse format)\n"), err
    code, out, _ = run("traces", "list", "--catalog", "mine.toml")
    assert code == 0
    assert "CC0-1.0" in out
    code, _, err = run("traces", "get", "none")
    assert code == 2
    assert "azure-2023-conv" in err


def test_logs_are_put_behind_others(run, tmp_path):
    for n in range(2):
        (tmp_path / f"{n}.jsonl").write_text(LOG.replace(":20Z", f":2{n}Z"))
        code, out, err = run("ingest", tmp_path / f"{n}.jsonl", "-o", "all", "--append")
        assert code == 0, err
    assert "all: 2 requests over 1.0 s" in out
    assert run("characterize", "all")[0] == 0
