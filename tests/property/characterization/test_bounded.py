"""A trace measured part by part against the same trace measured at once."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import polars as pl
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.profiles import differences

from workloadlab import Trace, characterize
from workloadlab.characterization.bounded import Partial, make_plan, measure, merge, merge_all
from workloadlab.characterization.bounded.in_flight import concurrency_of
from workloadlab.characterization.characterize import finish

if TYPE_CHECKING:
    import random

TICKS_NS = (1, 1_000, 1_000_000_000, 60_000_000_000)
SPANS_S = (5, 400, 7_200, 90_000, 12 * 86_400)

traces = st.builds(
    dict,
    seed=st.integers(0, 10_000),
    rows=st.integers(2, 400),
    span_s=st.sampled_from(SPANS_S),
    tick_ns=st.sampled_from(TICKS_NS),
    warm_up=st.sampled_from([0.0, 0.1]),
    unrecorded=st.sampled_from([0.0, 0.2, 1.0]),
    dated=st.booleans(),
)


def drawn(
    seed: int, rows: int, span_s: int, tick_ns: int, warm_up: float, unrecorded: float, dated: bool
) -> Trace:
    """Return a trace with every column that parts count, some of them not recorded in some rows."""
    rng = np.random.default_rng(seed)
    at = (rng.beta(0.7, 0.9, rows) * span_s * 1e9).astype(np.int64) // tick_ns * tick_ns
    outputs = rng.lognormal(4, 1.5, rows).astype(np.int64)
    ttft = rng.lognormal(18, 1, rows).astype(np.int64)
    e2e = ttft + outputs * rng.lognormal(16, 0.5, rows).astype(np.int64)

    def sometimes(values: np.ndarray) -> pl.Series:
        kept = rng.random(rows) >= unrecorded
        return pl.Series([v if k else None for v, k in zip(values.tolist(), kept, strict=True)])

    def named(prefix: str, count: int) -> np.ndarray:
        return np.array([f"{prefix}{i}" for i in rng.zipf(1.5, rows) % count])

    columns = {
        "row_id": rng.permutation(rows),
        "arrival_ns": at + (0 if seed % 3 else 7 * 86_400 * 10**9),
        "input_tokens": rng.lognormal(6, 2, rows).astype(np.int64) % 300_000
        + rng.choice([0, 0, 0, 200_000], rows),
        "output_tokens": sometimes(outputs),
        "reasoning_tokens": sometimes(outputs // 2),
        "ttft_ns": sometimes(ttft),
        "e2e_ns": sometimes(e2e),
        "tenant_id": sometimes(named("t", 7)),
        "model": named("m", 3),
        "instance_id": sometimes(named("i", 90)),
        "outcome": sometimes(named("ok", 1) if seed % 2 else np.repeat("ok", rows)),
        "session_id": sometimes(named("s", 60)),
        "finish_reason": sometimes(np.array(["stop", "tool_calls"])[rng.integers(0, 2, rows)]),
        "think_ns": sometimes(rng.lognormal(20, 2, rows).astype(np.int64)),
        "cached_tokens": sometimes(rng.integers(0, 50, rows)),
        "warmup": rng.random(rows) < warm_up,
        "flags": (rng.random(rows) < 0.1).astype(np.int64) * 16,
    }
    trace = Trace.from_frame(pl.DataFrame(columns, strict=False).cast({"warmup": pl.Boolean}))
    if dated:
        trace.provenance.__dict__["t0_unix_ns"] = 1_700_000_000_000_000_000
    return trace


@settings(max_examples=15, phases=[Phase.explicit, Phase.generate])
@given(traces, st.integers(8, 90), st.integers(1, 16), st.randoms(use_true_random=False))
def test_parts_in_any_order_are_the_whole(
    facts: dict, group_rows: int, parts: int, order: random.Random
) -> None:
    part_rows = -(-facts["rows"] // parts)
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("workloadlab.trace.store.ROW_GROUP", group_rows),
        patch("workloadlab.characterization.bounded.by_session.FILE_ROWS", part_rows),
    ):
        trace = drawn(**facts).save(Path(folder) / "drawn.trace")
        measured = trace.frame.filter(~pl.col("warmup")).collect()
        if not len(measured):
            return
        exact = characterize(trace)
        plan = make_plan(trace, part_rows=part_rows)
        partials = [measure(plan, place) for place in range(len(plan.parts))]
        whole = merge_all(partials)
        found = finish(trace, plan, whole, concurrency_of(plan)).to_dict()
    order.shuffle(partials)
    stored = [Partial.from_bytes(each.to_bytes()) for each in partials]
    assert functools.reduce(merge, stored).to_bytes() == whole.to_bytes()
    assert differences(exact.to_dict(), found) == {}
