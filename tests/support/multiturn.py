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
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

import workloadlab as wl
from workloadlab.calibration import describe
from workloadlab.errors import ExtrapolationWarning
from workloadlab.scoring import fidelity, occupancy
from workloadlab.tables import Table
from workloadlab.trace import Trace, session_prefixes

__all__ = [
    "EIGHT_GPUS",
    "LOG",
    "ONE_GPU",
    "correlations",
    "eight_gpus",
    "from_the_lightest",
    "level",
    "one_gpu",
    "server_log",
    "slopes",
]

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
CALIBRATED_S = {8: 240, 1: 480}
"""How much of each is used for it, by GPUs."""

MULTIPROCESSORS, KV_HEADS = 148, 8
"""Of a B200, and of the model, which GPUs share evenly."""


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


def compare(levels, served, kv_tokens, known, judged):
    """Replay levels; print and return the errors, or differences, of the means."""
    rows, errors = [], {}
    for clients in judged or levels:
        one = levels[clients]
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


def eight_gpus(data, judged=()):
    """Return the levels on eight GPUs, and the errors of each; the KV size is that of the calibrated.

    Args:
        data: the folder of real runs.
        judged: levels to replay; all where none are named.
    """
    levels, kv_tokens = levels_of(data, 8)
    served = calibrated(levels, 8, EIGHT_GPUS, CALIBRATED_S[8], kv_tokens)
    return levels, compare(levels, served, kv_tokens, EIGHT_GPUS, judged)


def one_gpu(data, judged=()):
    """Return the same of one GPU; the KV size is the server log's."""
    levels, kv_tokens = levels_of(data, 1)
    served = calibrated(levels, 1, ONE_GPU, CALIBRATED_S[1], kv_tokens)
    return levels, compare(levels, served, kv_tokens, ONE_GPU, judged)


def levels_of(data, gpus):
    """Return the levels on so many GPUs, and the tokens that their KV cache holds."""
    if gpus == 8:
        levels = {clients: level(data, 8, clients) for clients in (16, 32, 64, 128, 256)}
        held = [occupancy(levels[clients].log).kv_tokens for clients in EIGHT_GPUS]
        return levels, round(sum(held) / sum(levels[clients].kv_share for clients in EIGHT_GPUS))
    levels = {clients: level(data, 1, clients) for clients in (16, 32, 64, 128, 256, 512)}
    stated = re.search("GPU KV cache size: ([0-9,]+) tokens", server_log(data))
    return levels, int(stated[1].replace(",", ""))


def from_the_lightest(data, gpus, judged=()):
    """Calibrate on 16 clients alone, and yield (clients, share of steps outside, errors) of others.

    Errors are three of each mean latency: by the least that steps may take, by the model, by the most.

    Args:
        data: the folder of real runs.
        gpus: one or eight.
        judged: levels; all but the lowest where none are named.
    """
    levels, kv_tokens = levels_of(data, gpus)
    served = calibrated(levels, gpus, (16,), CALIBRATED_S[gpus], kv_tokens)
    least, most = served.ends()
    for clients in judged or list(levels)[1:]:
        log, found = levels[clients].log, []
        for one in (least, served, most):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExtrapolationWarning)
                runs = wl.replay(log, one, routers=["round_robin"], sessions="clients")
            found.append(fidelity(runs.traces[0], log))
        errors = {
            name: [one[name]["mean_error"] for one in found]
            for name in ("ttft_s", "tpot_s", "e2e_s")
        }
        yield clients, runs.infos[0].steps_outside_domain / runs.infos[0].steps, errors
