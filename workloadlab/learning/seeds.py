"""Several searches that differ by their seed, and the best of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from workloadlab.execution import Local, workers
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.learning.found import Found, RunFolder
    from workloadlab.learning.problem import Problem
    from workloadlab.routing.learned.artefact import LearnedRouter

__all__ = ["MARGIN", "Method", "Trained", "all_seeds", "best_of_seeds", "compared_words"]

MARGIN = 0.01
"""How much lower than the rival's the loss on the selection block must be: some 1 %."""


@dataclass(frozen=True)
class Trained:
    """What a method came to.

    Attributes:
        router: that beats the rival, or None.
        verdict: which of the two, and by how much, in a sentence.
        facts: for the provenance.
    """

    router: LearnedRouter | None
    verdict: str
    facts: dict[str, Any] = field(default_factory=dict)


class Method(Protocol):
    """A way to train."""

    def __call__(
        self, problem: Problem, *, seeds: int, generations: int | None, kept: RunFolder
    ) -> Trained:
        """Train with so many seeds."""


def compared_words(loss: float) -> str:
    """Say what a loss, a mean of logarithms of ratios with penalties, means.

    Example:
        >>> [compared_words(loss) for loss in (-0.023, 0.0004, 10.0)]
        ['2.3% better than', 'as good as', 'far worse than']
    """
    change = math.expm1(loss)
    if abs(change) < 0.0005:
        return "as good as"
    if change >= 1:
        return "far worse than"
    return f"{abs(change):.1%} {'better' if change < 0 else 'worse'} than"


def all_seeds(
    search: Callable[..., Found],
    problem: Problem,
    *,
    seeds: int,
    generations: int | None,
    kept: RunFolder,
) -> list[Found]:
    """Search with every seed that has not ended before, each as a unit of the problem's engine."""
    found = {seed: one for seed in range(seeds) if (one := kept.found(seed))}
    waiting = [seed for seed in range(seeds) if seed not in found]
    work = partial(_searched, search, problem.alone() if problem.engine else problem, generations)
    engine = problem.engine or Local(workers(problem.threads))
    for _, one in engine.run(work, waiting):
        kept.keep(one)
        found[one.seed] = one
        if problem.engine:
            problem.say(f"{len(found)} of {seeds} searches have ended")
    return [found[seed] for seed in range(seeds)]


def _searched(
    search: Callable[..., Found],
    problem: Problem,
    generations: int | None,
    seed: int,
    threads: int | None,
) -> Found:
    return search(replace(problem, threads=threads), generations=generations, seed=seed)


def best_of_seeds(
    search: Callable[..., Found],
    problem: Problem,
    *,
    seeds: int,
    generations: int | None,
    kept: RunFolder,
) -> Trained:
    """Return the best of the seeds by the selection block, if it beats the rival."""
    found = all_seeds(search, problem, seeds=seeds, generations=generations, kept=kept)
    best, rival = min(found, key=lambda one: one.selection), problem.rival.policy.name
    facts = {"selection_losses": [float(f"{one.selection:.4g}") for one in found]}
    if best.selection > -MARGIN:
        verdict = (
            f"refused: on the selection block the objective of the best of {plural(seeds, 'seed')} is "
            f"{compared_words(best.selection)} that of {rival}, and must be {MARGIN:.0%} better; "
            f"use {rival}"
        )
        return Trained(None, verdict, facts)
    verdict = (
        f"beats {rival}, the best heuristic: on the selection block its objective is "
        f"{compared_words(best.selection)} that of {rival}"
    )
    return Trained(best.router, verdict, facts)
