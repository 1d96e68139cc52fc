"""Predictors of output lengths: boosted trees on earlier requests, in a file, with a card."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab._version import __version__
from workloadlab.arguments import checked, file_path
from workloadlab.digests import check_object, sealed
from workloadlab.errors import DataError, UsageError
from workloadlab.execution import on_one_thread
from workloadlab.fields import Fields
from workloadlab.json_files import read_object
from workloadlab.learning.lengths.features import FEATURES, encodings_of, features_of, for_fitting
from workloadlab.trace import Provenance, Trace, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["TARGETS", "LengthPredictor", "fit_lengths"]

FORMAT, FORMAT_VERSION = "workloadlab output lengths", 1

TARGETS: dict[str, dict[str, Any]] = {
    "mean": {"loss": "squared_error"},
    "q50": {"loss": "quantile", "quantile": 0.5},
    "q90": {"loss": "quantile", "quantile": 0.9},
}
"""What is predicted, and the loss by which it is fitted."""

_TREES, _LEAVES, _RATE = 80, 31, 0.1


@checked
@dataclass(frozen=True, kw_only=True)
class LengthPredictor:
    """Predicts output tokens.

    Attributes:
        trees: by target "constant" and a list of trees: feature, threshold, left, right, value, and
            whether a missing feature goes left.
        encodings: by column the mean output of each name in training.
        card: how good it is on later requests: see `card_of`.
        provenance: of what it was fitted on.
    """

    trees: dict[str, dict[str, Any]]
    encodings: dict[str, dict[str, float]]
    card: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def predict(self, trace: Trace, target: str = "mean") -> Floats:
        """Return the predicted output tokens of every request, at least 1.

        Raises:
            UsageError: an unknown target.
        """
        if target not in self.trees:
            raise UsageError(f"no target {target!r}", fix=f"use {', '.join(self.trees)}")
        inputs = features_of(trace, self.encodings)
        total = np.full(len(inputs), self.trees[target]["constant"])
        for tree in self.trees[target]["trees"]:
            total += _walk(tree, inputs)
        tokens: Floats = np.maximum(1.0, total)
        return tokens

    def apply(self, trace: Trace, target: str = "mean") -> Trace:
        """Return the trace with `predicted_output_tokens` filled in, for routers that need it."""
        tokens = pl.Series(np.rint(self.predict(trace, target))).cast(pl.UInt32)
        frame = trace.frame.collect().with_columns(predicted_output_tokens=tokens)
        options = {"target": target, "verdict": self.card.get("verdict")}
        parents = [trace.provenance.to_dict()]
        t0 = trace.provenance.t0_unix_ns
        made = Provenance(reader="lengths", options=options, t0_unix_ns=t0, parents=parents)
        return Trace.from_frame(frame, provenance=made)

    @property
    def verdict(self) -> str:
        """Whether there is anything to predict from, in a sentence."""
        return str(self.card.get("verdict", "was not tested"))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "features": list(FEATURES),
            "encodings": self.encodings,
            "trees": self.trees,
            "card": self.card,
            "provenance": self.provenance,
        }

    def save(self, path: str | Path) -> None:
        """Write the predictor as JSON, at once or not at all."""
        text = json.dumps(sealed(self.to_dict()), allow_nan=False)
        with write_atomically(file_path("path", path)) as beside:
            beside.write_text(text, "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> LengthPredictor:
        """Read a predictor.

        Raises:
            UsageError: no such file.
            DataError: it is truncated, of another version, or damaged.
        """
        path = file_path("path", path)
        if not path.is_file():
            raise UsageError("no such file", where=str(path), fix="workloadlab train --target")
        facts = read_object(path, fix="train it again with this version")
        if facts.get("format") != FORMAT:
            raise DataError("holds no output lengths", where=str(path))
        if facts.get("format_version") != FORMAT_VERSION or facts.get("features") != list(FEATURES):
            raise DataError(
                "is of another version", where=str(path), fix="train it again with this version"
            )
        take = Fields(facts, str(path))
        trees = take.inside("trees")
        predictor = cls(
            trees={name: _parsed(trees.inside(name)) for name in TARGETS},
            encodings=take("encodings", dict),
            card=take("card", dict),
            provenance=take("provenance", dict),
        )
        check_object(facts, str(path))
        return predictor


def fit_lengths(trace: Trace) -> LengthPredictor:
    """Fit output lengths on a trace: its mean, median and 90th hundredth, without a card.

    Raises:
        UnsupportedError: the trace records no output lengths.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    trace.require("lengths", "a predictor of output lengths")
    encodings = encodings_of(trace)
    inputs = features_of(trace, encodings)
    tokens = trace.read("output_tokens")["output_tokens"].cast(pl.Float64).to_numpy()
    known = np.isfinite(tokens)
    trees = {}
    for name, loss in TARGETS.items():
        fitted = HistGradientBoostingRegressor(
            **loss, max_iter=_TREES, max_leaf_nodes=_LEAVES, learning_rate=_RATE,
            min_samples_leaf=30, early_stopping=False, random_state=0,
        )  # fmt: skip
        with on_one_thread("sklearn.ensemble"):
            fitted.fit(for_fitting(inputs[known]), tokens[known])
        trees[name] = {
            "constant": float(fitted._baseline_prediction.ravel()[0]),
            "trees": [_flat(predictor.nodes) for (predictor,) in fitted._predictors],
        }
    facts = {"requests": int(known.sum()), "span_s": trace.span_s, "version": __version__}
    return LengthPredictor(trees=trees, encodings=encodings, provenance=facts)


