"""Noise in an engine's steps: found in the log, and wide enough in the intervals."""

from __future__ import annotations

import numpy as np
import pytest
from support.calibrations import TRUTH, noisy

from workloadlab.calibration.findings import parameter_table
from workloadlab.calibration.noise import noisy_moves
from workloadlab.calibration.observe import observe
from workloadlab.calibration.optimizer import search, steady_pair
from workloadlab.calibration.parameters import from_scratch
from workloadlab.calibration.problem import Problem
from workloadlab.calibration.reconstruction import reconstruct
from workloadlab.calibration.task import target_of
from workloadlab.routing import SHELF

LOGS = 6


def descent(seed, load, noise=0.03):
    """A fit from the truth, without evolution: where the search of a calibration ends, at its best."""
    log, cluster = noisy(seed, load, requests=60, noise=noise)
    observed = observe(log, cluster, routed=False)
    work = reconstruct(observed, cluster.pools[0], observed.scored)
    parameters = from_scratch(work, cluster.pools[0].added_overhead_s)
    problem = Problem(observed, cluster, SHELF["round_robin"], parameters, observed.scored)
    truth = np.array(list(TRUTH.values())) / parameters.whole
    target = target_of(problem)
    return problem, target, search(target, (truth,), trials=0), truth


@pytest.fixture(scope="module")
def fits():
    return [descent(seed, 0.9) for seed in range(LOGS)]


def noise_and_moves(problem, target, fit):
    return noisy_moves(problem, target, fit, steady_pair(target, fit.shares))


def test_the_noise_is_found_and_moves_fits_as_far_as_it_does(fits):
    """One short log shows its size to a factor of two or three, the mean of some to a half."""
    found = [noise_and_moves(problem, target, fit) for problem, target, fit, _ in fits]
    levels = [noise.level for noise, _ in found]
    assert np.exp(np.mean(np.log(levels))) == pytest.approx(0.03, rel=0.5)
    errors = [fit.shares[0] / truth[0] - 1 for *_, fit, truth in fits]
    spreads = [
        moves[:, 0].std() / truth[0] for (_, moves), (*_, truth) in zip(found, fits, strict=True)
    ]
    assert np.mean(spreads) == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=0.6)


def test_a_log_without_noise_shows_none():
    problem, target, fit, _ = descent(1, 0.9, noise=0.0)
    noise, moves = noise_and_moves(problem, target, fit)
    assert noise.level < 1e-3
    assert moves[:, 0].std() < 1e-3 * fit.shares[0]


def test_intervals_hold_under_3_percent_of_noise(fits):
    held = [
        [
            row["low"] <= value <= row["high"]
            for row, value in zip(
                parameter_table(problem, target, fit), TRUTH.values(), strict=True
            )
        ]
        for problem, target, fit, _ in fits
    ]
    assert np.sum(held, axis=0).min() >= LOGS - 1
    assert np.mean(held) >= 0.9
