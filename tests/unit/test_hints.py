"""What is said of a name that nobody knows is short and true."""

from __future__ import annotations

import re

import pytest

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean

TRACE = wl.Trace.of([(0, 10, 5), (1, 20, 5)])


def misspelt_field():
    @wl.router
    def mine(request, instance):
        return instance.runing

    return wl.replay(TRACE, wl.Cluster.uniform(1, wl.LatencyModel.linear()), routers=mine)


MISTAKES = {
    "router": (lambda: wl.router("least_request"), "least_requests"),
    "oracle": (lambda: wl.oracle("lookahed"), "lookahead"),
    "model": (lambda: wl.LatencyModel.load("h100-llama-3-8b"), "h100-llama-3.1-8b"),
    "query": (lambda: wl.query("rate_by_minut", TRACE), "rate_by_minute"),
    "format": (lambda: wl.ingest(TRACE.to_polars(), format="mooncak"), "mooncake"),
    "field": (misspelt_field, "running"),
    "option": (lambda: wl.Cluster.uniform(1, "h100-llama-3.1-8b", kv_block=1), "kv_blocks"),
    "metric": (lambda: wl.score(wl.replay(TRACE, CLUSTER)).text("godput_rps"), "goodput_rps"),
    "target": (lambda: wl.SLO(tftt=1), "ttft"),
    "column": (lambda: TRACE.filter(input_token=1), "input_tokens"),
    "capability": (lambda: TRACE.supports("session s"), "session"),
    "run": (lambda: wl.replay(TRACE, CLUSTER)["round_robbin"], "round_robin"),
    "baseline": (lambda: wl.score(wl.replay(TRACE, CLUSTER), baseline="round"), "round_robin"),
    "export": (lambda: wl.export(TRACE, "x", "vidurr"), "vidur"),
}
CLUSTER = wl.Cluster.uniform(1, wl.LatencyModel.linear(constant_s=0.01))


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_misspelt_name_gets_at_most_three_names(kind):
    mistake, meant = MISTAKES[kind]
    with pytest.raises(UsageError) as caught:
        mistake()
    fix = str(caught.value.fix)
    assert meant in fix
    assert len(str(caught.value)) < 400
    asked = re.search(r"did you mean (.*?)\?", fix)
    assert asked
    assert len(re.split(r", | or ", asked[1])) <= 3


def test_a_part_of_a_name_finds_it():
    assert did_you_mean("a100", ["h100-x", "a100-y", "a100-z"]) == "did you mean a100-y or a100-z?"


def test_no_names_at_all():
    assert did_you_mean("x", []) == "there is none"
