"""Plans against brute force, queueing theory, and what must be monotone."""

from __future__ import annotations

import json
from dataclasses import replace
from math import exp, factorial

import numpy as np
import pytest
from support.traces import requests_at

import workloadlab as wl
from workloadlab.errors import DataError, UsageError
from workloadlab.planning import Plan, load_prices, mixes, plan
from workloadlab.planning.search import least_passing
from workloadlab.simulation import Pool

STEP_S = 0.01


def cluster(**options):
    model = wl.LatencyModel.linear(constant_s=STEP_S)
    return wl.Cluster.uniform(1, model, **{"step_overhead_s": 0.0, "max_num_seqs": 4, **options})


def traffic(rate_rps=10.0, n=1500, seed=0, tokens=50):
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(1 / rate_rps, n))
    return requests_at(arrival, input_tokens=10, output_tokens=rng.geometric(1 / tokens, n))


SLO = wl.SLO(ttft_s=0.3)


def planned(trace, **options):
    given = {"slo": SLO, "attain": 0.95, "routers": ["least_requests"], "growth": [], "threads": 1}
    return plan(trace, cluster(), **{**given, **options})


@pytest.mark.parametrize("router", ["round_robin", "least_requests"])
def test_the_least_number_is_what_brute_force_finds(router):
    trace = traffic()
    found = planned(trace, routers=[router])

    def met(instances):
        runs = wl.replay(trace, several(instances), routers=[router])
        run = wl.score(runs, slo=SLO).runs[0]
        return run.steady and run.slo_attainment >= 0.95

    assert found.instances == next(n for n in range(1, 9) if met(n))


def test_a_plan_costs_other_shares_and_other_batches():
    found = planned(traffic(), attain=0.95)
    counts = [each.instances for each in found.frontier]
    assert [each.factor for each in found.frontier] == [0.9, 0.95, 0.99, 0.999]
    assert counts == sorted(counts)
    assert counts[1] == found.instances
    assert {each.change.split()[0] for each in found.engine} == {
        "max_num_seqs", "max_num_batched_tokens",
    }  # fmt: skip
    assert "Cost against attainment" in str(found)


@pytest.fixture
def two_kinds():
    pools = [
        Pool(name=name, instances=1, latency=wl.LatencyModel.linear(constant_s=step_s),
             step_overhead_s=0.0, max_num_seqs=4)
        for name, step_s in (("fast", STEP_S), ("slow", 2 * STEP_S))
    ]  # fmt: skip
    return wl.Cluster(pools=pools)


def test_a_mix_is_what_brute_force_finds(two_kinds):
    trace = traffic()
    found = mixes(trace, two_kinds, slo=SLO, attain=0.95, router="least_requests", threads=1)

    def met(fast, slow):
        counts = (fast, slow)
        pools = [replace(pool, instances=count)
                 for pool, count in zip(two_kinds.pools, counts, strict=True) if count]  # fmt: skip
        run = wl.score(
            wl.replay(trace, wl.Cluster(pools=pools), routers=["least_requests"]), slo=SLO
        ).runs[0]
        return run.steady and run.slo_attainment >= 0.95

    assert found.found
    for mix in found.found:
        fast, slow = mix.counts.values()
        assert met(fast, slow)
        if fast and slow:
            assert slow == 1 or not met(fast, slow - 1)
    assert "The cheapest mix is" in found.sentence
    with pytest.raises(UsageError, match="a mix of 1 pool"):
        mixes(trace, cluster(), slo=SLO)


def several(instances):
    return wl.Cluster.uniform(
        instances, wl.LatencyModel.linear(constant_s=STEP_S), step_overhead_s=0.0, max_num_seqs=4
    )


def erlang_c(servers, load):
    """Return the chance of waiting in an M/M/c queue (Erlang 1917)."""
    top = load**servers / factorial(servers) * servers / (servers - load)
    return top / (sum(load**k / factorial(k) for k in range(servers)) + top)


def test_a_queue_of_exponential_services_needs_what_erlang_says():
    """One sequence at a time, a shared queue, Poisson arrivals: M/M/c."""
    rate, tokens, wait_s, attain = 10.0, 50, 0.2, 0.95
    load, mu = rate * tokens * STEP_S, 1 / (tokens * STEP_S)

    def within(servers):
        return 1 - erlang_c(servers, load) * exp(-(servers * mu - rate) * wait_s)

    expected = next(c for c in range(int(load) + 1, 40) if within(c) >= attain)
    found = plan(
        traffic(rate, 6000, tokens=tokens),
        cluster(max_num_seqs=1, max_in_flight=1),
        slo=wl.SLO(ttft_s=wait_s + STEP_S),
        attain=attain,
        routers=["least_requests"],
        growth=[],
        threads=1,
    )
    best = found.routers[0]
    assert best.low <= expected <= best.high
    for trial in best.trials:
        if trial.instances > load + 1:
            assert trial.met == pytest.approx(within(trial.instances), abs=0.03)


