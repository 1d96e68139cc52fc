"""The parties that send the requests: shares, how stable they are, and how bursty each party is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import read_columns
from workloadlab.characterization.statistics.measures import occupied_bins
from workloadlab.characterization.statistics.parties import (
    Stability,
    daily_counts,
    gap_cvs,
    stability_of,
    weighted_median,
)
from workloadlab.characterization.statistics.shares import Shares, share_out
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.study import Study

__all__ = [
    "TENANTS",
    "Parties",
    "Party",
    "Tenants",
    "measure_tenants",
    "parties_of",
    "per_minute_facts",
    "tenants_of",
]

PARTIES = ("tenant_id", "client_id", "model", "task", "slo_class")
LISTED = 20
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Party:
    """One of the largest parties.

    Attributes:
        input_p50, output_p50: median tokens; None where the party was not looked at closely, or no
            output is recorded.
        iat_cv: CV of its gaps; None below 30 of them or where the clock is too coarse for them.
        rate_cv: CV of its requests per complete minute of the trace.
        dispersion_share: how much of the variance of the requests per minute goes when it is left out.
    """

    name: str
    requests: int
    share: float
    tokens: int
    token_share: float | None
    input_p50: float | None
    output_p50: float | None
    iat_cv: float | None
    rate_cv: float | None
    dispersion_share: float | None


@dataclass(frozen=True)
class Parties:
    """The parties that one column names.

    Attributes:
        column: tenant_id, client_id, model, task or slo_class.
        missing: requests that name none.
        requests, tokens: spread of the requests, and of input plus output tokens.
        iat_cv: median of the parties' CVs, weighted by requests; None where none has one.
        bursty_share: share of those requests whose party has a CV over 1.
    """

    column: str
    missing: int
    requests: Shares
    tokens: Shares | None
    iat_cv: float | None
    bursty_share: float | None
    stability: Stability | None
    largest: tuple[Party, ...]


@dataclass(frozen=True)
class Tenants:
    """Tenants (or, where none is recorded, clients), and other parties the trace names.

    Attributes:
        by: the column that the figures are of: tenant_id, else client_id, else model, else task.
        count, k50, k90, k99, gini, hhi, top1, top5, top10: of the requests by that column.
        parties: every column that names parties, by name.
    """

    by: str
    count: int
    k50: int
    k90: int
    k99: int
    gini: float | None
    hhi: float
    top1: float
    top5: float
    top10: float
    parties: dict[str, Parties]

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        rows: list[list[Cell]] = [
            [
                name,
                p.requests.count,
                p.requests.top1,
                p.requests.top10,
                p.requests.k50,
                p.requests.k90,
                p.requests.gini,
                p.iat_cv,
            ]
            for name, p in self.parties.items()
        ]
        header = ["by", "count", "top 1", "top 10", "k50", "k90", "Gini", "CV of gaps"]
        largest: list[list[Cell]] = [
            [p.name, p.requests, p.share, p.token_share, p.input_p50, p.output_p50, p.iat_cv]
            for p in self.parties[self.by].largest[:10]
        ]
        columns = [self.by, "requests", "share", "tokens", "input p50", "output p50", "CV of gaps"]
        return [Table("Parties", header, rows), Table("Largest", columns, largest)]


def measure_tenants(study: Study) -> Tenants | Unsupported:
    """Measure every column that names parties; Unsupported where none does."""
    found: dict[str, Parties] = {}
    for column in PARTIES:
        if study.trace.has(column):
            parties = _measure_parties(study, column)
            if parties:
                found[column] = parties
    return tenants_of(found)


def tenants_of(found: dict[str, Parties]) -> Tenants | Unsupported:
    """Make the facts of the parties that the columns name; Unsupported where none does."""
    if not found:
        return Unsupported("no request names a tenant, client, model, task or class")
    by = next(iter(found))
    shares = found[by].requests
    return Tenants(
        by=by,
        count=shares.count,
        k50=shares.k50,
        k90=shares.k90,
        k99=shares.k99,
        gini=shares.gini,
        hhi=shares.hhi,
        top1=shares.top1,
        top5=shares.top5,
        top10=shares.top10,
        parties=found,
    )


def _measure_parties(study: Study, column: str) -> Parties | None:
    rows = read_columns(study.trace, column, "input_tokens", "output_tokens")
    named = rows.filter(pl.col(column).is_not_null())
    if not len(named):
        return None
    names = named[column].unique().sort()
    codes = (named[column].rank("dense").cast(pl.Int64) - 1).to_numpy()
    arrival = named["arrival_ns"].to_numpy()
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(names))
    tokens = _sums(named, column)
    first, span_ns = int(study.requests.arrival_ns[0]), study.requests.span_ns
    cvs = gap_cvs(arrival[order], counts, study.clock)
    return parties_of(
        column,
        len(rows) - len(named),
        counts,
        tokens,
        cvs,
        stability=stability_of(daily_counts(arrival - first, codes, len(names), span_ns)),
        largest=_largest(named, column, names, counts, tokens, cvs, (first, span_ns)),
    )


def parties_of(
    column: str,
    missing: int,
    counts: NDArray[np.int64],
    tokens: NDArray[np.int64],
    cvs: NDArray[np.float64],
    *,
    stability: Stability | None,
    largest: tuple[Party, ...],
) -> Parties | None:
    """Make the facts of one column; None where no party has a request.

    Args:
        column: its name.
        missing: requests that name no party.
        counts: requests per party.
        tokens: likewise.
        cvs: of the gaps of each, NaN where not known.
        stability: as in `Parties`.
        largest: likewise.
    """
    shares = share_out(counts)
    if shares is None:
        return None
    measured = ~np.isnan(cvs)
    return Parties(
        column=column,
        missing=missing,
        requests=shares,
        tokens=share_out(tokens),
        iat_cv=weighted_median(cvs[measured], counts[measured]),
        bursty_share=int(counts[measured & (cvs > 1)].sum()) / int(counts[measured].sum())
        if measured.any()
        else None,
        stability=stability,
        largest=largest,
    )


def _sums(named: pl.DataFrame, column: str) -> NDArray[np.int64]:
    total = pl.col("input_tokens").cast(pl.Int64) + pl.col("output_tokens").cast(
        pl.Int64
    ).fill_null(0)
    return named.group_by(column).agg(total.sum().alias("tokens")).sort(column)["tokens"].to_numpy()


def _largest(
    named: pl.DataFrame,
    column: str,
    names: pl.Series,
    counts: NDArray[np.int64],
    tokens: NDArray[np.int64],
    cvs: NDArray[np.float64],
    ends: tuple[int, int],
) -> tuple[Party, ...]:
    top = np.argsort(-counts, kind="stable")[:LISTED].tolist()
    first, minutes = ends[0], ends[1] // MINUTE_NS
    everyone = _squares(named["arrival_ns"].to_numpy() - first, minutes)
    total = int(tokens.sum())
    parties = []
    for i in top:
        mine = named[column] == names[i]
        own = named.filter(mine)
        alone = _squares(own["arrival_ns"].to_numpy() - first, minutes)
        others = _squares(named["arrival_ns"].filter(~mine).to_numpy() - first, minutes)
        rate_cv, dispersion_share = per_minute_facts(minutes, alone, others, everyone)
        output = own["output_tokens"].median()
        parties.append(
            Party(
                name=str(names[i]),
                requests=int(counts[i]),
                share=int(counts[i]) / int(counts.sum()),
                tokens=int(tokens[i]),
                token_share=int(tokens[i]) / total if total else None,
                input_p50=float(np.median(own["input_tokens"].to_numpy())),
                output_p50=None if output is None else float(str(output)),
                iat_cv=None if math.isnan(cvs[i]) else float(cvs[i]),
                rate_cv=rate_cv,
                dispersion_share=dispersion_share,
            )
        )
    return tuple(parties)


def _squares(since_first: NDArray[np.int64], minutes: int) -> tuple[int, int]:
    """Return the arrivals in complete minutes, and the sum of the squares of their counts."""
    inside = since_first[since_first < minutes * MINUTE_NS]
    if not len(inside):
        return 0, 0
    counts = occupied_bins(inside, MINUTE_NS)[1]
    return len(inside), int(np.dot(counts, counts))


def per_minute_facts(
    minutes: int, alone: tuple[int, int], others: tuple[int, int], everyone: tuple[int, int]
) -> tuple[float | None, float | None]:
    """Return a party's CV of the requests per minute, and its share of the dispersion.

    Args:
        minutes: complete ones; under two tell nothing.
        alone: the party's requests in them, and the sum of their squares per minute.
        others: the same of all other parties.
        everyone: the same of all.
    """
    if minutes < 2:
        return None, None
    mine, without, whole = (
        (squares - n * n / minutes) / (minutes - 1) for n, squares in (alone, others, everyone)
    )
    mean = alone[0] / minutes
    return math.sqrt(mine) / mean if mean else None, 1 - without / whole if whole else None


TENANTS = Topic(
    name="tenants",
    about="who sends the requests",
    needs=PARTIES,
    facts=Tenants,
    measure=measure_tenants,
)
