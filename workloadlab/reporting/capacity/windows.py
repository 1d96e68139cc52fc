"""How many instances each window of the trace needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workloadlab.reporting.canvas import canvas, reference_line, series, time_unit
from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.tables import duration
from workloadlab.words import plural, three

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from workloadlab.planning import Plan

__all__ = ["Windows", "plot_windows"]


@dataclass(frozen=True)
class Windows:
    """Least instances by window, and the fixed number that holds them all."""

    kind: ClassVar = "windows"

    starts_s: tuple[float, ...]
    instances: tuple[float, ...]
    width_s: float
    fixed: float

    def draw(self) -> Figure:
        """Draw a bar per window and the fixed number as a line."""
        from matplotlib.ticker import MaxNLocator

        figure, axes = canvas()
        axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
        name, size = time_unit(self.starts_s[-1] + self.width_s)
        middles = [(start + self.width_s / 2) / size for start in self.starts_s]
        axes.bar(middles, self.instances, width=0.9 * self.width_s / size,
                 color=series(0)["color"])  # fmt: skip
        reference_line(axes, self.fixed)
        axes.set_ylim(0, self.fixed * 1.1)
        axes.set_xlabel(f"{name} since the first request")
        axes.set_ylabel("instances")
        return figure


def plot_windows(plan: Plan, section: str) -> Iterator[Plot]:
    """Say what a perfect autoscaler would save; nothing for a trace of one window."""
    perfect, fixed = plan.autoscaled_gpu_hours(start_up=False), plan.gpu_hours
    if perfect is None or not fixed or plan.instances is None:
        return
    width_s = plan.hours[0].length_s
    counts = tuple(float(hour.instances or 0) for hour in plan.hours)
    yield Plot(
        id=f"{section}-windows",
        title="Instances by window",
        reading=f"The windows need {min(counts):,.0f} to {max(counts):,.0f} instances: "
        f"{three(perfect)} GPU-hours, {three(fixed)} with a fixed number.",
        definition=f"Least number with {plan.router} for each {duration(width_s)}, after two minutes "
        "of the requests before it.",
        n=f"{plural(len(counts), 'window')} of {plural(plan.requests, 'request')}",
        drawing=Windows(tuple(h.start_s for h in plan.hours), counts, width_s, plan.instances),
        legend=(Key("least number", 0), Key("fixed number", REFERENCE)),
    )
