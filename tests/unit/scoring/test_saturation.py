"""Runs that do not hold their load say so first, and so do routers that leave instances idle."""

from __future__ import annotations

import numpy as np
import pytest
from support.runs import outcome_of, run_info, runs_of
from support.traces import requests_at

import workloadlab as wl
from workloadlab.reporting import summarise
from workloadlab.scoring import saturation
from workloadlab.scoring.timings import read_timings

SECOND = 10**9


def served_at(rate_rps, offered_rps, n=2000, **columns):
    """Return requests of which so many end per second, in order, each after at least 0.5 s."""
    arrival = np.cumsum(np.random.default_rng(0).exponential(1 / offered_rps, n))
    end, last = np.zeros(n), 0.0
    for row, moment in enumerate(arrival):
        last = max(last + 1 / rate_rps, moment + 0.5)
        end[row] = last
    lasted = ((end - arrival) * SECOND).astype(int)
    return requests_at(arrival, ttft_ns=lasted, e2e_ns=lasted, **{"instance_id": "a", **columns})


def test_an_overload_has_no_steady_state():
    found = saturation(read_timings(served_at(48, 104)))
    assert not found.steady
    assert found.served_share == pytest.approx(48 / 104, rel=0.03)
    assert found.drift_low_rps < found.offered_rps - 48 < found.drift_high_rps
    said = str(wl.score(runs_of(served_at(48, 104))))
    assert "At the recorded rate: No steady state" in said
    assert "r0 !" in said


def test_what_is_served_after_the_last_arrival_is_not_said_to_be_none():
    waits = ((300 - np.arange(300)) / 100 * SECOND + 5 * SECOND).astype(int)
    late = requests_at(np.arange(300) / 100, ttft_ns=waits, e2e_ns=waits, instance_id="a")
    board = wl.score(runs_of(late))
    said = f"{board.verdicts()[0]} {summarise(board)['answers']}"
    assert "100 requests/s offered, none served before the last one came; the requests in" in said
    assert "0 served" not in said


@pytest.mark.parametrize("rate", [60, 90])
def test_a_load_that_is_held_is_steady(rate):
    found = saturation(read_timings(served_at(100, rate)))
    assert found.steady
    assert found.served_share == pytest.approx(1, abs=0.02)
    assert "teady" not in str(wl.score(runs_of(served_at(100, rate))))


def test_a_slow_rise_of_the_load_is_no_overload():
    arrival = np.sort(np.random.default_rng(0).triangular(0, 1000, 1000, 20_000))
    trace = requests_at(arrival, ttft_ns=SECOND, e2e_ns=5 * SECOND)
    assert saturation(read_timings(trace)).steady


def test_rejected_requests_are_no_backlog():
    outcomes = ["ok", "rejected"] * 500
    trace = served_at(100, 90, 1000, outcome=outcomes)
    found = saturation(read_timings(trace))
    assert found.steady
    assert found.served_share == pytest.approx(0.5, abs=0.03)


