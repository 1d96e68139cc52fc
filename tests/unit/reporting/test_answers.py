"""The first screen: what to do is said in bold in overload, with idle instances, and among equals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from support.runs import latencies, routers, run_info
from support.traces import requests_at

from workloadlab import LatencyModel, Trace, characterize
from workloadlab.reporting import summarise
from workloadlab.reporting.routers.decision import decision_grid
from workloadlab.reporting.routers.load import plot_knees, plot_slo_by_load
from workloadlab.scoring import score
from workloadlab.scoring.load.lost import GOAL, slo_lost
from workloadlab.trace import Runs

N, MS = 1000, 1_000_000
CLUSTER = {"pool": [{"name": "pool", "instances": 4, "latency": "flat"}]}


def outcomes(grows_s=0.0, instances=4, seed=0):
    """Return requests that come each 0.1 s and take longer by `grows_s` each."""
    ttft_s = 0.05 + grows_s * np.arange(N) + np.random.default_rng(seed).uniform(0, 0.01, N)
    columns = {
        "arrival_ns": np.arange(N) * 100 * MS,
        "input_tokens": [100] * N,
        "output_tokens": [2] * N,
        "ttft_ns": (ttft_s * 1e9).astype(int),
        "e2e_ns": (ttft_s * 1e9).astype(int) + 10 * MS,
        "outcome": ["ok"] * N,
        "instance_id": [f"pool/{k % instances}" for k in range(N)],
    }
    return Trace.from_frame(pl.DataFrame(columns))


def facts(*parts, scale=1.0, slo="ttft=100ms", **traces):
    infos = tuple(replace(run_info(name, rate_scale=scale), instances=4) for name in traces)
    board = score(Runs(infos, tuple(traces.values()), CLUSTER), slo=slo)
    return summarise(*parts, board)


def answers(found):
    return {answer["question"]: answer["sentence"] for answer in found["answers"]}


def glance(found):
    [grid] = found["at_a_glance"]
    return [
        dict(zip(grid["header"], [c["text"] for c in row], strict=True)) for row in grid["rows"]
    ]


def test_overload_says_what_to_do_and_names_no_best_router():
    found = facts(one=outcomes(0.08), two=outcomes(0.08, seed=1), scale=2.0)
    said = answers(found)
    assert said["Does the cluster hold it?"].startswith(
        "No. At 2 times the recorded rate on 4 instances there is no steady state: "
    )
    assert said["Which router?"].endswith("add instances, or lower the rate.")
    [row] = glance(found)
    assert (row["best router"], row["mean TTFT against one"]) == ("no steady state", "-")


def test_idle_instances_are_named():
    said = answers(facts(spread=outcomes(), to_one=outcomes(instances=1, seed=1)))
    assert said["Are all instances used?"] == (
        "No: with to_one, one of 4 instances takes 100% of the tokens."
    )
    assert "Are all instances used?" not in answers(facts(spread=outcomes(), two=outcomes(seed=1)))


def test_among_equals_any_router_will_do():
    found = facts(one=outcomes(), two=outcomes())
    assert answers(found)["Which router?"].startswith(
        "At the recorded rate: Any of them: the mean TTFT of one and two is equal"
    )
    [row] = glance(found)
    assert (row["best router"], row["mean TTFT against one"]) == ("any", "no practical difference")


def over_load():
    scales = (1.0, 2.0, 4.0)
    runs = Runs(
        tuple(replace(run_info("one", rate_scale=scale), instances=4) for scale in scales),
        tuple(outcomes(grows, seed=0) for grows in (0.0, 1e-5, 2e-4)),
        CLUSTER,
    )
    return score(runs, slo="ttft=100ms")


def test_the_knee_and_the_lost_targets_are_drawn_where_they_are_said():
    board = over_load()
    plots = {plot["title"]: plot for plot in summarise(board)["sections"][0]["plots"]}
    slo = plots["Requests that meet the SLO by load"]
    [mark] = slo["data"]["marks"]
    lost = slo_lost(board, "one")
    assert (mark["rate"], mark["low"], mark["height"]) == (lost.rate, lost.low, GOAL)
    assert f"Under 99% meet it: one from {lost} on." in slo["reading"]
    [knee] = plots["Mean end-to-end latency by load, and its knee"]["data"]["marks"]
    assert (knee["rate"], knee["height"]) == (board.knees[0].at.rate, None)
    on = plot_knees(board, "routers-1").drawing
    one, two = on.curves[0].points[:2]
    assert one[1] < on._height(on.marks[0], logarithmic=False) < on.curves[0].points[-1][1]
    assert two[0] < on.marks[0].rate
    drawn = plot_slo_by_load(board, "routers-1").drawing.draw()
    assert [line.get_marker() for line in drawn.axes[0].lines].count("D") == 1


def replayed(log, cluster=CLUSTER):
    trace = outcomes()
    parent = {"sources": [{"path": f"/logs/{log}"}]}
    made = Trace(trace.frame, replace(trace.provenance, parents=[parent]))
    return Runs((run_info("one"), run_info("two")), (made, made), cluster)


def test_boards_of_several_logs_are_told_apart():
    found = summarise(replayed("chat.csv"), replayed("code.csv"))
    assert found["title"] == "Routers for chat.csv and code.csv"
    assert [section["title"] for section in found["sections"]] == [
        "Routers: chat.csv", "Routers: code.csv"
    ]  # fmt: skip
    assert [grid["caption"] for grid in found["at_a_glance"]] == [
        "At a glance: chat.csv", "At a glance: code.csv"
    ]  # fmt: skip
    asked = answers(found)
    assert "Which router for code.csv?" in asked
    assert "Does the cluster hold chat.csv?" in asked


def test_boards_of_one_log_are_told_apart_by_their_clusters():
    larger = {"pool": [CLUSTER["pool"][0] | {"instances": 8}]}
    found = summarise(replayed("chat.csv"), replayed("chat.csv", larger))
    assert [section["title"] for section in found["sections"]] == [
        "Routers: chat.csv on 4 instances of flat", "Routers: chat.csv on 8 instances of flat"
    ]  # fmt: skip
    twice = summarise(replayed("chat.csv"), replayed("chat.csv"))
    assert len({section["title"] for section in twice["sections"]}) == 2


@pytest.mark.parametrize(("slo", "held"), [("ttft=100ms", "Yes: at"), ("ttft=50ms", "Not within")])
def test_a_cluster_holds_its_load_within_the_targets_or_not(slo, held):
    assert answers(facts(one=outcomes(), slo=slo))["Does the cluster hold it?"].startswith(held)


@pytest.mark.parametrize(("scale", "least"), [(1.0, 1), (30.0, 3)])
def test_instances_are_counted_at_the_rate_of_the_runs(scale, least):
    """A prompt takes 8 ms and a token 1 ms: ten per second are the work of 0.09 instances."""
    model = LatencyModel.linear(
        constant_s=0.0, prefill_token_s=8e-5, decode_seq_s=1e-3, name="flat"
    )
    profile = characterize(outcomes(), model)
    offered = profile.phases.offered_load
    assert round(offered, 2) == 0.09
    said = answers(facts(profile, one=outcomes(), scale=scale))["How many instances?"]
    assert said.startswith(f"About {least} instance")
    assert ("30 times the recorded rate" in said) == (scale != 1)


def test_targets_that_are_missed_come_before_a_log_that_is_too_short():
    short = {"ttft_ns": [50_000_000] * 300, "e2e_ns": 4_000_000_000, "instance_id": "a"}
    trace = requests_at([number / 100 for number in range(300)], **short)
    for slo, said in (("ttft=10ms", "Not within the targets: "), ("ttft=1", "Cannot be told")):
        found = answers(facts(one=trace, slo=slo))["Does the cluster hold it?"]
        assert found.startswith(said)


def several(ttft_by_scale):
    """Return the answers of a board: per rate, by router, the added TTFT per request and a constant."""
    infos, traces = [], []
    for scale, by_router in ttft_by_scale.items():
        for router, (grows, more_s) in by_router.items():
            infos.append(replace(run_info(router, rate_scale=scale), instances=4))
            more = pl.lit(int(more_s * 1e9))
            both = pl.col("ttft_ns", "e2e_ns") + more
            frame = outcomes(grows).frame.with_columns(both)
            traces.append(Trace.from_frame(frame))
    return score(Runs(tuple(infos), tuple(traces), CLUSTER), slo="ttft=100ms")


def held(ttft_by_scale):
    return answers(summarise(several(ttft_by_scale)))["Does the cluster hold it?"]


def test_of_several_rates_the_highest_that_is_held_is_named_and_the_next():
    said = held({8.0: {"a": (0, 0)}, 14.0: {"a": (0, 0.01)}, 17.0: {"a": (8e-5, 0)}})
    assert said.startswith(
        "Up to 14 times the recorded rate with a: 100% of the requests meet TTFT ≤ 100 ms; not at 17 "
        "times the recorded rate: "
    )
    assert said.endswith("%.")
    assert held({8.0: {"a": (0.08, 0)}, 17.0: {"a": (0.08, 0)}}).startswith("No. At 8 times")
    assert held({8.0: {"a": (0, 0)}, 14.0: {"a": (0, 0)}}) == (
        "Yes, up to 14 times the recorded rate with a: 100% of the requests meet TTFT ≤ 100 ms; no "
        "higher rate was tried."
    )
    assert held({1.0: {"a": (0, 0)}, 2.0: {"a": (0.08, 0)}}).endswith(
        "not at 2 times the recorded rate: there is no steady state."
    )


def test_of_routers_that_meet_the_targets_alike_the_one_of_the_verdict_is_named():
    found = {"slower": (0, 0.02), "best": (0, 0)}
    assert "with best: 100%" in held({1.0: found, 2.0: found})


def test_a_tie_with_the_best_stands_in_the_sentence():
    found = {"one": (0, 0), "slow": (0, 0.03), "two": (0, 1e-5)}
    [verdict] = several({1.0: found}).verdicts()
    assert "the same within 1%: two." in verdict.sentence
    assert not any("within 1%" in line for line in verdict.more)


def test_who_meets_the_targets_most_is_said_where_another_is_best():
    wild = np.where(np.arange(1200) % 10, 0.02, 0.15) + latencies(0) / 100
    board = score(routers(wild=wild, even=wild * 0 + 0.06 + latencies(1) / 100), slo="ttft=100ms")
    [verdict] = board.verdicts()
    assert verdict.sentence.startswith("Best is wild: ")
    assert (
        "Most requests meet the targets TTFT ≤ 100 ms with even, 100%; with wild 90.0% do."
        in verdict.more
    )


def rates(**ttft_by_rate):
    """Return a board of the routers a and b at rates x1, x2, ..., with these waits of each."""
    infos, traces = [], []
    for scale, waits in enumerate(ttft_by_rate.values(), 1):
        for name, ttft in zip("ab", waits, strict=True):
            infos.append(run_info(name, rate_scale=float(scale)))
            traces.append(routers(**{name: ttft}).traces[0])
    return score(Runs(tuple(infos), tuple(traces)))


def test_which_router_speaks_of_every_rate():
    base = latencies(0, n=1000)
    board = rates(x1=(base, base * 1.5), x2=(base * 1.5, base), x3=(base, base))
    answers = {each["question"]: each["sentence"] for each in summarise(board)["answers"]}
    said = answers["Which router?"]
    assert "At the recorded rate: Best is a" in said
    assert said.endswith("First at the other rates: b at x2 and any at x3.")


def test_a_baseline_that_is_first_by_chance_is_not_called_best():
    base = latencies(0, n=1000)
    others = base * 1.5, latencies(1, n=1000) * 1.06
    grids = [decision_grid(rates(x1=(base, other))) for other in others]
    said = [grid.rows[0][-1].text for grid in grids]
    assert said == ["the baseline is best", "the baseline is first, not separated"]
