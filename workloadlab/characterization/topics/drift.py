"""How one workload differs from another, and a trace from itself over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.statistics.distances import Distance, distance
from workloadlab.characterization.statistics.measures import evenly
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workloadlab.characterization.rows import Measured
    from workloadlab.characterization.study import Study

__all__ = [
    "DRIFT",
    "ChangePoint",
    "ColumnDrift",
    "Drift",
    "column_drift",
    "columns_of",
    "complete_days",
    "drift_of",
    "drift_table",
    "measure_drift",
    "thinned",
]

MOST_ROWS = 1_000_000
FLOOR_BLOCKS = 20
"""Stretches of a reference, of which every other one makes its half."""
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
        return [drift_table("First half against second", self.halves)]


def measure_drift(study: Study) -> Drift | Unsupported:
    """Compare the halves of a trace, and its days."""
    requests = study.requests
    halves = {}
    for name, values in columns_of(requests).items():
        middle = len(values) // 2
        halves[name] = (thinned(values[:middle]), thinned(values[middle:]))
    days = {
        name: _medians(requests, values)
        for name, values in requests.lengths.items()
        if len(values) == requests.n
    }
    return drift_of(requests.n, halves, days)


def drift_of(
    n: int,
    halves: dict[str, tuple[NDArray[Any], NDArray[Any]]],
    days: dict[str, list[float]],
) -> Drift | Unsupported:
    """Compare halves, and days.

    Args:
        n: measured requests.
        halves: by column, values of the first half and of the second: all, or evenly spaced ones.
        days: by column, the median of each complete day; none for too few days or too many.
    """
    if n < 4:
        return Unsupported("under four requests have no halves to compare")
    compared = {name: column_drift(a, b) for name, (a, b) in halves.items() if len(a) >= 2}
    changes = tuple(point for name, medians in days.items() for point in _changes(name, medians))
    return Drift(halves=compared, change_points=changes)


def complete_days(span_ns: int) -> int:
    """Return how many days are compared: the complete ones, or none for under 4 or over 4,000."""
    days = span_ns // DAY_NS
    return days if 4 <= days <= 4000 else 0


def columns_of(requests: Measured) -> dict[str, NDArray[Any]]:
    """Return the columns that are compared, in order of arrival."""
    columns: dict[str, NDArray[Any]] = {**requests.lengths}
    if requests.n > 2:
        columns["iat_s"] = np.diff(requests.arrival_ns) / 1e9
    return columns


def column_drift(reference: NDArray[Any], other: NDArray[Any]) -> ColumnDrift:
    """Compare values with those of a reference."""
    a, b = reference, other
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


def thinned(values: NDArray[Any]) -> NDArray[Any]:
    """Return all values, or a million evenly spaced ones."""
    return values[evenly(len(values), MOST_ROWS)] if len(values) > MOST_ROWS else values


def _medians(requests: Measured, values: NDArray[Any]) -> list[float]:
    days = complete_days(requests.span_ns)
    if not days:
        return []
    first = int(requests.arrival_ns[0])
    edges = np.searchsorted(requests.arrival_ns, first + np.arange(days + 1) * DAY_NS).tolist()
    return [float(np.median(values[a:b])) if b > a else 0.0 for a, b in pairwise(edges)]


def _changes(name: str, medians: list[float]) -> Iterator[ChangePoint]:
    if not medians:
        return
    moves = [math.log(b / a) if a > 0 and b > 0 else 0.0 for a, b in pairwise(medians)]
    center = float(np.median(moves))
    spread = 1.4826 * float(np.median(np.abs(np.array(moves) - center)))
    for day, move in enumerate(moves, start=1):
        if abs(move - center) > max(CHANGE_SPREADS * spread, LEAST_CHANGE):
            yield ChangePoint(name, day, medians[day - 1], medians[day])


def drift_table(title: str, columns: dict[str, ColumnDrift]) -> Table:
    """Return compared columns as a table for people."""
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
