"""How many requests meet the targets with how many instances, router by router."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workloadlab.reporting.canvas import canvas, reference_line, series, share_axis
from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.words import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.planning import Plan

__all__ = ["Attainment", "AttainmentCurve", "plot_attainment"]


@dataclass(frozen=True)
class AttainmentCurve:
    """One router.

    Attributes:
        label: its name.
        style: index of its colour and dash.
        points: (instances, share, low, high), ascending; low and high are the interval.
    """

    label: str
    style: int
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Attainment:
    """Curves of the routers, and the goal."""

    kind: ClassVar = "attainment"

    curves: tuple[AttainmentCurve, ...]
    goal: float

    def draw(self) -> Figure:
        """Draw one line per router over the numbers that were tried, with their intervals."""
        from matplotlib.ticker import MaxNLocator

        figure, axes = canvas()
        reference_line(axes, self.goal)
        for curve in self.curves:
            style = series(curve.style)
            counts, shares, lows, highs = zip(*curve.points, strict=True)
            axes.plot(counts, shares, marker="o", markersize=4.5, **style)
            axes.vlines(counts, lows, highs, color=style["color"], linewidth=1.0)
        tried = [point[0] for curve in self.curves for point in curve.points]
        axes.set_xlim(min(tried, default=1) - 0.5, max(tried, default=1) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        share_axis(axes)
        axes.set_xlabel("instances")
        axes.set_ylabel("requests within the targets")
        return figure


def plot_attainment(plan: Plan, section: str) -> Plot:
    """Say with how many instances the goal is reached."""
    curves = tuple(
        AttainmentCurve(
            found.router, style, tuple((t.instances, t.met, t.low, t.high) for t in found.trials)
        )
        for style, found in enumerate(plan.routers)
    )
    tried = sum(len(found.trials) for found in plan.routers)
    return Plot(
        id=f"{section}-attainment",
        title="Requests within the targets by instances",
        reading=plan.sentence,
        definition="Each point is a replay of the peak; bars are Wilson's intervals, widened where "
        "neighbouring requests share their fate.",
        n=f"{plural(tried, 'replay')} of {plural(plan.peak.requests, 'request')}",
        drawing=Attainment(curves, plan.attain),
        legend=(
            *(Key(curve.label, curve.style) for curve in curves),
            Key(f"goal, {plan.attain * 100:.4g}%", REFERENCE),
        ),
    )
