"""Which blocks a router is told of: one bit by block and instance.

It is set if the block is there, in the router's own prefix index or really. A look-up walks down a
prompt once, with the instances that had every block so far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba.cpython.unsafe.numbers import trailing_zeros

from workloadlab.jit import helper
from workloadlab.simulation.engine.arrays import block_ids, pages, prefix_bits, views
from workloadlab.simulation.engine.record_types import PAGE_BITS

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Block,
        Count,
        Index,
        Lane,
        Request,
    )

__all__ = ["clear_bit", "set_bit", "tell_indexed", "whole_blocks"]


@helper
def set_bit(lane: Lane, i: Index, block: Block) -> None:
    """Say that an instance has a block, and note its page as written."""
    pages(lane)[i, block >> PAGE_BITS] = 1
    prefix_bits(lane)[lane.first_word + (i >> 6), block] |= 1 << (i & 63)


@helper
def clear_bit(lane: Lane, i: Index, block: Block) -> None:
    """Say that an instance does not have a block, and note its page as written."""
    pages(lane)[i, block >> PAGE_BITS] = 1
    prefix_bits(lane)[lane.first_word + (i >> 6), block] &= ~(1 << (i & 63))


@helper
def whole_blocks(lane: Lane, s: Request, tokens: Count) -> Count:
    """Count the whole blocks with ids among the first tokens of a request."""
    return min(s.blocks, tokens // lane.block_tokens) if lane.block_tokens > 0 else 0


@helper
def tell_indexed(lane: Lane, s: Request, tokens: Count) -> None:
    """Tell the router how many of the first `tokens` tokens of a request each instance has."""
    shown, ids = views(lane), block_ids(lane)
    whole = whole_blocks(lane, s, tokens)
    for word in range(lane.prefix_words):
        bits, first, depth = prefix_bits(lane)[lane.first_word + word], word << 6, 0
        others = lane.instances - first
        alive = -1 if others >= 64 else (1 << others) - 1
        while alive != 0:
            left = alive & bits[ids[s.first_block + depth]] if depth < whole else 0
            # Instances that have all blocks before this one, and not this one.
            ending = alive ^ left
            while ending != 0:
                shown[first + trailing_zeros(ending)].indexed_tokens = depth * lane.block_tokens
                ending &= ending - 1
            alive = left
            depth += 1
