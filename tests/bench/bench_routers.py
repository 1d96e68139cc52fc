"""Nanoseconds per decision of every router, at 8 and at 100 instances."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numba import njit

from workloadlab.latency import LatencyModel, RequestModel
from workloadlab.routing import INSTANCE, REQUEST, SHELF, empty_memory, router
from workloadlab.routing.families.model_predictions import SIGNALS
from workloadlab.routing.learned.artefact import LearnedRouter
from workloadlab.routing.learned.features import FEATURES
from workloadlab.routing.learned.terms import TERMS
from workloadlab.simulation import Cluster
from workloadlab.simulation.engine.arrays import queues, slots
from workloadlab.simulation.engine.lane import run_lane
from workloadlab.simulation.engine.prefix_index import index_insert, index_match
from workloadlab.simulation.engine.router_side import refresh_own, tell_cached
from workloadlab.simulation.engine.setup import lane_arrays
from workloadlab.simulation.workload import Workload

DECISIONS = 20_000
OFFERS = 512


@njit(nogil=True)
def _scored(score, offers, views, params, decisions):
    taken = 0
    for k in range(decisions):
        best, best_score = -1, np.inf
        for i in range(len(views)):
            if views[i].fits == 1:
                value = score(offers[k % len(offers)], views[i], params)
                if value < best_score:
                    best, best_score = i, value
        taken += best
    return taken


@njit(nogil=True)
def _chosen(choose, offers, views, params, memory, decisions):
    taken = 0
    for k in range(decisions):
        taken += choose(offers[k % len(offers)], views, params, memory)
    return taken


def _scene(count):
    rng = np.random.default_rng(count)
    views, offers = np.zeros(count, INSTANCE), np.zeros(OFFERS, REQUEST)
    views["index"], views["fits"] = np.arange(count), 1
    views["kv_blocks"], views["block_size"], views["max_num_seqs"] = 4000, 16, 256
    views["relative_speed"] = 1.0
    for name, most in (("in_flight", 60), ("running", 40), ("waiting", 20), ("queued_tokens", 9000),
                       ("output_tokens_left", 9000), ("context_tokens", 30_000),
                       ("kv_blocks_used", 3900), ("cached_tokens", 1600),
                       ("indexed_tokens", 1600), ("index_size_tokens", 10**6)):  # fmt: skip
        views[name] = rng.integers(0, most, count)
    offers["input_tokens"] = rng.integers(1601, 4000, OFFERS)
    offers["predicted_output_tokens"] = rng.integers(1, 600, OFFERS)
    offers["draw"], offers["row"] = rng.random(OFFERS), np.arange(OFFERS)
    offers["prefix_key"], offers["session"] = (
        rng.integers(0, 99, OFFERS),
        rng.integers(0, 99, OFFERS),
    )
    offers["now_s"] = np.sort(rng.uniform(0, 60, OFFERS))
    return offers, views


def nanoseconds(policy, count):
    """Shortest of three runs of many decisions, without computing the signals."""
    offers, views = _scene(count)
    params, memory, call = np.array(policy.params), empty_memory(count), policy.compiled
    taken = []
    for decisions in (10, DECISIONS, DECISIONS, DECISIONS):
        begin = time.perf_counter()
        if policy.kind == "score":
            _scored(call, offers, views, params, decisions)
        else:
            _chosen(call, offers, views, params, memory, decisions)
        taken.append((time.perf_counter() - begin) / decisions * 1e9)
    return min(taken[1:])


@njit(_nrt=False)
def _asked(lanes, edges, inputs, arrivals):
    """Look every prompt up and, if the router keeps an index, enter it, on the instances in turn."""
    lane = lanes[0]
    queues(lane)[0].head, s = 0, slots(lane)[0]
    for row in range(len(inputs)):
        s.row, s.input, s.first_block = row, inputs[row], edges[row]
        s.blocks = edges[row + 1] - edges[row]
        lane.now_s = arrivals[row]
        refresh_own(lane)
        if lane.guesses == 1:
            index_match(lane)
            index_insert(lane, s, row % lane.instances)
        else:
            tell_cached(lane)


def prefix_lookup_nanoseconds(count, index=None, requests=4000, blocks=100):
    """What it costs to tell a router the cached tokens of a prompt of 100 blocks, on every instance.

    Without an index those that are resident when all requests have been served.
    """
    rng = np.random.default_rng(0)
    shared = rng.integers(0, 50, requests)
    depth = rng.integers(0, blocks, requests)
    own = blocks * (50 + np.arange(requests))
    at = np.arange(blocks)
    ids = np.where(at < depth[:, None], shared[:, None] * blocks, own[:, None]) + at
    workload = Workload(
        np.cumsum(rng.exponential(0.05, requests)), np.full(requests, 16 * blocks),
        np.full(requests, 10), np.full(requests, -1), np.full(requests, -1),
        ids.ravel().astype(np.int32), np.arange(requests + 1) * blocks, 16,
    )  # fmt: skip
    cluster = Cluster.uniform(
        count, LatencyModel.linear(constant_s=0.01, prefill_token_s=6e-5), kv_blocks=4000,
        block_size=16, prefix_caching=True,
    )  # fmt: skip
    policy = replace(SHELF["round_robin"], needs=frozenset({"prefix"}), index=index)
    taken = []
    for _ in range(5):
        made = lane_arrays(workload, cluster, policy, 0)
        if index is None:
            run_lane(made.lane)
        begin = time.perf_counter()
        _asked(made.lane, workload.first_block, workload.input_tokens, workload.arrival_s)
        taken.append(time.perf_counter() - begin)
    return min(taken) / requests * 1e9


def request_model(trees=100, levels=4):
    """As many trees as `fit_requests` grows, every one full, with thresholds anywhere."""
    rng = np.random.default_rng(0)
    inner, size = 2**levels - 1, 2 ** (levels + 1) - 1
    most = np.array([4000, 60, 20, 1, 1, 9000, 9000])
    node, tree = np.arange(size), np.arange(trees)[:, None]
    feature = np.where(node < inner, rng.integers(0, 7, (trees, size)), -1)
    left = np.where(node < inner, tree * size + 2 * node + 1, -1)
    share = rng.random((trees, size))
    value = np.where(node < inner, share * most[feature], 0.02 * share - 0.01)
    part = {"constant": -3.0, "trees": {
        "roots": (tree.ravel() * size).tolist(), "feature": feature.ravel().tolist(),
        "left": left.ravel().tolist(), "value": value.ravel().tolist(),
    }}  # fmt: skip
    coefficients = {"ttft_s": {"0.5": part}, "tpot_s": {"0.5": part}}
    return RequestModel(name="random", features=tuple(SIGNALS), coefficients=coefficients)


def learned_routers(trees=40, levels=4):
    """A linear router with every cost and rule, full trees with thresholds anywhere, and a network."""
    rules = {
        "step_s": 0.01, "prefill_token_s": 6e-5, "decode_seq_s": 1e-5, "decode_context_s": 8e-8,
        "cap_weight": 0.7, "cap_times": 1.5, "cap_floor_s": 0.02, "hold_ratio": 0.5,
    }  # fmt: skip
    rng, inner = np.random.default_rng(0), trees * (2**levels - 1)
    body = {
        "features": list(FEATURES), "constant": 0.0, "levels": levels,
        "feature": rng.integers(0, len(FEATURES), inner).tolist(),
        "threshold": rng.exponential(0.5, inner).tolist(),
        "leaf": rng.normal(size=trees * 2**levels).tolist(),
    }  # fmt: skip
    linear = LearnedRouter(name="learned, linear", rules=rules, body=dict.fromkeys(TERMS, 1.0))
    forest = LearnedRouter(name="learned, 40 trees", form="trees", rules=rules, body=body)
    cells = 64 * (len(FEATURES) + 1) + 64 * 65 + 2 * 65
    body = {
        "features": list(FEATURES), "units": [0.01] * len(FEATURES), "hidden": [64, 64],
        "weights": rng.normal(0, 0.1, cells).tolist(),
    }  # fmt: skip
    rules = {**rules, "hold_ratio": -1.0}
    network = LearnedRouter(name="learned, network", form="network", rules=rules, body=body)
    return [linear.router(), forest.router(), network.router()]


def run() -> list[dict]:
    """Return one row per router and number of instances, and what the look-up of prefixes costs."""
    lookups = [
        {"name": f"{name}, prompts of 100 blocks, {count} instances",
         "value": round(prefix_lookup_nanoseconds(count, index), 1), "unit": "ns/decision",
         "detail": "look-up on every instance, and entry in an index"}
        for name, index in (("prefix look-up", None),
                            ("own index, tree", SHELF["sglang_cache_aware"].index),
                            ("own index, table of 20 minutes", SHELF["aibrix_prefix"].index))
        for count in (8, 100)
    ]  # fmt: skip
    quantiles = router("predicted_latency", model=request_model())
    lookups += [
        {"name": f"predicted_latency by a request model, {count} instances", "unit": "ns/decision",
         "value": round(nanoseconds(quantiles, count), 1), "detail": "200 trees for each instance"}
        for count in (8, 100)
    ]  # fmt: skip
    return lookups + [
        {"name": f"{name}, {count} instances", "value": round(nanoseconds(policy, count), 1),
         "unit": "ns/decision", "detail": policy.family}
        for name, policy in [*SHELF.items(), *((one.name, one) for one in learned_routers())]
        for count in (8, 100)
    ]  # fmt: skip
