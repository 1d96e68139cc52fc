"""The estimators by name. A module is imported when its estimator is first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.execution import on_one_thread
from workloadlab.hints import did_you_mean

if TYPE_CHECKING:
    from workloadlab.latency.estimators.estimator import Estimator

__all__ = ["ESTIMATORS", "estimator_named", "fit_estimator"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


class _Estimators(Mapping[str, "Estimator"]):
    """Modules of this folder by name, each read as the `ESTIMATOR` that it holds."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __getitem__(self, name: str) -> Estimator:
        if name not in self._names:
            raise KeyError(name)
        estimator: Estimator = import_module(f"workloadlab.latency.estimators.{name}").ESTIMATOR
        return estimator

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


ESTIMATORS = _Estimators("linear", "table", "roofline", "forest", "boosting")
"""Name -> estimator, from the simplest choice among equals on."""


def estimator_named(name: str) -> Estimator:
    """Return an estimator.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in ESTIMATORS:
        raise UsageError(f"no estimator {name!r}", fix=did_you_mean(name, ["auto", *ESTIMATORS]))
    return ESTIMATORS[name]


def fit_estimator(name: str, features: Floats, seconds: Floats) -> dict[str, Any]:
    """Fit rows of (p, x, n, c) on one thread."""
    estimator = estimator_named(name)
    with on_one_thread(*estimator.libraries):
        return estimator.fit(features, seconds)
