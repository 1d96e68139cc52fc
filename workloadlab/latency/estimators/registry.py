"""The estimators by name. Each is a module of functions, so that its kernel stays a plain function."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloadlab.latency.fields import Fields

__all__ = ["ESTIMATORS", "Estimator", "estimator_named", "fit_estimator"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

ESTIMATORS = {
    "linear": "non-negative least squares on roofline terms",
    "table": "curve of total tokens plus monotone log-spaced grids of attention",
    "roofline": "eight physical rates",
    "forest": "random forest on what linear leaves",
    "boosting": "gradient-boosted trees on what linear leaves",
}
"""Estimator -> what it is, from the simplest choice among equals on."""


class Estimator(Protocol):
    """What the module of an estimator holds.

    Attributes:
        step_time: compiled function (prefill_tokens, prefill_context_tokens, decode_seqs,
            decode_context_tokens, table) -> seconds.
        predict_steps: the same of rows of those four, evaluated in compiled code.
        decode_line: compiled function (decode_seqs, decode_context_tokens, table) -> (seconds,
            seconds more per token of context, the context up to which that holds), of steps that
            only decode; what lets the simulator take a run of steps in one jump.
    """

    step_time: Callable[..., float]
    predict_steps: Callable[[Floats, Floats], Floats]
    decode_line: Callable[..., tuple[float, float, float]]

    def fit_coefficients(self, features: Floats, seconds: Floats) -> dict[str, Any]:
        """Fit rows of (p, x, n, c) and return numbers and lists of numbers by name."""

    def kernel_table(self, coefficients: Mapping[str, Any]) -> Floats:
        """Lay the coefficients out for `step_time`; the same coefficients give the same bits."""

    def parse_coefficients(self, take: Fields) -> dict[str, Any]:
        """Read the coefficients from JSON; a DataError names the field that is wrong."""


def estimator_named(name: str) -> Estimator:
    """Return an estimator.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in ESTIMATORS:
        raise UsageError(f"no estimator {name!r}", fix=f"use auto or {', '.join(ESTIMATORS)}")
    return cast("Estimator", import_module(f"workloadlab.latency.estimators.{name}"))


def fit_estimator(name: str, features: Floats, seconds: Floats) -> dict[str, Any]:
    """Fit rows of (p, x, n, c) on one thread.

    The matrices are small, so more threads only wait for each other, and sums would depend on their
    number. Libraries count only once they are loaded, so those with threads of their own come first.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    import_module("scipy.sparse.linalg")
    if name in ("forest", "boosting"):
        import_module("sklearn.ensemble")
    with threadpool_limits(1):
        return estimator_named(name).fit_coefficients(features, seconds)
