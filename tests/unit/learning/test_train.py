"""Training: what is learned, what is refused, and what cannot be trained at all."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.learned import RULED, costs_of, walked
from support.learning import mixed_trace, two_speeds
from support.traces import requests_every

import workloadlab as wl
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.learning import time_blocks
from workloadlab.learning.auto import harmless, is_safe
from workloadlab.learning.card import doubt_of
from workloadlab.learning.cells import MOST, at_load, drawn_cells, with_instances
from workloadlab.learning.found import Found
from workloadlab.learning.imitation import features_of, trees_of
from workloadlab.learning.objective import UNSERVED, loss, objective_named
from workloadlab.learning.problem import stated
from workloadlab.learning.rivals import Rival
from workloadlab.oracles.labels import labels_of
from workloadlab.routing.learned.artefact import LearnedRouter
from workloadlab.routing.learned.features import FEATURES
from workloadlab.routing.learned.terms import TERMS
from workloadlab.simulation.metrics import Metrics, Targets
from workloadlab.simulation.workload import workload_of

QUICK = {"loads": [0.9], "seeds": 1, "generations": 4}


@pytest.fixture(scope="module")
def trained():
    said = []
    trace = mixed_trace()
    return trace, wl.train(trace, two_speeds(), say=said.append, **QUICK), said


def test_it_beats_the_shelf_where_there_is_something_to_learn(trained):
    trace, router, said = trained
    assert router.form == "linear"
    assert router.verdict.startswith(f"beats {router.provenance['rival']}")
    assert any("generation 1 of 4" in line for line in said)
    test = time_blocks(trace).test
    scale = 0.9 * wl.saturation(test, two_speeds()) * test.span_s / test.requests
    names = ["round_robin", router.provenance["rival"], router]
    means = wl.replay_metrics(test, two_speeds(), routers=names, rate_scale=scale)
    mean = dict(zip(means["router"], means["ttft_mean_s"], strict=True))
    assert mean["learned"] < mean[router.provenance["rival"]] <= mean["round_robin"]


def test_the_card_has_every_cell_and_rival(trained):
    _, router, _ = trained
    cells = {(row["instances"], row["load"], row["signal_age_s"]) for row in router.card}
    assert cells == {(4, 0.9, 0.0), (8, 0.9, 0.0), (4, 0.9, 0.1), (4, 0.9, 1.0)}
    for cell in cells:
        rows = [r for r in router.card if (r["instances"], r["load"], r["signal_age_s"]) == cell]
        assert [row["as"] for row in rows] == [
            "learned",
            "round_robin",
            "selected",
            "hindsight_best",
        ]
        for row in rows[1:]:
            change, low, high = row["change"]
            assert low <= change <= high
            assert change == pytest.approx(rows[0]["e2e_mean_s"] / row["e2e_mean_s"] - 1, abs=1e-4)
        assert rows[3]["e2e_mean_s"] <= rows[2]["e2e_mean_s"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([(-0.2, -0.3, -0.1), (-0.1, -0.2, -0.01)], ""),
        ([(-0.2, -0.3, -0.1), (-0.1, -0.3, 0.1)], "in 1 of 2 cells"),
        (
            [(0.1, 0.05, 0.2), (-0.1, -0.3, 0.1)],
            "lmetric, mean e2e is clearly higher (1), lower by no more than chance may make it (1).",
        ),
        ([(0.027, 0.009, 0.046)], "there, beside that of lmetric, mean e2e is clearly higher (1)."),
        ([(0.01, -0.1, 0.2)], "mean e2e is not lower (1)."),
        ([(float("nan"),) * 3], "in 1 of 1 cells"),
    ],
)
def test_what_the_test_block_does_not_confirm_is_told(changes, said):
    card = [{"as": "selected", "router": "lmetric", "change": change} for change in changes]
    doubt = doubt_of([*card, {"as": "round_robin", "router": "round_robin", "change": (1, 1, 1)}])
    assert said in doubt
    assert bool(said) == bool(doubt)


def test_the_verdict_speaks_of_the_test_block(trained):
    _, router, _ = trained
    doubt = doubt_of(router.card)
    assert router.verdict.endswith(doubt)
    assert ("The test block does not confirm" in router.verdict) == bool(doubt)
    assert "% better than that of" in router.verdict


def test_the_same_training_gives_the_same_router(trained):
    trace, router, _ = trained
    again = wl.train(trace, two_speeds(), threads=1, **QUICK)
    assert again.to_dict() == router.to_dict()


def test_where_nothing_can_be_gained_the_heuristic_is_returned_by_name():
    trace = requests_every(0.2, 400, input_tokens=10, output_tokens=2)
    cluster = wl.Cluster.uniform(2, wl.LatencyModel.linear(constant_s=0.01), max_num_seqs=4)
    router = wl.train(trace, cluster, name="mine", loads=[0.5], seeds=1, generations=1)
    rival = router.provenance["rival"]
    assert router.verdict.startswith("refused: ")
    assert router.verdict.endswith(f"use {rival}")
    assert {row["as"] for row in router.card} == {"selected", "round_robin", "hindsight_best"}
    assert all((row["router"] == rival) != ("change" in row) for row in router.card)
    assert (router.form, router.body) == ("heuristic", {"router": rival})
    runs = wl.replay(trace, cluster, routers=[router, rival])
    outcomes = [runs.outcomes(router=name).read("instance_id") for name in ("mine", rival)]
    assert outcomes[0].equals(outcomes[1])


def test_an_interrupted_training_goes_on(tmp_path):
    trace, cluster = mixed_trace(400), two_speeds()
    options = {"loads": [0.9], "seeds": 2, "generations": 2, "folder": tmp_path / "run"}
    whole = wl.train(trace, cluster, **options)
    (tmp_path / "run" / "seed-1.json").unlink()
    said = []
    again = wl.train(trace, cluster, say=said.append, **options)
    assert again.to_dict() == whole.to_dict()
    assert not any("seed 0" in line for line in said)
    assert any("seed 1" in line for line in said)
    assert json.loads((tmp_path / "run" / "configuration.json").read_text())["seeds"] == 2
    with pytest.raises(UsageError, match="another configuration"):
        wl.train(trace, cluster, **{**options, "generations": 3})


BAD = {
    "no output lengths": (
        lambda: (wl.Trace.of([(k, 9, None) for k in range(400)]), two_speeds(), {}),
        "needs output_tokens"),
    "too short": (
        lambda: (mixed_trace(300), two_speeds(), {}), "too few for a training, a selection and a test"),
    "an unknown method": (lambda: (mixed_trace(400), two_speeds(), {"method": "magic"}), "no method"),
    "an unknown objective": (
        lambda: (mixed_trace(400), two_speeds(), {"objective": "joy"}), "no objective"),
    "goodput without targets": (
        lambda: (mixed_trace(400), two_speeds(), {"objective": "goodput"}), "goodput without targets"),
    "a load that is none": (lambda: (mixed_trace(400), two_speeds(), {"loads": [0.0]}), "loads"),
    "no seeds": (
        lambda: (mixed_trace(400), two_speeds(), {"seeds": 0}), "seeds = 0 is not a whole number from 1"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("case", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_trained_is_refused_in_a_sentence(case, said):
    trace, cluster, options = case()
    with pytest.raises((UsageError, UnsupportedError), match=said):
        wl.train(trace, cluster, **options)


def test_one_instance_and_pools_that_cannot_serve_are_refused():
    trace, model = mixed_trace(400), wl.LatencyModel.linear(constant_s=0.01)
    with pytest.raises(UsageError, match="one instance leaves a router nothing to choose"):
        wl.train(trace, wl.Cluster.uniform(1, model))
    with pytest.raises(UsageError, match="its smallest request needs"):
        wl.train(trace, wl.Cluster.uniform(2, model, kv_blocks=1))


def test_blocks_keep_every_request_and_no_moment_is_cut():
    trace = requests_every(0.5, 1000, input_tokens=5, output_tokens=2)
    blocks = time_blocks(trace)
    assert [block.requests for block in blocks] == [500, 250, 250]
    rows = np.concatenate([block.read("row_id")["row_id"].to_numpy() for block in blocks])
    assert rows.tolist() == list(range(1000))
    crowded = wl.Trace.of([(k // 100, 5, 2) for k in range(950)])
    sizes = [block.requests for block in time_blocks(crowded)]
    assert sum(sizes) == 950
    assert all(size % 50 == 0 for size in sizes)


def test_training_cells_differ_and_selection_cells_do_not_change_the_model():
    workload, cluster = workload_of(mixed_trace()), two_speeds()
    cells = drawn_cells(workload, cluster, [0.7, 0.9], seed=1)
    constants = [cell.cluster.pools[0].latency.coefficients["prefill_tokens"] for cell in cells]
    assert constants[0] == 5e-5
    assert len(set(constants)) == 4
    assert all(0.8 <= c / 5e-5 <= 1.25 for c in constants)
    assert len(cells[0].workload) == min(MOST, len(workload))


def test_every_load_is_trained_and_chosen_at_both_sizes(monkeypatch):
    monkeypatch.setattr("workloadlab.learning.cells.MOST", 100)
    trace, loads = mixed_trace(400), [0.6, 1.0]
    problem = stated(trace, two_speeds(), objective="e2e", loads=loads, targets=Targets())
    both = [(4, 0.6), (4, 1.0), (8, 0.6), (8, 1.0)]
    for cells in (problem.training, problem.selection):
        assert [(cell.instances, cell.load) for cell in cells] == both
    band = problem.at_load(0.6, lambda _: True)
    assert [cell.instances for cell in (*band.training, *band.selection)] == [4, 8, 4, 8]
    prompts = [cell.workload.input_tokens for cell in problem.training]
    assert np.array_equal(prompts[0], prompts[2])
    assert not np.array_equal(prompts[0], prompts[1])


def test_load_is_relative_to_saturation():
    workload = workload_of(requests_every(0.5, 101, input_tokens=5, output_tokens=2))
    moved = at_load(workload, 0.5, 8.0)
    assert len(moved) / (moved.arrival_s[-1] - moved.arrival_s[0]) == pytest.approx(4.0)
    assert len(with_instances(two_speeds(4), 10).instance_names) == 10


def metrics(**changed):
    values = dict.fromkeys(Metrics.__dataclass_fields__, 1.0) | {"requests": 10, "served": 10}
    return Metrics(**(values | changed))


def test_the_loss_counts_ratios_tails_the_worst_cell_and_who_is_left_out():
    base, weights = metrics(), objective_named("e2e")
    assert loss([base], [base], weights) == 0.0
    better = metrics(e2e_mean_s=0.9)
    assert loss([better, better], [base, base], weights) == pytest.approx(np.log(0.9))
    worse = metrics(e2e_mean_s=1.1)
    mean = (np.log(0.9) + np.log(1.1)) / 2
    assert loss([better, worse], [base, base], weights) == pytest.approx(mean + 0.5 * np.log(1.1))
    tailed = metrics(e2e_mean_s=0.9, ttft_p99_s=1.5)
    assert loss([tailed], [base], weights) > loss([better], [base], weights) + 0.3
    assert loss([metrics(e2e_p99_s=3.0)], [base], weights) > 0.3
    shorter = metrics(e2e_mean_s=0.9, ttft_p99_s=0.5, e2e_p99_s=0.5)
    balanced = objective_named("balanced")
    assert loss([shorter], [base], balanced) == loss([better], [base], balanced) < 0
    assert loss([metrics(served=9)], [base], weights) >= UNSERVED
    assert loss([metrics(goodput_rps=2.0)], [base], objective_named("goodput")) < -0.6


def test_trees_learn_what_choices_cost():
    trace = mixed_trace(500)
    router = wl.train(trace, two_speeds(), method="imitation", **{**QUICK, "generations": 2})
    assert router.verdict.startswith("beats ")
    changes = [row["change"][0] for row in router.card if row["as"] == "selected"]
    assert np.mean(changes) < 0


def test_imitation_learns_from_the_features_that_the_router_sees():
    student = LearnedRouter(rules={**RULED, "speed": 1.3}, body={"wait": 1.0, "prefill": 1.0})
    workload = workload_of(mixed_trace(150))
    labels = labels_of(
        workload, two_speeds(), student.router(), student.router(), ahead=4, share=1.0
    )
    seen = features_of(student.rules, labels)
    assert seen.shape == (len(labels), 4, len(FEATURES))
    for k in range(0, len(labels), 10):
        for i in range(4):
            costs = list(
                costs_of(labels.requests[k], labels.instances[k, i], student.rules).values()
            )
            np.testing.assert_allclose(seen[k, i, : len(costs)], costs, rtol=1e-9)
    above = seen[:, :, len(TERMS) : 2 * len(TERMS)]
    assert (above.min(axis=1) == 0).all()
    assert seen[5, 2, -3] == labels.requests["input_tokens"][5]


def test_laid_out_trees_are_those_that_were_fitted():
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(0)
    inputs = rng.exponential(1, (900, len(FEATURES)))
    targets = inputs[:, 0] * (inputs[:, 5] > 1) + 0.1 * inputs[:, -1]
    body = trees_of(inputs, targets, 0)
    fitted = HistGradientBoostingRegressor(
        max_iter=40, max_depth=4, max_leaf_nodes=16, learning_rate=0.15, min_samples_leaf=20,
        early_stopping=False, random_state=0,
    )  # fmt: skip
    most = np.quantile(targets, 0.98)
    fitted.fit(inputs, np.minimum(targets, most) / most)
    ours = [walked(body, dict(zip(FEATURES, row, strict=True))) for row in inputs[:50]]
    np.testing.assert_allclose(ours, fitted.predict(inputs[:50]), atol=1e-12)


def test_auto_takes_what_is_safe_of_all_loads_and_of_each():
    trace = mixed_trace(500)
    router = wl.train(trace, two_speeds(), method="auto", loads=[0.6, 1.0], seeds=1, generations=8)
    assert router.provenance["bands"] == "learned at load 0.6, hold_until_fit at load 1"
    bands, whole, one = router.provenance["selection_losses"]
    assert whole < min(bands, one)
    assert router.verdict.startswith("learned at all loads: ")


def test_the_heuristic_of_a_band_loses_nothing_to_the_best_over_all_loads():
    trace, loads = mixed_trace(500), [0.6, 0.9, 1.05]
    problem = stated(trace, two_speeds(), objective="balanced", loads=loads, targets=Targets())
    for load in loads:
        band = problem.at_load(load, lambda _: True)
        there = [k for k, cell in enumerate(problem.selection) if cell.load == load]
        of_load = [k for k, cell in enumerate(problem.training) if cell.load == load]
        whole = [problem.rival.training[k] for k in of_load]
        whole += [problem.rival.selection[k] for k in there]
        own = [*band.rival.training, *band.rival.selection]
        assert len(own) == len(whole)
        assert loss(own, whole, problem.weights) <= 0.0


def test_what_one_seed_does_not_reach_is_not_safe():
    trace, cluster = mixed_trace(400), two_speeds()
    problem = stated(trace, cluster, objective="e2e", loads=[0.9], targets=Targets())
    worse = Found(LearnedRouter(form="heuristic", body={"router": "random"}), 0, 0, [], 0)
    assert not is_safe(problem, [worse])
    rival = Found(
        LearnedRouter(form="heuristic", body={"router": problem.rival.policy.name}), 0, 0, [], 0
    )
    assert not is_safe(problem, [rival])  # as good is not better
    assert harmless(problem, [worse.router, rival.router]) == [False, True]


@pytest.mark.parametrize(
    ("changed", "safe"),
    [
        ({}, True),
        ({"ttft_p95_s": 1.08, "ttft_p99_s": 1.03}, True),
        ({"ttft_p99_s": 1.07}, False),
        ({"ttft_p95_s": 1.5, "ttft_p99_s": 0.9}, False),  # a p99 elsewhere, with fewer long prompts
    ],
)
def test_a_longer_tail_is_not_safe_in_any_cell(changed, safe, monkeypatch):
    trace, cluster = mixed_trace(400), two_speeds()
    problem = stated(trace, cluster, objective="e2e", loads=[0.9], targets=Targets())
    cells = [metrics() for _ in problem.selection]
    alike = Rival(problem.rival.policy, [metrics() for _ in problem.training], cells)
    problem = replace(problem, rival=alike)
    found = [metrics(e2e_mean_s=0.9), metrics(e2e_mean_s=0.9, **changed)]
    monkeypatch.setattr(
        "workloadlab.learning.auto.play",
        lambda routers, cells, threads: [(found * len(cells))[: len(cells)] for _ in routers],
    )
    one = Found(LearnedRouter(form="heuristic", body={"router": "random"}), 0, 0, [], 0)
    assert is_safe(problem, [one]) == safe
    assert harmless(problem, [one.router]) == [safe]
