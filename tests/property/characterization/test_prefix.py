"""Caches and routers over blocks against replays that can be read at a glance."""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloadlab import Trace
from workloadlab.characterization import Unsupported
from workloadlab.characterization.study import Study
from workloadlab.characterization.topics.prefix import measure_prefix

SECOND = 1_000_000_000

paths = st.lists(st.integers(0, 2), max_size=5)


@st.composite
def prompts(draw: st.DrawFn, most: int = 14) -> list[tuple[int, ...]]:
    """Prompts as paths in a tree; a block's id is its path."""
    return [tuple(path) for path in draw(st.lists(paths, min_size=1, max_size=most))]


def chains(path: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [path[: k + 1] for k in range(len(path))]


def trace_of(tree: list[tuple[int, ...]], sessions: list[str | None] | None = None) -> Trace:
    names: dict[tuple[int, ...], int] = {}
    ids = [[names.setdefault(node, 7 * len(names)) for node in chains(path)] for path in tree]
    return Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [i * i * SECOND for i in range(len(tree))],
                "input_tokens": [max(1, 4 * len(path) - len(path) % 3) for path in tree],
                "block_ids": ids,
                "block_size": [4] * len(tree),
                "session_id": sessions or [None] * len(tree),
            },
            schema_overrides={"block_ids": pl.List(pl.UInt64), "session_id": pl.String},
        )
    )


def accesses(tree: list[tuple[int, ...]]) -> int:
    return sum(map(len, tree))


def replay_lru(tree: list[tuple[int, ...]], capacity: int) -> int:
    cache: OrderedDict = OrderedDict()
    hits = 0
    for path in tree:
        for block in chains(path):
            hits += block in cache
            cache[block] = None
            cache.move_to_end(block)
            if len(cache) > capacity:
                cache.popitem(last=False)
    return hits


def replay_leaf_first(tree: list[tuple[int, ...]], capacity: int) -> int:
    cache: OrderedDict = OrderedDict()
    hits = 0
    for path in tree:
        for block in chains(path):
            if block not in cache:
                break
            hits += 1
        for block in reversed(chains(path)):
            cache[block] = None
            cache.move_to_end(block)
        while len(cache) > capacity:
            cache.popitem(last=False)
    return hits


def replay_fifo(tree: list[tuple[int, ...]], capacity: int) -> int:
    queue: deque = deque()
    hits = 0
    for path in tree:
        for block in chains(path):
            if block in queue:
                hits += 1
                continue
            if len(queue) == capacity:
                queue.popleft()
            queue.append(block)
    return hits


def best_possible(tree: list[tuple[int, ...]], capacity: int) -> int:
    """Try every set of blocks that a cache could keep after every request."""
    best: dict[frozenset, int] = {frozenset(): 0}
    for path in tree:
        blocks = chains(path)
        after: dict[frozenset, int] = {}
        for held, hits in best.items():
            lookup = hits + sum(block in held for block in blocks)
            available = sorted(held.union(blocks))
            for size in range(min(capacity, len(available)) + 1):
                for kept in combinations(available, size):
                    key = frozenset(kept)
                    after[key] = max(after.get(key, 0), lookup)
        best = after
    return max(best.values())


@settings(deadline=None)
@given(prompts(), st.integers(1, 12))
def test_caches(tree: list[tuple[int, ...]], capacity: int) -> None:
    prefix = measure_prefix(Study(trace_of(tree), lru_blocks=[capacity]))
    if not accesses(tree):
        assert isinstance(prefix, Unsupported)
        return
    n = accesses(tree)
    (lru,), (fifo,), (opt,) = prefix.lru, prefix.fifo, prefix.opt
    assert lru.block_hit_ratio == replay_lru(tree, capacity) / n
    assert lru.leaf_first_block_hit_ratio == replay_leaf_first(tree, capacity) / n
    assert fifo.block_hit_ratio == replay_fifo(tree, capacity) / n
    ceiling = prefix.ceiling.block_hit_ratio
    assert ceiling >= opt.block_hit_ratio
    assert opt.block_hit_ratio >= max(
        lru.block_hit_ratio, lru.leaf_first_block_hit_ratio, fifo.block_hit_ratio
    )


