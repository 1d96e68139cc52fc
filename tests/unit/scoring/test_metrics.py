"""Every metric of the list reaches JSON, frame and tables, under the words that its row gives it."""

from __future__ import annotations

import json

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.reporting.routers.grid import router_grid
from workloadlab.scoring import METRICS, LatencySummary, Measure, Rent
from workloadlab.scoring.tables import printed_measures
from workloadlab.trace import RunInfo

UNITS = {
    "s", "requests", "requests/s", "tokens/s", "share", "preemptions", "1", "GPU s", "$", "kWh",
}  # fmt: skip
PAIRS = 30

each_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


def outcome(ttft_s):
    return wl.Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [second * 10**9 for second in range(2 * PAIRS)],
                "input_tokens": [100, 200] * PAIRS,
                "output_tokens": [11, 21] * PAIRS,
                "cached_tokens": [0, 50] * PAIRS,
                "queue_ns": [0, 1] * PAIRS,
                "ttft_ns": [round(ttft_s * 1e9), 2 * 10**9] * PAIRS,
                "e2e_ns": [3 * 10**9, 4 * 10**9] * PAIRS,
                "token_offsets_ns": [[10**9, 2 * 10**9, 4 * 10**9], [2 * 10**9]] * PAIRS,
                "block_ids": [[0, 1], [0, 2]] * PAIRS,
                "block_size": 16,
                "tenant_id": ["t", "u"] * PAIRS,
                "instance_id": ["a", "b"] * PAIRS,
                "preemptions": [1, 0] * PAIRS,
            }
        )
    )


@pytest.fixture(scope="module")
def board():
    """Two routers, one rate, one seed, with targets, so that no column is left out."""
    routers = {"slow": 1.0, "fast": 0.5}
    infos = tuple(
        RunInfo(run_id=router, router=router, rate_scale=1.0, seed=0, instances=2)
        for router in routers
    )
    runs = wl.Runs(infos, tuple(outcome(ttft_s) for ttft_s in routers.values()))
    rent = Rent(gpus=2, usd_per_hour=5.0, kilowatts=1.4)
    return wl.score(runs, slo=wl.SLO(ttft_s=0.7), rent=rent)


def test_json_has_the_metrics_in_their_order(board):
    run = json.loads(board.to_json())["runs"][0]
    names = [metric.name for metric in METRICS]
    assert list(run)[4 : 4 + len(names)] == names
    assert list(board.runs[0].metrics) == names


@each_metric
def test_a_metric_is_an_attribute_a_key_and_a_column(board, metric):
    run, facts = board.runs[0], board.to_dicts()[0]
    value = run.metrics[metric.name]
    assert getattr(run, metric.name) is value
    if isinstance(value, LatencySummary):
        assert facts[metric.name] == vars(value)
        assert {f"{metric.name}_{part}" for part in vars(value)} <= set(board.frame.columns)
        assert set(metric.parts) <= set(vars(value))
    else:
        assert value is not None, "the fixture records everything"
        assert facts[metric.name] == value
        assert board.frame[metric.name][0] == value
        assert not metric.parts


@each_metric
def test_a_metric_is_in_the_tables_that_its_row_names(board, metric):
    columns = printed_measures(targets=True, by=Measure.named("ttft_s"))
    shown = tuple(measure.part for measure in columns if measure.metric is metric)
    instead = metric.name == "throughput_rps"  # goodput stands for it where there are targets
    assert shown == (() if instead else metric.printed)
    grid = router_grid(board, 1.0)
    headings = {*grid.header, *(text.partition(",")[0] for text, _ in grid.groups)}
    percent = " %" if metric.unit == "share" else ""
    assert (f"{metric.label}{percent}" in headings) == metric.reported


def test_only_what_has_a_better_end_is_marked(board):
    grid = router_grid(board, 1.0)
    for metric in METRICS:
        heading = f"{metric.label} %" if metric.unit == "share" else metric.label
        if heading in grid.header and metric.better is None:
            at = grid.header.index(heading)
            assert {row[at].mark for row in grid.rows} == {""}


@each_metric
def test_a_metric_says_what_it_is(metric):
    assert metric.unit in UNITS
    assert metric.better in ("higher", "lower", None)
    assert metric.about.endswith(".")
    assert metric.name.endswith(
        {"s": "_s", "requests/s": "_rps", "tokens/s": "_per_s"}.get(metric.unit, "")
    )
    assert metric.noun or not metric.paired, "sentences name the latencies that are compared"


def test_names_are_unique():
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_an_unknown_metric_is_named_among_the_known(board):
    with pytest.raises(AttributeError, match="no 'goodput'; its metrics are requests, served"):
        _ = board.runs[0].goodput
