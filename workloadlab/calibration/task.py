"""The searches that one calibration needs: which assumptions, which half, from where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.calibration.optimizer import Fit, Target, search, silent
from workloadlab.calibration.parameters import from_scratch, from_start
from workloadlab.calibration.problem import Problem
from workloadlab.calibration.reconstruction import reconstruct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.calibration.observed import Observed
    from workloadlab.latency import LatencyModel
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster

__all__ = ["CUTS", "Found", "Task", "first_part", "target_of"]

Floats = Any

CUTS = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Shares of a log that are fitted, to judge the rest by each fit."""

_FEW = 5000
"""Below so many requests a simulation is too short to gain from threads, and many cost little."""
_CUT = 0.05
"""If more than this fraction of the requests outlive the log's last arrival, it may be cut off."""
_CLEARLY = 0.3
"""An assumption replaces the plain one if the log of the mean errors falls by this much."""
_TRIALS = 144
"""For each entry of the covariance of the parameters, which the evolution has to learn."""
_KV_REACH = (0.12, 0.05, 0.02)
"""Fractions by which the KV size is varied, one search after the other."""


@dataclass(frozen=True)
class Found:
    """A search that ended.

    Attributes:
        problem, target: the subject of the search.
        fit: where it ended.
        simulations: run for it, failed assumptions included.
        notes: assumptions made, in sentences.
    """

    problem: Problem
    target: Target
    fit: Fit
    simulations: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """Logs to explain, with the engine limits, the model to start from and extra parameters."""

    observed: Observed
    cluster: Cluster
    router: Router
    start: LatencyModel | None
    extra: tuple[str, ...] = ()

    @cached_property
    def shapes(self) -> Floats:
        """Steps that the log implies, rows of (p, x, n, c)."""
        return self._work.shapes

    @property
    def most_blocks(self) -> int:
        """KV blocks of the log's running requests at their peak."""
        return int(self._work.most_blocks)

    @cached_property
    def _work(self) -> Any:
        return reconstruct(self.observed, self.cluster.pools[0], self.observed.scored)

    def fitted(
        self,
        rows: Floats,
        *,
        continued: bool = False,
        kv_blocks: int | None = None,
        near: Found | None = None,
        trials: int = _TRIALS,
    ) -> Found:
        """Search on the timings of some of the requests; all of them are simulated.

        Args:
            rows: a mark of the requests whose timings count.
            continued: traffic went on after the log.
            kv_blocks: KV blocks instead of the cluster's.
            near: a search to start from, instead of the reconstruction; it saw no other timings.
            trials: of the evolution, for each entry of its covariance; see `search`.
        """
        pool = self.cluster.pools[0]
        scored = self.observed.scored & rows
        work = reconstruct(self.observed, pool, scored)
        parameters = (
            from_scratch(work, pool.added_overhead_s, self.extra)
            if self.start is None
            else from_start(self.start, work)
        )
        problem = Problem(
            self.observed, self.cluster, self.router, parameters, scored, continued, kv_blocks
        )
        target = target_of(problem)
        trials *= len(parameters.names) ** 2
        starts = parameters.starts
        if near is not None:
            scale = near.problem.parameters.whole / parameters.whole
            starts = tuple(scale * shares for shares in (near.fit.shares, *near.fit.others))
        if self.observed.closed:
            starts, trials = starts[:1], 0
        elif len(self.observed) >= _FEW:
            starts, trials = starts[:2], trials // 10
        fit = search(target, starts, trials=trials)
        ends = fit.ends if near is None else (*near.fit.ends, *fit.ends)
        # A parameter that no residual depends on is not known to cost anything.
        fit = replace(fit, shares=np.where(silent(fit.pair[0]), 0.0, fit.shares), ends=ends)
        return Found(problem, target, fit, fit.evaluations)

    def cuts(self, best: Found) -> Iterator[tuple[Floats, Found]]:
        """Search on the timings of a growing first part of the log, under the assumptions of the best.

        Each search starts where the one on a smaller part ended, so none has seen a later timing.

        Yields:
            A mark of the part, and the search.
        """
        found = None
        for share in CUTS:
            early = first_part(self.observed, share)
            problem = best.problem
            found = self.fitted(
                early,
                continued=problem.continued,
                kv_blocks=problem.kv_blocks,
                near=found,
                trials=0,
            )
            found = replace(found, fit=replace(found.fit, others=()))
            yield early, found

    def best(self) -> Found:
        """Search on all timings, under the assumptions about the unseen that explain them best."""
        everything = np.ones(len(self.observed), bool)
        notes: list[str] = []
        outliving = self.observed.outliving
        if self.observed.closed or outliving <= _CUT:
            best = self.fitted(everything)
            spent = best.simulations
        else:
            kinds = (True,) if self.observed.cut else (False, True)
            tried = [self.fitted(everything, continued=kind, trials=0) for kind in kinds]
            likely = min(tried, key=lambda one: one.fit.loss)
            best = self.fitted(everything, continued=likely.problem.continued, near=likely)
            spent = best.simulations + sum(one.simulations for one in tried)
            why = (
                "it is a window of a longer log" if self.observed.cut else "that explains it better"
            )
            after = "to have gone on as before" if best.problem.continued else "to have stopped"
            notes.append(
                f"{outliving:.0%} of the requests outlive the log's last arrival; traffic is taken "
                f"{after} after it, because {why}"
            )
        if self.cluster.pools[0].kv_blocks is None:
            limited = self._limited(best)
            if limited is not None:
                spent += limited.simulations
                if _clearly_better(limited, best):
                    best = limited
        return Found(best.problem, best.target, best.fit, spent, tuple(notes))

    def _limited(self, plain: Found) -> Found | None:
        """Search with as many KV blocks as the log's running requests ever held."""
        pool, work = self.cluster.pools[0], self._work
        if work.most_seqs >= 0.95 * pool.max_num_seqs or work.most_waiting < 8:
            return None
        everything = np.ones(len(self.observed), bool)
        continued = plain.problem.continued
        best = self.fitted(everything, continued=continued, kv_blocks=work.most_blocks, trials=0)
        spent = best.simulations
        for reach in _KV_REACH:
            center = best.problem.kv_blocks or 1
            sizes = sorted(
                {max(1, round(center * f)) for f in np.linspace(1 - reach, 1 + reach, 25)}
            )
            shares, target = best.fit.shares, best.target
            losses = [
                target.loss(replace(best.problem, kv_blocks=size).residuals(shares))
                for size in sizes
            ]
            size = sizes[int(np.argmin(losses))]
            found = self.fitted(
                everything,
                continued=continued,
                kv_blocks=size,
                near=best,
                trials=_TRIALS // 4 * (reach < 0.03),
            )
            spent += found.simulations + len(sizes)
            best = found if found.fit.loss < best.fit.loss else best
        return replace(best, simulations=spent)


def first_part(observed: Observed, share: float) -> Floats:
    """Mark the earliest share of the scored requests of each log.

    Args:
        observed: the logs.
        share: over 0, under 1; 0.5 marks the first half.
    """
    early = np.zeros(len(observed), bool)
    for log in range(observed.logs):
        rows = np.flatnonzero(observed.scored & (observed.log == log))
        order = rows[np.argsort(observed.arrival_s[rows], kind="stable")]
        early[order[: int(share * len(order))]] = True
    return early


def target_of(problem: Problem) -> Target:
    """Let requests count once by TTFT and once by TPOT, and windows of them half as much."""
    requests = float(problem.scored.sum())
    emphasis = requests * np.array([1.0, 1.0, 0.5, 0.5, 0.5])
    smooth = problem.observed.closed
    threads = 1 if len(problem.observed) < _FEW and not smooth else None
    return Target(
        problem.residuals, problem.groups, emphasis, problem.balance, smooth=smooth, threads=threads
    )


def _clearly_better(one: Found, other: Found) -> bool:
    margin = _CLEARLY * float(one.target.emphasis.mean())
    return one.fit.loss < other.fit.loss - margin
