"""Reads a log into lanes of requests, and refuses one that says too little to calibrate on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.calibration.observed import Lane, Observed
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.simulation.workload import Sessions, Workload, workload_of
from workloadlab.trace import Trace
from workloadlab.words import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.simulation import Cluster

__all__ = ["FEWEST_REQUESTS", "MOST_REQUESTS", "observe"]

FEWEST_REQUESTS = 30
MOST_REQUESTS = 50_000
"""A longer log is calibrated on its first so many requests: more say nothing new."""

_PLAUSIBLE_TPOT_S = (50e-6, 10.0)


def observe(
    trace: Trace, cluster: Cluster, *, routed: bool, sessions: Sessions = "open"
) -> Observed:
    """Read the log and lay it out in lanes.

    Args:
        trace: the log.
        cluster: one pool; as many instances as served the log.
        routed: a router is named that stands in for an unrecorded placement.
        sessions: "closed" or "clients" if answers release the next requests; see `replay`.

    Raises:
        UnsupportedError: the log lacks timings, or the placement on several instances.
        UsageError: more than one pool, or more instances in the log than in the cluster.
        DataError: too few usable requests, or times that look like another unit.
    """
    trace.require("arrivals", "a calibration")
    trace.require("lengths", "a calibration")
    trace.require("timings", "a calibration")
    if len(cluster.pools) != 1:
        raise UsageError(
            f"a calibration fits one kind of instance, and the cluster has {len(cluster.pools)} "
            "pools",
            fix="give a cluster of the one pool, and the requests that it served",
        )
    frame, notes = _frame(trace)
    parts, placement, instances = _placed(frame, cluster.pools[0].instances, routed=routed)
    each = instances if placement == "router" else 1
    cached = cluster.pools[0].prefix_caching and trace.supports("prefix")
    table = pl.concat(parts)
    lanes = tuple(_lane(part, each, cached=cached, sessions=sessions) for part in parts)
    found = Observed(
        lanes=lanes,
        log=np.zeros(table.height, np.int64),
        lane=np.repeat(np.arange(len(parts)), [part.height for part in parts]),
        arrival_s=table["arrival_ns"].to_numpy() / 1e9,
        first_s=_moment(table, "ttft_ns"),
        end_s=_moment(table, "e2e_ns"),
        until_s=np.full(table.height, np.inf),
        input_tokens=np.maximum(table["input_tokens"].cast(pl.Int64).to_numpy(), 1),
        output_tokens=np.maximum(table["output_tokens"].cast(pl.Int64).fill_null(1).to_numpy(), 1),
        cached_tokens=np.concatenate([_reused(lane.stopped, lane.instances) for lane in lanes]),
        scored=table["scored"].to_numpy(),
        instances=instances,
        placement=placement,
        closed=sessions != "open",
        cut=trace.provenance.reader == "window" or trace.requests > MOST_REQUESTS,
        notes=notes,
    )
    _check(found, str(trace.path) if trace.path else None)
    return found


def _frame(trace: Trace) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the requests with a mark of those whose timings count, and notes."""
    recorded = pl.col("ttft_ns").is_not_null() & pl.col("e2e_ns").is_not_null()
    ordered = (pl.col("ttft_ns") > 0) & (pl.col("e2e_ns") >= pl.col("ttft_ns"))
    optional = [pl.lit(None, pl.String).alias(name)
                for name in ("outcome", "instance_id") if name not in trace.columns]  # fmt: skip
    frame = (
        trace.frame.with_columns(optional)
        .with_columns(
            scored=(
                recorded
                & ordered
                & pl.col("output_tokens").is_not_null()
                & (pl.col("outcome").is_null() | (pl.col("outcome") == "ok"))
                & ~pl.col("warmup").fill_null(value=False)
            ).fill_null(value=False)
        )
        .collect()
        .sort("arrival_ns", "row_id")
    )
    notes = []
    if frame.height > MOST_REQUESTS:
        notes.append(f"the first {MOST_REQUESTS:,} of {frame.height:,} requests were used")
        frame = frame.head(MOST_REQUESTS)
    left = frame.height - int(frame["scored"].sum())
    if left:
        notes.append(
            plural(
                left, "request without usable timings was", "requests without usable timings were"
            )
            + " simulated as load, not fitted to"
        )
    return frame, tuple(notes)


