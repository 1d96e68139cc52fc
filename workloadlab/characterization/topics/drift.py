"""How one workload differs from another, and a trace from itself over time."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported, to_plain
from workloadlab.characterization.rows import Measured, read_columns, read_measured
from workloadlab.characterization.statistics.distances import Distance, distance, share_divergence
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.study import Study
    from workloadlab.trace import AnyTrace

__all__ = [
    "DRIFT",
    "CategoryDrift",
    "ChangePoint",
    "ColumnDrift",
    "Comparison",
    "Drift",
    "compare",
    "measure_drift",
]

MOST_ROWS = 1_000_000
FLOOR_BLOCKS = 20
DAY_NS = 86_400_000_000_000
CHANGE_SPREADS = 3.5
LEAST_CHANGE = 0.1


@dataclass(frozen=True)
class ColumnDrift:
    """One column in both.

    Attributes:
        rows: compared in the reference and in the other: all, or a million evenly spaced ones each.
        mean_ratio, p50_ratio: other / reference; None for a reference of 0.
        floor: the same distances between two halves of the reference, made of alternate twentieths
            of it: what the data differ from themselves by.
    """

    rows: tuple[int, ...]
    mean_ratio: float | None
    p50_ratio: float | None
    ks: float
    wasserstein: float
    psi: float
    floor: Distance | None


@dataclass(frozen=True)
class CategoryDrift:
    """One column of names in both.

    Attributes:
        jensen_shannon: divergence of the shares in bits, 0 to 1.
        floor: the same between the two halves of the reference.
        appeared, gone: names only in the other, only in the reference.
    """

    jensen_shannon: float
    floor: float | None
    appeared: int
    gone: int


@dataclass(frozen=True)
class ChangePoint:
    """A day whose median moved away from the day before's by more than days usually do."""

    column: str
    day: int
    before: float
    after: float


@dataclass(frozen=True)
class Drift:
    """The first half of the requests against the second.

    Attributes:
        halves: by column: the lengths that are recorded, and iat_s.
        change_points: between complete days since the first arrival: the log of the median moved by
            over a tenth, and over 3.5 robust standard deviations of the daily moves.
    """

    halves: dict[str, ColumnDrift]
    change_points: tuple[ChangePoint, ...]

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        return [_table("First half against second", self.halves)]


