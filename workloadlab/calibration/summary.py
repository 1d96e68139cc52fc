"""What a calibration says for people: its parameters, its errors later in the log, and its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.tables import Table, wrapped

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel

__all__ = ["describe", "notes_of", "tables_of"]

BELOW = (
    "simulated / observed - 1, after fits of so much of the log; p99 and |error| per request after the "
    "fit whose mean is farthest off"
)


def describe(model: LatencyModel) -> str:
    """Return tables and notes as lines of at most 80 columns; "" for a model that was not calibrated."""
    tables = tables_of(model)
    if not tables:
        return ""
    parameters, errors = tables
    notes = "\n".join(wrapped(note) for note in notes_of(model))
    return "\n".join([parameters.text(), errors.text(), notes])


def tables_of(model: LatencyModel) -> list[Table]:
    """Return the parameters with their intervals, and the errors on the rest of the log.

    Empty for a model that was not calibrated.
    """
    found = model.system.get("calibration")
    if not found:
        return []
    rows = [
        [row["name"], row["estimate"], f"{row['low']:.4g} to {row['high']:.4g}",
         f"{row['share']:.1%}", "yes" if row["identifiable"] else "no"]
        for row in found["parameters"]
    ]  # fmt: skip
    doubts = [
        f"not identified: {row['name']} ({row['why']})"
        for row in found["parameters"]
        if not row["identifiable"]
    ]
    cuts = found["cuts"]
    errors = [
        [name.removesuffix("_s"),
         *(f"{cut['held_out'][name]['mean_error']:+.1%}" for cut in cuts),
         f"{facts['p99_error']:+.1%}", f"{facts['mape']:.1%}"]
        for name, facts in found["held_out"].items()
    ]  # fmt: skip
    return [
        Table(
            "Parameters (s per unit; step overhead apart)",
            ["parameter", "estimate", "95 % interval", "busy time", "identified"],
            rows,
            doubts,
        ),
        Table(
            "Rest of the log, by fits that knew its arrivals, not its timings",
            ["mean after", *(f"{cut['share']:.0%}" for cut in cuts), "p99", "per request"],
            errors,
            [BELOW],
        ),
    ]


def notes_of(model: LatencyModel) -> list[str]:
    """Return likely causes of errors, and what the log cannot tell, a sentence each."""
    found = model.system.get("calibration") or {"likely_causes": (), "notes": ()}
    return [f"Likely cause of errors: {cause}" for cause in found["likely_causes"]] + list(
        found["notes"]
    )
