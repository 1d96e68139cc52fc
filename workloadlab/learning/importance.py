"""Which signals drive a router: the regret that each adds when it is shuffled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.oracles.labels import labels_of
from workloadlab.routing import empty_memory

if TYPE_CHECKING:
    from workloadlab.learning.cells import Cell
    from workloadlab.oracles.labels import Labels
    from workloadlab.routing import Router

    Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["READ", "drivers_text", "importance_of"]

READ = {
    "request": ("input_tokens", "predicted_output_tokens"),
    "instance": (
        "in_flight", "running", "waiting", "queued_tokens", "context_tokens", "kv_blocks_used",
        "output_tokens_left", "cached_tokens", "relative_speed",
    ),
}  # fmt: skip
"""The signals that learned routers are made of, by record."""

LABELS, AHEAD = 400, 32


def importance_of(policy: Router, cell: Cell, *, seed: int = 0) -> dict[str, float]:
    """Return by signal the seconds of regret that a decision costs more when the signal is shuffled.

    Some decisions of a replay are labelled: each instance is tried, with the next 32 arrivals. Then one
    signal at a time is dealt out anew among all of them, and the router chooses again. A signal that it
    does not heed adds nothing; those that add nothing are left out.

    Args:
        policy: a learned router, linear or of trees.
        cell: what to replay.
        seed: of the draws.
    """
    share = min(1.0, LABELS / len(cell.workload))
    labels = labels_of(
        cell.workload, cell.cluster, policy, policy, ahead=AHEAD, share=share, seed=seed
    )
    rng = np.random.default_rng(seed)
    base = _regret(policy, labels, labels.requests, labels.instances)
    added = {}
    for record, names in READ.items():
        for name in names:
            asked, seen = labels.requests.copy(), labels.instances.copy()
            column = (asked if record == "request" else seen)[name]
            column[...] = rng.permutation(column.ravel()).reshape(column.shape)
            added[name] = _regret(policy, labels, asked, seen) - base
    found = {name: float(f"{seconds:.3g}") for name, seconds in added.items() if seconds > 0}
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def drivers_text(provenance: dict[str, Any]) -> str:
    """Return what drives a router, the strongest signal first, as shares of all that they add.

    Example:
        >>> drivers_text({"importance": {"queued_tokens": 3.0, "running": 1.0}})
        'driven by queued_tokens 75 %, running 25 %'
    """
    added: dict[str, float] = provenance.get("importance", {})
    if not added:
        return ""
    whole = sum(added.values())
    shares = (f"{name} {100 * seconds / whole:.0f} %" for name, seconds in added.items())
    return "driven by " + ", ".join(shares)


def _regret(policy: Router, labels: Labels, requests: Array, instances: Array) -> float:
    """Return the mean cost above the best choice, if the router sees these records."""
    params = np.array(policy.params)
    chosen = [
        policy.compiled(request, row, params, empty_memory(len(row)))
        for request, row in zip(requests, instances, strict=True)
    ]
    costs = labels.costs[np.arange(len(labels)), chosen]
    return float(np.nanmean(costs - np.nanmin(labels.costs, axis=1)))
