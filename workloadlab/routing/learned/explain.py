"""A learned router in words: its score as a formula, with numbers in place of names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workloadlab.routing.learned.terms import GRADIENTS, TERMS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["formula_of"]

_SHARE = 1e-3
"""Weights below this share of the largest are left out."""


def formula_of(form: str, rules: Mapping[str, float], body: Mapping[str, Any]) -> str:
    """Return the score, then each cost in numbers, then the cap and the hold rules, if any."""
    score = _SCORES[form](body)
    counted = [name for name in TERMS if form != "linear" or name in score.split()]
    speed = rules["speed"]
    power = "" if speed == 1 else f"^{speed:.3g}"
    first = f"score = ({score}) / speed{power}" if form == "linear" else f"score = {score}"
    cap = rules["cap_weight"]
    if cap > 0:
        first += f" + {cap:.3g} max(0, wait - longest)"
    text = [first, *(f"  {name} = {_in_numbers(TERMS[name], rules)}" for name in counted)]
    if cap > 0:
        text.append(
            f"  longest = {rules['cap_times']:.3g} x the fleet's mean wait + "
            f"{rules['cap_floor_s']:.3g} s"
        )
    if rules["hold_ratio"] >= 0:
        text.append(
            f"  hold the request while no instance has free - {1 + rules['hold_ratio']:.3g} "
            f"(ahead + input) / block_size >= {rules['hold_share']:.3g} kv_blocks"
        )
    if rules["hold_wait_s"] >= 0:
        text.append(
            f"  hold the request while no instance is idle or has {rules['prefill_token_s']:.3g} "
            f"ahead / speed{power} - report_age_s <= {rules['hold_wait_s']:.3g} s"
        )
    return "\n".join(text)


def _sum_of(weights: Mapping[str, Any]) -> str:
    most = max((abs(value) for value in weights.values()), default=0.0)
    counted = {name: value for name, value in weights.items() if abs(value) > _SHARE * most}
    words = [name if value == 1 else f"{value:.3g} {name}" for name, value in counted.items()]
    return " + ".join(words or ["0"])


def _trees_of(body: Mapping[str, Any]) -> str:
    trees = len(body["leaf"]) >> body["levels"]
    return f"sum of {trees} trees of {body['levels']} levels over costs and the request"


def _network_of(body: Mapping[str, Any]) -> str:
    first, second = body["hidden"]
    return f"-network of {first} and {second} cells over costs and the request, which may also wait"


_SCORES = {"linear": _sum_of, "trees": _trees_of, "network": _network_of}


def _in_numbers(formula: str, rules: Mapping[str, float]) -> str:
    for k, name in enumerate(GRADIENTS):
        formula = formula.replace(f"g{k}", f"{rules[name]:.3g}")
    return formula