def _flat(nodes: Any) -> dict[str, list[Any]]:
    leaf = nodes["is_leaf"].astype(bool)
    return {
        "feature": np.where(leaf, -1, nodes["feature_idx"].astype(int)).tolist(),
        "threshold": np.where(leaf, 0.0, np.minimum(nodes["num_threshold"], 1e300)).tolist(),
        "left": np.where(leaf, 0, nodes["left"].astype(int)).tolist(),
        "right": np.where(leaf, 0, nodes["right"].astype(int)).tolist(),
        "missing_left": nodes["missing_go_to_left"].astype(int).tolist(),
        "value": nodes["value"].tolist(),
    }


def _walk(tree: dict[str, list[Any]], inputs: Floats) -> Floats:
    """Return the leaf that every row reaches, all rows side by side."""
    feature, threshold = np.array(tree["feature"]), np.array(tree["threshold"])
    left, right, missing = (np.array(tree[key]) for key in ("left", "right", "missing_left"))
    node, rows = np.zeros(len(inputs), int), np.arange(len(inputs))
    while (feature[node] >= 0).any():
        inner = feature[node] >= 0
        seen = inputs[rows, np.maximum(feature[node], 0)]
        goes_left = np.where(np.isnan(seen), missing[node] == 1, seen <= threshold[node])
        node = np.where(inner, np.where(goes_left, left[node], right[node]), node)
    leaves: Floats = np.array(tree["value"])[node]
    return leaves


def _parsed(take: Fields) -> dict[str, Any]:
    trees = []
    for k, facts in enumerate(take("trees", list)):
        one = Fields(
            facts if isinstance(facts, dict) else {}, take.where, f"{take.path}trees[{k}]."
        )
        value = one.numbers("value")
        size = len(value)
        tree: dict[str, list[Any]] = {
            "feature": one.whole_numbers("feature", low=-1, below=len(FEATURES)),
            "threshold": one.numbers("threshold", count=size),
            "left": one.whole_numbers("left", low=0, below=size),
            "right": one.whole_numbers("right", low=0, below=size),
            "missing_left": one.whole_numbers("missing_left", low=0, below=2),
            "value": value,
        }
        for name, numbers in tree.items():
            if len(numbers) != size:
                raise one.wrong(name, numbers, f"write {size} numbers")
        for node in range(size):
            if tree["feature"][node] >= 0 and min(tree["left"][node], tree["right"][node]) <= node:
                raise one.wrong(f"left[{node}]", tree["left"][node])
        trees.append(tree)
    return {"constant": take.number("constant"), "trees": trees}
