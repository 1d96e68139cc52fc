"""Trees as flat arrays of numbers, which forest and boosting share; `trees_kernel` walks over them.

    step = b^(3/4) x (sum of one leaf of every tree),   b: seconds of the linear estimator

The trees see (p, x/p, n, c/n, b) and rise along each of them, and b rises with work, so within the
box of the steps seen the product does too. The root leaves them room for steps that grow more
slowly than the linear estimator believes. Outside the box, a step costs what the nearest one inside
costs plus the linear estimate of the way from there: with boxes up to a batch of 64, a batch of 80
costs step(64) + linear(80) - linear(64).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.estimators import linear
from workloadlab.latency.estimators.table import coordinates
from workloadlab.latency.step import KINDS, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.fields import Fields

__all__ = [
    "FEATURE_COUNT",
    "flatten",
    "kernel_table",
    "parse_coefficients",
    "parse_trees",
    "training_data",
    "tree_table",
]

Array = np.ndarray[Any, np.dtype[Any]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

FEATURE_COUNT = 5
_DEEPEST = 12  # levels of a tree: a table has room for all nodes that so many levels can have


def training_data(
    features: Floats, seconds: Floats, fallback: Mapping[str, float]
) -> tuple[Floats, Floats, Floats, list[list[list[float]]]]:
    """Return what trees are fitted on: inputs, targets, weights and the box of each kind of step.

    The weights make squared errors relative, and decode, prefill and mixed steps weigh the same.
    """
    from workloadlab.latency.estimators import linear_kernel
    from workloadlab.latency.estimators.evaluate import evaluate

    base = evaluate(
        linear_kernel.step_time, np.ascontiguousarray(features), linear.kernel_table(fallback)
    )
    base = np.maximum(base, 1e-12)
    points, kinds = coordinates(features), kind_of(features)
    target = seconds / (np.sqrt(base) * np.sqrt(np.sqrt(base)))
    weight = (len(target) / np.bincount(kinds, minlength=3)[kinds]) / target**2
    boxes = []
    for index in range(len(KINDS)):
        rows = points[kinds == index]
        empty = [[0.0, 0.0]] * 4
        boxes.append(
            np.column_stack([rows.min(axis=0), rows.max(axis=0)]).tolist() if len(rows) else empty
        )
    return np.column_stack([points, base]), target, weight / weight.mean(), boxes


def flatten(trees: list[tuple[Array, Array, Array, Array, Array]], scale: float) -> dict[str, Any]:
    """Lay trees out one after the other, siblings side by side.

    Args:
        trees: of each tree's nodes the feature, threshold, left child (-1: a leaf), right child and
            value; a step goes left if feature <= threshold.
        scale: factor on the values.

    Returns:
        `roots`, and of each node `feature` (-1: a leaf), `left` (its right sibling follows) and
        `value`: the threshold, or the leaf's share of the sum.
    """
    roots: list[int] = []
    feature: list[int] = []
    left: list[int] = []
    value: list[float] = []
    for split, threshold, lefts, rights, values in trees:
        roots.append(len(feature))
        order = [0]
        place = {0: len(feature)}
        for node in order:
            if lefts[node] >= 0:
                place[int(lefts[node])] = roots[-1] + len(order)
                order += [int(lefts[node]), int(rights[node])]
        for node in order:
            leaf = lefts[node] < 0
            feature.append(-1 if leaf else int(split[node]))
            left.append(-1 if leaf else place[int(lefts[node])])
            share = float(f"{values[node] * scale:.7e}")
            value.append(share if leaf else float(threshold[node]))
    return {"roots": roots, "feature": feature, "left": left, "value": value}


def parse_coefficients(take: Fields) -> dict[str, Any]:
    """Read fallback, constant, boxes and trees from JSON.

    Children come after their parent and lie within the file, so that every walk ends at a leaf.
    """
    boxes = take("boxes", list)
    if len(boxes) != len(KINDS) or any(not isinstance(b, list) or len(b) != 4 for b in boxes):
        raise take.wrong("boxes", boxes, "write four [low, high] for each of three kinds of step")
    coefficients = {
        "fallback": linear.parse_coefficients(take.inside("fallback")),
        "constant": take.number("constant"),
        "boxes": [
            [
                take.checked(f"boxes[{kind}][{axis}]", pair, count=2, low=0.0)
                for axis, pair in enumerate(box)
            ]
            for kind, box in enumerate(boxes)
        ],
        "trees": parse_trees(take.inside("trees"), FEATURE_COUNT),
    }
    take.only(coefficients)
    return coefficients


def parse_trees(take: Fields, features: int) -> dict[str, Any]:
    """Read what `flatten` wrote, for trees over so many features."""
    value = take.numbers("value")
    size = len(value)
    feature = take.whole_numbers("feature", low=-1, below=features)
    left = take.whole_numbers("left", low=-1, below=size - 1)
    roots = take.whole_numbers("roots", low=0, below=size)
    take.only(("roots", "feature", "left", "value"))
    for name, values in (("feature", feature), ("left", left)):
        if len(values) != size:
            raise take.wrong(name, values, f"write {size} numbers; there are {len(values)}")
    if not roots:
        raise take.wrong("roots", roots)
    for node, child in enumerate(left):
        if (child < 0) != (feature[node] < 0) or 0 <= child <= node:
            raise take.wrong(f"left[{node}]", child)
    if len(_levels(np.array(left), np.array(roots))) > _DEEPEST + 1:
        raise take.wrong("left", left, f"use trees of at most {_DEEPEST} levels")
    return {"roots": roots, "feature": feature, "left": left, "value": value}


def kernel_table(coefficients: Mapping[str, Any]) -> Floats:
    """Lay the trees out for `step_time`; the same coefficients give the same bits.

    The linear table comes first, then the box of each kind, then the trees as `tree_table` has them.
    """
    head = np.concatenate(
        [linear.kernel_table(coefficients["fallback"]), np.array(coefficients["boxes"]).ravel()]
    )
    trees = tree_table(coefficients["trees"], coefficients["constant"])
    return np.concatenate([head, trees])


def tree_table(trees: Mapping[str, Any], constant: float) -> Floats:
    """Lay trees out for `tree_sum`.

    The number of trees, their depth and the constant; then of each tree as many nodes as a full one of
    that depth has, level by level, and its leaves. A node is two cells, the feature as the bits of an
    integer and the threshold. A leaf that lies higher is repeated.
    """
    feature, left = np.array(trees["feature"]), np.array(trees["left"])
    value, roots = np.array(trees["value"], np.float64), np.array(trees["roots"])
    *inner, leaves = _levels(left, roots)
    cells = [np.zeros((len(roots), 0))]
    for nodes in inner:
        leaf = left[nodes] < 0
        bits = np.where(leaf, 0, feature[nodes]).astype(np.int64).view(np.float64)
        threshold = np.where(leaf, np.inf, value[nodes])
        cells.append(np.stack([bits, threshold], axis=2).reshape(len(roots), -1))
    cells.append(value[leaves])
    return np.concatenate([[len(roots), len(inner), constant], np.hstack(cells).ravel()])


def _levels(left: Array, roots: Array) -> list[Array]:
    """Return the nodes of every level, (trees, nodes), with a leaf as its own two children.

    Of trees that are too deep, one level too many.
    """
    levels = [roots[:, None]]
    while len(levels) <= _DEEPEST + 1 and (left[levels[-1]] >= 0).any():
        nodes = levels[-1]
        below, leaf = left[nodes], left[nodes] < 0
        children = np.where(leaf, nodes, below), np.where(leaf, nodes, below + 1)
        levels.append(np.stack(children, axis=2).reshape(len(roots), -1))
    return levels
