"""Where the engine degenerates to parallel queues, the routers rank as queueing theory says."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from support.clusters import SYNCHRONOUS
from support.traces import poisson_ns, requests_at_ns

from workloadlab.latency import LatencyModel
from workloadlab.routing import router
from workloadlab.simulation import Cluster, replay
from workloadlab.trace import Trace

STEP_S = 0.01


def queues(servers, **options):
    """Instances that serve one request at a time, one output token per step."""
    return Cluster.uniform(
        servers, LatencyModel.linear(constant_s=STEP_S), max_num_seqs=1, step_overhead_s=0.0,
        **SYNCHRONOUS | options,
    )  # fmt: skip


def jobs(rng, sizes, load, servers):
    """Poisson arrivals of jobs that take `sizes` steps, predicted exactly."""
    rate = load * servers / (sizes.mean() * STEP_S)
    return requests_at_ns(
        poisson_ns(rng, rate, len(sizes)),
        input_tokens=1,
        output_tokens=sizes,
        predicted_output_tokens=sizes,
    )


def mean_waits(trace, cluster, *routers):
    runs = replay(trace, cluster, routers=routers)
    return {
        info.router: outcome.read("queue_ns")["queue_ns"].mean() / 1e9 for info, outcome in runs
    }


def exponential(rng, n, mean):
    return np.ceil(rng.exponential(mean, n)).astype(np.int64)


by_steps = router("least_work_left", prefill_token_s=0, decode_token_s=1)


def test_more_choice_and_more_knowledge_wait_less():
    rng = np.random.default_rng(1)
    trace = jobs(rng, exponential(rng, 30_000, 20), 0.85, 8)
    waits = mean_waits(
        trace, queues(8), "random", "round_robin", "power_of_two", router("power_of_d", d=4),
        "least_requests", by_steps,
    )  # fmt: skip
    print({name: round(wait, 4) for name, wait in waits.items()})
    assert list(waits.values()) == sorted(waits.values(), reverse=True)
    assert waits["random"] > 1.2 * waits["round_robin"] > 1.2 * waits["least_requests"]


@pytest.mark.parametrize("load", [0.6, 0.85])
def test_least_work_left_is_a_central_queue(load):
    rng = np.random.default_rng(2)
    servers, sizes = 4, exponential(rng, 40_000, 50)
    waits = mean_waits(jobs(rng, sizes, load, servers), queues(servers), by_steps, "hold_until_fit")
    central = waits["hold_until_fit"]
    offered = load * servers
    blocked = offered**servers / math.factorial(servers) / (1 - load)
    erlang = blocked / (sum(offered**k / math.factorial(k) for k in range(servers)) + blocked)
    expected = erlang * sizes.mean() * STEP_S / (servers * (1 - load))
    print(f"load {load}: {waits}, Erlang C {expected:.4f} s")
    assert waits["least_work_left"] == pytest.approx(central, rel=0.01)
    assert central == pytest.approx(expected, rel=0.12)


def test_sita_e_wins_where_sizes_differ_wildly_and_loses_where_they_do_not():
    rng = np.random.default_rng(3)
    wild = np.where(rng.random(40_000) < 0.99, 10, 1000)
    waits = mean_waits(jobs(rng, wild, 0.7, 2), queues(2), "sita_e", by_steps)
    assert waits["sita_e"] < 0.5 * waits["least_work_left"]
    tame = np.full(20_000, 20)
    waits = mean_waits(jobs(rng, tame, 0.7, 2), queues(2), "sita_e", by_steps)
    assert waits["sita_e"] > 2 * waits["least_work_left"]


def test_a_dedicated_split_loses_when_the_mix_does_not_match_it():
    rng = np.random.default_rng(4)
    sizes = np.where(rng.random(10_000) < 0.5, 50, 500)  # the heavy half has 10 times the work
    waits = mean_waits(jobs(rng, sizes, 0.6, 2), queues(2), "dedicated_small_large", "round_robin")
    assert waits["dedicated_small_large"] > 2 * waits["round_robin"]


def test_stale_signals_turn_the_greedy_rule_from_best_to_worst():
    """Both rules read the same reports; two random choices suffer less from their age."""
    rng = np.random.default_rng(5)
    trace = jobs(rng, exponential(rng, 20_000, 20), 0.7, 16)  # a job takes 0.2 s
    two = router("power_of_two", signal=2)
    ages = [0.0, 0.02, 0.1, 0.5, 2.0]
    ratio, own = [], []
    for age in ages:
        cluster = queues(16, signal_interval_s=age)
        waits = mean_waits(trace, cluster, "least_tokens", two, "least_requests", "random")
        ratio.append(waits["least_tokens"] / waits["power_of_two"])
        own.append(waits["least_requests"])
    print("greedy / power of two by age:", dict(zip(ages, np.round(ratio, 2), strict=True)))
    assert ratio[0] < 0.7
    assert ratio[-1] > 2
    assert (np.array(ratio[:4]) < np.array(ratio[1:])).tolist()[0]
    assert waits["least_tokens"] > waits["random"] > waits["least_requests"]
    assert len(set(own)) == 1, "the router's own count has no age"


def test_noise_and_bias_of_predictions_cost_what_they_should():
    rng = np.random.default_rng(6)
    trace = jobs(rng, exponential(rng, 20_000, 50), 0.8, 4)
    noisy, mad = by_steps.with_params(noise=0.5), by_steps.with_params(noise=10)
    names = ["least_work_left", "least_work_left_2", "least_work_left_3"]
    waits = mean_waits(trace, queues(4), by_steps, noisy, mad, "random")
    exact, half, wild = (waits[name] for name in names)
    print(waits)
    assert exact < half < wild
    assert half < 2 * exact
    assert wild > 2 * exact


PREFILL_TOKEN_S, DECODE_STEP_S = 3.2e-4, 0.034
HEAVY_PREFILL_S, HEAVY_DECODE_S = 0.5, 5.0
PROMPTS, OUTPUTS = {"L": 700, "H": 1600}, {"L": 130, "H": 210}
"""Lengths of the founding paper's study, which it does not print: the ones here are of its classes."""


