"""How much a learned router changes mean latency, test cell by test cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workloadlab.reporting.canvas import percent
from workloadlab.reporting.facts import Plot
from workloadlab.reporting.intervals import Interval, draw_intervals
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from workloadlab.learning import Comparison

__all__ = ["Change", "Changes", "plot_changes"]


@dataclass(frozen=True)
class Change:
    """Of mean e2e in one cell, relative to the other router's.

    Attributes:
        cell: in words.
        change, low, high: shares, with the 95 % interval.
    """

    cell: str
    change: float
    low: float
    high: float


@dataclass(frozen=True)
class Changes:
    """One row per test cell."""

    kind: ClassVar = "changes"

    other: str
    rows: tuple[Change, ...]

    def draw(self) -> Figure:
        """Draw one interval per cell, its dot filled where it excludes 0."""
        lines = [
            Interval(
                row.cell.replace(", ", ",\n", 1),
                row.low,
                row.change,
                row.high,
                apart=row.low * row.high > 0,
            )
            for row in self.rows
        ]
        figure, axes = draw_intervals(lines, pitch=26)
        axes.xaxis.set_major_formatter(lambda value, _: percent(value))
        axes.set_xlabel(f"mean end-to-end latency against {self.other}")
        return figure


def plot_changes(compared: Sequence[Comparison], section: str, heuristic: str = "") -> Plot | None:
    """Say in how many test cells the router beats its rival; None without a test.

    Args:
        compared: the router beside others.
        section: its id.
        heuristic: what stands in for a router that was refused; its rival is round robin.
    """
    rival = "round_robin" if heuristic else "selected"
    chosen = [one for one in compared if one.role == rival]
    if not chosen:
        return None
    whose = f" of {heuristic}" if heuristic else ""
    other = (
        "It stands in for a router that was refused."
        if heuristic
        else "The other is the heuristic that was best in selection."
    )
    better = sum(one.high < 0 for one in chosen)
    worse = sum(one.low > 0 for one in chosen)
    rest = len(chosen) - better - worse
    return Plot(
        id=f"{section}-changes",
        title=f"Mean end-to-end latency{whose} against {chosen[0].other}",
        reading=f"{f'With {heuristic} lower' if heuristic else 'Lower'} than with {chosen[0].other} in "
        f"{better} of {plural(len(chosen), 'test cell')}, higher in {worse}"
        + (f"; in {rest} the interval includes 0." if rest else "."),
        definition="Relative change on the last part of the log, which training did not see, with "
        f"its 95% interval over 20 consecutive parts. {other}",
        n=plural(len(chosen), "test cell"),
        drawing=Changes(
            chosen[0].other,
            tuple(Change(one.cell, one.change, one.low, one.high) for one in chosen),
        ),
    )
