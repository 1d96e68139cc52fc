"""What a scoreboard prints: keys beside every part of a table, and numbers without noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.runs import latencies, outcome_of, routers, run_info

import workloadlab as wl
from workloadlab.scoring import Gate, Measure
from workloadlab.scoring.intervals import mean_interval
from workloadlab.scoring.verdict import within_words
from workloadlab.tables import Table
from workloadlab.trace import Runs


def test_each_part_of_a_wide_table_has_its_keys():
    wide = Table(
        "Wide", ["router", "rate", "x" * 30, "y" * 30, "z" * 30], [["a", "x8", 1, 2, 3]], keys=2
    )
    lines = wide.text().splitlines()
    heads = [line.split() for line in lines if "router" in line]
    assert [head[:2] for head in heads] == [["router", "rate"]] * 2
    assert sum("x8" in line for line in lines) == 2
    assert max(map(len, lines)) <= 80


def test_the_effects_of_several_rates_have_their_rate_in_every_part():
    ttft = {
        "round_robin_of_a_long_name": latencies(0),
        "least_requests_of_a_long_name": latencies(1),
    }
    infos = [run_info(name, rate_scale=scale) for name in ttft for scale in (8.0, 14.0)]
    runs = Runs(tuple(infos), tuple(outcome_of(v, v + 1) for v in ttft.values() for _ in range(2)))
    board = wl.score(runs, slo="ttft=1")
    for table in board.tables("mean ttft_s")[:2]:
        lines = table.text().splitlines()
        heads = [line.split() for line in lines if line.startswith("  router ")]
        assert [head[:2] for head in heads] == [["router", "rate"]] * len(heads)
        assert sum("x14" in line for line in lines) == 2 * len(heads)
    assert len(heads) == 2


@pytest.mark.parametrize("value", [13.7, 0.1, 1 / 3])
def test_equal_values_have_an_interval_of_no_width(value):
    found = mean_interval(np.full(1001, value))
    assert found.low == found.high == value


def test_a_unit_stands_once_and_an_interval_that_says_the_same_not_at_all():
    goodput, ttft = Measure.named("goodput_rps"), Measure.named("ttft_s")
    assert within_words(goodput, 13.7, 13.7, 13.7) == "13.7 requests/s"
    assert within_words(goodput, 13.7, 13.6, 13.8) == "13.7 requests/s (13.6 to 13.8 requests/s)"
    assert within_words(ttft, 0.5, 0.4, 1.2) == "500 ms (400 ms to 1.20 s)"
    assert within_words(ttft, 0.5, None, None) == "500 ms"


def test_a_gate_on_throughput_names_it():
    board = wl.score(Runs((run_info("a"),), (outcome_of(latencies(0), latencies(0) + 1),)))
    [said] = Gate.of("throughput_rps < 40").failures(board)
    assert "throughput is " in said


def test_one_request_is_too_few():
    [run] = wl.score(Runs((run_info("a"),), (outcome_of([0.1], [0.2]),))).runs
    assert replace(run, saturation=None).untold == "1 request is too few"


def test_an_interval_wider_than_its_mean_has_its_ends_in_place_of_a_half_below_0():
    few = np.where(np.arange(60) % 30 == 7, 50.0, 0.01)
    margins = {row[0]: row[2] for row in wl.score(routers(few=few)).tables()[0].rows}
    assert margins["few ?"].startswith("10 to 5,")
    even = wl.score(routers(even=np.full(60, 0.5))).tables()[0].rows
    assert " to " not in even[0][2]
