"""What a reader must know of a trace before any statistic, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.characterization.facts import Finding
from workloadlab.characterization.statistics.caps import find_cap
from workloadlab.characterization.statistics.counts import DISPERSION_S
from workloadlab.tables import duration, figure
from workloadlab.trace import Flag
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.characterization.frequencies import Frequencies
    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.trace import Provenance

__all__ = ["HOLE_IN_MEAN_GAPS", "Seen", "find_all"]

HOLE_IN_MEAN_GAPS = 50
TIES_WORTH_SAYING = 0.01


@dataclass(frozen=True)
class Seen:
    """What the rows of a trace show, however they are held.

    Attributes:
        n, span_ns: measured requests, and nanoseconds from the first to the last.
        inversions: rows of the trace that arrive before the row above them.
        duplicates: rows that repeat another's arrival, input and output.
        recorded_cv: CV of the gaps as they are recorded; None where it is not asked for.
        lengths: token counts by column.
        holes: gaps of over 50 mean gaps: how many, the longest, and all together, in ns.
        counts: rows by condition.
    """

    n: int
    span_ns: int
    inversions: int
    duplicates: int
    recorded_cv: float | None
    lengths: dict[str, Frequencies]
    holes: tuple[int, int, int]
    counts: dict[str, int]


def find_all(
    seen: Seen, clock: Clock, provenance: Provenance, clocks: tuple[str, ...]
) -> list[Finding]:
    """Return all findings.

    Args:
        seen: what the rows of a trace show.
        clock: that stamped the arrivals.
        provenance: where it came from.
        clocks: whose clocks measured its TTFT.
    """
    return [
        *_about_clock(seen, clock),
        *_about_order(seen, clock),
        *(cap for name, values in seen.lengths.items() for cap in find_cap(name, values)),
        *_about_holes(seen, clock),
        *_about_outputs(seen),
        *_about_timings(seen, clocks),
        *_about_rows(seen, provenance.reader),
        *_about_reading(provenance),
    ]


def _about_clock(seen: Seen, clock: Clock) -> Iterator[Finding]:
    if seen.n >= 2 and seen.span_ns == 0:
        yield Finding(
            "all_simultaneous",
            "warning",
            f"All {seen.n:,} requests have one timestamp: nothing can be said of arrivals.",
            {"requests": seen.n},
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
        if seen.recorded_cv is not None:
            numbers["recorded_iat_cv"] = seen.recorded_cv
            said.append(
                f"Those of the whole trace do: the CV of {numbers['recorded_iat_cv']:.3g} "
                "that they record comes from the clock."
            )
        yield Finding("clock_tick", "warning", " ".join(said), numbers)
    elif clock.tie_share >= TIES_WORTH_SAYING:
        said = [f"{ties}, though the clock resolves {figure(tick)} s: requests come in batches."]
        yield Finding("simultaneous", "info", said[0], numbers)


def _about_order(seen: Seen, clock: Clock) -> Iterator[Finding]:
    if seen.inversions:
        yield Finding(
            "unsorted",
            "warning",
            plural(seen.inversions, "row arrives", "rows arrive")
            + " before the row above; the trace was sorted here.",
            {"rows": seen.inversions},
        )
    elif seen.counts["moved"]:
        moved = seen.counts["moved"]
        yield Finding(
            "source_order",
            "info",
            f"The source was not in arrival order: {plural(moved, 'row')} came after later ones.",
            {"rows": moved},
        )
    duplicates = seen.duplicates
    coarse = clock.tick_s and clock.mean_gap_s and clock.mean_gap_s < 100 * clock.tick_s
    if duplicates and not coarse and seen.span_ns:
        share = duplicates / seen.n
        yield Finding(
            "duplicate_rows",
            "warning",
            f"{plural(duplicates, 'row')} ({share:.2%}) with another's arrival, input and output: "
            "the log may hold them twice.",
            {"rows": duplicates, "share": share},
        )


def _about_holes(seen: Seen, clock: Clock) -> Iterator[Finding]:
    if not seen.span_ns or clock.mean_gap_s is None:
        return
    least_s = HOLE_IN_MEAN_GAPS * clock.mean_gap_s
    holes, longest_ns, total_ns = seen.holes
    if holes:
        longest_s, total_s = longest_ns / 1e9, total_ns / 1e9
        share = total_ns / seen.span_ns
        yield Finding(
            "holes",
            "warning",
            f"{plural(holes, 'gap is', 'gaps are')} longer than {HOLE_IN_MEAN_GAPS} mean gaps "
            f"({figure(least_s)} s), the longest {duration(longest_s)}; together {share:.1%} of "
            "the span: the service was idle, or the log is incomplete there.",
            {
                "holes": holes,
                "threshold_s": least_s,
                "longest_s": longest_s,
                "total_s": total_s,
                "span_share": share,
            },
        )


def _about_outputs(seen: Seen) -> Iterator[Finding]:
    n, counts = seen.n, seen.counts
    yield from _partly("output", n, counts["without_output"], "output_tokens")
    for column in ("input", "output"):
        zeros = counts[f"zero_{column}"]
        if zeros:
            yield Finding(
                f"zero_{column}",
                "warning",
                f"{plural(zeros, 'row')} ({zeros / n:.2%}) with 0 {column} tokens"
                + (": failed requests, as a rule." if column == "output" else "."),
                {"rows": zeros, "share": zeros / n},
            )


def _about_timings(seen: Seen, clocks: tuple[str, ...]) -> Iterator[Finding]:
    n, counts = seen.n, seen.counts
    if len(clocks) > 1:
        yield Finding(
            "mixed_clocks",
            "warning",
            f"TTFT was measured by several clocks ({', '.join(clocks)}): what lies between "
            "them is in some rows and not in others.",
            {"clocks": list(clocks)},
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
            f"{plural(counts['impossible'], 'row has', 'rows have')} a negative duration, or a "
            "first token after the "
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
        else f"{plural(missing, 'row')} ({missing / n:.2%}) without {column}, left out of its "
        "statistics.",
        {"column": column, "rows": missing, "share": missing / n},
    )


def _about_rows(seen: Seen, reader: str) -> Iterator[Finding]:
    n, counts = seen.n, seen.counts
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
            f"{plural(warmup, 'warm-up request is', 'warm-up requests are')} left out of all "
            "statistics.",
            {"rows": warmup},
        )
    if counts["not_ok"]:
        share = counts["not_ok"] / n
        yield Finding(
            "not_ok",
            "info",
            f"{plural(counts['not_ok'], 'request')} ({share:.2%}) did not end well, and count here.",
            {"rows": counts["not_ok"], "share": share},
        )
    flagged = {str(f.name).lower(): counts[str(f.name)] for f in Flag if counts[str(f.name)]}
    if flagged:
        named = ", ".join(f"{name} {rows:,}" for name, rows in flagged.items())
        yield Finding(
            "flagged_rows",
            "info",
            f"Reading the {reader} log marked rows: {named}.",
            {"rows_by_flag": flagged},
        )


def _about_reading(provenance: Provenance) -> Iterator[Finding]:
    zone, units = provenance.zone_assumed, provenance.units
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
    for note in provenance.notes:
        yield Finding("said_when_read", "info", f"Said when it was read: {note}.", {"note": note})
