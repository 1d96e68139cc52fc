"""KV blocks and the prefix cache of an instance: vLLM's block pool, without visiting block after block.

A block is free, private to a sequence, or cached. Cached blocks without users are idle and stay until a
block is needed and no free one is left: then the one that was idle longest goes first, and of one
sequence the deepest.

A block that the trace names has a cell, indexed by its id; nothing is hashed. A copy that another
sequence computed meanwhile is cached as well: it has a spare cell, and the cells of an id are a circle.
Whoever looks for an id finds its own cell, into which the next copy moves when that one is evicted.

Full blocks without an id are cached too, but only their own request finds them, after a preemption.
While it runs they are counted; idle, all of one sequence are one spare cell, a run, of which the deepest
goes first. Runs of requests that have ended are nobody's, and neighbours become one.

A router is told of prefixes by bits: one by block and instance, set if the block is there, in its own
prefix index or really. A look-up walks down a prompt once, with the instances that had every block so
far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from workloadlab.jit import helper
from workloadlab.simulation.engine.arrays import (
    block_ids,
    cache,
    engines,
    fill_heap,
    pages,
    prefix_bits,
    run_places,
    slots,
    uses,
    views,
)
from workloadlab.simulation.engine.decodes import drop_fill, next_fill
from workloadlab.simulation.engine.record_types import NONE, PAGE_BITS, RUN

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Block,
        Cell,
        Count,
        Flag,
        Index,
        Instance,
        Lane,
        Position,
        Record,
        Request,
        Slot,
    )

__all__ = [
    "available",
    "blocks_for",
    "clear_bit",
    "empty",
    "enter",
    "enter_filled",
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
def _written(cells: Array, noted: Array, cell: Cell) -> Record:
    """Return a cell of an instance to write to, and note its page as written."""
    noted[cell >> PAGE_BITS] = 1
    return cells[cell]


@helper
def _retire(e: Instance, cells: Array, noted: Array, cell: Cell) -> None:
    """Link a cell that lost its last user at the newest end."""
    c = _written(cells, noted, cell)
    c.older, c.newer = e.newest, NONE
    if e.newest == NONE:
        e.oldest = cell
    else:
        _written(cells, noted, e.newest).newer = cell
    e.newest = cell


@helper
def _relink(e: Instance, cells: Array, noted: Array, cell: Cell, older: Cell, newer: Cell) -> None:
    """Let the neighbours of a cell, or the ends of the list, stand beside `older` and `newer`."""
    c = cells[cell]
    if c.older == NONE:
        e.oldest = newer
    else:
        _written(cells, noted, c.older).newer = newer
    if c.newer == NONE:
        e.newest = older
    else:
        _written(cells, noted, c.newer).older = older


@helper
def _unlink(e: Instance, cells: Array, noted: Array, cell: Cell) -> None:
    _relink(e, cells, noted, cell, cells[cell].older, cells[cell].newer)


@helper
def _spare(e: Instance, lane: Lane, i: Index) -> Cell:
    """Return a spare cell, -1 if there is none: where nothing is ever evicted none is needed."""
    cell = e.spare
    if cell != NONE:
        e.spare = cache(lane)[i, cell].newer
    elif e.spares < lane.spare_count:
        cell = lane.id_count + e.spares
        e.spares += 1
    return cell


@helper
def _give_back(e: Instance, cells: Array, noted: Array, cell: Cell) -> None:
    """Make a cell spare again."""
    c = _written(cells, noted, cell)
    c.users, c.newer = NONE, e.spare
    e.spare = cell


@helper
def _move_home(e: Instance, lane: Lane, i: Index, block: Block) -> None:
    """Let the next copy of a block be found in the block's own cell."""
    cells, noted = cache(lane)[i], pages(lane)[i]
    c = _written(cells, noted, block)
    at = c.copies
    moved = cells[at]
    c.users = moved.users
    c.copies = moved.copies if moved.copies >= lane.id_count else NONE
    if moved.users > 0:
        uses(lane)[moved.older] = block
    else:
        c.older, c.newer = moved.older, moved.newer
        _relink(e, cells, noted, at, block, block)
    _give_back(e, cells, noted, at)


