"""Train output lengths on earlier requests, and say on later ones whether there is anything to learn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.execution import on_one_thread
from workloadlab.learning.blocks import time_blocks
from workloadlab.learning.lengths.features import FEATURES, features_of, for_fitting
from workloadlab.learning.lengths.predictor import LengthPredictor, fit_lengths

if TYPE_CHECKING:
    from workloadlab.trace import Trace

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["PAPER_EDGES", "card_of", "degraded", "train_lengths"]

PAPER_EDGES = (256.0, 2048.0)
"""Edges of the three classes of Jain et al. 2024."""

SIGNAL_POINTS = 5.0
"""Points above the majority class on quartiles from which there is something to predict from."""


def train_lengths(trace: Trace) -> LengthPredictor:
    """Fit output lengths on the first half of a trace and test them on the last quarter.

    Raises:
        UnsupportedError: the trace records no output lengths.
        UsageError: it is too short for three blocks.

    Example:
        >>> from workloadlab import Trace
        >>> trace = Trace.of([(k, 10 + 90 * (k % 2), 5 + 50 * (k % 2)) for k in range(800)])
        >>> train_lengths(trace).card["quartiles"]["accuracy"]
        1.0
    """
    trace.require("lengths", "a predictor of output lengths")
    blocks = time_blocks(trace)
    predictor = fit_lengths(blocks.train)
    return replace(predictor, card=card_of(predictor, blocks.train, blocks.test))


def card_of(predictor: LengthPredictor, train: Trace, test: Trace) -> dict[str, Any]:
    """Return how good it is on `test`, beside the baselines that `train` gives.

    Accuracy on the paper's classes and on the quartiles of the training block, each beside that of
    the class that is most frequent in training; mean absolute error of the median beside that of
    the median of training; pinball loss of both quantiles; and the share of outputs below each quantile.
    """
    earlier, tokens = _tokens(train), _tokens(test)
    known = np.isfinite(tokens)
    tokens, earlier = tokens[known], earlier[np.isfinite(earlier)]
    q50, q90 = (predictor.predict(test, name)[known] for name in ("q50", "q90"))
    median, high = np.quantile(earlier, [0.5, 0.9])
    quartiles = tuple(float(edge) for edge in np.unique(np.quantile(earlier, [0.25, 0.5, 0.75])))
    card: dict[str, Any] = {
        "requests": int(known.sum()),
        "paper": _classes(predictor, train, test, PAPER_EDGES),
        "quartiles": _classes(predictor, train, test, quartiles),
        "mae_tokens": _figure(np.abs(tokens - q50).mean()),
        "mae_of_the_median": _figure(np.abs(tokens - median).mean()),
        "pinball": {"q50": _pinball(tokens, q50, 0.5), "q90": _pinball(tokens, q90, 0.9)},
        "pinball_of_quantiles": {
            "q50": _pinball(tokens, median, 0.5), "q90": _pinball(tokens, high, 0.9)
        },
        "below": {"q50": _figure((tokens <= q50).mean()), "q90": _figure((tokens <= q90).mean())},
        "used": _recorded(train, predictor),
    }  # fmt: skip
    gain = 100 * (card["quartiles"]["accuracy"] - card["quartiles"]["majority"])
    card["verdict"] = (
        f"{gain:+.1f} points above the majority class on quartiles"
        if gain >= SIGNAL_POINTS
        else f"nothing to predict from here: {gain:+.1f} points above the majority class on quartiles"
    )
    return card


def _classes(
    predictor: LengthPredictor, train: Trace, test: Trace, edges: tuple[float, ...]
) -> dict[str, Any]:
    """Return the accuracy of a classifier of the same features, and that of the most frequent class."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    earlier, tokens = _tokens(train), _tokens(test)
    seen, known = np.isfinite(earlier), np.isfinite(tokens)
    ours, theirs = (np.searchsorted(edges, t, side="right") for t in (earlier[seen], tokens[known]))
    majority = np.bincount(ours).argmax()
    facts = {"edges": list(edges), "majority": _figure((theirs == majority).mean())}
    if len(np.unique(ours)) < 2:
        return {**facts, "accuracy": facts["majority"]}
    inputs, later = (features_of(part, predictor.encodings) for part in (train, test))
    classifier = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=31, min_samples_leaf=30, early_stopping=False, random_state=0
    )
    with on_one_thread("sklearn.ensemble"):
        said = classifier.fit(for_fitting(inputs[seen]), ours).predict(later[known])
    return {**facts, "accuracy": _figure((said == theirs).mean())}


def degraded(
    trace: Trace, *, noise: float = 0.0, bias: float = 1.0, accuracy: float = 1.0, seed: int = 0
) -> Trace:
    """Return a trace whose predictions are its true lengths, made worse: to see what errors cost.

    Args:
        trace: with output lengths.
        noise: standard deviation of the logarithm of a factor on each.
        bias: factor on all.
        accuracy: share that keeps its own length; the others get that of some other request.
        seed: of the draws.

    Raises:
        UsageError: a noise below 0, a bias that is not positive, or an accuracy outside 0 to 1.
    """
    if noise < 0 or bias <= 0 or not 0 <= accuracy <= 1:
        raise UsageError(
            f"noise {noise}, bias {bias}, accuracy {accuracy}",
            fix="use noise from 0, a bias above 0, an accuracy from 0 to 1",
        )
    trace.require("lengths", "predictions made of the truth")
    rng = np.random.default_rng(seed)
    tokens = np.nan_to_num(_tokens(trace), nan=1.0)
    swapped = np.where(rng.random(len(tokens)) < accuracy, tokens, rng.permutation(tokens))
    told = swapped * bias * np.exp(noise * rng.standard_normal(len(tokens)))
    column = pl.Series(np.maximum(1, np.rint(told))).cast(pl.UInt32)
    frame = trace.frame.collect().with_columns(predicted_output_tokens=column)
    return replace(trace, frame=frame.lazy())


def _recorded(train: Trace, predictor: LengthPredictor) -> list[str]:
    inputs = features_of(train, predictor.encodings)
    return [name for name, row in zip(FEATURES, inputs.T, strict=True) if np.isfinite(row).any()]


def _tokens(trace: Trace) -> Floats:
    tokens: Floats = trace.read("output_tokens")["output_tokens"].cast(pl.Float64).to_numpy()
    return tokens


def _pinball(tokens: Floats, predicted: Any, quantile: float) -> float:
    over = tokens - predicted
    return _figure(np.maximum(quantile * over, (quantile - 1) * over).mean())


def _figure(value: Any) -> float:
    return float(f"{float(value):.5g}")
