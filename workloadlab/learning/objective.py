"""What training minimizes: log-ratios to a rival, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.simulation.metrics import Metrics

__all__ = ["OBJECTIVES", "TAILS", "log_ratios", "loss", "objective_named"]

OBJECTIVES: dict[str, dict[str, float]] = {
    "balanced": {"e2e_mean_s": 0.8, "ttft_mean_s": 0.2},
    "e2e": {"e2e_mean_s": 1.0},
    "ttft": {"ttft_mean_s": 0.5, "ttft_p99_s": 0.5},
    "goodput": {"goodput_rps": -1.0},
}
"""Weights of the logarithms of metrics, by the name of the objective.

A p99 has no weight in `balanced`: it is easily halved in overload and a mean is not, so a weight trades
the mean for a tail that nobody asked for. It must not grow, which `TAILS` sees to."""

WORST = 0.5
"""Weight of the worst cell beside the mean of all."""

TAILS = ("ttft_p99_s", "e2e_p99_s")
TAIL, TAIL_ALLOWED = 1.0, 0.03
"""Weight of a p99 that is worse than the rival's by more than so much, in logarithms."""

UNSERVED = 10.0
"""What a cell costs in which a request goes unserved that the rival serves."""

_LEAST = 1e-9


def objective_named(name: str) -> dict[str, float]:
    """Return the weights of an objective.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in OBJECTIVES:
        raise UsageError(f"no objective is called {name!r}", fix=did_you_mean(name, OBJECTIVES))
    return OBJECTIVES[name]


def log_ratios(found: Sequence[Metrics], rival: Sequence[Metrics], metric: str) -> np.ndarray:
    """Return ln(found / rival) of one metric in every cell; below 0 is lower than the rival."""
    ours = np.array([max(getattr(one, metric), _LEAST) for one in found])
    theirs = np.array([max(getattr(one, metric), _LEAST) for one in rival])
    ratios: np.ndarray = np.log(ours / theirs)
    return ratios


def loss(
    found: Sequence[Metrics],
    rival: Sequence[Metrics],
    weights: dict[str, float],
    tails: Sequence[str] = TAILS,
) -> float:
    """Return what to minimize: the mean over cells, with a penalty on the worst and on long tails.

    A cell costs the weighted log-ratios of its metrics to the rival's, and hinges on its tails beyond
    +3 %: the p99 of TTFT and e2e. 0.0 is as good as the rival; -0.1 is some 10 % better.
    """
    each = sum(weight * log_ratios(found, rival, name) for name, weight in weights.items())
    tail = sum(np.maximum(0.0, log_ratios(found, rival, name) - TAIL_ALLOWED) for name in tails)
    unserved = np.array(
        [one.served < other.served for one, other in zip(found, rival, strict=True)]
    )
    each = np.nan_to_num(each + TAIL * tail, nan=UNSERVED) + UNSERVED * unserved
    return float(each.mean() + WORST * max(0.0, float(each.max())))
