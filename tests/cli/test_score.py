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
    assert "is given more than once, and names of folders name the clusters" in err


def test_a_gate_speaks_of_what_it_passed_and_of_what_it_cannot_tell(run, tmp_path):
    requests_every(0.1, 300).save(tmp_path / "t.trace")
    code, _, err = run(
        "replay", tmp_path / "t.trace", "--latency", "h100-llama-3.1-8b", "--instances", "2",
        "--router", "round_robin,random", "-o", tmp_path / "runs",
    )  # fmt: skip
    assert code == 0, err
    wide, blind, turned = (
        "e2e_s > +500% vs round_robin",
        "p99 e2e_s > +5% vs round_robin",
        "ttft_s < 0",
    )
    code, _, err = run(
        "score", tmp_path / "runs", *(f"--fail-on={g}" for g in (wide, blind, turned))
    )
    said = " ".join(err.split())
    assert code == 0
    assert (
        f"gate passed, {wide}: random at the recorded rate: mean end-to-end latency is equal to"
        in said
    )
    assert (
        f"gate cannot tell, {blind}: random at the recorded rate: p99 end-to-end latency cannot be"
        in said
    )
    assert (
        f"warning: gate '{turned}' fails what is under its limit, though of ttft_s lower is" in said
    )
    code, out, err = run(
        "score", tmp_path / "runs", "-q", "--json", "--fail-on", wide, "--fail-on", blind
    )
    assert code == 0
    assert err.startswith("gate cannot tell, p99")
    assert "gate passed" not in err
    facts = json.loads(out)
    assert facts["gates"] == {wide: [], blind: []}
    [passed] = facts["gate_values"][wide]
    assert passed["state"] == "passed"
    assert passed["low"] <= passed["value"] <= passed["high"]
    assert facts["gate_values"][blind][0]["state"] == "cannot_tell"
