"""Closed-loop chats at many concurrency levels: calibrated on some, the others are predicted.

Llama-3.3-70B FP4 on B200 GPUs under vLLM 0.15. A level is a run with so many clients, each of which
waits for an answer before it sends the next turn or starts the next conversation. The runs with eight
GPUs and no KV offload are used: of those with four, several shared their server with another load, and
an offloaded KV cache is not modelled. One GPU is a second study, for the KV cache fills there.

The log has no block ids; they are made from the conversations, each turn of which begins with the turn
before. Its prompts lack the chat template, which the server counts and which takes room in its KV cache.
The first request of every client is load, not evidence: all of them arrive at once.

The server schedules asynchronously; its log says so. Version 0.15 admits a prompt whose first chunk
fits the KV cache: that all of it must fit came later (vllm-project/vllm pull request 37307, March 2026),
and so did a watermark (44594, June 2026).

The lowest, a middle and the highest level are calibrated, on beginnings of equal length in time. That
attention is shared out unevenly was learnt from all levels on one GPU, so what they say of it is no
blind prediction; but it has no parameter besides the GPU's multiprocessors and the model's KV heads, and
the runs on four GPUs, with four times as many of the former per head, hardly show it where one GPU does.

Server gauges are polled once a second. What they mean where few wait is within a request; the KV gauge
is a share of a capacity that no eight-GPU log states, so the calibration levels give it.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
import pytest

import workloadlab as wl
from workloadlab.calibration import describe
from workloadlab.scoring import fidelity, occupancy
from workloadlab.tables import Table
from workloadlab.trace import Trace, session_prefixes

LOG = "inferencex/multiturn_llama70b_fp4_vllm015.parquet"
GAUGES = "inferencex/multiturn_llama70b_fp4_vllm015_server_metrics.parquet"
SERVER_LOG = "inferencex/sample_vllm_0.15_server.log.gz"
ENGINE = {
    "max_num_seqs": 512, "max_num_batched_tokens": 8192, "block_size": 16,
    "async_scheduling": True, "reserve_full_isl": False,
}  # fmt: skip
SHARED_TOKENS = 16
"""All prompts begin with the template's system header, of which one block is whole."""
HEADER_TOKENS, MESSAGE_TOKENS = 34, 4
"""Of the template, per prompt and per message: what the server counts more than the log."""
EIGHT_GPUS, ONE_GPU = (16, 64, 256), (16, 128, 512)
"""Levels that are calibrated."""
EIGHT_GPUS_S, ONE_GPU_S = 240, 480
"""How much of each is used for it."""

MULTIPROCESSORS, KV_HEADS = 148, 8
"""Of a B200, and of the model, which GPUs share evenly."""

ON_ONE_GPU = """
With 64 clients on one GPU the time of a step follows the longest context in the batch: over the run
it correlates {longest:.3f} with that and {total:.3f} with the total. Fitted level by level, a token of
context costs, in nanoseconds,
{slopes}
That is what a GPU of 148 multiprocessors does with two thread blocks on each and 8 KV heads: of up to
37 sequences it cuts the contexts so that all blocks have work, and of more it cuts none.

Where the cache is full, vLLM looks up a waiting prompt again at each step and counts its tokens and hits
each time: at 512 clients it looked up {looked_up:.1f} times the tokens of all prompts.
"""


@dataclass(frozen=True)
class Level:
    """One run: its log with prefixes, and what the server's gauges showed on average."""

    clients: int
    log: Trace
    running: float
    waiting: float
    kv_share: float
    hit_ratio: float
    prompt_tokens: float
    looked_up_tokens: float


