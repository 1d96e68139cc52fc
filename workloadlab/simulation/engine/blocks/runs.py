"""Full blocks without an id, idle: all of one sequence are one spare cell, a run.

Only their own request finds them, after a preemption. Runs of requests that have ended are nobody's, and
neighbours become one. The deepest block of a run goes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper
from workloadlab.simulation.engine.arrays import cache, engines, pages, run_places, slots
from workloadlab.simulation.engine.blocks.idle import (
    give_back,
    retire,
    spare_cell,
    unlink_idle,
    written,
)
from workloadlab.simulation.engine.record_types import NONE, PAGE_BITS, RUN

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
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

__all__ = ["disown_runs", "forget_run", "retire_run", "run_with", "shorten", "use_of_run"]


@helper
def forget_run(lane: Lane, i: Index, cell: Cell) -> None:
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
def shorten(e: Instance, lane: Lane, i: Index, cell: Cell, count: Count) -> None:
    """Take `count` blocks from the deep end of a run."""
    cells, noted = cache(lane)[i], pages(lane)[i]
    c = written(cells, noted, cell)
    c.copies -= count
    e.idle -= count
    if c.copies == 0:
        unlink_idle(e, cells, noted, cell)
        if c.users < RUN:
            forget_run(lane, i, cell)
        give_back(e, cells, noted, cell)


@helper
def run_with(s: Request, lane: Lane, i: Index, place: Position) -> Cell:
    """Return the run that holds a block of a preempted request, the one cached first; -1 for none."""
    cell = s.runs
    while cell != NONE:
        run = run_places(lane)[i, cell - lane.id_count]
        if run.first <= place < run.first + cache(lane)[i, cell].copies:
            break
        cell = run.next
    return cell


@helper
def use_of_run(e: Instance, s: Request, lane: Lane, i: Index, place: Position) -> None:
    """Take a block back from the run that holds it; what is deeper in it and stays is a run before."""
    cell = run_with(s, lane, i, place)
    noted = pages(lane)[i]
    noted[cell >> PAGE_BITS] = 1
    run, c = run_places(lane)[i, cell - lane.id_count], cache(lane)[i, cell]
    above = place - run.first
    if above > 0:
        shallow = insert_run(e, lane, i, cell, run.first, above)
        if shallow == NONE:
            e.idle -= above
            e.free += above
    run.first = place + 1
    c.copies -= above
    shorten(e, lane, i, cell, np.int64(1))


@helper
def insert_run(
    e: Instance, lane: Lane, i: Index, cell: Cell, first: Position, count: Count
) -> Cell:
    """Link `count` blocks as a run of their own behind a run of the same request; return it."""
    made = spare_cell(e, lane, i)
    if made == NONE:
        return made
    cells, noted = cache(lane)[i], pages(lane)[i]
    c, r = written(cells, noted, made), written(cells, noted, cell)
    c.users, c.copies = r.users, count
    c.older, c.newer = cell, r.newer
    if r.newer == NONE:
        e.newest = made
    else:
        written(cells, noted, r.newer).older = made
    r.newer = made
    place, after = (
        run_places(lane)[i, made - lane.id_count],
        run_places(lane)[i, cell - lane.id_count],
    )
    place.first, place.next = first, after.next
    after.next = made
    return made


@helper
def retire_run(lane: Lane, i: Index, q: Slot, count: Count, returns: Flag) -> None:
    """Let the cached blocks of a sequence that have no ids become idle."""
    e, s, cells, noted = engines(lane)[i], slots(lane)[q], cache(lane)[i], pages(lane)[i]
    if returns == 0 and e.newest != NONE and cells[e.newest].users == RUN:
        written(cells, noted, e.newest).copies += count
        e.idle += count
        return
    cell = spare_cell(e, lane, i)
    if cell == NONE:
        e.free += count
        return
    c = written(cells, noted, cell)
    c.users, c.copies = RUN - 1 - q if returns == 1 else RUN, count
    retire(e, cells, noted, cell)
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
def disown_runs(s: Request, lane: Lane, i: Index) -> None:
    """Let the runs of a request that ends be nobody's."""
    while s.runs != NONE:
        written(cache(lane)[i], pages(lane)[i], s.runs).users = RUN
        s.runs = run_places(lane)[i, s.runs - lane.id_count].next
