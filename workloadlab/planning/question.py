"""One question, whether a pool of n instances holds these requests at this service level."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workloadlab.errors import ContradictionWarning, ExtrapolationWarning
from workloadlab.scoring import score
from workloadlab.scoring.timings import read_timings
from workloadlab.simulation import Cluster, replay

if TYPE_CHECKING:
    from workloadlab.routing import Router
    from workloadlab.scoring import SLO
    from workloadlab.trace import Runs, Trace

__all__ = ["Question", "Trial"]


PLENTY = 8
"""Times the most instances that a search tried before it gave up: nobody waits there."""


@dataclass(frozen=True)
class Trial:
    """One replay.

    Attributes:
        instances: of the pool that is planned.
        met: share of the requests that meet every target.
        low, high: its 95 % interval.
        steady: whether nothing says that the backlog grows.
        untold: why it cannot be told whether the load is held, as a clause; "" where it can.
    """

    instances: int
    met: float
    low: float
    high: float
    steady: bool
    untold: str = ""


@dataclass(frozen=True)
class Question:
    """Requests, a cluster, a router and targets, at one rate.

    Attributes:
        trace: what is replayed; warm-up requests load the instances and are not judged.
        cluster: on what, but for the number of instances of one pool.
        pool: index of that pool.
        router: who places the requests.
        slo: targets.
        rate_scale: arrival rate relative to the trace.
        slower: factor on the time of every step, for a latency model that is wrong by so much.
        trials: answers so far, by number of instances.
    """

    trace: Trace
    cluster: Cluster
    pool: int
    router: Router
    slo: SLO
    rate_scale: float = 1.0
    slower: float = 1.0
    trials: dict[int, Trial] = field(default_factory=dict)

    def trial(self, instances: int) -> Trial:
        """Replay with so many instances, once.

        Steps that take twice as long, overhead and all, do to requests what arrivals twice as fast and
        targets half as long do, in a clock of half the speed.
        """
        if instances not in self.trials:
            runs = self._replayed(instances)
            run = score(runs, slo=self.slo.scaled(1 / self.slower)).runs[0]
            found = run.intervals["slo_attainment"]
            met = run.slo_attainment or 0.0
            self.trials[instances] = Trial(
                instances,
                met,
                met if found.low is None else found.low,
                met if found.high is None else found.high,
                run.steady,
                run.untold,
            )
        return self.trials[instances]

    def reached(self, share: float) -> dict[str, float]:
        """Return the least targets that a share meets where instances are plenty."""
        runs = self._replayed(PLENTY * max(self.trials))
        return self.slo.reached(read_timings(runs.traces[0]), share)

    def untold(self, instances: int | None) -> str:
        """Say why so many instances may or may not hold the load, as a clause; "" where it is told."""
        return self.trial(instances).untold if instances else ""

    def at(self, *, rate_scale: float = 1.0, slower: float = 1.0) -> Question:
        """Return the same question at another rate, or for a slower engine."""
        return replace(self, rate_scale=rate_scale, slower=slower, trials={})

    def _replayed(self, instances: int) -> Runs:
        with warnings.catch_warnings():
            # A plan asks about other clusters than the one that served the log, at other loads.
            for kind in (ContradictionWarning, ExtrapolationWarning):
                warnings.simplefilter("ignore", kind)
            return replay(
                self.trace,
                self._of(instances),
                routers=[self.router],
                rate_scale=self.rate_scale * self.slower,
                threads=1,
            )

    def _of(self, instances: int) -> Cluster:
        pools = list(self.cluster.pools)
        pools[self.pool] = replace(pools[self.pool], instances=instances)
        return replace(self.cluster, pools=tuple(pools))
