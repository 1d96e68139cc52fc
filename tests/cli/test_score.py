"""What `score` lists, and what it asks for."""

from __future__ import annotations

import json

from support.traces import requests_every

from workloadlab.scoring import METRICS


def test_list_metrics_names_every_metric_with_its_unit(run):
    code, out, _ = run("score", "--list-metrics")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert names == [metric.name for metric in METRICS]
    _, out, _ = run("score", "--list-metrics", "--json")
    first = METRICS[0]
    assert json.loads(out)["metrics"][0] == {
        "name": first.name, "unit": first.unit, "better": first.better, "about": first.about,
    }  # fmt: skip


def test_score_without_runs_says_what_to_name(run):
    code, _, err = run("score")
    assert code == 2
    assert "no runs to score" in err


def test_runs_on_several_clusters_are_one_board(run, tmp_path):
    requests_every(0.1, 300).save(tmp_path / "t.trace")
    for instances in (1, 2):
        code, _, err = run(
            "replay", tmp_path / "t.trace", "--latency", "h100-llama-3.1-8b", "--instances",
            str(instances), "--router", "round_robin", "-o", tmp_path / f"n{instances}",
        )  # fmt: skip
        assert code == 0, err
    code, out, err = run("score", tmp_path / "n1", tmp_path / "n2", "--json")
    assert code == 0, err
    board = json.loads(out)
    assert [each["router"] for each in board["runs"]] == ["n1: round_robin", "n2: round_robin"]
    assert board["runs"][1]["usd_per_mtok"] > 1.5 * board["runs"][0]["usd_per_mtok"] > 0
    assert board["pairs"]
    code, _, err = run("score", tmp_path / "n1", tmp_path / "n1")
    assert code == 2
    assert "same name" in err
