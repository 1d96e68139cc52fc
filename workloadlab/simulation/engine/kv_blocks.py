"""KV blocks and the prefix cache of an instance.

A block is free, private to a sequence, or resident under a dense block id. Resident blocks are shared
by the sequences that use them; without users they stay, idle, until a block is needed and no free one
is left: then the least recently used goes first, and of one sequence the deepest. Residency is indexed
by id directly; nothing is hashed.
"""

from __future__ import annotations

from typing import Any

from workloadlab.jit import helper
from workloadlab.simulation.engine.arrays import block_ids, cache, holds, pages
from workloadlab.simulation.engine.prefix_bits import clear_bit, set_bit
from workloadlab.simulation.engine.record_types import NONE, PAGE_BITS

__all__ = [
    "available",
    "blocks_for",
    "empty",
    "enter",
    "hits",
    "idle_hits",
    "lose",
    "release",
    "share",
    "take",
]


@helper
def blocks_for(tokens: Any, block_size: Any) -> Any:
    """Round tokens up to blocks."""
    return (tokens + block_size - 1) // block_size


@helper
def available(e: Any) -> Any:
    """Count the blocks that a sequence could get: free ones, and idle ones by eviction."""
    return e.free + e.idle


@helper
def _written(cells: Any, noted: Any, block: Any) -> Any:
    """Return a block of an instance to write to, and note its page as written."""
    noted[block >> PAGE_BITS] = 1
    return cells[block]


@helper
def _retire(e: Any, cells: Any, noted: Any, block: Any) -> None:
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
def _unlink(e: Any, cells: Any, noted: Any, block: Any) -> None:
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
def take(e: Any, lane: Any, i: Any, count: Any) -> None:
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
def hits(s: Any, lane: Any, i: Any, limit: Any) -> Any:
    """Count the leading blocks of a request that are resident, at most `limit`."""
    cells, ids, most = cache(lane)[i], block_ids(lane), min(s.blocks, limit)
    count = 0
    while count < most and cells[ids[s.first_block + count]].users >= 0:  # ids are prefix-chained
        count += 1
    return count


@helper
def idle_hits(s: Any, lane: Any, i: Any, count: Any) -> Any:
    """Count which of the `count` hits are idle: using them takes them from what is available."""
    cells, ids, idle = cache(lane)[i], block_ids(lane), 0
    for k in range(count):
        if cells[ids[s.first_block + k]].users == 0:
            idle += 1
    return idle


@helper
def share(e: Any, s: Any, lane: Any, i: Any, count: Any) -> None:
    """Let a sequence use the `count` leading resident blocks of its request."""
    cells, noted, ids, held = cache(lane)[i], pages(lane)[i], block_ids(lane), holds(lane)
    for at in range(s.first_block, s.first_block + count):
        c = _written(cells, noted, ids[at])
        if c.users == 0:
            _unlink(e, cells, noted, ids[at])
        c.users += 1
        held[at] = 1
    s.named = count


@helper
def enter(e: Any, s: Any, lane: Any, i: Any, tokens: Any) -> None:
    """Make the full blocks of the first `tokens` tokens resident, used by this sequence.

    A block that another sequence made resident in the meantime stays a private copy.
    """
    cells, noted, ids, held = cache(lane)[i], pages(lane)[i], block_ids(lane), holds(lane)
    until = min(s.blocks, tokens // e.block_size)
    for at in range(s.first_block + s.named, s.first_block + until):
        c = cells[ids[at]]
        held[at] = 1 if c.users == NONE else 0
        if c.users == NONE:
            _written(cells, noted, ids[at]).users = 1
            if lane.keeps_bits == 1:
                set_bit(lane, i, ids[at])
    s.named = max(s.named, until)


@helper
def release(e: Any, s: Any, lane: Any, i: Any, computed: Any) -> None:
    """Give back all blocks of a sequence, the deepest first.

    It has those of its `computed` tokens, and `taken` more that it got in the current step.
    """
    private = blocks_for(computed, e.block_size) + s.taken
    s.taken = 0
    if e.caching == 1:
        enter(e, s, lane, i, computed)
        cells, noted, ids, held = cache(lane)[i], pages(lane)[i], block_ids(lane), holds(lane)
        # The deepest becomes idle first, hence is evicted first: a prefix without its head is no use.
        for at in range(s.first_block + s.named - 1, s.first_block - 1, -1):
            if held[at] == 1:  # else it is a private copy beside the resident one
                private -= 1
                c = _written(cells, noted, ids[at])
                c.users -= 1
                if c.users == 0:
                    _retire(e, cells, noted, ids[at])
        s.named = 0
    e.free += private


@helper
def lose(s: Any, lane: Any, i: Any) -> None:
    """Forget the resident blocks that a sequence uses, whoever else does; `empty` makes them free."""
    ids, held = block_ids(lane), holds(lane)
    for at in range(s.first_block, s.first_block + s.named):
        if held[at] == 1:
            _written(cache(lane)[i], pages(lane)[i], ids[at]).users = NONE
            if lane.keeps_bits == 1:
                clear_bit(lane, i, ids[at])
    s.named = 0


@helper
def empty(e: Any, lane: Any, i: Any) -> None:
    """Make every block free on an instance whose sequences are lost; idle ones are evicted."""
    take(e, lane, i, available(e))
    e.free = e.kv_blocks
