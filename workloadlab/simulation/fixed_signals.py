"""What a router knows of the instances from the start, the same in both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.routing import INSTANCE

if TYPE_CHECKING:
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.pool import Pool

__all__ = ["fixed_signals"]


def fixed_signals(cluster: Cluster, models: tuple[str, ...]) -> Any:
    """Return the instances as a router sees them before anything is reported.

    Args:
        cluster: whose instances.
        models: names of the models that the requests ask for, sorted.

    Returns:
        `INSTANCE` records (instances,) with the signals of kind "fixed"; the others are 0.
    """
    seen = np.zeros(sum(pool.instances for pool in cluster.pools), INSTANCE)
    seen["index"] = np.arange(len(seen))
    first = 0
    for number, pool in enumerate(cluster.pools):
        rows = seen[first : first + pool.instances]
        first += pool.instances
        rows["kv_blocks"] = pool.blocks
        rows["block_size"] = pool.block_size
        rows["max_num_seqs"] = pool.max_num_seqs
        rows["pool"] = number
        rows["model"] = _first_model(pool, models)
        rows["relative_speed"] = cluster.relative_speeds[number]
    return seen


def _first_model(pool: Pool, models: tuple[str, ...]) -> int:
    """Return the number of the first model that a pool serves, -1 if it serves any or none of them."""
    return next((k for k, name in enumerate(models) if name in pool.models), -1)