@lru_cache
def level(data, gpus, clients):
    run = {"tp": gpus, "bs": clients, "kv_offload": False}
    log = wl.ingest(data / LOG, where=run)
    first = pl.col("arrival_ns").rank("ordinal").over("client_id") == 1
    messages = 2 * pl.col("turn").cast(pl.Int64) + 1
    length = pl.col("input_tokens") + HEADER_TOKENS + MESSAGE_TOKENS * messages
    log = Trace(log.frame.with_columns(warmup=first, input_tokens=length), log.provenance)
    gauges = pl.read_parquet(data / GAUGES).filter(pl.col(name) == run[name] for name in run)
    last = gauges.sort("relative_time_sec").row(-1, named=True)
    return Level(
        clients,
        session_prefixes(log, shared_tokens=SHARED_TOKENS),
        gauges["num_requests_running"].mean(),
        gauges["num_requests_waiting"].mean(),
        gauges["kv_cache_usage_pct"].mean() / 100,
        last["prefix_cache_hits"] / last["prompt_tokens_total"],
        last["prompt_tokens_total"],
        last["prefix_cache_queries"],
    )


def server_log(data):
    """Return the text of the sample log: one GPU, 64 clients, with KV offload."""
    return gzip.decompress((data / SERVER_LOG).read_bytes()).decode()


def batches(log):
    """Return, every five seconds of a run, the time of a step and the total and longest context."""
    frame = log.read("arrival_ns", "ttft_ns", "e2e_ns", "input_tokens", "output_tokens")
    arrival, ttft, e2e = (frame[name].to_numpy() / 1e9 for name in frame.columns[:3])
    first, end = (arrival + ttft)[:, None], (arrival + e2e)[:, None]
    prompt, output = (frame[name].to_numpy()[:, None] for name in frame.columns[3:])
    speed = (output - 1) / np.maximum(end - first, 1e-9)
    moments = np.arange(20, arrival[-1], 5)
    running = (first <= moments) & (moments < end)
    step_s = running.sum(axis=0) / (running * speed).sum(axis=0)
    context = running * (prompt + speed * (moments - first))
    return step_s, context.sum(axis=0), context.max(axis=0)


def correlations(log):
    """Correlate the step time during a run with the total and the longest context in the batch."""
    step_s, *loads = batches(log)
    return [np.corrcoef(step_s, load)[0, 1] for load in loads]


def slopes(log):
    """Seconds of a step per token of the total and of the longest context, by least squares."""
    step_s, total, longest = batches(log)
    columns = np.column_stack([np.ones(len(step_s)), total, longest])
    return np.linalg.lstsq(columns, step_s)[0][1:]


def cluster(latency, gpus, kv_tokens, **options):
    return wl.Cluster.uniform(
        1, latency, kv_blocks=kv_tokens // 16, prefix_caching=True, step_overhead_s=0.0,
        attention_slots=2 * MULTIPROCESSORS * gpus / KV_HEADS, **ENGINE, **options,
    )  # fmt: skip


def calibrated(levels, gpus, known, until_s, kv_tokens):
    model = wl.calibrate(
        [levels[clients].log.window(0, until_s) for clients in known],
        cluster(wl.LatencyModel.linear(), gpus, kv_tokens),
        sessions="clients",
        extra=("prefill_step_s", "request_overhead_s"),
    )
    print(describe(model))
    return cluster(model, gpus, kv_tokens, request_overhead_s=model.system["request_overhead_s"])


def compare(levels, served, kv_tokens, known):
    """Replay every level; print and return the errors, or differences, of the means."""
    rows, errors = [], {}
    for clients, one in levels.items():
        runs = wl.replay(one.log, served, routers=["round_robin"], sessions="clients")
        found = fidelity(runs.traces[0], one.log)
        ours = occupancy(runs.traces[0])
        errors[clients] = {
            "ttft": found["ttft_s"]["mean_error"],
            "tpot": found["tpot_s"]["mean_error"],
            "running": ours.running / one.running - 1,
            "waiting": ours.waiting - one.waiting,
            "kv": ours.kv_tokens / kv_tokens / one.kv_share - 1,
            "hits": ours.hit_ratio / one.hit_ratio - 1,
        }
        rows.append(
            [f"{clients}{' (calibrated)' if clients in known else ''}",
             *(f"{errors[clients][name]:+.1%}" for name in ("ttft", "tpot")),
             f"{ours.running:.1f} / {one.running:.1f}", f"{ours.waiting:.1f} / {one.waiting:.1f}",
             f"{ours.kv_tokens / kv_tokens:.2%} / {one.kv_share:.2%}",
             f"{ours.hit_ratio:.1%} / {one.hit_ratio:.1%}"]
        )  # fmt: skip
    head = ["clients", "mean TTFT", "mean TPOT", "running", "waiting", "KV use", "prefix hits"]
    print(Table("Errors of the mean, and server gauges simulated / measured", head, rows).text())
    return errors


