"""Four arms of what routers are told of output lengths."""

from __future__ import annotations

import numpy as np

import workloadlab as wl
from workloadlab.learning.arms import ARMS, length_arms
from workloadlab.learning.blocks import time_blocks


def test_the_four_arms_differ_only_in_what_routers_are_told():
    rng = np.random.default_rng(0)
    trace = wl.Trace.of(
        [(0.05 * k, 10 + 90 * (k % 2), int(5 + 100 * (k % 2) * rng.random())) for k in range(600)]
    )
    model = wl.LatencyModel.linear(constant_s=0.01, decode_seq_s=1e-3)
    cluster = wl.Cluster.uniform(2, model)
    found = length_arms(trace, cluster, ["round_robin", "least_tokens"])
    assert found.height == 8
    blind = found.filter(router="round_robin")
    assert blind["lengths"].to_list() == list(ARMS)
    assert blind["e2e_mean_s"].n_unique() == 1
    told = found.filter(router="least_tokens")
    assert told["e2e_mean_s"].n_unique() > 1
    test = time_blocks(trace).test
    truth = test.frame.with_columns(predicted_output_tokens="output_tokens").collect()
    there = wl.Trace.from_frame(truth, provenance=test.provenance)
    [mean] = wl.replay_metrics(there, cluster, routers=["least_tokens"])["e2e_mean_s"]
    assert told["e2e_mean_s"][3] == mean
