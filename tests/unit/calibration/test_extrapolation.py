"""Calibrated under light load, replayed under heavy: intervals hold what the light load did not show."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support.calibrations import means_alone
from support.clusters import SYNCHRONOUS
from support.traces import requests_at_ns

import workloadlab as wl
from workloadlab.calibration import calibrate, describe
from workloadlab.errors import ExtrapolationWarning
from workloadlab.latency.envelope import ends
from workloadlab.scoring import fidelity

LATENCIES = ("ttft_s", "tpot_s", "e2e_s")
ENGINE = SYNCHRONOUS | {"max_num_seqs": 256, "max_num_batched_tokens": 2048, "kv_blocks": 20_000}


def served(latency, rate, requests, seed):
    """A log that an engine with a measured latency model made; it is no line."""
    rng = np.random.default_rng(seed)
    log = requests_at_ns(
        (rng.exponential(1 / rate, requests).cumsum() * 1e9).astype(int),
        input_tokens=rng.integers(50, 3000, requests),
        output_tokens=rng.integers(50, 300, requests),
    )
    cluster = wl.Cluster.uniform(1, latency, **ENGINE)
    return wl.replay(log, cluster, routers=["round_robin"]).traces[0], cluster


@pytest.fixture(scope="module", params=["h100-llama-3.1-8b", "rtxpro6000-qwen3-30b-a3b"])
def light_and_heavy(request):
    log, cluster = served(request.param, 2.0, 120, seed=1)
    with means_alone():
        model = calibrate(log, cluster)
    return model, served(request.param, 12.0, 400, seed=2)[0]


def errors(cluster, log):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        run = wl.replay(log, cluster, routers=["round_robin"]).traces[0]
    found = fidelity(run, log)
    return [found[name]["mean_error"] for name in LATENCIES]


def test_the_truth_of_a_heavy_load_lies_between_the_ends(light_and_heavy):
    model, heavy = light_and_heavy
    cluster = wl.Cluster.uniform(1, model, **ENGINE)
    least, most = (errors(end, heavy) for end in cluster.ends())
    assert max(least) < 0 < min(most)
    assert [least, errors(cluster, heavy), most] == sorted(
        [least, errors(cluster, heavy), most], key=lambda found: found[1]
    )


def test_a_replay_says_that_it_leaves_the_log(light_and_heavy):
    model, heavy = light_and_heavy
    cluster = wl.Cluster.uniform(1, model, **ENGINE)
    with pytest.warns(ExtrapolationWarning, match=r"of the steps of round_robin__x1\.0__s0 leave"):
        wl.replay(heavy, cluster, routers=["round_robin"])
    assert "a replay says how far it leaves these" in " ".join(describe(model).split())


def test_a_scaled_model_says_so_too_and_holds_the_truth():
    """It knows larger batches from another GPU, whose error at the log's it has learnt."""
    log, cluster = served("h100-llama-3.1-8b", 2.0, 120, seed=1)
    with means_alone():
        model = calibrate(log, cluster, start="h200-llama-3.1-8b")
    heavy, _ = served("h100-llama-3.1-8b", 12.0, 400, seed=2)
    cluster = wl.Cluster.uniform(1, model, **ENGINE)
    with pytest.warns(ExtrapolationWarning, match="leave those of the log"):
        wl.replay(heavy, cluster, routers=["round_robin"])
    least, most = (errors(end, heavy) for end in cluster.ends())
    print(errors(cluster, heavy), least, most)
    assert max(least) < 0 < min(most)


def test_a_model_that_was_not_calibrated_has_no_ends():
    model = wl.LatencyModel.load("h100-llama-3.1-8b")
    cluster = wl.Cluster.uniform(2, model)
    assert ends(model) == (model, model)
    assert cluster.ends() == (cluster, cluster)
