"""Secrets planted in any field of a log reach no artefact and no stream."""

from __future__ import annotations

import csv
import json

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.cli.main import main
from workloadlab.ingestion.privacy import described_text, looks_like_a_label
from workloadlab.trace import Runs

SECRETS = {
    "key": "sk-proj-Ab3dE5gH7jK9mN1pQ3sT5",
    "token": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "mail": "ana.lima@example.com",
    "prompt": "My name is Ana Lima and I have been ill since March",
    "address": "203.0.113.77",
    "telephone": "+351 912 345 678",
    "url": "https://intranet.example.com/ana",
    "name": "Ana Lima",
}
COLUMNS = ["arrival", "input_tokens", "output_tokens", "model", "task", "slo_class",
           "finish_reason", "session_id", "tenant_id", "ttft"]  # fmt: skip
PLAIN = ["1.5", "10", "5", "llama-3.1-8b", "chat", "high", "stop", "s", "t", "0.5"]
MAP = {**dict(zip(COLUMNS, COLUMNS, strict=True))}


def rows(secret: str) -> list[list[str]]:
    """Return forty plain rows, and for each column one more in which it holds the secret."""
    plain = [[f"{k}.5", *PLAIN[1:]] for k in range(40)]
    planted = [[*PLAIN[:k], secret, *PLAIN[k + 1 :]] for k in range(len(COLUMNS))]
    return [*plain, *planted]


def _csv(path, secret):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows(secret)])


def _jsonl(path, secret):
    lines = (json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in rows(secret))
    path.write_text("\n".join(lines))


def _json(path, secret):
    path.write_text(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows(secret)]))


def _parquet(path, secret):
    pl.DataFrame(rows(secret), schema=COLUMNS, orient="row").write_parquet(path)


WRITERS = {"csv": _csv, "jsonl": _jsonl, "json": _json, "parquet": _parquet}


def holders(folder, secret: str, log) -> list[str]:
    """Return the files, other than the log, in which a secret can be read, packed columns too."""
    found = []
    for path in folder.rglob("*"):
        if not path.is_file() or path == log:
            continue
        texts = [path.read_bytes().decode("latin-1")]
        if path.suffix in (".trace", ".parquet"):
            texts.append(json.dumps(pl.read_parquet(path).to_dicts(), default=str))
        if any(secret in text for text in texts):
            found.append(path.name)
    return found


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_in_any_field_goes_nowhere(tmp_path, capsys, write, secret):
    log, out = tmp_path / "log", tmp_path / "a.trace"
    write(log, secret)
    words = [word for name in COLUMNS for word in ("--map", f"{name}={name}")]
    units = ["--unit", "arrival=s", "--unit", "ttft=s"]
    with pytest.raises(SystemExit) as ended:
        main(["ingest", str(log), "-o", str(out), *words, *units])
    said = capsys.readouterr()
    assert ended.value.code in (0, None), said.err
    wl.characterize(wl.Trace.open(out)).save(tmp_path / "profile.json")
    assert secret not in said.out + said.err
    assert holders(tmp_path, secret, log) == []
    assert (tmp_path / "a.trace.rejects.parquet").exists()


REPEATED = [
    "Bearer abc123def456", "password=hunter2", "api_key: x1", "ssh-rsa AAAAB3Nza",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "npm_abcdefghijklmnopqrstuvwx",
    "-----BEGIN RSA PRIVATE KEY-----", "jane.miller(at)acme.com", "jane at acme.com",
    "DE89370400440532013000", "cus_NffrFeUfNV2Hib", "sess_9f8a7b6c5d", "2001:db8::ff00:42:8329",
    "00:1a:2b:3c:4d:5e", "52.5200,13.4050", "0b1e4a3c-6d2f-4c5e-9a7b-1c2d3e4f5a6b",
    "/" + "home/jane/models/tuned", "患者の名前は田中です",
]  # fmt: skip
LABELS = [
    "gpt-4o", "meta-llama/Llama-3.1-8B-Instruct", "claude-3-opus@20240229", "GPT 4 Turbo",
    "anthropic.claude-3-5-sonnet-20241022-v2:0", "us.anthropic.claude-3-haiku-20240307-v1:0",
    "/models/llama-3.1-70b", "llama3.1:70b-instruct-q4_K_M", "通义千问", "tool_calls", "qwen2.5-72b=fp8",
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova", "token_limit", "o3",
]  # fmt: skip