@settings(max_examples=40, deadline=None)
@given(prompts(most=6).map(lambda tree: [path[:3] for path in tree]), st.integers(1, 3))
def test_belady_is_the_best_possible(tree: list[tuple[int, ...]], capacity: int) -> None:
    if accesses(tree):
        (opt,) = measure_prefix(Study(trace_of(tree), lru_blocks=[capacity])).opt
        assert opt.block_hit_ratio == best_possible(tree, capacity) / accesses(tree)


@settings(deadline=None)
@given(prompts(most=30))
def test_ceiling_reuse_and_tree(tree: list[tuple[int, ...]]) -> None:
    prefix = measure_prefix(Study(trace_of(tree)))
    if not accesses(tree):
        return
    seen: dict[tuple[int, ...], int] = {}
    counts: dict[tuple[int, ...], int] = {}
    block_hits, token_hits, gaps, ratios = 0, [], [], []
    for i, path in enumerate(tree):
        tokens = max(1, 4 * len(path) - len(path) % 3)
        hit = 0
        for block in chains(path):
            if block in seen:
                hit += 1
                gaps.append(i * i - seen[block] ** 2)
            counts[block] = counts.get(block, 0) + 1
        for block in chains(path):
            seen[block] = i
        block_hits += hit
        token_hits.append(min(4 * hit, tokens))
        ratios.append(min(4 * hit, tokens) / tokens)
    inputs = [max(1, 4 * len(path) - len(path) % 3) for path in tree]
    half = len(tree) // 2
    ceiling = prefix.ceiling
    assert ceiling.block_hit_ratio == block_hits / accesses(tree)
    assert ceiling.token_hit_ratio == sum(token_hits) / sum(inputs)
    assert ceiling.token_hit_ratio_last_half == sum(token_hits[half:]) / sum(inputs[half:])
    assert ceiling.mean_request_hit_ratio == pytest.approx(np.mean(ratios), rel=1e-12)
    assert prefix.unique_blocks == len(seen)
    assert prefix.lru[-1].block_hit_ratio == ceiling.block_hit_ratio
    assert prefix.tree.roots == len({path[0] for path in tree if path})
    assert prefix.tree.leaves == sum(
        not any(len(b) == len(a) + 1 and b[: len(a)] == a for b in seen) for a in seen
    )
    if gaps:
        assert prefix.reuse_time_s.p50 == pytest.approx(np.median(gaps), rel=1e-12)
        assert prefix.reuse_time_s.max == max(gaps)
        reuses = sorted((n - 1 for n in counts.values()), reverse=True)
        assert prefix.concentration.most_reused == reuses[0]
        for point in prefix.time_to_live:
            within = sum(gap <= point.ttl_s for gap in gaps)
            assert point.block_hit_ratio == within / accesses(tree)
    else:
        assert isinstance(prefix.reuse_time_s, Unsupported)