def two_instance_study(classes):
    """Makespans of the founding paper's study of 3,000 requests, 20 a second, on two V100 of 32 GB."""
    outputs = np.array([OUTPUTS[name[1]] for name in classes])
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": np.arange(len(classes)) * 50_000_000,
                "input_tokens": np.array([PROMPTS[name[0]] for name in classes]),
                "output_tokens": outputs,
                "predicted_output_tokens": outputs,
            }
        )
    )
    v100 = LatencyModel.linear(
        constant_s=DECODE_STEP_S, prefill_token_s=PREFILL_TOKEN_S, decode_context_s=6e-7
    )
    cluster = Cluster.uniform(
        2, v100, kv_blocks=1750, max_num_seqs=128, step_overhead_s=0.0, **SYNCHRONOUS
    )
    cut = router("dedicated_small_large", heavy_output_tokens=HEAVY_DECODE_S / DECODE_STEP_S)
    ends = {}
    for info, outcome in replay(trace, cluster, routers=[cut, "round_robin", "decode_balancer"]):
        frame = outcome.read("arrival_ns", "e2e_ns")
        ends[info.router] = (frame["arrival_ns"] + frame["e2e_ns"]).max() / 1e9
    return ends


@pytest.mark.parametrize("order", ["LH,HL", "LH then HL", "HL then LH", "all"])
def test_the_founding_papers_dedicated_split_is_the_worst(order):
    """13 to 33 % over round robin in the paper, the least with four classes (13 to 16 %).

    The split is by decode alone. With two classes each instance serves one of them, and how much longer
    the busier one takes is the difference of a prompt and a decode. With four classes both instances
    serve light and heavy prompts, and what remains is the difference of a heavy and a light decode:
    with outputs of 600 and 20 tokens it is 77 %, with outputs near the paper's cut of 5 s it is the
    paper's 13 %.
    """
    light, heavy = PROMPTS["L"] * PREFILL_TOKEN_S, PROMPTS["H"] * PREFILL_TOKEN_S
    assert light < HEAVY_PREFILL_S <= heavy
    assert OUTPUTS["L"] * DECODE_STEP_S < HEAVY_DECODE_S <= OUTPUTS["H"] * DECODE_STEP_S
    rng = np.random.default_rng(0)
    classes = {
        "LH,HL": rng.choice(["LH", "HL"], 3000),
        "LH then HL": np.repeat(["LH", "HL"], 1500),
        "HL then LH": np.repeat(["HL", "LH"], 1500),
        "all": rng.choice(["LL", "LH", "HL", "HH"], 3000),
    }[order]
    ends = two_instance_study(classes)
    excess = ends["dedicated_small_large"] / ends["round_robin"] - 1
    print(order, {name: round(seconds, 1) for name, seconds in ends.items()}, f"{excess:+.1%}")
    assert 0.13 <= excess <= 0.33
    assert (excess < 0.2) == (order == "all")
    assert ends["decode_balancer"] == pytest.approx(ends["round_robin"], rel=0.04)
