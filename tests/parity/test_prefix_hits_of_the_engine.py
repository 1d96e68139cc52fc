"""Prefix hits that the engine counts, one request at a time, against the profile's curves."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.characterization.study import Study
from workloadlab.characterization.topics.prefix import measure_prefix
from workloadlab.trace import Trace

pytestmark = pytest.mark.data

BLOCK = 512
APART_NS = 1_000_000_000_000


@cache
def one_at_a_time(data):
    """Mooncake's conversations with their whole blocks, so far apart that no two meet."""
    log = wl.ingest(data / "mooncake" / "conversation_trace.jsonl.gz")
    one = pl.lit(1, log.frame.collect_schema()["output_tokens"])
    whole = pl.col("input_tokens").cast(pl.Int64) // BLOCK
    frame = log.frame.with_columns(
        arrival_ns=pl.int_range(pl.len()) * APART_NS,
        output_tokens=one,
        block_ids=pl.col("block_ids").list.head(whole),
    )
    return Trace(frame.collect().lazy(), log.provenance)


def hits_of_the_engine(trace, blocks):
    """Blocks that one instance finds in its cache."""
    cluster = wl.Cluster.uniform(
        1, wl.LatencyModel.linear(constant_s=0.01), block_size=BLOCK, kv_blocks=blocks,
        prefix_caching=True, async_scheduling=False, max_num_batched_tokens=1 << 20,
    )  # fmt: skip
    outcomes = wl.replay(trace, cluster, routers=["round_robin"]).outcomes()
    return outcomes.read("cached_tokens")["cached_tokens"].sum() // BLOCK


def test_an_unlimited_cache_reaches_the_ceiling(shared_data):
    trace = one_at_a_time(shared_data)
    prefix = measure_prefix(Study(trace))
    found = hits_of_the_engine(trace, None) / prefix.blocks
    assert found == pytest.approx(prefix.ceiling.full_block_hit_ratio, abs=1e-9)
    assert f"{found:.5f}" == "0.38190"


@pytest.mark.parametrize("blocks", [1_000, 5_000, 20_000])
def test_a_limited_cache_follows_the_curve(shared_data, blocks):
    """But for the block of a prompt's rest, which the engine needs room for and the curve does not."""
    trace = one_at_a_time(shared_data)
    prefix = measure_prefix(Study(trace, lru_blocks=[blocks]))
    found = hits_of_the_engine(trace, blocks + 1) / prefix.blocks
    curve = prefix.lru[0].leaf_first_block_hit_ratio
    print(f"{blocks:,} blocks: engine {found:.5f}, curve {curve:.5f}")
    assert found == pytest.approx(curve, abs=1e-9)