@helper
def _drop_copy(e: Instance, lane: Lane, i: Index, cell: Cell) -> None:
    """Take a copy out of the circle of its block."""
    cells, noted = cache(lane)[i], pages(lane)[i]
    before = cells[cell].copies
    while cells[before].copies != cell:
        before = cells[before].copies
    after = cells[cell].copies
    alone = before < lane.id_count and after == before
    _written(cells, noted, before).copies = NONE if alone else after
    _give_back(e, cells, noted, cell)


@helper
def _forget_run(lane: Lane, i: Index, cell: Cell) -> None:
    """Take a run out of the chain of its request."""
    s = slots(lane)[RUN - 1 - cache(lane)[i, cell].users]
    after = run_places(lane)[i, cell - lane.id_count].next
    if s.runs == cell:
        s.runs = after
        return
    before = s.runs
    while run_places(lane)[i, before - lane.id_count].next != cell:
        before = run_places(lane)[i, before - lane.id_count].next
    pages(lane)[i, before >> PAGE_BITS] = 1
    run_places(lane)[i, before - lane.id_count].next = after


@helper
def _shorten(e: Instance, lane: Lane, i: Index, cell: Cell, count: Count) -> None:
    """Take `count` blocks from the deep end of a run."""
    cells, noted = cache(lane)[i], pages(lane)[i]
    c = _written(cells, noted, cell)
    c.copies -= count
    e.idle -= count
    if c.copies == 0:
        _unlink(e, cells, noted, cell)
        if c.users < RUN:
            _forget_run(lane, i, cell)
        _give_back(e, cells, noted, cell)


@helper
def _evict(e: Instance, lane: Lane, i: Index, most: Count) -> None:
    """Free the block that was idle longest; of a run as many as `most`."""
    cells, noted, cell = cache(lane)[i], pages(lane)[i], e.oldest
    c = cells[cell]
    if c.users <= RUN:
        count = min(most, np.int64(c.copies))
        _shorten(e, lane, i, cell, count)
        e.free += count
        return
    _unlink(e, cells, noted, cell)
    e.free += 1
    e.idle -= 1
    if cell >= lane.id_count:
        _drop_copy(e, lane, i, cell)
    elif c.copies != NONE:
        _move_home(e, lane, i, cell)
    else:
        _written(cells, noted, cell).users = NONE
        if lane.keeps_bits == 1:
            clear_bit(lane, i, cell)


@helper
def take(e: Instance, lane: Lane, i: Index, count: Count) -> None:
    """Turn `count` available blocks into private ones, evicting idle blocks as needed."""
    while e.free < count:  # `count` is available, so an idle block is there to evict
        _evict(e, lane, i, count - e.free)
    e.free -= count


@helper
def hits(s: Request, lane: Lane, i: Index, limit: Count) -> Count:
    """Count the leading blocks of a request that are cached, at most `limit`."""
    cells, ids, most = cache(lane)[i], block_ids(lane), min(s.blocks, limit)
    count = 0
    while count < most and cells[ids[s.first_block + count]].users >= 0:  # ids are prefix-chained
        count += 1
    if count == s.blocks and s.runs != NONE:
        while count < limit and _run_with(s, lane, i, count) != NONE:
            count += 1
    return count


@helper
def _run_with(s: Request, lane: Lane, i: Index, place: Position) -> Cell:
    """Return the run that holds a block of a preempted request, the one cached first; -1 for none."""
    cell = s.runs
    while cell != NONE:
        run = run_places(lane)[i, cell - lane.id_count]
        if run.first <= place < run.first + cache(lane)[i, cell].copies:
            break
        cell = run.next
    return cell


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
        c = _written(cells, noted, ids[at])
        if c.users == 0:
            _unlink(e, cells, noted, ids[at])
            e.idle -= 1
        c.users += 1
        used[at] = ids[at]
    s.cached_blocks = named
    for place in range(named, count):
        _use_of_run(e, s, lane, i, place)


