"""Intervals hold what they should as often as they say, and are refused where requests are too few."""

from __future__ import annotations

import numpy as np
import pytest

from workloadlab.scoring.intervals import (
    mean_interval,
    percentile_interval,
    percentile_intervals,
    wilson_interval,
)
from workloadlab.scoring.windows import Error, standard_error, window_sums

REPEATS = 400


def coverage(interval, draw, truth):
    found = [interval(draw()) for _ in range(REPEATS)]
    known = [one for one in found if one.low is not None]
    assert len(known) > 0.9 * REPEATS
    return np.mean([one.low <= truth <= one.high for one in known])


def test_the_interval_of_a_share_holds_the_share():
    for n in range(1, 400):
        assert wilson_interval(np.ones(n)).high == 1.0
        assert wilson_interval(np.zeros(n)).low == 0.0


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_percentile_intervals_hold_the_quantile(level):
    rng = np.random.default_rng(3)
    held = coverage(
        lambda values: percentile_interval(values, level),
        lambda: rng.exponential(size=1000),
        -np.log(1 - level),
    )
    assert 0.925 <= held <= 0.975


def test_a_mean_and_a_share_are_held():
    rng = np.random.default_rng(4)
    assert 0.925 <= coverage(mean_interval, lambda: rng.exponential(size=1000), 1.0) <= 0.975
    marks = lambda: (rng.random(800) < 0.97).astype(float)  # noqa: E731
    assert 0.925 <= coverage(wilson_interval, marks, 0.97) <= 0.975


def test_neighbours_that_share_their_fate_widen_an_interval():
    rng = np.random.default_rng(5)
    alone = rng.exponential(size=4000)
    together = np.repeat(rng.exponential(size=40), 100)
    for level in (0.5, 0.9):
        narrow, wide = (percentile_interval(values, level) for values in (alone, together))
        assert wide.low is None or wide.high - wide.low > 3 * (narrow.high - narrow.low)
    assert mean_interval(together).high > mean_interval(alone).high


@pytest.mark.parametrize(
    ("n", "level", "said"),
    [
        (71, 0.99, "p99 of 71 requests is their maximum; an interval needs 368."),
        (200, 0.99, "p99 of 200 requests is too near their maximum; an interval needs 368."),
        (0, 0.5, "no request has it."),
    ],
)
def test_a_percentile_of_few_requests_is_refused(n, level, said):
    found = percentile_interval(np.arange(float(n)), level)
    assert (found.low, found.high, found.why) == (None, None, said)


def test_values_that_are_missing_are_left_out():
    values = np.arange(1000.0)
    holes = np.insert(values, [10, 500], np.nan)
    assert percentile_interval(holes, 0.9).requests == 1000
    assert mean_interval(holes).requests == 1000


def test_a_difference_that_lasts_as_long_as_the_log_has_a_large_error():
    walk = np.cumsum(np.random.default_rng(0).normal(size=2400))
    plain = np.random.default_rng(1).normal(size=2400) * walk.std()
    walk_error, plain_error = (standard_error((v - v.mean()) / len(v)) for v in (walk, plain))
    assert walk_error.se > 10 * plain_error.se


def test_an_error_that_one_correlation_denies_has_an_interval():
    error = Error(np.array([0.0, 1.0]), np.array([0.5, 0.5]), 14)
    assert error.p_value(0.0) == 1.0
    assert 0 < error.margin < Error(np.array([1.0]), np.array([1.0]), 14).margin


def test_windows_are_the_same_from_marks_and_from_numbers():
    marks = np.random.default_rng(0).random(1000) < 0.3
    assert window_sums(marks).dtype == np.int64
    assert np.array_equal(window_sums(marks), window_sums(marks.astype(float)))
    assert window_sums(marks).sum() == marks.sum()


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_several_percentiles_at_once_are_those_one_by_one_and_numpys_lie_within(missing):
    values = np.random.default_rng(1).exponential(size=2000)
    values[np.random.default_rng(2).random(2000) < missing] = np.nan
    levels = (0.5, 0.9, 0.95, 0.99)
    for level, found in zip(levels, percentile_intervals(values, levels), strict=True):
        assert found == percentile_interval(values, level)
        assert found.low < np.nanquantile(values, level) < found.high
