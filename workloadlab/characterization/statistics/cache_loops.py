"""The loops that arrays cannot express: caches over chained blocks. Arrays in, arrays out.

Accesses are flat: request i uses `ids[offsets[i]:offsets[i + 1]]`, head of the prompt first. Ids are
dense (0 to distinct - 1) and chained: a block always has the same parent, so a request uses it once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.jit import entry

__all__ = [
    "belady_hits",
    "chain_parents",
    "fifo_hits",
    "hash_words",
    "hits_within_groups",
    "leaf_first_distances",
    "next_uses",
    "previous_requests",
    "route_by_prefix",
    "routed_hits",
    "stack_distances",
]


@entry(allocates=True)
def popcount(word: Any) -> Any:
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@entry(allocates=True)
def highest_bit(word: Any) -> Any:
    bit = np.int64(0)
    for shift in (32, 16, 8, 4, 2, 1):
        if word >> np.uint64(shift):
            word >>= np.uint64(shift)
            bit += shift
    return bit


@entry(allocates=True)
def chain_parents(ids: Any, offsets: Any, distinct: Any) -> Any:
    """Return each block's parent (-1 for a first block), and whether every block has one only."""
    parents = np.full(distinct, -2, np.int64)
    for i in range(len(offsets) - 1):
        parent = np.int64(-1)
        for p in range(offsets[i], offsets[i + 1]):
            block = np.int64(ids[p])
            if parents[block] == -2:
                parents[block] = parent
            elif parents[block] != parent:
                return parents, False
            parent = block
    return parents, True


@entry(allocates=True)
def previous_requests(ids: Any, offsets: Any, distinct: Any) -> Any:
    """Return for each access the request that used the block last, -1 where none did."""
    last = np.full(distinct, -1, np.int64)
    previous = np.empty(len(ids), np.int64)
    for i in range(len(offsets) - 1):
        for p in range(offsets[i], offsets[i + 1]):
            previous[p] = last[ids[p]]
            last[ids[p]] = i
    return previous


@entry(allocates=True)
def next_uses(ids: Any, distinct: Any) -> Any:
    """Return for each access the position of the block's next one, -1 where there is none."""
    upcoming = np.full(distinct, -1, np.int64)
    following = np.empty(len(ids), np.int64)
    for p in range(len(ids) - 1, -1, -1):
        following[p] = upcoming[ids[p]]
        upcoming[ids[p]] = p
    return following


@entry(allocates=True)
def fenwick_add(tree: Any, word: Any, delta: Any) -> None:
    if delta != 0:
        node = word + 1
        while node < len(tree):
            tree[node] += delta
            node += node & -node


@entry(allocates=True)
def marks_before(marks: Any, tree: Any, position: Any) -> Any:
    """Return how many marks lie below a position."""
    word = position >> 6
    below = (np.uint64(1) << np.uint64(position & 63)) - np.uint64(1)
    count = popcount(marks[word] & below)
    while word > 0:
        count += tree[word]
        word -= word & -word
    return count