@pytest.mark.parametrize("text", REPEATED)
def test_what_many_rows_hold_may_be_a_secret_all_the_same(text):
    assert not pl.select(looks_like_a_label(pl.lit(text))).item()


@pytest.mark.parametrize("text", LABELS)
def test_names_of_models_and_reasons_are_labels(text):
    assert pl.select(looks_like_a_label(pl.lit(text))).item()


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_strict_ingest_does_not_say_the_value(tmp_path, secret):
    _csv(tmp_path / "log", secret)
    with pytest.raises(wl.errors.DataError) as refused:
        wl.ingest(tmp_path / "log", mapping=MAP, units={"arrival": "s", "ttft": "s"}, strict=True)
    assert secret not in str(refused.value)


def test_values_are_shown_on_demand(tmp_path):
    _csv(tmp_path / "log", SECRETS["mail"])
    wl.ingest(
        tmp_path / "log", tmp_path / "a.trace", mapping=MAP, units={"arrival": "s", "ttft": "s"},
        show_values=True,
    )  # fmt: skip
    rejects = pl.read_parquet(tmp_path / "a.trace.rejects.parquet")
    assert SECRETS["mail"] in rejects["value"].to_list()


def test_labels_that_look_like_labels_stay(tmp_path):
    labels = ["gpt-4o", "meta-llama/Llama-3.1-8B-Instruct", "claude-3-opus@20240229", "o3",
              "Qwen2.5-72B-Instruct-AWQ-INT4", "high priority", "tool_calls", "用户"]  # fmt: skip
    frame = pl.DataFrame(
        {"arrival_ns": range(40), "input_tokens": 5, "model": labels * 5}, strict=False
    )
    trace = wl.ingest(frame, format="generic", mapping={"arrival": "arrival_ns", "model": "model",
                                                        "input_tokens": "input_tokens"})  # fmt: skip
    assert set(trace.read("model")["model"]) == set(labels)
    assert described_text(labels) == labels


def test_where_is_recorded_without_what_is_no_label(tmp_path):
    _csv(tmp_path / "log", SECRETS["mail"])
    trace = wl.ingest(
        tmp_path / "log", mapping={"arrival": "arrival", "input_tokens": "input_tokens"},
        units={"arrival": "s"}, where={"tenant_id": SECRETS["mail"]},
    )  # fmt: skip
    assert trace.provenance.options["where"] == {"tenant_id": "<text of 20 characters>"}


def test_runs_bear_no_secret(tmp_path):
    _csv(tmp_path / "log", SECRETS["key"])
    trace = wl.ingest(tmp_path / "log", mapping=MAP, units={"arrival": "s", "ttft": "s"})
    cluster = wl.Cluster.uniform(1, wl.LatencyModel.linear(constant_s=0.01))
    wl.replay(trace, cluster, routers=["random"]).save(tmp_path / "runs")
    assert len(Runs.open(tmp_path / "runs")) == 1
    assert holders(tmp_path, SECRETS["key"], tmp_path / "log") == []


def test_bad_rows_late_in_a_file_are_described(tmp_path):
    rows = [f"2026-03-02 00:{n // 60 % 60:02}:{n % 60:02},100,5" for n in range(3000)]
    rows[1500] = rows[2600] = "Other,1,1"
    log = tmp_path / "log.csv"
    log.write_text("\n".join(["timestamp,input_tokens,output_tokens", *rows]))
    trace = wl.ingest(log, out=tmp_path / "log.trace")
    rejects = pl.read_parquet(tmp_path / "log.trace.rejects.parquet")
    assert (len(trace), rejects["value"].to_list()) == (2998, ["<text of 5 characters>"] * 2)
