"""How long a calibration of 20,000 requests takes."""

from __future__ import annotations

import time

import numpy as np
import polars as pl

import workloadlab as wl

REQUESTS = 20_000


def run():
    rng = np.random.default_rng(0)
    log = wl.Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": (rng.exponential(0.2, REQUESTS).cumsum() * 1e9).astype(int),
                "input_tokens": rng.integers(50, 2500, REQUESTS),
                "output_tokens": rng.integers(50, 400, REQUESTS),
            }
        )
    )
    truth = wl.LatencyModel.linear(
        constant_s=0.008, prefill_token_s=6e-5, decode_seq_s=3e-5, decode_context_s=8e-8
    )
    cluster = wl.Cluster.uniform(1, truth)
    served = wl.replay(log, cluster, routers=["round_robin"]).traces[0]
    begin = time.perf_counter()
    model = wl.calibrate(served, cluster)
    seconds = time.perf_counter() - begin
    report = model.system["calibration"]
    known = {"constant_s": 0.008, "prefill_token_s": 6e-5, "decode_seq_s": 3e-5,
             "decode_context_s": 8e-8}  # fmt: skip
    worst = max(
        abs(row["estimate"] / known[row["name"]] - 1)
        for row in report["parameters"]
        if row["identifiable"]
    )
    return [
        {"name": "calibrate, 20,000 requests", "value": seconds, "unit": "s",
         "detail": f"{report['simulations']:,} simulations; worst identified parameter {worst:.1%} off"},
    ]  # fmt: skip
