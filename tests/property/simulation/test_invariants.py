"""What holds on every lane: conservation, capacity, records that agree, jumps that equal steps."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.workloads import blocks_of, requests

from workloadlab.errors import UsageError
from workloadlab.latency import LatencyModel, check_samples
from workloadlab.latency.estimators.registry import estimator_named
from workloadlab.routing import SHELF
from workloadlab.simulation import Cluster, Event, replay
from workloadlab.simulation.engine import setup as layout
from workloadlab.simulation.engine.record_types import RUN
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.engine.verdict import outcome_of
from workloadlab.simulation.recording import recorder_for
from workloadlab.simulation.reference.lane import Lane
from workloadlab.trace import Runs, Trace

CATALOGUE = ["rtxpro6000-llama-3.1-8b", "a100-llama-3-8b", "h100-qwen3-32b-tp2"]


def crowd(n, seed, *, rate=40.0, blocks=False):
    rng = np.random.default_rng(seed)
    inputs, outputs = rng.integers(1, 300, n), rng.integers(1, 60, n)
    named = {}
    if blocks:
        families = rng.integers(0, 5, n)
        chains = [
            [int(family) * 40 + k for k in range((int(i) + int(o) - 1) // 16)]
            for family, i, o in zip(families, inputs, outputs, strict=True)
        ]
        named = blocks_of(chains, 16)
    return requests(np.cumsum(rng.exponential(1 / rate, n)), inputs, outputs, **named)


POOLS = st.fixed_dictionaries(
    {
        "kv_blocks": st.sampled_from([None, 30, 60, 400]),
        "max_num_seqs": st.sampled_from([2, 16, 64]),
        "max_num_batched_tokens": st.sampled_from([64, 512]),
        "batching": st.sampled_from(["chunked", "prefill_first", "static"]),
        "queue_order": st.sampled_from(["fcfs", "least_work_left", "bin_packing"]),
        "prefix_caching": st.booleans(),
        "async_scheduling": st.booleans(),
        "max_in_flight": st.sampled_from([None, 3]),
    }
)


@settings(max_examples=40, deadline=None)
@given(
    pool=POOLS,
    seed=st.integers(0, 99),
    held=st.sampled_from([None, 5]),
    policy=st.sampled_from([SHELF["least_requests"], SHELF["llmd_precise"]]),
    fewest=st.sampled_from([1, layout.FEWEST_WITH_BITS]),
)
def test_every_request_ends_once_and_every_block_comes_back(pool, seed, held, policy, fewest):
    from workloadlab.simulation.engine import lane

    load = crowd(120, seed, blocks=True)
    cluster = Cluster.uniform(
        2, LatencyModel.linear(constant_s=0.02), max_router_queue=held, **pool
    )
    with patch.object(layout, "FEWEST_WITH_BITS", fewest):
        made = layout.lane_arrays(load, cluster, policy, seed)
    status, _, _ = lane.run_lane(made.lane)
    assert status == lane.STATUS_DONE
    outcome, engines = outcome_of(made, 0.0), made.arrays["engines"]
    served = outcome.instance >= 0
    assert (np.isfinite(outcome.end_s) == served).all()
    assert made.lane["finished"][0] == served.sum()
    assert made.lane["finished_tokens"][0] == load.output_tokens[served].sum()
    assert (engines["free"] + engines["idle"] == engines["kv_blocks"]).all()
    for left in ("in_flight", "decodes", "context", "prefilled", "queued_tokens",
                 "predicted_left", "partials", "fills"):  # fmt: skip
        assert (engines[left] == 0).all(), left
    for queue in ("running", "waiting", "leaving"):
        assert (engines[queue]["count"] == 0).all(), queue
    assert (made.arrays["blocks_by_phase"] == 0).all()
    bits, cache = made.arrays["prefix_bits"], made.arrays["cache"]
    seen = bits >> np.arange(2)[:, None] & 1
    assert (seen == (cache["users"] >= 0)[:, : bits.shape[1]]).all()


@settings(max_examples=60, deadline=None)
@given(
    pool=POOLS,
    seed=st.integers(0, 99),
    closed=st.booleans(),
    policy=st.sampled_from([SHELF["least_requests"], SHELF["llmd_precise"], SHELF["llmd_default"]]),
    fewest=st.sampled_from([1, layout.FEWEST_WITH_BITS]),
)
def test_every_request_ends_once_whatever_happens(pool, seed, closed, policy, fewest):
    from workloadlab.simulation.engine import lane

    rng = np.random.default_rng(seed)
    events = [
        Event(
            at_s=float(rng.uniform(0, 6)),
            kind=kind,
            instance=f"pool/{rng.integers(0, 3)}",
            requests="fail" if kind == "stop" and rng.random() < 0.3 else "retry",
        )
        for kind in rng.choice(["stop", "drain", "start"], 9)
    ]
    load = crowd(120, seed, blocks=True)
    if closed:
        following = np.append(np.arange(1, 120), -1)
        following[rng.random(120) < 0.3] = -1
        load = replace(load, next_turn=following, think_s=np.full(120, 0.05))
    cluster = Cluster.uniform(3, LatencyModel.linear(constant_s=0.02), events=events, **pool)
    with patch.object(layout, "FEWEST_WITH_BITS", fewest):
        made = layout.lane_arrays(load, cluster, policy, seed)
    status, _, _ = lane.run_lane(made.lane)
    assert status == lane.STATUS_DONE
    outcome, engines, record = outcome_of(made, 0.0), made.arrays["engines"], made.lane[0]
    ended, row = [], record["last_ended"]
    while row >= 0:
        ended.append(row)
        row = made.arrays["results"]["ended_before"][row]
    assert sorted(ended) == list(range(120))
    served = np.isfinite(outcome.end_s)
    assert record["finished"] == served.sum()
    assert (record["arrived"], record["released"], record["held"]) == (120, 0, 0)
    assert record["next_event"] == len(events)
    for left in ("in_flight", "decodes", "context", "prefilled", "queued_tokens",
                 "predicted_left", "partials", "fills", "starts_left"):  # fmt: skip
        assert (engines[left] == 0).all(), left
    for queue in ("running", "waiting", "leaving"):
        assert (engines[queue]["count"] == 0).all(), queue
    assert (engines["free"] + engines["idle"] == engines["kv_blocks"]).all()
    cache = made.arrays["cache"]
    assert (cache["users"] <= 0).all()
    runs = np.where(cache["users"] <= RUN, cache["copies"], 0)
    assert ((cache["users"] == 0).sum(axis=1) + runs.sum(axis=1) == engines["idle"]).all()
    assert (made.arrays["blocks_by_phase"] == 0).all()
    if record["keeps_bits"]:
        bits = made.arrays["prefix_bits"] >> np.arange(3)[:, None] & 1
        assert (bits == (cache["users"] >= 0)[:, : bits.shape[1]]).all()


@settings(max_examples=20, deadline=None)
@given(pool=POOLS, seed=st.integers(0, 99), together=st.booleans())
def test_recorded_steps_are_those_of_the_readable_engine(pool, seed, together):
    load = crowd(60, seed, blocks=True)
    cluster = Cluster.uniform(
        2,
        LatencyModel.linear(constant_s=0.02, decode_context_s=1e-5),
        step_together=together,
        **pool,
    )
    policy = SHELF["round_robin"]
    recorder = replace(recorder_for(["steps"]), room=16)
    fast = replay_lane(load, cluster, policy, 0, recorder)
    plain = replay_lane(load, cluster, policy, 0)
    np.testing.assert_allclose(fast.end_s, plain.end_s, rtol=0, atol=1e-9)
    steps = recorder.frames(cluster, fast)["steps"]
    slow = Lane(load, cluster, policy, 0)
    slow.run()
    for engine, name in zip(slow.engines, cluster.instance_names, strict=True):
        mine = steps.filter(pl.col("instance_id") == name)
        for column in ("prefill_tokens", "prefill_context_tokens", "decode_seqs",
                       "decode_context_tokens", "waiting", "kv_blocks_used"):  # fmt: skip
            assert mine[column].to_list() == [step[column] for step in engine.log], column
        if pool["kv_blocks"]:
            assert mine["kv_blocks_used"].max() <= pool["kv_blocks"]
        ends = (mine["start_ns"] + mine["latency_ns"]).to_numpy()
        assert (np.diff(mine["start_ns"].to_numpy()) > 0).all()
        assert (mine["start_ns"].to_numpy()[1:] >= ends[:-1] - 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_no_instance_idles_while_its_queue_could_run(seed):
    load = crowd(200, seed, rate=200.0)
    cluster = Cluster.uniform(2, LatencyModel.linear(constant_s=0.02), step_overhead_s=0.0)
    recorder = recorder_for(["steps"])
    outcome = replay_lane(load, cluster, SHELF["round_robin"], 0, recorder)
    steps = recorder.frames(cluster, outcome)["steps"]
    for index, name in enumerate(cluster.instance_names):
        mine = steps.filter(pl.col("instance_id") == name)
        ends = (mine["start_ns"] + mine["latency_ns"]).to_numpy()[:-1]
        starts = mine["start_ns"].to_numpy()[1:]
        here = outcome.instance == index
        for end, start in zip(ends, starts, strict=True):
            if start > end + 1:
                present = (outcome.dispatch_s[here] * 1e9 < end) & (
                    outcome.end_s[here] * 1e9 > end + 1
                )
                assert not present.any()


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("overlapped", [False, True])
def test_jumps_equal_steps_on_fitted_models(name, overlapped):
    load = crowd(150, 1, rate=3.0)
    cluster = Cluster.uniform(2, name, kv_blocks=300, async_scheduling=overlapped)
    jumped = replay_lane(load, cluster, SHELF["least_requests"], 0)
    stepped = replay_lane(load, cluster, SHELF["least_requests"], 0, recorder_for(["steps"]))
    for moment in ("scheduled_s", "first_token_s", "end_s"):
        np.testing.assert_allclose(getattr(jumped, moment), getattr(stepped, moment), atol=1e-9)
    assert (jumped.steps, jumped.steps_outside) == (stepped.steps, stepped.steps_outside)


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(CATALOGUE),
    seqs=st.integers(1, 300),
    mean=st.floats(1, 9000),
    steps=st.integers(0, 500),
)
def test_the_line_of_a_model_is_its_step_time(name, seqs, mean, steps):
    model = LatencyModel.load(name)
    step_time, table = model.kernel()
    decode_line = estimator_named(model.estimator).decode_line
    context = float(int(seqs * mean))
    seconds, slope, edge = decode_line(float(seqs), context, table)
    later = min(context + seqs * steps, edge)
    exact = step_time(0.0, 0.0, float(seqs), later, table)
    assert seconds + slope * (later - context) == pytest.approx(exact, rel=1e-9)


def test_recorded_decisions_lie_beside_what_became_of_them(tmp_path):
    load = crowd(50, 3)
    frame = pl.DataFrame(
        {"arrival_ns": np.rint(load.arrival_s * 1e9).astype(np.int64),
         "input_tokens": load.input_tokens, "output_tokens": load.output_tokens}
    )  # fmt: skip
    cluster = Cluster.uniform(3, "rtxpro6000-llama-3.1-8b", signal_interval_s=0.1)
    runs = replay(
        Trace.from_frame(frame), cluster, routers=["least_kv"], record=["steps", "decisions"]
    )
    again = Runs.open(runs.save(tmp_path / "runs"))
    decisions = again.records[0]["decisions"]
    assert decisions.equals(runs.records[0]["decisions"])
    outcomes = runs.outcomes().read("ttft_ns", "e2e_ns", "instance_id")
    assert decisions["row"].to_list() == list(range(50))
    assert decisions["e2e_ns"].to_list() == outcomes["e2e_ns"].to_list()
    lowest = decisions["scores"].list.arg_min()
    assert [f"pool/{index}" for index in lowest] == outcomes["instance_id"].to_list()
    assert decisions["view_age_ns"].max() < 100_000_000
    check_samples(
        again.records[0]["steps"].drop("instance_id", "start_ns", "waiting", "kv_blocks_used")
    )


def test_what_cannot_be_recorded_is_refused():
    with pytest.raises(UsageError, match="use steps, decisions"):
        recorder_for(["tokens"])
