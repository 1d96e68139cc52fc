"""Hit ratios of caches of limited size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.blocks import Blocks

__all__ = ["CacheCurves", "CachePoint", "cache_curves", "cache_size", "default_sizes"]

GIB = 1 << 30


@dataclass(frozen=True)
class CachePoint:
    """A cache of `blocks` blocks.

    Attributes:
        tokens: its size in tokens.
        gib: its size for a served model, if one was given.
        block_hit_ratio: hit blocks / blocks, each block looked up and then kept in the order of the
            prompts.
        token_hit_ratio: the same weighted by tokens.
        leaf_first_block_hit_ratio: LRU only: a request looks all its blocks up at once and leaves
            its head the most recent, as engines that free leaves first.
    """

    blocks: int
    tokens: int
    gib: float | None
    block_hit_ratio: float
    token_hit_ratio: float | None
    leaf_first_block_hit_ratio: float | None


@dataclass(frozen=True)
class CacheCurves:
    """Hit ratios by size, and the histogram of LRU stack distances (place 0: first uses)."""

    lru: tuple[CachePoint, ...]
    fifo: tuple[CachePoint, ...]
    opt: tuple[CachePoint, ...]
    distances: NDArray[np.int64]


def default_sizes(distinct: int) -> list[int]:
    """Return 1, 2, 3, 5 times powers of ten below `distinct`, and `distinct` itself.

    Example:
        >>> default_sizes(12)
        [1, 2, 3, 5, 10, 12]
    """
    sizes = [m * 10**k for k in range(len(str(distinct))) for m in (1, 2, 3, 5)]
    return [*(size for size in sizes if size < distinct), distinct]


def cache_size(
    blocks: int, block_size: int, kv_bytes_per_token: int | None
) -> tuple[int, int, float | None]:
    """Return the size of a cache in blocks, tokens and GiB; None where a token's bytes are unknown.

    Example:
        >>> cache_size(2, 16, 1 << 25)
        (2, 32, 1.0)
    """
    tokens = blocks * block_size
    return blocks, tokens, tokens * kv_bytes_per_token / GIB if kv_bytes_per_token else None


def cache_curves(
    blocks: Blocks, sizes: Sequence[int], kv_bytes_per_token: int | None = None
) -> CacheCurves:
    """Compute LRU for all sizes in one pass, FIFO and Belady's optimum size by size."""
    from workloadlab.characterization.statistics.cache_loops import (
        belady_hits,
        fifo_hits,
        leaf_first_distances,
        next_uses,
        stack_distances,
    )

    ids, offsets, tokens = blocks.ids, blocks.offsets, blocks.tokens
    distances, distance_tokens = stack_distances(ids, blocks.distinct, tokens)
    leaf_first = leaf_first_distances(ids, offsets, blocks.distinct, tokens)[0]
    below, below_tokens, below_leaf = (
        np.cumsum(histogram[1:]) for histogram in (distances, distance_tokens, leaf_first)
    )
    following = next_uses(ids, blocks.distinct)
    all_tokens = int(tokens.sum())

    def point(size: int, found: tuple[int, int], leaf: int | None = None) -> CachePoint:
        hits, hit_tokens = map(int, found)
        return CachePoint(
            *cache_size(size, blocks.block_size, kv_bytes_per_token),
            block_hit_ratio=hits / len(ids),
            token_hit_ratio=hit_tokens / all_tokens if all_tokens else None,
            leaf_first_block_hit_ratio=None if leaf is None else leaf / len(ids),
        )

    lru, fifo, opt = [], [], []
    for size in sizes:
        useful = min(size, blocks.distinct)
        place = useful - 1
        lru.append(point(size, (below[place], below_tokens[place]), int(below_leaf[place])))
        fifo.append(point(size, fifo_hits(ids, blocks.distinct, tokens, useful)))
        opt.append(point(size, belady_hits(following, offsets, tokens, useful)))
    return CacheCurves(tuple(lru), tuple(fifo), tuple(opt), distances)
