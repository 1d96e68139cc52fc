"""Caches that evict, from a share of the blocks chosen by their ids.

What the uses of one block in n meet in a cache of 1/n of the size is, but for chance, what all uses
meet in the whole (SHARDS, Waldspurger et al., FAST 2015; for any policy, the same, ATC 2017). Misses
are scaled up, not hits: a block that all requests use misses once, chosen or not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.statistics.blocks import Blocks, tokens_at
from workloadlab.characterization.statistics.caches import (
    CacheCurves,
    CachePoint,
    cache_curves,
    cache_size,
)
from workloadlab.characterization.statistics.locality import mixed
from workloadlab.characterization.statistics.reuse import ReuseDistance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["LEAST", "Sample", "Whole", "sample_error"]

MOST = 1 << 22
"""Uses that are held at most."""

LEAST = 100
"""Blocks of the smallest cache of the sample that stands for a larger one."""

LARGEST = np.uint64(2**64 - 1)


def sample_error(blocks: int) -> float:
    """Return how far off a hit ratio may be that so many chosen blocks tell.

    About two standard errors, where most blocks miss a few times: see `test_bounded_prefix.py`.

    Example:
        >>> sample_error(1_000_000), sample_error(0)
        (0.002, 1.0)
    """
    return min(1.0, 2.0 / math.sqrt(max(blocks, 1)))


@dataclass(frozen=True)
class Whole:
    """What a sample is of.

    Attributes:
        uses: of all blocks, with all their tokens.
        first_uses: of a block each, with their tokens.
        block_size: tokens of a full block.
    """

    uses: int
    tokens: int
    first_uses: int
    first_tokens: int
    block_size: int


class Sample:
    """Uses of the blocks that are chosen, as all uses come in order of arrival.

    Attributes:
        halvings: one block in 2^halvings is chosen.
        held: int64, (n, 4) each: block, request, depth, tokens of the prompt.
    """

    def __init__(self) -> None:
        self.halvings = 0
        self.held: list[NDArray[np.int64]] = []

    @property
    def uses(self) -> NDArray[np.int64]:
        """All that are held, in order."""
        return np.concatenate([np.empty((0, 4), np.int64), *self.held])

    def chosen(self, bits: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which blocks are chosen, by the mixed bits of their ids."""
        return np.asarray(bits <= LARGEST >> np.uint64(min(self.halvings, 63)))

    def add(self, uses: NDArray[np.int64]) -> None:
        """Keep uses of chosen blocks; choose fewer blocks where they become too many."""
        self.held.append(uses)
        while sum(map(len, self.held)) > MOST:
            self.halvings += 1
            self.held = [each[self.chosen(mixed(each[:, 0]))] for each in self.held]

    def caches(
        self, whole: Whole, sizes: Sequence[int], kv_bytes_per_token: int | None
    ) -> tuple[CacheCurves, ReuseDistance | Unsupported]:
        """Return the hit ratios of caches of those sizes, and the LRU stack distances of reuses.

        Sizes of which the sample would hold fewer than `LEAST` blocks are left out.

        Args:
            whole: what the sample is of.
            sizes: in blocks.
            kv_bytes_per_token: of the served model; None for none.
        """
        blocks = self._blocks(whole.block_size)
        scale = whole.first_uses / max(blocks.distinct, 1)
        told = [s for s in sizes if s < whole.first_uses and (scale == 1 or s >= LEAST * scale)]
        all_held = [s for s in sizes if s >= whole.first_uses]
        found = cache_curves(blocks, [max(1, round(size / scale)) for size in told])
        by_block = len(blocks.ids), blocks.distinct, whole.uses, whole.first_uses
        by_token = int(blocks.tokens.sum()), _first_tokens(blocks), whole.tokens, whole.first_tokens

        def points(
            sampled: tuple[CachePoint, ...], *, leaf: bool = False
        ) -> tuple[CachePoint, ...]:
            ratios = [
                (p.block_hit_ratio, p.token_hit_ratio, p.leaf_first_block_hit_ratio)
                for p in sampled
            ]
            return tuple(
                CachePoint(
                    *cache_size(size, whole.block_size, kv_bytes_per_token),
                    _scaled(block, *by_block) or 0.0,
                    _scaled(token, *by_token),
                    _scaled(first, *by_block) if leaf else None,
                )
                for size, (block, token, first) in zip(
                    told + all_held, ratios + [(None, None, None)] * len(all_held), strict=True
                )
            )

        curves = CacheCurves(
            points(found.lru, leaf=True), points(found.fifo), points(found.opt), found.distances
        )
        return curves, _distance(found.distances, whole, scale)

    def _blocks(self, block_size: int) -> Blocks:
        ids, requests, depth, inputs = self.uses.T
        distinct, dense = np.unique(ids, return_inverse=True)
        starts = np.flatnonzero(np.diff(requests, prepend=-1))
        return Blocks(
            ids=dense.astype(np.int64), offsets=np.append(starts, len(ids)),
            distinct=len(distinct), parents=ids[:0], chained=True, block_size=block_size,
            tokens=tokens_at(inputs, depth, block_size), input_tokens=ids[:0], arrival_ns=ids[:0],
            session=None, session_bits=np.empty(0, np.uint64), missing=0,
        )  # fmt: skip


def _first_tokens(blocks: Blocks) -> int:
    _, first = np.unique(blocks.ids, return_index=True)
    return int(blocks.tokens[first].sum())


def _scaled(
    ratio: float | None, chosen: int, chosen_first: int, uses: int, first: int
) -> float | None:
    """Return hits / uses of all blocks, from those of the chosen ones; None where uses hold nothing.

    Example:
        >>> _scaled(0.25, 8, 2, 1_000, 100), _scaled(0.75, 8, 2, 1_000, 100)
        (0.7, 0.9)
    """
    if not uses:
        return None
    misses = (
        first if ratio is None or not chosen_first else first * (1 - ratio) * chosen / chosen_first
    )
    return max(0.0, 1 - misses / uses)


def _distance(
    histogram: NDArray[np.int64], whole: Whole, scale: float
) -> ReuseDistance | Unsupported:
    """Summarize stack distances of chosen blocks; reuses that lack among them are of near blocks."""
    if scale > 1 and len(histogram) <= LEAST:
        return Unsupported(f"only {len(histogram) - 1} blocks stand for all")
    reuses = (whole.uses - whole.first_uses) / scale
    below = np.cumsum(histogram[1:])
    if not len(below) or not below[-1]:
        return Unsupported("no block is used twice")
    ranks = np.array([0.5, 0.9, 0.99]) * max(reuses - 1, 0)
    if scale == 1:
        ranks = ranks.astype(np.int64)
    places = np.searchsorted(below + (reuses - below[-1]), ranks, side="right") + 1
    p50, p90, p99 = np.maximum(1, np.round(places * scale)).astype(np.int64).tolist()
    return ReuseDistance(p50, p90, p99, max=round(int(np.flatnonzero(histogram)[-1]) * scale))
