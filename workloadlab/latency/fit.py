"""From step samples to a latency model with an honest error card."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.latency.card import ErrorCard
from workloadlab.latency.domain import Domain
from workloadlab.latency.importers import is_source, read_source
from workloadlab.latency.model import LatencyModel
from workloadlab.latency.samples import FEATURES, check_samples, read_samples

__all__ = ["fit"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_FEWEST_GROUPS = 5


def fit(
    source: str | Path | pl.DataFrame,
    *,
    estimator: str = "linear",
    name: str | None = None,
    holdout: float = 0.2,
    seed: int = 0,
) -> LatencyModel:
    """Fit a latency model to measured engine steps.

    The error card comes from a fit that did not see a share of the groups (the column `group`, else
    the pair of prefill_tokens and decode_seqs: steps of one shape are near copies of each other and
    must not be on both sides). The model returned is then fitted on all rows.

    Args:
        source: a step table as Parquet, CSV or polars frame (`workloadlab.latency.SAMPLE_COLUMNS`),
            or a published profile (see `workloadlab.latency.importers.SOURCES`).
        estimator: "linear", non-negative least squares on roofline terms.
        name: the model's name; gpu-model[-tpN] otherwise.
        holdout: share of the groups to hold out, from 0 (errors are then in-sample) to 0.9.
        seed: which groups are held out.

    Raises:
        UsageError: an unknown estimator, a share outside 0 to 0.9, or no such source.
        DataError: see `check_samples`.

    Example:
        >>> steps = pl.DataFrame({
        ...     "prefill_tokens": [0] * 8, "prefill_context_tokens": [0] * 8,
        ...     "decode_seqs": [1, 2, 4, 8, 16, 32, 64, 128],
        ...     "decode_context_tokens": [0] * 8,
        ...     "latency_ns": [10_000_000 + 50_000 * n for n in [1, 2, 4, 8, 16, 32, 64, 128]],
        ...     "gpu": ["a100"] * 8, "model": ["llama"] * 8, "tp": [1] * 8})
        >>> model = fit(steps)
        >>> round(model.step_time_s(decode_seqs=100), 4)
        0.015
    """
    if estimator != "linear":
        raise UsageError(f"no estimator {estimator!r}", fix="use 'linear', the only one")
    if not 0 <= holdout <= 0.9:
        raise UsageError(f"holdout is {holdout}", fix="give a share from 0 to 0.9")
    samples, facts = _load(source)
    features = samples.select(FEATURES).to_numpy().astype(np.float64)
    seconds = samples["latency_ns"].to_numpy() / 1e9
    gpu, served, tp = samples.select("gpu", "model", "tp").row(0)
    held_out, split = _split(samples, holdout, seed)
    # Without held-out steps the errors are those on the fitted ones, and the card says so.
    fitted, judged = (~held_out, held_out) if held_out.any() else (~held_out, ~held_out)
    coefficients = _fitted(features[fitted], seconds[fitted])
    card = ErrorCard.of(
        features[judged],
        seconds[judged],
        _predicted(coefficients, features[judged]),
        split=split,
        fitted_rows=int(fitted.sum()),
    )
    return LatencyModel(
        name=name or _default_name(gpu, served, tp),
        estimator=estimator,
        coefficients=_fitted(features, seconds) if held_out.any() else coefficients,
        domain=Domain.of(features),
        card=card,
        gpu=gpu,
        model=served,
        tp=tp,
        **facts,
    )


def _load(source: str | Path | pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    if isinstance(source, pl.DataFrame):
        return check_samples(source), {"provenance": {"source": "a step table in memory"}}
    path = Path(source)
    if path.is_dir() or is_source(path):
        frame, facts = read_source(path)
        return check_samples(frame, where=str(path)), facts
    return read_samples(path), {"provenance": {"source": f"step table {path.name}"}}


def _split(
    samples: pl.DataFrame, holdout: float, seed: int
) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], str]:
    """Mark the held-out rows and describe the split."""
    shape = pl.format("{}+{}", "prefill_tokens", "decode_seqs")
    by_column = "group" in samples.columns
    group = samples.select(pl.col("group") if by_column else shape.alias("group"))["group"]
    groups = group.unique().sort()
    none = np.zeros(samples.height, bool)
    if holdout == 0:
        return none, "the fitted steps (in-sample: nothing was held out)"
    if len(groups) < _FEWEST_GROUPS:
        return none, f"the fitted steps (in-sample: only {len(groups)} groups, too few to hold out)"
    count = min(max(1, round(holdout * len(groups))), len(groups) - 1)
    chosen = np.random.default_rng(seed).permutation(len(groups))[:count]
    held_out = group.is_in(groups.gather(chosen).implode()).to_numpy()
    by = "the column group" if by_column else "(prefill_tokens, decode_seqs)"
    return held_out, (
        f"{count:,} of {len(groups):,} groups held out, grouped by {by}, seed {seed}; "
        "the model itself is fitted on all steps"
    )


def _fitted(features: Floats, seconds: Floats) -> dict[str, float]:
    from workloadlab.latency.linear import fit_coefficients

    return fit_coefficients(features, seconds)


def _predicted(coefficients: dict[str, float], features: Floats) -> Floats:
    from workloadlab.latency.linear import kernel_table, predict_steps

    predicted: Floats = predict_steps(np.ascontiguousarray(features), kernel_table(coefficients))
    return predicted


def _default_name(gpu: str, model: str, tp: int) -> str:
    name = f"{gpu} {model.rsplit('/', 1)[-1]}" + (f" tp{tp}" if tp > 1 else "")
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
