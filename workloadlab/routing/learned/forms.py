"""The forms of a learned router: how each is written in a file, and the numbers of its compiled code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.routing.learned.linear import LINEAR, choose_linear
from workloadlab.routing.learned.terms import TERMS
from workloadlab.routing.learned.trees import FEATURES, MOST_LEVELS, choose_trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.fields import Fields

__all__ = ["FORMS", "Form"]


@dataclass(frozen=True)
class Form:
    """One way to score.

    Attributes:
        choose: the router's function.
        names: of its parameters, if they have any.
        parse: reads the body of a file.
        numbers: lays the body out as the last parameters.
    """

    choose: Callable[..., int]
    names: tuple[str, ...]
    parse: Callable[[Fields], dict[str, Any]]
    numbers: Callable[[dict[str, Any]], list[float]]


def _weights(take: Fields) -> dict[str, Any]:
    take.only(TERMS)
    return {name: take.number(name) for name in take.facts}


def _weight_numbers(body: dict[str, Any]) -> list[float]:
    return [float(body.get(name, 0.0)) for name in TERMS]


def _trees(take: Fields) -> dict[str, Any]:
    take.only(("features", "constant", "levels", "feature", "threshold", "leaf"))
    features = take("features", list)
    for k, name in enumerate(features):
        if name not in FEATURES:
            raise take.wrong(f"features[{k}]", name, f"use {', '.join(FEATURES)}")
    levels = take("levels", int)
    if not 1 <= levels <= MOST_LEVELS:
        raise take.wrong("levels", levels, f"use 1 to {MOST_LEVELS}")
    inner, leaves = (1 << levels) - 1, 1 << levels
    leaf = take.numbers("leaf")
    trees = len(leaf) // leaves
    if len(leaf) != trees * leaves:
        raise take.wrong("leaf", leaf, f"write {leaves} numbers for each tree")
    feature = take.whole_numbers("feature", low=0, below=len(features))
    if len(feature) != trees * inner:
        raise take.wrong("feature", feature, f"write {inner} for each of {trees} trees")
    return {
        "features": features,
        "constant": take.number("constant"),
        "levels": levels,
        "feature": feature,
        "threshold": take.numbers("threshold", count=trees * inner),
        "leaf": leaf,
    }


def _tree_numbers(body: dict[str, Any]) -> list[float]:
    """Lay trees out: the constant, their number and levels, then of each its nodes and leaves."""
    levels = body["levels"]
    inner, leaves = (1 << levels) - 1, 1 << levels
    places = [FEATURES.index(name) for name in body["features"]]
    trees = len(body["leaf"]) // leaves
    numbers = [body["constant"], float(trees), float(levels)]
    for tree in range(trees):
        for node in range(tree * inner, (tree + 1) * inner):
            numbers += [float(places[body["feature"][node]]), body["threshold"][node]]
        numbers += body["leaf"][tree * leaves : (tree + 1) * leaves]
    return numbers


FORMS = {
    "linear": Form(choose_linear, LINEAR, _weights, _weight_numbers),
    "trees": Form(choose_trees, (), _trees, _tree_numbers),
}
