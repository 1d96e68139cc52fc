"""How long requests took, router by router: cumulative shares that show the tail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.reporting.canvas import (
    LOG_FROM,
    MUTED,
    canvas,
    log_axis,
    percent,
    series,
    tick_seconds,
    time_axis,
)
from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.reporting.routers.ranking import between
from workloadlab.scoring.load.state_words import unserved_words
from workloadlab.scoring.timings import Timings, read_timings
from workloadlab.statistics import quantiles
from workloadlab.words import listed, plural, seconds, share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from workloadlab.scoring import Metric, Scoreboard
    from workloadlab.trace import Runs

__all__ = ["Latency", "LatencyCurve", "plot_latency", "timings_of"]

BODY, TAIL = 120, 40
"""Points of a curve below and above a share of 98%."""

MEDIAN, TOP = 0.5, 0.99
TARGET_IN_SIGHT = 1.5
"""A target up to this many times the longest latency is drawn; further out it would hide the rest."""

TICKS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


@dataclass(frozen=True)
class LatencyCurve:
    """The quantiles of one router.

    Attributes:
        label: its name.
        style: index of its colour and dash.
        points: (seconds, share of the requests that take at most as long) pairs, ascending.
    """

    label: str
    style: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Latency:
    """Curves of the routers, the target where it is in sight, and who does not set the scale."""

    kind: ClassVar = "latency"

    curves: tuple[LatencyCurve, ...]
    target_s: float | None
    beyond: tuple[str, ...] = ()

    def draw(self) -> Figure:
        """Draw the curves over an axis of shares that gives every further nine the same height."""
        figure, axes = canvas()
        several = [np.array(curve.points) for curve in self.curves]
        scaling = [points for curve, points in zip(self.curves, several, strict=True)
                   if curve.label not in self.beyond]  # fmt: skip
        low, high = (
            min(points[0, 0] for points in scaling),
            max(points[-1, 0] for points in scaling),
        )
        if self.target_s is not None:
            axes.axvline(self.target_s, color=MUTED, linewidth=1.2, dashes=(4, 2))
            high = max(high, self.target_s)
        for curve, points in zip(self.curves, several, strict=True):
            below = points[:, 1] < 1
            axes.plot(points[below, 0], _nines(points[below, 1]), **series(curve.style))
        finest = max(points[points[:, 1] < 1, 1].max() for points in several)
        if low > 0 and high > LOG_FROM * low:
            log_axis(axes.xaxis, low, high * 1.1, tick_seconds)
        else:
            margin = (high - low) * 0.04 or high * 0.1 or 1e-6
            axes.set_xlim(max(0, low - margin), high + margin)
            time_axis(axes.xaxis, [high])
        ticks = [level for level in TICKS if level <= finest]
        axes.set_yticks(_nines(np.array(ticks)), [percent(level) for level in ticks])
        axes.set_ylim(0, max(_nines(np.array([finest]))[0], 0.4) * 1.03)
        axes.set_ylabel("requests within")
        return figure


def _nines(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stretch shares towards 1: every further nine is one unit up."""
    return np.asarray(-np.log10(1 - levels))


def timings_of(board: Scoreboard, runs: Runs, scale: float) -> dict[str, list[Timings]]:
    """Return the timings of every seed by router, at one rate scale."""
    return {
        router: [
            read_timings(trace)
            for info, trace in runs
            if (info.router, info.rate_scale) == (router, scale)
        ]
        for router in board.routers
    }


def plot_latency(
    metric: Metric,
    board: Scoreboard,
    timings: Mapping[str, Sequence[Timings]],
    scale: float,
    section: str,
) -> Plot:
    """Say the range of median and tail over the routers, and who meets the target.

    Args:
        metric: a latency.
        board: the scoreboard.
        timings: by router, one per seed.
        scale: rate scale of the timings.
        section: id of the section.
    """
    plot_id = f"{section}-{metric.name.removesuffix('_s')}"
    title = metric.noun[0].upper() + metric.noun[1:]
    values = {router: _pooled(metric.name, each) for router, each in timings.items()}
    values = {router: known for router, known in values.items() if len(known)}
    if not values:
        return Plot(id=plot_id, title=title, reading="No run records it.")
    names = board.routers
    curves = tuple(
        LatencyCurve(router, names.index(router), _points(known))
        for router, known in values.items()
    )
    target = board.slo.get(metric.name)
    steady = [router for router in values if board.steady(router, scale)]
    beyond = tuple(router for router in values if steady and router not in steady)
    longest = max(curve.points[-1][0] for curve in curves if curve.label not in beyond)
    shown = target is not None and target <= TARGET_IN_SIGHT * longest
    legend = [Key(curve.label, curve.style) for curve in curves]
    served = " that were served" if unserved_words(board, scale) else ""
    said = _reading([curve for curve in curves if curve.label not in beyond], served)
    if beyond:
        verb = "has" if len(beyond) == 1 else "have"
        said += f" The axis is cut for {listed(beyond)}, which {verb} no steady state."
    if target is not None:
        within = {router: float(np.mean(known <= target)) for router, known in values.items()}
        of_them = " of them" if served else ""
        said += f" The target of {seconds(target)} is met by {between(within, share)}{of_them}."
        outside = "" if shown else ", beyond the axis"
        legend.append(Key(f"target, {seconds(target)}{outside}", REFERENCE))
    return Plot(
        id=plot_id,
        title=f"{title} by router",
        reading=said,
        definition=f"{metric.about} Cumulative share of the requests that have one, warm-up left "
        "out, seeds pooled; the axis of shares is stretched towards 100% so that tails can be read.",
        n="; ".join(
            sorted({f"{plural(len(known), 'request')} per router" for known in values.values()})
        ),
        drawing=Latency(curves, target if shown else None, beyond),
        legend=tuple(legend),
    )


def _reading(curves: Sequence[LatencyCurve], served: str) -> str:
    p50, p99 = (
        {curve.label: next(value for value, at in curve.points if at == level) for curve in curves}
        for level in (MEDIAN, TOP)
    )
    return (
        f"The median is {between(p50)}; 1% of the requests{served} take more than {between(p99)}."
    )


def _pooled(name: str, timings: Sequence[Timings]) -> NDArray[np.float64]:
    """Return the recorded values of a latency over all seeds."""
    values: NDArray[np.float64] = np.concatenate([getattr(each, name) for each in timings])
    return values[np.isfinite(values)]


def _points(values: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    levels = _levels(len(values))
    found = zip(quantiles(values, levels), levels, strict=True)
    return tuple((float(f"{value:.6g}"), level) for value, level in found)


def _levels(n: int) -> list[float]:
    """Return probabilities from 0 to 1, dense near 1 and as fine there as n values allow."""
    body = np.linspace(0, 0.98, BODY)
    tail = 1 - np.geomspace(0.02, max(1 / n, 1e-6), TAIL)
    named = [MEDIAN, 0.9, 0.95, TOP, 1.0]
    return [float(level) for level in np.unique(np.concatenate((body, tail, named)).round(7))]
