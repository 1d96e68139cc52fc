"""What `score` lists, and what it asks for."""

from __future__ import annotations

import json

from workloadlab.scoring import METRICS


def test_list_metrics_names_every_metric_with_its_unit(run):
    code, out, _ = run("score", "--list-metrics")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [metric.name for metric in METRICS]
    _, out, _ = run("score", "--list-metrics", "--json")
    first = METRICS[0]
    assert json.loads(out)["metrics"][0] == {
        "name": first.name, "unit": first.unit, "better": first.better, "about": first.about,
    }  # fmt: skip


def test_score_without_runs_says_what_to_name(run):
    code, _, err = run("score")
    assert code == 2
    assert "no runs to score" in err
