"""`sweep`: one trace on a cluster of several sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.scoring import SLO, score
from workloadlab.simulation import Cluster, replay
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workloadlab.trace import AnyTrace

__all__ = ["sweep"]


def sweep(
    trace: AnyTrace,
    cluster: Cluster | str | Path,
    instances: Iterable[int],
    *,
    slo: SLO | str | None = None,
    **options: Any,
) -> pl.DataFrame:
    """Replay a trace on clusters of several sizes and score every run.

    `plan` answers how many are enough; a sweep shows the curve.

    Args:
        trace: a trace, its path, or a frame.
        cluster: one pool, or its file; its own number of instances does not matter.
        instances: the sizes.
        slo: targets for attainment and goodput, also as words.
        **options: as for `replay`: routers, rate_scale, seeds, sessions, threads.

    Returns:
        `instances` and the columns of `Scoreboard.frame`, one row for each size and run.

    Raises:
        UsageError: several pools, or a size below 1.

    Example:
        >>> from workloadlab.latency import LatencyModel
        >>> trace = Trace.of((0.05 * k, 10, 10) for k in range(100))
        >>> cluster = Cluster.uniform(1, LatencyModel.linear(constant_s=0.05), max_num_seqs=4)
        >>> table = sweep(trace, cluster, [1, 2, 8], slo="ttft=0.2", routers="round_robin")
        >>> table["instances"].to_list(), table["slo_attainment"].is_sorted()
        ([1, 2, 8], True)
    """
    trace, cluster = Trace.open(trace), Cluster.load(cluster)
    if len(cluster.pools) != 1:
        raise UsageError("a sweep takes a cluster of one pool", fix="leave the others out")
    frames = []
    for count in instances:
        sized = replace(cluster, pools=(replace(cluster.pools[0], instances=count),))
        board = score(replay(trace, sized, **options), slo=slo)
        frames.append(board.frame.select(pl.lit(count).alias("instances"), pl.all()))
    if not frames:
        raise UsageError("a sweep needs sizes", fix="give instances=[2, 4, 8]")
    return pl.concat(frames, how="diagonal_relaxed")
