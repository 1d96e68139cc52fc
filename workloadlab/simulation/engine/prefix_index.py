"""A router's own prefix index, compiled: the semantics of `prefix_index.py` without searching.

Each replica of the router has one; functions work on that of the replica whose turn it is.

It is a radix tree for each instance. A prompt that is placed takes the blocks that it shares with others
over from them, so a block belongs to the last prompt that was sent with it, and what a prompt still has
is one edge: its blocks from `shared` up to `blocks`. An edge is found by the block that it begins with.
Prompts queue up by age, those of an instance or, if they share the capacity, those of all; what is
forgotten is the deepest of the first in the queue.

The bits of `prefix_bits` say whether any prompt has a block on an instance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import entry, helper, inline
from workloadlab.simulation.engine.arrays import (
    block_ids,
    first_blocks,
    index_buckets,
    index_parts,
    index_prompts,
    index_rules,
    slots,
    views,
)
from workloadlab.simulation.engine.blocks.told import clear_bit, set_bit, tell_indexed, whole_blocks
from workloadlab.simulation.engine.kv_blocks import blocks_for
from workloadlab.simulation.engine.lane_record import part
from workloadlab.simulation.engine.record_types import NONE
from workloadlab.simulation.engine.replicas import queue

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Block,
        Count,
        Index,
        Lane,
        Position,
        Record,
        Request,
        Row,
        Seconds,
    )

__all__ = ["forget_instance", "index_insert", "index_match"]


@inline
def _rules(lane: Lane) -> Record:
    """Return the limits of the index of the replica whose turn it is."""
    return index_rules(lane)[lane.replica]


@inline
def _parts(lane: Lane) -> Array:
    """Return the parts of its index."""
    return index_parts(lane)[lane.replica]


@helper
def _part(lane: Lane, i: Index) -> Position:
    """Return the part that an instance queues in: its own, or that of all."""
    return lane.instances if _rules(lane).shared == 1 else i


@helper
def _bucket(lane: Lane, i: Index, block: Block) -> Position:
    """Return where an edge is listed: multiplicative hashing by the golden ratio of 2^32."""
    return ((block * lane.instances + i) * 2654435769 >> 15) & (lane.buckets - 1)


@helper
def _find(lane: Lane, i: Index, block: Block) -> Row:
    """Return the row of the prompt on an instance whose edge begins with a block, -1 for none."""
    row = index_buckets(lane)[lane.replica, _bucket(lane, i, block)]
    while row != NONE:
        p = index_prompts(lane)[row]
        if p.head == block and p.instance == i:
            break
        row = p.chained
    return row


@helper
def _list(lane: Lane, row: Row) -> None:
    """List a prompt by the first block of its edge, if it has one."""
    p = index_prompts(lane)[row]
    if p.shared < p.blocks:
        p.head = block_ids(lane)[first_blocks(lane)[row] + p.shared]
        at = _bucket(lane, p.instance, p.head)
        p.chained = index_buckets(lane)[lane.replica, at]
        index_buckets(lane)[lane.replica, at] = row


@helper
def _unlist(lane: Lane, row: Row) -> None:
    p = index_prompts(lane)[row]
    at = _bucket(lane, p.instance, p.head)
    before = index_buckets(lane)[lane.replica, at]
    if before == row:
        index_buckets(lane)[lane.replica, at] = p.chained
        return
    while index_prompts(lane)[before].chained != row:
        before = index_prompts(lane)[before].chained
    index_prompts(lane)[before].chained = p.chained


@helper
def _forget_deepest(lane: Lane, part: Position, most: Count) -> None:
    """Forget the deepest blocks that are left of a part's oldest prompt, or the prompt if nothing is.

    As many as have `most` tokens; a part of a block is forgotten as a whole, and before the others.
    """
    row = _parts(lane)[part].oldest
    p, first = index_prompts(lane)[row], first_blocks(lane)[row]
    i, tokens = p.instance, p.rest
    if p.rest > 0:
        p.rest = 0
    elif p.shared < p.blocks:
        count = min(p.blocks - p.shared, blocks_for(most, lane.block_tokens))
        p.blocks -= count
        for k in range(first + p.blocks, first + p.blocks + count):
            clear_bit(lane, i, block_ids(lane)[k])
        tokens = count * lane.block_tokens
        if p.shared == p.blocks:
            _unlist(lane, row)
    else:
        _parts(lane)[part].oldest = p.newer
    _parts(lane)[i].tokens -= tokens
    _parts(lane)[lane.instances].tokens -= tokens


@helper
def _forget_prompt(lane: Lane, row: Row) -> None:
    """Forget all that is left of a prompt."""
    p, parts, first = index_prompts(lane)[row], _parts(lane), first_blocks(lane)[row]
    if p.shared < p.blocks:
        _unlist(lane, row)
    for k in range(p.shared, p.blocks):
        clear_bit(lane, p.instance, block_ids(lane)[first + k])
    tokens = (p.blocks - p.shared) * lane.block_tokens + p.rest
    p.blocks, p.rest = p.shared, 0
    parts[p.instance].tokens -= tokens
    parts[lane.instances].tokens -= tokens


@helper
def forget_instance(lane: Lane, i: Index) -> None:
    """Forget all that was sent to an instance, so that its requests may be sent once more."""
    part = _parts(lane)[_part(lane, i)]
    before, row = NONE, part.oldest
    while row != NONE:
        p = index_prompts(lane)[row]
        if p.instance == i:
            _forget_prompt(lane, row)
            if before == NONE:
                part.oldest = p.newer
            else:
                index_prompts(lane)[before].newer = p.newer
            if part.newest == row:
                part.newest = before
        else:
            before = row
        row = p.newer


@helper
def _trim(lane: Lane, part: Position) -> None:
    """Enforce the capacity of a part."""
    p = _parts(lane)[part]
    while p.tokens > p.capacity:
        _forget_deepest(lane, part, p.tokens - p.capacity)


@helper
def _age(lane: Lane, now: Seconds) -> None:
    """Forget what is too old by `now`, and what is too much if a sweep was due."""
    rules, parts = _rules(lane), _parts(lane)
    first = _part(lane, np.int64(0))
    last = max(first + 1, lane.instances)
    if rules.ttl_s < np.inf:
        for part in range(first, last):
            while parts[part].oldest != NONE and (
                index_prompts(lane)[parts[part].oldest].used_s + rules.ttl_s <= now
            ):
                _forget_deepest(lane, part, parts[part].tokens)
    if rules.sweep_s > 0.0 and np.floor(now / rules.sweep_s) > rules.swept:
        rules.swept = np.int64(np.floor(now / rules.sweep_s))
        for part in range(first, last):
            _trim(lane, part)


@part("index_match", entry)
def index_match(lane: Lane) -> None:
    """Tell the router what its index knows of a request, on every instance."""
    shown = views(lane)
    _age(lane, lane.now_s)
    for i in range(lane.instances):
        shown[i].index_size_tokens = _parts(lane)[i].tokens
    s = slots(lane)[queue(lane).head]
    tell_indexed(lane, s, s.input)


@helper
def _take_over(lane: Lane, s: Request, i: Index, whole: Count) -> Count:
    """Take the leading blocks of a request over from the prompts that have them; return how many."""
    ids, depth = block_ids(lane), 0
    while depth < whole:
        row = _find(lane, i, ids[s.first_block + depth])
        if row == NONE:
            break
        _unlist(lane, row)
        p, first = index_prompts(lane)[row], first_blocks(lane)[row]
        until = p.blocks
        while (
            p.shared < until
            and depth < whole
            and (ids[first + p.shared] == ids[s.first_block + depth])
        ):
            p.shared += 1
            depth += 1
        _list(lane, row)
    return depth


@helper
def _queue_up(lane: Lane, part: Record, row: Row) -> None:
    """Put a prompt at the end of the queue of a part."""
    if part.oldest == NONE:
        part.oldest = row
    else:
        index_prompts(lane)[part.newest].newer = row
    part.newest = row


@part("index_insert", entry)
def index_insert(lane: Lane, s: Request, i: Index) -> None:
    """Remember that a request was sent to instance `i`."""
    rules, parts, p = _rules(lane), _parts(lane), index_prompts(lane)[s.row]
    whole = whole_blocks(lane, s, s.input)
    known = _take_over(lane, s, i, whole)
    p.used_s, p.instance, p.newer = lane.now_s, i, NONE
    p.shared, p.blocks = 0, whole
    p.rest = s.input - whole * lane.block_tokens if rules.tree == 1 else 0
    _list(lane, s.row)
    _queue_up(lane, parts[_part(lane, i)], s.row)
    for k in range(s.first_block + known, s.first_block + whole):
        set_bit(lane, i, block_ids(lane)[k])
    added = (whole - known) * lane.block_tokens + p.rest
    parts[i].tokens += added
    parts[lane.instances].tokens += added
    if rules.sweep_s == 0.0:
        _trim(lane, _part(lane, i))
