"""Gates: which runs are beyond a limit, and which figures mean nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from support.runs import latencies, outcome_of, routers, run_info

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.reporting import summarise
from workloadlab.scoring import Gate, Measure

GATES = {
    "mean ttft_s > +5% vs round_robin": ["slow"],
    "ttft_s > +5% vs round_robin": ["slow"],
    "p99 ttft_s > +5% vs round_robin": ["slow"],
    "ttft_s > 60% vs round_robin": [],
    "ttft_s < -5% vs slow": ["round_robin"],
    "slo_attainment < 0.999": ["round_robin", "slow"],
    "slo_attainment < 99.9%": ["round_robin", "slow"],
    "p50 e2e_s > 10": [],
    "p50 e2e_s > 10ms": ["round_robin", "slow"],
    "p50 e2e_s > .01 s": ["round_robin", "slow"],
}


@pytest.mark.parametrize("text", GATES)
def test_a_gate_fails_who_is_beyond_it(text):
    base = latencies(0, n=4000)
    board = wl.score(routers(round_robin=base, slow=base * 1.5), slo=wl.SLO(ttft_s=0.2))
    assert [said.split()[0] for said in Gate.of(text).failures(board)] == GATES[text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ttft_s", "is no gate"),
        ("ttft_s > 5 vs a", "is no gate"),
        ("ttft_s > 5%", "is no gate"),
        ("ttft_s > 5 parsecs", "is no gate"),
        ("slo_attainment < 99", "a share is between 0 and 1"),
        ("slo_attainment < 150%", "a share is between 0 and 1"),
        ("goodput_rps < 5ms", "is no gate"),
        ("ttft_s > 5ms vs a", "is no gate"),
        ("speed > 5% vs a", "no metric is called 'speed'"),
        ("p42 ttft_s > 5% vs a", "ttft_s has no p42"),
        ("ttft_s > 5% vs nobody", "'nobody' is not among the routers of the runs: a and b"),
        ("load_cv > 5% vs a", "no two runs can be compared in load_cv"),
        ("slo_attainment < 0.9", "no run has a share within the SLO.* give --slo"),
        ("cache_hit_ratio < 0.5", "no run has a .*cache hit.* these runs do not record it"),
    ],
)
def test_a_gate_that_says_nothing_is_refused(text, said):
    board = wl.score(routers(a=latencies(0), b=latencies(1)))
    with pytest.raises(UsageError) as refused:
        Gate.of(text).failures(board)
    assert re.search(said, f"{refused.value}", re.DOTALL)


def test_a_gate_names_a_router_of_one_of_several_clusters():
    assert Gate.of("ttft_s > 5% vs cluster-2: round_robin ").other == "cluster-2: round_robin"


def test_an_effect_that_is_not_separated_passes():
    board = wl.score(routers(a=latencies(0), b=latencies(1) * 1.01))
    pair = board.compared("b", "a", 1.0, Measure.named("ttft_s"))
    assert not pair.significant
    assert Gate.of(f"ttft_s > {pair.effect * 50:.3f}% vs a").failures(board) == []
    certain = replace(board, pairs=[replace(p, significant=True) for p in board.pairs])
    assert (pair.effect > 0) == bool(Gate.of("ttft_s > 0% vs a").failures(certain))


@pytest.mark.parametrize(
    ("text", "n", "state", "said"),
    [
        (
            "p99 ttft_s > +5% vs a",
            100,
            "cannot_tell",
            "cannot be compared with a: too few requests",
        ),
        ("p99 ttft_s > +5% vs a", 500, "cannot_tell", "% to any) vs a: too few requests"),
        ("ttft_s < -90% vs a", 500, "passed", "% vs a"),
        ("p99 ttft_s > 60", 100, "cannot_tell", "an interval needs 368"),
        ("ttft_s > 60", 500, "passed", "mean TTFT is "),
        ("ttft_s > 0.001", 500, "failed", "mean TTFT is "),
    ],
)
def test_what_the_interval_holds_on_both_sides_of_a_limit_cannot_be_told(text, n, state, said):
    base = latencies(0, n=n)
    heavy = base + 0.02 * np.random.default_rng(1).pareto(1.5, n)
    found = {each.router: each for each in Gate.of(text).judged(wl.score(routers(a=base, b=heavy)))}
    assert found["b"].state == state
    assert said.replace("% vs", "") in str(found["b"])
    if state == "passed":
        assert found["b"].low <= found["b"].value


def test_a_limit_within_the_interval_of_a_value_cannot_be_told():
    board = wl.score(routers(a=latencies(0), b=latencies(1)))
    value = board.mean("a", 1.0, "ttft_s", "mean")
    limit = board.interval("a", 1.0, Measure.named("ttft_s")).high - 1e-9
    found, _ = Gate.of(f"ttft_s > {limit:.12f}").judged(board)
    assert (found.state, found.value) == ("cannot_tell", value)
    assert found.words.endswith("too few requests, or too unlike, to tell")


@pytest.mark.parametrize(
    "text", ["p99 ttft_s > {:.12f}", "ttft_s > {:.12f}", "slo_attainment < {:.12f}"]
)
def test_a_value_beyond_a_limit_that_its_interval_holds_cannot_be_told(text):
    board = wl.score(routers(a=latencies(0, n=4000)), slo=wl.SLO(ttft_s=0.2))
    gate = Gate.of(text.format(0.5))
    name = gate.measure.metric.name, gate.measure.part
    value, found = board.mean("a", 1.0, *name), board.interval("a", 1.0, gate.measure)
    sign = 1 if gate.above else -1
    states = {
        limit: Gate.of(text.format(limit)).judged(board)[0].state
        for limit in (value - sign * 1e-6, found.low, found.high)
    }
    assert states[value - sign * 1e-6] == "cannot_tell"
    beyond = found.low - 1e-6 if gate.above else found.high + 1e-6
    [failed] = Gate.of(text.format(beyond)).judged(board)
    assert failed.state == "failed"
    assert re.search(r"is .+ \(.+ to .+\)$", failed.words)


@pytest.mark.parametrize(
    ("text", "state", "said"),
    [
        ("throughput_rps > 0.001", "failed", ", one run's number without an interval"),
        ("throughput_rps > 9", "passed", ", one run's number without an interval"),
        ("p99 ttft_s > 1ms", "failed", "without an interval: p99 of 100 requests is "),
        ("p99 ttft_s > 60", "cannot_tell", "without an interval: p99 of 100 requests is "),
    ],
)
def test_a_number_without_an_interval_is_said_to_have_none(text, state, said):
    board = wl.score(routers(a=latencies(0, n=100)))
    [found] = Gate.of(text).judged(board)
    assert (found.state, found.low, found.high) == (state, None, None)
    assert said in found.words


def test_of_several_seeds_it_is_the_mean():
    infos = tuple(replace(run_info("a"), seed=seed, run_id=f"a-{seed}") for seed in range(3))
    traces = tuple(outcome_of(latencies(seed), latencies(seed) + 1) for seed in range(3))
    [found] = Gate.of("load_cv > 9").judged(wl.score(wl.Runs(infos, traces)))
    assert found.words.endswith(", the mean of 3 runs without an interval")


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("preemptions >= 0", True),
        ("preemptions > 0", False),
        ("preemptions <= 0", True),
        ("ttft_s > 1e-3", True),
        ("ttft_s > 1e3", False),
        ("ttft_s > 1.e-3s", True),
    ],
)
def test_a_limit_may_be_inclusive_and_have_an_exponent(text, failed):
    board = wl.score(routers(a=latencies(0, n=400)))
    assert bool(Gate.of(text).failures(board)) == failed


@pytest.mark.parametrize(
    ("text", "turned"),
    [
        ("ttft_s < 5", True),
        ("ttft_s > 5", False),
        ("slo_attainment > 0.9", True),
        ("load_cv < 1", False),
    ],
)
def test_a_gate_that_fails_the_better_side_is_reversed(text, turned):
    assert Gate.of(text).reversed == turned


def test_the_few_that_are_served_tell_no_routers_apart():
    ttft = [None if k % 3 else value for k, value in enumerate(latencies(0))]
    few = outcome_of(ttft, [None if value is None else value + 1 for value in ttft])
    board = wl.score(wl.Runs((run_info("a"), run_info("b")), (few, few)))
    [verdict] = board.verdicts()
    assert board.pairs == []
    assert verdict.sentence == (
        "66.7% of the requests were not served with any router. Latencies are of the 400 that were, "
        "and tell no routers apart."
    )
    assert "lost" in str(board.tables()[0])
    for gate in ("ttft_s > 5% vs a", "ttft_s > 60"):
        assert "66.7% of the requests were not served" in Gate.of(gate).failures(board)[0]
    answers = {a["question"]: a["sentence"] for a in summarise(board)["answers"]}
    assert answers["Does the cluster hold it?"].startswith("No. At the recorded rate 66.7% of")
    assert answers["Which router?"].startswith("That cannot be told until the cluster serves")


def growing(*names):
    """Return a board of three routers, some of them without a steady state."""
    base = latencies(0, n=4000)
    board = wl.score(routers(a=base, b=base * 1.001, c=base * 1.5), slo=wl.SLO(ttft_s=9))
    runs = [
        replace(run, saturation=replace(run.saturation, steady=run.router not in names))
        for run in board.runs
    ]
    return replace(board, runs=runs)


@pytest.mark.parametrize(
    ("off", "text", "failed"),
    [
        ("ab", "p99 ttft_s > +5% vs a", {"b": "no steady state, as with a, so its p99 TTFT means"}),
        ("b", "p99 ttft_s > +5% vs a", {"b": "no steady state, unlike a", "c": "mean"}),
        ("a", "p99 ttft_s > +5% vs a", {}),
        ("b", "ttft_s > 60", {"b": "no steady state, so its mean TTFT means nothing"}),
        ("b", "slo_attainment < 0.9", {"b": "no steady state, so its share within the SLO"}),
        ("b", "load_cv > 9", {}),
    ],
)
def test_a_gate_does_not_pass_on_figures_that_mean_nothing(off, text, failed):
    found = {said.split()[0]: said for said in Gate.of(text).failures(growing(*off))}
    assert {router for router in found if router != "c"} == set(failed) - {"c"}
    assert all(failed[router] in said for router, said in found.items() if router != "c")


@pytest.mark.parametrize(
    ("text", "blind"),
    [
        ("throughput_rps < 0.001", ["b at the recorded rate"]),
        ("load_cv > 9", ["b at the recorded rate"]),
        ("throughput_rps < 1000000", []),
        ("ttft_s > 60", []),
        ("slo_attainment < 0.1", []),
        ("p99 ttft_s > +5% vs a", []),
    ],
)
def test_a_gate_says_which_overloaded_runs_it_lets_pass(text, blind):
    assert Gate.of(text).blind_to(growing("b")) == blind
