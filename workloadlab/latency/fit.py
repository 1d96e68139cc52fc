"""From step samples to a latency model with an honest error card."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.arguments import checked, file_path
from workloadlab.errors import DataError, UsageError
from workloadlab.latency.card import ErrorCard
from workloadlab.latency.choice import choose_estimator, fold_predictions
from workloadlab.latency.domain import Domain
from workloadlab.latency.estimators.registry import ESTIMATORS, estimator_named, fit_estimator
from workloadlab.latency.hardware.geometry import ModelGeometry
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.importers import is_source, read_source
from workloadlab.latency.intervals import Intervals
from workloadlab.latency.model import LatencyModel
from workloadlab.latency.samples import check_samples, read_samples
from workloadlab.latency.step import FEATURES, kind_of
from workloadlab.latency.step_terms import NO_TERMS
from workloadlab.words import plural

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.latency.estimators.estimator import Estimator
    from workloadlab.latency.importers import Facts

__all__ = ["fit"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

UNMEASURED = "composed from kernels; whole steps not measured"
"""Said by the card of a model that adds terms to kernels, which no whole step has confirmed."""

_FEWEST_GROUPS = 5
_INTERVAL_FOLDS = 5


@checked
def fit(
    source: str | Path | pl.DataFrame,
    *,
    estimator: str = "linear",
    name: str | None = None,
    holdout: float = 0.2,
    seed: int = 0,
    intervals: bool = False,
    **choice: Any,
) -> LatencyModel:
    """Fit a latency model to measured engine steps.

    The error card comes from a fit that did not see a share of the groups (the column `group`, else
    the pair of prefill_tokens and decode_seqs: steps of one shape are near copies of each other and
    must not be on both sides). The model returned is then fitted on all rows.

    Args:
        source: a step table as Parquet, CSV or polars frame (`workloadlab.latency.SAMPLE_COLUMNS`),
            or a published profile (`workloadlab.latency.importers`), such as a folder of
            LLMServingSim tables (perf/GPU/MODEL[/DTYPE[/tpN]]).
        estimator: a name of `workloadlab.latency.ESTIMATORS`, or "auto": the one with the smallest
            error in grouped cross-validation; why is in the provenance, under `choice`.
        name: the model's name; gpu-model[-tpN][-epN] otherwise.
        holdout: share of the groups to hold out, from 0 (errors are then in-sample) to 0.9.
        seed: which groups are held out.
        intervals: also cross-validate the spread that `LatencyModel.predict_interval` needs.
        choice: model, gpu, tp or dtype, for published profiles of several; expert_parallel, the
            data-parallel ranks that share the experts, for LLMServingSim tables with experts;
            link_latency_s and link_bytes_s, of a collective between GPUs (`hardware.links`).

    Raises:
        UsageError: an unknown estimator, a share outside 0 to 0.9, no such source, or a choice that
            a profile leaves open.
        DataError: see `check_samples`; or all steps are of one size, so that the cost of another
            cannot be known.

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
    if estimator != "auto":
        estimator_named(estimator)
    if not 0 <= holdout <= 0.9:
        raise UsageError(f"holdout is {holdout}", fix="give a share from 0 to 0.9")
    samples, facts, where = _load(source, choice)
    terms = facts.get("terms", NO_TERMS)
    features = samples.select(FEATURES).to_numpy().astype(np.float64)
    seconds = samples["latency_ns"].to_numpy() / 1e9
    _check_sizes(features, where)
    groups, by = _groups(samples)
    held_out, split = _split(groups, by, holdout, seed)
    # Without held-out steps the errors are those on the fitted ones, and the card says so.
    fitted, judged = (~held_out, held_out) if held_out.any() else (~held_out, ~held_out)
    provenance = dict(facts["provenance"])
    if estimator == "auto":
        estimator, provenance["choice"] = _chosen(
            features[fitted], seconds[fitted], groups[fitted], seed
        )
    chosen = estimator_named(estimator)
    coefficients = fit_estimator(estimator, features[fitted], seconds[fitted])
    card = ErrorCard.of(
        features[judged],
        seconds[judged],
        chosen.predict(features[judged], chosen.table(coefficients)),
        split=split if terms == NO_TERMS else f"{split}; {UNMEASURED}",
        fitted_rows=int(fitted.sum()),
    )
    if held_out.any():
        coefficients = fit_estimator(estimator, features, seconds)
    gpu, served, tp = samples.select("gpu", "model", "tp").row(0)
    provenance |= _efficiency(chosen, coefficients, served, gpu, facts["dtype"], tp)
    return LatencyModel(
        name=name or _default_name(gpu, served, tp, facts["system"]),
        estimator=estimator,
        coefficients=coefficients,
        terms=terms,
        domain=Domain.of(features),
        card=card,
        intervals=_intervals(features, seconds, groups, estimator, seed) if intervals else None,
        gpu=gpu,
        model=served,
        tp=tp,
        dtype=facts["dtype"],
        provenance=provenance,
        system=facts["system"],
    )


