"""The forms of a learned router: how each is written in a file, and the numbers of its compiled code."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.routing.learned.features import FEATURES
from workloadlab.routing.learned.linear import LINEAR, choose_linear
from workloadlab.routing.learned.network import MOST_HIDDEN, OUTPUTS, choose_network
from workloadlab.routing.learned.terms import TERMS
from workloadlab.routing.learned.trees import MOST_LEVELS, choose_trees

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


def _features(take: Fields) -> list[str]:
    features: list[str] = take("features", list)
    for k, name in enumerate(features):
        if name not in FEATURES:
            raise take.wrong(f"features[{k}]", name, f"use {', '.join(FEATURES)}")
    return features


def _trees(take: Fields) -> dict[str, Any]:
    take.only(("features", "constant", "levels", "feature", "threshold", "leaf"))
    features = _features(take)
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


def _network(take: Fields) -> dict[str, Any]:
    take.only(("features", "units", "hidden", "weights"))
    features = _features(take)
    if len(set(features)) < len(features):
        raise take.wrong("features", features, "name each once")
    hidden = take.whole_numbers("hidden", low=1, below=MOST_HIDDEN + 1)
    if len(hidden) != 2:
        raise take.wrong("hidden", hidden, "write the sizes of two hidden layers")
    units = take.numbers("units", count=len(features))
    if min(units, default=1.0) <= 0:
        raise take.wrong("units", units, "write numbers above 0")
    sizes = (len(features), *hidden, len(OUTPUTS))
    count = sum(cells * (inputs + 1) for inputs, cells in pairwise(sizes))
    weights = take.numbers("weights", count=count)
    return {"features": features, "units": units, "hidden": hidden, "weights": weights}


def _network_numbers(body: dict[str, Any]) -> list[float]:
    """Lay a network out: its sizes, the units, then row by row; a feature that it lacks is nothing."""
    first, second = body["hidden"]
    count = len(body["features"])
    places = [FEATURES.index(name) for name in body["features"]]
    units = np.ones(len(FEATURES))
    units[places] = body["units"]
    rows = np.array(body["weights"][: first * (count + 1)], float).reshape(first, count + 1)
    spread = np.zeros((first, len(FEATURES) + 1))
    spread[:, [*places, -1]] = rows
    rest = body["weights"][first * (count + 1) :]
    return [float(first), float(second), *units.tolist(), *spread.ravel().tolist(), *rest]


FORMS = {
    "linear": Form(choose_linear, LINEAR, _weights, _weight_numbers),
    "trees": Form(choose_trees, (), _trees, _tree_numbers),
    "network": Form(choose_network, (), _network, _network_numbers),
}
