"""Scoreboards and runs: who leads, what the intervals separate, and what the figures show."""

from __future__ import annotations

import numpy as np
import pytest
from support.runs import run_info
from support.traces import requests_every

from workloadlab.reporting import summarise
from workloadlab.reporting.routers.ranking import standing
from workloadlab.scoring import SLO, Measure, score
from workloadlab.trace import Runs, Trace

MS = 1_000_000
REQUESTS = 400
CLUSTER = {"signal_interval_s": 0.0, "pool": [{"name": "pool", "instances": 2, "latency": "flat"}]}


def outcome(ttft_ms, *, lost=0):
    """One run: TTFT as given, then 10 tokens, 20 ms each."""
    n = len(ttft_ms)
    return requests_every(
        0.1,
        n,
        input_tokens=50,
        output_tokens=11,
        ttft_ns=(ttft_ms * MS).astype(np.int64),
        e2e_ns=((ttft_ms + 200) * MS).astype(np.int64),
        queue_ns=0,
        outcome=["rejected"] * lost + ["ok"] * (n - lost),
        instance_id=["pool/0", "pool/1"] * (n // 2),
        preemptions=0,
    )


def runs_of(routers, scales=(1.0,), *, outside=0, **options):
    """Runs of routers given as name -> TTFT in ms, slower in proportion to the rate scale."""
    lanes = [(name, ttft, scale) for name, ttft in routers.items() for scale in scales]
    infos = tuple(
        run_info(name, rate_scale=scale, instances=2, steps=1000, steps_outside_domain=outside)
        for name, _, scale in lanes
    )
    traces = tuple(outcome(ttft * scale, **options) for _, ttft, scale in lanes)
    return Runs(infos, traces, CLUSTER)


@pytest.fixture(scope="module")
def ttft():
    """Three routers: b is 10 ms faster than a; c equals a up to noise that averages out."""
    noise = np.random.default_rng(1).normal(0, 5, REQUESTS)
    a = np.random.default_rng(0).gamma(4, 25, REQUESTS) + 20
    return {"a": a, "b": a - 10, "c": a + noise - noise.mean() + 0.05}


@pytest.fixture(scope="module")
def section(ttft):
    runs = runs_of(ttft)
    return summarise(score(runs, slo=SLO(ttft_s=0.2)), runs)["sections"][0]


def plots_of(section):
    return {plot["id"].removeprefix("routers-1-"): plot for plot in section["plots"]}


def marks(grid, column):
    index = grid["header"].index(column)
    return {row[0]["text"]: row[index]["mark"] for row in grid["rows"]}


def test_the_leader_is_separated_from_all(section, ttft):
    ranked = standing(score(runs_of(ttft)), 1.0, "ttft_s")
    assert (ranked.leader, ranked.tied) == ("b", ())
    assert ranked.rivals[0].difference_s == pytest.approx(0.010)
    assert marks(section["grids"][0], "mean") == {"a": "", "b": "best", "c": ""}
    assert "b has the lowest mean TTFT" in section["summary"]


def test_routers_that_the_intervals_do_not_separate_are_called_tied(ttft):
    runs = runs_of({name: ttft[name] for name in ("a", "c")})
    facts = summarise(score(runs), runs)
    section = facts["sections"][0]
    assert marks(section["grids"][0], "mean") == {"a": "tied", "c": "tied"}
    assert "On mean TTFT no router is separated from a" in section["summary"]
    assert "the order among these is not evidence" in facts["findings"][0]["message"]
    assert "does not tell from any other" in plots_of(section)["ttft-pairs"]["reading"]


def test_the_pair_is_turned_so_that_rivals_are_behind(ttft):
    ranked = standing(score(runs_of({"b": ttft["b"], "a": ttft["a"]})), 1.0, "ttft_s")
    (rival,) = ranked.rivals
    assert rival.router == "a"
    assert 0 < rival.low_s <= rival.difference_s <= rival.high_s


def test_columns_without_intervals_mark_only_the_best_number(section):
    grid = section["grids"][0]
    index = grid["header"].index("p99")
    assert [row[index]["mark"] for row in grid["rows"]] == ["", "least", ""]
    equal = grid["header"].index("requests/s")
    assert {row[equal]["mark"] for row in grid["rows"]} == {""}


def test_distributions_hold_the_board_quantiles(section, ttft):
    plot = plots_of(section)["ttft"]
    for curve in plot["data"]["curves"]:
        points = {level: value for value, level in curve["points"]}
        expected = np.quantile(ttft[curve["label"]].round(6), [0.5, 0.99]) / 1000
        assert [points[0.5], points[0.99]] == pytest.approx(expected, rel=1e-5)
    met = {name: np.mean(values <= 200) for name, values in ttft.items()}
    least = min(met, key=met.get)
    assert f"is met by {met[least]:.1%} ({least}) to {met['b']:.1%} (b)." in plot["reading"]
    assert plot["n"] == "400 requests per router"


def test_styles_are_the_same_in_every_figure(section):
    seen = {}
    for plot in section["plots"]:
        for key in plot["legend"]:
            if key["style"] >= 0:
                assert seen.setdefault(key["label"], key["style"]) == key["style"]
        for row in plot["data"].get("rows", []):
            assert seen[row["router"]] == row["style"]
    assert sorted(seen.values()) == [0, 1, 2]


def test_a_target_beyond_the_data_is_not_drawn(ttft):
    runs = runs_of(ttft)
    plot = plots_of(summarise(score(runs, slo=SLO(ttft_s=30)), runs)["sections"][0])["ttft"]
    assert plot["data"]["target_s"] is None
    assert plot["legend"][-1]["label"] == "target, 30 s, beyond the axis"
    assert "is met by 100%" in plot["reading"]


def test_a_scoreboard_alone_has_no_distributions(ttft):
    section = summarise(score(runs_of(ttft)))["sections"][0]
    assert [plot["kind"] for plot in section["plots"]] == ["differences"] * 3


def test_runs_alone_are_scored(ttft):
    section = summarise(runs_of(ttft))["sections"][0]
    assert {"latency", "differences"} == {plot["kind"] for plot in section["plots"]}
    assert section["grids"][0]["rows"][1][0]["text"] == "b"


def test_runs_go_with_their_own_scoreboard(ttft):
    one, two = runs_of(ttft), runs_of({name: ttft[name] for name in ("a", "b")})
    facts = summarise(one, score(two), two, score(one))
    assert [len(section["grids"][0]["rows"]) for section in facts["sections"]] == [2, 3]
    assert all(section["plots"][0]["kind"] == "latency" for section in facts["sections"])


def test_several_rates_add_figures_against_load(ttft):
    runs = runs_of(ttft, scales=(0.5, 1.0, 2.0))
    section = summarise(score(runs, slo=SLO(ttft_s=0.2)), runs)["sections"][0]
    plots = plots_of(section)
    over_load, *rates = section["grids"]
    assert over_load["header"] == ("router", "steady to", "knee", "SLO lost")
    assert len(rates) == 3
    assert over_load not in section["details"]
    assert [grid["note"] != "" for grid in rates] == [False, False, True]
    points = plots["load-ttft"]["data"]["curves"][0]["points"]
    assert points[2][1] == pytest.approx(4 * points[0][1])
    assert plots["load-slo"]["data"]["unit"] == "share"
    assert dict(section["facts"])["Distributions at"] == "x1"


def test_errors_against_observed_timings_are_shown(ttft):
    runs = runs_of({"a": ttft["a"], "b": ttft["b"]})
    section = summarise(score(runs, observed=runs.outcomes(router="a")), runs)["sections"][0]
    grid = section["grids"][-1]
    assert grid["caption"].startswith("Simulated against observed")
    assert [cell["text"] for cell in grid["rows"][0][:3]] == ["a", "ttft", "+0.0%"]
    assert all("observed" not in table["caption"] for table in section["details"])


def test_one_router_is_shown_without_comparison(ttft):
    runs = runs_of({"a": ttft["a"]})
    section = summarise(score(runs), runs)["sections"][0]
    assert {plot["kind"] for plot in section["plots"]} == {"latency"}
    assert marks(section["grids"][0], "mean") == {"a": ""}


def test_lost_requests_and_extrapolated_steps_are_warnings(ttft):
    facts = summarise(score(runs_of(ttft, lost=4, outside=50)))
    said = [finding["message"] for finding in facts["findings"] if finding["severity"] == "warning"]
    assert any("lost 4" in message for message in said)
    assert any("50 of 1,000 steps" in message for message in said)


def test_few_extrapolated_steps_are_a_note(ttft):
    facts = summarise(score(runs_of(ttft, outside=5)))
    assert [finding["severity"] for finding in facts["findings"]] == ["info"]


def test_runs_without_timings_say_so(ttft):
    runs = runs_of({"a": ttft["a"]})
    bare = tuple(
        Trace(trace.frame.drop("ttft_ns", "e2e_ns"), trace.provenance) for trace in runs.traces
    )
    section = summarise(Runs(runs.infos, bare, CLUSTER))["sections"][0]
    assert {plot["reading"] for plot in section["plots"]} == {"No run records it."}


def test_the_page_separates_whom_the_verdict_separates():
    """Six intervals leave 0 out, of which Holm's correction keeps four."""
    draw = np.random.default_rng(0)
    base = draw.gamma(2.0, 50.0, 800)
    behind = {f"r{k}": base + draw.normal(6.0, 40.0, 800) for k in range(6)}
    board = score(runs_of({"a": base, **behind}))
    ranked = standing(board, 1.0, "ttft_s")
    told = {
        rival.router
        for rival in ranked.rivals
        if board.compared(rival.router, ranked.leader, 1.0, Measure.named("ttft_s")).significant
    }
    alone = {rival.router for rival in ranked.rivals if rival.low_s > 0}
    assert set(behind) - set(ranked.tied) == told - {ranked.leader}
    assert (len(told), len(alone)) == (4, 6)
