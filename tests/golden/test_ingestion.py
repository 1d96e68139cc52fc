"""Real logs: counts, sums and times that are known from the files themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data


def test_azure_conversations(shared_data: Path, tmp_path: Path) -> None:
    trace = wl.ingest(
        shared_data / "azure" / "AzureLLMInferenceTrace_conv.csv", tmp_path / "conv.trace"
    )
    frame = trace.read("row_id", "arrival_ns", "input_tokens", "output_tokens")
    assert trace.requests == 19_366
    assert frame.select(pl.col("input_tokens", "output_tokens").cast(pl.Int64).sum()).row(0) == (
        22_361_870,
        4_088_665,
    )
    # 2023-11-16T18:15:46.680590Z
    assert trace.provenance.t0_unix_ns == 1_700_158_546_680_590_000
    assert frame.row(0) == (0, 0, 374, 44)
    # the last row of the file, 19:14:08.4025270, has no newline after it
    assert frame.row(-1) == (19_365, 3_501_721_937_000, 197, 183)
    assert trace.provenance.rows == {
        "read": 19_366,
        "written": 19_366,
        "rejected": {},
        "repaired": {},
    }


def test_azure_code(shared_data: Path) -> None:
    trace = wl.ingest(shared_data / "azure" / "AzureLLMInferenceTrace_code.csv")
    assert (trace.provenance.reader, trace.requests) == ("azure", 8_819)


def test_azure_through_the_vidur_copy(shared_data: Path) -> None:
    """The same requests, published with float seconds in gzipped CSV by another project."""
    copy = wl.ingest(shared_data / "vidur" / "processed_traces" / "splitwise_conv.csv.gz")
    original = wl.ingest(shared_data / "azure" / "AzureLLMInferenceTrace_conv.csv")
    columns = ("arrival_ns", "input_tokens", "output_tokens")
    assert copy.provenance.reader == "vidur"
    assert copy.read(*columns).equals(original.read(*columns))


def test_mooncake_conversations(shared_data: Path, tmp_path: Path) -> None:
    trace = wl.ingest(
        shared_data / "mooncake" / "conversation_trace.jsonl.gz", tmp_path / "mooncake.trace"
    )
    blocks = trace.read("block_ids", "block_size", "input_tokens", "arrival_ns")
    flat = blocks["block_ids"].explode()
    assert trace.requests == 12_031
    assert (flat.len(), flat.n_unique(), flat.max()) == (288_500, 182_790, 182_789)
    assert blocks["block_size"].unique().to_list() == [512]
    assert blocks["arrival_ns"].n_unique() == 1_180
    assert (blocks["block_ids"].list.len() == (blocks["input_tokens"] + 511) // 512).all()
    first_seen = flat.unique(maintain_order=True)
    assert first_seen.equals(pl.Series("block_ids", range(182_790), dtype=pl.UInt64))


@pytest.mark.parametrize(
    ("model", "parallel"), [("Llama-3.1-8B", 1), ("Qwen3-30B-A3B-Instruct-2507", 2)]
)
def test_vllm_runs(shared_data: Path, model: str, parallel: int) -> None:
    folder = shared_data / "llmservingsim" / "bench" / "RTXPRO6000" / model / "vllm"
    trace = wl.ingest(folder / "requests.jsonl")
    times = trace.read("queue_ns", "ttft_ns", "last_token_ns", "e2e_ns")
    assert trace.requests == 300
    assert trace.supports("timings")
    assert trace.supports("queue")
    assert times.null_count().sum_horizontal().item() == 0
    assert (times["queue_ns"] <= times["ttft_ns"]).all()
    assert (times["ttft_ns"] <= times["e2e_ns"]).all()
    system = trace.provenance.system
    assert system["model"].endswith(model)
    assert (system["engine_version"], system["max_num_seqs"], system["dp"], system["tp"]) == (
        "0.19.0",
        128,
        parallel,
        1,
    )


@pytest.mark.parametrize(
    ("file", "rows", "users"),
    [("aibrix_regression", 24_474, 365), ("llm_d_benchmark", 140_290, 14_156)],
)
def test_lmbench_runs(shared_data: Path, file: str, rows: int, users: int) -> None:
    log = shared_data / "lmbench" / f"{file}.parquet"
    with pytest.raises(UsageError, match="holds several runs"):
        wl.ingest(log)
    trace = wl.ingest(log, units={"arrival": "s"})
    assert (trace.provenance.reader, trace.requests) == ("lmbench", rows)
    assert trace.supports("timings")
    assert trace.provenance.rows["rejected"] == {}
    assert trace.read("session_id")["session_id"].drop_nulls().n_unique() == users
    ttft, ends, outputs = trace.read("ttft_ns", "e2e_ns", "output_tokens")
    assert (ttft <= ends).all()
    assert outputs.sum() > 0


@pytest.mark.parametrize(
    ("file", "rows"),
    [
        ("llmservingsim/workloads/workload_me2_01_mixed.jsonl", 608),
        ("samples/azure_style_trace.csv", 20),
    ],
)
def test_other_files_are_recognised_by_their_names_for_things(
    shared_data: Path, file: str, rows: int
) -> None:
    trace = wl.ingest(shared_data / file)
    assert trace.requests == trace.provenance.rows["read"] == rows


@pytest.mark.parametrize(
    ("file", "reader", "rows", "t0_unix_ns"),
    [
        ("multiturn_llama70b_fp4_vllm015.parquet", "vllm_multiturn", 133_450, None),
        ("agentic_dsr1_b200_vllm.parquet", "inferencex", 1_969, 1_776_748_110_832_544_600),
        (
            "aiperf_profile_export_kimi_k2.7_mi355x.jsonl.gz",
            "aiperf",
            196,
            1_783_588_508_057_339_762,
        ),
    ],
)
def test_benchmark_clients(
    shared_data: Path, file: str, reader: str, rows: int, t0_unix_ns: int | None
) -> None:
    together = {"arrival": "ms"} if reader == "vllm_multiturn" else None  # 69 runs in one file
    trace = wl.ingest(shared_data / "inferencex" / file, units=together)
    provenance = trace.provenance
    assert (provenance.reader, trace.requests, provenance.rows["read"]) == (reader, rows, rows)
    assert provenance.t0_unix_ns == t0_unix_ns
    assert trace.supports("timings")
    assert trace.supports("session")


def test_a_level_of_the_multiturn_runs(shared_data: Path) -> None:
    """The summary that was published with the runs has the same mean latencies."""
    folder = shared_data / "inferencex"
    summary = pl.read_csv(folder / "multiturn_llama70b_fp4_summary.csv")
    published = summary.filter(exp_name="tp8_bs128_offloadoff").row(0, named=True)
    trace = wl.ingest(
        folder / "multiturn_llama70b_fp4_vllm015.parquet",
        where={"tp": 8, "bs": 128, "kv_offload": False},
    )
    times = trace.read("ttft_ns", "e2e_ns", "session_id", "client_id", "turn")
    assert trace.requests == published["num_requests"] == 3_727
    assert times["ttft_ns"].mean() / 1e6 == pytest.approx(published["mean_ttft_ms"])
    assert times["e2e_ns"].mean() / 1e6 == pytest.approx(published["mean_latency_ms"])
    assert (times["session_id"].n_unique(), times["client_id"].n_unique()) == (739, 128)
    first_turns = times.filter(turn=0)
    assert first_turns.height == first_turns["session_id"].n_unique() == 739


def test_cut_off_requests_of_the_agentic_runs_have_no_latency(shared_data: Path) -> None:
    trace = wl.ingest(shared_data / "inferencex" / "agentic_dsr1_b200_vllm.parquet")
    frame = trace.read("outcome", "ttft_ns", "e2e_ns")
    failed = frame.filter(outcome="error")
    assert (failed.height, failed["e2e_ns"].count(), failed["ttft_ns"].count()) == (958, 0, 0)
    assert frame["e2e_ns"].count() == 1_011
