"""A router's own prefix index, compiled: the semantics of `reference_index.py` without searching.

A table by block and instance gives the node that stands for the block there, 0 if there is none. Nodes
are linked from the least to the most recently used in one ring per instance, or in one for all. Zeroed
memory is an empty index, and parts of it that no prompt reaches are never paged in.

Blocks enter deepest first and leave by age, so whoever holds a block holds those before it, and the
match is found by bisection.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from workloadlab.simulation.kernel_lane import (
    block_ids,
    index_nodes,
    index_rules,
    index_tables,
    index_tokens,
    slots,
    views,
)
from workloadlab.simulation.kernel_state import ENTRY, JIT, NONE

__all__ = ["index_insert", "index_match"]


@njit(**JIT)
def _ring(lane: Any, i: Any) -> Any:
    """Return the node that closes an instance's ring: its `newer` is the oldest."""
    return 1 + (i if index_rules(lane)[0].rings > 1 else 0)


@njit(**JIT)
def _whole_blocks(lane: Any, s: Any) -> Any:
    """Count the whole blocks of a prompt that have ids."""
    size = index_rules(lane)[0].block_size
    return min(s.blocks, s.input // size) if size > 0 else 0


@njit(**JIT)
def _forget_oldest(lane: Any, ring: Any) -> None:
    rules, nodes = index_rules(lane)[0], index_nodes(lane)
    place = nodes[ring].newer
    node = nodes[place]
    nodes[ring].newer = node.newer
    nodes[node.newer].older = ring
    index_tokens(lane)[node.instance] -= node.tokens
    index_tokens(lane)[lane.instances] -= node.tokens
    if node.block != NONE:
        index_tables(lane)[node.block, node.instance] = 0
    node.newer = rules.freed
    rules.freed = place


@njit(**JIT)
def _trim(lane: Any, i: Any) -> None:
    """Enforce the capacity of an instance, or of all if it is shared."""
    held = i if index_rules(lane)[0].rings > 1 else lane.instances
    while index_tokens(lane)[held] > index_rules(lane)[0].capacity:
        _forget_oldest(lane, _ring(lane, i))


@njit(**JIT)
def _age(lane: Any, now: Any) -> None:
    """Forget what is too old by `now`, and what is too much if a sweep was due."""
    rules, nodes = index_rules(lane)[0], index_nodes(lane)
    if rules.ttl_s < np.inf:
        for i in range(rules.rings):
            ring = _ring(lane, i)
            while nodes[ring].newer != ring and (
                nodes[nodes[ring].newer].used_s + rules.ttl_s <= now
            ):
                _forget_oldest(lane, ring)
    if rules.sweep_s > 0.0 and np.floor(now / rules.sweep_s) > rules.swept:
        rules.swept = np.int64(np.floor(now / rules.sweep_s))
        for i in range(rules.rings):
            _trim(lane, i)


@njit(**JIT)
def _take(rules: Any, nodes: Any) -> Any:
    """Return a node that holds nothing: one that was freed, or one that never held anything."""
    place = rules.freed
    if place != 0:
        rules.freed = nodes[place].newer
    else:
        place = rules.unused
        rules.unused += 1
    return place


@njit(**JIT)
def _append(nodes: Any, place: Any, ring: Any, now: Any) -> None:
    """Link a node as the most recently used of its ring."""
    newest = nodes[ring].older
    node = nodes[place]
    node.used_s, node.older, node.newer = now, newest, ring
    nodes[newest].newer = place
    nodes[ring].older = place


@njit(**ENTRY)
def index_match(lane: Any) -> None:
    """Tell the router what its index knows of a request, on every instance."""
    s, shown = slots(lane)[lane.held.head], views(lane)
    _age(lane, lane.now_s)
    whole = _whole_blocks(lane, s)
    for i in range(lane.instances):
        found, most = 0, whole
        while found < most:
            middle = (found + most) >> 1
            if index_tables(lane)[block_ids(lane)[s.first_block + middle], i] != 0:
                found = middle + 1
            else:
                most = middle
        shown[i].indexed_tokens = found * index_rules(lane)[0].block_size
        shown[i].index_size_tokens = index_tokens(lane)[i]


@njit(**ENTRY)
def index_insert(lane: Any, s: Any, i: Any) -> None:
    """Remember that a request was sent to instance `i`: the deepest block first."""
    rules, table, nodes = index_rules(lane)[0], index_tables(lane), index_nodes(lane)
    ring, size, now = _ring(lane, i), rules.block_size, lane.now_s
    whole, added = _whole_blocks(lane, s), 0
    rest = s.input - whole * size
    if rules.tree == 1 and rest > 0:
        place = _take(rules, nodes)
        nodes[place].block, nodes[place].instance, nodes[place].tokens = NONE, i, rest
        _append(nodes, place, ring, now)
        added = rest
    for k in range(s.first_block + whole - 1, s.first_block - 1, -1):
        block = block_ids(lane)[k]
        place = table[block, i]
        if place == 0:
            place = _take(rules, nodes)
            nodes[place].block, nodes[place].instance, nodes[place].tokens = block, i, size
            table[block, i] = place
            added += size
        else:
            nodes[nodes[place].older].newer = nodes[place].newer
            nodes[nodes[place].newer].older = nodes[place].older
        _append(nodes, place, ring, now)
    index_tokens(lane)[i] += added
    index_tokens(lane)[lane.instances] += added
    if rules.sweep_s == 0.0:
        _trim(lane, i)
