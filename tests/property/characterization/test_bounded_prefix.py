"""Uses of blocks brought together on disk against the same blocks held in memory."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.profiles import differences

import workloadlab as wl
from workloadlab import Trace
from workloadlab.characterization import Unsupported
from workloadlab.characterization.bounded import make_plan
from workloadlab.characterization.bounded.partial import merge
from workloadlab.characterization.bounded.prefix import by_block, sample
from workloadlab.characterization.bounded.prefix.by_block import sorted_by_block
from workloadlab.characterization.bounded.prefix.sample import sample_error
from workloadlab.characterization.bounded.prefix.topic import UNCHAINED, prefix_of
from workloadlab.characterization.bounded.prefix.uses import RULES, tally_uses
from workloadlab.characterization.facts import to_plain
from workloadlab.characterization.study import Study
from workloadlab.characterization.topics.prefix import measure_prefix

if TYPE_CHECKING:
    import random

BUCKETS = {"p50", "p80", "p90", "p99", "cdf"}
"""Facts of times to reuse that are those of buckets."""


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Draw prompts that are paths in a tree, often of no time and no tokens."""
    path = st.lists(st.integers(0, 2), max_size=4)
    row = st.fixed_dictionaries(
        {
            "arrival_ns": st.sampled_from([0, 1, 10**9, 61 * 10**9, 7 * 10**13, 3 * 10**15]),
            "input_tokens": st.sampled_from([0, 1, 4, 9, 40]),
            "block_ids": path | st.none(),
            "session_id": st.sampled_from(["a", "bc", "", "ä"]) | st.none(),
            "warmup": st.sampled_from([False, False, False, True]),
        }
    )
    rows = draw(st.lists(row, min_size=1, max_size=30))
    if draw(st.booleans()):
        rows = [each | {"session_id": None} for each in rows]
    names: dict[tuple[int, ...], int] = {}
    first = draw(st.sampled_from([0, 2**63]))
    for each in rows:
        if each["block_ids"] is not None:
            tree = [tuple(each["block_ids"][: k + 1]) for k in range(len(each["block_ids"]))]
            each["block_ids"] = [first + names.setdefault(node, len(names)) for node in tree]
    return _trace(rows)


def _trace(rows: list[dict[str, Any]], block_size: int | None = 4) -> Trace:
    kinds = {"session_id": pl.String, "block_ids": pl.List(pl.UInt64), "warmup": pl.Boolean}
    schema = {name: kinds.get(name, pl.Int64) for name in rows[0]}
    size = pl.lit(block_size, pl.UInt16)
    return Trace.from_frame(pl.DataFrame(rows, schema).with_columns(block_size=size))


def _without_estimates(prefix: Any) -> Any:
    plain = to_plain(prefix)
    if isinstance(plain["reuse_time_s"], dict):
        plain["reuse_time_s"] = {
            name: value for name, value in plain["reuse_time_s"].items() if name not in BUCKETS
        }
    plain["by_instances"] = [
        point for point in plain["by_instances"] if point["router"] != "prefix_aware"
    ]
    return plain


