"""The gaps between arrivals, beside exponential ones and the family that fits best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.characterization.statistics.families import FAMILIES
from workloadlab.reporting.canvas import MUTED, canvas, log_axis, percent, series, tick_seconds
from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.words import plural, seconds, share, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Arrivals
    from workloadlab.reporting.workload.place import Place

__all__ = ["FamilyCurve", "GapCurve", "plot_gaps"]

FIT_POINTS = 100
FEW_POINTS = 20
"""A curve of fewer points has its points marked, so that one alone can be seen."""

CLOSE_TO_ONE = (0.9, 1.1)


@dataclass(frozen=True)
class FamilyCurve:
    """A family fitted to the gaps.

    Attributes:
        ks: largest difference between its shares and those of the gaps.
        points: (gap, share of gaps at least as long) pairs.
    """

    family: str
    ks: float
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class GapCurve:
    """Share of the gaps at least as long, by gap in seconds.

    Attributes:
        mean_s: of the gaps; that of the exponential to compare with.
    """

    kind: ClassVar = "gaps"

    points: tuple[tuple[float, ...], ...]
    mean_s: float
    fit: FamilyCurve | None

    def draw(self) -> Figure:
        """Draw the gaps, the exponential and the fit on logarithmic axes."""
        figure, axes = canvas()
        gaps, shares = np.array(self.points).T
        positive = shares > 0
        lowest = shares[positive].min() / 2
        low = gaps[shares >= min(0.97, shares[0])][-1]
        high = max(gaps[-1], self.mean_s * -np.log(lowest))
        grid = np.geomspace(low, high, 200)
        axes.plot(grid, np.exp(-grid / self.mean_s), color=MUTED, linewidth=1.2, dashes=(4, 2))
        if self.fit:
            fitted, above = np.array(self.fit.points).T
            axes.plot(fitted[above > 0], above[above > 0], **series(1))
        marker = "o" if len(gaps) < FEW_POINTS else None
        axes.plot(gaps[positive], shares[positive], marker=marker, markersize=4, **series(0))
        log_axis(axes.xaxis, low, high, tick_seconds)
        log_axis(axes.yaxis, lowest, 1.3, percent)
        axes.set_xlabel("gap")
        axes.set_ylabel("gaps at least as long")
        return figure


def plot_gaps(arrivals: Arrivals, place: Place) -> Plot:
    """Say how long the gaps are, and how regular beside exponential ones."""
    gaps, best = arrivals.iat_s, _best_fit(arrivals)
    said = _reading(arrivals)
    if best:
        said += f" Of the families tried {best.family} fits best, within {share(best.ks)}."
    return Plot(
        id=place.id("gaps"),
        title="Gaps between arrivals",
        reading=said,
        definition="Share of the gaps that are at least as long, both axes logarithmic; gaps of 0 "
        "count but cannot be drawn. Exponential with the same mean, which Poisson arrivals have. "
        "Best family by AIC; within: the largest difference of the shares (Kolmogorov-Smirnov).",
        n=plural(gaps.n, "gap"),
        drawing=GapCurve(
            points=tuple(point for point in arrivals.iat_ccdf if point[0] > 0),
            mean_s=gaps.mean,
            fit=best,
        ),
        legend=(
            Key("gaps", 0),
            *([Key(f"{best.family} fit", 1)] if best else []),
            Key("exponential", REFERENCE),
        ),
    )


def _reading(arrivals: Arrivals) -> str:
    gaps, windowed = arrivals.iat_s, arrivals.windowed_iat_cv["60"].p50
    if gaps.sd is None:
        return f"The one gap is {seconds(gaps.mean)}."
    said = f"Half of the gaps are under {seconds(gaps.p50)}, 1% over {seconds(gaps.p99)}. "
    if gaps.p50 == 0:
        said = f"Half of the gaps are 0 and 1% are over {seconds(gaps.p99)}. "
    if gaps.cv is None:
        return said + "The clock is too coarse for their variation to mean anything."
    said += f"Their CV is {three(gaps.cv)}, {_beside_exponential(gaps.cv)}"
    if windowed is not None:
        said += (
            f"; inside windows of 60 s, with less time for the rate to change, {three(windowed)}"
        )
    return f"{said}."


def _beside_exponential(cv: float) -> str:
    if cv < CLOSE_TO_ONE[0]:
        return "more regular than exponential gaps (1)"
    return f"{'close to' if cv <= CLOSE_TO_ONE[1] else 'burstier than'} exponential gaps (1)"


def _best_fit(arrivals: Arrivals) -> FamilyCurve | None:
    """Return the best family that is not the exponential, with a curve of it."""
    gaps = [gap for gap, _ in arrivals.iat_ccdf if gap > 0]
    if not arrivals.fits or arrivals.fits[0].family == "exponential":
        return None
    best = arrivals.fits[0]
    family = FAMILIES[best.family]
    grid = np.geomspace(gaps[0], gaps[-1], FIT_POINTS)
    above = family.survival(grid, np.array([best.params[name] for name in family.names]))
    above *= best.rows / arrivals.iat_s.n
    return FamilyCurve(
        family=best.family.replace("_", " "),
        ks=best.ks,
        points=tuple(
            (float(f"{gap:.6g}"), float(f"{part:.6g}"))
            for gap, part in zip(grid, above, strict=True)
        ),
    )
