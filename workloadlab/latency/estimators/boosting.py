"""The boosting estimator: monotone gradient-boosted trees on what the linear one leaves.

Histogram gradient boosting as in LightGBM (Ke et al., NeurIPS 2017). See `trees` for what the trees
predict and how they are evaluated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.latency.estimators import linear, trees
from workloadlab.latency.estimators.estimator import Estimator

__all__ = ["ESTIMATOR", "exported", "fit_coefficients"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_TREES = 40
_LEAVES = 63
_DEPTH = 7
_RATE = 0.3


def fit_coefficients(features: Floats, seconds: Floats) -> dict[str, Any]:
    """Fit the trees on relative errors; the seed is fixed.

    Args:
        features: (rows, 4): prefill_tokens, prefill_context_tokens, decode_seqs,
            decode_context_tokens.
        seconds: (rows,) measured durations.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    fallback = linear.fit_coefficients(features, seconds)
    inputs, target, weight, boxes = trees.training_data(features, seconds, fallback)
    fitted = HistGradientBoostingRegressor(
        max_iter=_TREES,
        max_leaf_nodes=_LEAVES,
        max_depth=_DEPTH,
        learning_rate=_RATE,
        min_samples_leaf=min(10, max(1, len(target) // 20)),
        monotonic_cst=[1] * trees.FEATURE_COUNT,
        early_stopping=False,
        random_state=0,
    ).fit(inputs, target, sample_weight=weight)
    return {
        "fallback": fallback,
        "constant": float(f"{float(fitted._baseline_prediction.ravel()[0]):.7e}"),
        "boxes": boxes,
        "trees": trees.flatten(exported(fitted), 1.0),
    }


def exported(fitted: Any) -> list[tuple[Any, Any, Any, Any, Any]]:
    """Return the nodes of a fitted booster's trees, as `trees.flatten` takes them."""
    flat = []
    for (predictor,) in fitted._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        flat.append(
            (
                nodes["feature_idx"],
                nodes["num_threshold"],
                np.where(leaf, -1, nodes["left"].astype(np.int64)),
                np.where(leaf, -1, nodes["right"].astype(np.int64)),
                nodes["value"],
            )
        )
    return flat


ESTIMATOR = Estimator(
    name="boosting",
    about="gradient-boosted trees on what linear leaves",
    fit=fit_coefficients,
    table=trees.kernel_table,
    parse=trees.parse_coefficients,
    kernel="trees_kernel",
    libraries=("scipy.optimize", "sklearn.ensemble"),
)
