"""Decisions per second of the vectorized environment with trivial policies, over 256 lanes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

import workloadlab as wl

LANES = 256
WINDOW = 2000
STEPS = 1000


def fewest(batch):
    """Fewest requests in flight, ties to the lowest index."""
    return batch.lowest(batch.instances["in_flight"])


def drawn(batch):
    """Any instance, by the draw of the request."""
    count = batch.instances.shape[1]
    return (batch.requests["draw"] * count).astype(np.int64)


def watched(batch):
    """Fewest in flight, with all features copied as a learner would."""
    batch.instance_features(dtype=np.float32)
    batch.request_features(dtype=np.float32)
    return fewest(batch)


def seen(batch):
    """The same with four features of the instances and two of the request."""
    batch.instance_features(
        "in_flight", "queued_tokens", "context_tokens", "kv_blocks_used", dtype=np.float32
    )
    batch.request_features("input_tokens", "predicted_output_tokens", dtype=np.float32)
    return fewest(batch)


def decisions_per_second(environment, policy, steps=STEPS):
    """Best of five runs, after one to warm up; windows that end and begin again are within."""
    batch, taken = environment.batch, []
    for _ in range(6):
        begin = time.perf_counter()
        for _ in range(steps):
            batch, _, _ = environment.step(policy(batch))
        taken.append(time.perf_counter() - begin)
    return len(environment) * steps / min(taken[1:])


def run() -> list[dict]:
    """Return a row for each policy, latency model and number of threads."""
    data = Path(os.environ.get("WORKLOADLAB_DATA", "../shared/data"))
    azure = data / "azure" / "AzureLLMInferenceTrace_conv.csv"
    trace = wl.ingest(azure if azure.is_file() else Path(__file__).parents[2] / "traces/chat.csv")
    catalogue = wl.LatencyModel.load("rtxpro6000-llama-3.1-8b")
    by_hand = wl.LatencyModel.linear(
        constant_s=0.008, prefill_token_s=6e-5, decode_seq_s=3e-5, decode_context_s=8e-8
    )
    rows = []

    def add(name, policy, model, threads, signals=None):
        environment = wl.Environment(
            trace, wl.Cluster.uniform(4, model), lanes=LANES, windows=min(WINDOW, trace.requests),
            threads=threads, signals=signals,
        )  # fmt: skip
        rows.append(
            {"name": f"{LANES} lanes, {name}", "unit": "decisions/s",
             "value": decisions_per_second(environment, policy), "detail": f"{threads} threads"}
        )  # fmt: skip

    add("fewest in flight", fewest, catalogue, 1)
    add("fewest in flight, that signal alone", fewest, catalogue, 1, ["in_flight"])
    add("fewest in flight", fewest, catalogue, 2)
    add("fewest in flight, model by hand", fewest, by_hand, 2)
    add("random", drawn, catalogue, 2)
    add("fewest, 6 features copied", seen, catalogue, 2)
    add("fewest, all 26 features copied", watched, catalogue, 2)
    return rows