@settings(max_examples=40, deadline=None)
@given(
    traces(), st.integers(1, 12), st.integers(1, 9), st.integers(1, 9),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_blocks_by_files_are_the_blocks_at_once(
    trace: Trace, group_rows: int, file_uses: int, batch: int, order: random.Random
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("workloadlab.trace.store.ROW_GROUP", group_rows),
        patch.object(by_block, "FILE_USES", file_uses),
        patch.object(by_block, "BATCH_USES", batch),
    ):
        trace = trace.save(Path(folder) / "drawn.trace")
        if not len(trace.frame.filter(~pl.col("warmup")).collect()):
            return
        exact, plan = measure_prefix(Study(trace)), make_plan(trace)
        found, _ = prefix_of(plan)
        if isinstance(exact, Unsupported):
            assert isinstance(found, Unsupported)  # footers tell no empty list from none
            return
        assert differences(_without_estimates(exact), _without_estimates(found)) == {}
        assert not isinstance(found, Unsupported)
        if not isinstance(exact.reuse_time_s, Unsupported):
            assert not isinstance(found.reuse_time_s, Unsupported)
            for name in ("p50", "p80", "p90", "p99"):
                near = pytest.approx(getattr(exact.reuse_time_s, name), rel=2**-9, abs=1e-9)
                assert getattr(found.reuse_time_s, name) == near
        with sorted_by_block(plan) as uses:
            assert not isinstance(uses, Unsupported)
            tallies = [tally_uses("key", k, uses) for k in range(len(uses.files))]
    in_order = functools.reduce(_merged, tallies).to_bytes()
    order.shuffle(tallies)
    middle = len(tallies) // 2
    halves = [functools.reduce(_merged, h) for h in (tallies[:middle], tallies[middle:]) if h]
    assert functools.reduce(_merged, halves).to_bytes() == in_order


def _merged(a: Any, b: Any) -> Any:
    return merge(a, b, RULES)


def _busy(requests: int, seed: int) -> Trace:
    """Return prompts that all begin with one block; conversations that grow, and are left."""
    rng = np.random.default_rng(seed)
    started, length, rows, upcoming = np.zeros(300, int), np.zeros(300, int), [], 1
    for k, who in enumerate(rng.integers(0, 300, requests).tolist()):
        if not length[who] or rng.random() < 0.1:
            started[who], length[who], upcoming = upcoming, 0, upcoming + 40
        length[who] = min(40, length[who] + rng.integers(1, 4))
        blocks = [0, *range(started[who], started[who] + length[who])]
        rows.append(
            {"arrival_ns": k * 10**7, "input_tokens": 4 * len(blocks) - 1, "block_ids": blocks}
        )
    return _trace(rows)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_share_of_the_blocks_tells_of_all_caches_within_its_error(
    seed: int, tmp_path: Path
) -> None:
    trace = _busy(9_000, seed).save(tmp_path / "busy.trace")
    exact = measure_prefix(Study(trace))
    assert not isinstance(exact, Unsupported)
    with patch.object(sample, "MOST", exact.blocks // 3):
        found, estimates = prefix_of(make_plan(trace))
    assert not isinstance(found, Unsupported)
    assert "one block in 4" in str(estimates[-1])
    allowed = sample_error(exact.unique_blocks // 4)
    assert allowed < 0.035
    for kind in ("lru", "fifo", "opt"):
        by_size = {point.blocks: point for point in getattr(exact, kind)}
        points = getattr(found, kind)
        assert len(points) > 5
        for point in points:
            true = by_size[point.blocks]
            assert point.block_hit_ratio == pytest.approx(true.block_hit_ratio, abs=allowed)
            assert point.token_hit_ratio == pytest.approx(true.token_hit_ratio, abs=allowed)
            if kind == "lru":
                near = pytest.approx(true.leaf_first_block_hit_ratio, abs=allowed)
                assert point.leaf_first_block_hit_ratio == near
        assert points[-1].block_hit_ratio == pytest.approx(exact.ceiling.block_hit_ratio)
    distance, true_distance = found.reuse_distance_blocks, exact.reuse_distance_blocks
    assert not isinstance(distance, Unsupported)
    assert not isinstance(true_distance, Unsupported)
    assert distance.p90 == pytest.approx(true_distance.p90, rel=0.05)


def test_too_few_chosen_blocks_tell_the_ceiling_alone(tmp_path: Path) -> None:
    trace = _busy(500, 0).save(tmp_path / "few.trace")
    with patch.object(sample, "MOST", 5):
        found, _ = prefix_of(make_plan(trace))
    assert not isinstance(found, Unsupported)
    assert [point.blocks for point in found.lru] == [found.unique_blocks]
    assert found.lru[0].block_hit_ratio == pytest.approx(found.ceiling.block_hit_ratio)
    assert isinstance(found.reuse_distance_blocks, Unsupported)


def test_blocks_that_follow_different_ones_are_not_measured_in_parts(tmp_path: Path) -> None:
    rows = [
        {"arrival_ns": k, "input_tokens": 8, "block_ids": ids}
        for k, ids in enumerate([[1, 2], [3, 2]])
    ]
    assert prefix_of(make_plan(_trace(rows).save(tmp_path / "a.trace")))[0] == UNCHAINED
    mixed = _trace(rows).frame.with_columns(block_size=pl.Series([4, 8], dtype=pl.UInt16))
    saved = Trace.from_frame(mixed.collect()).save(tmp_path / "b.trace")
    assert "blocks of 4, 8 tokens" in str(prefix_of(make_plan(saved))[0])


def test_a_folder_whose_files_overlap_has_the_blocks_of_all(tmp_path: Path) -> None:
    line = '{"timestamp": %d, "input_length": 1024, "output_length": 1, "hash_ids": [9, %d]}\n'
    for n, moments in enumerate(((0, 2, 9), (1, 3, 8), (4, 5))):
        log = tmp_path / f"{n}.jsonl"
        log.write_text("".join(line % (1_790_000_000_000 + at, at % 4) for at in moments))
        grown = wl.ingest(log, tmp_path / "all", append=True)
    exact, (found, _) = measure_prefix(Study(grown)), prefix_of(make_plan(grown))
    assert differences(_without_estimates(exact), _without_estimates(found)) == {}
    assert found.unique_blocks == 5
