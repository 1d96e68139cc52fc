"""A learned router as an ONNX graph, which a plug-in of another router can run; the extra `onnx`.

Of one decision the graph reads, in 8-byte numbers, a row for each instance that can serve the request:

- `costs`, (instances, 12): what `TERMS` names, in seconds, not yet divided by speeds;
- `speed`, (instances,): relative to the fastest;
- `request`, (3,): prompt tokens, predicted output tokens, requests in the router's queue;
- `report_age_s`, (1,): age of the reports in seconds, 0 if they are never stale;
- `room`, (instances, 4): requests in flight, KV blocks, those in use, and those of the prompts ahead and
  its own, not rounded.

It returns `score`, (instances,): the lowest wins, ties go to the first row, infinity where a hold
rule keeps the request away; and `wait`, the score of waiting: infinity but for a network, which waits
only while something is in flight. A request for which every score is infinite waits.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.arguments import file_path
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.routing.learned.features import ASKED, FEATURES
from workloadlab.routing.learned.forms import FORMS
from workloadlab.routing.learned.terms import TERMS, WAIT, terms_of
from workloadlab.routing.prompts import prompts_with
from workloadlab.trace import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.routing.learned.artefact import LearnedRouter

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["onnx_inputs", "save_onnx"]

OPSET = 18


class _Graph:
    """Nodes and constants, each result under a name of its own."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> str:
        """Return the name of numbers: 8-byte ones, or 8-byte integers."""
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
        name = f"c{len(self.constants)}"
        self.constants.append(self._numpy.from_array(array, name))
        return name

    def __call__(self, kind: str, *inputs: Any, named: str = "", **attributes: Any) -> str:
        """Add a node; what is no name becomes a constant. Returns the name of its result."""
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        result = named or f"n{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(kind, names, [result], **attributes))
        return result


def save_onnx(router: LearnedRouter, path: str | Path) -> None:
    """Write a learned router as an ONNX graph.

    Args:
        router: linear, of trees, or a network.
        path: of the file.

    Raises:
        UnsupportedError: the package `onnx` is not installed.
        UsageError: the router is a heuristic by name, or one for each band of load.
    """
    if router.form not in FORMS:
        raise UsageError(
            f"a router of the form {router.form!r} has no score of its own",
            fix="export a linear one, trees or a network; of bands, each member",
        )
    try:
        from onnx import TensorProto, checker, helper
    except ImportError as error:
        raise UnsupportedError(
            "the export needs the package onnx", fix="pip install 'workloadlab[onnx]'"
        ) from error
    graph = _Graph()
    _scored(graph, router)
    inputs = {"costs": ["n", len(TERMS)], "speed": ["n"], "request": [len(ASKED)], "room": ["n", 4]}
    inputs["report_age_s"] = [1]
    made = helper.make_graph(
        graph.nodes, router.name,
        [helper.make_tensor_value_info(k, TensorProto.DOUBLE, v) for k, v in inputs.items()],
        [
            helper.make_tensor_value_info("score", TensorProto.DOUBLE, ["n"]),
            helper.make_tensor_value_info("wait", TensorProto.DOUBLE, [1]),
        ],
        graph.constants,
    )  # fmt: skip
    model = helper.make_model(
        made, producer_name="workloadlab", opset_imports=[helper.make_opsetid("", OPSET)]
    )
    model.ir_version = 9
    checker.check_model(model)
    with write_atomically(file_path("path", path)) as beside:
        beside.write_bytes(model.SerializeToString())


def onnx_inputs(router: LearnedRouter, request: Any, instances: Any) -> dict[str, Floats]:
    """Return what the graph reads of a decision, given the instances that can serve it.

    Args:
        router: for its gradients.
        request: a record with the fields of `REQUEST_FIELDS`.
        instances: records with those of `INSTANCE_FIELDS`.
    """
    gradients = list(router.rules.values())[:4]
    rows = np.rec.array(instances)
    asked = np.rec.array(request)
    return {
        "costs": np.array([terms_of(asked, row, *gradients) for row in rows], float),
        "speed": np.array([row.relative_speed for row in rows], float),
        "request": np.array([asked[name] for name in ASKED], float),
        "report_age_s": np.array([asked.report_age_s], float),
        "room": np.array(
            [
                (
                    row.in_flight,
                    row.kv_blocks,
                    row.kv_blocks_used,
                    prompts_with(asked, row) / row.block_size,
                )
                for row in rows
            ],
            float,
        ),
    }