def test_a_log_shorter_than_its_requests_fills_and_is_no_overload():
    short = {"ttft_ns": SECOND // 20, "e2e_ns": 4 * SECOND, "instance_id": "a"}
    trace = requests_at(np.arange(300) / 100, **short)
    assert saturation(read_timings(trace)).steady is None
    said = wl.score(runs_of(trace))
    assert "r0 ?" in str(said)
    assert "cannot be told: the log is too short, since requests come for 2.99 s" in " ".join(
        str(said).split()
    )
    waits = (np.arange(300) / 100 * 2 * SECOND).astype(int)
    waiting = {"ttft_ns": waits, "e2e_ns": waits + 4 * SECOND, "instance_id": "a"}
    grows = saturation(read_timings(requests_at(np.arange(300) / 100, **waiting)))
    assert grows.steady is False
    assert (grows.in_system, grows.waiting) == (300, 200)
    assert "per second, to 300, of which 200 wait for a first token" in str(grows)


def test_a_rate_that_rises_fills_a_cluster_and_is_no_overload():
    arrival = 40 * np.sqrt(np.random.default_rng(1).random(1000))
    lasts_s = 6 + np.sort(arrival) / 10  # steps last longer, since more and more run
    times = {"ttft_ns": SECOND // 20, "e2e_ns": (lasts_s * SECOND).astype(int)}
    found = saturation(read_timings(requests_at(np.sort(arrival), **times)))
    assert found.drift_low_rps > 0.02 * found.offered_rps
    assert (found.steady, found.close) == (None, True)
    assert "too few lives of a request to tell filling from an overload" in str(found)


def test_a_log_that_ends_in_its_largest_burst_is_no_overload():
    even, burst = np.arange(4500) / 50, 90 + np.arange(500) / 500
    found = saturation(read_timings(decoding(np.concatenate((even, burst)), 60)))
    assert found.drift_low_rps > 0.02 * found.offered_rps
    assert 0 < found.overdue <= found.burst < 500
    assert (found.steady, found.close) == (None, True)
    assert "the log ends in a burst, and what lies behind it is not logged" in str(found)
    over = saturation(read_timings(decoding(np.concatenate((even, burst)), 40)))
    assert over.overdue > over.burst
    assert over.steady is False


def in_bursts(mean_rps, n=4000):
    """Return arrivals of ten seconds at three times the rate of the next ten."""
    fast = np.arange(n) % (20 * mean_rps) < 15 * mean_rps
    return np.cumsum(np.where(fast, 1 / 1.5, 1 / 0.5) / mean_rps)


def decoding(arrival, rate_rps):
    """Return requests that all begin at once, and of which so many end per second."""
    end, last = np.zeros(len(arrival)), 0.0
    for row, moment in enumerate(arrival):
        last = max(last + 1 / rate_rps, moment + 0.5)
        end[row] = last
    lasted = ((end - arrival) * SECOND).astype(int)
    return requests_at(arrival, ttft_ns=SECOND // 20, e2e_ns=lasted, instance_id="a")


@pytest.mark.parametrize(("capacity", "held"), [(42, False), (45, False), (60, True), (80, True)])
def test_bursts_hide_no_overload_and_make_none(capacity, held):
    assert saturation(read_timings(decoding(in_bursts(50), capacity))).steady is held


def test_what_piles_up_is_what_is_in_the_system_and_agrees_with_the_table():
    trace = decoding(in_bursts(50), 42)
    found = saturation(read_timings(trace))
    frame = trace.read("arrival_ns", "e2e_ns")
    last = frame["arrival_ns"].max()
    assert found.in_system == (frame["arrival_ns"] + frame["e2e_ns"] > last).sum()
    assert found.waiting < 5
    assert found.offered_rps - found.served_rps == pytest.approx(found.drift_rps)


def test_a_log_without_first_tokens_is_not_told_by_its_waits():
    trace = requests_at(np.arange(300) / 100, e2e_ns=4 * SECOND, instance_id="a")
    found = saturation(read_timings(trace))
    assert (found.steady, found.waiting) == (None, None)


def test_too_few_requests_say_nothing():
    assert saturation(read_timings(served_at(48, 104, 99))) is None
    assert wl.score(runs_of(outcome_of([None] * 200, [None] * 200))).runs[0].steady


def test_a_log_with_timings_is_scored_by_its_path(tmp_path):
    path = served_at(48, 104).save(tmp_path / "prod.trace").path
    board = wl.score(path)
    assert board.routers == ["observed"]
    assert "No steady state" in str(board)


def one_of_sixteen(share):
    n = 1000
    busy = round(share * n)
    names = ["i0"] * busy + [f"i{1 + row % 15}" for row in range(n - busy)]
    return outcome_of([0.1] * n, [0.2] * n, instance_id=names)


def test_a_router_that_uses_one_instance_gets_its_sentence():
    board = wl.score(runs_of(one_of_sixteen(0.96), instances=16))
    assert "With r0, one of 16 instances takes 96% of the tokens." in str(board)
    assert board.to_dict()["runs"][0]["imbalance"]["busy"] == 1


def test_an_even_router_gets_none():
    names = [f"i{row % 16}" for row in range(1600)]
    even = outcome_of([0.1] * 1600, [0.2] * 1600, instance_id=names)
    assert wl.score(runs_of(even, instances=16)).runs[0].imbalance is None


def test_an_overloaded_router_does_not_set_the_unit_of_a_column():
    rng = np.random.default_rng(0)
    fine = outcome_of(rng.gamma(4, 0.025, 400), rng.gamma(4, 0.025, 400) + 0.2)
    lost = served_at(0.3, 1, 400)
    runs = wl.Runs((run_info("fine"), run_info("lost")), (fine, lost))
    table = wl.score(runs).tables()[0]
    assert "ttft mean, ms" in table.header
    assert [row[0] for row in table.rows] == ["fine", "lost !"]


def test_a_drift_whose_interval_reaches_what_does_not_matter_is_not_told():
    rng = np.random.default_rng(4)
    arrival = np.cumsum(rng.exponential(1 / 50, 6000))
    trace = decoding(arrival, 49.8)
    found = saturation(read_timings(trace))
    assert 0 < found.drift_low_rps < 0.02 * found.offered_rps < found.drift_rps
    assert found.steady is None
    assert "close to saturation" in str(found)
    assert "r0 ?" in str(wl.score(runs_of(trace)))


def test_no_router_is_best_where_none_holds_the_load():
    board = wl.score(runs_of(served_at(48, 104), served_at(47, 104)))
    table = next(table for table in board.tables() if "difference" in table.title)
    assert {row[-1] for row in table.rows} == {"no steady state"}


def test_the_router_that_does_not_tell_is_named_beside_those_that_drown():
    short = {"ttft_ns": SECOND // 20, "e2e_ns": 4 * SECOND, "instance_id": "a"}
    waits = (np.arange(300) / 100 * 2 * SECOND).astype(int)
    grows = {**short, "ttft_ns": waits, "e2e_ns": waits + 4 * SECOND}
    board = wl.score(
        runs_of(*(requests_at(np.arange(300) / 100, **each) for each in (short, grows)))
    )
    said = " ".join(str(board).split())
    assert "Whether the load is held with r0 cannot be told: the log is too short" in said
    assert "Replay a longer log." in said
