"""Logs that the engine itself made, with parameters that a calibration has to find."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

import workloadlab as wl
from support.clusters import SYNCHRONOUS
from support.traces import requests_at_ns
from workloadlab.calibration.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.latency import LatencyModel
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace

__all__ = ["TRUTH", "crowded", "hasty", "means_alone", "noisy", "parameters_of", "simulated"]

TRUTH = {
    "constant_s": 0.008,
    "prefill_token_s": 6e-5,
    "prefill_context_s": 2e-8,
    "decode_seq_s": 1e-4,
    "decode_context_s": 8e-8,
}


HARDLY_ANY = {
    "task.CUTS": (0.5,),
    "calibrate.CUTS": (0.5,),
    "noise._LEVELS": (0.01, 0.1),
    "noise._LOGS": 2,
    "noise._FEW_LOGS": 2,
}
"""Fits on parts of a log, and noisy logs, of which a card and the intervals are made."""


@contextmanager
def means_alone() -> Iterator[None]:
    """Let calibrations find the same parameters, with a card and intervals that nobody may read."""
    with ExitStack() as patches:
        for name, value in HARDLY_ANY.items():
            patches.enter_context(patch(f"workloadlab.calibration.{name}", value))
        yield


@contextmanager
def hasty() -> Iterator[None]:
    """Let calibrations end soon after their descents, for tests that ask nothing of their precision."""
    with (
        means_alone(),
        patch.dict(Task.fitted.__kwdefaults__, trials=4),
        patch("workloadlab.calibration.optimizer._ITERATIONS", 8),
    ):
        yield


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


def noisy(
    seed: int, load: float, *, requests: int = 140, noise: float = 0.03
) -> tuple[Trace, Cluster]:
    """Return a log of one engine with TRUTH and noisy steps, and its cluster without the noise.

    Args:
        seed: of arrivals, lengths and noise.
        load: rate over the rate that 64 sequences at a time can serve; over 1 the queue grows.
        requests: in the log.
        noise: `Pool.step_noise` of the engine.
    """
    rng = np.random.default_rng(seed)
    inputs, outputs = rng.integers(50, 4000, requests), rng.integers(50, 300, requests)
    engine = wl.Cluster.uniform(
        1,
        wl.LatencyModel.linear(**TRUTH),
        max_num_seqs=64,
        max_num_batched_tokens=2048,
        async_scheduling=False,
        prefix_caching=False,
    )
    context = 64 * int(inputs.mean() + outputs.mean() / 2)
    each = outputs.mean() * engine.pools[0].decode_step_s(64, context) / 64
    each += inputs.mean() * TRUTH["prefill_token_s"]
    log = _arriving(rng, each / load, inputs, outputs)
    return _served(log, engine, seed, step_noise=noise), engine


def crowded(
    seed: int, blocks: int, load: float, *, requests: int = 200, noise: float = 0.03
) -> tuple[Trace, Cluster]:
    """Return a log of an engine with TRUTH, noisy steps and few KV blocks, and its cluster without both.

    Args:
        seed: of arrivals, lengths and noise.
        blocks: of its KV cache, which holds fewer requests than it has seats.
        load: rate over the rate that a full cache can serve, about; preemption makes that less.
        requests: in the log.
        noise: `Pool.step_noise` of the engine.
    """
    rng = np.random.default_rng(seed)
    inputs, outputs = rng.integers(50, 2000, requests), rng.integers(50, 400, requests)
    engine = wl.Cluster.uniform(
        1,
        wl.LatencyModel.linear(**TRUTH),
        max_num_seqs=128,
        max_num_batched_tokens=2048,
        **SYNCHRONOUS,
    )
    seqs = int(blocks * 16 / (inputs.mean() + outputs.mean() / 2))
    each = outputs.mean() * engine.pools[0].decode_step_s(seqs, 16 * blocks) / seqs
    each += inputs.mean() * TRUTH["prefill_token_s"]
    log = _arriving(rng, each / load, inputs, outputs)
    return _served(log, engine, seed, step_noise=noise, kv_blocks=blocks), engine


def _arriving(rng: Any, gap_s: float, inputs: Any, outputs: Any) -> Trace:
    """Return requests that come by chance, `gap_s` apart on average."""
    moments = (rng.exponential(gap_s, len(inputs)).cumsum() * 1e9).astype(int)
    return requests_at_ns(moments, input_tokens=inputs, output_tokens=outputs)


def _served(log: Trace, engine: Cluster, seed: int, **options: Any) -> Trace:
    """Return the log as an engine with further options serves it."""
    changed = replace(engine, pools=(replace(engine.pools[0], **options),))
    return wl.replay(log, changed, routers=["round_robin"], seeds=seed + 1).traces[seed]


def parameters_of(model: LatencyModel) -> dict[str, dict[str, Any]]:
    """Return what a calibration reports of each parameter, by name."""
    return {row["name"]: row for row in model.system["calibration"]["parameters"]}
