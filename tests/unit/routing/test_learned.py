"""Learned routers: the file, the compiled code, and the plain code that must agree with it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from support.learned import RULED, costs_of, valued, walked
from support.traces import requests_every

import workloadlab as wl
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.routing import INSTANCE, REQUEST, empty_memory, resolve
from workloadlab.routing.learned.artefact import FORMAT_VERSION, LearnedRouter, load_learned
from workloadlab.routing.learned.features import FEATURES
from workloadlab.routing.learned.rules import DOMAIN, HEAD, NOTES, RULES
from workloadlab.routing.learned.terms import TERMS

rng = np.random.default_rng(5)
WEIGHTS = {name: float(weight) for name, weight in zip(TERMS, rng.uniform(0.1, 2, len(TERMS)))}  # noqa: B905


def forest(trees=7, levels=3, seed=0):
    """Trees that split anywhere on anything."""
    rng = np.random.default_rng(seed)
    inner, leaves = 2**levels - 1, 2**levels
    return {
        "features": list(FEATURES[::-1]),
        "constant": 0.5,
        "levels": levels,
        "feature": rng.integers(0, len(FEATURES), trees * inner).tolist(),
        "threshold": rng.exponential(0.2, trees * inner).tolist(),
        "leaf": rng.normal(0, 1, trees * leaves).tolist(),
    }


def network(first=6, second=5, seed=3):
    """A network that reads everything but two features, in another order."""
    rng = np.random.default_rng(seed)
    names = list(FEATURES[:1:-1])
    count = first * (len(names) + 1) + second * (first + 1) + 2 * (second + 1)
    return {
        "features": names,
        "units": rng.uniform(0.01, 2, len(names)).tolist(),
        "hidden": [first, second],
        "weights": rng.normal(0, 0.3, count).tolist(),
    }


LINEAR = LearnedRouter(rules=RULED, body=WEIGHTS)
TREES = LearnedRouter(form="trees", rules=RULED, body=forest())
NETWORK = LearnedRouter(form="network", rules=RULED, body=network())


def scene(seed, count=5):
    """One request and some instances, busy, idle or unfit, of two speeds."""
    rng = np.random.default_rng(seed)
    views, offers = np.zeros(count, INSTANCE), np.zeros(1, REQUEST)
    views["fits"] = rng.random(count) < 0.9
    views["kv_blocks"], views["block_size"] = 900, 16
    for name, most in (
        ("in_flight", 6), ("running", 9), ("waiting", 4), ("queued_tokens", 5000),
        ("sent_since_report", 3), ("sent_tokens_since_report", 900), ("context_tokens", 9000),
        ("output_tokens_left", 900), ("kv_blocks_used", 900), ("cached_tokens", 90),
    ):  # fmt: skip
        views[name] = rng.integers(0, most, count)
    views["relative_speed"] = rng.choice([1.0, 0.4], count)
    offers["input_tokens"] = rng.integers(100, 3000)
    offers["predicted_output_tokens"] = rng.integers(1, 400)
    offers["queue_length"] = rng.integers(1, 5)
    offers["report_age_s"] = rng.choice([0.0, 0.1])
    return offers[0], views


def choice_of(learned, request, views):
    """Choose as the file says, slowly."""
    rules = learned.rules
    able = [i for i in range(len(views)) if views[i]["fits"]]
    costs = {i: costs_of(request, views[i], rules) for i in able}
    longest = rules["cap_floor_s"]
    if able:
        longest += rules["cap_times"] * sum(costs[i]["wait"] for i in able) / len(able)
    least = {name: min(costs[i][name] for i in able) for name in TERMS} if able else {}
    scores, waiting = {}, []
    for i in able:
        v = views[i]
        features = dict(costs[i])
        features |= {f"{name}_above_least": costs[i][name] - least[name] for name in TERMS}
        for name in ("input_tokens", "predicted_output_tokens", "queue_length"):
            features[name] = float(request[name])
        if learned.form == "network":
            place, wait = valued(learned.body, features)
            waiting.append(wait)
        ahead = v["queued_tokens"] + v["sent_tokens_since_report"] + request["input_tokens"]
        reserved = (1 + rules["hold_ratio"]) * ahead / v["block_size"]
        free = v["kv_blocks"] - v["kv_blocks_used"] - reserved
        if (
            v["in_flight"]
            and rules["hold_ratio"] >= 0
            and free < rules["hold_share"] * v["kv_blocks"]
        ):
            continue
        late = costs[i]["wait"] - request["report_age_s"] > rules["hold_wait_s"] >= 0
        if v["in_flight"] and late:
            continue
        if learned.form == "linear":
            score = sum(learned.body[name] * cost for name, cost in costs[i].items())
        else:
            score = -place if learned.form == "network" else walked(learned.body, features)
        scores[i] = score + rules["cap_weight"] * max(0.0, costs[i]["wait"] - longest)
    busy = sum(views[i]["in_flight"] for i in able)
    if not scores or (waiting and busy and np.mean(waiting) > -min(scores.values())):
        return -1
    return min(scores, key=scores.get)


FORMED = pytest.mark.parametrize(
    "learned", [LINEAR, TREES, NETWORK], ids=["linear", "trees", "network"]
)


@FORMED
def test_compiled_plain_and_spelled_out_choose_alike(learned):
    policy = learned.router()
    params, chosen = np.array(policy.params), []
    for seed in range(300):
        request, views = scene(seed)
        fast = policy.compiled(request, views, params, empty_memory(5))
        plain = policy.interpreted(
            np.rec.array(request), np.rec.array(views), params, empty_memory(5)
        )
        assert fast == plain == choice_of(learned, request, views)
        chosen.append(fast)
    assert set(chosen) == {-1, 0, 1, 2, 3, 4}


def test_a_request_waits_at_the_router_for_the_first_instance_that_is_through_with_its_prompts():
    rules = {"prefill_token_s": 1e-3, "hold_wait_s": 0.0}
    held = LearnedRouter(name="held", rules=rules, body={"wait": 1.0})
    trace = wl.Trace.of([(0.0, 1000, 2), (0.0, 300, 2), (0.001, 50, 2), (0.002, 50, 2)])
    cluster = wl.Cluster.uniform(2, wl.LatencyModel.linear(prefill_token_s=1e-3))
    runs = wl.replay(trace, cluster, routers=[held])
    sent = runs.outcomes(router="held").read("instance_id", "dispatch_ns")
    assert sent["instance_id"].to_list() == ["pool/0", "pool/1", "pool/1", "pool/1"]
    assert min(sent["dispatch_ns"][2:]) >= 0.299e9  # after arrival
    assert "hold the request while no instance is idle or has 0.001 ahead" in held.explain()


def test_reports_of_long_ago_hold_nothing_back():
    rules = {"prefill_token_s": 1e-3, "hold_wait_s": 0.0}
    rules |= {"hold_ratio": -1.0, "cap_weight": 0.0}
    held = LearnedRouter(name="held", rules=rules, body={"wait": 1.0})
    free = LearnedRouter(name="free", rules={**rules, "hold_wait_s": -1.0}, body={"wait": 1.0})
    trace = requests_every(0.02, 300, input_tokens=30, output_tokens=2)
    model = wl.LatencyModel.linear(prefill_token_s=1e-3)
    cluster = wl.Cluster.uniform(2, model, signal_interval_s=1.0)
    means = wl.replay_metrics(trace, cluster, routers=[held, free])
    mean = dict(zip(means["router"], means["e2e_mean_s"], strict=True))
    assert mean["held"] < 1.05 * mean["free"]


def test_with_its_weights_it_decides_as_mixing_seconds():
    mixing = ("wait", "prefill", "context", "stall", "slow_batch", "slow_context")
    rules = {"prefill_token_s": 6e-5, "decode_seq_s": 1e-5, "decode_context_s": 8e-8}
    like = LearnedRouter(rules=rules, body=dict.fromkeys(mixing, 0.5))
    trace = requests_every(0.02, 300, input_tokens=500, output_tokens=40)
    model = wl.LatencyModel.linear(constant_s=0.01, prefill_token_s=1e-4, decode_seq_s=1e-4)
    cluster = wl.Cluster.uniform(3, model)
    runs = wl.replay(trace, cluster, routers=["mixing_seconds", like])
    placed = [
        runs.outcomes(router=name).read("instance_id") for name in ("mixing_seconds", "learned")
    ]
    assert placed[0].equals(placed[1])
    assert len(placed[0]["instance_id"].unique()) == 3


@FORMED
def test_what_was_saved_is_read_back(tmp_path, learned):
    learned.save(tmp_path / "router.json")
    again = load_learned(tmp_path / "router.json")
    assert again.to_dict() == learned.to_dict()
    assert again.router().params == learned.router().params
    assert resolve(str(tmp_path / "router.json")).name == "learned"
    assert resolve(tmp_path / "router.json").name == "learned"


def edited(tmp_path, change, learned=LINEAR):
    facts = json.loads(json.dumps(learned.to_dict()))
    change(facts)
    path = tmp_path / "router.json"
    path.write_text(json.dumps(facts))
    return path


DAMAGE = {
    "another file": (lambda f: f.pop("format"), "is not a learned router"),
    "a later version": (
        lambda f: f.update(format_version=FORMAT_VERSION + 1), "this version reads 2"),
    "NaN": (lambda f: f["body"].update(wait=math.nan), "body.wait is nan"),
    "infinite": (lambda f: f["rules"].update(speed=math.inf), "rules.speed is inf"),
    "an unknown cost": (lambda f: f["body"].update(luck=1.0), "body.luck"),
    "an unknown form": (lambda f: f.update(form="oracle"), "form is 'oracle'"),
    "an unknown need": (lambda f: f.update(needs=["telepathy"]), "needs is"),
    "a missing rule": (lambda f: f["rules"].pop("speed"), "lacks the field rules.speed"),
    "a domain of one end": (lambda f: f["domain"].update(in_flight=[1.0]), "write 2 numbers"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path, change, said):
    with pytest.raises(DataError, match=said) as refused:
        resolve(str(edited(tmp_path, change)))
    assert "router.json" in str(refused.value)


TREE_DAMAGE = {
    "an unknown feature": lambda body: body["features"].__setitem__(0, "colour"),
    "a feature behind the last": lambda body: body["feature"].__setitem__(0, len(FEATURES)),
    "a threshold too few": lambda body: body["threshold"].pop(),
    "a leaf too many": lambda body: body["leaf"].append(1.0),
    "too deep": lambda body: body.update(levels=40),
    "NaN in a leaf": lambda body: body["leaf"].__setitem__(3, math.nan),
}


@pytest.mark.parametrize("change", TREE_DAMAGE.values(), ids=TREE_DAMAGE)
def test_damaged_trees_are_refused(tmp_path, change):
    learned = LearnedRouter(form="trees", rules=RULED, body=forest())
    with pytest.raises(DataError, match="body"):
        resolve(str(edited(tmp_path, lambda facts: change(facts["body"]), learned)))


NETWORK_DAMAGE = {
    "an unknown feature": lambda body: body["features"].__setitem__(0, "colour"),
    "a feature twice": lambda body: body["features"].__setitem__(0, body["features"][1]),
    "a unit of nothing": lambda body: body["units"].__setitem__(0, 0.0),
    "three hidden layers": lambda body: body["hidden"].append(4),
    "a layer too wide": lambda body: body["hidden"].__setitem__(0, 65),
    "a weight too few": lambda body: body["weights"].pop(),
    "NaN in a weight": lambda body: body["weights"].__setitem__(3, math.nan),
}


@pytest.mark.parametrize("change", NETWORK_DAMAGE.values(), ids=NETWORK_DAMAGE)
def test_a_damaged_network_is_refused(tmp_path, change):
    learned = LearnedRouter(form="network", rules=RULED, body=network())
    with pytest.raises(DataError, match="body"):
        resolve(str(edited(tmp_path, lambda facts: change(facts["body"]), learned)))


def test_who_was_told_to_wait_is_asked_again_when_another_ends():
    """A network that always waits, if it may: it places when all is idle, or the row is another."""
    body = {"features": ["wait"], "units": [1.0], "hidden": [1, 1], "weights": [0.0] * 7 + [1.0]}
    policy, memory = LearnedRouter(form="network", body=body).router(), empty_memory(2)
    request, views = scene(3, 2)
    views["fits"], views["in_flight"] = 1, [2, 1]

    def choice(params):
        return policy.compiled(request, views, np.array(params), memory)

    places = list(policy.params)
    places[-1] = -1.0
    assert choice(policy.params) == -1
    assert choice(places) == -1
    views["in_flight"] = [3, 1]
    assert choice(places) == -1
    views["in_flight"] = [1, 1]
    assert choice(places) == 0
    assert choice(policy.params) == -1
    views["in_flight"] = 0
    assert choice(policy.params) == 0


def test_a_truncated_file_and_none_at_all_are_refused(tmp_path):
    LINEAR.save(tmp_path / "router.json")
    text = (tmp_path / "router.json").read_text()
    for cut in (0, 1, 40, len(text) // 2, len(text) - 3):
        (tmp_path / "router.json").write_text(text[:cut])
        with pytest.raises(DataError, match="not JSON, or cut off"):
            resolve(str(tmp_path / "router.json"))
    with pytest.raises(UsageError, match="no such file"):
        resolve("nowhere.json")


def test_features_that_a_trace_cannot_give_are_refused():
    trace = requests_every(0.1, 5, input_tokens=50, output_tokens=4)
    cluster = wl.Cluster.uniform(2, wl.LatencyModel.linear(constant_s=0.01))
    wants = LearnedRouter(body=WEIGHTS, needs=frozenset({"predicted_output"}))
    with pytest.raises(UnsupportedError, match="needs predicted_output, which this trace does not"):
        wl.replay(trace, cluster, routers=[wants])


def test_a_heuristic_by_name_is_that_heuristic(tmp_path):
    named = LearnedRouter(name="best", form="heuristic", body={"router": "lmetric"})
    named.save(tmp_path / "best.json")
    assert resolve(str(tmp_path / "best.json")).function is resolve("lmetric").function
    assert named.explain().startswith("as lmetric: ")
    with pytest.raises(DataError, match=r"body\.router"):
        resolve(str(edited(tmp_path, lambda f: f["body"].update(router="lmetrik"), named)))


def test_it_notes_what_it_met_and_what_lies_outside():
    learned = LearnedRouter(
        body={"wait": 1.0},
        domain=dict.fromkeys(DOMAIN, (0.0, 1000000000.0)) | {"input_tokens": (10.0, 60.0)},
    )
    policy, memory = learned.router(), empty_memory(2)
    views = np.zeros(2, INSTANCE)
    views["fits"], views["relative_speed"], views["kv_blocks"], views["block_size"] = 1, 1, 99, 16
    request = np.zeros(1, REQUEST)[0]
    for tokens in (20, 60, 61):
        request["input_tokens"] = tokens
        policy.compiled(request, views, np.array(policy.params), memory)
    assert memory[NOTES.decisions] == 3
    assert memory[NOTES.outside] == 1
    assert (memory[NOTES.lowest], memory[NOTES.highest]) == (20, 61)


def test_explain_names_what_counts():
    text = LINEAR.explain()
    assert "/ speed^1.2 + 0.7 max(0, wait - longest)" in text
    assert "longest = 1.5 x the fleet's mean wait + 0.02 s" in text
    assert "wait = 6e-05 ahead" in text
    assert "free - 1.5 (ahead + input) / block_size >= 0.1 kv_blocks" in text
    few = LearnedRouter(body={"wait": 2.0, "stall": 1e-9}).explain()
    assert "stall" not in few
    assert "hold" not in few
    assert TREES.explain().startswith("score = sum of 7 trees of 3 levels")
    assert NETWORK.explain().startswith("score = -network of 6 and 5 cells")


def test_parameters_have_names():
    policy = LINEAR.router()
    assert policy.param_names == (*HEAD, *TERMS)
    assert len(RULES) + 2 * len(DOMAIN) == len(HEAD)
    assert policy.with_params(speed=3.0).params[RULES.index("speed")] == 3.0
