"""Whether sessions go on, turn by turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.reporting.canvas import MUTED, canvas, series, share_axis
from workloadlab.reporting.facts import BAND, Key, Plot
from workloadlab.reporting.workload.sessions.turns import turn_axis
from workloadlab.words import plural, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Sessions
    from workloadlab.reporting.workload.place import Place

__all__ = ["Continuation", "plot_hazard", "wilson"]

Z = 1.959963984540054
ENOUGH_SESSIONS = 30


@dataclass(frozen=True)
class Continuation:
    """(turn, share of sessions that go on, lower and upper end of its interval) points."""

    kind: ClassVar = "hazard"

    points: tuple[tuple[int, float, float, float], ...]

    def draw(self) -> Figure:
        """Draw the shares as a line inside the band of their intervals."""
        figure, axes = canvas()
        turns, shares, low, high = np.array(self.points).T
        axes.fill_between(turns, low, high, color=MUTED, alpha=0.18, linewidth=0)
        axes.plot(turns, shares, marker="o", markersize=4, **series(0))
        turn_axis(axes, turns)
        share_axis(axes)
        axes.set_ylabel("sessions that go on")
        return figure


def plot_hazard(sessions: Sessions, place: Place) -> Plot:
    """Say whether a session is likelier to go on the longer it is."""
    title, plot_id = "Sessions that go on", place.id("hazard")
    if sessions.turns.max < 2:
        return Plot(id=plot_id, title=title, reading="Every session has one request.")
    return Plot(
        id=plot_id,
        title=title,
        reading=_reading(sessions),
        definition="Of the sessions that reach a turn, the share that has a further one, turns "
        "numbered by arrival. Sessions still going when the trace ends count as ended, which draws "
        "the curve down. Band: Wilson's 95% interval.",
        n=f"{plural(sessions.count, 'session')}, {plural(sessions.requests, 'request')}"
        + (f"; {sessions.missing:,} without a session" if sessions.missing else ""),
        drawing=Continuation(
            tuple(
                (at.turn, at.probability, *wilson(at.probability, at.reached))
                for at in sessions.hazard
            )
        ),
        legend=(Key("goes on after that turn", 0), Key("95% interval", BAND)),
    )


def wilson(part: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share `part` seen in `n` trials.

    Example:
        >>> [round(end, 3) for end in wilson(0.5, 10)]
        [0.237, 0.763]
    """
    middle = (part + Z * Z / (2 * n)) / (1 + Z * Z / n)
    reach = Z / (1 + Z * Z / n) * (part * (1 - part) / n + Z * Z / (4 * n * n)) ** 0.5
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _reading(sessions: Sessions) -> str:
    hazard = sessions.hazard
    later = max(i for i, at in enumerate(hazard) if i == 0 or at.reached >= ENOUGH_SESSIONS)
    first, last = hazard[0], hazard[later]
    said = f"{share(first.probability)} of the sessions send a second request"
    if later:
        said += (
            f"; of the {last.reached:,} that reach turn {last.turn}, "
            f"{share(last.probability)} go on"
        )
        first_low, first_high = wilson(first.probability, first.reached)
        low, high = wilson(last.probability, last.reached)
        if low > first_high:
            said += ": the longer a session is, the likelier it goes on"
        elif high < first_low:
            said += ": the longer a session is, the likelier it ends"
        else:
            said += ", no further from the first than chance may take it"
    return f"{said}."
