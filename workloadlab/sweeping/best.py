"""A sweep in a table: per cluster and rate the best router so far, and the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.scoring import mean_over
from workloadlab.tables import Table
from workloadlab.words import plural, times

if TYPE_CHECKING:
    from workloadlab.scoring import Measure, RunScore
    from workloadlab.sweeping.sweep import Swept

__all__ = ["best_table"]


def best_table(swept: Swept, by: Measure) -> Table:
    """Return one row per cluster and rate with runs; means over the seeds, also of a part of them.

    A rate whose best router falls behind is marked: its latencies depend on how long the log is.

    Args:
        swept: what has come out so far.
        by: what routers are ranked by.
    """
    runs: dict[tuple[str, float], dict[str, list[RunScore]]] = {}
    for cell in swept.cells:
        if cell.run_id in swept.scores:
            routers = runs.setdefault((cell.cluster, cell.rate_scale), {})
            routers.setdefault(cell.router, []).append(swept.scores[cell.run_id])
    rows, behind = [], False
    for (cluster, scale), routers in runs.items():
        means = {
            name: mean
            for name, each in routers.items()
            if (mean := mean_over(each, by.metric.name, by.part)) is not None
        }
        best = sorted(means, key=means.__getitem__, reverse=by.metric.better == "higher")
        first, second = (*best[:2], "-", "-")[:2]
        if second in means and means[second] == means[first]:
            second = f"{second} (equal)"
        steady = all(run.steady for run in routers.get(first, ()))
        behind |= not steady
        rows.append(
            [cluster, f"{times(scale)}{'' if steady else ' *'}", first, means.get(first), second,
             means.get(best[1]) if len(best) > 1 else None]
        )  # fmt: skip
    unit = by.metric.unit
    ended, every = len(swept.scores), len(swept.cells)
    title = f"Best routers, by {by.noun} in {unit}: {plural(every, 'run')}"
    if ended < every:
        title += f", {ended:,} of them so far"
    notes = ["* the cluster falls behind at this rate"] if behind else []
    return Table(title, ["cluster", "rate", "best", by.noun, "next", by.noun], rows, notes)
