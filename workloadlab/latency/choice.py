"""Chooses an estimator by grouped cross-validation, and predicts steps that no fit had seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.estimators.registry import ESTIMATORS, estimator_named, fit_estimator
from workloadlab.latency.step import KINDS, kind_of
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["choose_estimator", "fold_predictions"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_FOLDS = 3
_MOST_STEPS = 12_000
_WORSE = 1.1  # a simpler estimator may err this much more than the best


def fold_predictions(
    features: Floats, seconds: Floats, groups: Ints, *, estimator: str, folds: int, seed: int
) -> Floats:
    """Predict every step by a fit that saw none of its group.

    Args:
        features: rows of (p, x, n, c).
        seconds: measured.
        groups: number of each row's group, from 0.
        estimator: the one to fit.
        folds: parts that the groups are dealt into, at most their number.
        seed: of the dealing.
    """
    count = int(groups.max()) + 1
    fold = np.random.default_rng(seed).permutation(np.arange(count) % min(folds, count))[groups]
    chosen = estimator_named(estimator)
    predicted = np.empty(len(seconds))
    for part in np.unique(fold):
        held = fold == part
        coefficients = fit_estimator(estimator, features[~held], seconds[~held])
        rows = np.ascontiguousarray(features[held])
        predicted[held] = chosen.predict(rows, chosen.table(coefficients))
    return predicted


def choose_estimator(
    features: Floats, seconds: Floats, groups: Ints, *, seed: int
) -> tuple[str, str]:
    """Return an estimator and why.

    The score is the MAPE of held-out groups, averaged over the kinds of step. The choice is the first
    of `ESTIMATORS`, which puts simple ones first, that errs at most a tenth more than the best. Of
    many steps a random part is judged.
    """
    rng = np.random.default_rng(seed)
    if len(seconds) > _MOST_STEPS:
        part = np.sort(rng.choice(len(seconds), _MOST_STEPS, replace=False))
        features, seconds, groups = features[part], seconds[part], groups[part]
        groups = np.unique(groups, return_inverse=True)[1].ravel()
    kinds = kind_of(features)
    scores = {}
    for name in ESTIMATORS:
        predicted = fold_predictions(
            features, seconds, groups, estimator=name, folds=_FOLDS, seed=seed
        )
        scores[name] = _score(np.abs(predicted / seconds - 1), kinds)
    best = min(scores.values())
    chosen = next(name for name in ESTIMATORS if scores[name] <= best * _WORSE)
    said = ", ".join(
        f"{name} {scores[name]:.2%}" for name in sorted(scores, key=scores.__getitem__)
    )
    why = (
        "the smallest error"
        if scores[chosen] == best
        else "the simplest within a tenth of the best"
    )
    return chosen, (
        f"{chosen} has {why} in {_FOLDS}-fold cross-validation by group over "
        f"{plural(len(seconds), 'step')} "
        f"(MAPE averaged over kinds of step): {said}"
    )


def _score(error: Floats, kinds: Ints) -> float:
    parts: Iterable[float] = (
        float(error[kinds == index].mean()) for index in range(len(KINDS)) if (kinds == index).any()
    )
    return float(np.mean(list(parts)))
