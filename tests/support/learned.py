"""Learned routers spelled out: their costs as the formulas say, their trees node by node."""

from __future__ import annotations

import math
from typing import Any

from workloadlab.routing.learned.terms import TERMS

__all__ = ["RULED", "costs_of", "valued", "walked"]

RULED = {
    "step_s": 0.01, "prefill_token_s": 6e-5, "decode_seq_s": 1e-5, "decode_context_s": 8e-8,
    "speed": 1.2, "cap_weight": 0.7, "cap_times": 1.5, "cap_floor_s": 0.02,
    "hold_ratio": 0.5, "hold_share": 0.1, "hold_wait_s": 0.15,
}  # fmt: skip


def costs_of(request: Any, v: Any, rules: dict[str, float]) -> dict[str, float]:
    """The costs as `TERMS` words them."""
    names = {
        "g0": rules["step_s"], "g1": rules["prefill_token_s"], "g2": rules["decode_seq_s"],
        "g3": rules["decode_context_s"], "running": v["running"], "context": v["context_tokens"],
        "waiting": v["waiting"] + v["sent_since_report"], "input": request["input_tokens"],
        "ahead": v["queued_tokens"] + v["sent_tokens_since_report"],
        "uncached": request["input_tokens"] - v["cached_tokens"],
        "output": request["predicted_output_tokens"], "output_tokens_left": v["output_tokens_left"],
    }  # fmt: skip
    names["used"] = min(1.0, (v["kv_blocks_used"] + names["ahead"] / 16) / v["kv_blocks"])
    known = sorted(names, key=len, reverse=True)
    costs = {}
    for name, formula in TERMS.items():
        text = formula.replace("^", "**")
        for word in known:
            text = text.replace(word, f"@{known.index(word)}@")
        for k, word in enumerate(known):
            text = text.replace(f"@{k}@", f"({float(names[word])!r})")
        text = text.replace(") (", ") * (")
        costs[name] = eval(text) / v["relative_speed"] ** rules["speed"]
    return costs


def walked(body: dict[str, Any], features: dict[str, float]) -> float:
    """Sum the trees, one step after the other."""
    levels = body["levels"]
    inner, leaves = 2**levels - 1, 2**levels
    total = body["constant"]
    for tree in range(len(body["leaf"]) // leaves):
        node = 0
        while node < inner:
            at = tree * inner + node
            value = features[body["features"][body["feature"][at]]]
            node = 2 * node + (1 if value <= body["threshold"][at] else 2)
        total += body["leaf"][tree * leaves + node - inner]
    return total


def valued(body: dict[str, Any], features: dict[str, float]) -> list[float]:
    """Return the outputs of a network, one weight after the other."""
    values = [
        math.log1p(features[name] / unit)
        for name, unit in zip(body["features"], body["units"], strict=True)
    ]
    weights = iter(body["weights"])
    for number, cells in enumerate((*body["hidden"], 2)):
        sums = [
            sum(next(weights) * value for value in values) + next(weights) for _ in range(cells)
        ]
        values = sums if number == 2 else [max(0.0, one) for one in sums]
    return values
