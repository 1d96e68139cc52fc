"""The rival of every learned router: the best heuristic of the whole shelf, chosen before the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.learning.cells import play
from workloadlab.learning.objective import log_ratios, loss
from workloadlab.routing import compatible_routers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workloadlab.learning.cells import Cell
    from workloadlab.routing import Router
    from workloadlab.simulation.metrics import Metrics
    from workloadlab.trace import Trace

__all__ = ["BASE", "Played", "Rival", "candidates", "play_shelf"]

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


@dataclass(frozen=True)
class Played:
    """Every heuristic in every cell of the training and the selection block."""

    policies: list[Router]
    training: list[list[Metrics]]
    selection: list[list[Metrics]]

    def best(
        self, weights: dict[str, float], among: Callable[[Router], bool] = lambda _: True
    ) -> Rival:
        """Return the best by the objective, over the training and the selection cells together.

        Both, because one block alone picks the wrong one more often: its regret to the best in
        hindsight is then twice as large.

        Args:
            weights: of the logarithms of metrics.
            among: says which may be chosen.
        """
        whole = [a + b for a, b in zip(self.training, self.selection, strict=True)]
        base = whole[[policy.name for policy in self.policies].index(BASE)]
        scores = [
            _score(found, base, weights) if among(policy) else np.inf
            for policy, found in zip(self.policies, whole, strict=True)
        ]
        k = int(np.argmin(scores))
        return Rival(self.policies[k], self.training[k], self.selection[k])

    def closest(
        self, other: Router, weights: dict[str, float], among: Callable[[Router], bool]
    ) -> Rival:
        """Return the router with the lowest loss to another one of these, over all cells.

        Args:
            other: what is to be beaten.
            weights: of the logarithms of metrics.
            among: says which may be chosen.
        """
        whole = [a + b for a, b in zip(self.training, self.selection, strict=True)]
        rival = whole[[policy.name for policy in self.policies].index(other.name)]
        losses = [
            loss(found, rival, weights) if among(policy) else np.inf
            for policy, found in zip(self.policies, whole, strict=True)
        ]
        k = int(np.argmin(losses))
        return Rival(self.policies[k], self.training[k], self.selection[k])

    def at(self, training: Sequence[int], selection: Sequence[int]) -> Played:
        """Return the same in some of the cells, by their places."""
        return Played(
            self.policies,
            [[found[k] for k in training] for found in self.training],
            [[found[k] for k in selection] for found in self.selection],
        )


def candidates(trace: Trace, *, prefix_caching: bool) -> list[Router]:
    """Return the routers of the shelf that the trace can serve, those that know the truth left out."""
    able, _ = compatible_routers(trace, prefix_caching=prefix_caching)
    return [policy for policy in able if "oracle" not in policy.needs]


def play_shelf(
    policies: Sequence[Router],
    training: Sequence[Cell],
    selection: Sequence[Cell],
    *,
    threads: int | None = None,
) -> Played:
    """Play every router in every cell."""
    found = play(policies, [*training, *selection], threads=threads)
    split = len(training)
    return Played(list(policies), [one[:split] for one in found], [one[split:] for one in found])


def _score(found: Sequence[Metrics], base: Sequence[Metrics], weights: dict[str, float]) -> float:
    ratios = sum(weight * log_ratios(found, base, name) for name, weight in weights.items())
    served = all(one.served >= other.served for one, other in zip(found, base, strict=True))
    return float(np.mean(ratios)) if served and np.isfinite(ratios).all() else np.inf
