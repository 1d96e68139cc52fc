"""Calibration on load tests, in which each client waits for its answer before it goes on."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.clusters import SYNCHRONOUS

import workloadlab as wl
from workloadlab.calibration import calibrate
from workloadlab.calibration.observe import observe
from workloadlab.calibration.observed import together
from workloadlab.calibration.parameters import from_scratch
from workloadlab.calibration.problem import Problem
from workloadlab.calibration.reconstruction import reconstruct
from workloadlab.calibration.task import Task
from workloadlab.errors import UsageError
from workloadlab.routing import SHELF
from workloadlab.trace import session_prefixes

CHATS = {
    "constant_s": 0.01,
    "prefill_token_s": 4e-5,
    "decode_seq_s": 2e-4,
    "decode_context_s": 3e-8,
    "prefill_step_s": 0.03,
}


def load_test(clients, turns=5, seed=3):
    """A run in which each client sends the next turn of its only chat when it has its answer."""
    rng = np.random.default_rng(seed + clients)
    asked, answered = rng.integers(20, 900, (2, clients, turns))
    before = np.cumsum(asked + answered, axis=1) - asked - answered
    n = clients * turns
    log = pl.DataFrame(
        {
            "arrival_ns": np.tile(np.arange(turns), clients) * 10**10 + np.arange(n) * 10**6,
            "input_tokens": (before + asked).ravel(),
            "output_tokens": answered.ravel(),
            "ttft_ns": [1] * n,
            "e2e_ns": [10**9] * n,
            "think_ns": [0] * n,
            "session_id": np.repeat(np.arange(clients), turns).astype(str),
        }
    ).with_columns(client_id="session_id")
    return session_prefixes(wl.Trace.from_frame(log))


def cluster_of(model, **options):
    engine = {"max_num_seqs": 64, "prefix_caching": True, "step_overhead_s": 0.0} | options
    return wl.Cluster.uniform(1, model, **SYNCHRONOUS | engine)


@pytest.mark.parametrize("engine", [{}, {"async_scheduling": True, "step_overhead_s": 0.004}])
def test_one_model_for_several_closed_loop_runs(engine):
    truth = cluster_of(wl.LatencyModel.linear(**CHATS), request_overhead_s=0.05, **engine)
    levels = [
        wl.replay(load_test(n), truth, routers=["round_robin"], sessions="closed").traces[0]
        for n in (8, 32)
    ]
    model = calibrate(
        levels,
        cluster_of(wl.LatencyModel.linear(), kv_blocks=100_000, **engine),
        sessions="closed",
        extra=("prefill_step_s", "request_overhead_s"),
    )
    report = model.system["calibration"]
    assert (report["requests"], report["sessions"]) == (200, "closed")
    assert model.system["request_overhead_s"] == pytest.approx(0.05, rel=0.1)
    assert model.system["includes_step_overhead"]  # there is none, or it is hidden
    for step in (
        {"decode_seqs": 10, "decode_context_tokens": 20_000},
        {"prefill_tokens": 500, "decode_seqs": 10, "decode_context_tokens": 20_000},
    ):
        known = wl.LatencyModel.linear(**CHATS).step_time_s(**step)
        assert model.step_time_s(**step) == pytest.approx(known, rel=0.05)


def test_every_log_counts_the_same_however_long():
    logs = [load_test(n) for n in (8, 32)]
    cluster = cluster_of(wl.LatencyModel.linear(**CHATS))
    observed = together([observe(log, cluster, routed=False, sessions="closed") for log in logs])
    task = Task(observed, cluster, SHELF["round_robin"], None)
    parameters = from_scratch(reconstruct(observed, cluster.pools[0], observed.scored), 0.0)
    problem = Problem(observed, cluster, task.router, parameters, observed.scored)
    for kind in range(2):
        rows = problem.groups == kind
        share = problem.balance[rows][: len(logs[0].frame.collect())].sum()
        assert share == pytest.approx(problem.balance[rows].sum() / 2)
        assert problem.balance[rows].mean() == pytest.approx(1.0)


def test_cached_tokens_are_those_that_an_earlier_prompt_named():
    log = load_test(8)
    observed = observe(log, cluster_of(wl.LatencyModel.linear()), routed=False, sessions="closed")
    frame = log.read("session_id", "input_tokens", "output_tokens").with_columns(
        before=(pl.col("input_tokens") + pl.col("output_tokens")).shift(1).over("session_id")
    )
    held = ((frame["before"].fill_null(1) - 1) // 16 * 16).to_numpy()
    assert observed.cached_tokens.tolist() == held.tolist()
    assert not observe(served_alone(log), cluster_of(wl.LatencyModel.linear()), routed=False
                       ).cached_tokens.any()  # fmt: skip


def test_cached_tokens_are_expected_where_the_placement_is_unknown():
    log, instances = load_test(10, turns=3), 4
    cluster = wl.Cluster.uniform(instances, wl.LatencyModel.linear(), prefix_caching=True)
    observed = observe(log, cluster, routed=True, sessions="closed")
    chance = [0, 1 - 3 / 4, 1 - (3 / 4) ** 2]
    left = {}
    requests = log.read("session_id", "input_tokens", "output_tokens").iter_rows()
    for cached, (session, inputs, outputs) in zip(observed.cached_tokens, requests, strict=True):
        held = left.setdefault(session, [])
        earlier = [sum(end > block for end in held) for block in range((inputs - 1) // 16)]
        assert cached == pytest.approx(sum(16 * chance[count] for count in earlier))
        held.append((inputs + outputs - 1) // 16)


def served_alone(log):
    return wl.Trace.from_frame(log.frame.drop("block_ids", "block_size"))


def test_extra_parameters_are_checked():
    log, cluster = load_test(8), cluster_of(wl.LatencyModel.linear())
    with pytest.raises(UsageError, match="'tp'"):
        calibrate(log, cluster, extra=["tp"])
    with pytest.raises(UsageError, match="from nothing"):
        calibrate(log, cluster, start=wl.LatencyModel.linear(), extra=["prefill_step_s"])
    with pytest.raises(UsageError, match="no trace"):
        calibrate([], cluster)
