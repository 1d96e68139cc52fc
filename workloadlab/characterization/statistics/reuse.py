"""When blocks are used again: after how long, after how many others, and how few of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.statistics.measures import exact_sum, spread_ranks
from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.blocks import Blocks

__all__ = [
    "CURVE_POINTS",
    "TIMES_TO_LIVE_S",
    "Concentration",
    "ReuseDistance",
    "ReuseTime",
    "TimeToLive",
    "concentration",
    "reuse_distance",
    "reuse_time",
    "times_to_live",
]

TIMES_TO_LIVE_S = (1, 10, 60, 300, 600, 1800, 3600, 21600, 86400)
CURVE_POINTS = 200


@dataclass(frozen=True)
class ReuseTime:
    """Seconds since a block was last used, over all uses but first ones.

    Attributes:
        within_60_s, within_600_s: share of the reuses that come so soon.
        cdf: at most 200 points (seconds, share of reuses within).
    """

    n: int
    mean: float
    p50: float
    p80: float
    p90: float
    p99: float
    max: float
    within_60_s: float
    within_600_s: float
    cdf: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class ReuseDistance:
    """Distinct blocks used since a block's last use, itself included: its LRU stack distance."""

    p50: int
    p90: int
    p99: int
    max: int


@dataclass(frozen=True)
class Concentration:
    """How few blocks the reuses are of.

    Attributes:
        top1_share, top10_share: reuses of the most reused blocks, n // 100 and n // 10 of the n
            distinct ones (at least one), as a share of all reuses.
        reused_blocks: share of the distinct blocks that are reused at all.
        most_reused: reuses of the most reused block.
    """

    top1_share: float
    top10_share: float
    reused_blocks: float
    most_reused: int


@dataclass(frozen=True)
class TimeToLive:
    """A cache of any size that drops a block `ttl_s` after its last use.

    Attributes:
        prefill_amplification: blocks to compute / distinct blocks; 1 with an unbounded cache.
        mean_blocks_held: time average from the first to the last arrival; None for a span of 0.
    """

    ttl_s: float
    block_hit_ratio: float
    prefill_amplification: float
    mean_blocks_held: float | None


def reuse_time(gaps: NDArray[np.int64]) -> ReuseTime | Unsupported:
    """Summarize the ascending gaps, in nanoseconds, between uses of a block."""
    if not len(gaps):
        return Unsupported("no block is used twice")
    p50, p80, p90, p99 = (q / 1e9 for q in quantiles(gaps, [0.5, 0.8, 0.9, 0.99]))
    points = np.unique(gaps[spread_ranks(len(gaps), CURVE_POINTS)])
    shares = np.searchsorted(gaps, points, side="right") / len(gaps)

    def within(seconds: int) -> float:
        return int(np.searchsorted(gaps, seconds * 1_000_000_000, side="right")) / len(gaps)

    return ReuseTime(
        n=len(gaps),
        mean=exact_sum(gaps) / len(gaps) / 1e9,
        p50=p50,
        p80=p80,
        p90=p90,
        p99=p99,
        max=int(gaps[-1]) / 1e9,
        within_60_s=within(60),
        within_600_s=within(600),
        cdf=tuple(zip((points / 1e9).tolist(), shares.tolist(), strict=True)),
    )


def reuse_distance(histogram: NDArray[np.int64]) -> ReuseDistance | Unsupported:
    """Summarize a histogram of stack distances; place 0 holds first uses."""
    below = np.cumsum(histogram[1:])
    if not len(below) or not below[-1]:
        return Unsupported("no block is used twice")
    ranks = (np.array([0.5, 0.9, 0.99]) * (below[-1] - 1)).astype(np.int64)
    p50, p90, p99 = (np.searchsorted(below, ranks, side="right") + 1).tolist()
    return ReuseDistance(p50=p50, p90=p90, p99=p99, max=int(np.flatnonzero(histogram)[-1]))


def concentration(blocks: Blocks) -> Concentration | Unsupported:
    """Count how few blocks the reuses are of."""
    reuses = np.sort(np.bincount(blocks.ids, minlength=blocks.distinct) - 1)[::-1]
    total = int(reuses.sum())
    if not total:
        return Unsupported("no block is used twice")
    return Concentration(
        top1_share=int(reuses[: max(1, len(reuses) // 100)].sum()) / total,
        top10_share=int(reuses[: max(1, len(reuses) // 10)].sum()) / total,
        reused_blocks=int(np.count_nonzero(reuses)) / len(reuses),
        most_reused=int(reuses[0]),
    )


def times_to_live(blocks: Blocks, gaps: NDArray[np.int64]) -> tuple[TimeToLive, ...]:
    """Sweep the time a block is kept, by the ascending gaps between uses."""
    end = int(blocks.arrival_ns[-1])
    span = end - int(blocks.arrival_ns[0])
    last = np.zeros(blocks.distinct, dtype=np.int64)
    last[blocks.ids] = np.repeat(blocks.arrival_ns, np.diff(blocks.offsets))
    tails = np.sort(end - last)
    total = len(blocks.ids)
    points = []
    for ttl_s in TIMES_TO_LIVE_S:
        ttl = ttl_s * 1_000_000_000
        hits = int(np.searchsorted(gaps, ttl, side="right"))
        held = sum(float(np.minimum(times, ttl).sum(dtype=np.float64)) for times in (gaps, tails))
        points.append(
            TimeToLive(
                ttl_s=float(ttl_s),
                block_hit_ratio=hits / total,
                prefill_amplification=(total - hits) / blocks.distinct,
                mean_blocks_held=held / span if span else None,
            )
        )
    return tuple(points)
