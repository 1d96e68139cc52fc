"""The figures of a profile's later topics: tenants, sessions, prefixes, costs, load, targets."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from support.traces import requests_at

from workloadlab import LatencyModel, characterize
from workloadlab.reporting import report
from workloadlab.reporting.figures import draw
from workloadlab.reporting.summary import summary_of
from workloadlab.reporting.workload.sessions.hazard import wilson
from workloadlab.trace import Provenance

SECOND = 1_000_000_000
EVIL = '<script>alert("x")</script>&$a_1$'
HOUR = 3600


def trace_of(arrival_s, *, t0_unix_ns=None, **columns):
    return requests_at(
        arrival_s, provenance=Provenance(reader="csv", t0_unix_ns=t0_unix_ns), **columns
    )


def plots_of(trace, model=None):
    """Return every figure as plain data by its name, and the figure itself as its "plot"."""
    section = summary_of(characterize(trace, model)).sections[0]
    return {
        plot.id.removeprefix("workload-1-"): plot.to_dict() | {"plot": plot}
        for plot in section.plots
    }


def svg_of(plot):
    return draw(plot["plot"])


def drawn(plot):
    return ET.fromstring(svg_of(plot).replace("<svg ", '<svg xmlns:xlink="x" ', 1))


@pytest.fixture(scope="module")
def model():
    return LatencyModel.load("rtxpro6000-llama-3.1-8b")


@pytest.fixture(scope="module")
def rich():
    """Two weeks of 20 sessions of 16 growing turns, with tenants, blocks and timings."""
    sessions, turns = 20, 16
    number = np.tile(np.arange(sessions), turns)
    turn = np.repeat(np.arange(turns), sessions)
    arrival_s = turn * 21.0 * HOUR + number * HOUR / 2
    blocks = [
        [*range(2), *(100 * s + b for b in range(2, 2 + t))]
        for s, t in zip(number, turn, strict=True)
    ]
    return trace_of(
        arrival_s,
        t0_unix_ns=1_700_000_000 * SECOND,
        session_id=[f"s{s}" for s in number],
        tenant_id=[EVIL if s < 10 else f"t{s % 4}" for s in number],
        input_tokens=[16 * len(found) for found in blocks],
        output_tokens=[11] * len(number),
        block_ids=blocks,
        block_size=[16] * len(number),
        ttft_ns=(turn + 1) * (SECOND // 10),
        e2e_ns=(turn + 1) * (SECOND // 10) + 10 * (SECOND // 25),
    )


@pytest.fixture(scope="module")
def plots(rich, model):
    return plots_of(rich, model)


TOPICS = {
    "week", "tenants", "hazard", "context", "cache", "instances", "reuse", "phases", "concurrency",
    "attainment",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_every_topic_has_a_figure_that_says_what_it_is(plots, name):
    plot = plots[name]
    assert plot["kind"] != "absent"
    for words in (plot["reading"], plot["definition"]):
        assert words.endswith(".")
        assert not re.search(r"\bnan\b|\binf\b|None|\{", words)
    assert re.search(r"\d", plot["n"])
    drawing = drawn(plot)
    assert len(drawing.attrib.pop("aria-label")) > 40
    assert not re.search(r"#[0-9a-f]{6}", ET.tostring(drawing, "unicode"))


def test_a_rich_page_is_small_escaped_and_the_same_every_time(rich, model, tmp_path):
    pages = [
        report(tmp_path / f"{number}.html", characterize(rich, model)).read_text("utf-8")
        for number in range(2)
    ]
    assert pages[0] == pages[1]
    assert pages[0].count("<script") == 1  # the page's own, that sorts tables
    assert EVIL not in pages[0]
    assert len(pages[0].encode()) < 1_000_000


def test_the_cache_curve_rises_to_its_ceiling_and_names_the_size_that_is_enough(plots):
    data = plots["cache"]["data"]
    lru, opt = (np.array(curve["points"]) for curve in data["curves"])
    assert (np.diff(lru[:, 1]) >= 0).all()
    assert (opt[:, 1] >= lru[:, 1]).all()
    assert lru[-1, 1] == data["ceiling"] == opt[-1, 1]
    enough = int(lru[np.argmax(lru[:, 1] >= 0.9 * data["ceiling"]), 0])
    assert f"nine tenths of that with {enough:,} tokens" in plots["cache"]["reading"]


def test_cache_sizes_have_gib_only_for_a_model(rich, plots):
    with_model, without = plots["cache"], plots_of(rich)["cache"]
    assert with_model["data"]["gib_per_token"] == pytest.approx(2**17 / 2**30)
    assert "GiB for rtxpro6000-llama-3.1-8b" in with_model["definition"]
    assert without["data"]["gib_per_token"] is None
    assert "GiB" not in without["reading"] + without["definition"]
    assert "cache, GiB" in svg_of(with_model)
    assert "cache, GiB" not in svg_of(without)


def test_every_router_has_a_curve_from_the_ceiling_down(plots):
    plot = plots["instances"]
    labels = ["random", "round robin", "session affinity", "prefix-aware"]
    assert [key["label"] for key in plot["legend"]] == labels
    for curve in plot["data"]["curves"]:
        ratios = dict(curve["points"])
        assert ratios[1] == plot["data"]["ceiling"]
        assert ratios[64] < ratios[1]
    eight = [dict(curve["points"])[8] for curve in plot["data"]["curves"]]
    best = labels[int(np.argmax(eight))]
    assert f"by routing: {best} {max(eight):.1%}" in plot["reading"]


def test_reuse_times_are_those_of_the_profile():
    trace = trace_of(
        [0, 10, 110, 1110],
        input_tokens=[16] * 4,
        block_ids=[[1]] * 4,
        block_size=[16] * 4,
    )
    plot = plots_of(trace)["reuse"]
    assert np.allclose(plot["data"]["points"], [[10, 1 / 3], [100, 2 / 3], [1000, 1]])
    assert "would give 33.3% of all hits, for 10 minutes 66.7%" in plot["reading"]
    assert plot["n"] == "3 reuses"
    drawn(plot)


def test_blocks_that_are_never_used_twice_say_so():
    trace = trace_of(
        range(4), input_tokens=[16] * 4, block_ids=[[n] for n in range(4)], block_size=[16] * 4
    )
    plots = plots_of(trace)
    assert plots["cache"]["reading"] == "No cached block is ever hit."
    assert plots["instances"]["kind"] == "absent"
    assert plots["reuse"]["reading"] == "No block is used twice."


def test_reuses_at_one_moment_have_no_time_to_draw():
    trace = trace_of(
        [0, 0, 5], input_tokens=[16] * 3, block_ids=[[1], [1], [2]], block_size=[16] * 3
    )
    assert "at the moment of the use before" in plots_of(trace)["reuse"]["reading"]


def sessions_of(lengths):
    names = [f"s{s}" for s, turns in enumerate(lengths) for _ in range(turns)]
    return trace_of(range(len(names)), session_id=names)


@pytest.mark.parametrize(
    ("lengths", "later", "verdict"),
    [
        ([1] * 100 + [40] * 40, "40 that reach turn 30, 100% go on", "the likelier it goes on."),
        ([3] * 90, "90 that reach turn 3, 0% go on", "the likelier it ends."),
        (
            [1] * 32 + [2] * 16 + [3] * 16,
            "32 that reach turn 2, 50% go on",
            "than chance may take it.",
        ),
    ],
)
def test_the_hazard_is_compared_where_enough_sessions_are_left(lengths, later, verdict):
    plot = plots_of(sessions_of(lengths))["hazard"]
    assert f"; of the {later}" in plot["reading"]
    assert plot["reading"].endswith(verdict)
    assert plot["data"]["points"][0][1] == pytest.approx(np.mean(np.array(lengths) > 1))
    drawn(plot)


def test_wilsons_interval_holds_the_share_and_narrows():
    for part, n in ((0.0, 3), (1.0, 3), (0.3, 10), (0.3, 1000)):
        low, high = wilson(part, n)
        assert 0 <= low <= part <= high <= 1
    assert np.diff(wilson(0.3, 1000)) < np.diff(wilson(0.3, 10))


def test_sessions_of_one_request_do_not_go_on():
    plots = plots_of(sessions_of([1] * 5))
    assert plots["hazard"]["reading"] == "Every session has one request."
    assert "context" not in plots


def test_prompts_grow_with_the_turns(plots):
    points = plots["context"]["data"]["points"]
    assert points[0] == [1, 32]
    assert points[-1] == [16, 32 + 15 * 16]
    assert "No prompt is shorter than the one before." in plots["context"]["reading"]


def test_the_largest_tenant_and_those_with_most_requests_are_counted():
    trace = trace_of(range(100), tenant_id=["big"] * 80 + ["a"] * 10 + ["b"] * 5 + ["c"] * 5)
    plot = plots_of(trace)["tenants"]
    assert plot["reading"].startswith(
        "The largest of 4 tenants sends 80.0% of the requests; 2 hold 90% of them (Gini 0.57)."
    )
    by_requests = plot["data"]["curves"][0]["points"]
    assert np.allclose(by_requests, [[1, 0.8], [2, 0.9], [3, 0.95], [4, 1]])
    drawn(plot)


def test_one_tenant_has_no_curve():
    plot = plots_of(trace_of(range(9), tenant_id=["one"] * 9))["tenants"]
    assert plot["reading"] == "Every request names the same tenant."


def test_concurrency_says_where_its_durations_are_from(model):
    observed = trace_of([0, 1, 2], e2e_ns=[2 * SECOND] * 3)
    plot = plots_of(observed)["concurrency"]
    assert "as recorded" in plot["definition"]
    assert plot["reading"].startswith("1.50 requests are in flight on average")
    assert "and 2 at the peak." in plot["reading"]
    levels = plot["data"]["level"]
    assert sum(levels) * plot["data"]["bin_s"] == pytest.approx(6, rel=0.01)
    predicted = plots_of(trace_of([0, 1, 2]), model)["concurrency"]
    assert "predicted by the latency model" in predicted["definition"]


def test_the_busiest_hour_of_the_week_is_named():
    hours = np.arange(7 * 24 + 1)
    monday = 1_699_833_600  # 2023-11-13 00:00 UTC
    often = np.where(hours == 50, 30, 3)
    arrivals = np.concatenate(
        [h * HOUR + np.arange(n) * 60.0 for h, n in zip(hours, often, strict=True)]
    )
    plot = plots_of(trace_of(arrivals, t0_unix_ns=monday * SECOND))["week"]
    assert "Wednesday 02:00 UTC, has 0.00833 requests/s" in plot["reading"]
    assert plot["data"]["rate_rps"][2][2] == pytest.approx(30 / HOUR)


def test_a_short_trace_has_no_weekly_pattern():
    plot = plots_of(trace_of(np.arange(0, 3 * HOUR, 60.0), t0_unix_ns=0))["week"]
    assert plot["reading"] == "The trace covers 3 hours of the week, too few for a pattern."


def test_the_surface_says_which_targets_are_met():
    fast = trace_of(
        range(10), output_tokens=[11] * 10, ttft_ns=[SECOND // 4] * 10, e2e_ns=[SECOND // 2] * 10
    )
    plot = plots_of(fast)["attainment"]
    assert "meet a TTFT of 500 ms at the loosest TPOT and a TPOT of 30 ms" in plot["reading"]
    assert "100%" in svg_of(plot)


def test_targets_that_nobody_meets_are_drawn_as_such():
    late = {"ttft_ns": [11 * SECOND] * 10, "e2e_ns": [90 * SECOND] * 10}
    plot = plots_of(trace_of(range(10), **late))["attainment"]
    assert "TTFT within 10 s and TPOT within 200 ms, are met by 0% of" in plot["reading"]
    drawn(plot)


@pytest.mark.parametrize("timing", ["ttft_ns", "e2e_ns"])
def test_a_surface_needs_first_tokens_and_ends(timing):
    plot = plots_of(trace_of(range(10), **{timing: [SECOND] * 10}))["attainment"]
    assert plot["kind"] == "absent"
    assert plot["reading"].startswith("No request records both")


def test_the_costliest_class_is_named(model):
    trace = trace_of(range(10), input_tokens=[100] * 9 + [60_000], output_tokens=[2] * 10)
    plot = plots_of(trace, model)["phases"]
    assert plot["reading"].startswith("Requests of heavy prefill and light decode are 10.0% of all")
    assert [row["requests"] for row in plot["data"]["rows"]] == [9, 0, 1, 0]


def test_topics_that_are_absent_have_no_figure():
    assert set(plots_of(trace_of(range(5)))) & TOPICS == {"week"}
