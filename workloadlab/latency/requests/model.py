"""Predicts TTFT and TPOT of a request from what a router sees: quantiles by gradient boosting.

    seconds at quantile q = exp(constant + sum of one leaf of every tree)

`workloadlab.latency.requests.fit` fits it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.arguments import file_path
from workloadlab.digests import check_object, sealed
from workloadlab.errors import DataError, UsageError
from workloadlab.fields import Fields
from workloadlab.json_files import read_object
from workloadlab.latency import catalog
from workloadlab.latency.estimators.trees import parse_trees, tree_table
from workloadlab.latency.model import LatencyModel
from workloadlab.latency.model_file import json_text, parse_card
from workloadlab.latency.requests.domain import RequestDomain
from workloadlab.latency.requests.rows import REQUEST_FEATURES, REQUEST_TARGETS
from workloadlab.trace import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from workloadlab.latency.card import ErrorCard

__all__ = ["RequestModel", "load_predictor"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

FORMAT_VERSION = 1
FORMAT = "workloadlab request model"
_AGAIN = "the file is cut short or was edited; fit or save the model again"


@dataclass(frozen=True, kw_only=True)
class RequestModel:
    """Predicts quantiles of TTFT and TPOT, in seconds.

    Attributes:
        name: the model's name.
        features: columns that it reads, among `REQUEST_FEATURES`, in the order of the kernel.
        coefficients: target -> quantile, such as "0.5" -> `constant` and `trees`.
        card: held-out relative errors of the medians; by left-out mix if it was fitted on several.
        domain: the rows that the fit saw; None if a file of an older version does not say.
        coverage: "ttft_s 0.9" and the like -> share of held-out requests that took no longer.
        provenance: source and notes.
    """

    name: str
    features: tuple[str, ...]
    coefficients: dict[str, dict[str, Any]]
    card: ErrorCard | None = None
    domain: RequestDomain | None = None
    coverage: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _tables(self) -> dict[tuple[str, str], Floats]:
        return {
            (target, quantile): tree_table(part["trees"], part["constant"])
            for target, quantiles in self.coefficients.items()
            for quantile, part in quantiles.items()
        }

    def kernel(self, target: str, quantile: float = 0.5) -> tuple[Callable[..., float], Floats]:
        """Return `request_time(features, table) -> seconds` and a copy of its table.

        Raises:
            UsageError: the model does not predict that target or quantile.
        """
        from workloadlab.latency.requests.request_time import request_time

        table = self._tables.get((target, f"{quantile:g}"))
        if table is None:
            known = ", ".join(f"{name} at {q}" for name, q in self._tables)
            raise UsageError(f"{self.name} does not predict {target} at {quantile:g}", fix=known)
        return request_time, table.copy()

    def predict(self, rows: pl.DataFrame | Mapping[str, Any]) -> pl.DataFrame:
        """Predict every target at every quantile.

        Returns:
            Columns such as `ttft_s_0.5`; a higher quantile is never below a lower one. Then `in_domain`:
            whether the fit saw rows like it. Where it did not, trees answer as for the nearest that
            they saw, and the errors of the card say nothing.

        Raises:
            UsageError: a feature is missing.
            DataError: a feature is negative or not a number.
        """
        from workloadlab.latency.requests.request_time import request_time

        frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(dict(rows))
        missing = [name for name in self.features if name not in frame.columns]
        if missing:
            raise UsageError(f"the rows lack {', '.join(missing)}", fix=f"give {self.features}")
        columns = frame.select(pl.col(self.features).cast(pl.Float64)).fill_null(np.nan)
        inputs = np.ascontiguousarray(columns.to_numpy(writable=True))
        if not (np.isfinite(inputs) & (inputs >= 0)).all():
            row, column = (int(i) for i in np.argwhere(~(inputs >= 0) | np.isinf(inputs))[0])
            where = f"row {row + 1}, column {self.features[column]}: {inputs[row, column]}"
            raise DataError("is not a number of 0 or more", where=where)
        columns_out: dict[str, Any] = {}
        for target, quantiles in self.coefficients.items():
            floor = np.zeros(len(inputs))
            for quantile in sorted(quantiles, key=float):
                table = self._tables[target, quantile]
                floor = np.maximum(floor, [request_time(row, table) for row in inputs])
                columns_out[f"{target}_{quantile}"] = floor
        seen = self.domain.contains(inputs) if self.domain else np.ones(len(inputs), bool)
        columns_out["in_domain"] = seen
        return pl.DataFrame(columns_out)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "features": list(self.features),
            "provenance": self.provenance,
            "card": self.card.to_dict() if self.card else None,
            "domain": self.domain.to_dict() if self.domain else None,
            "coverage": self.coverage,
            "coefficients": self.coefficients,
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any], *, where: str = "request model") -> RequestModel:
        """Read what `to_dict` wrote.

        Raises:
            DataError: another format or version, or a field is missing, unknown or invalid.
        """
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise DataError("is not a request model", where=where, fix="fit one: fit_requests")
        take = Fields(facts, where)
        version = take("format_version", int)
        if version != FORMAT_VERSION:
            raise take.wrong("format_version", version, f"fit again; this reads {FORMAT_VERSION}")
        features = take("features", list)
        if not features or any(name not in REQUEST_FEATURES for name in features):
            raise take.wrong("features", features, f"use {', '.join(REQUEST_FEATURES)}")
        coverage = take.inside("coverage")
        targets = take.inside("coefficients")
        targets.only(REQUEST_TARGETS)
        coefficients = {
            target: {
                quantile: _parse_part(targets.inside(target).inside(quantile), len(features))
                for quantile in targets.inside(target).facts
            }
            for target in targets.facts
        }
        return cls(
            name=take("name", str),
            features=tuple(features),
            provenance=take("provenance", dict),
            card=parse_card(take("card", (dict, type(None))), take),
            domain=_parse_domain(take, tuple(features)) if facts.get("domain") else None,
            coverage={name: coverage.number(name, low=0.0) for name in coverage.facts},
            coefficients=coefficients,
        )

    def save(self, path: str | Path) -> None:
        """Write the model as JSON, atomically."""
        with write_atomically(file_path("path", path)) as temporary:
            temporary.write_text(json_text(sealed(self.to_dict())) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> RequestModel:
        """Read a model from a JSON file.

        Raises:
            UsageError: no such file.
            DataError: not JSON, or what `from_dict` refuses.
        """
        path = file_path("path", path)
        if not path.is_file():
            raise UsageError("no such file", where=str(path), fix="name a request model JSON")
        facts = read_object(path, fix=_AGAIN)
        model = cls.from_dict(facts, where=str(path))
        check_object(facts, str(path))
        return model

    def __str__(self) -> str:
        covered = ", ".join(f"{name}: {share:.1%}" for name, share in self.coverage.items())
        lines = [repr(self)[1:-1], f"  reads     {', '.join(self.features)}"]
        lines += [f"  no longer {covered}"] if covered else []
        return "\n".join([*lines, *([str(self.card)] if self.card else [])])

    def __repr__(self) -> str:
        error = f", held-out MAPE {self.card.overall.mape:.1%}" if self.card else ""
        return f"<RequestModel {self.name}: {', '.join(self.coefficients)}{error}>"


def _parse_domain(take: Fields, features: tuple[str, ...]) -> RequestDomain:
    inside = take.inside("domain")
    inside.only(("low", "high", "cells"))
    low, high = (inside.numbers(name, count=len(features)) for name in ("low", "high"))
    cells = inside.whole_numbers("cells", low=0, below=1 << 62)
    return RequestDomain(features=features, low=tuple(low), high=tuple(high), cells=tuple(cells))


def _parse_part(take: Fields, features: int) -> dict[str, Any]:
    take.only(("constant", "trees"))
    return {
        "constant": take.number("constant"),
        "trees": parse_trees(take.inside("trees"), features),
    }


def load_predictor(name_or_path: str | Path) -> LatencyModel | RequestModel:
    """Read a latency model, by catalogue name or path, or a request model, by path.

    Raises:
        UsageError: no such file and no such name.
        DataError: the file holds neither.

    Example:
        >>> load_predictor("rtxpro6000-llama-3.1-8b").gpu
        'RTXPRO6000'
    """
    path = catalog.locate(name_or_path)
    ours = read_object(path, fix=_AGAIN).get("format") == FORMAT
    return RequestModel.load(path) if ours else LatencyModel.load(path)
