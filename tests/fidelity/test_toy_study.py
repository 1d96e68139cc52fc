"""After the toy study of Jain et al. 2024: eight requests, two instances, every assignment.

The paper reports, summed over the requests, 27.03 s for the best assignment, 29.81 s for the mean of all
and 32.34 s for the worst: the best is 9.3 % below the mean. It publishes neither the lengths nor the
timings behind these totals, and its gradients give other ones: a request of its range takes 2 s with
them, not 3.7 s. So there are two studies here. With the gradients as published the best assignment is
2.6 to 4.5 % below the mean. With decode time over context, a slope on which the paper's own figures
disagree, fitted to the mean total, it is 11 to 15 % below, and 8 % where each instance gets four
requests. Only the latter has a worst assignment like the paper's.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from support.clusters import SYNCHRONOUS
from support.traces import requests_every

import workloadlab as wl
from workloadlab.oracles import all_assignments

PUBLISHED = {"constant_s": 0.034, "prefill_token_s": 3.2e-4, "decode_context_s": 3.3e-5}
"""The paper's gradients for Llama-2-7b on a V100."""

BEST_S, MEAN_S, WORST_S = 27.03, 29.81, 32.34
SEEDS = range(5)


@cache
def assignments(seed, decode_context_s):
    rng = np.random.default_rng(seed)
    trace = requests_every(
        1, 8, input_tokens=rng.integers(10, 101, 8), output_tokens=rng.integers(10, 101, 8)
    )
    model = wl.LatencyModel.linear(**{**PUBLISHED, "decode_context_s": decode_context_s})
    every = all_assignments(trace, wl.Cluster.uniform(2, model, step_overhead_s=0.0, **SYNCHRONOUS))
    assert len(every.total_s) == 128
    return every


def halves(every):
    """Totals of the assignments that give each instance four requests."""
    return every.total_s[every.instance.sum(axis=1) == 4]


@pytest.mark.parametrize("seed", SEEDS)
def test_with_the_published_gradients_the_best_is_below_the_mean_of_all(seed):
    every = assignments(seed, PUBLISHED["decode_context_s"])
    gain = 1 - every.best_s / every.mean_s
    print(
        f"best {every.best_s:.2f}, mean {every.mean_s:.2f}, worst {every.worst_s:.2f} s: {gain:.1%}"
    )
    assert 0.02 < gain < 0.05
    alone = (every.instance == 0).all(axis=1)
    assert every.total_s[alone] == every.worst_s


def test_with_interference_fitted_to_the_mean_the_best_is_as_far_below_as_in_the_paper():
    """One number is fitted to the mean total; the spread is what comes out."""

    def mean_s(factor):
        slope = factor * PUBLISHED["decode_context_s"]
        return np.mean([assignments(seed, slope).mean_s for seed in SEEDS])

    factors = np.linspace(4, 6, 9)
    factor = factors[np.argmin([abs(mean_s(f) - MEAN_S) for f in factors])]
    fitted = [assignments(seed, factor * PUBLISHED["decode_context_s"]) for seed in SEEDS]
    gains = [1 - every.best_s / every.mean_s for every in fitted]
    even = [1 - halves(every).min() / halves(every).mean() for every in fitted]
    best_s = np.mean([every.best_s for every in fitted])
    print(
        f"slope x{factor:g}: mean {mean_s(factor):.2f} s, best {best_s:.2f} s; all "
        f"{np.mean(gains):.1%} ({min(gains):.1%} to {max(gains):.1%}), four each {np.mean(even):.1%}"
    )
    assert mean_s(factor) == pytest.approx(MEAN_S, rel=0.02)
    assert best_s == pytest.approx(BEST_S, rel=0.05)
    assert np.mean(even) < 1 - BEST_S / MEAN_S < np.mean(gains)
    assert 0.08 < min(gains) < max(gains) < 0.16
    worst = np.mean([every.worst_s for every in fitted])
    worst_even = np.mean([halves(every).max() for every in fitted])
    print(f"worst {worst:.2f} s, four each {worst_even:.2f} s, paper {WORST_S} s")
    assert worst_even == pytest.approx(WORST_S, rel=0.05)
