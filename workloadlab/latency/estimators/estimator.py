"""The value that an estimator is: its name, and the functions that fit, store and run it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloadlab.fields import Fields
    from workloadlab.latency.hardware.geometry import ModelGeometry
    from workloadlab.latency.hardware.gpus import Gpu

__all__ = ["Estimator"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """One way to model step time. Each module of this folder that has one calls it `ESTIMATOR`.

    A step is a row of (p, x, n, c): prefill_tokens, prefill_context_tokens, decode_seqs,
    decode_context_tokens. Coefficients are numbers and lists of numbers by name, as a model's JSON
    holds them; a table is the array that compiled code reads instead.

    Attributes:
        name: the name of its module.
        about: a few words for a list.
        fit: (rows of steps, seconds) -> coefficients.
        table: coefficients -> table; the same coefficients give the same bits.
        parse: JSON -> coefficients; a DataError names the field that is wrong.
        kernel: the module of this folder that has `step_time` and `decode_line`; its import compiles
            them, so it waits until they are asked for.
        libraries: modules that `fit` imports and that bring threads of their own.
        efficiencies: (coefficients, model, gpu, dtype, tp) -> share of the GPU's peak by name; None
            if the coefficients are no rates of hardware.
        scaled: (coefficients, factor, more_s) -> coefficients of a model whose steps take factor
            times as long and more_s longer. Every cell of its table is linear in both. None if there are
            no such coefficients.

    Example:
        >>> from workloadlab.latency import ESTIMATORS
        >>> ESTIMATORS["roofline"].about
        'eight physical rates'
    """

    name: str
    about: str
    fit: Callable[[Floats, Floats], dict[str, Any]]
    table: Callable[[Mapping[str, Any]], Floats]
    parse: Callable[[Fields], dict[str, Any]]
    kernel: str
    libraries: tuple[str, ...]
    efficiencies: (
        Callable[[Mapping[str, float], ModelGeometry, Gpu, str, int], dict[str, float]] | None
    ) = None
    scaled: Callable[[Mapping[str, float], float, float], dict[str, float]] | None = None

    @cached_property
    def step_time(self) -> Callable[..., float]:
        """Compiled function (p, x, n, c, table) -> seconds; `.py_func` gives the same bits in Python."""
        found: Callable[..., float] = self._kernel.step_time
        return found

    @cached_property
    def decode_line(self) -> Callable[..., tuple[float, float, float]]:
        """Compiled function of steps that only decode, by which a run of steps is taken in one jump.

        (n, c, table) -> (seconds, seconds per token of context, the context up to which that holds).
        """
        found: Callable[..., tuple[float, float, float]] = self._kernel.decode_line
        return found

    @property
    def _kernel(self) -> Any:
        return import_module(f"workloadlab.latency.estimators.{self.kernel}")

    def predict(self, features: Floats, table: Floats) -> Floats:
        """Return the seconds of contiguous rows of (p, x, n, c)."""
        from workloadlab.latency.estimators.evaluate import evaluate

        seconds: Floats = evaluate(self.step_time, features, table)
        return seconds
