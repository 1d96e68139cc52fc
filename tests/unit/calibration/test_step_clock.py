"""Steps counted by the requests that ran in them, and logs that end where they were cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.calibrations import TRUTH, means_alone, parameters_of, simulated

import workloadlab as wl
from workloadlab.calibration import calibrate, describe
from workloadlab.calibration.observe import observe
from workloadlab.calibration.step_clock import step_clock
from workloadlab.calibration.until_cut import steps_until, until_the_cut

KNOWN = wl.LatencyModel.linear(**TRUTH)


@pytest.fixture(scope="module")
def served():
    return simulated(200, 4.0, longest=1500)


def timings(log, cluster):
    observed = observe(log, cluster, routed=False)
    return observed.first_s, observed.end_s, observed.output_tokens


def test_the_clock_counts_the_steps_of_every_request(served):
    first, end, outputs = timings(*served)
    clock = step_clock(first, end, outputs)
    assert np.abs(clock.steps_between(first, end) - (outputs - 1)).mean() < 1
    assert clock.after(first, outputs - 1) == pytest.approx(end, abs=0.2)


def test_requests_that_outlive_a_cut_say_how_many_steps_came_before_it(served):
    """Half of the log: none of the later requests, whose steps these are too, is seen."""
    first, end, outputs = timings(*served)
    cut = np.median(first)
    early = first < cut
    whole = step_clock(first, end, outputs)
    half = step_clock(first[early], end[early], outputs[early])
    steps = whole.steps_between(first[early], cut)
    assert half.steps_between(first[early], cut).sum() == pytest.approx(steps.sum(), rel=0.02)


def test_no_clock_where_requests_do_not_share_their_steps(served):
    first, end, outputs = timings(*served)
    drawn = np.random.default_rng(0).permutation(outputs)
    assert step_clock(first, end, drawn) is None
    assert step_clock(first[:7], end[:7], outputs[:7]) is None


def test_a_cut_log_ends_at_its_cut(served):
    log, cluster = served
    part = log.window(0, log.span_s / 2)
    whole = observe(part, cluster, routed=False)
    ended = until_the_cut(whole, cluster.pools[0])
    cut = whole.arrival_s.max()
    outlive = (whole.end_s > cut) & (whole.first_s <= cut)
    assert outlive.sum() > 5
    assert ended.end_s[outlive].max() <= cut
    assert (ended.output_tokens[outlive] < whole.output_tokens[outlive]).all()
    assert (ended.lanes[0].stopped.output_tokens == whole.output_tokens).all()
    assert (np.isfinite(ended.until_s) == outlive).all()
    long = outlive & (ended.output_tokens > 20)
    assert ended.tpot_s[long] == pytest.approx(whole.tpot_s[long], rel=0.5)


def test_a_log_that_was_not_cut_stays_as_it_is(served):
    log, cluster = served
    observed = observe(log, cluster, routed=False)
    assert until_the_cut(observed, cluster.pools[0]) is observed


def test_a_start_is_scaled_by_what_came_before_the_cut():
    """After it the traffic is four times as heavy, of which the log says nothing."""
    calm, cluster = simulated(120, 2.5)
    arrivals = calm.read("arrival_ns")["arrival_ns"].to_numpy()
    rush = arrivals[60] + (np.arange(60) * 0.1e9).astype(int)
    frame = calm.read("input_tokens", "output_tokens")
    log = wl.Trace.of(
        zip(np.append(arrivals[:60], rush) / 1e9, frame["input_tokens"], frame["output_tokens"],
            strict=True)
    )  # fmt: skip
    log = wl.replay(log, cluster, routers=["round_robin"]).traces[0]
    part = log.window(0, arrivals[60] / 1e9)
    slow = replace(KNOWN, coefficients={k: 1.5 * v for k, v in KNOWN.coefficients.items()})
    with means_alone():
        model = calibrate(part, cluster, start=slow)
    assert parameters_of(model)["scale"]["estimate"] == pytest.approx(1 / 1.5, rel=0.03)
    assert "outlive the log, which is a window of a longer one" in describe(model)


def test_requests_that_outlive_a_cut_keep_their_seats_from_the_queue():
    """A simulation that ended them at the cut would let the queue in; the scale was 1 % off then."""
    log, cluster = simulated(160, 8.0, longest=1500, max_num_seqs=24)
    start = wl.LatencyModel.linear(**TRUTH | {"constant_s": 0.006})
    with means_alone():
        found = parameters_of(calibrate(log.window(0, log.span_s / 2), cluster, start=start))
    assert found["scale"]["estimate"] == pytest.approx(1.0, abs=0.003)
    assert found["overhead_s"]["estimate"] == pytest.approx(0.002, rel=0.03)


def test_the_steps_of_each_instance_are_counted_up_to_a_moment():
    records = np.zeros(7, [("instance", "i8"), ("end_s", "f8"), ("decode_seqs", "i8")])
    records["instance"] = [0, 0, 0, 0, 1, 1, 1]
    records["end_s"] = [1, 2, 3, 4, 1, 3, 5]
    records["decode_seqs"] = [1, 1, 0, 1, 2, 2, 2]
    counted = steps_until(
        records, np.array([0, 1, -1]), np.array([1.0, 1.0, 1.0]), np.array([4.0, 4.0, 4.0])
    )
    assert counted.tolist() == [2.0, 1.5, 0.0]
