"""The load by weekday and hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.reporting.canvas import canvas
from workloadlab.reporting.facts import Plot
from workloadlab.reporting.workload.heat import fill_cells
from workloadlab.words import plural, sentence, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Arrivals
    from workloadlab.reporting.workload.place import Place

__all__ = ["Week", "plot_week"]

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LEAST_COVERED_S = 1800
LEAST_HOURS = 24


@dataclass(frozen=True)
class Week:
    """Mean rate of each hour of the week, seven rows of 24; None where too little is covered."""

    kind: ClassVar = "week"

    rate_rps: tuple[tuple[float | None, ...], ...]
    days: tuple[str, ...]

    def draw(self) -> Figure:
        """Draw a cell per hour, the fuller the busier."""
        figure, axes = canvas()
        fill_cells(axes, np.array(self.rate_rps, dtype=np.float64))
        axes.set_yticks(np.arange(7) + 0.5, self.days)
        axes.set_xticks(range(0, 25, 3), [f"{hour}:00" for hour in range(0, 25, 3)])
        axes.set_xlabel("hour of the day, UTC")
        return figure


def plot_week(arrivals: Arrivals, place: Place) -> Plot:
    """Say which hours of the week are the busiest and the quietest."""
    title, plot_id, weekly = (
        "Load by weekday and hour",
        place.id("week"),
        arrivals.hour_by_weekday,
    )
    if isinstance(weekly, Unsupported):
        return Plot(id=plot_id, title=title, reading=sentence(weekly.unsupported))
    rates = tuple(
        tuple(
            rate if covered >= LEAST_COVERED_S else None for rate, covered in zip(*day, strict=True)
        )
        for day in zip(weekly.rate_rps, weekly.covered_s, strict=True)
    )
    known = [
        (rate, f"{DAYS[day]} {hour:02}:00")
        for day, row in enumerate(rates)
        for hour, rate in enumerate(row)
        if rate is not None
    ]
    if len(known) < LEAST_HOURS:
        said = f"The trace covers {plural(len(known), 'hour')} of the week, too few for a pattern."
        return Plot(id=plot_id, title=title, reading=said)
    (most, busiest), (least, quietest) = max(known), min(known)
    return Plot(
        id=plot_id,
        title=title,
        reading=f"The busiest hour of the week, {busiest} UTC, has {three(most)} requests/s, "
        f"{three(most / arrivals.rate_rps)} times the mean; the quietest, {quietest}, has "
        f"{three(least)}.",
        definition="Requests over the seconds of that hour that the trace covers, all weeks "
        f"together; hours with under 30 minutes are blank. Full colour: {three(most)} "
        "requests/s; the colour goes down to 0 in proportion.",
        n=f"{plural(arrivals.requests, 'request')} in {len(known)} of 168 hours",
        drawing=Week(rate_rps=rates, days=tuple(day[:3] for day in DAYS)),
    )