def _placed(
    frame: pl.DataFrame, instances: int, *, routed: bool
) -> tuple[list[pl.DataFrame], str, int]:
    """Split the log by instance where it must be split."""
    names = frame["instance_id"].drop_nulls().unique().sort().to_list()
    if len(names) > instances:
        raise UsageError(
            f"the log was served by {plural(len(names), 'instance')} and the cluster has {instances:,}",
            fix=f"write instances = {len(names)}, or filter the log to one instance",
        )
    if instances == 1:
        return [frame], "one instance", 1
    if names and not frame["instance_id"].null_count():
        parts = [frame.filter(pl.col("instance_id") == name) for name in names]
        return parts, "as recorded", len(names)
    if routed:
        return [frame], "router", instances
    lacking = (
        "no request"
        if not names
        else plural(frame["instance_id"].null_count(), "request does not", "requests do not")
    )
    says = f"{lacking} say{'s' if not names else ''}"
    raise UnsupportedError(
        f"{says} which of the {instances} instances served {'it' if not names else 'them'} "
        "(column instance_id)",
        fix="map that column when ingesting, or name the router that placed them",
    )


def _reused(workload: Workload, instances: int) -> NDArray[np.float64]:
    """Return the prompt tokens whose blocks an earlier request left; one token is always fresh.

    Where the placement is unknown, any of k earlier requests with a block went to the same one of n
    instances with probability 1 - (1 - 1/n)^k, as if it were random: the expectation of the tokens.
    """
    found: NDArray[np.float64] = np.zeros(len(workload))
    if workload.block_size == 0:
        return found
    row = np.repeat(np.arange(len(workload)), np.diff(workload.first_block))
    depth = np.arange(len(row)) - workload.first_block[row]
    order = np.lexsort((row, workload.block_ids))
    sorted_ids = workload.block_ids[order]
    starts = np.flatnonzero(np.diff(sorted_ids, prepend=sorted_ids[:1] - 1))
    earlier = np.empty(len(row), np.int64)
    earlier[order] = np.arange(len(row)) - np.repeat(starts, np.diff(starts, append=len(row)))
    whole = depth < (workload.input_tokens[row] - 1) // workload.block_size
    chance = 1.0 - (1.0 - 1.0 / instances) ** earlier
    np.add.at(found, row[whole], workload.block_size * chance[whole])
    return found


def _lane(part: pl.DataFrame, instances: int, *, cached: bool, sessions: Sessions) -> Lane:
    rows = part.drop("scored")
    stopped = workload_of(Trace.from_frame(rows), prefixes=cached, sessions=sessions)
    if sessions != "open":
        return Lane(stopped, stopped, instances)
    last_end = part.select((pl.col("arrival_ns") + pl.col("e2e_ns")).max()).item() or 0
    first, last = rows["arrival_ns"][0], rows["arrival_ns"][-1]
    period = last - first + max(1, (last - first) // max(rows.height - 1, 1))
    again = [
        rows.with_columns(arrival_ns=pl.col("arrival_ns") + turn * period)
        for turn in range(1, min(max(last_end - last, 0) // period + 2, 20))
    ]
    later = pl.concat(again).filter(pl.col("arrival_ns") < last_end)
    both = pl.concat([rows, later]).with_columns(row_id=pl.int_range(0, pl.len()).cast(pl.UInt64))
    continued = workload_of(Trace.from_frame(both), prefixes=cached) if later.height else stopped
    return Lane(stopped, continued, instances)


def _moment(table: pl.DataFrame, name: str) -> NDArray[np.float64]:
    span = (table["arrival_ns"] + table[name]).cast(pl.Float64) / 1e9
    return span.fill_null(np.nan).to_numpy()


def _check(found: Observed, where: str | None) -> None:
    usable = int(found.scored.sum())
    if usable < FEWEST_REQUESTS:
        raise DataError(
            f"has {plural(usable, 'request')} with usable timings; a calibration needs "
            f"{FEWEST_REQUESTS}",
            where=where,
            fix="give a longer log with ttft and e2e of requests that ended well",
        )
    spans = found.tpot_s[found.scored]
    spans = spans[np.isfinite(spans) & (spans > 0)]
    low, high = _PLAUSIBLE_TPOT_S
    typical = float(np.median(spans)) if len(spans) else 0.0
    if not low <= typical <= high:
        raise DataError(
            f"the median time per output token is {typical:.3g} s, outside {low:g} to {high:g} s",
            where=where,
            fix="ttft and e2e must be times of streamed answers; check the units when ingesting"
            if typical
            else "ttft must be the time to the first token of a streamed answer, not the whole e2e",
        )