@dataclass(frozen=True, repr=False)
class Comparison:
    """A trace against a reference; prints itself as a table.

    Attributes:
        reference_requests, requests: rows measured in the reference and in the other.
        rate_ratio: other / reference; None where either has no span.
        columns: the lengths that both record, and iat_s.
        categories: model, task, tenant_id, client_id, as far as both record them.
        clocks: whose clocks measured TTFT in the reference and in the other, where they differ.
    """

    reference_requests: int
    requests: int
    rate_ratio: float | None
    columns: dict[str, ColumnDrift]
    categories: dict[str, CategoryDrift]
    clocks: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"schema_version": 1, **to_plain(self)}

    def to_json(self) -> str:
        """Return `to_dict` as indented JSON."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def tables(self) -> list[Table]:
        """Return the comparison as tables for people."""
        rows: list[list[Cell]] = [
            [name, c.jensen_shannon, c.floor, c.appeared, c.gone]
            for name, c in self.categories.items()
        ]
        header = ["names", "Jensen-Shannon", "floor", "appeared", "gone"]
        tables = [_table("Against the reference", self.columns)]
        if rows:
            tables.append(Table("Shares", header, rows))
        if self.clocks:
            first, second = (" and ".join(names) for names in self.clocks)
            words = (
                f"TTFT was measured by the {first} in the reference and by the {second} here: what "
                "lies between the two is in one and not in the other, so their latencies do not compare."
            )
            tables.append(Table("Findings", ["", ""], [["warning", words]]))
        return tables

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self.tables())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "\n".join(table.html() for table in self.tables())


def compare(reference: AnyTrace, other: AnyTrace) -> Comparison:
    """Compare a trace with a reference, column by column; each a trace, its path, or a frame.

    Example:
        >>> from workloadlab.trace import Trace
        >>> def made(scale):
        ...     return Trace.of((i, 10, scale * (i % 10)) for i in range(100))
        >>> compare(made(10), made(20)).columns["output_tokens"].wasserstein
        45.0
    """
    reference, other = Trace.open(reference), Trace.open(other)
    a, b = read_measured(reference), read_measured(other)
    mine, theirs = _columns(a), _columns(b)
    rates = [m.n / (m.span_ns / 1e9) if m.span_ns else None for m in (a, b)]
    names = ("model", "task", "tenant_id", "client_id")
    return Comparison(
        reference_requests=a.n,
        requests=b.n,
        rate_ratio=rates[1] / rates[0] if rates[0] and rates[1] else None,
        columns={
            name: _drift(mine[name], theirs[name])
            for name in mine
            if len(mine[name]) and len(theirs.get(name, ()))
        },
        categories={
            name: _category_drift(reference, other, name)
            for name in names
            if reference.has(name) and other.has(name)
        },
        clocks=_mixed(reference.clocks, other.clocks),
    )


def _mixed(
    mine: tuple[str, ...], theirs: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    return (mine, theirs) if mine and theirs and mine != theirs else None


def measure_drift(study: Study) -> Drift | Unsupported:
    """Compare the halves of a trace, and its days."""
    requests = study.requests
    if requests.n < 4:
        return Unsupported("under four requests have no halves to compare")
    halves = {}
    for name, values in _columns(requests).items():
        middle = len(values) // 2
        if middle >= 2:
            halves[name] = _drift(values[:middle], values[middle:])
    return Drift(halves=halves, change_points=_change_points(requests))


def _columns(requests: Measured) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {**requests.lengths}
    if requests.n > 2:
        columns["iat_s"] = np.diff(requests.arrival_ns) / 1e9
    return columns


def _drift(reference: NDArray[Any], other: NDArray[Any]) -> ColumnDrift:
    a, b = _thinned(reference), _thinned(other)
    apart = distance(a, b)
    blocks = np.arange(len(a)) * FLOOR_BLOCKS // len(a) % 2
    odd, even = a[blocks == 1], a[blocks == 0]
    floor = distance(even, odd) if len(a) >= FLOOR_BLOCKS else None
    mean, median = float(a.mean()), float(np.median(a))
    return ColumnDrift(
        rows=(len(a), len(b)),
        mean_ratio=float(b.mean()) / mean if mean else None,
        p50_ratio=float(np.median(b)) / median if median else None,
        ks=apart.ks,
        wasserstein=apart.wasserstein,
        psi=apart.psi,
        floor=floor,
    )


def _thinned(values: NDArray[Any]) -> NDArray[Any]:
    if len(values) <= MOST_ROWS:
        return values
    return values[np.linspace(0, len(values) - 1, MOST_ROWS).round().astype(np.int64)]


def _category_drift(reference: Trace, other: Trace, name: str) -> CategoryDrift:
    mine, theirs = (read_columns(trace, name)[name].drop_nulls() for trace in (reference, other))
    a, b = _counts(mine), _counts(theirs)
    if not a or not b:
        return CategoryDrift(0.0, None, len(b), len(a))
    blocks = np.arange(len(mine)) * FLOOR_BLOCKS // len(mine) % 2
    floor = None
    if len(mine) >= FLOOR_BLOCKS:
        floor = share_divergence(*(_counts(mine.filter(pl.Series(blocks == k))) for k in (0, 1)))
    return CategoryDrift(share_divergence(a, b), floor, len(b.keys() - a), len(a.keys() - b))


def _counts(names: pl.Series) -> dict[str, int]:
    return dict(names.value_counts(name="n").iter_rows())


def _change_points(requests: Measured) -> tuple[ChangePoint, ...]:
    days = requests.span_ns // DAY_NS
    if not 4 <= days <= 4000:
        return ()
    first = int(requests.arrival_ns[0])
    edges = np.searchsorted(requests.arrival_ns, first + np.arange(days + 1) * DAY_NS).tolist()
    found = []
    for name, values in requests.lengths.items():
        if len(values) < requests.n:
            continue
        medians = [float(np.median(values[a:b])) if b > a else 0.0 for a, b in pairwise(edges)]
        moves = [math.log(b / a) if a > 0 and b > 0 else 0.0 for a, b in pairwise(medians)]
        center = float(np.median(moves))
        spread = 1.4826 * float(np.median(np.abs(np.array(moves) - center)))
        for day, move in enumerate(moves, start=1):
            if abs(move - center) > max(CHANGE_SPREADS * spread, LEAST_CHANGE):
                found.append(ChangePoint(name, day, medians[day - 1], medians[day]))
    return tuple(found)


def _table(title: str, columns: dict[str, ColumnDrift]) -> Table:
    rows: list[list[Cell]] = [
        [
            name,
            c.p50_ratio,
            c.ks,
            c.floor.ks if c.floor else None,
            c.wasserstein,
            c.floor.wasserstein if c.floor else None,
            c.psi,
            c.floor.psi if c.floor else None,
        ]
        for name, c in columns.items()
    ]
    header = ["column", "p50 ratio", "KS", "floor", "Wasserstein", "floor", "PSI", "floor"]
    return Table(title, header, rows)


DRIFT = Topic(
    name="drift",
    about="the first half against the second, and day against day",
    needs=(),
    facts=Drift,
    measure=measure_drift,
)
