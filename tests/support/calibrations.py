"""Logs that the engine itself made, with parameters that a calibration has to find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import workloadlab as wl
from support.clusters import SYNCHRONOUS
from support.traces import requests_at_ns

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace

__all__ = ["TRUTH", "parameters_of", "simulated"]

TRUTH = {
    "constant_s": 0.008,
    "prefill_token_s": 6e-5,
    "prefill_context_s": 2e-8,
    "decode_seq_s": 1e-4,
    "decode_context_s": 8e-8,
}


def simulated(
    requests: int = 140,
    rate: float = 2.5,
    *,
    instances: int = 1,
    longest: int = 8000,
    seed: int = 1,
    **pool: Any,
) -> tuple[Trace, Cluster]:
    """Return a log that the engine made with the parameters of TRUTH, and its cluster."""
    rng = np.random.default_rng(seed)
    log = requests_at_ns(
        (rng.exponential(1 / rate, requests).cumsum() * 1e9).astype(int),
        input_tokens=rng.integers(50, longest, requests),
        output_tokens=rng.integers(50, 300, requests),
    )
    cluster = wl.Cluster.uniform(instances, wl.LatencyModel.linear(**TRUTH), **SYNCHRONOUS | pool)
    return wl.replay(log, cluster, routers=["least_requests"]).traces[0], cluster


def parameters_of(model: LatencyModel) -> dict[str, dict[str, Any]]:
    """Return what a calibration reports of each parameter, by name."""
    return {row["name"]: row for row in model.system["calibration"]["parameters"]}