@settings(deadline=None)
@given(prompts(most=30), st.data())
def test_sharing_and_instances(tree: list[tuple[int, ...]], data: st.DataObject) -> None:
    n = len(tree)
    names = st.sampled_from(["a", "b", "c", None])
    sessions = data.draw(st.lists(names, min_size=n, max_size=n))
    prefix = measure_prefix(Study(trace_of(tree, sessions)))
    if not accesses(tree):
        return
    total = accesses(tree)
    if any(sessions):
        own: dict[str, set] = {}
        same = 0
        for path, session in zip(tree, sessions, strict=True):
            if session:
                known = own.setdefault(session, set())
                same += sum(block in known for block in chains(path))
                known.update(chains(path))
        assert prefix.sharing.same_session == same / total
        both = prefix.sharing.same_session + prefix.sharing.across_sessions
        assert both == pytest.approx(prefix.ceiling.block_hit_ratio, abs=1e-12)
    points = {(p.instances, p.router): p for p in prefix.by_instances}
    for (instances, router), point in points.items():
        assert point.block_hit_ratio <= prefix.ceiling.block_hit_ratio
        if instances == 1:
            assert point.block_hit_ratio == prefix.ceiling.block_hit_ratio
        if router == "round_robin":
            caches: list[set] = [set() for _ in range(instances)]
            hits = 0
            for i, path in enumerate(tree):
                hits += sum(block in caches[i % instances] for block in chains(path))
                caches[i % instances].update(chains(path))
            assert point.block_hit_ratio == hits / total
        if router == "prefix_aware":
            assert point.block_hit_ratio == route_slowly(tree, instances) / total


def route_slowly(tree: list[tuple[int, ...]], instances: int) -> int:
    caches: list[set] = [set() for _ in range(instances)]
    prefilled = [0] * instances
    hits = 0
    for path in tree:
        limit = 1.25 * sum(prefilled) / instances + len(path)
        best = None
        for k in range(instances):
            if prefilled[k] <= limit:
                found = sum(block in caches[k] for block in chains(path))
                if best is None or (-found, prefilled[k], k) < best:
                    best = (-found, prefilled[k], k)
        found, _, k = best
        hits -= found
        prefilled[k] += len(path) + found
        caches[k].update(chains(path))
    return hits


@settings(deadline=None, max_examples=40)
@given(prompts(most=25))
def test_merging_instances_never_lowers_round_robin_hits(tree: list[tuple[int, ...]]) -> None:
    if accesses(tree):
        points = measure_prefix(Study(trace_of(tree))).by_instances
        ratios = [p.block_hit_ratio for p in points if p.router == "round_robin"]
        assert ratios == sorted(ratios, reverse=True)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), max_size=5), min_size=1, max_size=12))
def test_ids_that_name_no_prefix_are_chained(rows: list[list[int]]) -> None:
    def trace(ids: list[list[int]]) -> Trace:
        return Trace.from_frame(
            pl.DataFrame(
                {
                    "arrival_ns": range(len(ids)),
                    "input_tokens": [5] * len(ids),
                    "block_ids": ids,
                    "block_size": [1] * len(ids),
                },
                schema_overrides={"block_ids": pl.List(pl.UInt64)},
            )
        )

    loose = measure_prefix(Study(trace(rows)))
    exact = measure_prefix(Study(trace_of([tuple(r) for r in rows])))
    if sum(map(len, rows)):
        assert exact.chained
        assert loose.unique_blocks == exact.unique_blocks
        assert loose.ceiling.block_hit_ratio == exact.ceiling.block_hit_ratio
        assert [p.block_hit_ratio for p in loose.lru] == [p.block_hit_ratio for p in exact.lru]


def test_long_prompts_span_words_and_levels() -> None:
    rng = np.random.default_rng(3)
    tree = []
    for _ in range(200):
        base = tree[rng.integers(len(tree))] if tree and rng.random() < 0.7 else ()
        tree.append(base[: rng.integers(0, 90)] + tuple(rng.integers(0, 9, rng.integers(1, 60))))
    sizes = [1, 63, 64, 65, 500, 2000, 10**13]
    prefix = measure_prefix(Study(trace_of(tree), lru_blocks=sizes))
    n = accesses(tree)
    for lru, fifo in zip(prefix.lru, prefix.fifo, strict=True):
        assert lru.block_hit_ratio == replay_lru(tree, lru.blocks) / n
        assert lru.leaf_first_block_hit_ratio == replay_leaf_first(tree, lru.blocks) / n
        if lru.blocks <= 2000:
            assert fifo.block_hit_ratio == replay_fifo(tree, fifo.blocks) / n
    assert prefix.opt[-1].block_hit_ratio == prefix.ceiling.block_hit_ratio
