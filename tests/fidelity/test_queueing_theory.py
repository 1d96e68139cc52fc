"""Where the engine degenerates to a known queue, it gives the known waits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from support.clusters import SYNCHRONOUS
from support.traces import poisson_ns, requests_at_ns

from workloadlab.latency import LatencyModel
from workloadlab.simulation import Cluster, replay

REQUESTS = 200_000
BATCHES = 40
TOKEN_S = 1e-3


def poisson_trace(rng, rate_rps, input_tokens, output_tokens=1):
    return requests_at_ns(
        poisson_ns(rng, rate_rps, len(input_tokens)),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def single_server(**model):
    """One sequence at a time, whole prompts, no overhead: a queue with one server."""
    return Cluster.uniform(
        1, LatencyModel.linear(**model), max_num_seqs=1, max_num_batched_tokens=10**9,
        step_overhead_s=0.0, **SYNCHRONOUS,
    )  # fmt: skip


def mean_and_interval(values, level=0.999):
    """Mean with a t interval over batch means, which are nearly independent."""
    means = values[: len(values) // BATCHES * BATCHES].reshape(BATCHES, -1).mean(axis=1)
    half = stats.t.ppf((1 + level) / 2, BATCHES - 1) * means.std(ddof=1) / np.sqrt(BATCHES)
    return means.mean(), half


def queue_s(runs):
    return runs.outcomes().read("queue_ns")["queue_ns"].to_numpy() / 1e9


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_mm1_mean_wait(load):
    rng = np.random.default_rng(round(load * 10))
    lengths = np.ceil(rng.exponential(1000, REQUESTS)).astype(np.int64)
    service = lengths.mean() * TOKEN_S
    trace = poisson_trace(rng, load / service, lengths)
    waits = queue_s(replay(trace, single_server(prefill_token_s=TOKEN_S), routers=["random"]))
    mean, half = mean_and_interval(waits)
    expected = load / (1 - load) * service
    print(f"M/M/1 at load {load}: wait {mean:.4f} +- {half:.4f} s, theory {expected:.4f} s")
    assert half < 0.2 * expected
    assert abs(mean - expected) < half


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_md1_mean_wait_with_decode_steps(load):
    rng = np.random.default_rng(100 + round(load * 10))
    tokens, step_s = 20, 0.01
    service = tokens * step_s
    trace = poisson_trace(rng, load / service, np.full(REQUESTS, 5), output_tokens=tokens)
    waits = queue_s(replay(trace, single_server(constant_s=step_s), routers=["random"]))
    mean, half = mean_and_interval(waits)
    expected = load / (2 * (1 - load)) * service
    print(f"M/D/1 at load {load}: wait {mean:.4f} +- {half:.4f} s, theory {expected:.4f} s")
    assert half < 0.2 * expected
    assert abs(mean - expected) < half


def test_random_split_of_poisson_is_independent_mm1_queues():
    rng = np.random.default_rng(7)
    lengths = np.ceil(rng.exponential(1000, REQUESTS)).astype(np.int64)
    service, load, servers = lengths.mean() * TOKEN_S, 0.6, 4
    trace = poisson_trace(rng, servers * load / service, lengths)
    one = single_server(prefill_token_s=TOKEN_S).pools[0]
    cluster = Cluster(pools=[type(one)(**{**vars(one), "instances": servers})])
    runs = replay(
        trace, cluster, routers=["random", "round_robin", "power_of_two", "least_requests"]
    )
    means = {info.router: queue_s_of(outcome).mean() for info, outcome in runs}
    mean, half = mean_and_interval(queue_s_of(runs.outcomes(router="random")))
    assert abs(mean - load / (1 - load) * service) < half
    assert means["random"] > means["round_robin"] > means["least_requests"]
    assert means["random"] > means["power_of_two"] > means["least_requests"]


def queue_s_of(trace):
    return trace.read("queue_ns")["queue_ns"].to_numpy() / 1e9


def test_littles_law_holds_exactly():
    """The integral of requests in the system over time is the sum of their times in it, in ns."""
    rng = np.random.default_rng(3)
    trace = poisson_trace(rng, 30.0, rng.integers(1, 3000, 5000), output_tokens=30)
    model = LatencyModel.linear(constant_s=0.01, prefill_token_s=1e-5)
    cluster = Cluster.uniform(3, model, **SYNCHRONOUS)
    for _, outcome in replay(
        trace, cluster, routers=["random", "least_tokens"], rate_scale=[0.5, 2]
    ):
        frame = outcome.read("arrival_ns", "e2e_ns")
        arrivals = frame["arrival_ns"].to_numpy()
        ends = arrivals + frame["e2e_ns"].to_numpy()
        moments = np.concatenate([arrivals, ends])
        change = np.concatenate([np.ones(len(arrivals), np.int64), -np.ones(len(ends), np.int64)])
        order = np.argsort(moments, kind="stable")
        in_system = np.cumsum(change[order])
        assert in_system[-1] == 0
        assert in_system.min() >= 0
        integral = int((in_system[:-1] * np.diff(moments[order])).sum())
        assert integral == int(frame["e2e_ns"].sum())
