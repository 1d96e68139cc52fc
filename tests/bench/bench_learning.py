"""Seconds to train a router with one seed, test and card included."""

from __future__ import annotations

import os
import time
from pathlib import Path

import workloadlab as wl

METHODS = ("es", "imitation", "workload_guided")


def run() -> list[dict]:
    """Return a row for each method: Azure conversations on four instances, or the sample log."""
    data = Path(os.environ.get("WORKLOADLAB_DATA", "../shared/data"))
    azure = data / "azure" / "AzureLLMInferenceTrace_conv.csv"
    sample = azure if azure.is_file() else Path(__file__).parents[2] / "traces" / "chat.csv"
    trace = wl.ingest(sample)
    cluster = wl.Cluster.uniform(4, wl.LatencyModel.load("h100-llama-3.1-8b"))
    rows = []
    for method in METHODS:
        begin, spent = time.perf_counter(), time.process_time()
        router = wl.train(trace, cluster, method=method, seeds=1)
        rows.append(
            {"name": f"train {method}, one seed, 4 instances", "unit": "s",
             "value": round(time.perf_counter() - begin, 1),
             "detail": f"{time.process_time() - spent:.0f} s of processor; {router.verdict[:40]}"}
        )  # fmt: skip
    return rows
