"""What a request does to the others where it goes, simulated, and what routers think that it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.oracles.labels import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workloadlab.oracles.labels import Labels
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.workload import Workload

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["Agreement", "agreement", "externality"]


@dataclass(frozen=True)
class Agreement:
    """How a router's scores compare with the seconds that a placement inflicts on others.

    Attributes:
        router: whose scores.
        placements: instances of all decisions.
        correlation, rank_correlation: Pearson's and Spearman's, over all placements.
        ratio: mean score / mean seconds; 1.0 for an estimate without bias.
        error_s: mean absolute difference, in seconds.
        mean_s: mean of the seconds themselves.
        least: share of the decisions in which the lowest score is where the fewest seconds are.
        chance: the same of an instance drawn at random.
    """

    router: str
    placements: int
    correlation: float
    rank_correlation: float
    ratio: float
    error_s: float
    mean_s: float
    least: float
    chance: float


def externality(
    workload: Workload,
    cluster: Cluster,
    policy: Router,
    *,
    share: float = 0.1,
    ahead: int = 0,
    seed: int = 0,
) -> Labels:
    """Measure what requests inflict on the others where they go.

    At some decisions of a replay the lane is copied for every instance, and once without the request;
    all that is live then runs to its end. What the others take longer is inflicted.

    Args:
        workload: what to replay.
        cluster: on what.
        policy: the router to follow, one that chooses.
        share: of the requests, drawn by the seed.
        ahead: arrivals in a trial, which the router places; with 0 only those present are counted.
        seed: of the run and of the draw.

    Returns:
        Labels with `inflicted`, (decisions, instances) in seconds.
    """
    return labels_of(
        workload, cluster, policy, policy, ahead=ahead, share=share, seed=seed, inflicted=True
    )


def agreement(labels: Labels, estimators: Iterable[Router]) -> list[Agreement]:
    """Compare scores with what was measured, on every instance of every decision.

    Args:
        labels: of `externality`.
        estimators: routers that score; `mixing_seconds` with alpha 0 scores the seconds themselves.

    Raises:
        UsageError: a router that chooses.
    """
    measured = labels.inflicted
    return [_agreement(one, _scores(labels, one), measured) for one in estimators]


def _scores(labels: Labels, policy: Router) -> Floats:
    """Return the score of every instance at every decision."""
    if policy.kind != "score":
        raise UsageError(f"router {policy.name!r} gives no scores", fix="use one that scores")
    params = np.array(policy.params)
    return np.array(
        [
            [policy.compiled(request, one, params) for one in instances]
            for request, instances in zip(labels.requests, labels.instances, strict=True)
        ]
    )


def _agreement(policy: Router, scores: Floats, measured: Floats) -> Agreement:
    there = np.isfinite(measured)
    estimate, truth = scores[there], measured[there]
    least_s = np.where(there, measured, np.inf).min(1, keepdims=True)
    right = there & (measured <= least_s)
    lowest = np.where(there, scores, np.inf).argmin(1)
    return Agreement(
        router=policy.name,
        placements=int(there.sum()),
        correlation=float(np.corrcoef(estimate, truth)[0, 1]),
        rank_correlation=float(np.corrcoef(_ranks(estimate), _ranks(truth))[0, 1]),
        ratio=float(estimate.mean() / truth.mean()),
        error_s=float(np.abs(estimate - truth).mean()),
        mean_s=float(truth.mean()),
        least=float(right[np.arange(len(lowest)), lowest].mean()),
        chance=float((right.sum(1) / there.sum(1)).mean()),
    )


def _ranks(values: Floats) -> Floats:
    """Return the places in order; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
