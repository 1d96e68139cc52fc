"""Rates at which something changes: knees, lost targets, changed places, each with its interval."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.runs import run_info

from workloadlab import Trace
from workloadlab.scoring import SLO, Measure, score
from workloadlab.scoring.load.crossings import crossings
from workloadlab.scoring.load.found_rate import FoundRate, Point, passing
from workloadlab.scoring.load.knee import kept_growth, knees
from workloadlab.scoring.load.lost import slo_lost, steady_up_to
from workloadlab.scoring.load.summary import lost_words
from workloadlab.trace import Runs

MS = 1_000_000
N = 1400


def runs(means, noise=0.1, seeds=1):
    """Return runs of N requests, one per second, by (router, rate): e2e around a mean in seconds."""
    infos, traces = [], []
    for seed in range(seeds):
        shared = np.random.default_rng(seed).normal(size=N)
        for place, ((router, rate), mean) in enumerate(means.items()):
            own = np.random.default_rng((seed, place)).normal(size=N)
            e2e_s = mean * np.maximum(0.1, 1 + noise * (shared + own))
            columns = {"arrival_ns": np.arange(N) * 1000 * MS, "input_tokens": [10] * N,
                       "output_tokens": [2] * N, "ttft_ns": (e2e_s * 1e9).astype(int) // 2,
                       "e2e_ns": (e2e_s * 1e9).astype(int), "outcome": ["ok"] * N,
                       "instance_id": ["pool/0"] * N}  # fmt: skip
            name = f"{router}__x{rate}__s{seed}"
            infos.append(replace(run_info(router), run_id=name, rate_scale=rate, seed=seed))
            traces.append(Trace.from_frame(pl.DataFrame(columns)))
    return Runs(tuple(infos), tuple(traces), {})


def bend(rate, knee=1.0):
    """Latency whose logarithm has a slope of 1 at the knee: exp(rate / knee)."""
    return 0.1 * math.exp(rate / knee)


def test_the_knee_is_where_one_percent_more_load_costs_one_percent_more_latency():
    rates = (0.5, 0.75, 1.0, 1.25, 1.5)
    board = score(runs({("a", rate): bend(rate) for rate in rates}))
    [knee] = board.knees
    assert knee.at.where == "between"
    assert knee.at.rate == pytest.approx(1.0, abs=0.05)
    assert knee.at.low < 1.0 < knee.at.high
    assert knee.at.high - knee.at.low < 0.3


def test_knees_hold_as_often_as_they_say():
    held = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        means = {("a", rate): bend(rate) for rate in (0.5, 0.75, 1.0, 1.25, 1.5)}
        kept = runs({key: mean * (1 + 1e-9 * rng.random()) for key, mean in means.items()}, 0.3)
        found = score(kept).knees[0].at
        held.append((found.low or 0) <= 1.0 <= (found.high or 9))
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize(("knee", "where"), [(9.0, "beyond"), (0.2, "below")])
def test_a_knee_outside_the_tried_rates_is_said_to_be_there(knee, where):
    board = score(runs({("a", rate): bend(rate, knee) for rate in (0.5, 1.0, 1.5)}))
    assert board.knees[0].at.where == where
    assert board.knees[0].at.rate is None
    assert str(board.knees[0].at) in str(board)


def overloaded(board, *rates):
    """Return the runs of a board, those at some rates without a steady state."""
    return [
        replace(run, saturation=replace(run.saturation, steady=run.rate_scale not in rates))
        for run in board.runs
    ]


def knee_with_overload(knee, *rates):
    """Return the knee of a router whose requests pile up at some of four rates."""
    board = score(runs({("a", rate): bend(rate, knee) for rate in (0.5, 1.0, 1.5, 2.0)}))
    off = {(run.router, run.rate_scale) for run in overloaded(board, *rates) if not run.steady}
    [found] = knees({"a": board.scales}, kept_growth(board.runs), off)
    return found.at


def test_a_cluster_that_drowns_at_every_rate_has_its_knee_below_them():
    at = knee_with_overload(9.0, 0.5, 1.0, 1.5, 2.0)
    assert str(at) == "below x0.5"


def test_a_knee_lies_at_the_first_overload_at_the_latest():
    at = knee_with_overload(9.0, 1.5, 2.0)
    assert (at.where, at.rate, at.high) == ("between", 1.5, 1.5)
    assert at.low < 1.5
    assert knee_with_overload(0.9, 2.0).rate == pytest.approx(0.9, abs=0.1), "reached before"


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (("between", 1.234, 1.1, 2.0, 0.5, 3.0), "x1.23 (1.1 to 2)"),
        (("between", 1.234, None, None, 0.5, 3.0), "x1.23 (under 0.5 to over 3)"),
        (("between", 1.234, None, None, 0.5, 3.0, False), "x1.23"),
        (("between", 4472.1, 4000.0, None, 10.0, 5e6), "x4,470 (4,000 to over 5,000,000)"),
        (("below", None, None, 14.1, 14.0, 30.0), "below x14 (at most x14.1)"),
        (("below", None, None, 14.0, 14.0, 30.0), "below x14"),
        (("below", None, None, None, 14.0, 30.0), "below x14 (not sure)"),
        (("beyond", None, 1.6, None, 1.0, 2.0), "above x2 (at least x1.6)"),
    ],
)
def test_rates_are_written_as_people_say_them(ends, said):
    assert str(FoundRate(*ends)) == said


def test_targets_lost_at_the_lowest_rate_are_said_to_be_lost_there():
    board = score(runs({("a", rate): 2.0 * rate for rate in (1.0, 2.0)}), slo=SLO(e2e_s=1.0))
    assert lost_words(board) == "a already at x1, the lowest rate tried"
    assert board.to_dict()["over_load"]["slo_lost"]["a"]["words"] == "below x1"


def test_two_rates_have_no_knee_and_one_has_no_table():
    two = score(runs({("a", rate): bend(rate) for rate in (0.5, 1.0)}))
    assert two.knees == []
    assert "Over load" in str(two)
    one = score(runs({("a", 1.0): 1.0}))
    assert "Over load" not in str(one)
    assert one.to_dict()["over_load"] == {}


def test_scores_without_outcomes_have_the_same_knee_and_a_wider_interval():
    board = score(runs({("a", rate): bend(rate) for rate in (0.5, 0.75, 1.0, 1.25, 1.5)}))
    [kept] = knees({"a": board.scales}, kept_growth(board.runs))
    [paired] = board.knees
    assert kept.at.rate == pytest.approx(paired.at.rate)
    assert kept.at.low <= paired.at.low
    assert kept.at.high >= paired.at.high


def test_the_rate_at_which_targets_are_lost_is_between_the_rates_that_hold_and_do_not():
    means = {("a", rate): mean for rate, mean in ((0.5, 0.5), (1.0, 0.75), (1.5, 1.2))}
    board = score(runs(means), slo=SLO(e2e_s=1.0))
    lost = slo_lost(board, "a")
    assert lost.low <= 1.0 < lost.rate < 1.5 <= lost.high
    assert board.to_dict()["over_load"]["slo_lost"]["a"]["rate"] == lost.rate
    easy = score(runs(means), slo=SLO(e2e_s=9.0))
    assert slo_lost(easy, "a").where == "beyond"
    assert slo_lost(score(runs(means)), "a") is None


def test_a_change_of_places_is_found_and_said():
    means = {("a", 0.5): 1.0, ("b", 0.5): 1.2, ("a", 1.0): 1.5, ("b", 1.0): 1.5,
             ("a", 1.5): 2.4, ("b", 1.5): 2.0}  # fmt: skip
    board = score(runs(means))
    [found] = crossings(board, Measure.named("mean e2e_s"))
    assert (found.below, found.above) == ("a", "b")
    assert found.at.low <= found.at.rate <= found.at.high
    assert found.at.rate == pytest.approx(1.0, abs=0.1)
    assert "a is ahead of b below x" in board.text("mean e2e_s")


def test_chance_changes_no_places():
    means = {(router, rate): rate for rate in (0.5, 1.0, 1.5) for router in ("a", "b")}
    assert crossings(score(runs(means)), Measure.named("mean e2e_s")) == []


def test_more_is_better_turns_the_places():
    means = {("a", 0.5): 0.5, ("b", 0.5): 1.2, ("a", 1.5): 1.2, ("b", 1.5): 0.5}
    board = score(runs(means), slo=SLO(e2e_s=1.0))
    [found] = crossings(board, Measure.named("slo_attainment"))
    assert (found.below, found.above) == ("a", "b")


def test_places_change_without_outcomes_where_intervals_do_not_overlap():
    means = {("a", 1.0): 1.0, ("b", 1.0): 2.0, ("a", 2.0): 4.0, ("b", 2.0): 3.0}
    paired = score(runs(means))
    kept = replace(paired, pairs=[])
    [found], [known] = (crossings(b, Measure.named("mean e2e_s")) for b in (kept, paired))
    assert (found.below, found.above) == (known.below, known.above)
    assert found.at.rate == pytest.approx(known.at.rate, rel=1e-6)
    assert found.at.low <= known.at.low <= known.at.high <= found.at.high
    close = {("a", 1.0): 1.0, ("b", 1.0): 1.004, ("a", 2.0): 1.004, ("b", 2.0): 1.0}
    assert crossings(replace(score(runs(close)), pairs=[]), Measure.named("mean e2e_s")) == []


def test_steady_up_to_ends_at_the_first_rate_whose_backlog_grows():
    board = score(runs({("a", rate): 1.0 for rate in (0.5, 1.0, 1.5)}))
    assert steady_up_to(board, "a") == 1.5
    grows = replace(board.runs[1].saturation, steady=False)
    board.runs[1] = replace(board.runs[1], saturation=grows)
    assert steady_up_to(board, "a") == 0.5
    board.runs[0] = replace(board.runs[0], saturation=grows)
    assert steady_up_to(board, "a") is None


def test_a_board_with_rates_is_json():
    board = score(runs({("a", rate): bend(rate) for rate in (0.5, 1.0, 1.5)}), slo="ttft=1")
    assert set(json.loads(board.to_json())["over_load"]) == {
        "steady_up_to", "knees", "slo_lost", "crossings",
    }  # fmt: skip


def scanned(curve, level):
    """The first of many rates at which a curve is at or over a level."""
    rates = np.linspace(curve[0][0], curve[-1][0], 4001)
    over = np.interp(rates, *zip(*curve, strict=True)) >= level
    return rates[over.argmax()] if over.any() else None


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3)), min_size=2, max_size=6),
    st.floats(-5, 5).map(lambda level: level + 1e-7),
)
def test_rates_are_those_that_a_scan_of_each_curve_finds(shapes, level):
    points = [
        Point(float(at), value, value - half, value + half)
        for at, (value, half) in enumerate(shapes, 1)
    ]
    found, start, most = passing(points, level), points[0], points[-1].rate
    rate, low, high = (
        scanned([(point.rate, getattr(point, name)) for point in points], level)
        for name in ("value", "high", "low")
    )
    assert found.rate == near(None if start.value > level else rate)
    before = [p.rate for p in points if rate is not None and p.value < level and p.rate < rate]
    after = [p.rate for p in points if rate is not None and p.value >= level]
    low = min([most if low is None else low, *before[-1:]])
    assert found.low == near(None if start.high > level else low)
    assert found.high == near(None if high is None else max([high, *after[:1]]))


def near(rate):
    return rate if rate is None else pytest.approx(rate, abs=0.01)
