"""The distance between a log and its simulation, as residuals that an optimizer can follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.calibration.observed import tpot
from workloadlab.simulation.engine import replay_lane

if TYPE_CHECKING:
    from workloadlab.calibration.observed import Observed
    from workloadlab.calibration.parameters import Parameters
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster

__all__ = ["Problem", "Simulated"]

Floats = Any

_WINDOW = 25
"""Requests whose mean is compared as one."""
_FAR = 3.0
"""Log ratio that stands for a request which the simulation rejects, and the largest of any."""


@dataclass(frozen=True)
class Simulated:
    """Timings of the observed requests in a simulation, NaN where rejected, and preemptions."""

    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats
    preemptions: Floats


@dataclass(frozen=True)
class Problem:
    """One log, one cluster, one assumption about what came after the log.

    Attributes:
        observed: the log.
        cluster: its engine limits; the latency model is replaced.
        router: what places requests where a lane has several instances.
        parameters: what moves.
        scored: requests that the residuals are about.
        continued: whether traffic went on after the log's last request.
        kv_blocks: KV blocks per instance instead of the cluster's.
    """

    observed: Observed
    cluster: Cluster
    router: Router
    parameters: Parameters
    scored: Floats
    continued: bool = False
    kv_blocks: int | None = None

    def simulate(self, shares: Floats) -> Simulated:
        """Replay every lane with the model that the shares mean."""
        pool = replace(self.cluster.pools[0], latency=self.parameters.trial(shares))
        if self.kv_blocks is not None:
            pool = replace(pool, kv_blocks=self.kv_blocks)
        first, end, preemptions = [], [], []
        for lane in self.observed.lanes:
            served = replace(self.cluster, pools=(replace(pool, instances=lane.instances),))
            workload = lane.continued if self.continued else lane.stopped
            outcome = replay_lane(workload, served, self.router, 0)
            first.append(outcome.first_token_s[: len(lane.stopped)])
            end.append(outcome.end_s[: len(lane.stopped)])
            preemptions.append(outcome.preemptions[: len(lane.stopped)])
        first_s, end_s = np.concatenate(first), np.concatenate(end)
        arrival_s = self.observed.arrival_s
        return Simulated(
            first_s - arrival_s,
            tpot(first_s, end_s, self.observed.output_tokens),
            end_s - arrival_s,
            np.concatenate(preemptions),
        )

    @cached_property
    def _order(self) -> Floats:
        """Scored requests by arrival."""
        rows = np.flatnonzero(self.scored)
        return rows[np.argsort(self.observed.arrival_s[rows], kind="stable")]

    @cached_property
    def _timings(self) -> tuple[tuple[str, Floats, Floats, Floats], ...]:
        """Per latency: its name, the requests by arrival that have it, and starts of windows."""
        kinds = []
        for name in ("ttft_s", "tpot_s", "e2e_s"):
            truth = getattr(self.observed, name)[self._order]
            use = np.isfinite(truth) & (truth > 0)
            rows = self._order[use]
            size = max(5, min(_WINDOW, len(rows) // 8))
            starts = np.arange(0, max(len(rows) - size + 1, 1), size)
            kinds.append((name, rows, truth[use], starts))
        return tuple(kinds)

    @cached_property
    def groups(self) -> Floats:
        """Which kind of residual each one is: TTFT, TPOT, and window means of TTFT, TPOT, e2e."""
        requests = [np.full(len(rows), i) for i, (_, rows, _, _) in enumerate(self._timings[:2])]
        windows = [np.full(len(starts), 2 + i) for i, (*_, starts) in enumerate(self._timings)]
        return np.concatenate([*requests, *windows])

    @cached_property
    def moments(self) -> Floats:
        """Position in the log of each residual, from 0 to 1: blocks of the bootstrap cut here."""
        place = np.empty(len(self.observed))
        place[self._order] = np.arange(len(self._order)) / max(len(self._order), 1)
        requests = [place[rows] for _, rows, _, _ in self._timings[:2]]
        windows = [place[rows[starts]] for _, rows, _, starts in self._timings]
        return np.concatenate([*requests, *windows])

    def residuals(self, shares: Floats) -> Floats:
        """Log ratios simulated/observed, request by request and for means of windows."""
        simulated = self.simulate(shares)
        requests, windows = [], []
        for name, rows, truth, starts in self._timings:
            ours = getattr(simulated, name)[rows]
            ours = np.where(np.isfinite(ours) & (ours > 0), ours, truth * np.exp(_FAR))
            if name != "e2e_s":
                requests.append(np.log(ours / truth))
            sums = np.add.reduceat(ours, starts) / np.add.reduceat(truth, starts)
            windows.append(np.log(sums))
        return np.clip(np.concatenate([*requests, *windows]), -_FAR, _FAR)
