"""Traces and clusters on which there is something to learn, small enough for a test."""

from __future__ import annotations

import numpy as np

import workloadlab as wl
from support.traces import requests_at

__all__ = ["mixed_trace", "two_speeds"]


def mixed_trace(requests: int = 800, seed: int = 0, **columns: object) -> wl.Trace:
    """Short chats and long documents, as they come."""
    rng = np.random.default_rng(seed)
    long = rng.random(requests) < 0.2
    return requests_at(
        np.cumsum(rng.exponential(0.1, requests)),
        input_tokens=np.where(
            long, rng.integers(2000, 6000, requests), rng.integers(20, 200, requests)
        ),
        output_tokens=np.where(
            long, rng.integers(2, 20, requests), rng.integers(20, 120, requests)
        ),
        **columns,
    )


def two_speeds(instances: int = 4) -> wl.Cluster:
    """Half of the instances take four times as long for a step as the others."""
    fast = {"constant_s": 0.01, "prefill_token_s": 5e-5, "decode_seq_s": 2e-4}
    slow = {name: 4 * seconds for name, seconds in fast.items()}
    return wl.Cluster(
        pools=tuple(
            wl.Pool(
                name=name, instances=instances // 2, latency=wl.LatencyModel.linear(**seconds),
                kv_blocks=4000, step_overhead_s=0.0,
            )
            for name, seconds in (("fast", fast), ("slow", slow))
        )
    )  # fmt: skip
