"""One workload against another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.characterization.facts import to_plain
from workloadlab.characterization.rows import read_columns, read_measured
from workloadlab.characterization.statistics.distances import share_divergence
from workloadlab.characterization.topics.drift import (
    FLOOR_BLOCKS,
    ColumnDrift,
    column_drift,
    columns_of,
    drift_table,
    thinned,
)
from workloadlab.tables import Cell, Table
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from workloadlab.trace import AnyTrace

__all__ = ["CategoryDrift", "Comparison", "compare"]


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
        tables = [drift_table("Against the reference", self.columns)]
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
    mine, theirs = columns_of(a), columns_of(b)
    rates = [m.n / (m.span_ns / 1e9) if m.span_ns else None for m in (a, b)]
    names = ("model", "task", "tenant_id", "client_id")
    return Comparison(
        reference_requests=a.n,
        requests=b.n,
        rate_ratio=rates[1] / rates[0] if rates[0] and rates[1] else None,
        columns={
            name: column_drift(thinned(mine[name]), thinned(theirs[name]))
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
