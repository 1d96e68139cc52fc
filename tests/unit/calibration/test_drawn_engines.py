"""Engines drawn at random, with noise in their timings: what is called identified is right."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.calibrations import TRUTH, parameters_of

import workloadlab as wl
from workloadlab.calibration import calibrate


def drawn(seed):
    """A log of an engine, lengths and traffic drawn by the seed, with noise in the timings or none."""
    rng = np.random.default_rng(seed)

    def size(low, high):
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    bounds = ((4e-3, 25e-3), (1.5e-5, 1.2e-4), (2e-9, 4e-8), (3e-5, 4e-4), (1e-8, 2e-7))
    truth = {name: size(*both) for name, both in zip(TRUTH, bounds, strict=True)}
    requests, instances = int(rng.integers(120, 420)), int(rng.integers(1, 3))
    typical, spread = (size(250, 6000), size(30, 300)), rng.uniform(0.4, 1.1)
    inputs, outputs = (
        np.clip(rng.lognormal(np.log(mean) - spread**2 / 2, spread, requests), *limits).astype(int)
        for mean, limits in zip(typical, ((8, 30000), (2, 2000)), strict=True)
    )
    seqs, context = size(1.5, 30), inputs.mean() + outputs.mean() / 2
    step = truth["constant_s"] + seqs * truth["decode_seq_s"]
    step += seqs * context * truth["decode_context_s"]
    rate = seqs / (outputs.mean() * step + seqs * inputs.mean() * truth["prefill_token_s"])
    gaps = rng.exponential(1 / (rate * instances), requests)
    log = pl.DataFrame(
        {
            "arrival_ns": (gaps.cumsum() * 1e9).astype(int),
            "input_tokens": inputs,
            "output_tokens": outputs,
        }
    )
    limited = bool(rng.integers(0, 3))
    least = inputs.max() / 16 + outputs.max() / 16 + 8
    kv_blocks = int(max(seqs * context / 16 * rng.uniform(0.8, 2.5), least)) if limited else None
    cluster = wl.Cluster.uniform(
        instances,
        wl.LatencyModel.linear(**truth),
        kv_blocks=kv_blocks,
        max_num_seqs=int(rng.choice([32, 128, 256])),
        max_num_batched_tokens=int(rng.choice([512, 2048, 8192])),
        async_scheduling=bool(rng.random() < 0.3),
        prefix_caching=False,
    )
    noise = (0.0, 0.0, 0.005, 0.02)[int(rng.integers(0, 4))]
    served = wl.replay(wl.Trace.from_frame(log), cluster, routers=["least_requests"]).traces[0]
    first, later = np.exp(rng.normal(0, noise, (2, requests)))
    decode = pl.col("e2e_ns") - pl.col("ttft_ns")
    ttft = (pl.col("ttft_ns") * first).cast(pl.Int64)
    timings = {"ttft_ns": ttft, "e2e_ns": ttft + (decode * later).cast(pl.Int64)}
    return wl.Trace.from_frame(served.frame.with_columns(**timings)), cluster, truth


@pytest.mark.parametrize("seed", [71003, 71108])
def test_nothing_called_identified_is_off_by_more_than_3_percent(seed):
    """Two of the searches in 71108 end in hollows that explain the log to 0.5 %."""
    log, cluster, truth = drawn(seed)
    found = parameters_of(calibrate(log, cluster))
    identified = [name for name, row in found.items() if row["identifiable"]]
    assert identified
    for name in identified:
        assert found[name]["estimate"] == pytest.approx(truth[name], rel=0.03), name
