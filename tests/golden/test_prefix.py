"""Prefix reuse of a published trace against figures computed independently from the same file."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from workloadlab import LatencyModel, Trace
from workloadlab.characterization.study import Study
from workloadlab.characterization.topics.prefix import Prefix, measure_prefix

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data
SIZES = [1000, 5000, 10_000, 30_000, 50_000, 100_000]


@pytest.fixture(scope="module")
def trace(shared_data: Path) -> Trace:
    with gzip.open(shared_data / "mooncake" / "conversation_trace.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [row["timestamp"] * 1_000_000 for row in rows],
                "input_tokens": [row["input_length"] for row in rows],
                "block_ids": [row["hash_ids"] for row in rows],
                "block_size": [512] * len(rows),
            }
        )
    )


@pytest.fixture(scope="module")
def prefix(trace: Trace) -> Prefix:
    of_128_kib_a_token = LatencyModel.load("rtxpro6000-llama-3.1-8b")
    return measure_prefix(Study(trace, of_128_kib_a_token, lru_blocks=SIZES))


def printed(value: float, text: str) -> bool:
    return f"{value:.{len(text.partition('.')[2])}f}" == text


def test_counts(prefix: Prefix) -> None:
    assert (prefix.block_size, prefix.requests, prefix.missing) == (512, 12_031, 0)
    assert (prefix.blocks, prefix.unique_blocks) == (288_500, 182_790)
    assert prefix.chained
    assert round(prefix.ceiling.block_hit_ratio * prefix.blocks) == 105_710


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("block_hit_ratio", "0.36641"),
        ("token_hit_ratio", "0.37362"),
        ("token_hit_ratio_last_half", "0.3981"),
        ("full_block_hit_ratio", "0.38190"),
        ("mean_request_hit_ratio", "0.4094"),
        ("mean_request_block_hit_ratio", "0.38426"),
        ("requests_with_hit", "0.99992"),
    ],
)
def test_ceiling(prefix: Prefix, name: str, text: str) -> None:
    assert printed(getattr(prefix.ceiling, name), text)


def test_lru(prefix: Prefix) -> None:
    texts = ["0.0445", "0.1104", "0.2112", "0.3257", "0.3546", "0.3637"]
    assert [point.blocks for point in prefix.lru] == SIZES
    for point, text in zip(prefix.lru, texts, strict=True):
        assert printed(point.block_hit_ratio, text)


def test_a_cache_of_16_k_tokens_shows_the_order_of_eviction(trace: Trace) -> None:
    point = measure_prefix(Study(trace, lru_blocks=[32])).lru[0]
    assert printed(point.token_hit_ratio, "0.033")
    assert point.leaf_first_block_hit_ratio == pytest.approx(0.0417, abs=5e-5)


def test_sizes_in_memory(prefix: Prefix) -> None:
    assert prefix.lru[0].tokens == 512_000
    assert prefix.lru[0].gib == 512_000 * 131_072 / 2**30


def test_reuse(prefix: Prefix) -> None:
    reuse = prefix.reuse_time_s
    for value, text in zip(
        (reuse.p50, reuse.p80, reuse.p90, reuse.p99),
        ("114.0", "324.0", "519.0", "1578.0"),
        strict=True,
    ):
        assert printed(value, text)
    assert printed(reuse.within_60_s, "0.2821")
    assert printed(reuse.within_600_s, "0.9371")
    reuses = prefix.concentration
    assert printed(reuses.top1_share, "0.3165")
    assert printed(reuses.top10_share, "0.7514")
    assert printed(reuses.reused_blocks, "0.2415")
