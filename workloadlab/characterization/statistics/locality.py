"""Prefix reuse that is left when several instances share the requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.blocks import Blocks

__all__ = ["INSTANCES", "InstancePoint", "hash_names", "hits_by_instances", "mixed"]

INSTANCES = (1, 2, 4, 8, 16, 32, 64)
SLACK = 1.25


@dataclass(frozen=True)
class InstancePoint:
    """Hit blocks / blocks when each of `instances` keeps all it ever saw.

    Attributes:
        router: `random` (each request anywhere, from a fixed seed), `round_robin`,
            `session_affinity` (all requests of a session on one instance, chosen at random; without a
            session at random) or `prefix_aware` (the longest prefix among the instances that have
            prefilled at most 1.25 times the mean).
        imbalance: most blocks prefilled by one instance / the mean.
    """

    instances: int
    router: str
    block_hit_ratio: float
    imbalance: float


def hits_by_instances(blocks: Blocks) -> tuple[InstancePoint, ...]:
    """Compute the ceiling under routers that need no timings, for 1 to 64 instances."""
    from workloadlab.characterization.statistics.cache_loops import routed_hits

    counts = np.diff(blocks.offsets)
    points = []
    for instances in INSTANCES:
        for router, chosen in _choices(blocks, instances):
            hits, prefilled = routed_hits(
                blocks.ids, blocks.offsets, blocks.distinct, chosen, instances
            )
            mean = (len(blocks.ids) - int(hits)) / instances
            points.append(
                InstancePoint(
                    instances=instances,
                    router=router,
                    block_hit_ratio=int(hits) / int(counts.sum()),
                    imbalance=int(prefilled.max()) / mean,
                )
            )
    return tuple(points)


def _choices(blocks: Blocks, instances: int) -> Iterator[tuple[str, NDArray[np.int64]]]:
    from workloadlab.characterization.statistics.cache_loops import route_by_prefix

    requests = np.arange(blocks.requests)
    anywhere = _scatter(requests, instances)
    yield "random", anywhere
    yield "round_robin", requests % instances
    if blocks.session is not None:
        sticky = _scatter(blocks.session_bits, instances)
        yield "session_affinity", np.where(blocks.session < 0, anywhere, sticky)
    chosen = route_by_prefix(blocks.ids, blocks.offsets, blocks.distinct, instances, SLACK)
    yield "prefix_aware", chosen


def _scatter(keys: NDArray[Any], instances: int) -> NDArray[np.int64]:
    return (mixed(keys) % np.uint64(instances)).astype(np.int64)


def mixed(keys: NDArray[Any]) -> NDArray[np.uint64]:
    """Return 64 bits that look drawn for each number, by SplitMix64: the same on every machine."""
    z = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def hash_names(names: pl.Series) -> NDArray[np.uint64]:
    """Return 64 bits of each name (FNV-1a), 0 where there is none: the same on every machine.

    Example:
        >>> hash_names(pl.Series(["a", None])).tolist()
        [12638187200555641996, 0]
    """
    from workloadlab.characterization.statistics.cache_loops import hash_words

    column = names.fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, letters = column.buffers()
    found: NDArray[np.uint64] = hash_words(
        np.frombuffer(letters or b"", np.uint8),
        np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(names) + 1],
    )
    found[names.is_null().to_numpy()] = 0
    return found
