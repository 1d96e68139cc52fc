"""Findings on a trace that come before any statistic of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Finding
from workloadlab.characterization.rows import MEASURED
from workloadlab.characterization.statistics.caps import find_cap
from workloadlab.characterization.study import Topic
from workloadlab.characterization.topics.arrivals import DISPERSION_S
from workloadlab.tables import Table, duration, figure
from workloadlab.trace import Flag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.characterization.rows import Measured
    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.characterization.study import Study
    from workloadlab.trace import Trace

__all__ = ["INTEGRITY", "Integrity", "check_integrity"]

HOLE_IN_MEAN_GAPS = 50
TIES_WORTH_SAYING = 0.01


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
    trace, requests, clock = study.trace, study.requests, study.clock
    counts = _count(trace)
    findings = [
        *_about_clock(requests, clock),
        *_about_order(requests, clock, counts),
        *find_cap("input_tokens", requests.input_tokens),
        *find_cap("output_tokens", requests.output_tokens[requests.output_recorded]),
        *_about_holes(requests, clock),
        *_about_outputs(requests, counts),
        *_about_timings(trace, requests.n, counts),
        *_about_rows(trace, requests.n, counts),
        *_about_reading(trace),
    ]
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


def _about_clock(requests: Measured, clock: Clock) -> Iterator[Finding]:
    if requests.n >= 2 and requests.span_ns == 0:
        yield Finding(
            "all_simultaneous",
            "warning",
            f"All {requests.n:,} requests have one timestamp: nothing can be said of arrivals.",
            {"requests": requests.n},
        )
        return
    tick, mean_gap = clock.tick_s, clock.mean_gap_s
    if tick is None or mean_gap is None:
        return
    ties = f"{clock.tie_share:.1%} of requests have the timestamp of the one before"
    withheld = [str(width) for width in DISPERSION_S if not clock.resolves(width)]
    numbers: dict[str, Any] = {"tick_s": tick, "tie_share": clock.tie_share}
    if withheld or (clock.tie_share >= TIES_WORTH_SAYING and mean_gap < 100 * tick):
        numbers |= {"distinct": clock.distinct, "withheld_dispersion_s": withheld}
        said = [f"Arrivals lie on a clock of {figure(tick)} s; {ties}."]
        if withheld:
            said.append(f"Dispersion under two ticks ({', '.join(withheld)} s) is left out.")
        said.append("So is the CV of gaps that average under two ticks.")
        if not clock.resolves_gaps:
            gaps = np.diff(requests.arrival_ns) / 1e9
            numbers["recorded_iat_cv"] = float(gaps.std(ddof=1) / gaps.mean())
            said.append(
                f"Those of the whole trace do: the CV of {numbers['recorded_iat_cv']:.3g} "
                "that they record comes from the clock."
            )
        yield Finding("clock_tick", "warning", " ".join(said), numbers)
    elif clock.tie_share >= TIES_WORTH_SAYING:
        said = [f"{ties}, though the clock resolves {figure(tick)} s: requests come in batches."]
        yield Finding("simultaneous", "info", said[0], numbers)


def _about_order(requests: Measured, clock: Clock, counts: dict[str, int]) -> Iterator[Finding]:
    if requests.inversions:
        yield Finding(
            "unsorted",
            "warning",
            f"{requests.inversions:,} rows arrive before the row above; they were sorted here.",
            {"rows": requests.inversions},
        )
    elif counts["moved"]:
        yield Finding(
            "source_order",
            "info",
            f"The source was not in arrival order: {counts['moved']:,} rows came after later ones.",
            {"rows": counts["moved"]},
        )
    duplicates = _duplicate_rows(requests)
    coarse = clock.tick_s and clock.mean_gap_s and clock.mean_gap_s < 100 * clock.tick_s
    if duplicates and not coarse and requests.span_ns:
        share = duplicates / requests.n
        yield Finding(
            "duplicate_rows",
            "warning",
            f"{duplicates:,} rows ({share:.2%}) repeat another's arrival, input and output: "
            "the log may hold them twice.",
            {"rows": duplicates, "share": share},
        )


def _duplicate_rows(requests: Measured) -> int:
    same = np.diff(requests.arrival_ns) == 0
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    keys = [requests.output_recorded, requests.output_tokens, requests.input_tokens]
    columns = [key[tied] for key in keys] + [requests.arrival_ns[tied]]
    order = np.lexsort(columns)
    equal = np.ones(max(len(tied) - 1, 0), dtype=np.bool_)
    for column in columns:
        equal &= np.diff(column[order].astype(np.int64)) == 0
    return int(np.count_nonzero(equal))


def _about_holes(requests: Measured, clock: Clock) -> Iterator[Finding]:
    if not requests.span_ns or clock.mean_gap_s is None:
        return
    gaps = np.diff(requests.arrival_ns)
    least_s = HOLE_IN_MEAN_GAPS * clock.mean_gap_s
    holes = gaps[gaps > least_s * 1e9]
    if len(holes):
        longest_s, total_s = int(holes.max()) / 1e9, int(holes.sum()) / 1e9
        share = int(holes.sum()) / requests.span_ns
        yield Finding(
            "holes",
            "warning",
            f"{len(holes):,} gaps are longer than {HOLE_IN_MEAN_GAPS} mean gaps "
            f"({figure(least_s)} s), the longest {duration(longest_s)}; together {share:.1%} of "
            "the span: the service was idle, or the log is incomplete there.",
            {
                "holes": len(holes),
                "threshold_s": least_s,
                "longest_s": longest_s,
                "total_s": total_s,
                "span_share": share,
            },
        )


def _about_outputs(requests: Measured, counts: dict[str, int]) -> Iterator[Finding]:
    yield from _partly("output", requests.n, counts["without_output"], "output_tokens")
    for column in ("input", "output"):
        zeros = counts[f"zero_{column}"]
        if zeros:
            yield Finding(
                f"zero_{column}",
                "warning",
                f"{zeros:,} rows ({zeros / requests.n:.2%}) have 0 {column} tokens"
                + (": failed requests, as a rule." if column == "output" else "."),
                {"rows": zeros, "share": zeros / requests.n},
            )


def _about_timings(trace: Trace, n: int, counts: dict[str, int]) -> Iterator[Finding]:
    if len(trace.clocks) > 1:
        yield Finding(
            "mixed_clocks",
            "warning",
            f"TTFT was measured by several clocks ({', '.join(trace.clocks)}): what lies between "
            "them is in some rows and not in others.",
            {"clocks": list(trace.clocks)},
        )
    if n and counts["without_ttft"] == counts["without_e2e"] == n:
        yield from _partly("timings", n, n, "ttft_ns, e2e_ns")
    else:
        yield from _partly("timings", n, counts["without_ttft"], "ttft_ns")
        yield from _partly("timings", n, counts["without_e2e"], "e2e_ns")
    if counts["impossible"]:
        yield Finding(
            "impossible_timings",
            "warning",
            f"{counts['impossible']:,} rows have a negative duration, or a first token after the "
            "end.",
            {"rows": counts["impossible"]},
        )


def _partly(code: str, n: int, missing: int, column: str) -> Iterator[Finding]:
    if not n or not missing:
        return
    everything = missing == n
    yield Finding(
        f"missing_{code}",
        "info" if everything else "warning",
        f"Not recorded: {column}."
        if everything
        else f"{missing:,} rows ({missing / n:.2%}) lack {column}; its statistics leave them out.",
        {"column": column, "rows": missing, "share": missing / n},
    )


def _about_rows(trace: Trace, n: int, counts: dict[str, int]) -> Iterator[Finding]:
    warmup = counts["rows"] - n
    if n == 0:
        what = "only warm-up requests" if warmup else "no requests"
        yield Finding(
            "no_requests", "warning", f"The trace holds {what}.", {"rows": counts["rows"]}
        )
    if warmup:
        yield Finding(
            "warmup_rows",
            "info",
            f"{warmup:,} warm-up requests are left out of all statistics.",
            {"rows": warmup},
        )
    if counts["not_ok"]:
        share = counts["not_ok"] / n
        yield Finding(
            "not_ok",
            "info",
            f"{counts['not_ok']:,} requests ({share:.2%}) did not end well; they count here.",
            {"rows": counts["not_ok"], "share": share},
        )
    flagged = {str(f.name).lower(): counts[str(f.name)] for f in Flag if counts[str(f.name)]}
    if flagged:
        named = ", ".join(f"{name} {rows:,}" for name, rows in flagged.items())
        yield Finding(
            "flagged_rows",
            "info",
            f"Reading the {trace.provenance.reader} log marked rows: {named}.",
            {"rows_by_flag": flagged},
        )


def _about_reading(trace: Trace) -> Iterator[Finding]:
    zone, units = trace.provenance.zone_assumed, trace.provenance.units
    if zone:
        yield Finding(
            "zone_assumed",
            "info",
            f"Timestamps without a zone were taken as {zone}: hours of the day depend on that.",
            {"zone": zone},
        )
    if units:
        named = ", ".join(f"{column} in {unit}" for column, unit in sorted(units.items()))
        yield Finding(
            "units_taken",
            "info",
            f"The log was read with {named}.",
            {"units": dict(sorted(units.items()))},
        )


INTEGRITY = Topic(
    name="integrity",
    about="findings on the data itself, to know before trusting the rest",
    needs=(),
    facts=Integrity,
    measure=check_integrity,
)
