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
    daily_stability,
    gap_cvs,
    weighted_median,
)
from workloadlab.characterization.statistics.shares import Shares, share_out
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.characterization.study import Study
    from workloadlab.trace import Trace

__all__ = ["TENANTS", "Parties", "Party", "Tenants", "measure_tenants"]

PARTIES = ("tenant_id", "client_id", "model", "task", "slo_class")
LISTED = 20
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Party:
    """One of the largest parties.

    Attributes:
        iat_cv: CV of its gaps; None below 30 of them or where the clock is too coarse for them.
        rate_cv: CV of its requests per complete minute of the trace.
        dispersion_share: how much of the variance of the requests per minute goes when it is left out.
    """

    name: str
    requests: int
    share: float
    tokens: int
    token_share: float | None
    input_p50: float
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
            parties = _measure_parties(study.trace, column, study.clock)
            if parties:
                found[column] = parties
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


def _measure_parties(trace: Trace, column: str, clock: Clock) -> Parties | None:
    rows = read_columns(trace, column, "input_tokens", "output_tokens")
    named = rows.filter(pl.col(column).is_not_null())
    if not len(named):
        return None
    names = named[column].unique().sort()
    codes = (named[column].rank("dense").cast(pl.Int64) - 1).to_numpy()
    arrival = named["arrival_ns"].to_numpy()
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(names))
    tokens = _sums(named, column)
    cvs = gap_cvs(arrival[order], counts, clock)
    shares = share_out(counts)
    measured = ~np.isnan(cvs)
    if shares is None:
        return None
    return Parties(
        column=column,
        missing=len(rows) - len(named),
        requests=shares,
        tokens=share_out(tokens),
        iat_cv=weighted_median(cvs[measured], counts[measured]),
        bursty_share=int(counts[measured & (cvs > 1)].sum()) / int(counts[measured].sum())
        if measured.any()
        else None,
        stability=daily_stability(arrival, codes, len(names)),
        largest=_largest(named, column, names, counts, tokens, cvs),
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
) -> tuple[Party, ...]:
    top = np.argsort(-counts, kind="stable")[:LISTED].tolist()
    arrival = named["arrival_ns"].to_numpy()
    minutes = int(arrival[-1] - arrival[0]) // MINUTE_NS
    everyone = _variance(arrival - arrival[0], minutes)
    total = int(tokens.sum())
    parties = []
    for i in top:
        mine = named[column] == names[i]
        own = named.filter(mine)
        times = own["arrival_ns"].to_numpy() - arrival[0]
        others = named["arrival_ns"].filter(~mine).to_numpy() - arrival[0]
        alone, without = _variance(times, minutes), _variance(others, minutes)
        mean = len(times) / minutes if minutes else 0.0
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
                rate_cv=math.sqrt(alone) / mean if alone is not None and mean else None,
                dispersion_share=1 - without / everyone
                if everyone and without is not None
                else None,
            )
        )
    return tuple(parties)


def _variance(since_first: NDArray[np.int64], minutes: int) -> float | None:
    """Return the variance (n - 1 below) of the counts per complete minute."""
    if minutes < 2:
        return None
    inside = since_first[since_first < minutes * MINUTE_NS]
    if not len(inside):
        return 0.0
    counts = occupied_bins(inside, MINUTE_NS)[1]
    total, squares = len(inside), int(np.dot(counts, counts))
    return (squares - total * total / minutes) / (minutes - 1)


TENANTS = Topic(
    name="tenants",
    about="who sends the requests",
    needs=PARTIES,
    facts=Tenants,
    measure=measure_tenants,
)
