"""What evolution found for all loads or for one, where it is safe; elsewhere the best heuristic."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.learning.cells import play
from workloadlab.learning.es import evolve
from workloadlab.learning.objective import TAILS, log_ratios
from workloadlab.learning.seeds import MARGIN, Trained, all_seeds, compared_words
from workloadlab.routing.learned.artefact import BANDS, HEURISTIC, LearnedRouter
from workloadlab.routing.learned.bands import can_be_banded
from workloadlab.simulation.saturation import saturation_rps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.learning.found import Found, RunFolder
    from workloadlab.learning.problem import Problem
    from workloadlab.simulation.metrics import Metrics

__all__ = ["auto", "harmless", "is_safe"]

LESS_E2E = 0.01
"""What every seed must reach on the selection block, over its cells: 1 % less mean e2e."""

WORSE_E2E = 0.01
"""By how much mean e2e may be more in any cell of the training or the selection block."""

WORSE_TAIL = {"ttft_p95_s": 0.10, "ttft_p99_s": 0.05}
"""By how much the tail may be longer in any of them. p95 is what p99 becomes where long prompts are
rarer: on two kinds of GPU a p99 was 10 % shorter in a block, and the p95 beside it 50 % longer."""


def auto(problem: Problem, *, seeds: int, generations: int | None, kept: RunFolder) -> Trained:
    """Train at all loads and at each, and keep what is safe; elsewhere the best heuristic of that load.

    Heuristics that keep a memory of their own cannot stand beside others in one router, and are left
    out of the bands; the whole must still beat the best single heuristic, those included. So must what
    was learned at all loads, or at one and is used at all, which has no bands to change between. The p95
    of TTFT is a tail here too, in training and in every check.
    """
    problem = replace(problem, tails=(*TAILS, "ttft_p95_s"))
    learn = partial(_learned, seeds=seeds, generations=generations)
    several = len(problem.loads) > 1
    whole = learn(problem, kept.inside("all-loads")) if several else None
    members, said = [], []
    for k, load in enumerate(problem.loads):
        band = problem.at_load(load, can_be_banded)
        rival = band.rival.policy.name
        if member := learn(band, kept.inside(f"load-{k}")):
            members.append(member)
            said.append(f"learned at load {load:g}")
        else:
            members.append(LearnedRouter(form=HEURISTIC, body={"router": rival}))
            said.append(f"{rival} at load {load:g}")
    return _judged(problem, whole, members, ", ".join(said))


def _learned(
    problem: Problem, kept: RunFolder, *, seeds: int, generations: int | None
) -> LearnedRouter | None:
    """Return the best seed that harms no cell, if all seeds are safe on the selection block."""
    found = all_seeds(evolve, problem, seeds=seeds, generations=generations, kept=kept)
    fine = harmless(problem, [one.router for one in found])
    able = [one for one, is_fine in zip(found, fine, strict=True) if is_fine]
    if not able or not is_safe(problem, found):
        return None
    return min(able, key=lambda one: one.selection).router


def is_safe(problem: Problem, found: list[Found]) -> bool:
    """Say whether every seed beats the rival on the selection block, without a longer tail in a cell."""
    played = play(
        [one.router.router() for one in found], problem.selection, threads=problem.threads
    )
    rival = problem.rival.selection
    return all(
        float(log_ratios(one, rival, "e2e_mean_s").mean()) < np.log1p(-LESS_E2E)
        and _no_cell_exceeds(WORSE_TAIL, one, rival)
        and all(a.served >= b.served for a, b in zip(one, rival, strict=True))
        for one in played
    )


def _judged(
    problem: Problem, whole: LearnedRouter | None, members: list[LearnedRouter], said: str
) -> Trained:
    """Return the bands as one router, or one that was learned for every load, if that is better.

    It must beat the best single heuristic on the selection cells, and be no worse in any cell.
    """
    facts: dict[str, Any] = {"bands": said}
    rival = problem.rival.policy.name
    learned = [one for one in members if one.form != HEURISTIC]
    if not whole and not learned and all(one.body["router"] == rival for one in members):
        return Trained(None, f"refused: {rival} is best at every load; use {rival}", facts)
    single = len({str(member.body) for member in members}) == 1
    tried = {said: members[0] if single else _in_bands(problem, members)}
    if whole:
        tried["learned at all loads"] = whole
    for load, one in zip(problem.loads, members, strict=True):
        if one.form != HEURISTIC and not single:
            tried[f"at every load what was learned at load {load:g}"] = one
    losses = problem.selection_losses(list(tried.values()))
    facts["selection_losses"] = [float(f"{loss:.4g}") for loss in losses]
    able = [
        (loss, words)
        for loss, words, fine in zip(
            losses, tried, harmless(problem, list(tried.values())), strict=True
        )
        if fine
    ]
    if not able:
        verdict = (
            f"refused: {said} is worse than {rival} in a cell of the training or the selection block, "
            f"by over {WORSE_E2E:.0%} in mean e2e, {WORSE_TAIL['ttft_p95_s']:.0%} in p95 TTFT or "
            f"{WORSE_TAIL['ttft_p99_s']:.0%} in p99 TTFT; use {rival}"
        )
        return Trained(None, verdict, facts)
    loss, words = min(able)
    if loss > -MARGIN:
        verdict = (
            f"refused: on the selection block the objective of {words} is {compared_words(loss)} that "
            f"of {rival}, and must be {MARGIN:.0%} better; use {rival}"
        )
        return Trained(None, verdict, facts)
    verdict = (
        f"{words}: on the selection block its objective is {compared_words(loss)} that of {rival}, the "
        "best heuristic"
    )
    return Trained(tried[words], verdict, facts)


def harmless(problem: Problem, routers: Sequence[LearnedRouter]) -> list[bool]:
    """Say which are no worse than the rival in any cell of the training and the selection block."""
    cells = [*problem.training, *problem.selection]
    rival = [*problem.rival.training, *problem.rival.selection]
    played = play([one.router() for one in routers], cells, threads=problem.threads)
    most = {"e2e_mean_s": WORSE_E2E, **WORSE_TAIL}
    return [_no_cell_exceeds(most, one, rival) for one in played]


def _no_cell_exceeds(
    most: dict[str, float], found: Sequence[Metrics], rival: Sequence[Metrics]
) -> bool:
    return all(
        float(log_ratios(found, rival, name).max()) <= np.log1p(worse)
        for name, worse in most.items()
    )


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