@helper
def _use_of_run(e: Instance, s: Request, lane: Lane, i: Index, place: Position) -> None:
    """Take a block back from the run that holds it; what is deeper in it and stays is a run before."""
    cell = _run_with(s, lane, i, place)
    noted = pages(lane)[i]
    noted[cell >> PAGE_BITS] = 1
    run, c = run_places(lane)[i, cell - lane.id_count], cache(lane)[i, cell]
    above = place - run.first
    if above > 0:
        shallow = _insert_run(e, lane, i, cell, run.first, above)
        if shallow == NONE:
            e.idle -= above
            e.free += above
    run.first = place + 1
    c.copies -= above
    _shorten(e, lane, i, cell, 1)


@helper
def _insert_run(
    e: Instance, lane: Lane, i: Index, cell: Cell, first: Position, count: Count
) -> Cell:
    """Link `count` blocks as a run of their own behind a run of the same request; return it."""
    made = _spare(e, lane, i)
    if made == NONE:
        return made
    cells, noted = cache(lane)[i], pages(lane)[i]
    c, r = _written(cells, noted, made), _written(cells, noted, cell)
    c.users, c.copies = r.users, count
    c.older, c.newer = cell, r.newer
    if r.newer == NONE:
        e.newest = made
    else:
        _written(cells, noted, r.newer).older = made
    r.newer = made
    place, after = (
        run_places(lane)[i, made - lane.id_count],
        run_places(lane)[i, cell - lane.id_count],
    )
    place.first, place.next = first, after.next
    after.next = made
    return made


@helper
def _copy(lane: Lane, e: Instance, i: Index, at: Position) -> Cell:
    """Cache one more copy of a block, used by the request of that place; return its cell or -1."""
    cell = _spare(e, lane, i)
    if cell != NONE:
        cells, noted, block = cache(lane)[i], pages(lane)[i], block_ids(lane)[at]
        last = np.int64(block)
        while cells[last].copies >= lane.id_count:
            last = np.int64(cells[last].copies)
        _written(cells, noted, last).copies = cell
        c = _written(cells, noted, cell)
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
        _written(cells, noted, ids[at]).users = 1
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
        _disown_runs(s, lane, i)
    if cached > s.blocks:
        _retire_run(lane, i, q, cached - s.blocks, returns)
    # The deepest becomes idle first, hence is evicted first: a prefix without its head is no use.
    for at in range(s.first_block + s.cached_blocks - 1, s.first_block - 1, -1):
        if used[at] == NONE:
            e.free += 1
            continue
        c = _written(cells, noted, used[at])
        c.users -= 1
        if c.users == 0:
            _retire(e, cells, noted, used[at])
            e.idle += 1
    s.cached_blocks = 0


@helper
def _retire_run(lane: Lane, i: Index, q: Slot, count: Count, returns: Flag) -> None:
    """Let the cached blocks of a sequence that have no ids become idle."""
    e, s, cells, noted = engines(lane)[i], slots(lane)[q], cache(lane)[i], pages(lane)[i]
    if returns == 0 and e.newest != NONE and cells[e.newest].users == RUN:
        _written(cells, noted, e.newest).copies += count
        e.idle += count
        return
    cell = _spare(e, lane, i)
    if cell == NONE:
        e.free += count
        return
    c = _written(cells, noted, cell)
    c.users, c.copies = RUN - 1 - q if returns == 1 else RUN, count
    _retire(e, cells, noted, cell)
    e.idle += count
    if returns == 0:
        return
    place = run_places(lane)[i, cell - lane.id_count]
    place.first, place.next = s.blocks, NONE
    if s.runs == NONE:
        s.runs = cell
        return
    last = s.runs
    while run_places(lane)[i, last - lane.id_count].next != NONE:
        last = run_places(lane)[i, last - lane.id_count].next
    noted[last >> PAGE_BITS] = 1
    run_places(lane)[i, last - lane.id_count].next = cell


@helper
def _disown_runs(s: Request, lane: Lane, i: Index) -> None:
    """Let the runs of a request that ends be nobody's."""
    while s.runs != NONE:
        _written(cache(lane)[i], pages(lane)[i], s.runs).users = RUN
        s.runs = run_places(lane)[i, s.runs - lane.id_count].next


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
    c = _written(cache(lane)[i], pages(lane)[i], block)
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
        _written(cache(lane)[i], pages(lane)[i], spare).users = NONE
    e.oldest = e.newest = e.spare = NONE
    e.idle = e.spares = e.fills = 0
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
