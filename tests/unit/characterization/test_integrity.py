"""Findings: each is raised by data made to raise it, and not by its innocent neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from support.traces import requests_at_ns

from workloadlab import Profile, Trace, characterize
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.caps import find_cap
from workloadlab.characterization.statistics.clock import read_clock
from workloadlab.trace import Flag, Provenance

if TYPE_CHECKING:
    from workloadlab.characterization import Finding

SECOND = 1_000_000_000


def poisson_ns(n: int, mean_s: float, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).exponential(mean_s * SECOND, n)).astype(np.int64)


def profile_of(arrival_ns: np.ndarray, **columns: object) -> Profile:
    given = {"input_tokens": 10, "output_tokens": None} | columns
    return characterize(requests_at_ns(arrival_ns, **given))


def finding(profile: Profile, code: str) -> Finding | None:
    return next((f for f in profile.integrity.findings if f.code == code), None)


@pytest.mark.parametrize("tick_s", [1.0, 0.25, 10.0])
def test_rounded_clock_is_found(tick_s: float) -> None:
    tick = round(tick_s * SECOND)
    profile = profile_of(poisson_ns(2000, 0.5) // tick * tick)
    found = finding(profile, "clock_tick")
    assert found.numbers["tick_s"] == tick_s
    for width, value in profile.arrivals.dispersion.items():
        assert (value is None) == (float(width) < 2 * tick_s or float(width) > 500), width
    assert (profile.arrivals.iat_s.cv is None) == (profile.arrivals.iat_s.mean < 2 * tick_s)


def test_several_clocks_of_ttft_are_found() -> None:
    times = np.arange(4) * SECOND
    mixed = profile_of(times, ttft_ns=5, ttft_clock=["client", "engine", None, "client"])
    assert finding(mixed, "mixed_clocks").numbers == {"clocks": ["client", "engine"]}
    assert finding(profile_of(times, ttft_ns=5, ttft_clock="client"), "mixed_clocks") is None


def test_jittered_clock_is_found() -> None:
    rng = np.random.default_rng(1)
    stamps = np.arange(400) * 3 * SECOND + rng.integers(-3, 4, 400) * 1_000_000
    stamps -= stamps[0]
    found = finding(profile_of(np.repeat(stamps, 8)), "clock_tick")
    assert found.numbers["tick_s"] == pytest.approx(3.0, rel=1e-3)
    assert found.numbers["tie_share"] == pytest.approx(7 / 8, abs=0.01)


def test_millisecond_clock_at_a_low_rate_is_no_finding() -> None:
    profile = profile_of(poisson_ns(2000, 0.5) // 1_000_000 * 1_000_000)
    assert profile.integrity.tick_s == 0.001
    assert finding(profile, "clock_tick") is None
    assert profile.arrivals.iat_s.cv == pytest.approx(1.0, abs=0.1)


def test_batches_on_a_fine_clock_are_no_tick() -> None:
    profile = profile_of(np.repeat(poisson_ns(500, 1.0), 4))
    assert finding(profile, "clock_tick") is None
    assert finding(profile, "simultaneous").numbers["tie_share"] == pytest.approx(0.75, abs=0.01)


def test_a_handful_of_round_times_is_no_evidence() -> None:
    assert read_clock(np.array([0, 2, 4, 10, 20]) * SECOND).tick_s is None


def test_windowed_cv_is_withheld_where_its_gaps_are_under_two_ticks() -> None:
    busy = poisson_ns(3000, 0.5) // SECOND * SECOND
    sparse = busy[-1] + np.arange(1, 31) * 3600 * SECOND
    arrivals = profile_of(np.concatenate((busy, sparse))).arrivals
    assert arrivals.iat_s.cv is not None
    assert arrivals.windowed_iat_cv["60"].windows > 0
    assert arrivals.windowed_iat_cv["60"].p50 is None


def test_cap_is_found_near_the_maximum() -> None:
    rng = np.random.default_rng(2)
    values = np.minimum(rng.lognormal(7, 1, 5000), 4096 - rng.integers(0, 3, 5000))
    (found,) = find_cap("input_tokens", Frequencies.of(values.astype(np.uint32)))
    assert found.numbers["value"] == 4096
    assert found.numbers["lowest"] == 4094
    assert found.numbers["share"] == pytest.approx(np.mean(values >= 4094))


@pytest.mark.parametrize("high", [10, 300, 100_000])
def test_uniform_lengths_have_no_cap(high: int) -> None:
    values = np.random.default_rng(3).integers(1, high + 1, 5000).astype(np.uint32)
    assert list(find_cap("input_tokens", Frequencies.of(values))) == []


def test_long_tail_and_equal_lengths_have_no_cap() -> None:
    tail = np.random.default_rng(4).lognormal(7, 1, 5000).astype(np.uint32)
    assert list(find_cap("input_tokens", Frequencies.of(tail))) == []
    assert list(find_cap("input_tokens", Frequencies.of(np.full(100, 7, dtype=np.uint32)))) == []


def test_small_cap_of_an_output_limit() -> None:
    values = np.minimum(np.random.default_rng(5).geometric(0.05, 2000), 16).astype(np.uint32)
    (found,) = find_cap("output_tokens", Frequencies.of(values))
    assert (found.numbers["value"], found.numbers["lowest"]) == (16, 16)


def test_holes() -> None:
    arrival = poisson_ns(2000, 1.0)
    assert finding(profile_of(arrival), "holes") is None
    arrival[1000:] += 300 * SECOND
    found = finding(profile_of(arrival), "holes")
    assert found.numbers["holes"] == 1
    assert found.numbers["longest_s"] == pytest.approx(300, abs=10)


def test_source_out_of_order() -> None:
    arrival = poisson_ns(100, 1.0)
    assert finding(profile_of(arrival), "source_order") is None
    assert finding(profile_of(arrival[::-1].copy()), "source_order").numbers["rows"] == 99


def test_unsorted_frame_is_sorted_and_said() -> None:
    arrival = poisson_ns(100, 1.0)
    sound = Trace.from_frame(pl.DataFrame({"arrival_ns": arrival, "input_tokens": 10}))
    broken = Trace(sound.frame.reverse(), Provenance(reader="frame"))
    profile = characterize(broken)
    assert finding(profile, "unsorted").numbers["rows"] == 99
    assert profile.arrivals == characterize(sound).arrivals


def test_duplicate_rows() -> None:
    arrival = poisson_ns(300, 1.0)
    twice = np.sort(np.concatenate((arrival, arrival[:30])))
    found = finding(profile_of(twice, output_tokens=[5] * 330), "duplicate_rows")
    assert found.numbers["rows"] == 30
    differing = list(range(330))
    assert finding(profile_of(twice, output_tokens=differing), "duplicate_rows") is None


def test_timings_and_outcomes() -> None:
    second = [SECOND] * 4
    profile = profile_of(
        poisson_ns(4, 1.0),
        ttft_ns=[SECOND, 3 * SECOND, None, -1],
        e2e_ns=second,
        outcome=["ok", "error", None, "timeout"],
        flags=[0, int(Flag.TRUNCATED), 0, int(Flag.TRUNCATED | Flag.ZERO_TAKEN_AS_NULL)],
    )
    assert finding(profile, "impossible_timings").numbers["rows"] == 2
    assert finding(profile, "missing_timings").numbers["column"] == "ttft_ns"
    assert finding(profile, "missing_timings").severity == "warning"
    assert finding(profile, "not_ok").numbers["rows"] == 2
    assert finding(profile, "flagged_rows").numbers["rows_by_flag"] == {
        "zero_taken_as_null": 1,
        "truncated": 2,
    }


def test_warnings_come_first() -> None:
    severities = [f.severity for f in profile_of(np.zeros(5, dtype=np.int64)).integrity.findings]
    assert severities == sorted(severities, reverse=True)
    assert len(set(severities)) == 2


def test_assumptions_of_the_reader_are_said() -> None:
    frame = pl.DataFrame({"arrival_ns": [0, SECOND], "input_tokens": [1, 2]})
    units = {"ttft": "ms", "arrival": "s"}
    read = Provenance(reader="csv", zone_assumed="UTC", units=units, notes=["ts is the start"])
    profile = characterize(Trace.from_frame(frame, provenance=read))
    assert finding(profile, "zone_assumed").numbers == {"zone": "UTC"}
    assert "arrival in s, ttft in ms" in finding(profile, "units_taken").message
    assert finding(profile, "said_when_read").message == "Said when it was read: ts is the start."
    plain = characterize(Trace.from_frame(frame))
    assert finding(plain, "said_when_read") is None
    assert finding(plain, "zone_assumed") is None
    assert finding(plain, "units_taken") is None
