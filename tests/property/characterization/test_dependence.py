"""Counts, memory, bursts and fits against slow versions and against processes of known law."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.burstiness import find_bursts, pick_gaps, rescale_time
from workloadlab.characterization.statistics.clock import Clock
from workloadlab.characterization.statistics.counts import Arrived, complete_counts, count_rates
from workloadlab.characterization.statistics.dependence import (
    autocorrelation,
    count_acf,
    estimate_hurst,
    find_periods,
)
from workloadlab.characterization.statistics.estimates import Sample
from workloadlab.characterization.statistics.families import FAMILIES
from workloadlab.characterization.statistics.fits import fit_families, kolmogorov_smirnov, sample_of
from workloadlab.characterization.statistics.weekly import hour_by_weekday

SECOND = 1_000_000_000
FINE = Clock(tick_s=None, tie_share=0.0, distinct=0, mean_gap_s=None)

offsets = st.lists(st.integers(0, 400 * SECOND), min_size=2, max_size=80).map(
    lambda times: np.array([0, *sorted(times)])
)


def poisson(n: int, rate: float, seed: int) -> np.ndarray:
    gaps = np.random.default_rng(seed).exponential(SECOND / rate, n)
    times = np.cumsum(gaps).astype(np.int64)
    return times - times[0]


@given(offsets, st.sampled_from([1, 10, 60]))
def test_complete_counts(times: np.ndarray, width_s: int) -> None:
    slow = []
    while (len(slow) + 1) * width_s * SECOND <= times[-1]:
        low = len(slow) * width_s * SECOND
        slow.append(sum(low <= t < low + width_s * SECOND for t in times.tolist()))
    fast = complete_counts(Arrived(times), width_s)
    assert (fast is None and not slow) or fast.tolist() == slow
    rates = count_rates(Arrived(times), FINE)[str(width_s)]
    if len(slow) >= 2 and sum(slow):
        assert (rates.bins, rates.min, rates.max) == (len(slow), min(slow), max(slow))
        assert rates.zero_share == pytest.approx(slow.count(0) / len(slow), abs=1e-12)
    else:
        assert rates is None


@given(st.lists(st.integers(0, 30), min_size=10, max_size=60))
def test_autocorrelation(values: list[int]) -> None:
    fast = autocorrelation(np.array(values), 60)
    assert len(fast) == len(values) // 4
    for lag, value in enumerate(fast, start=1):
        early, late = values[:-lag], values[lag:]
        if len(set(early)) == 1 or len(set(late)) == 1:
            assert value is None
        else:
            slow = statistics.correlation(early, late)
            assert value == pytest.approx(slow, rel=1e-9, abs=1e-9)


def test_autocorrelation_of_counts_whose_products_leave_64_bits() -> None:
    small = np.array([1, 4, 2, 8, 5, 7, 1, 4, 9, 3, 2, 6])
    large = autocorrelation(small * 2_000_000_000, 3)
    assert large == pytest.approx(autocorrelation(small, 3), rel=1e-12)


def test_poisson_has_no_memory_and_no_bursts() -> None:
    times = poisson(40_000, 10.0, 1)
    assert estimate_hurst(Arrived(times), FINE).value == pytest.approx(0.5, abs=0.05)
    assert abs(count_acf(Arrived(times), FINE)["1"][0]) < 0.05
    rescaled = rescale_time(Arrived(times), *pick_gaps(times), FINE)["60"]
    assert rescaled.ks < 1.63 / math.sqrt(rescaled.gaps)
    assert rescaled.cv == pytest.approx(1.0, abs=0.03)
    assert find_bursts(Arrived(times), FINE).request_share < 0.001


def test_variance_time_by_hand() -> None:
    times = poisson(3000, 5.0, 2)
    for window_s, variance in estimate_hurst(Arrived(times), FINE).variance_time:
        merged = round(window_s / 0.1)
        base = complete_counts(Arrived(times), 0.1)
        bins = len(base) // merged
        means = base[: bins * merged].reshape(bins, merged).mean(axis=1)
        assert variance == pytest.approx(means.var(), rel=1e-9)


def test_a_varying_rate_is_no_burstiness_once_rescaled() -> None:
    rng = np.random.default_rng(3)
    pieces, start = [], 0
    for minute in range(60):
        n = rng.poisson(60 * (5 + 4 * math.sin(minute / 5)))
        pieces.append(start + np.sort(rng.integers(0, 60 * SECOND, n)))
        start += 60 * SECOND
    times = np.concatenate(pieces)
    times -= times[0]
    gaps = np.diff(times)
    rescaled = rescale_time(Arrived(times), *pick_gaps(times), FINE)["60"]
    assert gaps.std() / gaps.mean() > 1.15
    assert rescaled.cv == pytest.approx(1.0, abs=0.03)


def test_a_burst_is_found_where_it_was_put() -> None:
    times = poisson(20_000, 10.0, 4)
    burst = 700 * SECOND + np.arange(400) * 12_500_000
    together = np.sort(np.concatenate((times, burst)))
    found = find_bursts(Arrived(together), FINE)
    assert (found.count, found.bin_s, found.longest_s) == (1, 1.0, 5.0)
    assert found.highest > 5
    assert found.request_share == pytest.approx(450 / 20_400, abs=0.004)


def test_a_cycle_is_found() -> None:
    t = np.arange(0, 40_000)
    counts = np.random.default_rng(5).poisson(3 * (1 + np.sin(2 * np.pi * t / 800)))
    times = np.repeat(t, counts) * SECOND
    period = find_periods(Arrived(times - times[0]), FINE)[0]
    assert period.period_s == pytest.approx(800, rel=0.02)
    assert period.power_share > 0.3


def test_hours_by_hand() -> None:
    start = int(datetime(2026, 3, 4, 22, 30, tzinfo=UTC).timestamp()) * SECOND  # a Wednesday
    arrival = np.arange(0, 10 * 86_400, 977) * SECOND
    found = hour_by_weekday(arrival, start)
    for t in arrival[:: len(arrival) // 50].tolist():
        moment = datetime.fromtimestamp((start + t) // SECOND, UTC)
        assert found.requests[moment.weekday()][moment.hour] > 0
    assert sum(map(sum, found.requests)) == len(arrival)
    assert sum(map(sum, found.covered_s)) == pytest.approx(arrival[-1] / SECOND)
    assert found.covered_s[2][22] == pytest.approx(1800 + 3600)
    assert isinstance(hour_by_weekday(arrival, None), Unsupported)


DRAWS = {
    "exponential": ("scale",),
    "gamma": ("shape", "scale"),
    "weibull": ("shape", "scale"),
    "lognormal": ("mu", "sigma"),
    "hyperexponential": ("share", "scale_short", "scale_long"),
}
TRUTH = {
    "exponential": [300.0],
    "gamma": [0.6, 500.0],
    "weibull": [1.7, 80.0],
    "lognormal": [5.0, 1.3],
    "hyperexponential": [0.7, 0.1, 3.0],
}


@pytest.mark.parametrize("name", DRAWS)
def test_known_parameters_are_recovered(name: str) -> None:
    rng = np.random.default_rng(11)
    drawn = np.sort(FAMILIES[name].draw(rng, 20_000, np.array(TRUTH[name])))
    fits = fit_families(sample_of(Frequencies.of(drawn)), list(DRAWS))
    fit = next(fit for fit in fits if fit.family == name)
    assert fit.aic <= fits[0].aic + 4
    assert fit.ks < 1.5 / math.sqrt(20_000)
    assert fit.bootstrap_p > 0.05
    for parameter, truth in zip(DRAWS[name], TRUTH[name], strict=True):
        low, high = fit.intervals[parameter]
        assert low < truth < high, parameter
        assert high - low < 0.2 * max(1, abs(truth))


@pytest.mark.parametrize("name", ["exponential", "gamma", "weibull", "lognormal"])
def test_known_parameters_are_recovered_under_a_cap(name: str) -> None:
    drawn = FAMILIES[name].draw(np.random.default_rng(12), 8000, np.array(TRUTH[name]))
    cap = float(np.quantile(drawn, 0.8))
    capped = np.sort(np.minimum(drawn, cap))
    (fit,) = fit_families(sample_of(Frequencies.of(capped), limit=cap), [name])
    (blind,) = fit_families(sample_of(Frequencies.of(capped)), [name])
    assert fit.censored_at == cap
    assert fit.ks < blind.ks
    for parameter, truth in zip(DRAWS[name], TRUTH[name], strict=True):
        low, high = fit.intervals[parameter]
        assert low < truth < high, parameter


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.draw])
def test_samples_estimated_as_rows_are_estimated_alike_alone(name: str) -> None:
    family, rng = FAMILIES[name], np.random.default_rng(17)
    drawn = np.sort(rng.lognormal(3, 1.2, (7, 200)))
    together = family.estimate(Sample(drawn, np.ones(200)))
    alone = [family.estimate(Sample(row, np.ones(200))) for row in drawn]
    np.testing.assert_allclose(together, np.transpose(alone), rtol=1e-5)
    apart = kolmogorov_smirnov(
        Sample(drawn, np.ones(200)), family.survival(drawn, together[..., np.newaxis])
    )
    each = [
        kolmogorov_smirnov(Sample(row, np.ones(200)), family.survival(row, estimate))
        for row, estimate in zip(drawn, alone, strict=True)
    ]
    np.testing.assert_allclose(apart, each, rtol=1e-4)


def test_a_pareto_tail_is_recovered() -> None:
    rng = np.random.default_rng(13)
    body, tail = rng.lognormal(5, 0.8, 18_000), 2000 * rng.random(2000) ** (-1 / 1.2)
    fit = fit_families(
        sample_of(Frequencies.of(np.sort(np.concatenate((body, tail))))), ["pareto_lognormal"]
    )[0]
    assert fit.params["mu"] == pytest.approx(5, abs=0.1)
    assert fit.params["alpha"] == pytest.approx(1.2, abs=0.15)
    assert fit.params["tail_share"] == pytest.approx(0.1, abs=0.03)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=60, max_size=200))
def test_kolmogorov_smirnov_agrees_with_scipy(values: list[int]) -> None:
    from scipy import stats

    distinct, counts = np.unique(np.array(values, dtype=float), return_counts=True)
    sample = Sample(distinct, counts.astype(float))
    fast = kolmogorov_smirnov(sample, np.exp(-distinct / 9))
    assert fast == pytest.approx(stats.kstest(values, "expon", args=(0, 9)).statistic, rel=1e-9)


def test_samples_too_small_or_too_equal_are_not_fitted() -> None:
    assert sample_of(Frequencies.of(np.arange(1, 40))) is None
    assert sample_of(Frequencies.of(np.full(500, 7))) is None
    assert sample_of(Frequencies.of(np.zeros(500))) is None
    assert sample_of(Frequencies.of(np.arange(500) * 1e-9)).values[0] == 1e-9


def test_thinning_keeps_the_tail_and_the_mean() -> None:
    drawn = np.sort(np.random.default_rng(14).pareto(1.1, 300_000))
    sample = sample_of(Frequencies.of(drawn))
    assert sample.total == pytest.approx(300_000)
    assert len(sample.values) <= 20_000
    assert sample.values[-1] == drawn[-1]
    assert sample.mean(sample.values) == pytest.approx(drawn.mean(), rel=1e-3)
    tied = sample_of(Frequencies.of(np.sort(np.random.default_rng(15).integers(0, 100, 300_000))))
    assert tied.values.tolist() == list(range(1, 100))
    assert tied.total == tied.weights.sum() < 300_000


def test_a_column_that_mostly_lies_at_its_limit_is_not_fitted() -> None:
    ascending = np.sort(np.minimum(np.random.default_rng(0).integers(1, 1000, 2000), 100))
    assert sample_of(Frequencies.of(ascending), limit=100) is None
    assert sample_of(Frequencies.of(ascending), limit=None) is not None
