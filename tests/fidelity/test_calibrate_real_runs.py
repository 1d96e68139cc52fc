"""Calibration on the timings of real runs: fitted on the first half, judged on the second."""

from __future__ import annotations

import pytest

import workloadlab as wl
from workloadlab.calibration import calibrate, describe

RUNS = "llmservingsim/bench/RTXPRO6000"
SOUGHT = wl.LatencyModel.linear()


def calibrated(shared_data, model, instances, *, router=None):
    log = wl.ingest(shared_data / RUNS / model / "vllm" / "requests.jsonl")
    cluster = wl.Cluster.uniform(instances, SOUGHT, max_num_seqs=128, max_num_batched_tokens=2048)
    found = calibrate(log, cluster, router=router)
    print(describe(found))
    return found.system["calibration"]["held_out"]


@pytest.mark.data
def test_later_half_of_the_llama_run(shared_data):
    held_out = calibrated(shared_data, "Llama-3.1-8B", 1)
    for name, facts in held_out.items():
        assert abs(facts["mean_error"]) < 0.05, name


@pytest.mark.data
def test_later_half_of_the_run_with_experts_on_two_ranks(shared_data):
    """The ranks step together, the simulation lets each step on its own.

    A step then costs what the busier rank costs; the constant absorbs the difference as long as the
    router keeps the two nearly equal.
    """
    held_out = calibrated(shared_data, "Qwen3-30B-A3B-Instruct-2507", 2, router="least_requests")
    for name, facts in held_out.items():
        assert abs(facts["mean_error"]) < 0.05, name


@pytest.mark.data
def test_the_first_half_alone_predicts_the_second(shared_data):
    """A log that was cut: what came after it is unknown and taken to be as before."""
    log = wl.ingest(shared_data / RUNS / "Llama-3.1-8B" / "vllm" / "requests.jsonl")
    limits = {"max_num_seqs": 128, "max_num_batched_tokens": 2048}
    middle = log.read("arrival_ns")["arrival_ns"][150] / 1e9
    model = calibrate(log.window(0, middle), wl.Cluster.uniform(1, SOUGHT, **limits))
    runs = wl.replay(log, wl.Cluster.uniform(1, model, **limits), routers=["round_robin"])
    ours, real = (
        trace.window(middle, 1e6).read("ttft_ns", "e2e_ns").mean().row(0)
        for trace in (runs.traces[0], log)
    )
    for simulated, observed in zip(ours, real, strict=True):
        assert simulated == pytest.approx(observed, rel=0.05)
