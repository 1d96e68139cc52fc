"""The forest estimator: a monotone random forest on what the linear one leaves.

Breiman, Random forests, Machine Learning 45 (2001), on bootstrap samples and all inputs. See `trees` for
what the trees predict and how they are evaluated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.latency.estimators import linear, trees
from workloadlab.latency.estimators.estimator import Estimator

__all__ = ["ESTIMATOR", "fit_coefficients"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_TREES = 16
_LEAVES = 400
_DEPTH = 10


def fit_coefficients(features: Floats, seconds: Floats) -> dict[str, Any]:
    """Fit the trees on relative errors; the seed is fixed.

    Args:
        features: (rows, 4): prefill_tokens, prefill_context_tokens, decode_seqs,
            decode_context_tokens.
        seconds: (rows,) measured durations.
    """
    from sklearn.ensemble import RandomForestRegressor

    fallback = linear.fit_coefficients(features, seconds)
    inputs, target, weight, boxes = trees.training_data(features, seconds, fallback)
    fitted = RandomForestRegressor(
        n_estimators=_TREES,
        max_leaf_nodes=_LEAVES,
        max_depth=_DEPTH,
        min_samples_leaf=2 if len(target) > 50 else 1,
        monotonic_cst=[1] * trees.FEATURE_COUNT,
        random_state=0,
    ).fit(inputs, target, sample_weight=weight)
    flat = [
        (
            tree.tree_.feature,
            tree.tree_.threshold,
            tree.tree_.children_left,
            tree.tree_.children_right,
            tree.tree_.value.ravel(),
        )
        for tree in fitted.estimators_
    ]
    return {
        "fallback": fallback,
        "constant": 0.0,
        "boxes": boxes,
        "trees": trees.flatten(flat, 1.0 / len(flat)),
    }


ESTIMATOR = Estimator(
    name="forest",
    about="random forest on what linear leaves",
    fit=fit_coefficients,
    table=trees.kernel_table,
    parse=trees.parse_coefficients,
    kernel="trees_kernel",
    libraries=("scipy.optimize", "sklearn.ensemble"),
)
