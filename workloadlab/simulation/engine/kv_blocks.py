"""KV blocks and the prefix cache of an instance: vLLM's block pool, without visiting block after block.

A block is free, private to a sequence, or cached. Cached blocks without users are idle and stay until a
block is needed and no free one is left: then the one that was idle longest goes first, and of one
sequence the deepest.

A block that the trace names has a cell, indexed by its id; nothing is hashed. A copy that another
sequence computed meanwhile is cached as well: it has a spare cell, and the cells of an id are a circle.
Whoever looks for an id finds its own cell, into which the next copy moves when that one is evicted.

Full blocks without an id are cached too, but only their own request finds them, after a preemption.
While it runs they are counted; idle they are a run (`blocks/runs.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper
from workloadlab.simulation.engine.arrays import (
    block_ids,
    cache,
    engines,
    fill_heap,
    pages,
    slots,
    uses,
)
from workloadlab.simulation.engine.blocks.idle import (
    give_back,
    relink,
    retire,
    spare_cell,
    unlink_idle,
    written,
)
from workloadlab.simulation.engine.blocks.runs import (
    disown_runs,
    retire_run,
    run_with,
    shorten,
    use_of_run,
)
from workloadlab.simulation.engine.blocks.told import clear_bit, set_bit
from workloadlab.simulation.engine.decodes.counted import drop_fill, next_fill
from workloadlab.simulation.engine.record_types import NONE, RUN

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Block,
        Cell,
        Count,
        Flag,
        Index,
        Instance,
        Lane,
        Position,
        Request,
        Slot,
    )

__all__ = [
    "available",
    "blocks_for",
    "empty",
    "enter",
    "enter_filled",
    "hits",
    "idle_hits",
    "lose",
    "release",
    "share",
    "take",
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
def _move_home(e: Instance, lane: Lane, i: Index, block: Block) -> None:
    """Let the next copy of a block be found in the block's own cell."""
    cells, noted = cache(lane)[i], pages(lane)[i]
    c = written(cells, noted, block)
    at = c.copies
    moved = cells[at]
    c.users = moved.users
    c.copies = moved.copies if moved.copies >= lane.id_count else NONE
    if moved.users > 0:
        uses(lane)[moved.older] = block
    else:
        c.older, c.newer = moved.older, moved.newer
        relink(e, cells, noted, at, block, block)
    give_back(e, cells, noted, at)


@helper
def _drop_copy(e: Instance, lane: Lane, i: Index, cell: Cell) -> None:
    """Take a copy out of the circle of its block."""
    cells, noted = cache(lane)[i], pages(lane)[i]
    before = cells[cell].copies
    while cells[before].copies != cell:
        before = cells[before].copies
    after = cells[cell].copies
    alone = before < lane.id_count and after == before
    written(cells, noted, before).copies = NONE if alone else after
    give_back(e, cells, noted, cell)


@helper
def _evict(e: Instance, lane: Lane, i: Index, count: Count) -> None:
    """Free the blocks that were idle longest until `count` are free; so many are available."""
    cells, noted = cache(lane)[i], pages(lane)[i]
    while e.free < count:
        cell = e.oldest
        c = cells[cell]
        if c.users <= RUN:
            freed = min(count - e.free, np.int64(c.copies))
            shorten(e, lane, i, cell, freed)
            e.free += freed
            continue
        unlink_idle(e, cells, noted, cell)
        e.free += 1
        e.idle -= 1
        if cell >= lane.id_count:
            _drop_copy(e, lane, i, cell)
        elif c.copies != NONE:
            _move_home(e, lane, i, cell)
        else:
            written(cells, noted, cell).users = NONE
            if lane.keeps_bits == 1:
                clear_bit(lane, i, cell)


@helper
def take(e: Instance, lane: Lane, i: Index, count: Count) -> None:
    """Turn `count` available blocks into private ones, evicting idle blocks as needed."""
    if e.free < count:
        _evict(e, lane, i, count)
    e.free -= count


@helper
def hits(s: Request, lane: Lane, i: Index, limit: Count) -> Count:
    """Count the leading blocks of a request that are cached, at most `limit`."""
    cells, ids, most = cache(lane)[i], block_ids(lane), min(s.blocks, limit)
    count = 0
    while count < most and cells[ids[s.first_block + count]].users >= 0:  # ids are prefix-chained
        count += 1
    if count == s.blocks and s.runs != NONE:
        while count < limit and run_with(s, lane, i, count) != NONE:
            count += 1
    return count


@helper
def idle_hits(s: Request, lane: Lane, i: Index, count: Count) -> Count:
    """Count which of the `count` hits are idle: using them takes them from what is available."""
    cells, ids, idle = cache(lane)[i], block_ids(lane), max(0, count - s.blocks)
    for k in range(min(count, s.blocks)):
        if cells[ids[s.first_block + k]].users == 0:
            idle += 1
    return idle


