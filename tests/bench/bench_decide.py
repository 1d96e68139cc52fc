"""How long a score of 10 M rows takes, and a plan for a day of 1 M requests with four routers."""

from __future__ import annotations

import tempfile
import time

import numpy as np
import polars as pl

import workloadlab as wl
from workloadlab.planning import plan

ROWS, REQUESTS, DAY_S = 10_000_000, 1_000_000, 86_400
ROUTERS = ("round_robin", "least_requests", "random", "least_tokens")


def requests(n):
    """Return arrivals over a day that is busier at noon, and lengths."""
    rng = np.random.default_rng(0)
    moments = rng.triangular(0, DAY_S / 2, DAY_S, n)
    return {
        "arrival_ns": np.sort((moments * 1e9).astype(np.int64)),
        "input_tokens": rng.integers(1, 2000, n),
        "output_tokens": rng.integers(2, 300, n),
    }


def outcomes(n):
    columns = requests(n)
    ttft = np.random.default_rng(1).integers(10**7, 10**9, n)
    return columns | {
        "ttft_ns": ttft,
        "e2e_ns": ttft + columns["output_tokens"] * 20_000_000,
        "instance_id": pl.Series([f"pool/{i}" for i in range(16)]).gather(ttft % 16),
        "outcome": ["ok"] * n,
    }


def seconds(work):
    begin, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - busy


def run():
    slo = wl.SLO(ttft_s=1.0, tpot_s=0.05)
    with tempfile.TemporaryDirectory() as folder:
        path = wl.Trace.from_frame(pl.DataFrame(outcomes(ROWS))).save(f"{folder}/o.trace")
        wall, busy = seconds(lambda: wl.score(path, slo=slo))
    yield {"name": f"score of {ROWS:,} rows with intervals", "value": wall, "unit": "s",
           "detail": f"{busy:.0f} s of CPU; bar 30 s"}  # fmt: skip
    trace = wl.Trace.from_frame(pl.DataFrame(requests(REQUESTS)))
    cluster = wl.Cluster.uniform(1, "h100-llama-3.1-8b")
    wall, busy = seconds(lambda: plan(trace, cluster, slo=slo, routers=ROUTERS))
    yield {"name": f"plan for a day of {REQUESTS:,} requests, 4 routers", "value": wall, "unit": "s",
           "detail": f"{busy:.0f} s of CPU; bar 180 s"}  # fmt: skip
