"""A fitted predictor of engine step time: coefficients, domain, error card and origin."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.arguments import checked, file_path
from workloadlab.digests import check_object, sealed
from workloadlab.display import Drawn
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.json_files import read_object
from workloadlab.latency import catalog
from workloadlab.latency.estimators.registry import ESTIMATORS, estimator_named
from workloadlab.latency.features import feature_rows
from workloadlab.latency.model_file import json_text, parse_model
from workloadlab.latency.model_text import model_text
from workloadlab.latency.step import CAPTURED_TOKENS
from workloadlab.latency.step_terms import NO_TERMS, StepTerms
from workloadlab.trace import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import polars as pl

    from workloadlab.latency.card import ErrorCard
    from workloadlab.latency.domain import Domain
    from workloadlab.latency.envelope import Drift, Envelope
    from workloadlab.latency.estimators.estimator import Estimator
    from workloadlab.latency.intervals import Intervals

__all__ = ["FORMAT_VERSION", "LatencyModel"]

FORMAT_VERSION = 2

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


@checked
@dataclass(frozen=True, kw_only=True)
class LatencyModel(Drawn):
    """Predicts how long one step of an inference engine takes, in seconds.

    A step is described by prefill_tokens, prefill_context_tokens, decode_seqs and
    decode_context_tokens (see `workloadlab.latency.SAMPLE_COLUMNS`). Outside `domain` a prediction
    is an extrapolation; ask `in_domain`.

    Attributes:
        name: the model's name.
        estimator: the reader of `coefficients`: a name of `workloadlab.latency.ESTIMATORS`.
        coefficients: numbers and lists of numbers by name; of the linear estimator seconds per unit
            of each term of `workloadlab.latency.estimators.linear.TERMS`.
        terms: what a sum of kernels leaves out of a step, of a model that was fitted on such sums.
        domain: the steps that the fit saw, or None for a model made by hand.
        card: held-out errors, or None for a model made by hand.
        intervals: spread of held-out steps around predictions, if the fit was asked for it; the
            `Envelope` of a model that was calibrated from nothing, the `Drift` of one that was scaled.
        gpu: the accelerator.
        model: the served model.
        tp: GPUs that one instance uses (tensor parallel).
        dtype: precision of the weights, if known.
        provenance: source, licence and notes.
        system: engine facts when known, such as the engine and its batch limits.

    Example:
        >>> model = LatencyModel.linear(constant_s=0.01, decode_seq_s=1e-5)
        >>> model.step_time_s(decode_seqs=100, decode_context_tokens=50_000)
        0.011
        >>> model.predict({"decode_seqs": [0, 200], "prefill_tokens": [512, 0]})
        array([0.01 , 0.012])
    """

    name: str
    estimator: str = "linear"
    coefficients: dict[str, Any]
    terms: StepTerms = NO_TERMS
    domain: Domain | None = None
    card: ErrorCard | None = None
    intervals: Intervals | Envelope | Drift | None = None
    gpu: str = "unknown"
    model: str = "unknown"
    tp: int = 1
    dtype: str | None = None
    provenance: dict[str, str] = field(default_factory=dict)
    system: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def linear(
        cls,
        *,
        constant_s: float = 0.0,
        prefill_token_s: float = 0.0,
        prefill_context_s: float = 0.0,
        decode_seq_s: float = 0.0,
        decode_context_s: float = 0.0,
        prefill_step_s: float = 0.0,
        name: str = "by hand",
    ) -> LatencyModel:
        """Make a model by hand: seconds per step and per unit of each feature.

        step_s = constant_s + prefill_token_s * prefill_tokens
        + prefill_context_s * prefill_context_tokens + decode_seq_s * decode_seqs
        + decode_context_s * decode_context_tokens, and prefill_step_s more in steps with prompt tokens
        (an engine may have no CUDA graph for those).

        Raises:
            UsageError: a coefficient is negative or not a finite number.
        """
        from workloadlab.latency.estimators.linear import TERMS

        given = {
            "constant_s": (constant_s, ("decode_step", "prefill_step")),
            "prefill_token_s": (prefill_token_s, ("prefill_tokens",)),
            "prefill_context_s": (prefill_context_s, ("prefill_context",)),
            "decode_seq_s": (decode_seq_s, ("decode_seqs", "mixed_seqs")),
            "decode_context_s": (decode_context_s, ("decode_context", "mixed_context")),
            "prefill_step_s": (prefill_step_s, ("prefill_step",)),
        }
        coefficients = dict.fromkeys(TERMS, 0.0)
        for option, (value, terms) in given.items():
            if not 0 <= value < float("inf"):
                raise UsageError(f"{option} is {value}", fix="give seconds, 0 or more")
            for term in terms:
                coefficients[term] += value
        return cls(name=name, coefficients=coefficients, provenance={"source": "made by hand"})

    @classmethod
    def of_table(
        cls, table: Floats, *, estimator: str = "linear", terms: StepTerms = NO_TERMS
    ) -> LatencyModel:
        """Make a model by the table that `kernel` returns: it predicts and replays, and is not saved.

        Made in microseconds, for a search that tries many.

        Example:
            >>> _, table = LatencyModel.linear(constant_s=0.01).kernel()
            >>> LatencyModel.of_table(2 * table).step_time_s(decode_seqs=1)
            0.02
        """
        model = cls(name="of a table", estimator=estimator, coefficients={}, terms=terms)
        vars(model)["_table"] = table  # instead of being laid out from coefficients
        return model

    def scaled(self, factor: float, more_s: float) -> LatencyModel:
        """Return a model whose steps take `factor` times as long, and `more_s` longer.

        Raises:
            UnsupportedError: the coefficients of this estimator cannot say that.
        """
        scaled = self._estimator.scaled
        if scaled is None:
            kinds = " or ".join(name for name, one in ESTIMATORS.items() if one.scaled)
            raise UnsupportedError(
                f"{self.name} is a {self.estimator} model, and only {kinds} models can be scaled",
                fix=f"start from a {kinds} model, or from none",
            )
        coefficients = scaled(self.coefficients, factor, more_s)
        return replace(self, coefficients=coefficients, terms=self.terms.scaled(factor))

    @cached_property
    def _estimator(self) -> Estimator:
        return estimator_named(self.estimator)

    @cached_property
    def _table(self) -> Floats:
        return self._estimator.table(self.coefficients)

    def kernel(self) -> tuple[Callable[..., float], Floats]:
        """Return the compiled evaluation and its table.

        Returns:
            `step_time(prefill_tokens, prefill_context_tokens, decode_seqs, decode_context_tokens,
            table) -> seconds`, compiled by numba for five float64 arguments, and a copy of the
            table. `step_time.py_func` gives the same bits in plain Python. The terms are not in it.
        """
        return self._estimator.step_time, self._table.copy()

    def step_time_s(
        self,
        *,
        prefill_tokens: float = 0,
        prefill_context_tokens: float = 0,
        decode_seqs: float = 0,
        decode_context_tokens: float = 0,
        longest_context_tokens: float = 0,
        max_cudagraph_capture_size: int = CAPTURED_TOKENS,
        fullest_batch_tokens: int = 0,
    ) -> float:
        """Seconds of one step of these features, its terms included; see `StepTerms.added`."""
        step = (prefill_tokens, prefill_context_tokens, decode_seqs, decode_context_tokens)
        more, padded = self.terms.added(
            step,
            longest_context=longest_context_tokens,
            most_captured=max_cudagraph_capture_size,
            fullest_batch_tokens=fullest_batch_tokens,
        )
        return max(0.0, float(self._estimator.step_time(*padded, self._table)) + more)

    def predict(self, steps: pl.DataFrame | Mapping[str, Any]) -> Floats:
        """Seconds of each step.

        Args:
            steps: a frame or a mapping of columns; in a mapping an absent column is 0.

        Raises:
            UsageError: a frame lacks a column, or a column is unknown or of another length.
            DataError: a value is negative or not a number.
        """
        return self.seconds(feature_rows(steps))

    def seconds(self, features: Floats) -> Floats:
        """Seconds of rows of (p, x, n, c)."""
        from workloadlab.latency.step_terms_kernel import terms_of_steps

        most = CAPTURED_TOKENS if self.terms != NO_TERMS else 0
        more, padded = terms_of_steps(features, most, self.terms.table)
        seconds: Floats = np.maximum(0.0, self._estimator.predict(padded, self._table) + more)
        return seconds

    def predict_interval(
        self, steps: pl.DataFrame | Mapping[str, Any], *, level: float = 0.9
    ) -> tuple[Floats, Floats]:
        """Low and high seconds that hold a share `level` of steps such as the held-out ones.

        Raises:
            UsageError: the model was fitted without intervals, or a level that it does not reach.
        """
        if self.intervals is None:
            raise UsageError(f"{self.name} has no intervals", fix="fit with intervals=True")
        return self.intervals.around(feature_rows(steps), self.seconds, level)

    def in_domain(self, steps: pl.DataFrame | Mapping[str, Any]) -> Bools:
        """Say for each step whether the fit saw such steps; true for any if made by hand."""
        features = feature_rows(steps)
        if self.domain is None:
            return np.ones(len(features), bool)
        return self.domain.contains(features)

    def is_dense(self, steps: pl.DataFrame | Mapping[str, Any]) -> Bools:
        """Say for each step whether the fit saw one like it, within a factor of four or so.

        The domain is a box and may be hollow. True for any step if the model was made by hand.
        """
        features = feature_rows(steps)
        if self.domain is None:
            return np.ones(len(features), bool)
        return self.domain.is_dense(features)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        cells = self.domain.cells if self.domain else {}
        optional = {
            "density": {kind: list(codes) for kind, codes in cells.items()} or None,
            "intervals": self.intervals.to_dict() if self.intervals else None,
        }
        return {
            "format": "workloadlab latency model",
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "estimator": self.estimator,
            "gpu": self.gpu,
            "model": self.model,
            "tp": self.tp,
            "dtype": self.dtype,
            "provenance": self.provenance,
            "system": self.system,
            "card": self.card.to_dict() if self.card else None,
            "domain": self.domain.boxes if self.domain else None,
            **{name: value for name, value in optional.items() if value is not None},
            **({"terms": self.terms.to_dict()} if self.terms != NO_TERMS else {}),
            "coefficients": self.coefficients,
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any], *, where: str = "latency model") -> LatencyModel:
        """Read what `to_dict` wrote.

        Raises:
            DataError: another format version, or a field is missing, unknown or invalid.
        """
        return cls(**parse_model(facts, versions=range(1, FORMAT_VERSION + 1), where=where))

    def save(self, path: str | Path) -> None:
        """Write the model as JSON, atomically."""
        with write_atomically(file_path("path", path)) as temporary:
            temporary.write_text(json_text(sealed(self.to_dict())) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, name_or_path: LatencyModel | str | Path) -> LatencyModel:
        """Read a model from a JSON file, or from the catalogue by name; a model is returned as such.

        Raises:
            UsageError: no such file and no such name; the message gives the nearest names.
            DataError: not JSON, what `from_dict` refuses, or damaged.
        """
        if isinstance(name_or_path, LatencyModel):
            return name_or_path
        path = catalog.locate(name_or_path)
        facts = read_object(path, fix="it is cut short or was edited; fit or save the model again")
        model = cls.from_dict(facts, where=str(path))
        check_object(facts, str(path))
        return model

    @staticmethod
    def catalog() -> list[str]:
        """Names of the models that ship."""
        return catalog.names()

    def __repr__(self) -> str:
        error = f", held-out MAPE {self.card.overall.mape:.1%}" if self.card else ""
        return f"<LatencyModel {self.name}: {self.model} on {self.tp} x {self.gpu}{error}>"

    def __str__(self) -> str:
        return model_text(self)
