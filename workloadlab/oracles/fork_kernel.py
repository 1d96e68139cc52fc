"""Make a fork stand where its lane does, at the price of what either has written since it last did.

Most of what a lane writes lies in one block of memory (see `oracles.forked`). Arrays that may be large
lie elsewhere and are copied in parts: slots in use, results of the requests concerned, and pages of
block ids. A lane and its fork note the pages that they write in the same place. The rows of `arrays` say
which array goes which way (`Fork`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper
from workloadlab.simulation.engine.arrays import (
    cache,
    pages,
    prefix_bits,
    results,
    run_places,
    slots,
    uses,
)
from workloadlab.simulation.engine.record_types import PAGE_BITS

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Array, Count, Index, Lane, Position

__all__ = ["copy_lane"]


@helper
def _copy_page(lane: Lane, fork: Lane, i: Index, page: Position) -> None:
    first, last = page << PAGE_BITS, (page + 1) << PAGE_BITS
    for cell in range(first, min(last, lane.cell_count)):
        cache(fork)[i, cell] = cache(lane)[i, cell]
        if cell >= lane.id_count:
            spare = cell - lane.id_count
            run_places(fork)[i, spare] = run_places(lane)[i, spare]
    for block in range(first, min(last, lane.prefix_ids)):
        for word in range(i >> 6, lane.bit_rows, lane.prefix_words):
            prefix_bits(fork)[word, block] = prefix_bits(lane)[word, block]


@helper
def _copy_pages(lane: Lane, fork: Lane) -> None:
    """Copy the pages that were written, and forget that they were."""
    for i in range(lane.instances):
        noted = pages(lane)[i]
        eight = noted.view(np.int64)
        for word in range(len(eight)):
            if eight[word] == 0:
                continue
            for page in range(8 * word, 8 * word + 8):
                if noted[page] == 1:
                    _copy_page(lane, fork, i, page)
            eight[word] = 0


@helper
def copy_lane(lane: Lane, fork: Lane, state: Array, forked: Array, ahead: Count) -> None:
    """Make `fork` stand where `lane` does, with no more than `ahead` arrivals to come."""
    for word in range(len(state)):
        forked[word] = state[word]
    _copy_pages(lane, fork)
    last = min(lane.requests, lane.arrived + ahead)
    for row in range(lane.arrived, last):  # they have no slot, and the fork may have ended them
        results(fork)[row] = results(lane)[row]
    for q in range(lane.used_slots):
        s = slots(lane)[q]
        slots(fork)[q] = s
        results(fork)[s.row] = results(lane)[s.row]
        # Behind its cached blocks, a place is set before it is read.
        for at in range(s.first_block, s.first_block + s.cached_blocks):
            uses(fork)[at] = uses(lane)[at]
    # No closed loops are forked, so requests start in the order of rows, and none behind these.
    fork.requests = fork.start_count = last
