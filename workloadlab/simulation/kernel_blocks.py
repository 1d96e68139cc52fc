"""KV blocks and the prefix cache of an instance.

A block is free, private to a sequence, or resident under a dense block id. Resident blocks are shared
by the sequences that use them; without users they stay, idle, until a block is needed and no free one
is left: then the least recently used goes first, and of one sequence the deepest. Residency is indexed
by id directly; nothing is hashed.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from workloadlab.simulation.kernel_state import JIT, NONE

__all__ = ["available", "blocks_for", "enter", "hits", "idle_hits", "release", "share", "take"]


@njit(**JIT)
def blocks_for(tokens: Any, block_size: Any) -> Any:
    """Round tokens up to blocks."""
    return (tokens + block_size - 1) // block_size


@njit(**JIT)
def available(e: Any) -> Any:
    """Count the blocks that a sequence could get: free ones, and idle ones by eviction."""
    return e.free + e.idle


@njit(**JIT)
def _retire(e: Any, cache: Any, i: Any, block: Any) -> None:
    """Link a resident block that lost its last user at the newest end."""
    c = cache[i, block]
    c.users = 0
    c.older, c.newer = e.newest, NONE
    if e.newest == NONE:
        e.oldest = block
    else:
        cache[i, e.newest].newer = block
    e.newest = block
    e.idle += 1


@njit(**JIT)
def _unlink(e: Any, cache: Any, i: Any, block: Any) -> None:
    c = cache[i, block]
    if c.older == NONE:
        e.oldest = c.newer
    else:
        cache[i, c.older].newer = c.newer
    if c.newer == NONE:
        e.newest = c.older
    else:
        cache[i, c.newer].older = c.older
    e.idle -= 1


@njit(**JIT)
def take(e: Any, cache: Any, i: Any, count: Any) -> None:
    """Turn `count` available blocks into private ones, evicting idle blocks as needed."""
    while e.free < count:
        block = e.oldest
        _unlink(e, cache, i, block)
        cache[i, block].users = NONE
        e.free += 1
    e.free -= count


@njit(**JIT)
def hits(s: Any, cache: Any, block_ids: Any, i: Any, limit: Any) -> Any:
    """Count the leading blocks of a request that are resident, at most `limit`."""
    most = min(s.blocks, limit)
    count = 0
    while count < most and cache[i, block_ids[s.first_block + count]].users >= 0:
        count += 1
    return count


@njit(**JIT)
def idle_hits(s: Any, cache: Any, block_ids: Any, i: Any, count: Any) -> Any:
    """Count which of the `count` hits are idle: using them takes them from what is available."""
    idle = 0
    for k in range(count):
        if cache[i, block_ids[s.first_block + k]].users == 0:
            idle += 1
    return idle


@njit(**JIT)
def share(e: Any, s: Any, cache: Any, block_ids: Any, holds: Any, i: Any, count: Any) -> None:
    """Let a sequence use the `count` leading resident blocks of its request."""
    for k in range(count):
        block = block_ids[s.first_block + k]
        if cache[i, block].users == 0:
            _unlink(e, cache, i, block)
        cache[i, block].users += 1
        holds[s.first_block + k] = 1
    s.named = count


@njit(**JIT)
def enter(e: Any, s: Any, cache: Any, block_ids: Any, holds: Any, i: Any, tokens: Any) -> None:
    """Make the full blocks of the first `tokens` tokens resident, used by this sequence.

    A block that another sequence made resident in the meantime stays a private copy.
    """
    until = min(s.blocks, tokens // e.block_size)
    while s.named < until:
        at = s.first_block + s.named
        c = cache[i, block_ids[at]]
        holds[at] = 1 if c.users == NONE else 0
        if c.users == NONE:
            c.users = 1
        s.named += 1


@njit(**JIT)
def release(
    e: Any, s: Any, cache: Any, block_ids: Any, holds: Any, i: Any, computed: Any, taken: Any
) -> None:
    """Give back all blocks of a sequence, the deepest first.

    It has those of its `computed` tokens, and `taken` more that it got in the current step.
    """
    private = blocks_for(computed, e.block_size) + taken
    if e.caching == 1:
        enter(e, s, cache, block_ids, holds, i, computed)
        for k in range(s.named - 1, -1, -1):
            at = s.first_block + k
            if holds[at] == 1:
                block = block_ids[at]
                private -= 1
                cache[i, block].users -= 1
                if cache[i, block].users == 0:
                    _retire(e, cache, i, block)
        s.named = 0
    e.free += private