@helper
def share(e: Instance, s: Request, lane: Lane, i: Index, count: Count) -> None:
    """Let a sequence use the `count` leading cached blocks of its request."""
    cells, noted, ids, used = cache(lane)[i], pages(lane)[i], block_ids(lane), uses(lane)
    named = min(count, s.blocks)
    for at in range(s.first_block, s.first_block + named):
        c = written(cells, noted, ids[at])
        if c.users == 0:
            unlink_idle(e, cells, noted, ids[at])
            e.idle -= 1
        c.users += 1
        used[at] = ids[at]
    s.cached_blocks = named
    for place in range(named, count):
        use_of_run(e, s, lane, i, place)


@helper
def _copy(lane: Lane, e: Instance, i: Index, at: Position) -> Cell:
    """Cache one more copy of a block, used by the request of that place; return its cell or -1."""
    cell = spare_cell(e, lane, i)
    if cell != NONE:
        cells, noted, block = cache(lane)[i], pages(lane)[i], block_ids(lane)[at]
        last = np.int64(block)
        while cells[last].copies >= lane.id_count:
            last = np.int64(cells[last].copies)
        written(cells, noted, last).copies = cell
        c = written(cells, noted, cell)
        c.users, c.older, c.copies = 1, at, block
    return cell


@helper
def enter(e: Instance, s: Request, lane: Lane, i: Index, tokens: Count) -> None:
    """Cache the full blocks of the first `tokens` tokens that have ids, used by this sequence."""
    cells, noted, ids, used = cache(lane)[i], pages(lane)[i], block_ids(lane), uses(lane)
    until = min(s.blocks, tokens // e.block_size)
    for at in range(s.first_block + s.cached_blocks, s.first_block + until):
        if cells[ids[at]].users != NONE:
            used[at] = _copy(lane, e, i, at)
            continue
        used[at] = ids[at]
        written(cells, noted, ids[at]).users = 1
        if lane.keeps_bits == 1:
            set_bit(lane, i, ids[at])
    s.cached_blocks = max(s.cached_blocks, until)


@helper
def enter_filled(i: Index, lane: Lane, step: Count, order: Count) -> None:
    """Cache blocks with ids that decodes fill before a step; in it, those admitted before `order`."""
    e, heap = engines(lane)[i], fill_heap(lane)
    while e.fills > 0 and (
        heap[i, 0].step < step or (heap[i, 0].step == step and heap[i, 0].order < order)
    ):
        s = slots(lane)[heap[i, 0].slot]
        enter(e, s, lane, i, (s.cached_blocks + 1) * e.block_size)
        next_fill(e, s, heap, i)


@helper
def release(lane: Lane, i: Index, q: Slot, computed: Count, cached: Count, returns: Flag) -> None:
    """Give back all blocks of the sequence in slot `q`, the deepest first.

    It has those of its `computed` tokens, and `step_blocks` more that it got in the current step. The
    first `cached` of them are cached. If it returns, what it had for itself may be found again.
    """
    e, s = engines(lane)[i], slots(lane)[q]
    held = blocks_for(computed, e.block_size) + s.step_blocks
    s.step_blocks = 0
    if e.caching == 0:
        e.free += held
        return
    if s.cached_blocks < s.blocks:
        drop_fill(e, fill_heap(lane), i, q)
    enter(e, s, lane, i, cached * e.block_size)
    cells, noted, used = cache(lane)[i], pages(lane)[i], uses(lane)
    e.free += held - cached
    if returns == 0:
        disown_runs(s, lane, i)
    if cached > s.blocks:
        retire_run(lane, i, q, cached - s.blocks, returns)
    # The deepest becomes idle first, hence is evicted first: a prefix without its head is no use.
    for at in range(s.first_block + s.cached_blocks - 1, s.first_block - 1, -1):
        if used[at] == NONE:
            e.free += 1
            continue
        c = written(cells, noted, used[at])
        c.users -= 1
        if c.users == 0:
            retire(e, cells, noted, used[at])
            e.idle += 1
    s.cached_blocks = 0


@helper
def lose(s: Request, lane: Lane, i: Index) -> None:
    """Forget the cached blocks that a sequence uses, whoever else does; `empty` makes them free."""
    ids = block_ids(lane)
    for at in range(s.first_block, s.first_block + s.cached_blocks):
        if uses(lane)[at] != NONE:
            _forget(lane, i, ids[at])
    s.cached_blocks = 0
    s.runs = NONE


@helper
def _forget(lane: Lane, i: Index, block: Block) -> None:
    c = written(cache(lane)[i], pages(lane)[i], block)
    c.users = c.copies = NONE
    if lane.keeps_bits == 1:
        clear_bit(lane, i, block)


@helper
def empty(e: Instance, lane: Lane, i: Index) -> None:
    """Make every block free on an instance whose sequences are lost."""
    cell = e.oldest
    while cell != NONE:
        if cell < lane.id_count:
            _forget(lane, i, cell)
        cell = np.int64(cache(lane)[i, cell].newer)
    for spare in range(lane.id_count, lane.id_count + e.spares):
        written(cache(lane)[i], pages(lane)[i], spare).users = NONE
    e.oldest = e.newest = e.spare = NONE
    e.idle = e.spares = e.fills = 0
    e.free = e.kv_blocks
