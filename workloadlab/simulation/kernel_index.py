"""A router's own prefix index, compiled: the semantics of `reference_index.py` without searching.

A table by block and instance gives the node that stands for the block there, 0 if there is none. Nodes
are linked from the least to the most recently used in one ring per instance, or in one for all. Zeroed
memory is an empty index, and parts of it that no prompt reaches are never paged in.

Blocks enter deepest first and leave by age, so whoever holds a block holds those before it, and the
match is found by bisection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import from_dtype, njit, types

from workloadlab.simulation.kernel_state import JIT, NONE

if TYPE_CHECKING:
    from workloadlab.routing import PrefixIndex
    from workloadlab.simulation.workload import Workload

__all__ = ["TYPES", "Index", "empty_index", "index_insert", "index_match"]

RULES = np.dtype(
    [("capacity", "i8"), ("ttl_s", "f8"), ("sweep_s", "f8"), ("tree", "i8"), ("block_size", "i8"),
     ("rings", "i8"), ("swept", "i8"), ("unused", "i8"), ("freed", "i8")],
    align=True,
)  # fmt: skip
"""The limits of the index, then its state: `swept` counts the sweeps that were due, `unused` is the
first node that never held anything, and `freed` the first of those that no longer do."""

NODE = np.dtype(
    [("used_s", "f8"), ("block", "i4"), ("tokens", "i4"), ("instance", "i4"), ("older", "i4"),
     ("newer", "i4")],
    align=True,
)  # fmt: skip
"""Tokens that an instance is believed to hold: when they were last sent there, which block they are (-1
for the rest of a prompt, which the table does not list), and the neighbours by age. Nodes 1 to `rings`
close the rings."""


class Index(NamedTuple):
    """The rules (one record), the table by block and instance, the nodes, and the tokens of the nodes.

    The tokens are those of each instance and, last, of all.
    """

    rules: Any
    table: Any
    nodes: Any
    tokens: Any


TYPES = (
    types.Array(from_dtype(RULES), 1, "C"),
    types.int32[:, ::1],
    types.Array(from_dtype(NODE), 1, "C"),
    types.int64[::1],
)
"""Types of the parts of an index, in the order of `Index`."""


def empty_index(settings: PrefixIndex | None, workload: Workload, instances: int) -> Index:
    """Lay out the index of a router at the start of a run; without settings it has no nodes."""
    rules, tokens = np.zeros(1, RULES), np.zeros(instances + 1, np.int64)
    if settings is None:
        return Index(rules, np.zeros((instances, 0), np.int32), np.zeros(0, NODE), tokens)
    capacity, ttl_s = settings.capacity_tokens, settings.ttl_s
    rings = 1 if settings.shared else instances
    rules["capacity"] = np.iinfo(np.int64).max if capacity is None else capacity
    rules["ttl_s"] = np.inf if ttl_s is None else ttl_s
    rules["sweep_s"], rules["tree"] = settings.sweep_s, settings.kind == "tree"
    rules["block_size"], rules["rings"] = workload.block_size, rings
    rules["unused"] = rings + 1
    ids = int(workload.block_ids.max(initial=-1)) + 1
    nodes = np.zeros(1 + rings + len(workload.block_ids) + len(workload), NODE)
    ends = np.arange(1, rings + 1)
    nodes["older"][ends] = nodes["newer"][ends] = ends
    return Index(rules, np.zeros((ids, instances), np.int32), nodes, tokens)


@njit(**JIT)
def _ring(index: Any, i: Any) -> Any:
    """Return the node that closes an instance's ring: its `newer` is the oldest."""
    return 1 + (i if index.rules[0].rings > 1 else 0)


@njit(**JIT)
def _whole_blocks(index: Any, job: Any) -> Any:
    """Count the whole blocks of a prompt that have ids."""
    size = index.rules[0].block_size
    return min(job.blocks, job.input // size) if size > 0 else 0


@njit(**JIT)
def _forget_oldest(index: Any, ring: Any) -> None:
    rules, nodes = index.rules[0], index.nodes
    place = nodes[ring].newer
    node = nodes[place]
    nodes[ring].newer = node.newer
    nodes[node.newer].older = ring
    index.tokens[node.instance] -= node.tokens
    index.tokens[-1] -= node.tokens
    if node.block != NONE:
        index.table[node.block, node.instance] = 0
    node.newer = rules.freed
    rules.freed = place


@njit(**JIT)
def _trim(index: Any, i: Any) -> None:
    """Enforce the capacity of an instance, or of all if it is shared."""
    held = i if index.rules[0].rings > 1 else len(index.tokens) - 1
    while index.tokens[held] > index.rules[0].capacity:
        _forget_oldest(index, _ring(index, i))


@njit(**JIT)
def _age(index: Any, now: Any) -> None:
    """Forget what is too old by `now`, and what is too much if a sweep was due."""
    rules, nodes = index.rules[0], index.nodes
    if rules.ttl_s < np.inf:
        for i in range(rules.rings):
            ring = _ring(index, i)
            while nodes[ring].newer != ring and (
                nodes[nodes[ring].newer].used_s + rules.ttl_s <= now
            ):
                _forget_oldest(index, ring)
    if rules.sweep_s > 0.0 and np.floor(now / rules.sweep_s) > rules.swept:
        rules.swept = np.int64(np.floor(now / rules.sweep_s))
        for i in range(rules.rings):
            _trim(index, i)


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


@njit(**JIT)
def index_match(index: Any, lane: Any, views: Any, row: Any, now: Any) -> None:
    """Tell the router what its index knows of a request, on every instance."""
    _age(index, now)
    job = lane.jobs[row]
    whole = _whole_blocks(index, job)
    for i in range(len(views)):
        found, most = 0, whole
        while found < most:
            middle = (found + most) >> 1
            if index.table[lane.block_ids[job.first_block + middle], i] != 0:
                found = middle + 1
            else:
                most = middle
        views[i].indexed_tokens = found * index.rules[0].block_size
        views[i].index_size_tokens = index.tokens[i]


@njit(**JIT)
def index_insert(index: Any, lane: Any, row: Any, i: Any, now: Any) -> None:
    """Remember that a request was sent to instance `i`: the deepest block first."""
    rules, table, nodes = index.rules[0], index.table, index.nodes
    job, ring, size = lane.jobs[row], _ring(index, i), rules.block_size
    whole, added = _whole_blocks(index, job), 0
    rest = job.input - whole * size
    if rules.tree == 1 and rest > 0:
        place = _take(rules, nodes)
        nodes[place].block, nodes[place].instance, nodes[place].tokens = NONE, i, rest
        _append(nodes, place, ring, now)
        added = rest
    for k in range(job.first_block + whole - 1, job.first_block - 1, -1):
        block = lane.block_ids[k]
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
    index.tokens[i] += added
    index.tokens[-1] += added
    if rules.sweep_s == 0.0:
        _trim(index, i)
