"""Comparisons: equal routers, planted effects, several at once, and seeds."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter
from support.runs import REQUESTS, latencies, outcome_of, routers, run_info, runs_of

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.scoring.measure import Measure
from workloadlab.scoring.windows import standard_error


def test_a_router_against_itself_differs_in_one_comparison_of_twenty():
    mean = Measure.named("ttft_s")
    found = 0
    for seed in range(400):
        contrast = mean.contrast(latencies(2 * seed), latencies(2 * seed + 1))
        found += standard_error(contrast).p_value(contrast.sum()) < 0.05
    assert 0.03 * 400 <= found <= 0.07 * 400


def test_a_router_against_itself_close_to_saturation():
    """Queues remember a fortieth of the log, and an estimate from few windows is too low."""
    found = 0
    for seed in range(400):
        noise = np.random.default_rng(seed).normal(size=2 * REQUESTS)
        differences = lfilter([1], [1, -np.exp(-40 / REQUESTS)], noise)[REQUESTS:] / REQUESTS
        found += standard_error(differences).p_value(differences.sum()) < 0.05
    assert 0.03 * 400 <= found <= 0.07 * 400


def test_few_requests_do_not_tell_a_router_from_itself():
    """Queues remember a fifteenth of 300 requests: 14 windows cannot show that they move as one."""
    found = 0
    for seed in range(400):
        noise = np.random.default_rng(seed).normal(size=600)
        differences = lfilter([1], [1, -np.exp(-1 / 20)], noise)[300:] / 300
        found += standard_error(differences).p_value(differences.sum()) < 0.05
    assert found <= 0.05 * 400


def test_a_planted_effect_is_found_as_often_as_stated():
    """Where the stated least detectable effect is 3 %, 3 % are found four times of five."""
    rng, found, stated = np.random.default_rng(0), 0, []
    for seed in range(60):
        base = latencies(seed)
        other = base * (1.03 + rng.normal(0, 0.277, REQUESTS))
        (pair,) = [p for p in wl.score(routers(a=other, b=base)).pairs
                   if (p.metric, p.part) == ("ttft_s", "mean")]  # fmt: skip
        found += pair.significant
        stated.append(pair.least_detectable)
    assert np.median(stated) == pytest.approx(0.03, rel=0.25)
    assert 0.65 <= found / 60 <= 0.92


def test_a_factor_that_is_stated_is_found_as_often():
    """Both runs have bursts of their own, which grow with the factor that is planted in one."""
    found, stated, measure = [], [], Measure.named("ttft_s")
    for seed in range(60):
        both = (
            latencies(seed) + latencies(seed + 1000) ** 3,
            latencies(seed) + latencies(seed + 2000) ** 3,
        )
        pair = wl.score(routers(a=both[0], b=both[1])).compared("a", "b", 1.0, measure)
        if pair.least_detectable is None:
            continue
        factor = 1 + pair.least_detectable
        longer = wl.score(routers(a=both[0] * factor, b=both[1]))
        found.append(longer.compared("a", "b", 1.0, measure).p_value < 0.05)
        stated.append(factor)
    assert len(stated) > 40
    assert 0.65 <= np.mean(found) <= 0.95


def test_routers_within_one_percent_are_called_equal():
    base = latencies(0)
    noise = np.random.default_rng(1).normal(0, 0.001, REQUESTS)
    board = wl.score(routers(a=base, b=base + noise - noise.mean()))
    assert board.pairs[0].equal
    assert "Any of them, no difference matters" in str(board)
    assert "the same within 1%" in str(board)


def test_a_difference_is_said_against_the_baseline_in_percent():
    base = latencies(0)
    board = wl.score(routers(round_robin=base, fast=base * 0.7))
    said = str(board)
    assert "Best is fast: lowest mean TTFT" in said
    assert re.search(r"30\.0% \([^)]+\) below round_robin", " ".join(said.split()))
    assert board.baseline == "round_robin"
    pair = board.compared("round_robin", "fast", 1.0, Measure.named("ttft_s"))
    assert pair.effect == pytest.approx(1 / 0.7 - 1)


def test_what_cannot_be_separated_comes_with_what_would_have_been_found():
    board = wl.score(routers(a=latencies(0), b=latencies(1)))
    assert "No router is separated from" in str(board)
    said = " ".join(str(board).split())
    assert re.search(r"These runs tell differences above \d+(\.\d)?% apart, 4 times out of 5", said)


def test_runs_that_could_not_tell_twice_the_mean_rank_nothing():
    few = [latencies(seed)[:60] ** 6 for seed in range(2)]
    board = wl.score(routers(a=few[0], b=few[1]))
    [pair] = [p for p in board.pairs if (p.metric, p.part) == ("ttft_s", "mean")]
    assert pair.least_detectable is None, "no factor would be found"
    [verdict] = board.verdicts()
    assert verdict.sentence.startswith(
        "The requests are too few, or too unlike, to rank the routers:"
    )
    assert "but even twice that would hardly stand out. Replay more" in verdict.sentence
    assert not any("%" in said for said in verdict.more)


def test_holm_raises_the_p_values_of_many_comparisons():
    board = wl.score(routers(**{f"r{seed}": latencies(seed) for seed in range(5)}))
    family = [p for p in board.pairs if (p.metric, p.part) == ("ttft_s", "mean")]
    assert len(family) == 10
    least = min(family, key=lambda pair: pair.p_value)
    assert least.p_adjusted == pytest.approx(min(1, 10 * least.p_value))
    assert all(pair.p_adjusted >= pair.p_value for pair in family)


def test_a_router_that_no_seed_changes_counts_once():
    base, other = latencies(0), [latencies(seed) for seed in (1, 2)]
    infos = [run_info("fixed", seed=s) for s in (0, 1)] + [
        run_info("drawn", seed=s) for s in (0, 1)
    ]
    outcomes = [outcome_of(v, v + 1) for v in (base, base, *other)]
    board = wl.score(wl.Runs(tuple(infos), tuple(outcomes)))
    pair = board.pairs[0]
    assert pair.requests == 2 * REQUESTS
    assert pair.mean_difference == pytest.approx(base.mean() - np.mean(other), abs=1e-6)
    once = wl.score(wl.Runs(tuple(infos[1:]), tuple(outcomes[1:])))
    assert once.pairs[0] == pair


def test_tables_average_over_seeds_and_fit_a_terminal():
    infos = tuple(run_info(name, rate_scale=scale, seed=seed)
                  for name in ("round_robin", "least_requests") for scale in (0.5, 1.0)
                  for seed in (0, 1))  # fmt: skip
    outcomes = tuple(outcome_of(latencies(n), latencies(n) + 1) for n in range(len(infos)))
    board = wl.score(wl.Runs(infos, outcomes), slo=wl.SLO(ttft_s=0.2, tpot_s=0.05))
    table = board.tables()[0]
    assert len(table.rows) == 4
    assert "means over 2 seeds" in table.notes
    assert max(map(len, str(board).splitlines())) <= 80
    assert "round_robin - least_requests" in board.text(all_pairs=True)


def test_one_instance_leaves_nothing_to_route():
    runs = routers(a=latencies(0), b=latencies(0), c=latencies(0))
    one = replace(runs, cluster={"pool": [{"instances": 1, "name": "pool", "latency": "x"}]})
    board = wl.score(one)
    [verdict] = board.verdicts()
    assert verdict.sentence.startswith("One instance leaves nothing to route: the mean TTFT of any")
    assert len(board.tables()) == 1
    assert "Any of them" in wl.score(runs).verdicts()[0].sentence


def test_no_such_baseline():
    with pytest.raises(UsageError, match="no router is called 'best'"):
        wl.score(runs_of(outcome_of([1], [2])), baseline="best")


def test_the_best_in_one_latency_says_what_it_costs_in_another():
    base = latencies(0)
    infos = tuple(run_info(name) for name in ("eager", "steady", "slow"))
    outcomes = (
        outcome_of(base * 0.7, base * 0.7 + 2),
        outcome_of(base, base + 1),
        outcome_of(base * 1.2, base * 1.2 + 1.5),
    )
    said = " ".join(str(wl.score(wl.Runs(infos, outcomes))).split())
    assert "Best is eager" in said
    assert re.search(
        r"But its mean TPOT is [\d.]+ m?s, the highest of all, 100% .* above steady", said
    )


def test_a_best_that_costs_nothing_has_no_but():
    base = latencies(0)
    assert "But its" not in str(wl.score(routers(fast=base * 0.7, slow=base)))


def test_lost_requests_are_part_of_the_verdict():
    base = latencies(0)
    ttft = [None if k % 20 == 0 else value for k, value in enumerate(base)]
    losing = outcome_of(ttft, [None if value is None else value + 1 for value in ttft])
    whole = outcome_of(base, base + 1)
    board = wl.score(wl.Runs((run_info("whole"), run_info("losing")), (whole, losing)))
    said = " ".join(str(board).split())
    assert (
        "At the recorded rate: With losing, 5.0% of the requests were not served; latencies are of the "
        "others. The mean TTFT of whole is"
    ) in said
    assert "Not ranked, since fewer requests are served: losing." in said
    assert "not served" not in str(wl.score(routers(whole=base)))


def test_the_interval_and_the_p_value_say_the_same():
    for seed in range(40):
        error = standard_error(latencies(seed) / REQUESTS - latencies(seed).mean() / REQUESTS)
        assert error.p_value(error.margin) == pytest.approx(0.05, rel=1e-6)
        assert error.p_value(6 * error.margin) < 1e-7


def test_of_many_routers_one_that_is_far_behind_is_told_apart():
    """Corrected for 105 pairs, a difference of six times its interval's half width stays one."""
    base = latencies(0)
    noise = np.random.default_rng(1)
    others = {f"r{k}": base * (1 + noise.normal(0, 0.2, REQUESTS)) for k in range(14)}
    board = wl.score(routers(slow=base * (1.2 + noise.normal(0, 0.2, REQUESTS)), **others))
    mean = Measure.named("ttft_s")
    assert all(board.compared("slow", name, 1.0, mean).significant for name in others)


