"""The time until a block is used again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.reporting.canvas import (
    LEAST_SHARE,
    STEPS_BELOW,
    canvas,
    log_axis,
    series,
    share_axis,
    tick_seconds,
)
from workloadlab.reporting.facts import Plot
from workloadlab.words import plural, seconds, sentence, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Prefix
    from workloadlab.reporting.workload.place import Place

__all__ = ["ReuseCurve", "plot_reuse"]


@dataclass(frozen=True)
class ReuseCurve:
    """(seconds since the last use, share of the reuses within) pairs."""

    kind: ClassVar = "reuse"

    points: tuple[tuple[float, ...], ...]

    def draw(self) -> Figure:
        """Draw the curve over a logarithmic axis of times."""
        figure, axes = canvas()
        times, shares = np.array(self.points, dtype=np.float64).T
        positive = times > 0
        at_zero = shares[~positive][-1] if not positive.all() else 0.0
        times, shares = times[positive], shares[positive]
        stairs = "steps-post" if len(times) < STEPS_BELOW else "default"
        axes.plot(
            np.append(times[0], times), np.append(at_zero, shares), drawstyle=stairs, **series(0)
        )
        low = times[np.searchsorted(shares, min(LEAST_SHARE, shares[-1]))]
        log_axis(axes.xaxis, low / 1.2, times[-1] * 1.2, tick_seconds)
        share_axis(axes)
        axes.set_xlabel("since the last use")
        axes.set_ylabel("reuses within")
        return figure


def plot_reuse(prefix: Prefix, place: Place) -> Plot:
    """Say how long a block must be kept to be used again."""
    title, plot_id = "Time until a block is used again", place.id("reuse")
    reuse = prefix.reuse_time_s
    if isinstance(reuse, Unsupported):
        return Plot(id=plot_id, title=title, reading=sentence(reuse.unsupported))
    if not reuse.max:
        why = "Every reuse is at the moment of the use before it."
        return Plot(id=plot_id, title=title, reading=why)
    soon, later = reuse.within_60_s, reuse.within_600_s
    half = f"come within {seconds(reuse.p50)}" if reuse.p50 else "take no time at all"
    said = (
        f"Half of the reuses {half}, nine tenths within {seconds(reuse.p90)}. Blocks kept for 60 s "
        f"after their last use would give {share(soon)} of all hits"
    )
    if later > soon:
        said += f", for 10 minutes {share(later)}"
    return Plot(
        id=plot_id,
        title=title,
        reading=f"{said}.",
        definition="Share of the uses of a block, first ones left out, that come within that time "
        "of its last use (cumulative; logarithmic axis, on which a time of 0 cannot be drawn).",
        n=plural(reuse.n, "reuse"),
        drawing=ReuseCurve(reuse.cdf),
    )
