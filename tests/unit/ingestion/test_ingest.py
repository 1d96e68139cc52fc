"""What ingest makes of good logs: times, order, ids, flags, rejects, provenance."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.trace import Flag

if TYPE_CHECKING:
    from pathlib import Path

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def jsonl(path: Path, *records: dict[str, Any]) -> Path:
    return write(path, "".join(json.dumps(record) + "\n" for record in records))


def test_azure_ticks_are_exact_and_naive_time_is_utc(tmp_path: Path) -> None:
    rows = "2023-11-16 18:15:46.6805901,374,44\r\n2023-11-16 18:15:46.6805903,1,"
    trace = wl.ingest(write(tmp_path / "log", AZURE + rows))
    assert trace.read("arrival_ns", "input_tokens", "output_tokens").rows() == [
        (0, 374, 44),
        (200, 1, None),
    ]
    assert trace.provenance.t0_unix_ns == 1700158546680590100
    assert trace.provenance.zone_assumed == "UTC"
    assert trace.provenance.reader == "azure"


def test_azure_of_2024_has_a_zone_and_any_fraction(tmp_path: Path) -> None:
    rows = "2024-05-12 00:00:00+00:00,3,4\n2024-05-10 00:00:00.009930+00:00,1,2\n"
    trace = wl.ingest(write(tmp_path / "log", AZURE + rows))
    assert trace.provenance.t0_unix_ns == 1715299200009930000
    assert trace.provenance.zone_assumed is None
    assert trace.read("row_id", "input_tokens").rows() == [(1, 1), (0, 3)]


def test_ties_keep_the_order_of_the_sources(tmp_path: Path) -> None:
    for name, first in (("b", 10), ("a", 20)):
        body = "".join(f"5,{first + k}\n" for k in range(3))
        write(tmp_path / f"{name}.csv", f"arrival,input_tokens\n6,{first + 9}\n{body}")
    globbed = wl.ingest(str(tmp_path / "*.csv")).read("row_id", "input_tokens")
    assert globbed["input_tokens"].to_list() == [20, 21, 22, 10, 11, 12, 29, 19]
    assert globbed["row_id"].to_list() == [1, 2, 3, 5, 6, 7, 0, 4]
    listed = wl.ingest([tmp_path / "b.csv", tmp_path / "a.csv"]).read("input_tokens")
    assert listed["input_tokens"].to_list() == [10, 11, 12, 20, 21, 22, 19, 29]


def test_many_chunks_and_spilled_rows_give_the_same_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workloadlab.ingestion import first_pass as stage
    from workloadlab.ingestion import sources

    rows = [
        {
            "timestamp": 7000 * k % 101000,
            "input_length": 600,
            "output_length": k,
            "hash_ids": [k, k % 7],
        }
        for k in range(300)
    ]
    log = jsonl(tmp_path / "log", *rows)
    whole = wl.ingest(log, tmp_path / "whole.trace")
    monkeypatch.setitem(sources.text_blocks.__kwdefaults__, "size", 500)
    monkeypatch.setattr(stage, "HELD_BYTES", 2_000)
    wl.ingest(log, tmp_path / "pieces.trace")
    assert pl.read_parquet(tmp_path / "pieces.trace").equals(whole.frame.collect())


@pytest.mark.parametrize("append", [False, True])
def test_no_id_of_the_log_touches_the_disk(
    append: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workloadlab.ingestion import first_pass, sources

    module = import_module("workloadlab.ingestion.ingest")
    rows = (
        f"{1_700_000_000 + 7 * k % 101},{k},5,u{k % 7},{'' if k % 3 else f'acme-{k % 4}'},"
        f"{'ann@acme.com' if k % 5 else 'gpt-4o'},\n"
        for k in range(1, 101)
    )
    log = write(
        tmp_path / "log",
        "arrival,input_tokens,output_tokens,session_id,tenant_id,model,task\n" + "".join(rows),
    )
    whole = wl.ingest(log, tmp_path / "whole", append=append).frame.collect()
    spilled = []

    def looked_at(staged, rows, **told):
        spilled.append(pl.concat(pl.read_parquet(path) for path in staged.files()))
        return finish(staged, rows, **told)

    finish = module.finish
    monkeypatch.setitem(sources.text_blocks.__kwdefaults__, "size", 500)
    monkeypatch.setattr(first_pass, "HELD_BYTES", 2_000)
    monkeypatch.setattr(module, "finish", looked_at)
    again = wl.ingest(log, tmp_path / "again", append=append)
    assert again.frame.collect().equals(whole)
    for name, ids in (("session_id", 7), ("tenant_id", 5)):
        assert spilled[0].schema[name] in (pl.Int128, pl.Binary)
        assert spilled[0][name].n_unique() == ids
    assert not spilled[0]["model"].is_in(["ann@acme.com", "gpt-4o"]).any()
    assert set(again.frame.collect()["model"]) == {"gpt-4o", "model-1"}
    kept = wl.ingest(log, tmp_path / "kept", keep_ids=True)
    assert set(kept.read("tenant_id")["tenant_id"]) == {None, *(f"acme-{k}" for k in range(4))}


def test_the_same_log_gives_the_same_bytes(tmp_path: Path) -> None:
    log = jsonl(
        tmp_path / "log",
        *(
            {"timestamp": 90 - k, "input_length": k, "output_length": k, "session_id": f"u{k % 7}"}
            for k in range(90)
        ),
    )
    for name in "ab":
        wl.ingest(log, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("word", ["arrival", "arrival_ns"])
def test_times_are_mapped_with_or_without_ns(tmp_path: Path, word: str) -> None:
    log = write(tmp_path / "log", "t,n,first,end,wait\n1.5,3,200,900,7\n2,4,,1000,\n")
    trace = wl.ingest(
        log,
        mapping={word: "t", "input_tokens": "n", "ttft": "first", "e2e_ns": "end", "queue": "wait"},
        units={"ttft_ns": "ms", "e2e": "ms", "queue": "us"},
    )
    assert trace.read("arrival_ns", "ttft_ns", "e2e_ns", "queue_ns").rows() == [
        (0, 200_000_000, 900_000_000, 7_000),
        (500_000_000, None, 1_000_000_000, None),
    ]
    assert trace.provenance.units == {"arrival": "s", "queue": "us", "ttft": "ms", "e2e": "ms"}
    assert trace.provenance.t0_unix_ns is None


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("1790000000.5", "s"),
        ("1790000000500", "ms"),
        ("1790000000500000", "us"),
        ("1790000000500000000", "ns"),
        ("2026-09-21T14:13:20.5Z", "datetime"),
        ("2026-09-21 16:13:20.500+02:00", "datetime"),
    ],
)
def test_an_epoch_arrival_tells_its_unit(tmp_path: Path, value: str, unit: str) -> None:
    trace = wl.ingest(write(tmp_path / "log", f"arrived_at,prompt_tokens\n{value},5\n"))
    assert trace.provenance.units == {"arrival": unit}
    assert trace.provenance.t0_unix_ns == 1_790_000_000_500_000_000


def test_a_unit_in_the_name_is_taken_and_the_users_word_is_stronger(tmp_path: Path) -> None:
    log = write(tmp_path / "log", "timestamp_ms,promptTokens,latencyMs\n0,5,20\n1000,6,30\n")
    trace = wl.ingest(log)
    assert trace.read("arrival_ns", "e2e_ns").rows() == [(0, 20_000_000), (10**9, 30_000_000)]
    trace = wl.ingest(log, units={"e2e": "us"})
    assert trace.read("e2e_ns")["e2e_ns"].to_list() == [20_000, 30_000]


def test_common_names_are_proposed_and_recorded(tmp_path: Path) -> None:
    log = jsonl(
        tmp_path / "log",
        {"startTime": "2026-01-31T12:00:00Z", "usage": {"prompt_tokens": 9, "completion_tokens": 2},
         "model": "m", "conversation.id": "x", "messages": "a secret"},
    )  # fmt: skip
    trace = wl.ingest(log)
    assert trace.provenance.reader == "generic"
    assert trace.provenance.options["mapping"] == {
        "arrival_ns": "startTime",
        "input_tokens": "usage.prompt_tokens",
        "output_tokens": "usage.completion_tokens",
        "session_id": "conversation.id",
        "model": "model",
    }
    assert trace.read("input_tokens", "output_tokens", "model").rows() == [(9, 2, "m")]


def test_a_datetime_for_a_duration_counts_from_the_arrival(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log",
        "start_time,end,prompt_tokens\n2026-01-31T12:00:00Z,2026-01-31T12:00:02.25Z,5\n",
    )
    trace = wl.ingest(log, mapping={"e2e": "end"})
    assert trace.read("e2e_ns").item() == 2_250_000_000


def test_parquet_is_read_like_text(tmp_path: Path) -> None:
    path = tmp_path / "log"
    pl.DataFrame(
        {
            "at": [datetime(2026, 1, 1, 0, 0, 1, 500, UTC), datetime(2026, 1, 1, tzinfo=UTC)],
            "usage": [{"in": 5.0}, {"in": 9.0}],
            "ttft": [0.25, None],
            "ids": [[3, -1], [9]],
        }
    ).write_parquet(path)
    trace = wl.ingest(
        path,
        mapping={"arrival": "at", "input_tokens": "usage.in", "block_ids": "ids"},
        block_size=4,
    )
    got = trace.read("arrival_ns", "input_tokens", "ttft_ns", "block_ids", "flags").rows()
    assert got == [(0, 9, None, None, Flag.TRUNCATED), (1_000_500_000, 5, 250_000_000, [0, 1], 0)]
    assert trace.provenance.t0_unix_ns == 1767225600 * 10**9


def test_a_damaged_parquet_row_is_named_without_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    pl.DataFrame({"ts": [1, 2], "input_tokens": [5, -7]}).write_parquet(path)
    wl.ingest(path, tmp_path / "out")
    rejects = pl.read_parquet(tmp_path / "out.rejects.parquet")
    assert rejects.rows() == [(str(path), 2, None, "input_tokens", "-7", "negative token count")]


IDS = ("request_id", "session_id", "tenant_id", "client_id", "instance_id")


def test_ids_become_ordinals_of_their_first_appearance(tmp_path: Path) -> None:
    log = jsonl(
        tmp_path / "log",
        *(
            {"ts": ts, "input_tokens": 1} | {name: f"{name}-{key}" for name in IDS if key}
            for ts, key in ((3, "a"), (1, "b"), (2, "c"), (4, "b"), (5, None))
        ),
    )
    mapping = {name: name for name in IDS}
    trace = wl.ingest(log, mapping=mapping)
    assert trace.read(*IDS).rows() == [
        ("r0", "s0", "t0", "c0", "i0"),
        ("r1", "s1", "t1", "c1", "i1"),
        ("r2", "s2", "t2", "c2", "i2"),
        ("r0", "s0", "t0", "c0", "i0"),
        (None,) * 5,
    ]
    duplicate = [0, 0, 0, int(Flag.DUPLICATE_ID), 0]
    assert trace.read("flags")["flags"].to_list() == duplicate
    kept = wl.ingest(log, mapping=mapping, keep_ids=True)
    assert kept.read("session_id")["session_id"].to_list()[:2] == ["session_id-b", "session_id-c"]
    assert kept.read("flags")["flags"].to_list() == duplicate
    assert kept.provenance.options["keep_ids"] is True


def test_ids_that_never_repeat_are_counted_past_missing_ones(tmp_path: Path) -> None:
    log = write(tmp_path / "log", "ts,input_tokens,request_id\n2,1,x\n1,1,\n3,1,y\n0,1,z\n")
    trace = wl.ingest(log)
    assert trace.read("request_id")["request_id"].to_list() == ["r0", None, "r1", "r2"]
    assert trace.read("flags")["flags"].to_list() == [0, 0, 0, 0]


def test_no_id_text_or_prompt_is_in_the_file(tmp_path: Path) -> None:
    log = jsonl(
        tmp_path / "log",
        {"timestamp": 1, "input_length": 3, "output_length": 4, "session_id": "alice-7",
         "hash_ids": [123456789], "text_input": "a secret"},
    )  # fmt: skip
    wl.ingest(log, tmp_path / "out.trace")
    whole = (tmp_path / "out.trace").read_bytes() + str(
        pl.read_parquet(tmp_path / "out.trace").rows()
    ).encode()
    for secret in (b"alice", b"123456789", b"secret"):
        assert secret not in whole


def test_block_ids_are_renumbered_after_sorting(tmp_path: Path) -> None:
    log = jsonl(
        tmp_path / "log",
        {"timestamp": 2, "input_length": 513, "output_length": 1, "hash_ids": [50, 70]},
        {"timestamp": 1, "input_length": 1024, "output_length": 1, "hash_ids": [50, 60]},
        {"timestamp": 3, "input_length": 5, "output_length": 1, "hash_ids": []},
        {"timestamp": 4, "input_length": 5, "output_length": 1},
        {"timestamp": 5, "input_length": 5000, "output_length": 1, "hash_ids": [1]},
    )
    trace = wl.ingest(log)
    assert trace.read("block_ids")["block_ids"].to_list() == [[0, 1], [0, 2], [], None, None]
    assert trace.read("block_size")["block_size"].unique().to_list() == [512]
    assert trace.read("flags")["flags"].to_list() == [0, 0, 0, 0, int(Flag.TRUNCATED)]
    assert trace.provenance.rows["repaired"] == {"block_ids that do not fit input_tokens": 1}


def test_times_that_contradict_each_other_become_null(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log",
        "arrival,input_tokens,queue,ttft,e2e\n"
        "1,1,0,0.1,0.5\n"
        "2,1,0.01,0.9,0.5\n"
        "3,1,0.2,0.1,0.5\n"
        "4,1,0.2,-0.1,0.1\n"
        "5,1,,0,0\n",
    )
    trace = wl.ingest(log)
    mixed, late, zero = Flag.CLOCKS_MIXED, Flag.TTFT_AFTER_END, Flag.ZERO_TAKEN_AS_NULL
    ms = 1_000_000
    assert trace.read("queue_ns", "ttft_ns", "e2e_ns", "flags").rows() == [
        (0, 100 * ms, 500 * ms, 0),
        (10 * ms, None, 500 * ms, late),
        (None, 100 * ms, 500 * ms, mixed),
        (None, None, 100 * ms, mixed),
        (None, None, None, zero),
    ]
    assert trace.provenance.rows == {
        "read": 5,
        "written": 5,
        "rejected": {},
        "repaired": {
            "negative ttft_ns": 1,
            "queue_ns after e2e_ns": 1,
            "queue_ns after ttft_ns": 1,
            "ttft_ns after e2e_ns": 1,
            "zero e2e_ns": 1,
            "zero ttft_ns": 1,
        },
    }


BAD = AZURE + "\r\n".join(
    [
        "2023-11-16 18:15:46.6805900,374,44",
        "2023-11-16 18:15:47.6805900,374.5,44",
        "2023-11-16 18:15:48.6805900,-3,44",
        "yesterday,3,44",
        ",3,44",
        "2023-11-16 18:15:49.6805900,,44",
        "2023-11-16 18:15:50.6805900,0,",
        "2023-11-16 18:15:51.6805900,3",
        "2023-11-16 18:15:52.6805900,3,4,5",
        "",
        "2023-11-16 18:15:53.6805900,99999999,4",
        "bad,bad,bad",
        "2023-11-16 18:15:54.68",
    ]
)


def test_bad_rows_are_set_aside_one_row_each(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", BAD)
    trace = wl.ingest(log, tmp_path / "out.trace")
    assert trace.read("input_tokens")["input_tokens"].to_list() == [374, 0]
    rejects = pl.read_parquet(tmp_path / "out.trace.rejects.parquet")
    assert rejects.columns == ["file", "row", "line", "column", "value", "reason"]
    assert rejects["file"].unique().to_list() == [str(log)]
    assert rejects.drop("file").rows() == [
        (2, 3, "ContextTokens", "374.5", "not an integer"),
        (3, 4, "ContextTokens", "-3", "negative token count"),
        (4, 5, "TIMESTAMP", "<text of 9 characters>", "unparseable time"),
        (5, 6, "TIMESTAMP", None, "missing value"),
        (6, 7, "ContextTokens", None, "missing value"),
        (8, 9, None, None, "wrong number of fields"),
        (9, 10, None, None, "wrong number of fields"),
        (10, 12, "ContextTokens", "99999999", "absurd token count"),
        (11, 13, "TIMESTAMP", "<text of 3 characters>", "unparseable time"),
        (12, 14, None, None, "wrong number of fields"),
    ]
    rows = trace.provenance.rows
    assert (rows["read"], rows["written"]) == (12, 2)
    assert rows["rejected"] == dict(
        rejects["reason"].value_counts(sort=False).sort("reason").rows()
    )
    assert sum(rows["rejected"].values()) == 10


def test_rows_and_lines_count_on_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workloadlab.ingestion import sources

    log = write(tmp_path / "log.csv", BAD)
    wl.ingest(log, tmp_path / "whole")
    monkeypatch.setitem(sources.text_blocks.__kwdefaults__, "size", 40)
    wl.ingest(log, tmp_path / "pieces")
    whole, pieces = (tmp_path / f"{name}.rejects.parquet" for name in ("whole", "pieces"))
    assert pl.read_parquet(pieces).equals(pl.read_parquet(whole))


def test_an_old_rejects_file_does_not_stay(tmp_path: Path) -> None:
    log, out = tmp_path / "log.csv", tmp_path / "out.trace"
    wl.ingest(write(log, BAD), out)
    assert (tmp_path / "out.trace.rejects.parquet").exists()
    wl.ingest(write(log, AZURE + "2023-11-16 18:15:46,1,2\n"), out)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["log.csv", "out.trace"]


def test_a_truncated_last_json_line_is_one_reject(tmp_path: Path) -> None:
    row = '{"timestamp": 1, "input_length": 3, "output_length": 4}\n'
    log = tmp_path / "log.gz"
    log.write_bytes(gzip.compress((row * 2 + row[:25]).encode()))
    trace = wl.ingest(log, tmp_path / "out")
    assert trace.provenance.rows["rejected"] == {"invalid JSON": 1}
    assert pl.read_parquet(tmp_path / "out.rejects.parquet").drop("file").rows() == [
        (3, 3, None, None, "invalid JSON")
    ]


def test_provenance_names_sources_by_digest(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", AZURE + "2023-11-16 18:15:46,1,2\n")
    out = wl.ingest(log, tmp_path / "out.trace")
    assert out.provenance.sources == [
        {
            "path": "log.csv",
            "bytes": log.stat().st_size,
            "sha256": hashlib.sha256(log.read_bytes()).hexdigest(),
            "rows": 1,
        }
    ]
    assert out.path == tmp_path / "out.trace"
    memory = wl.ingest(log)
    assert memory.path is None
    assert memory.provenance == out.provenance
    assert memory.frame.collect().equals(out.frame.collect())


def test_mooncake_extensions_are_read_where_they_appear(tmp_path: Path) -> None:
    plain = {"timestamp": 1, "input_length": 3, "output_length": 4}
    log = jsonl(
        tmp_path / "log", *[plain] * 150, plain | {"session_id": "a", "delay": 1500, "priority": 2}
    )
    trace = wl.ingest(log)
    assert trace.read("session_id", "think_ns", "priority").row(-1) == ("s0", 1_500_000_000, 2)
    assert trace.has("session_id")
    assert not trace.has("request_id")
    assert "request_id" not in trace.columns


def test_bailian_is_not_taken_for_mooncake(tmp_path: Path) -> None:
    log = jsonl(
        tmp_path / "log",
        {"chat_id": 1, "parent_chat_id": -1, "timestamp": 61.5, "input_length": 33,
         "output_length": 9, "turn": 1, "hash_ids": [7, 8, 9]},
        {"chat_id": 2, "parent_chat_id": 1, "timestamp": 62.0, "input_length": 16,
         "output_length": 9, "turn": 2, "hash_ids": [7]},
        {"chat_id": 4, "parent_chat_id": 3, "timestamp": 63.0, "input_length": 16,
         "output_length": 9, "turn": 2, "hash_ids": [7]},
    )  # fmt: skip
    trace = wl.ingest(log)
    assert trace.provenance.reader == "bailian"
    assert trace.span_s == 1.5
    assert trace.read("block_ids")["block_ids"].to_list() == [[0, 1, 2], [0], [0]]
    assert trace.read("session_id", "turn").rows() == [("s0", 0), ("s0", 1), ("s1", 1)]


def test_a_vllm_run_counts_from_its_queue_where_the_log_has_no_other_time(tmp_path: Path) -> None:
    log = jsonl(
        tmp_path / "requests.jsonl",
        {"request_id": "q", "input_toks": 7, "output_toks": 3, "arrival_time": None,
         "queued_ts": 479748.340626232, "scheduled_ts": 479748.34067238,
         "first_token_ts": 479748.510151426, "last_token_ts": 479764.054028055},
    )  # fmt: skip
    times = ("queue_ns", "ttft_ns", "last_token_ns", "e2e_ns")
    rows = wl.ingest(log).read(*times).rows()
    assert rows == [(46_148, 169_525_194, 15_713_401_823, 15_713_401_823)]


def test_a_vllm_run_counts_from_arrivals_and_reads_its_meta(tmp_path: Path) -> None:
    """The second request waited 0.1 s for a step before the engine put it into its queue."""
    row = {"input_toks": 7, "output_toks": 3, "arrival_time": 1790000000.0,
           "queued_ts": 500.0, "scheduled_ts": 500.25, "first_token_ts": 501.0,
           "last_token_ts": 503.0}  # fmt: skip
    late = {key: value + 2.0 + 0.1 * key.endswith("_ts") for key, value in row.items()}
    log = jsonl(tmp_path / "requests.jsonl", row, late | {"input_toks": 7, "output_toks": 3})
    times = ("arrival_ns", "queue_ns", "ttft_ns", "e2e_ns")
    trace = wl.ingest(log)
    assert trace.provenance.reader == "llmservingsim"
    assert trace.provenance.t0_unix_ns == 1_790_000_000_000_000_000
    first, second = trace.read(*times).rows()
    assert first == (0, 250_000_000, 1_000_000_000, 3_000_000_000)
    waited = (2_000_000_000, 350_000_000, 1_100_000_000, 3_100_000_000)
    assert second == pytest.approx(waited, abs=1000)
    assert trace.provenance.system == {}
    (tmp_path / "meta.json").write_text(
        '{"vllm_version": "0.19.0", "model": "m", "engine_kwargs": {"tensor_parallel_size": 2, '
        '"max_num_seqs": 128, "max_num_batched_tokens": 2048, "dtype": "bfloat16", "seed": 1, '
        '"max_model_len": null}, "kv_cache": {"num_gpu_blocks": 2500, "block_size": 16}, '
        '"hardware": {"device_name": "NVIDIA A100-SXM4-80GB", "device_count": 2}}'
    )
    assert wl.ingest(log).provenance.system == {
        "engine": "vllm",
        "engine_version": "0.19.0",
        "model": "m",
        "tp": 2,
        "max_num_seqs": 128,
        "max_num_batched_tokens": 2048,
        "dtype": "bfloat16",
        "kv_blocks": 2500,
        "block_size": 16,
        "gpu": "NVIDIA A100-SXM4-80GB",
    }
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(wl.WorkloadlabError, match="is damaged"):
        wl.ingest(log)


def test_lmbench_counts_from_the_launch_and_takes_users_for_sessions(tmp_path: Path) -> None:
    header = "prompt_tokens,generation_tokens,ttft,generation_time,user_id,question_id,launch_time,"
    log = write(
        tmp_path / "LMBench_long_input_output_0.5.csv",
        header + "finish_time\n"
        "76.0,20.0,0.044,0.226,7,1,1790000000.0,1790000000.27\n"
        "125.0,20.0,0.05,0.25,7,2,1790000002.5,1790000002.8\n"
        "75.0,20.0,0.05,0.25,,1,1790000003.0,1790000003.3\n",
    )
    trace = wl.ingest(log)
    assert trace.provenance.reader == "lmbench"
    assert trace.provenance.t0_unix_ns == 1_790_000_000_000_000_000
    columns = ("arrival_ns", "input_tokens", "output_tokens", "ttft_ns", "session_id", "client_id")
    assert trace.read(*columns).rows() == [
        (0, 76, 20, 44_000_000, "s0", "c0"),
        (2_500_000_000, 125, 20, 50_000_000, "s0", "c0"),
        (3_000_000_000, 75, 20, 50_000_000, None, None),
    ]
    ends = trace.read("e2e_ns")["e2e_ns"]
    assert (ends - pl.Series([270_000_000, 300_000_000, 300_000_000])).abs().max() < 1000


def test_optional_columns_are_read_by_kind(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log",
        "ts,input_tokens,stream,ok,w,kv,slo\n1,5,true,success,0,0.5,chat\n2,6,,error,1,,-\n",
    )
    trace = wl.ingest(
        log,
        mapping={"outcome": "ok", "warmup": "w", "kv_usage_at_arrival": "kv", "slo_class": "slo"},
    )
    columns = ("streaming", "outcome", "warmup", "kv_usage_at_arrival", "slo_class")
    assert trace.read(*columns).rows() == [
        (True, "ok", False, 0.5, "chat"),
        (None, "error", True, None, None),
    ]


def test_what_ingest_says_is_in_the_notes_of_the_trace(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("timestamp,prompt_tokens,completion_tokens\n" + "1,10,5\n2,11,x\n3,12,6\n")
    read, saved = wl.ingest(log), wl.ingest(log, tmp_path / "a.trace")
    assert read.notes == saved.notes == wl.Trace.open(tmp_path / "a.trace").notes
    assert read.notes[0] == "1 bad row set aside: 1 not an integer"
    assert all(note in read.notes for note in read.provenance.notes)
    assert f"; {len(read.notes)} note" in repr(read)
    assert "on how it was read: see .notes." in read._repr_html_()
    quiet = wl.Trace.of([(0, 1, 1)])
    assert quiet.notes == ()
    assert "note" not in repr(quiet)
    assert "how it was read" not in quiet._repr_html_()


def test_a_unit_that_dates_have_no_use_for_is_said(tmp_path):
    log = tmp_path / "log.csv"
    rows = "".join(f"2026-05-01T10:00:{second:02d}Z,10,5\n" for second in range(9))
    log.write_text(f"timestamp,prompt_tokens,completion_tokens\n{rows}")
    why = wl.ingest(log, units={"arrival": "ms"}).provenance.why["arrival"]
    assert why == "dates, of which --unit arrival=ms says nothing"
    assert wl.ingest(log).provenance.why["arrival"] == "dates"
