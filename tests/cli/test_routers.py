"""Routers on the command line."""

from __future__ import annotations

import json

import pytest
from support.traces import requests_every

import workloadlab as wl
from workloadlab.oracles import ORACLES
from workloadlab.routing import SHELF, SIGNALS, compatible_routers, unmet_need

CLUSTER = """
[[pool]]
instances = 3
latency = "rtxpro6000-llama-3.1-8b"
kv_blocks = 500
block_size = 16
prefix_caching = {caching}
"""


def log(**columns):
    return requests_every(0.01, 8, **{"input_tokens": 64, "output_tokens": 5} | columns)


RICH = {"session_id": list("abcdabcd"), "block_ids": [[1, 2, 3]] * 8, "block_size": [16] * 8}


def test_needs_decide_what_can_run():
    able, refused = compatible_routers(log(), prefix_caching=False)
    assert {policy.name for policy in able} | set(refused) == set(SHELF)
    assert refused["session_affinity"] == "needs session, which this trace does not record"
    assert refused["dynamo_kv"] == "needs prefix, which this trace does not record"
    assert "least_requests" not in refused
    assert "decode_balancer" not in refused
    rich = log(**RICH)
    assert unmet_need(SHELF["dynamo_kv"], rich, prefix_caching=False) == (
        "needs prefix, but no pool of the cluster has prefix_caching"
    )
    able, refused = compatible_routers(rich, prefix_caching=True)
    assert (len(able), refused) == (len(SHELF), {})


@pytest.mark.parametrize("caching", ["true", "false"])
def test_router_all_runs_every_compatible_one(run, tmp_path, caching):
    log(**RICH).save(tmp_path / "log.trace")
    (tmp_path / "c.toml").write_text(CLUSTER.format(caching=caching))
    (tmp_path / "mine.py").write_text(
        "import workloadlab as wl\n@wl.router\ndef mine(request, instance):\n    return 0.0\n"
    )
    code, out, err = run(
        "replay", "log.trace", "--cluster", "c.toml", "--router", "all,mine.py", "--json"
    )
    assert code == 0
    ran = {entry["router"] for entry in json.loads(out)["runs"]}
    left_out = {name for name in SHELF if f"left out: {name} needs" in err}
    assert ran == set(SHELF) - left_out | {"mine"}
    assert ("dynamo_kv" in left_out) == (caching == "false")


def names_in(shown):
    """The first word of each entry; its other lines are indented."""
    return [line.split()[0] for line in shown.splitlines() if not line.startswith(" ")]


def test_list_of_routers_names_needs(run):
    code, out, _ = run("replay", "--list-routers", "--json")
    assert code == 0
    entries = {entry["name"]: entry for entry in json.loads(out)["routers"]}
    assert set(entries) == set(SHELF) | set(ORACLES)
    for name in ("clairvoyant_least_work", *ORACLES):
        assert (entries[name]["family"], entries[name]["needs"]) == ("oracles", ["oracle"])
    code, out, _ = run("replay", "--list-routers")
    assert names_in(out) == [*SHELF, *ORACLES]
    assert "(needs prefix)" in " ".join(out.split())


def test_list_of_signals_says_what_a_router_sees(run):
    code, out, _ = run("replay", "--list-signals", "--json")
    assert code == 0
    signals = json.loads(out)["signals"]
    assert [entry["name"] for entry in signals] == [signal.name for signal in SIGNALS]
    assert {"record", "name", "code", "unit", "kind", "meaning"} <= set(signals[0])
    code, out, _ = run("replay", "--list-signals")
    assert names_in(out) == [f"{signal.record}.{signal.name}" for signal in SIGNALS]


def test_a_router_predicts_with_a_model_of_ones_own(run, tmp_path):
    log().save(tmp_path / "log.trace")
    wl.LatencyModel.linear(constant_s=0.01, name="mine").save(tmp_path / "model.json")
    words = "predicted_latency=model.json,polyserve=rtxpro6000-llama-3.1-8b"
    code, out, _ = run(
        "replay", "log.trace", "--latency", "model.json", "--router", words, "--json"
    )
    assert code == 0
    ran = [entry["router"] for entry in json.loads(out)["runs"]]
    assert ran == ["predicted_latency", "polyserve"]
    code, _, err = run(
        "replay", "log.trace", "--latency", "model.json", "--router", "polyserve=modle.json"
    )
    assert code == 2
    assert "no latency model file" in err
    code, out, _ = run("replay", "--help")
    assert "=MODEL" in out


def test_oracles_stand_in_the_same_board(run, tmp_path):
    log().save(tmp_path / "log.trace")
    words = ("replay", "log.trace", "--latency", "rtxpro6000-llama-3.1-8b", "--instances", 2)
    code, out, _ = run(
        *words, "--router", "lookahead,round_robin,exhaustive", "--rate-scale", "1,2", "--json",
        "-o", "runs",
    )  # fmt: skip
    assert code == 0
    board = json.loads(out)
    order = ("round_robin", "lookahead", "exhaustive")
    assert [(entry["router"], entry["rate_scale"]) for entry in board["runs"]] == [
        (name, scale) for name in order for scale in (1.0, 2.0)
    ]
    mean_s = {e["router"]: e["e2e_s"]["mean"] for e in board["runs"] if e["rate_scale"] == 2.0}
    assert mean_s["exhaustive"] <= min(mean_s.values()) + 1e-9
    assert {"round_robin", "exhaustive"} in [{p["router"], p["other"]} for p in board["pairs"]]
    assert len(wl.Runs.open(tmp_path / "runs")) == 6

    code, _, err = run(*words, "--router", "lookahead", "--sessions", "closed")
    assert (code, "open sessions" in err) == (2, True)
