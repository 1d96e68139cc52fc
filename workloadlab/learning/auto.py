"""By band of load the best heuristic, or what evolution found: only where it is safe."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.learning.cells import play
from workloadlab.learning.es import evolve
from workloadlab.learning.objective import log_ratios
from workloadlab.learning.seeds import MARGIN, Trained, all_seeds, compared_words
from workloadlab.routing.learned.artefact import BANDS, HEURISTIC, LearnedRouter
from workloadlab.routing.learned.bands import can_be_banded
from workloadlab.simulation.saturation import saturation_rps

if TYPE_CHECKING:
    from workloadlab.learning.found import Found, RunFolder
    from workloadlab.learning.problem import Problem

__all__ = ["auto", "is_safe"]

LESS_E2E, MORE_TTFT_P99 = 0.01, 0.05
"""What every seed must reach on the selection cells: 1 % less mean e2e, p99 TTFT at most 5 % more."""


def auto(problem: Problem, *, seeds: int, generations: int | None, kept: RunFolder) -> Trained:
    """Train at every load, and keep what is safe there; elsewhere the best heuristic of that load.

    Heuristics that keep a memory of their own cannot stand beside others in one router, and are left
    out of the bands; the whole must still beat the best single heuristic, those included.
    """
    members, said = [], []
    for k, load in enumerate(problem.loads):
        band = problem.at_load(load, can_be_banded)
        found = all_seeds(
            evolve, band, seeds=seeds, generations=generations, kept=kept.inside(f"load-{k}")
        )
        rival = band.rival.policy.name
        if is_safe(band, found):
            members.append(min(found, key=lambda one: one.selection).router)
            said.append(f"learned at load {load:g}")
        else:
            members.append(LearnedRouter(form=HEURISTIC, body={"router": rival}))
            said.append(f"{rival} at load {load:g}")
    return _judged(problem, members, ", ".join(said))


def is_safe(problem: Problem, found: list[Found]) -> bool:
    """Say whether every seed beats the rival on the selection cells, without a longer tail."""
    played = play(
        [one.router.router() for one in found], problem.selection, threads=problem.threads
    )
    rival = problem.rival.selection
    return all(
        float(log_ratios(one, rival, "e2e_mean_s").max()) < np.log1p(-LESS_E2E)
        and float(log_ratios(one, rival, "ttft_p99_s").max()) < np.log1p(MORE_TTFT_P99)
        and all(a.served >= b.served for a, b in zip(one, rival, strict=True))
        for one in played
    )


def _judged(problem: Problem, members: list[LearnedRouter], said: str) -> Trained:
    """Return the bands as one router if that beats the best single heuristic on the selection cells."""
    facts: dict[str, Any] = {"bands": said}
    rival = problem.rival.policy.name
    single = len({str(member.body) for member in members}) == 1
    router = members[0] if single else _in_bands(problem, members)
    if single and router.form == HEURISTIC and router.body["router"] == rival:
        return Trained(None, f"refused: {rival} is best at every load; use {rival}", facts)
    [loss] = problem.selection_losses([router])
    facts["selection_losses"] = [float(f"{loss:.4g}")]
    if loss > -MARGIN:
        verdict = (
            f"refused: on the selection block the objective of {said} is {compared_words(loss)} that of "
            f"{rival}, and must be {MARGIN:.0%} better; use {rival}"
        )
        return Trained(None, verdict, facts)
    verdict = (
        f"{said}: on the selection block its objective is {compared_words(loss)} that of {rival}, the "
        "best heuristic"
    )
    return Trained(router, verdict, facts)


def _in_bands(problem: Problem, members: list[LearnedRouter]) -> LearnedRouter:
    order = np.argsort(problem.loads)
    loads = [problem.loads[k] for k in order]
    cell = problem.selection[0]
    speeds = sum(
        pool.instances * speed
        for pool, speed in zip(problem.cluster.pools, problem.cluster.relative_speeds, strict=True)
    )
    body = {
        "saturation_rps": saturation_rps(cell.workload, problem.cluster) / speeds,
        "edges": [(low + high) / 2 for low, high in pairwise(loads)],
        "members": [members[k].to_dict() for k in order],
    }
    return LearnedRouter(form=BANDS, body=body)
