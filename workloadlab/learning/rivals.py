"""The rival of every learned router: the best heuristic of the whole shelf, chosen before the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.learning.cells import play
from workloadlab.learning.objective import log_ratios
from workloadlab.routing import compatible_routers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.learning.cells import Cell
    from workloadlab.routing import Router
    from workloadlab.simulation.metrics import Metrics
    from workloadlab.trace import Trace

__all__ = ["BASE", "Rival", "candidates", "choose_rival"]

BASE = "least_requests"
"""What candidates are compared with, metric by metric."""


@dataclass(frozen=True)
class Rival:
    """The heuristic to beat.

    Attributes:
        policy: of the shelf, with its own parameters.
        training, selection: what it comes to in the cells of the two blocks.
    """

    policy: Router
    training: list[Metrics]
    selection: list[Metrics]


def candidates(trace: Trace, *, prefix_caching: bool) -> list[Router]:
    """Return the routers of the shelf that the trace can serve, those that know the truth left out."""
    able, _ = compatible_routers(trace, prefix_caching=prefix_caching)
    return [policy for policy in able if "oracle" not in policy.needs]


def choose_rival(
    policies: Sequence[Router],
    training: Sequence[Cell],
    selection: Sequence[Cell],
    weights: dict[str, float],
    *,
    threads: int | None = None,
) -> Rival:
    """Return the best router by the objective, over the training and the selection cells together.

    Both, because one block alone picks the wrong one more often: its regret to the best in hindsight is
    then twice as large.
    """
    cells = [*training, *selection]
    found = play(policies, cells, threads=threads)
    base = found[[policy.name for policy in policies].index(BASE)]
    scores = [_score(one, base, weights) for one in found]
    best = int(np.argmin(scores))
    mine = found[best]
    return Rival(policies[best], mine[: len(training)], mine[len(training) :])


def _score(found: Sequence[Metrics], base: Sequence[Metrics], weights: dict[str, float]) -> float:
    ratios = sum(weight * log_ratios(found, base, name) for name, weight in weights.items())
    served = all(one.served >= other.served for one, other in zip(found, base, strict=True))
    return float(np.mean(ratios)) if served and np.isfinite(ratios).all() else np.inf