@entry(allocates=True)
def stack_distances(ids: Any, distinct: Any, tokens: Any) -> Any:
    """Return how many accesses, and tokens of theirs, have each LRU stack distance.

    The distance is the block's place in order of recency, from 1: a cache of at least that many
    blocks hits. Place 0 of the histograms holds the first uses.

    A mark stands where each block was touched last; marks are bits, counted by a Fenwick tree over
    words of 64, small enough to stay in a processor's cache. Of two neighbours that were touched one
    after the other before, the second has the distance of the first.

    Args:
        ids: flat accesses.
        distinct: number of block ids.
        tokens: int64, tokens of each access.

    Returns:
        Two int64 histograms of distinct + 1 places: accesses, tokens.
    """
    marks = np.zeros(len(ids) // 64 + 1, np.uint64)
    tree = np.zeros(len(marks) + 1, np.int32)
    last = np.full(distinct, -1, np.int64)
    accesses = np.zeros(distinct + 1, np.int64)
    weights = np.zeros(distinct + 1, np.int64)
    seen, place, distance = np.int64(0), np.int64(-2), np.int64(0)
    for p in range(len(ids)):
        before = last[ids[p]]
        if before < 0:
            distance = np.int64(0)
            seen += 1
        else:
            if before != place + 1:
                distance = seen - marks_before(marks, tree, before)
            marks[before >> 6] ^= np.uint64(1) << np.uint64(before & 63)
            if before >> 6 != p >> 6:
                fenwick_add(tree, before >> 6, -1)
        marks[p >> 6] |= np.uint64(1) << np.uint64(p & 63)
        if before < 0 or before >> 6 != p >> 6:
            fenwick_add(tree, p >> 6, 1)
        last[ids[p]] = p
        place = before if before >= 0 else np.int64(-2)
        accesses[distance] += 1
        weights[distance] += tokens[p]
    return accesses, weights


@entry(allocates=True)
def leaf_first_distances(ids: Any, offsets: Any, distinct: Any, tokens: Any) -> Any:
    """Return what `stack_distances` does, for a cache that looks a whole request up at once.

    The request's blocks are touched after that, from the tail to the head, as engines free leaves
    first: a parent is always more recent than its child, and the cache is closed under prefixes.
    """
    marks = np.zeros(len(ids) // 64 + 1, np.uint64)
    tree = np.zeros(len(marks) + 1, np.int32)
    last = np.full(distinct, -1, np.int64)
    accesses = np.zeros(distinct + 1, np.int64)
    weights = np.zeros(distinct + 1, np.int64)
    seen = np.int64(0)
    for i in range(len(offsets) - 1):
        first, end = offsets[i], offsets[i + 1]
        place, distance = np.int64(-2), np.int64(0)
        for p in range(first, end):
            before = last[ids[p]]
            if before < 0:
                distance = np.int64(0)
            elif before == place - 1:
                distance += 1
            else:
                distance = seen - marks_before(marks, tree, before)
            place = before
            accesses[distance] += 1
            weights[distance] += tokens[p]
        current, delta = np.int64(0), 0
        for p in range(first, end):
            before = last[ids[p]]
            if before < 0:
                seen += 1
                continue
            if before >> 6 != current:
                fenwick_add(tree, current, delta)
                current, delta = before >> 6, 0
            marks[current] ^= np.uint64(1) << np.uint64(before & 63)
            delta -= 1
        fenwick_add(tree, current, delta)
        current, delta = np.int64(0), 0
        for p in range(end - 1, first - 1, -1):
            now = first + (end - 1 - p)
            last[ids[p]] = now
            if now >> 6 != current:
                fenwick_add(tree, current, delta)
                current, delta = now >> 6, 0
            marks[current] |= np.uint64(1) << np.uint64(now & 63)
            delta += 1
        fenwick_add(tree, current, delta)
    return accesses, weights


@entry(allocates=True)
def belady_hits(following: Any, offsets: Any, tokens: Any, capacity: Any) -> Any:
    """Return hits, and tokens of theirs, of the optimal cache of `capacity` blocks.

    It keeps the blocks whose next use is nearest (Belady's MIN, free not to keep a block at all).
    The cache is the set of the positions of next uses, a tree of 64-bit words, so a hit is a bit.

    Args:
        following: what `next_uses` returned.
        offsets: int64, (requests + 1,).
        tokens: int64, tokens of each access.
        capacity: in blocks.
    """
    starts = np.zeros(8, np.int64)
    size, levels = len(following) // 64 + 1, 1
    while size > 1:
        starts[levels] = starts[levels - 1] + size
        size = size // 64 + 1 if size > 64 else 1
        levels += 1
    bits = np.zeros(starts[levels - 1] + size, np.uint64)
    held, hits, hit_tokens = 0, 0, np.int64(0)
    for i in range(len(offsets) - 1):
        for p in range(offsets[i], offsets[i + 1]):
            if bits[p >> 6] >> np.uint64(p & 63) & np.uint64(1):
                hits += 1
                hit_tokens += tokens[p]
                held -= 1
                clear_bit(bits, starts, levels, p)
        for p in range(offsets[i], offsets[i + 1]):
            q = following[p]
            if q < 0:
                continue
            held += 1
            for level in range(levels):
                bits[starts[level] + (q >> 6)] |= np.uint64(1) << np.uint64(q & 63)
                q >>= 6
            if held > capacity:
                held -= 1
                farthest = np.int64(0)
                for level in range(levels - 1, -1, -1):
                    farthest = (farthest << 6) + highest_bit(bits[starts[level] + farthest])
                clear_bit(bits, starts, levels, farthest)
    return hits, hit_tokens


@entry(allocates=True)
def clear_bit(bits: Any, starts: Any, levels: Any, position: Any) -> None:
    for level in range(levels):
        word = starts[level] + (position >> 6)
        bits[word] &= ~(np.uint64(1) << np.uint64(position & 63))
        if bits[word] != 0:
            return
        position >>= 6


@entry(allocates=True)
def fifo_hits(ids: Any, distinct: Any, tokens: Any, capacity: Any) -> Any:
    """Return hits, and tokens of theirs, of a cache that evicts what it took in first."""
    queue = np.full(capacity, -1, np.int64)
    held = np.zeros(distinct, np.bool_)
    head, hits, hit_tokens = 0, 0, np.int64(0)
    for p in range(len(ids)):
        block = np.int64(ids[p])
        if held[block]:
            hits += 1
            hit_tokens += tokens[p]
            continue
        if queue[head] >= 0:
            held[queue[head]] = False
        queue[head] = block
        held[block] = True
        head = head + 1 if head + 1 < capacity else 0
    return hits, hit_tokens


@entry(allocates=True)
def hits_within_groups(ids: Any, offsets: Any, distinct: Any, order: Any, groups: Any) -> Any:
    """Return for each request its leading blocks that an earlier request of its group used.

    Args:
        ids: flat accesses.
        offsets: int64, (requests + 1,).
        distinct: number of block ids.
        order: requests sorted by group, in order of arrival within one.
        groups: the group of each request; below 0 for none.
    """
    stamp = np.full(distinct, -1, np.int64)
    hits = np.zeros(len(offsets) - 1, np.int64)
    for i in order:
        if groups[i] < 0:
            continue
        for p in range(offsets[i], offsets[i + 1]):
            if stamp[ids[p]] != groups[i]:
                break
            hits[i] += 1
        for p in range(offsets[i], offsets[i + 1]):
            stamp[ids[p]] = groups[i]
    return hits


@entry(allocates=True)
def routed_hits(ids: Any, offsets: Any, distinct: Any, chosen: Any, instances: Any) -> Any:
    """Return the hits of unbounded caches, one per instance (64 at most), and each one's misses."""
    holders = np.zeros(distinct, np.uint64)
    misses = np.zeros(instances, np.int64)
    hits = 0
    for i in range(len(offsets) - 1):
        mine = np.uint64(1) << np.uint64(chosen[i])
        for p in range(offsets[i], offsets[i + 1]):
            if holders[ids[p]] & mine:
                hits += 1
            else:
                holders[ids[p]] |= mine
                misses[chosen[i]] += 1
    return hits, misses


@entry(allocates=True)
def route_by_prefix(ids: Any, offsets: Any, distinct: Any, instances: Any, slack: Any) -> Any:
    """Choose for each request the instance with its longest prefix among those not overloaded.

    An instance is overloaded when the blocks it has prefilled exceed `slack` times the mean plus
    the request's own blocks. Ties go to the instance that prefilled least, then the first.
    """
    holders = np.zeros(distinct, np.uint64)
    prefilled = np.zeros(instances, np.int64)
    chosen = np.empty(len(offsets) - 1, np.int64)
    total = np.int64(0)
    for i in range(len(offsets) - 1):
        first, end = offsets[i], offsets[i + 1]
        limit = slack * total / instances + (end - first)
        best = np.uint64(0)
        for k in range(instances):
            if prefilled[k] <= limit:
                best |= np.uint64(1) << np.uint64(k)
        for p in range(first, end):
            deeper = best & holders[ids[p]]
            if deeper == 0:
                break
            best = deeper
        choice = -1
        for k in range(instances):
            if best >> np.uint64(k) & np.uint64(1) and (
                choice < 0 or prefilled[k] < prefilled[choice]
            ):
                choice = k
        mine = np.uint64(1) << np.uint64(choice)
        for p in range(first, end):
            if not holders[ids[p]] & mine:
                holders[ids[p]] |= mine
                prefilled[choice] += 1
                total += 1
        chosen[i] = choice
    return chosen


@entry(allocates=True)
def hash_words(letters: Any, offsets: Any) -> Any:
    """Return 64 bits of each word, whose letters lie between two offsets (FNV-1a)."""
    found = np.empty(len(offsets) - 1, np.uint64)
    for k in range(len(found)):
        bits = np.uint64(0xCBF29CE484222325)
        for p in range(offsets[k], offsets[k + 1]):
            bits = (bits ^ np.uint64(letters[p])) * np.uint64(0x100000001B3)
        found[k] = bits
    return found