@pytest.mark.data
def test_the_server_schedules_asynchronously(shared_data):
    assert "Asynchronous scheduling is enabled" in server_log(shared_data)


@pytest.mark.data
@pytest.mark.parametrize("gpus", [1, 8])
def test_prompts_are_as_long_as_the_server_counts(shared_data, gpus):
    one = level(shared_data, gpus, 16)
    ours = one.log.read("input_tokens")["input_tokens"].sum()
    assert ours == pytest.approx(one.prompt_tokens, rel=0.002)


@pytest.mark.data
def test_eight_gpus(shared_data):
    levels = {clients: level(shared_data, 8, clients) for clients in (16, 32, 64, 128, 256)}
    held = [occupancy(levels[clients].log).kv_tokens for clients in EIGHT_GPUS]
    kv_tokens = round(sum(held) / sum(levels[clients].kv_share for clients in EIGHT_GPUS))
    served = calibrated(levels, 8, EIGHT_GPUS, EIGHT_GPUS_S, kv_tokens)
    errors = compare(levels, served, kv_tokens, EIGHT_GPUS)
    for clients in (32, 128):
        found = errors[clients]
        assert abs(found["ttft"]) < 0.10, clients
        assert abs(found["tpot"]) < 0.05, clients
        assert abs(found["running"]) < 0.02, clients
        assert abs(found["waiting"]) < 1.0, clients
        assert abs(found["kv"]) < 0.02, clients
        assert abs(found["hits"]) < 0.03, clients


@pytest.mark.data
def test_one_gpu(shared_data):
    levels = {clients: level(shared_data, 1, clients) for clients in (16, 32, 64, 128, 256, 512)}
    stated = re.search("GPU KV cache size: ([0-9,]+) tokens", server_log(shared_data))
    kv_tokens = int(stated[1].replace(",", ""))
    served = calibrated(levels, 1, ONE_GPU, ONE_GPU_S, kv_tokens)
    errors = compare(levels, served, kv_tokens, ONE_GPU)
    total, longest = correlations(levels[64].log)
    looked_up = levels[512].looked_up_tokens / levels[512].prompt_tokens
    by_level = {clients: slopes(levels[clients].log) for clients in (16, 32, 64, 128)}
    said = "; ".join(
        f"{clients} clients: {1e9 * one:.0f} in the total, {1e9 * other:.0f} in the longest"
        for clients, (one, other) in by_level.items()
    )
    print(ON_ONE_GPU.format(total=total, longest=longest, looked_up=looked_up, slopes=said))
    for clients in (32, 64, 256):
        found = errors[clients]
        assert abs(found["ttft"]) < 0.10, clients
        assert abs(found["running"]) < 0.02, clients
        assert abs(found["kv"]) < 0.02, clients
        assert abs(found["hits"]) < 0.10, clients
        assert abs(found["tpot"]) < 0.10, clients
    assert abs(errors[256]["waiting"]) < 0.10 * levels[256].waiting
    assert longest > 0.98
    assert total < 0.6
    assert max(by_level[16][1], by_level[32][1]) < 0.1 * min(by_level[64][1], by_level[128][1])


@pytest.mark.data
@pytest.mark.parametrize("clients", [64, 128])
def test_the_longest_context_sets_the_pace_where_attention_has_few_slots(shared_data, clients):
    one, four = (
        slopes(wl.ingest(shared_data / LOG, where={"tp": gpus, "bs": clients, "kv_offload": False}))
        for gpus in (1, 4)
    )
    print(f"ns per token of the longest context: {1e9 * one[1]:.0f} and {1e9 * four[1]:.0f}")
    assert four[1] < 0.2 * one[1]
