"""Prefix reuse: how much of the prompts a cache could serve, by its size, its age and its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.statistics.blocks import Blocks, read_blocks
from workloadlab.characterization.statistics.caches import CachePoint, cache_curves, default_sizes
from workloadlab.characterization.statistics.locality import InstancePoint, hits_by_instances
from workloadlab.characterization.statistics.phase_times import kv_bytes_per_token
from workloadlab.characterization.statistics.reuse import (
    Concentration,
    ReuseDistance,
    ReuseTime,
    TimeToLive,
    concentration,
    reuse_distance,
    reuse_time,
    times_to_live,
)
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.study import Study

__all__ = ["PREFIX", "Ceiling", "Prefix", "PrefixTree", "Sharing", "measure_prefix"]

PLACEMENTS = "ways to place requests without a clock, no routers to replay; prefix aware: "
PREFIX_AWARE = (
    "the longest prefix among the instances that have prefilled at most 1.25 times the mean"
)
NOT_PREFIX_AWARE = "not measured part by part, as it needs all blocks together"


@dataclass(frozen=True)
class Ceiling:
    """Hit ratios of an unbounded cache that is empty before the first request.

    A block hits where an earlier request had it; ids are chained, so hits are a leading run.

    Attributes:
        block_hit_ratio: hit blocks / blocks.
        token_hit_ratio: hit tokens / input tokens; h hit blocks hold min(h * block_size, input).
        token_hit_ratio_last_half: the same over the later half of the requests, warmed by the rest.
        mean_request_hit_ratio: mean over requests of hit tokens / input tokens.
        mean_request_block_hit_ratio: mean over requests of hit blocks / blocks.
        full_block_hit_ratio: hit full blocks / full blocks; a partial last block counts for neither.
        requests_with_hit: share of the requests with at least one hit block.
    """

    block_hit_ratio: float
    token_hit_ratio: float | None
    token_hit_ratio_last_half: float | None
    mean_request_hit_ratio: float | None
    mean_request_block_hit_ratio: float
    full_block_hit_ratio: float | None
    requests_with_hit: float


@dataclass(frozen=True)
class Sharing:
    """Where the ceiling's hits come from, as shares of all blocks.

    Attributes:
        same_session: hit by blocks that an earlier request of the same session had.
        across_sessions: hit by blocks that only other sessions had.
    """

    same_session: float
    across_sessions: float


@dataclass(frozen=True)
class PrefixTree:
    """The tree whose nodes are distinct blocks.

    Attributes:
        roots: distinct first blocks.
        branching: blocks with more than one distinct successor.
        leaves: blocks without a successor.
        max_depth: blocks of the longest prompt.
    """

    roots: int
    branching: int
    leaves: int
    max_depth: int


@dataclass(frozen=True)
class Prefix:
    """Prefix reuse.

    Attributes:
        requests: with recorded blocks; `missing` have none.
        blocks: block uses; `unique_blocks` of them distinct.
        chained: whether the trace's ids name prefixes; if not, they were chained for this.
        lru, fifo, opt: caches of a given size in front of one queue; opt is Belady's. Where a trace is
            measured in parts, sizes for which a share of the blocks cannot stand are left out.
        by_instances: unbounded caches, one per instance, under routers that need no timings.
    """

    block_size: int
    requests: int
    missing: int
    blocks: int
    unique_blocks: int
    chained: bool
    ceiling: Ceiling
    sharing: Sharing | Unsupported
    lru: tuple[CachePoint, ...]
    fifo: tuple[CachePoint, ...]
    opt: tuple[CachePoint, ...]
    by_instances: tuple[InstancePoint, ...]
    reuse_time_s: ReuseTime | Unsupported
    reuse_distance_blocks: ReuseDistance | Unsupported
    concentration: Concentration | Unsupported
    time_to_live: tuple[TimeToLive, ...]
    tree: PrefixTree

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        c = self.ceiling
        ceiling = Table(
            f"Prefix hits of an unbounded cache, blocks of {self.block_size} tokens",
            ["share of", "blocks", "tokens", "tokens, last half", "request mean", "full blocks"],
            [
                [
                    "hit",
                    c.block_hit_ratio,
                    c.token_hit_ratio,
                    c.token_hit_ratio_last_half,
                    c.mean_request_hit_ratio,
                    c.full_block_hit_ratio,
                ]
            ],
        )
        rows: list[list[Cell]] = [
            [f"{lru.blocks:,}", lru.tokens, lru.gib, lru.block_hit_ratio, opt.block_hit_ratio]
            for lru, opt in zip(self.lru, self.opt, strict=True)
        ]
        sizes = Table(
            "Block hits by cache size", ["blocks", "tokens", "GiB", "LRU", "Belady"], rows
        )
        routers = list(dict.fromkeys(point.router for point in self.by_instances))
        hits = {(p.instances, p.router): p.block_hit_ratio for p in self.by_instances}
        counts = sorted({p.instances for p in self.by_instances})
        placed: list[list[Cell]] = [[str(n), *(hits[n, r] for r in routers)] for n in counts]
        header = ["instances", *(router.replace("_", " ") for router in routers)]
        notes = [PLACEMENTS + (PREFIX_AWARE if "prefix_aware" in routers else NOT_PREFIX_AWARE)]
        shares = Table("Block hits by instances", header, placed, notes)
        return [ceiling, sizes, shares]


def measure_prefix(study: Study) -> Prefix | Unsupported:
    """Measure prefix reuse; cache sizes in GiB are for the study's latency model.

    Without `lru_blocks` the sizes are 1, 2, 3, 5 times powers of ten, up to all blocks.
    """
    from workloadlab.characterization.statistics.cache_loops import previous_requests

    blocks = read_blocks(study.trace)
    if isinstance(blocks, Unsupported):
        return blocks
    previous = previous_requests(blocks.ids, blocks.offsets, blocks.distinct)
    sizes = sorted(set(study.lru_blocks)) if study.lru_blocks else default_sizes(blocks.distinct)
    curves = cache_curves(blocks, sizes, kv_bytes_per_token(study.model))
    owner = np.repeat(np.arange(blocks.requests), np.diff(blocks.offsets))
    reused = previous >= 0
    gaps = blocks.arrival_ns[owner[reused]] - blocks.arrival_ns[previous[reused]]
    gaps.sort()
    return Prefix(
        block_size=blocks.block_size,
        requests=blocks.requests,
        missing=blocks.missing,
        blocks=len(blocks.ids),
        unique_blocks=blocks.distinct,
        chained=blocks.chained,
        ceiling=_ceiling(blocks, np.bincount(owner[reused], minlength=blocks.requests)),
        sharing=_sharing(blocks, int(np.count_nonzero(reused))),
        lru=curves.lru,
        fifo=curves.fifo,
        opt=curves.opt,
        by_instances=hits_by_instances(blocks),
        reuse_time_s=reuse_time(gaps),
        reuse_distance_blocks=reuse_distance(curves.distances),
        concentration=concentration(blocks),
        time_to_live=times_to_live(blocks, gaps),
        tree=_tree(blocks),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _ceiling(blocks: Blocks, hits: NDArray[np.int64]) -> Ceiling:
    counts, full = np.diff(blocks.offsets), blocks.full_blocks
    filled = counts > 0
    return Ceiling(
        block_hit_ratio=int(hits.sum()) / len(blocks.ids),
        token_hit_ratio=blocks.token_hit_ratio(hits),
        token_hit_ratio_last_half=blocks.token_hit_ratio(hits, start=blocks.requests // 2),
        mean_request_hit_ratio=blocks.mean_token_hit_ratio(hits),
        mean_request_block_hit_ratio=float(np.mean(hits[filled] / counts[filled])),
        full_block_hit_ratio=_ratio(int(np.minimum(hits, full).sum()), int(full.sum())),
        requests_with_hit=int(np.count_nonzero(hits)) / blocks.requests,
    )


def _sharing(blocks: Blocks, hits: int) -> Sharing | Unsupported:
    from workloadlab.characterization.statistics.cache_loops import hits_within_groups

    if blocks.session is None:
        return Unsupported("no request records session_id")
    order = np.argsort(blocks.session, kind="stable")
    own = hits_within_groups(blocks.ids, blocks.offsets, blocks.distinct, order, blocks.session)
    same = int(own.sum())
    total = len(blocks.ids)
    return Sharing(same_session=same / total, across_sessions=(hits - same) / total)


def _tree(blocks: Blocks) -> PrefixTree:
    inner = blocks.parents[blocks.parents >= 0]
    children = np.bincount(inner, minlength=blocks.distinct)
    return PrefixTree(
        roots=int(np.count_nonzero(blocks.parents == -1)),
        branching=int(np.count_nonzero(children > 1)),
        leaves=int(np.count_nonzero(children == 0)),
        max_depth=int(np.diff(blocks.offsets).max()),
    )


PREFIX = Topic(
    name="prefix",
    about="prompts that prefix caches of any size could save",
    needs=("block_ids",),
    facts=Prefix,
    measure=measure_prefix,
)