def test_more_load_tighter_targets_and_slower_steps_never_need_fewer():
    short = traffic(n=600)
    counts = [planned(traffic(rate, n=600)).instances for rate in (5.0, 10.0, 20.0, 40.0)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    by_target = [planned(short, slo=wl.SLO(ttft_s=t)).instances for t in (2.0, 0.5, 0.1, 0.03)]
    assert by_target == sorted(by_target)
    by_share = [planned(short, attain=share).instances for share in (0.5, 0.9, 0.99)]
    assert by_share == sorted(by_share)
    found = planned(short, growth=[1.5, 2, 4])
    grown = [found.instances, *(each.instances for each in found.growth)]
    assert grown == sorted(grown)
    assert found.error.instances >= found.instances


def test_a_slower_engine_is_a_faster_clock():
    """Steps twice as long need what a model with steps twice as long needs."""
    from workloadlab.planning.question import Question
    from workloadlab.routing import resolve

    trace, router = traffic(), resolve("least_requests")
    slow = wl.Cluster.uniform(
        1, wl.LatencyModel.linear(constant_s=2 * STEP_S), step_overhead_s=0.0, max_num_seqs=4
    )
    for instances in (3, 6):
        told = Question(trace, cluster(), 0, router, SLO).at(slower=2.0).trial(instances)
        assert told == Question(trace, slow, 0, router, SLO).trial(instances)


def test_every_request_may_be_asked_for():
    found = planned(traffic(n=600), attain=1, growth=[2])
    assert found.routers[0].low is not None
    assert f"{found.instances} instance" in str(found)


def test_a_goal_that_no_number_reaches_says_so():
    found = planned(traffic(), slo=wl.SLO(ttft_s=STEP_S / 2))
    assert found.instances is None
    assert found.router == ""
    assert "No number of instances" in str(found)
    assert max(trial.instances for trial in found.routers[0].trials) < 100


def test_hours_are_planned_one_by_one_and_bound_an_autoscaler():
    quiet, busy = traffic(4.0, 800), traffic(40.0, 8000, seed=1)
    start = quiet.span_s + 1
    both = requests_at(
        [*(quiet.read("arrival_ns")["arrival_ns"] / 1e9),
         *(busy.read("arrival_ns")["arrival_ns"] / 1e9 + start)],
        input_tokens=10,
        output_tokens=[*quiet.read("output_tokens")["output_tokens"],
                       *busy.read("output_tokens")["output_tokens"]],
    )  # fmt: skip
    found = planned(both, window_s=start)
    assert [hour.instances for hour in found.hours] == [planned(quiet).instances, found.instances]
    assert found.hours[0].instances < found.instances
    assert found.peak.start_s == pytest.approx(start)
    perfect = found.autoscaled_gpu_hours(start_up=False)
    assert perfect == pytest.approx(
        sum(hour.instances * hour.length_s for hour in found.hours) / 3600
    )
    assert perfect < found.autoscaled_gpu_hours(start_up=True)
    assert perfect < found.gpu_hours
    assert "A perfect autoscaler" in str(found)


def test_the_answer_has_words_tables_json_and_a_price(tmp_path):
    model = wl.LatencyModel.linear(constant_s=STEP_S)
    named = replace(model, gpu="H100-SXM", tp=2, name="flat")
    setting = wl.Cluster.uniform(1, named, step_overhead_s=0.0, max_num_seqs=4)
    found = plan(traffic(), setting, slo=SLO, attain=0.95, growth=[2], threads=1)
    usd = found.instances * 2 * load_prices()["H100-SXM"].usd_per_hour
    assert f"{found.instances} instances of flat" in found.sentence
    assert f"{2 * found.instances} GPUs, ${usd:.2f} per hour" in found.sentence
    facts = json.loads(found.to_json())
    assert facts["instances"] == found.instances
    assert facts["routers"][0]["trials"][0]["instances"] >= 1
    assert "is lost" in str(found)
    (tmp_path / "plan.json").write_text(found.to_json())
    assert Plan.load(tmp_path / "plan.json") == found
    edited = found.to_json().replace('"attain": 0.95', '"attain": 0.96')
    (tmp_path / "plan.json").write_text(edited)
    with pytest.raises(DataError, match="is damaged, or was edited"):
        Plan.load(tmp_path / "plan.json")
    del facts["sha256"]
    for nonsense in (
        {"routers": []}, {"routers": facts["routers"] * 2}, {"slo": {}}, {"slo": {"ttft_s": -1.0}},
        {"slo": {"speed": 1.0}},
    ):  # fmt: skip
        (tmp_path / "plan.json").write_text(json.dumps(facts | nonsense))
        with pytest.raises(DataError, match=r"is no plan: .*(is empty|target|speed|-1)"):
            Plan.load(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(DataError, match="is no plan"):
        Plan.load(tmp_path / "plan.json")
    assert max(map(len, str(found).splitlines())) <= 80


def test_a_window_that_needs_more_than_the_peak_by_work_is_named():
    found = planned(traffic(), routers=["round_robin"], growth=[2])
    assert found.harder is None
    assert "hold the whole trace, " in found.sentence
    assert found.tables()[0].title.startswith("Instances for the whole trace, ")
    harder = replace(found.peak, start_s=1800.0, rate_rps=2.44, instances=found.peak.instances + 1)
    more = replace(found, hours=(replace(found.peak), harder))
    assert more.instances == found.instances + 1
    assert more.sentence.endswith(
        "the one from 30 min on, 2.44 requests/s, takes them, the peak of "
        f"{found.peak.rate_rps:.3g} requests/s takes {found.instances}."
    )
    assert "hold every window with round_robin" in more.sentence
    assert any(said.startswith("If at the peak traffic grows, it takes ") for said in more.more)
    lost = replace(more, hours=(found.peak, replace(harder, met_with_fewer=0.9)))
    assert (
        f"If one of {more.instances} instances is lost, in the window from 30 min on 90.0% of the "
        f"requests meet the targets; {more.instances + 1} survive the loss of one."
    ) in lost.more
    faster = replace(more, hours=(found.peak, replace(harder, rate_rps=1e3)))
    assert f"the peak by work, {found.peak.rate_rps:.3g} requests/s, takes" in faster.sentence
    two = replace(more, routers=(*more.routers, replace(more.routers[0], router="random")))
    assert "The other windows ran with round_robin alone, the choice at the peak." in two.more


def test_a_share_that_just_misses_the_goal_is_not_said_to_reach_it():
    found = planned(traffic(), routers=["round_robin"], growth=[2], attain=0.99)
    missed = replace(
        found.peak, start_s=1800.0, instances=found.peak.instances + 1, met=0.9973,
        met_with_fewer=0.98971,
    )  # fmt: skip
    more = replace(found, hours=(found.peak, missed))
    assert f"takes them (with {found.instances} it is 98.97%)" in more.sentence
    assert more.tables()[-1].rows[-1][-2:] == ["99.7%", "98.97%"]


def test_the_same_plan_on_any_number_of_threads():
    trace = traffic()
    one, two = (planned(trace, routers=["random", "round_robin"], threads=n) for n in (1, 2))
    assert one == two


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"slo": wl.SLO()}, "a plan needs targets"),
        ({"attain": 1.5}, "attain = 1.5"),
        ({"routers": []}, "a plan needs a router"),
        ({"routers": ["best"]}, "no router is called 'best'"),
        ({"pool": "gpu"}, "no pool is called 'gpu'"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(options, said):
    with pytest.raises(UsageError, match=said):
        planned(traffic(n=10), **options)


@pytest.mark.parametrize("truth", [1, 2, 7, 64, 1000])
@pytest.mark.parametrize("guess", [1, 5, 300])
def test_the_search_finds_the_least(truth, guess):
    asked = []
    found = least_passing(lambda n: asked.append(n) or n >= truth, guess, lambda a, b: False)
    assert found == truth
    assert len(asked) == len(set(asked)) <= 25


def test_a_search_stops_where_nothing_passes():
    assert least_passing(lambda n: False, 3, lambda a, b: False) is None
    assert least_passing(lambda n: False, 3, lambda a, b: True) is None


@pytest.mark.parametrize("factor", [0, -1.0, float("inf"), float("nan")])
def test_a_growth_that_is_none_is_refused_before_any_simulation(factor, monkeypatch):
    monkeypatch.setattr("workloadlab.planning.question.replay", None)
    with pytest.raises(UsageError, match="growth = "):
        planned(traffic(n=20), growth=[1.5, factor])


@pytest.mark.parametrize(
    ("arrivals", "warmup"),
    [([0.0], [False]), ([1.0] * 5, [False] * 5), ([0.0, 1.0], [True, False])],
)
def test_requests_at_one_instant_have_no_rate(arrivals, warmup):
    with pytest.raises(UsageError, match="no rate to plan for"):
        planned(requests_at(arrivals, input_tokens=10, output_tokens=5, warmup=warmup))