def _load(
    source: str | Path | pl.DataFrame, choice: dict[str, Any]
) -> tuple[pl.DataFrame, Facts, str]:
    """Return checked samples, facts about them, and the name of their place."""
    if not isinstance(source, pl.DataFrame):
        path = file_path("source", source, else_="a frame")
        if path.is_dir() or is_source(path):
            frame, facts = read_source(path, **choice)
            return check_samples(frame, where=str(path)), facts, str(path)
    if choice:
        problem = f"{', '.join(choice)} cannot be chosen: a step table holds one"
        raise UsageError(problem, fix="filter the table instead")
    if isinstance(source, pl.DataFrame):
        return check_samples(source), _only("a step table in memory"), "samples"
    return read_samples(path), _only(f"step table {path.name}"), str(path)


def _only(source: str) -> Facts:
    """Return the facts of samples of which nothing but their source is known."""
    return {"dtype": None, "provenance": {"source": source}, "system": {}}


def _check_sizes(features: Floats, where: str) -> None:
    """Refuse steps that are all of one size: nothing in them says what another size costs."""
    kinds, total = kind_of(features), features[:, 0] + features[:, 2]
    if any(len(np.unique(total[kinds == kind])) > 1 for kind in np.unique(kinds)):
        return
    decodes = bool((kinds == 0).any())
    column = "decode_seqs" if decodes else "prefill_tokens"
    size = features[kinds == kinds.min(), 2 if decodes else 0][0]
    raise DataError(
        f"is {size:,.0f} in every step; from one batch size no other can be predicted",
        where=f"{where}: column {column}",
        fix="measure at least two batch sizes, better one per doubling from 1 to the largest",
    )


def _groups(samples: pl.DataFrame) -> tuple[Ints, str]:
    """Return each row's group, numbered in the order of their names, and what the groups are."""
    by_column = "group" in samples.columns
    shape = pl.format("{}+{}", "prefill_tokens", "decode_seqs")
    group = samples.select(pl.col("group") if by_column else shape.alias("group"))["group"]
    numbers = group.rank("dense").to_numpy().astype(np.int64) - 1
    return numbers, "the column group" if by_column else "(prefill_tokens, decode_seqs)"


def _split(groups: Ints, by: str, holdout: float, seed: int) -> tuple[Bools, str]:
    """Mark the held-out rows and describe the split."""
    total = int(groups.max()) + 1
    none = np.zeros(len(groups), bool)
    if holdout == 0:
        return none, "the fitted steps (in-sample: nothing was held out)"
    if total < _FEWEST_GROUPS:
        return (
            none,
            f"the fitted steps (in-sample: only {plural(total, 'group')}, too few to hold out)",
        )
    count = min(max(1, round(holdout * total)), total - 1)
    chosen = np.random.default_rng(seed).permutation(total)[:count]
    return np.isin(groups, chosen), (
        f"{count:,} of {total:,} groups held out, grouped by {by}, seed {seed}; "
        "the model itself is fitted on all steps"
    )


def _chosen(features: Floats, seconds: Floats, groups: Ints, seed: int) -> tuple[str, str]:
    present, groups = np.unique(groups, return_inverse=True)
    if len(present) < _FEWEST_GROUPS:
        simplest = next(iter(ESTIMATORS))
        return (
            simplest,
            f"{simplest}, untested: only {plural(len(present), 'group')}, too few to cross-validate",
        )
    return choose_estimator(features, seconds, groups.ravel(), seed=seed)


def _intervals(
    features: Floats, seconds: Floats, groups: Ints, estimator: str, seed: int
) -> Intervals:
    if int(groups.max()) + 1 < _FEWEST_GROUPS:
        raise UsageError(
            "intervals need held-out steps, and there are too few groups to hold any out",
            fix=f"measure at least {_FEWEST_GROUPS} batch sizes, or fit without intervals",
        )
    predicted = fold_predictions(
        features, seconds, groups, estimator=estimator, folds=_INTERVAL_FOLDS, seed=seed
    )
    return Intervals.of(features, seconds, predicted)


def _efficiency(
    estimator: Estimator,
    coefficients: dict[str, Any],
    model: str,
    gpu: str,
    dtype: str | None,
    tp: int,
) -> dict[str, str]:
    """Say what share of the GPU's peak each rate reaches, where there are rates and the GPU is known."""
    if estimator.efficiencies is None:
        return {}
    try:
        figures, geometry = find_gpu(gpu), ModelGeometry.named(model)
    except UsageError:
        return {}
    shares = estimator.efficiencies(coefficients, geometry, figures, dtype or geometry.dtype, tp)
    said = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in shares.items())
    return {"efficiency": f"{said} of the peak of {figures.name}"} if said else {}


def _default_name(gpu: str, model: str, tp: int, system: dict[str, Any]) -> str:
    ranks = system.get("expert_parallel", 1)
    name = f"{gpu} {model.rsplit('/', 1)[-1]}"
    name += (f" tp{tp}" if tp > 1 else "") + (f" ep{ranks}" if ranks > 1 else "")
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
