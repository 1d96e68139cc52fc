"""The loops over uses of blocks: one table of all blocks of a file, and who would hold them."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.jit import entry, helper

__all__ = [
    "CHILD", "FIELDS", "LAST", "LEVELS", "MASKS", "PARENT", "USES", "count_holders", "grown", "meet",
]  # fmt: skip

KEY, USES, LAST, PARENT, CHILD, MASKS = range(6)
FIELDS = MASKS + 3
"""Fields of a block: id, uses (0: nobody has the place), moment of the last, parent, child, three masks.

parent: 0 for a first block. child: 0 for none, -1 for several. masks: which of 64 instances had it, by
each way to place requests.
"""

LEVELS = 7
"""1, 2, 4 .. 64 instances."""


@helper
def slot_of(table: Any, key: Any) -> Any:
    """Return the place of a block, or the free one that it would take."""
    bits = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    mask = np.int64(len(table) - 1)
    slot = np.int64(bits >> np.uint64(20)) & mask
    while table[slot, USES] != 0 and table[slot, KEY] != key:
        slot = (slot + 1) & mask
    return slot


@entry(allocates=True)
def grown(table: Any, size: Any) -> Any:
    """Return a table of another size, a power of two, with the same blocks."""
    larger = np.zeros((size, FIELDS), np.int64)
    for k in range(len(table)):
        if table[k, USES]:
            larger[slot_of(larger, table[k, KEY])] = table[k]
    return larger


@entry()
def meet(
    table: Any, keys: Any, arrival: Any, parents: Any, children: Any, instances: Any, gaps: Any
) -> Any:
    """Meet uses in order of arrival; return whether each block has one parent only.

    Args:
        table: (places, FIELDS), more than as many places as blocks.
        keys: of the blocks, use by use.
        arrival: of each use.
        parents: what stands for the block before; 0 for none.
        children: likewise for the one after.
        instances: (uses, 3), who would serve it of 64 instances.
        gaps: nanoseconds since the block's last use are written here, -1 for a first use.
    """
    for p in range(len(keys)):
        slot = slot_of(table, keys[p])
        if table[slot, USES] == 0:
            table[slot, KEY] = keys[p]
            table[slot, PARENT] = parents[p]
            gaps[p] = -1
        elif table[slot, PARENT] != parents[p]:
            return False
        else:
            gaps[p] = arrival[p] - table[slot, LAST]
        table[slot, USES] += 1
        table[slot, LAST] = arrival[p]
        if children[p] != 0 and table[slot, CHILD] != children[p]:
            table[slot, CHILD] = children[p] if table[slot, CHILD] == 0 else np.int64(-1)
        for way in range(instances.shape[1]):
            table[slot, MASKS + way] |= np.int64(1) << np.int64(instances[p, way])
    return True


@entry()
def count_holders(masks: Any, held: Any) -> None:
    """Count the blocks that each instance had, of 64, 32, .. 1 that a number modulo those picks.

    Args:
        masks: (blocks, ways), which of 64 instances had it.
        held: (ways, LEVELS, 64), blocks by 2^level instances and instance, which is added to.
    """
    for k in range(len(masks)):
        for way in range(masks.shape[1]):
            mask = np.uint64(masks[k, way])
            for level in range(LEVELS - 1, -1, -1):
                left = mask
                place = 0
                while left:
                    if left & np.uint64(1):
                        held[way, level, place] += 1
                    left >>= np.uint64(1)
                    place += 1
                half = np.uint64(1) << np.uint64(max(level - 1, 0))
                mask = (mask | (mask >> half)) & ((np.uint64(1) << half) - np.uint64(1))
