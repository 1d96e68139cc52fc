"""A sweep in a table: per cluster and rate the best router so far, and the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.scoring import Scoreboard
from workloadlab.tables import Table
from workloadlab.words import plural, times

if TYPE_CHECKING:
    from workloadlab.scoring import Measure, RunScore
    from workloadlab.sweeping.sweep import Swept

__all__ = ["best_table"]


def best_table(swept: Swept, by: Measure) -> Table:
    """Return one row per cluster and rate with runs; means over the seeds, also of a part of them.

    Routers in a steady state that serve the most requests come first. A rate whose best router falls
    behind is marked: its latencies depend on how long the log is.

    Args:
        swept: what has come out so far.
        by: what routers are ranked by.
    """
    runs: dict[str, list[RunScore]] = {}
    for cell in swept.cells:
        if cell.run_id in swept.scores:
            runs.setdefault(cell.cluster, []).append(swept.scores[cell.run_id])
    rows, behind = [], False
    for cluster, each in runs.items():
        board = Scoreboard(each)
        for scale in board.scales:
            best = board.ranked(scale, by)
            means = [board.mean(router, scale, by.metric.name, by.part) for router in best[:2]]
            first, second = (*best[:2], "-", "-")[:2]
            if len(best) > 1 and means[0] == means[1]:
                second = f"{second} (equal)"
            steady = not best or board.steady(first, scale)
            behind |= not steady
            mean, after = (*means, None, None)[:2]
            rate = f"{times(scale)}{'' if steady else ' *'}"
            rows.append([cluster, rate, first, mean, second, after])
    unit = by.metric.unit
    ended, every = len(swept.scores), len(swept.cells)
    title = f"Best routers, by {by.noun} in {unit}: {plural(every, 'run')}"
    if ended < every:
        title += f", {ended:,} of them so far"
    notes = ["* the cluster falls behind at this rate"] if behind else []
    return Table(title, ["cluster", "rate", "best", by.noun, "next", by.noun], rows, notes)
