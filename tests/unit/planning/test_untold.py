"""A plan on a log that is too short to tell a steady state says so, in words, tables, JSON and page."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.traces import requests_at

import workloadlab as wl
from workloadlab.planning import Plan, mixes, plan
from workloadlab.reporting import summarise
from workloadlab.simulation import Pool

SLO = wl.SLO(ttft_s=1.0)
UNSURE = (
    "Whether they go on to hold it cannot be told: the log is too short, since requests come for"
)


def pool(name="default", step_s=0.02):
    model = wl.LatencyModel.linear(constant_s=step_s)
    return Pool(name=name, instances=1, latency=model, step_overhead_s=0.0, max_num_seqs=16)


def rising(n=300, tokens=600):
    """Return 29 s of a rate that rises, of requests that take 12 s."""
    arrival = 29 * np.sqrt(np.linspace(0, 1, n))
    return requests_at(arrival, input_tokens=10, output_tokens=tokens)


@pytest.fixture(scope="module")
def short():
    cluster = wl.Cluster(pools=[pool()])
    return plan(rising(), cluster, slo=SLO, routers=["least_requests"], growth=[2], threads=1)


def test_the_sentence_says_that_the_log_is_too_short(short):
    assert f"{UNSURE} 29 s and early ones take 12" in short.sentence
    assert short.sentence.endswith("Plan with a longer log, or take one more.")


def test_every_sentence_says_what_its_table_doubts(short):
    grown, slower, *_ = [said for said in short.more if said.startswith("If ")][-2:]
    for said in (grown, slower):
        assert said.endswith("; whether the load is held for longer cannot be told.")
    two = replace(short, growth=(replace(short.growth[0], factor=1.5, untold=""), *short.growth))
    assert any("held at x2 for longer cannot be told" in said for said in two.more)
    same = replace(short.growth[0], instances=short.peak.instances)
    assert any(
        said.startswith("Up to 2 times the traffic as many are enough; whether the load is held")
        for said in replace(short, growth=(same,)).more
    )
    other = replace(short.routers[0], router="random")
    assert (
        "whether the load is held for longer"
        in replace(short, routers=(*short.routers, other)).more[0]
    )
    fewer = replace(short.growth[0], change="max_num_seqs = 32", instances=short.peak.instances - 1)
    assert any(
        said.startswith("With max_num_seqs = 32, ") and "cannot be told" in said
        for said in replace(short, engine=(fewer,)).more
    )


def test_a_window_that_needs_as_many_and_is_not_told_is_said(short):
    told = replace(short.peak, untold="")
    both = replace(short, peak=told, hours=(told, replace(short.peak, start_s=9.0)))
    assert UNSURE in both.sentence


def test_the_tables_mark_what_is_not_told(short):
    routers, ifs, *_ = short.tables()
    assert routers.rows[0][0] == "least_requests ?"
    assert ifs.rows[0][0] == "2 times the traffic ?"
    for table in (routers, ifs):
        assert table.notes[-1:] == ["? too short, or too close, to tell whether the load is held"]
    windows = replace(short, hours=(short.peak, replace(short.peak, start_s=9.0, untold="")))
    assert [row[0] for row in windows.tables()[-1].rows] == ["0 s ?", "9 s"]


def test_the_json_says_it_of_each_trial(short, tmp_path):
    facts = json.loads(short.to_json())
    found = {each["instances"]: each["untold"] for each in facts["routers"][0]["trials"]}
    assert found[short.instances].startswith("the log is too short")
    assert facts["peak"]["untold"] == found[short.instances]
    for each in (*facts["growth"], facts["error"], *facts["frontier"]):
        assert each["untold"].startswith("the log is too short")
    (tmp_path / "plan.json").write_text(short.to_json())
    assert Plan.load(tmp_path / "plan.json") == short


def test_the_page_warns_of_it(short):
    page = summarise(short)
    assert UNSURE in page["answers"][0]["sentence"]
    assert [finding["severity"] for finding in page["findings"]] == ["warning"]


def test_a_mix_says_it_too():
    cluster = wl.Cluster(pools=[pool("fast"), pool("slow", 0.03)])
    found = mixes(rising(), cluster, slo=SLO, router="least_requests", threads=1)
    assert "cannot be told: the log is too short" in found.sentence
    assert found.table().rows[0][0] == "1 ?"


def test_a_log_that_tells_has_no_mark():
    arrival = np.arange(1500) / 10
    trace = requests_at(arrival, input_tokens=10, output_tokens=20)
    cluster = wl.Cluster(pools=[pool()])
    found = plan(trace, cluster, slo=SLO, routers=["least_requests"], growth=[2], threads=1)
    assert "cannot be told" not in found.sentence
    assert not any("?" in str(table) for table in found.tables())
    assert all(trial.untold == "" for trial in found.routers[0].trials if trial.steady)
