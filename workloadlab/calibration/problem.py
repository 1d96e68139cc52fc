"""The distance between a log and its simulation, as residuals that an optimizer can follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.calibration.observed import tpot
from workloadlab.calibration.until_cut import steps_until
from workloadlab.simulation.engine.run import Retold
from workloadlab.simulation.recording import Recorder

if TYPE_CHECKING:
    from workloadlab.calibration.observed import Observed
    from workloadlab.calibration.parameters import Parameters
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.outcome import Outcome

__all__ = ["LATENCIES", "Problem", "Simulated"]

Floats = Any

LATENCIES = ("ttft_s", "tpot_s", "e2e_s")
"""Timings that are compared, by the names that `Observed` and `Simulated` share."""

_WINDOW = 25
"""Requests whose mean is compared as one."""
_RECORDED = 1024
"""Steps between two visits of a recorder."""
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
        router: the one that places requests where a lane has several instances.
        parameters: those that move.
        scored: requests that the residuals are about.
        continued: traffic went on after the log's last request.
        kv_blocks: KV blocks per instance instead of the cluster's.
    """

    observed: Observed
    cluster: Cluster
    router: Router
    parameters: Parameters
    scored: Floats
    continued: bool = False
    kv_blocks: int | None = None

    def simulate(self, shares: Floats, *, noise: float = 0.0, seed: int = 0) -> Simulated:
        """Replay every lane with the model that the shares mean.

        Args:
            shares: of the parameters.
            noise: `Pool.step_noise` of the engine.
            seed: of that noise.
        """
        latency = self.parameters.trial(shares)
        outside_s = self.parameters.request_overhead_s(shares, self.cluster.request_overhead_s)
        lanes = self._noiseless if noise == seed == 0 else self._lanes(noise, seed)
        arrival, first, end, preemptions = [], [], [], []
        for number, (lane, served) in enumerate(zip(self.observed.lanes, lanes, strict=True)):
            recorder = Recorder(steps=served.recorded_steps > 0, room=_RECORDED)
            outcome = served.replay(latency, outside_s, recorder)
            arrival.append(outcome.arrival_s[: len(lane.stopped)])
            first.append(outcome.first_token_s[: len(lane.stopped)])
            end.append(outcome.end_s[: len(lane.stopped)])
            preemptions.append(outcome.preemptions[: len(lane.stopped)])
            if recorder.steps:
                end[-1] = self._ends_at_cut(number, outcome, recorder.step_records)
        arrival_s, first_s, end_s = (np.concatenate(each) for each in (arrival, first, end))
        return Simulated(
            first_s - arrival_s,
            tpot(first_s, end_s, self.observed.output_tokens),
            end_s - arrival_s,
            np.concatenate(preemptions),
        )

    def _ends_at_cut(self, lane: int, outcome: Outcome, steps: Floats) -> Floats:
        """Return ends at which requests that outlive a cut have the tokens that they had by then.

        The simulation goes on as fast as between the log's first token and the cut.
        """
        rows = self.observed.lane == lane
        first_s, until_s = self.observed.first_s[rows], self.observed.until_s[rows]
        cut = np.isfinite(until_s)
        taken = steps_until(steps, outcome.instance[cut], first_s[cut], until_s[cut])
        wanted = self.observed.output_tokens[rows][cut] - 1
        end_s = outcome.end_s.copy()
        end_s[cut] = outcome.first_token_s[cut] + (until_s - first_s)[cut] * wanted / np.maximum(
            taken, 1.0
        )
        return end_s

    @cached_property
    def _recorded_steps(self) -> int:
        return _RECORDED if np.isfinite(self.observed.until_s).any() else 0

    def _lanes(self, noise: float, seed: int) -> list[Retold]:
        """Lay out the lanes; what moves is told to each replay."""
        latency = self.parameters.trial(np.ones(len(self.parameters.names)))
        pool = replace(self.cluster.pools[0], latency=latency, step_noise=noise)
        if self.kv_blocks is not None:
            pool = replace(pool, kv_blocks=self.kv_blocks)
        return [
            Retold(
                lane.continued if self.continued else lane.stopped,
                replace(self.cluster, pools=(replace(pool, instances=lane.instances),)),
                self.router,
                seed * len(self.observed.lanes) + number,
                self._recorded_steps,
            )
            for number, lane in enumerate(self.observed.lanes)
        ]

    @cached_property
    def _noiseless(self) -> list[Retold]:
        return self._lanes(0.0, 0)

    @cached_property
    def _order(self) -> Floats:
        """Scored requests by arrival, one log after the other."""
        rows = np.flatnonzero(self.scored)
        return rows[np.lexsort((self.observed.arrival_s[rows], self.observed.log[rows]))]

    @cached_property
    def _timings(self) -> tuple[tuple[str, Floats, Floats, Floats], ...]:
        """Per latency: its name, the requests by arrival that have it, and starts of windows."""
        kinds = []
        for name in LATENCIES:
            truth = getattr(self.observed, name)[self._order]
            use = np.isfinite(truth) & (truth > 0)
            rows = self._order[use]
            starts = [
                np.flatnonzero(self.observed.log[rows] == log)[:1] + _window_starts(count)
                for log, count in enumerate(np.bincount(self.observed.log[rows]))
                if count
            ]
            kinds.append((name, rows, truth[use], np.concatenate(starts)))
        return tuple(kinds)

    @cached_property
    def groups(self) -> Floats:
        """Which kind of residual each one is: TTFT, TPOT, and window means of TTFT, TPOT, e2e."""
        requests = [np.full(len(rows), i) for i, (_, rows, _, _) in enumerate(self._timings[:2])]
        windows = [np.full(len(starts), 2 + i) for i, (*_, starts) in enumerate(self._timings)]
        return np.concatenate([*requests, *windows])

    @cached_property
    def balance(self) -> Floats:
        """Weight of each residual within its kind: every log counts the same, on average 1."""
        logs = self.observed.log
        requests = [logs[rows] for _, rows, _, _ in self._timings[:2]]
        windows = [logs[rows[starts]] for _, rows, _, starts in self._timings]
        weights = []
        for log in (*requests, *windows):
            count = np.bincount(log)
            weights.append(len(log) / ((count > 0).sum() * count[log]))
        return np.concatenate(weights)

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
        return self.distance(self.simulate(shares), self.observed)

    def distance(self, simulated: Simulated, served: Observed | Simulated) -> Floats:
        """Residuals of a simulation against the log, or against another simulation of it."""
        requests, windows = [], []
        for name, rows, _, starts in self._timings:
            ours, truth = getattr(simulated, name)[rows], getattr(served, name)[rows]
            truth = np.where(np.isfinite(truth) & (truth > 0), truth, 1.0)
            ours = np.where(np.isfinite(ours) & (ours > 0), ours, truth * np.exp(_FAR))
            if name != "e2e_s":
                requests.append(np.log(ours / truth))
            sums = np.add.reduceat(ours, starts) / np.add.reduceat(truth, starts)
            windows.append(np.log(sums))
        return np.clip(np.concatenate([*requests, *windows]), -_FAR, _FAR)


def _window_starts(count: int) -> Floats:
    size = max(5, min(_WINDOW, count // 8))
    return np.arange(0, max(count - size + 1, 1), size)
