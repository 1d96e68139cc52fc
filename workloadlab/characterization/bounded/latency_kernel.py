"""The loop over recorded latencies: by prompt length, tenant, instance, hour and minute."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.characterization.bounded.buckets import bucket_of, buckets
from workloadlab.characterization.bounded.kernels import MINUTE_NS, NULL, add_signed
from workloadlab.jit import entry, helper

__all__ = ["BUCKETS", "DIGITS", "E2E", "QUEUE", "TPOT", "TTFT", "close_minute", "count_latencies"]

DIGITS = 8
TOP = 50
"""Latencies of 2^50 ns, 13 days, and more share a bucket."""

BUCKETS = buckets(TOP, DIGITS)
TTFT, TPOT, E2E, QUEUE = range(4)
LEAST_IN_MINUTE = 20


@helper
def add(table: Any, sums: Any, which: Any, bucket: Any, value: Any) -> None:
    table[which, bucket] += 1
    sums[which, 0] += np.uint64(1)
    add_signed(sums[which, 1:], value)


@helper
def range_of(tokens: Any, edges: Any) -> Any:
    """Return the last range that begins at or below a number of tokens."""
    group = np.int64(0)
    while group + 1 < len(edges) and tokens >= edges[group + 1]:
        group += 1
    return group


@helper
def per_token(first: Any, whole: Any, outputs: Any) -> Any:
    """Return ns per output token after the first, NaN where there is none."""
    if first == np.int64(NULL) or whole == np.int64(NULL) or outputs <= 1:
        return np.nan
    return (whole - first) / np.float64(outputs - 1)


@helper
def latency(which: Any, first: Any, tpot: Any, whole: Any, waited: Any) -> Any:
    """Return one latency of a request in ns, `NULL` where it has none."""
    if which == TTFT:
        return first
    if which == E2E:
        return whole
    if which == QUEUE:
        return waited
    return np.int64(NULL) if np.isnan(tpot) else np.int64(np.rint(tpot))


@helper
def first_met(seconds: Any, targets: Any) -> Any:
    """Return the place of the first target that is met, or how many there are; NaN meets none."""
    place = np.int64(0)
    while place < len(targets) and not seconds <= targets[place]:
        place += 1
    return place


@entry()
def close_minute(minute: Any, middles: Any, state: Any, worst: Any, origin: Any) -> None:
    """Keep a minute whose p90 is above all before, and clear it.

    Arrays and state:
        minute, middles: rows per bucket, and twice the middle of each.
        state: end of the minute, rows, lowest and highest bucket in use.
        worst: twenty times the p90, start of the minute since the origin, rows.
    """
    n = state[1]
    if n >= LEAST_IN_MINUTE:
        rank, tenths = (n - 1) * 9 // 10, (n - 1) * 9 % 10
        seen, low, high = np.int64(0), np.int64(-1), np.int64(-1)
        for bucket in range(state[2], state[3] + 1):
            seen += minute[bucket]
            if low < 0 and seen > rank:
                low = np.int64(bucket)
            if seen > rank + 1 or (seen == n and low >= 0):
                high = np.int64(bucket)
                break
        p90 = middles[low] * (10 - tenths) + middles[high] * tenths
        if p90 > worst[0]:
            worst[0], worst[1], worst[2] = p90, state[0] - MINUTE_NS - origin, n
    for bucket in range(state[2], state[3] + 1):
        minute[bucket] = 0
    state[1], state[2], state[3] = 0, BUCKETS, -1


@entry()
def count_latencies(
    arrival: Any, inputs: Any, outputs: Any, ttft: Any, e2e: Any, queue: Any, served: Any,
    tenant: Any, instance: Any, edges: Any, in_range: Any, of_range: Any, range_sums: Any,
    of_hour: Any, hour_sums: Any, of_tenant: Any, tenant_sums: Any, of_instance: Any,
    instance_sums: Any, targets: Any, met: Any, minute: Any, middles: Any, state: Any, worst: Any,
    origin: Any, watched: Any,
) -> None:  # fmt: skip
    """Count the latencies of ascending arrivals of one hour.

    Arrays and state:
        ttft, e2e, queue: nanoseconds, `NULL` where not recorded.
        tenant, instance: place among the candidates, -1 for others.
        edges: of the input ranges; `in_range` requests in each.
        of_range, of_hour, of_tenant, of_instance: rows per group, latency and bucket; `*_sums` rows,
            and the sum in two words.
        targets: of TTFT, then of TPOT, in seconds, NaN behind them.
        met: served rows per first target of either that they meet.
        minute, middles, state, worst: see `close_minute`.
        watched: the latency of the worst minute.
    """
    limit = np.int64(BUCKETS - 1)
    for i in range(len(arrival)):
        group = range_of(inputs[i], edges)
        in_range[group] += 1
        if arrival[i] >= state[0]:
            close_minute(minute, middles, state, worst, origin)
            state[0] = origin + ((arrival[i] - origin) // MINUTE_NS + 1) * MINUTE_NS
        tpot = per_token(ttft[i], e2e[i], outputs[i])
        for which in range(4):
            value = latency(which, ttft[i], tpot, e2e[i], queue[i])
            if value == np.int64(NULL):
                continue
            bucket = min(bucket_of(value, np.int64(DIGITS)), limit)
            add(of_range[group], range_sums[group], which, bucket, value)
            add(of_hour, hour_sums, which, bucket, value)
            if tenant[i] >= 0:
                add(of_tenant[tenant[i]], tenant_sums[tenant[i]], which, bucket, value)
            if instance[i] >= 0:
                add(of_instance[instance[i]], instance_sums[instance[i]], which, bucket, value)
            if which == watched:
                minute[bucket] += 1
                state[1] += 1
                state[2] = min(state[2], bucket)
                state[3] = max(state[3], bucket)
        if served[i]:
            seconds = ttft[i] / 1e9 if ttft[i] != np.int64(NULL) else np.nan
            prompt = first_met(seconds, targets[0])
            decode = first_met(tpot / 1e9, targets[1]) if outputs[i] > 1 else np.int64(0)
            met[prompt, decode] += 1
