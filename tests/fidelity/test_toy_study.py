"""After the toy study of Jain et al. 2024: eight requests, two instances, every assignment.

The paper reports the best assignment about 10 % below the mean. With its published gradients and lengths
drawn from its range the gain is 2.6 to 4.5 %: its lengths and totals are not published.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest

import workloadlab as wl

V100 = wl.LatencyModel.linear(
    constant_s=0.034, prefill_token_s=3.2e-4, decode_context_s=3.3e-5, prefill_context_s=0.0
)
"""The paper's gradients for Llama-2-7b on a V100."""


@wl.router(kind="choose", params=[0] * 8)
def assigned(request, instances, params):
    return int(params[request.row])


def total_s(outcome):
    return outcome.read("e2e_ns")["e2e_ns"].sum() / 1e9


@pytest.mark.parametrize("seed", range(5))
def test_the_best_assignment_is_well_below_the_mean_of_all(seed):
    rng = np.random.default_rng(seed)
    trace = wl.Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": np.arange(8) * 10**9,
                "input_tokens": rng.integers(10, 101, 8),
                "output_tokens": rng.integers(10, 101, 8),
            }
        )
    )
    cluster = wl.Cluster.uniform(2, V100, step_overhead_s=0.0)
    partitions = [(0, *rest) for rest in product((0, 1), repeat=7)]
    runs = wl.replay(trace, cluster, routers=[assigned.with_params(*p) for p in partitions])
    totals = np.array([total_s(outcome) for _, outcome in runs])
    assert len(totals) == 128
    gain = 1 - totals.min() / totals.mean()
    print(
        f"best {totals.min():.2f}, mean {totals.mean():.2f}, worst {totals.max():.2f} s: {gain:.1%}"
    )
    assert 0.02 < gain < 0.2
    alone = (0,) * 8
    assert totals[partitions.index(alone)] == totals.max()
