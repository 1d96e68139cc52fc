"""KV blocks and the prefix cache of an instance.

A block is free, private to a sequence, or resident under a dense block id. Resident blocks are shared
by the sequences that use them; without users they stay, idle, until a block is needed and no free one
is left: then the least recently used goes first, and of one sequence the deepest. Residency is indexed
by id directly; nothing is hashed.

A router is told of prefixes by bits: one by block and instance, set if the block is there, in its own
prefix index or really. A look-up walks down a prompt once, with the instances that had every block so
far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba.cpython.unsafe.numbers import trailing_zeros

from workloadlab.jit import helper
from workloadlab.simulation.engine.arrays import (
    block_ids,
    cache,
    pages,
    prefix_bits,
    uses,
    views,
)
from workloadlab.simulation.engine.record_types import NONE, PAGE_BITS

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Block,
        Count,
        Index,
        Instance,
        Lane,
        Record,
        Request,
    )

__all__ = [
    "available",
    "blocks_for",
    "clear_bit",
    "empty",
    "enter",
    "hits",
    "idle_hits",
    "lose",
    "release",
    "set_bit",
    "share",
    "take",
    "tell_indexed",
    "whole_blocks",
]


@helper
def blocks_for(tokens: Count, block_size: Count) -> Count:
    """Round tokens up to blocks."""
    return (tokens + block_size - 1) // block_size


@helper
def available(e: Instance) -> Count:
    """Count the blocks that a sequence could get: free ones, and idle ones by eviction."""
    return e.free + e.idle


@helper
def _written(cells: Array, noted: Array, block: Block) -> Record:
    """Return a block of an instance to write to, and note its page as written."""
    noted[block >> PAGE_BITS] = 1
    return cells[block]


@helper
def _retire(e: Instance, cells: Array, noted: Array, block: Block) -> None:
    """Link a resident block that lost its last user at the newest end."""
    c = _written(cells, noted, block)
    c.users = 0
    c.older, c.newer = e.newest, NONE
    if e.newest == NONE:
        e.oldest = block
    else:
        _written(cells, noted, e.newest).newer = block
    e.newest = block
    e.idle += 1


@helper
def _unlink(e: Instance, cells: Array, noted: Array, block: Block) -> None:
    c = cells[block]
    if c.older == NONE:
        e.oldest = c.newer
    else:
        _written(cells, noted, c.older).newer = c.newer
    if c.newer == NONE:
        e.newest = c.older
    else:
        _written(cells, noted, c.newer).older = c.older
    e.idle -= 1


@helper
def take(e: Instance, lane: Lane, i: Index, count: Count) -> None:
    """Turn `count` available blocks into private ones, evicting idle blocks as needed."""
    while e.free < count:  # `count` is available, so an idle block is there to evict
        cells, noted, block = cache(lane)[i], pages(lane)[i], e.oldest
        _unlink(e, cells, noted, block)
        _written(cells, noted, block).users = NONE
        if lane.keeps_bits == 1:
            clear_bit(lane, i, block)
        e.free += 1
    e.free -= count


@helper
def hits(s: Request, lane: Lane, i: Index, limit: Count) -> Count:
    """Count the leading blocks of a request that are resident, at most `limit`."""
    cells, ids, most = cache(lane)[i], block_ids(lane), min(s.blocks, limit)
    count = 0
    while count < most and cells[ids[s.first_block + count]].users >= 0:  # ids are prefix-chained
        count += 1
    return count


@helper
def idle_hits(s: Request, lane: Lane, i: Index, count: Count) -> Count:
    """Count which of the `count` hits are idle: using them takes them from what is available."""
    cells, ids, idle = cache(lane)[i], block_ids(lane), 0
    for k in range(count):
        if cells[ids[s.first_block + k]].users == 0:
            idle += 1
    return idle


@helper
def share(e: Instance, s: Request, lane: Lane, i: Index, count: Count) -> None:
    """Let a sequence use the `count` leading resident blocks of its request."""
    cells, noted, ids, used = cache(lane)[i], pages(lane)[i], block_ids(lane), uses(lane)
    for at in range(s.first_block, s.first_block + count):
        c = _written(cells, noted, ids[at])
        if c.users == 0:
            _unlink(e, cells, noted, ids[at])
        c.users += 1
        used[at] = 1
    s.cached_blocks = count


@helper
def enter(e: Instance, s: Request, lane: Lane, i: Index, tokens: Count) -> None:
    """Make the full blocks of the first `tokens` tokens resident, used by this sequence.

    A block that another sequence made resident in the meantime stays a private copy.
    """
    cells, noted, ids, used = cache(lane)[i], pages(lane)[i], block_ids(lane), uses(lane)
    until = min(s.blocks, tokens // e.block_size)
    for at in range(s.first_block + s.cached_blocks, s.first_block + until):
        c = cells[ids[at]]
        used[at] = 1 if c.users == NONE else 0
        if c.users == NONE:
            _written(cells, noted, ids[at]).users = 1
            if lane.keeps_bits == 1:
                set_bit(lane, i, ids[at])
    s.cached_blocks = max(s.cached_blocks, until)


@helper
def release(e: Instance, s: Request, lane: Lane, i: Index, computed: Count) -> None:
    """Give back all blocks of a sequence, the deepest first.

    It has those of its `computed` tokens, and `step_blocks` more that it got in the current step.
    """
    private = blocks_for(computed, e.block_size) + s.step_blocks
    s.step_blocks = 0
    if e.caching == 1:
        enter(e, s, lane, i, computed)
        cells, noted, ids, used = cache(lane)[i], pages(lane)[i], block_ids(lane), uses(lane)
        # The deepest becomes idle first, hence is evicted first: a prefix without its head is no use.
        for at in range(s.first_block + s.cached_blocks - 1, s.first_block - 1, -1):
            if used[at] == 1:  # else it is a private copy beside the resident one
                private -= 1
                c = _written(cells, noted, ids[at])
                c.users -= 1
                if c.users == 0:
                    _retire(e, cells, noted, ids[at])
        s.cached_blocks = 0
    e.free += private


@helper
def lose(s: Request, lane: Lane, i: Index) -> None:
    """Forget the resident blocks that a sequence uses, whoever else does; `empty` makes them free."""
    ids, used = block_ids(lane), uses(lane)
    for at in range(s.first_block, s.first_block + s.cached_blocks):
        if used[at] == 1:
            _written(cache(lane)[i], pages(lane)[i], ids[at]).users = NONE
            if lane.keeps_bits == 1:
                clear_bit(lane, i, ids[at])
    s.cached_blocks = 0


@helper
def empty(e: Instance, lane: Lane, i: Index) -> None:
    """Make every block free on an instance whose sequences are lost; idle ones are evicted."""
    take(e, lane, i, available(e))
    e.free = e.kv_blocks


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
