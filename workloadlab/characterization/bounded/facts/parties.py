"""Tenants and other parties, from their counts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.facts.sketch import sketched
from workloadlab.characterization.bounded.kernels import MINUTE_NS, TOKEN_DIGITS
from workloadlab.characterization.bounded.parties import name_key
from workloadlab.characterization.bounded.words import as_floats
from workloadlab.characterization.statistics.parties import complete_days, cvs_of, stability_of
from workloadlab.characterization.topics.tenants import (
    LISTED,
    PARTIES,
    Parties,
    Party,
    parties_of,
    per_minute_facts,
    tenants_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.partial import Partial
    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.facts import Unsupported
    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.characterization.statistics.parties import Stability
    from workloadlab.characterization.topics.tenants import Tenants

__all__ = ["counts_by_name", "tenants_from"]


def tenants_from(plan: Plan, partial: Partial, clock: Clock) -> Tenants | Unsupported:
    """Make the facts of every column that names parties."""
    found = {
        column: parties
        for column in PARTIES
        if column in plan.filled and (parties := _parties(plan, partial, column, clock))
    }
    return tenants_of(found)


def counts_by_name(partial: Partial, column: str) -> dict[str, int]:
    """Return the requests of each name of a column, by name."""
    names = partial.names.get(column, ())
    quantity = "counts" if f"{column}.counts" in partial.arrays else "names"
    table = partial.arrays[f"{column}.{quantity}"]
    counts = dict(zip(table[:, 0].tolist(), table[:, 1].tolist(), strict=True))
    return {name: counts[name_key(name)] for name in names}


def _parties(plan: Plan, partial: Partial, column: str, clock: Clock) -> Parties | None:
    names = partial.names[column]
    if not names:
        return None
    tables = {
        name.removeprefix(f"{column}."): table
        for name, table in partial.arrays.items()
        if name.startswith(f"{column}.")
    }
    # From here on parties are in the order of their names.
    order = np.searchsorted(tables["counts"][:, 0], np.array([name_key(name) for name in names]))
    rows = tables["counts"][order]
    counts, tokens = rows[:, 1], rows[:, 2]
    cvs = np.full(len(rows), np.nan)
    if len(tables["ends"]):
        n, sums, squares = _gaps(tables)
        with np.errstate(divide="ignore", invalid="ignore"):
            deviations = np.maximum(squares - sums.astype(np.float64) ** 2 / n, 0.0)
        cvs = cvs_of(n, sums, deviations, clock)[order]
    return parties_of(
        column,
        plan.requests - int(counts.sum()),
        counts,
        tokens,
        cvs,
        stability=_stability(plan, tables, order),
        largest=_largest(plan, tables, column, names, counts, tokens, cvs),
    )


def _gaps(
    tables: dict[str, NDArray[Any]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return how many gaps each party has, their sum and squares, those across parts included."""
    counts, ends = tables["counts"], tables["ends"]
    n, sums, squares = counts[:, 3].copy(), counts[:, 4].copy(), as_floats(counts[:, 5:])
    same = ends[1:, 0] == ends[:-1, 0]
    across = (ends[1:, 2] - ends[:-1, 3])[same]
    owner = np.searchsorted(counts[:, 0], ends[1:, 0][same])
    np.add.at(n, owner, 1)
    np.add.at(sums, owner, across)
    np.add.at(squares, owner, across.astype(np.float64) ** 2)
    return n, sums, squares


def _stability(
    plan: Plan, tables: dict[str, NDArray[Any]], order: NDArray[np.int64]
) -> Stability | None:
    days = complete_days(plan.span_ns)
    if not days or not len(tables["days"]):
        return None
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    daily = [np.zeros(len(order), np.int64) for _ in range(days)]
    keys = np.searchsorted(tables["counts"][:, 0], tables["days"][:, 1])
    edges = np.searchsorted(tables["days"][:, 0], np.arange(days + 1))
    for day, (a, b) in enumerate(pairwise(edges.tolist())):
        daily[day][place[keys[a:b]]] = tables["days"][a:b, 2]
    return stability_of(daily)


def _largest(
    plan: Plan,
    tables: dict[str, NDArray[Any]],
    column: str,
    names: tuple[str, ...],
    counts: NDArray[np.int64],
    tokens: NDArray[np.int64],
    cvs: NDArray[np.float64],
) -> tuple[Party, ...]:
    total = int(tokens.sum())
    parties = []
    for i in np.argsort(-counts, kind="stable")[:LISTED].tolist():
        known = names[i] in plan.frequent[column]
        place = plan.frequent[column].index(names[i]) if known else -1
        rate_cv, dispersion_share = _by_minute(plan, tables["minutes"], place)
        parties.append(
            Party(
                name=names[i],
                requests=int(counts[i]),
                share=int(counts[i]) / int(counts.sum()),
                tokens=int(tokens[i]),
                token_share=int(tokens[i]) / total if total else None,
                input_p50=_median(tables["inputs"], place),
                output_p50=_median(tables["outputs"], place),
                iat_cv=None if np.isnan(cvs[i]) else float(cvs[i]),
                rate_cv=rate_cv,
                dispersion_share=dispersion_share,
            )
        )
    return tuple(parties)


def _median(table: NDArray[np.int64], place: int) -> float | None:
    mine = table[table[:, 0] == place, 1:]
    return sketched(mine, TOKEN_DIGITS).quantiles([0.5])[0] if len(mine) else None


def _by_minute(
    plan: Plan, minutes: NDArray[np.int64], place: int
) -> tuple[float | None, float | None]:
    if place < 0:
        return None, None
    n, squares, product = minutes[place].tolist()
    everyone, whole, _ = minutes[-1].tolist()
    return per_minute_facts(
        plan.span_ns // MINUTE_NS,
        (n, squares),
        (everyone - n, whole - 2 * product + squares),
        (everyone, whole),
    )