def _scored(graph: _Graph, router: LearnedRouter) -> None:
    """Add the nodes from the inputs to both scores."""
    rules = router.rules
    slower = graph("Unsqueeze", graph("Pow", "speed", [rules["speed"]]), [1])
    costs = graph("Div", "costs", slower)
    wait_s = graph("Gather", costs, WAIT, axis=1)
    waiting: Any = [np.inf]
    if router.form == "linear":
        weights = [[router.body.get(name, 0.0)] for name in TERMS]
        cost = _sum(graph, graph.constant([0.0]), "costs", weights)
        score = graph("Squeeze", graph("Div", cost, slower), [1])
    else:
        features = _features(graph, costs)
        if router.form == "trees":
            score = _trees(graph, features, router.body)
        else:
            score, waiting = _network(graph, features, router.body)
    longest = graph(
        "Add",
        graph("Mul", graph("ReduceMean", wait_s, [0]), [rules["cap_times"]]),
        [rules["cap_floor_s"]],
    )
    beyond = graph("Max", graph("Sub", wait_s, longest), [0.0])
    score = graph("Add", score, graph("Mul", beyond, [rules["cap_weight"]]))
    graph("Where", _has_room(graph, rules, wait_s), score, [np.inf], named="score")
    graph("Identity", waiting, named="wait")


def _sum(graph: _Graph, first: str, values: str, weights: Any) -> str:
    """Add weighted columns to the first, one by one, in the order of the compiled code.

    Sums of a library differ from row to row in their last digit, and equal instances would no longer be.
    """
    total = first
    for k, row in enumerate(weights):
        column = graph("Gather", values, [k], axis=1)
        total = graph("Add", total, graph("Mul", column, [row]))
    return total


def _has_room(graph: _Graph, rules: dict[str, float], wait_s: str) -> str:
    """Say which instances the hold rules let the request go to."""
    in_flight, blocks, used, ahead = (graph("Gather", "room", k, axis=1) for k in range(4))
    room = graph("Equal", in_flight, in_flight)
    if rules["hold_ratio"] >= 0:
        reserved = graph("Mul", ahead, [1.0 + rules["hold_ratio"]])
        free = graph("Sub", graph("Sub", blocks, used), reserved)
        room = graph("GreaterOrEqual", free, graph("Mul", blocks, [rules["hold_share"]]))
    if rules["hold_wait_s"] >= 0:
        now_s = graph("Sub", wait_s, "report_age_s")
        room = graph("And", room, graph("LessOrEqual", now_s, [rules["hold_wait_s"]]))
    return graph("Or", room, graph("Equal", in_flight, [0.0]))


def _features(graph: _Graph, costs: str) -> str:
    """Return what the trees and the network see, (instances, features) in the order of `FEATURES`."""
    above = graph("Sub", costs, graph("ReduceMin", costs, [0]))
    like = graph("Mul", graph("Slice", costs, [0], [len(ASKED)], [1]), [0.0])
    asked = graph("Add", like, graph("Unsqueeze", "request", [0]))
    return graph("Concat", costs, above, asked, axis=1)


def _trees(graph: _Graph, features: str, body: dict[str, Any]) -> str:
    """Walk all trees at once, level by level; a feature at or below its threshold goes left."""
    levels = body["levels"]
    inner, leaves = 2**levels - 1, 2**levels
    trees = len(body["leaf"]) // leaves
    places = np.array([FEATURES.index(name) for name in body["features"]])
    feature = graph.constant(places[body["feature"]])
    threshold, leaf = graph.constant(body["threshold"]), graph.constant(body["leaf"])
    one = graph("Cast", graph("Mul", graph("Gather", features, [0], axis=1), [0.0]), to=_INT64)
    node = graph("Add", one, np.zeros((1, trees), np.int64))
    for _ in range(levels):
        at = graph("Add", node, np.arange(trees)[None] * inner)
        value = graph("GatherElements", features, graph("Gather", feature, at), axis=1)
        right = graph("Cast", graph("Greater", value, graph("Gather", threshold, at)), to=_INT64)
        node = graph("Add", graph("Add", graph("Mul", node, [2]), [1]), right)
    at = graph("Add", node, np.arange(trees)[None] * leaves - inner)
    total = _sum(
        graph, graph.constant([body["constant"]]), graph("Gather", leaf, at), [[1.0]] * trees
    )
    return graph("Squeeze", total, [1])


def _network(graph: _Graph, features: str, body: dict[str, Any]) -> tuple[str, str]:
    """Return the score of placing, and that of waiting."""
    places = [FEATURES.index(name) for name in body["features"]]
    chosen = graph("Gather", features, places, axis=1)
    value = graph("Log", graph("Add", graph("Div", chosen, [body["units"]]), [1.0]))
    sizes, first = (len(places), *body["hidden"], 2), 0
    for number, (inputs, cells) in enumerate(pairwise(sizes)):
        count = cells * (inputs + 1)
        rows = np.array(body["weights"][first : first + count]).reshape(cells, inputs + 1)
        first += count
        value = _sum(graph, graph.constant([rows[:, -1]]), value, rows[:, :-1].T)
        if number < 2:
            value = graph("Max", value, [0.0])
    place, wait = (graph("Neg", graph("Gather", value, k, axis=1)) for k in (0, 1))
    return place, graph("ReduceMean", wait, [0])


_INT64 = 7
"""The number of 8-byte integers among the types of ONNX."""
