"""Findings on a trace that come before any statistic of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Finding  # noqa: TC001
from workloadlab.characterization.findings import HOLE_IN_MEAN_GAPS, Seen, find_all
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.rows import MEASURED
from workloadlab.characterization.study import Topic
from workloadlab.tables import Table
from workloadlab.trace import Flag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.characterization.study import Study
    from workloadlab.trace import Provenance, Trace

__all__ = ["INTEGRITY", "Integrity", "check_integrity", "count_duplicates", "integrity_of"]


@dataclass(frozen=True)
class Integrity:
    """Findings on the data itself, warnings first.

    Attributes:
        tick_s: spacing of the clock's grid, or None where too few distinct gaps tell.
        tie_share: share of requests with the timestamp of the one before.
        distinct_timestamps: how many timestamps differ.
    """

    tick_s: float | None
    tie_share: float
    distinct_timestamps: int
    findings: tuple[Finding, ...]

    def tables(self) -> list[Table]:
        """Return the findings as a table for people; none when there is nothing to say."""
        rows = [[finding.severity, finding.message] for finding in self.findings]
        return [Table("Findings", ["", ""], rows)] if rows else []


def check_integrity(study: Study) -> Integrity:
    """Look for causes of misleading statistics: clock, order, caps, holes, missing values."""
    requests, clock = study.requests, study.clock
    outputs = np.where(requests.output_recorded, requests.output_tokens.astype(np.int64), -1)
    gaps = np.diff(requests.arrival_ns)
    recorded_cv = None
    if not clock.resolves_gaps:
        recorded_cv = float(gaps.std(ddof=1) / gaps.mean())
    holes = gaps[gaps > HOLE_IN_MEAN_GAPS * (clock.mean_gap_s or 0.0) * 1e9]
    seen = Seen(
        n=requests.n,
        span_ns=requests.span_ns,
        inversions=requests.inversions,
        duplicates=count_duplicates(requests.arrival_ns, requests.input_tokens, outputs),
        recorded_cv=recorded_cv,
        lengths={name: Frequencies.of(values) for name, values in requests.lengths.items()},
        holes=(len(holes), int(holes.max(initial=0)), int(holes.sum())),
        counts=_count(study.trace),
    )
    return integrity_of(seen, clock, study.trace.provenance, study.trace.clocks)


def integrity_of(
    seen: Seen, clock: Clock, provenance: Provenance, clocks: tuple[str, ...]
) -> Integrity:
    """Say what a reader must know of a trace before any statistic.

    Args:
        seen: what its rows show.
        clock: that stamped the arrivals.
        provenance: where it came from.
        clocks: whose clocks measured its TTFT.
    """
    findings = find_all(seen, clock, provenance, clocks)
    return Integrity(
        tick_s=clock.tick_s,
        tie_share=clock.tie_share,
        distinct_timestamps=clock.distinct,
        findings=tuple(sorted(findings, key=lambda finding: finding.severity != "warning")),
    )


def _count(trace: Trace) -> dict[str, int]:
    """Count conditions over all rows in one pass; absent columns read as null."""

    def column(name: str, dtype: type[pl.DataType]) -> pl.Expr:
        return pl.col(name) if name in trace.columns else pl.lit(None, dtype())

    row_id, output = pl.col("row_id"), column("output_tokens", pl.UInt32)
    ttft, e2e = column("ttft_ns", pl.Int64), column("e2e_ns", pl.Int64)
    outcome = column("outcome", pl.String)
    conditions = {
        "zero_input": pl.col("input_tokens") == 0,
        "zero_output": output == 0,
        "without_output": output.is_null(),
        "without_ttft": ttft.is_null(),
        "without_e2e": e2e.is_null(),
        "impossible": (ttft < 0) | (e2e < 0) | (ttft > e2e),
        "not_ok": outcome.is_not_null() & (outcome != "ok"),
        **{str(flag.name): (pl.col("flags") & flag.value) != 0 for flag in Flag},
    }
    counted = {name: (MEASURED & condition).sum() for name, condition in conditions.items()}
    counted |= {"rows": pl.len(), "moved": (row_id < row_id.shift(1)).sum()}
    return trace.frame.select(**counted).collect().row(0, named=True)


def count_duplicates(
    arrival_ns: NDArray[np.int64], inputs: NDArray[Any], outputs: NDArray[Any]
) -> int:
    """Count the rows that repeat another's arrival, input and output.

    Args:
        arrival_ns: ascending.
        inputs: of the same rows.
        outputs: likewise; those not recorded are all equal, and no output's value.
    """
    same = np.diff(arrival_ns) == 0
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    columns = [outputs[tied], inputs[tied], arrival_ns[tied]]
    order = np.lexsort(columns)
    equal = np.ones(max(len(tied) - 1, 0), dtype=np.bool_)
    for column in columns:
        equal &= np.diff(column[order].astype(np.int64)) == 0
    return int(np.count_nonzero(equal))


INTEGRITY = Topic(
    name="integrity",
    about="findings on the data itself, to know before trusting the rest",
    needs=(),
    facts=Integrity,
    measure=check_integrity,
)
