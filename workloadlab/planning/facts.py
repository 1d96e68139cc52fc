"""What a plan holds: a router, a window of the trace, and a change, each with what it needs."""

from __future__ import annotations

from dataclasses import dataclass

from workloadlab.planning.question import Trial  # noqa: TC001  a plan is built from JSON by its types

__all__ = ["HourPlan", "RouterPlan", "WhatIf"]


@dataclass(frozen=True)
class RouterPlan:
    """What one router needs at the peak.

    Attributes:
        router: its name.
        instances: least number that holds the peak; None if no number does.
        low, high: least numbers at which the upper and the lower end of the attainment's interval
            reach the goal; None if no number does.
        trials: every number that was tried, ascending.
    """

    router: str
    instances: int | None
    low: int | None
    high: int | None
    trials: tuple[Trial, ...]

    def trial(self, instances: int) -> Trial | None:
        """Return what was found with so many instances; None if that was not tried."""
        return next((each for each in self.trials if each.instances == instances), None)

    @property
    def untold(self) -> str:
        """Why it cannot be told whether its least number holds the peak; "" where it can."""
        trial = self.trial(self.instances) if self.instances else None
        return trial.untold if trial else ""


@dataclass(frozen=True)
class HourPlan:
    """What one window of the trace needs.

    Attributes:
        start_s: since the first arrival.
        length_s: of the window.
        requests: that arrive in it.
        rate_rps: arrivals per second.
        instances: least number that holds it; None if no number does.
        met, met_with_fewer: share of its requests that meet the targets, with so many and with one
            fewer; None where that was not tried.
        untold: why it cannot be told whether so many hold it, as a clause; "" where it can.
    """

    start_s: float
    length_s: float
    requests: int
    rate_rps: float
    instances: int | None
    met: float | None = None
    met_with_fewer: float | None = None
    untold: str = ""


@dataclass(frozen=True)
class WhatIf:
    """What the peak needs if something differs.

    Attributes:
        change: in words.
        factor: on the arrival rate, or on the time of every step.
        instances: least number that holds it; None if no number does.
        untold: why it cannot be told whether so many hold it, as a clause; "" where it can.
    """

    change: str
    factor: float
    instances: int | None
    untold: str = ""
