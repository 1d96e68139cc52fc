"""The topic on prefix reuse, from a trace whose uses of blocks are brought together on disk, once."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.buckets import error
from workloadlab.characterization.bounded.facts.sessions import Times
from workloadlab.characterization.bounded.finish import Estimate
from workloadlab.characterization.bounded.kernels import GAP_DIGITS
from workloadlab.characterization.bounded.partial import merge
from workloadlab.characterization.bounded.prefix.by_block import sorted_by_block
from workloadlab.characterization.bounded.prefix.kernels import LEVELS
from workloadlab.characterization.bounded.prefix.sample import Sample, Whole, sample_error
from workloadlab.characterization.bounded.prefix.uses import COUNTED, RULES, WAYS, tally_uses
from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.statistics.blocks import NO_BLOCKS
from workloadlab.characterization.statistics.caches import default_sizes
from workloadlab.characterization.statistics.locality import InstancePoint
from workloadlab.characterization.statistics.measures import spread_ranks
from workloadlab.characterization.statistics.phase_times import kv_bytes_per_token
from workloadlab.characterization.statistics.reuse import (
    CURVE_POINTS,
    TIMES_TO_LIVE_S,
    Concentration,
    ReuseTime,
    TimeToLive,
)
from workloadlab.characterization.topics.prefix import Ceiling, Prefix, PrefixTree, Sharing
from workloadlab.words import three

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.bounded.prefix.by_block import Uses
    from workloadlab.latency import LatencyModel

__all__ = ["UNCHAINED", "prefix_of"]

UNCHAINED = Unsupported(
    "ids follow different blocks, and part by part only ids that name prefixes are measured; "
    "ingest the source, which makes them so"
)
NOT_TWICE = Unsupported("no block is used twice")
INPUTS_AT_ONCE = 1 << 24


def prefix_of(
    plan: Plan, model: LatencyModel | None = None, lru_blocks: Sequence[int] | None = None
) -> tuple[Prefix | Unsupported, tuple[Estimate, ...]]:
    """Measure prefix reuse; return it, and what is estimated.

    Args:
        plan: of a trace whose files are here.
        model: says how many bytes a token takes.
        lru_blocks: cache sizes in blocks; without them 1, 2, 3, 5 times powers of ten.
    """
    if not {"block_ids", "block_size"} <= {*plan.filled}:
        return NO_BLOCKS, ()
    with sorted_by_block(plan) as uses:
        if isinstance(uses, Unsupported):
            return uses, ()
        tallies = [tally_uses(plan.key, place, uses) for place in range(len(uses.files))]
        known = [tally for tally in tallies if tally is not None]
        if len(known) < len(tallies):
            return UNCHAINED, ()
        merged = reduce(lambda a, b: merge(a, b, RULES), known)
        facts = _Facts(uses, merged.arrays)
        return facts.prefix(kv_bytes_per_token(model), lru_blocks), _estimates(uses.sample)


def _estimates(sample: Sample) -> tuple[Estimate, ...]:
    """Say what is estimated; all blocks need no estimate.

    Example:
        >>> sample = Sample()
        >>> [str(each) for each in _estimates(sample)]
        ['quantiles of times to reuse within 0.10% (means of buckets)']
        >>> sample.halvings, sample.held = 3, [np.ones((9, 4), np.int64)]
        >>> print(_estimates(sample)[-1])
        hits by cache size, reuse distances (one block in 8, 1 in all: a ratio within 1)
    """
    times = Estimate("quantiles of times to reuse", "means of buckets", 2 * error(GAP_DIGITS))
    if not sample.halvings:
        return (times,)
    blocks = len(np.unique(sample.uses[:, 0]))
    by = (
        f"one block in {2**sample.halvings:,}, {blocks:,} in all: a ratio within "
        f"{three(sample_error(blocks))}"
    )
    return times, Estimate("hits by cache size, reuse distances", by, None)


class _Facts:
    """What the counts tell.

    Args:
        uses: what they were counted from.
        arrays: of all files, merged.
    """

    def __init__(self, uses: Uses, arrays: dict[str, NDArray[Any]]) -> None:
        self.uses, self.prompts, self.arrays = uses, uses.prompts, arrays
        self.all, self.first = (
            dict(zip(COUNTED, row, strict=True)) for row in arrays["counts"].tolist()
        )
        self.hits = {name: self.all[name] - self.first[name] for name in COUNTED}

    def prefix(self, kv_bytes: int | None, lru_blocks: Sequence[int] | None) -> Prefix:
        """Make the topic."""
        distinct, roots, branching, leaves = self.arrays["tree"].tolist()
        sizes = sorted(set(lru_blocks)) if lru_blocks else default_sizes(distinct)
        size = self.uses.block_size
        whole = Whole(self.all["uses"], self.all["tokens"], distinct, self.first["tokens"], size)
        curves, distance = self.uses.sample.caches(whole, sizes, kv_bytes)
        return Prefix(
            block_size=size,
            requests=self.prompts.requests,
            missing=self.prompts.missing,
            blocks=whole.uses,
            unique_blocks=distinct,
            chained=True,
            ceiling=self._ceiling(),
            sharing=self._sharing(),
            lru=curves.lru,
            fifo=curves.fifo,
            opt=curves.opt,
            by_instances=tuple(self._by_instances()),
            reuse_time_s=self._reuse_time(),
            reuse_distance_blocks=distance,
            concentration=self._concentration(),
            time_to_live=tuple(self._times_to_live()),
            tree=PrefixTree(roots, branching, leaves, self.prompts.longest),
        )

    def _ceiling(self) -> Ceiling:
        inputs = _Inputs(self.uses)
        by_input, by_length = self.arrays["inputs"], self.arrays["lengths"]
        by_input = by_input[by_input[:, 0] > 0]
        return Ceiling(
            block_hit_ratio=self.hits["uses"] / self.all["uses"],
            token_hit_ratio=_ratio(self.hits["tokens"], inputs.tokens),
            token_hit_ratio_last_half=_ratio(self.hits["late tokens"], inputs.late_tokens),
            mean_request_hit_ratio=_ratio(
                float(np.sum(by_input[:, 1] / by_input[:, 0])), inputs.with_tokens
            ),
            mean_request_block_hit_ratio=float(np.sum(by_length[:, 1] / by_length[:, 0]))
            / self.prompts.filled,
            full_block_hit_ratio=_ratio(self.hits["full"], inputs.full_blocks),
            requests_with_hit=self.hits["heads"] / self.prompts.requests,
        )

    def _sharing(self) -> Sharing | Unsupported:
        if not self.prompts.named:
            return Unsupported("no request records session_id")
        same, total = self.prompts.in_sessions - self.uses.pairs.count(), self.all["uses"]
        return Sharing(same / total, (self.hits["uses"] - same) / total)

    def _by_instances(self) -> list[InstancePoint]:
        ways = WAYS if self.prompts.named else WAYS[:-1]
        points = []
        for level in range(LEVELS):
            for way, held in zip(ways, self.arrays["held"][:, level], strict=False):
                misses = int(held.sum())
                ratio = (self.all["uses"] - misses) / self.all["uses"]
                imbalance = int(held.max()) / (misses / 2**level)
                points.append(InstancePoint(2**level, way, ratio, imbalance))
        return points

    def _reuse_time(self) -> ReuseTime | Unsupported:
        if not self.hits["uses"]:
            return NOT_TWICE
        times = Times(self.arrays["gaps"], int(self.arrays["longest"][0]))
        gaps = times.frequencies_s
        p50, p80, p90, p99 = gaps.quantiles([0.5, 0.8, 0.9, 0.99])
        points = np.unique(gaps.at(spread_ranks(gaps.n, CURVE_POINTS)))
        shares = gaps.upto[np.searchsorted(gaps.values, points)] / gaps.n
        within = dict(zip(TIMES_TO_LIVE_S, self.arrays["lives"][:, 0].tolist(), strict=True))
        return ReuseTime(
            n=gaps.n, mean=times.sum_ns / gaps.n / 1e9, p50=p50, p80=p80, p90=p90, p99=p99,
            max=times.longest / 1e9, within_60_s=within[60] / gaps.n,
            within_600_s=within[600] / gaps.n,
            cdf=tuple(zip(points.tolist(), shares.tolist(), strict=True)),
        )  # fmt: skip

    def _concentration(self) -> Concentration | Unsupported:
        total = self.hits["uses"]
        if not total:
            return NOT_TWICE
        reuses, blocks = self.arrays["uses"][::-1].T - [[1], [0]]
        upto = np.cumsum(blocks)

        def of_most_reused(n: int) -> int:
            taken = np.clip(n - (upto - blocks), 0, blocks)
            return int(np.sum(taken * reuses))

        distinct = int(upto[-1])
        return Concentration(
            top1_share=of_most_reused(max(1, distinct // 100)) / total,
            top10_share=of_most_reused(max(1, distinct // 10)) / total,
            reused_blocks=int(blocks[reuses > 0].sum()) / distinct,
            most_reused=int(reuses[0]),
        )

    def _times_to_live(self) -> list[TimeToLive]:
        span = self.prompts.last_ns - (self.prompts.first_ns or 0)
        total, distinct = self.all["uses"], self.first["uses"]
        return [
            TimeToLive(
                ttl_s=float(ttl_s),
                block_hit_ratio=hits / total,
                prefill_amplification=(total - hits) / distinct,
                mean_blocks_held=((high << 24) + low) / span if span else None,
            )
            for ttl_s, (hits, high, low) in zip(
                TIMES_TO_LIVE_S, self.arrays["lives"].tolist(), strict=True
            )
        ]


class _Inputs:
    """Sums over the lengths of the prompts."""

    def __init__(self, uses: Uses) -> None:
        self.tokens = self.late_tokens = self.full_blocks = self.with_tokens = 0
        half = uses.prompts.requests // 2
        lengths = np.memmap(uses.inputs, np.int64, "r")
        for start in (*range(0, half, INPUTS_AT_ONCE), *range(half, len(lengths), INPUTS_AT_ONCE)):
            stop = min(start + INPUTS_AT_ONCE, half if start < half else len(lengths))
            some = lengths[start:stop]
            self.tokens += int(some.sum())
            self.late_tokens += int(some.sum()) if start >= half else 0
            self.full_blocks += int((some // uses.block_size).sum())
            self.with_tokens += int(np.count_nonzero(some))


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None