def test_routers_that_ran_once_are_not_called_means():
    seeds = {"round_robin": 1, "random": 3}
    infos = tuple(run_info(name, seed=seed) for name in seeds for seed in range(seeds[name]))
    outcomes = tuple(outcome_of(latencies(n), latencies(n) + 1) for n in range(len(infos)))
    notes = wl.score(wl.Runs(infos, outcomes)).tables()[0].notes
    assert "means over 3 seeds; round_robin ran once, since nothing is drawn there" in notes


def test_routers_with_the_same_outcomes_are_called_equal():
    board = wl.score(routers(round_robin=latencies(0), least_requests=latencies(0)))
    assert [row[1:] for row in board.tables()[1].rows] == [["baseline", "best"], ["equal", "equal"]]
    [verdict] = board.verdicts()
    assert verdict.sentence.startswith(
        "Any of them: the mean TTFT of round_robin and least_requests is equal"
    )


def test_few_routers_that_are_not_separated_stand_in_the_first_sentence():
    base = latencies(0)
    near = {f"near{k}": base + np.random.default_rng(k).normal(0, 0.02, REQUESTS) for k in range(5)}
    two = {name: near[name] for name in ("near0", "near1")}
    [few], [many] = (
        wl.score(routers(round_robin=base * 2, **each)).verdicts() for each in (two, near)
    )
    best = next(name for name in two if f"Best is {name}:" in few.sentence)
    other = next(name for name in two if name != best)
    assert few.sentence.endswith(f"below round_robin; not separated from {other}.")
    assert not any("Not separated" in said for said in few.more)
    assert many.sentence.endswith("below round_robin; not separated from 4 others.")
