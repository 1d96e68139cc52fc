"""Sums that leave 32 and 64 bits: tokens of long chats, and nanoseconds of long lives."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from workloadlab import Trace, characterize
from workloadlab.characterization.statistics.reuse import reuse_time

N, YEAR_NS, TOKENS = 800, 365 * 86_400 * 10**9, 90_000_000


@pytest.fixture(scope="module")
def chats() -> Trace:
    """Turns of a year each, in sessions of two, with a pause of a year after a tool."""
    turn = pl.int_range(N, eager=True) % 2
    return Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": pl.int_range(N, eager=True) + turn * 2 * YEAR_NS,
                "e2e_ns": pl.repeat(YEAR_NS, N, eager=True),
                "input_tokens": pl.repeat(TOKENS, N, eager=True),
                "cached_tokens": pl.repeat(TOKENS // 2, N, eager=True),
                "output_tokens": pl.repeat(10, N, eager=True),
                "session_id": (pl.int_range(N, eager=True) // 2).cast(pl.String),
                "finish_reason": pl.repeat("tool_calls", N, eager=True),
            }
        )
    )


@pytest.mark.parametrize("row_limit", [None, 1], ids=["at once", "in parts"])
def test_no_sum_leaves_its_bits(chats, tmp_path, row_limit):
    chats.write(tmp_path / "chats.trace")
    limits = {} if row_limit is None else {"row_limit": row_limit}
    profile = characterize(Trace.open(tmp_path / "chats.trace"), **limits)
    assert N * TOKENS > 2**32 < N // 2 * 3 * YEAR_NS > 2**63
    assert profile.agentic.cached_share == 0.5
    assert profile.agentic.tool_time.over_a_minute_time_share == 1.0
    assert profile.sessions.live.mean == pytest.approx(N / 2, rel=1e-6)
    if row_limit is None:
        assert profile.concurrency.little.w_s == pytest.approx(YEAR_NS / 1e9)


def test_the_mean_gap_between_uses_of_a_block():
    assert reuse_time(np.full(N, YEAR_NS)).mean == YEAR_NS / 1e9
