"""Fits a request model: quantile gradient boosting on what routers see.

Quantile loss on the logarithm of seconds, which is the quantile of seconds itself; the constant is
then shifted until the quantile holds on held-out blocks of requests (Romano, Patterson and Candes,
Conformalized quantile regression, 2019), since boosted quantiles are too narrow. Leaves are
re-estimated as quantiles after the trees have grown, so monotone constraints would not hold; there
are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.execution import on_one_thread
from workloadlab.latency.card import ErrorCard, buckets, slice_errors
from workloadlab.latency.estimators.boosting import exported
from workloadlab.latency.estimators.trees import flatten, tree_table
from workloadlab.latency.requests.domain import RequestDomain
from workloadlab.latency.requests.model import RequestModel
from workloadlab.latency.requests.request_time import request_time
from workloadlab.latency.requests.rows import (
    REQUEST_FEATURES,
    REQUEST_TARGETS,
    read_request_rows,
    request_rows,
)

__all__ = ["fit_requests"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

Source = str | Path | pl.DataFrame

_FEWEST = 100
_ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")
_BLOCK = 50  # consecutive requests that are held out together: neighbours share their load
_FOLDS = 3
_BUCKETS = {
    "input_tokens": (0, 256, 1024, 4096, 8192),
    "running": (0, 4, 16, 64),
    "waiting": (0, 16, 64),
}


def fit_requests(
    source: Source | Mapping[str, Source],
    *,
    quantiles: tuple[float, ...] = (0.5, 0.9),
    name: str = "requests",
    holdout: float = 0.2,
    seed: int = 0,
) -> RequestModel:
    """Fit quantiles of TTFT and TPOT on rows of router features.

    Blocks of 50 consecutive rows are held out for the card and the coverage; the model itself is
    fitted on all rows. Rows whose target is null or 0 do not count for it. Neighbours resemble each
    other, so errors on held-out blocks say nothing of traffic of another kind: of several mixes, each
    is left out in turn as well, and the card has the errors of a fit of the others.

    Args:
        source: Parquet, JSON Lines or frame, see `request_rows`; a mapping from the name of a mix to
            one of these; or a folder, each file in which is a mix.
        quantiles: those to predict, each above 0 and below 1; 0.5 is always added.
        name: the model's name.
        holdout: share of the blocks to hold out, above 0, at most 0.5.
        seed: which.

    Raises:
        UsageError: a quantile or share outside its range, or no such file.
        DataError: what `request_rows` refuses, no feature that all mixes have, or fewer than 100 rows
            with a target.
    """
    if not all(0 < q < 1 for q in quantiles) or not 0 < holdout <= 0.5:
        raise UsageError(
            f"quantiles are {quantiles}, holdout is {holdout}",
            fix="give quantiles above 0 and below 1 and a holdout above 0, at most 0.5",
        )
    where = "rows" if isinstance(source, pl.DataFrame | Mapping) else str(source)
    rows = _together(_mixes(source), where)
    features = tuple(name for name in rows.columns if name in REQUEST_FEATURES)
    wanted = sorted({0.5, *quantiles})
    coefficients: dict[str, dict[str, Any]] = {}
    slices, coverage, judged, fitted = [], {}, 0, 0
    for target in (name for name in rows.columns if name in REQUEST_TARGETS):
        known = rows.filter(pl.col(target) > 0)
        if known.height < _FEWEST:
            continue
        inputs = np.ascontiguousarray(known.select(features).to_numpy())
        seconds = known[target].to_numpy()
        held = _held_out(len(seconds), holdout, seed)
        coefficients[target] = {}
        for quantile in wanted:
            predicted = _predicted(inputs[~held], seconds[~held], quantile, inputs[held])
            share = float((seconds[held] <= predicted).mean())
            coverage[f"{target} {quantile:g}"] = float(f"{share:.4g}")
            if quantile == 0.5:
                error = predicted / seconds[held] - 1
                slices += _slices(target, error, features, inputs[held])
            coefficients[target][f"{quantile:g}"] = _fit_quantile(inputs, seconds, quantile)
        slices += _left_out(target, inputs, seconds, known["mix"].to_numpy())
        judged, fitted = judged + int(held.sum()), fitted + int((~held).sum())
    if not coefficients:
        raise DataError(
            f"fewer than {_FEWEST} rows have a target",
            where=where,
            fix=f"log more requests with {' or '.join(REQUEST_TARGETS)}",
        )
    split = (
        f"medians; {holdout:.0%} of blocks of {_BLOCK} consecutive requests held out, seed {seed}"
    )
    if rows["mix"].n_unique() > 1:
        split += "; a left-out mix by a fit of the others"
    return RequestModel(
        name=name,
        features=features,
        coefficients=coefficients,
        card=ErrorCard(split=split, fitted_rows=fitted, judged_rows=judged, slices=tuple(slices)),
        domain=RequestDomain.of(features, rows.select(features).to_numpy()),
        coverage=coverage,
        provenance={
            "source": "rows in memory" if where == "rows" else f"rows of {Path(where).name}"
        },
    )


def _mixes(source: Source | Mapping[str, Source]) -> dict[str, pl.DataFrame]:
    """Read the rows of every mix, by its name."""
    if isinstance(source, Mapping):
        return {name: _rows(one, name) for name, one in source.items()}
    if not isinstance(source, pl.DataFrame) and Path(source).is_dir():
        found = [p for p in sorted(Path(source).iterdir()) if p.name.endswith(_ENDINGS)]
        if not found:
            fix = f"put files in it that end in {' or '.join(_ENDINGS)}, one for each mix"
            raise UsageError("holds no rows of requests", where=str(source), fix=fix)
        return {path.name.split(".")[0]: _rows(path, "") for path in found}
    return {"": _rows(source, "rows")}


def _rows(source: Source, where: str) -> pl.DataFrame:
    if isinstance(source, pl.DataFrame):
        return request_rows(source, where=where)
    return read_request_rows(source)


def _together(mixes: dict[str, pl.DataFrame], where: str) -> pl.DataFrame:
    """Lay the rows of all mixes below each other, with the features that all have."""
    shared = [
        name for name in REQUEST_FEATURES if all(name in rows.columns for rows in mixes.values())
    ]
    if not shared:
        raise DataError("the mixes share no feature", where=where, fix="log the same in all")
    parts = [
        rows.select(
            *shared,
            *(name for name in REQUEST_TARGETS if name in rows.columns),
            mix=pl.lit(name),
        )
        for name, rows in mixes.items()
    ]
    return pl.concat(parts, how="diagonal")


def _left_out(target: str, inputs: Floats, seconds: Floats, mix: Any) -> list[Any]:
    """Judge each mix by a fit of the others, where these have enough rows."""
    slices = []
    for name in np.unique(mix):
        rest = mix != name
        if rest.sum() >= _FEWEST:
            predicted = _predicted(inputs[rest], seconds[rest], 0.5, inputs[~rest])
            error = predicted / seconds[~rest] - 1
            slices.append(slice_errors(f"{target} by left-out mix", str(name), error))
    return slices


def _predicted(inputs: Floats, seconds: Floats, quantile: float, rows: Floats) -> Floats:
    """Fit, and predict other rows as the saved model would."""
    part = _fit_quantile(inputs, seconds, quantile)
    table = tree_table(part["trees"], part["constant"])
    return np.array([request_time(row, table) for row in rows])


def _held_out(count: int, holdout: float, seed: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    block = np.arange(count) // _BLOCK
    blocks = int(block[-1]) + 1
    chosen = np.random.default_rng(seed).permutation(blocks)[: max(1, round(holdout * blocks))]
    return np.isin(block, chosen)


def _slices(target: str, error: Floats, features: tuple[str, ...], inputs: Floats) -> list[Any]:
    everything = np.ones(len(error), bool)
    masks = [(target, "", everything)]
    for name, lows in _BUCKETS.items():
        if name in features:
            values = inputs[:, features.index(name)]
            masks += buckets(f"{target} by {name}", values, lows, everything)
    return [slice_errors(by, part, error[mask]) for by, part, mask in masks if mask.any()]


def _fit_quantile(inputs: Floats, seconds: Floats, quantile: float) -> dict[str, Any]:
    """Fit trees, then shift them until the quantile holds on blocks that they had not seen."""
    logs = np.log(seconds)
    fold = np.arange(len(logs)) // _BLOCK % _FOLDS
    missed = np.empty(len(logs))
    booster = _booster(quantile)
    with on_one_thread("sklearn.ensemble"):
        for part in np.unique(fold):
            held = fold == part
            booster.fit(inputs[~held], logs[~held])
            missed[held] = logs[held] - booster.predict(inputs[held])
        booster.fit(inputs, logs)
    constant = float(booster._baseline_prediction.ravel()[0]) + np.quantile(missed, quantile)
    return {"constant": float(f"{constant:.7e}"), "trees": flatten(exported(booster), 1.0)}


def _booster(quantile: float) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        loss="quantile",
        quantile=quantile,
        max_iter=100,
        max_leaf_nodes=15,
        max_depth=4,
        learning_rate=0.08,
        min_samples_leaf=20,
        early_stopping=False,
        random_state=0,
    )
