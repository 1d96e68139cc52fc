"""From a part's rows to its partial result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from workloadlab.characterization.bounded import arrivals, latencies, lengths, parties, quality
from workloadlab.characterization.bounded.partial import Partial
from workloadlab.characterization.bounded.partial import merge as merge_by
from workloadlab.characterization.bounded.reading import NAMES, Names, read_rows
from workloadlab.characterization.topics.service_levels import RECORDED
from workloadlab.characterization.topics.tenants import PARTIES
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.bounded.reading import Rows
    from workloadlab.characterization.bounded.rules import Rule

__all__ = ["RULES", "measure", "merge", "merge_all"]

RULES: dict[str, Rule] = {
    **quality.RULES,
    **arrivals.RULES,
    **lengths.RULES,
    **latencies.RULES,
    **{
        f"{column}.{name}": rule
        for column in NAMES
        for name, rule in (*parties.QUANTITIES.items(), *parties.COUNTED.items())
    },
}
"""How two parts' become one, for every quantity of a partial result."""


class Tally(Protocol):
    """Counts of one kind, as a part's rows come."""

    def take(self, rows: Rows) -> None:
        """Count measured rows, which come after all before."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the counts by quantity."""


def measure(plan: Plan, place: int) -> Partial:
    """Measure one part of a trace: its rows are read once, a row group at a time.

    Args:
        plan: of the trace.
        place: of the part in `plan.parts`.

    Raises:
        UsageError: no such part.
    """
    if not 0 <= place < len(plan.parts):
        raise UsageError(f"there is no part {place}", fix=f"use 0 to {len(plan.parts) - 1}")
    part = plan.parts[place]
    names = {column: Names({}) for column in NAMES if column in plan.filled}
    about_rows = quality.QualityTally(part, names)
    tallies: list[Tally] = [
        about_rows,
        arrivals.ArrivalTally(plan, part),
        lengths.LengthTally(plan, part),
    ]
    if any(column in plan.filled for column in RECORDED):
        tallies.append(latencies.LatencyTally(plan, names))
    by_name: list[parties.PartyTally | parties.NameTally] = [
        parties.PartyTally(plan, part, column, known)
        if column in PARTIES
        else parties.NameTally(column, known)
        for column, known in names.items()
    ]
    for rows in read_rows(plan, part, names):
        about_rows.take_all(rows)
        measured = rows if rows.measured.all() else rows.of(rows.measured)
        if len(measured):
            for tally in (*tallies, *by_name):
                tally.take(measured)
    arrays: dict[str, NDArray[Any]] = {}
    for tally in (*tallies, *by_name):
        arrays |= tally.arrays()
    seen = {tally.column: tally.seen() for tally in by_name}
    return parties.bounded(Partial(plan.key, (place,), seen, dict(sorted(arrays.items()))))


def merge(a: Partial, b: Partial) -> Partial:
    """Return what the parts of both leave together; neither order nor grouping matters.

    Raises:
        UsageError: the two are of different plans, or a part is in both.
    """
    return parties.bounded(merge_by(a, b, RULES))


def merge_all(partials: Iterable[Partial]) -> Partial:
    """Return what all leave together, in a tree of merges."""
    waiting = list(partials)
    while len(waiting) > 1:
        pairs = zip(waiting[::2], waiting[1::2], strict=False)
        odd = waiting[-1:] if len(waiting) % 2 else []
        waiting = [merge(a, b) for a, b in pairs] + odd
    return waiting[0]
