"""How much a learned router changes mean latency, test cell by test cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workloadlab.reporting.canvas import HEIGHT, MUTED, canvas, percent, series
from workloadlab.reporting.facts import Plot
from workloadlab.reporting.words import plural

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
        figure, axes = canvas(height=max(HEIGHT, 64 + 26 * len(self.rows)))
        axes.axvline(0, color=MUTED, linewidth=1.2, dashes=(4, 2))
        colour = series(0)["color"]
        for height, row in enumerate(reversed(self.rows)):
            axes.plot([row.low, row.high], [height, height], color=colour, linewidth=2.2,
                      solid_capstyle="round")  # fmt: skip
            filled = colour if row.low * row.high > 0 else "none"
            axes.plot([row.change], [height], "o", color=colour, markersize=7,
                      markerfacecolor=filled)  # fmt: skip
        labels = [row.cell.replace(", ", ",\n", 1) for row in reversed(self.rows)]
        axes.set_yticks(range(len(self.rows)), labels)
        axes.set_ylim(-0.6, len(self.rows) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(lambda value, _: percent(value))
        axes.set_xlabel(f"mean end-to-end latency against {self.other}")
        return figure


def plot_changes(compared: Sequence[Comparison], section: str) -> Plot | None:
    """Say in how many test cells the router beats its rival; None without a test."""
    chosen = [one for one in compared if one.role == "selected"]
    if not chosen:
        return None
    better = sum(one.high < 0 for one in chosen)
    worse = sum(one.low > 0 for one in chosen)
    rest = len(chosen) - better - worse
    return Plot(
        id=f"{section}-changes",
        title=f"Mean end-to-end latency against {chosen[0].other}",
        reading=f"Lower in {better} of {plural(len(chosen), 'test cell')}, higher in {worse}; in "
        f"{rest} the interval includes 0.",
        definition="Relative change on the last part of the log, which training did not see, with "
        "its 95% interval over 20 consecutive parts. The other is the heuristic that was best in "
        "selection.",
        n=plural(len(chosen), "test cell"),
        drawing=Changes(
            chosen[0].other,
            tuple(Change(one.cell, one.change, one.low, one.high) for one in chosen),
        ),
    )
