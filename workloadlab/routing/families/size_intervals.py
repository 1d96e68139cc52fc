"""Policies that give each instance, or group of them, its own interval of sizes."""

from __future__ import annotations

import math
from typing import Any

from workloadlab.routing.router import router

__all__ = ["dedicated_small_large", "dynamo_sita", "sita_e", "smg_bucket"]

FAMILY = "size-aware"
BINS = 62
OWN = 64


def _able(instances: Any) -> int:
    """Count the instances that can serve the request."""
    able = 0
    for i in range(len(instances)):
        able += instances[i].fits
    return int(able)


def _nth(instances: Any, nth: Any) -> int:
    """Return the nth instance that can serve, from 0."""
    for i in range(len(instances)):
        if instances[i].fits == 1:
            if nth == 0:
                return i
            nth -= 1
    return 0


def _least_in_flight(instances: Any, first: Any, end: Any) -> int:
    """Return the one with the fewest requests among the able ones numbered first to end - 1."""
    best = -1
    nth = 0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            inside = first <= nth < end
            if inside and (best < 0 or instances[i].in_flight < instances[best].in_flight):
                best = i
            nth += 1
    return best


@router(
    kind="choose",
    family=FAMILY,
    params={"output_weight": 1},
    formula="size intervals of equal work: instance floor(n F(size)), F the share of work below size",
    source="SITA-E (Harchol-Balter, Crovella and Murta 1999), cut on what was seen so far",
)
def sita_e(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Small requests to the first instances, large ones to the last, equal work for each.

    Size is input + output_weight x predicted output. The sizes seen are kept in 62 bins of half an
    octave; a bin that holds a boundary is split at random, so there are no ties. Loads are not read.
    """
    size = request.input_tokens + params[0] * request.predicted_output_tokens
    own = min(int(2.0 * math.log2(max(size, 1.0))), BINS - 1)
    memory[own] += size
    total = 0.0
    below = 0.0
    for b in range(BINS):
        total += memory[b]
        if b < own:
            below += memory[b]
    able = _able(instances)
    share = (below + request.draw * memory[own]) / total if total > 0.0 else 0.0
    return _nth(instances, min(int(share * able), able - 1))


@router(
    kind="choose",
    family=FAMILY,
    params={"heavy_output_tokens": 256},
    formula="light outputs to the first half of the instances, heavy ones to the rest",
    source="dedicated small-large of Jain et al. 2024 (two instances)",
)
def dedicated_small_large(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Split by predicted output; in a half the fewest in flight, ties to the lowest index.

    A predicted output of at least heavy_output_tokens is heavy. The paper's cut is a decode phase of
    5 s, some 140 to 290 tokens by its step times. With an odd number the light half has one more.
    """
    able = _able(instances)
    light = (able + 1) // 2
    if able > 1 and request.predicted_output_tokens >= params[0]:
        return _least_in_flight(instances, light, able)
    return _least_in_flight(instances, 0, light)


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    params={"small": 1024, "large": 8192, "small_share": 0.5, "spill": 0.85},
    formula="bands of uncached prompt below 1024, below 8192 and above; the first share of instances "
    "serves the small band; a band whose KV use passes `spill` everywhere spills",
    source="NVIDIA Dynamo's SITA selector (opt-in), reconstructed from its documented settings",
)
def dynamo_sita(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Bands of uncached prompt tokens; in a band the fewest in flight, ties to the lowest index.

    Reads the largest cached prefix, in flight and KV use. The medium band has half of the instances
    that the small one leaves, rounded up; with too few instances neighbouring bands share one. A band
    that is full sends to the fewest in flight of all.
    """
    able = _able(instances)
    cached = 0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            cached = max(cached, instances[i].cached_tokens)
    size = request.input_tokens - cached
    small = min(max(1, int(params[2] * able)), able)
    medium = min(small + (able - small + 1) // 2, able)
    first, end = 0, small
    if size >= params[1]:
        first, end = min(medium, able - 1), able
    elif size >= params[0]:
        first, end = min(small, able - 1), max(medium, min(small, able - 1) + 1)
    best = -1
    nth = 0
    for i in range(len(instances)):
        v = instances[i]
        if v.fits == 1:
            open_band = first <= nth < end and v.kv_blocks_used <= params[3] * v.kv_blocks
            if open_band and (best < 0 or v.in_flight < instances[best].in_flight):
                best = i
            nth += 1
    return best if best >= 0 else _least_in_flight(instances, 0, able)


def _recut(memory: Any, count: int, total: float) -> None:
    """Move the upper ends of the instances' length ranges so that the window's load is equal."""
    seen = 0.0
    done = 0
    for b in range(1, BINS + 1):
        seen += memory[b + 1]
        while done < count - 1 and seen >= total * (done + 1) / count:
            memory[OWN + 2 * done] = 2.0 ** ((b) / 2.0)
            done += 1


@router(
    kind="choose",
    family=FAMILY,
    params={"longest": 4096, "recut_s": 5, "moved": 2, "spread": 32, "ratio": 1.0001},
    formula="each instance serves a range of prompt lengths, re-cut every 5 s to equal characters; "
    "min-load when max - min > 32 and max > 1.0001 min",
    source="bucket policy of the SGLang model gateway (smg), 4 characters per token",
)
def smg_bucket(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Ranges of prompt lengths in characters; a length on a boundary goes to the lower range.

    Load is the characters sent in the current window of recut_s; ranges are cut again at its end if
    the most loaded instance had over `moved` times the characters of the least. The override's default
    thresholds are small, so that characters decide nearly every request: ties to the lowest index.
    """
    count = len(instances)
    if memory[0] == 0.0:
        memory[0] = request.now_s + params[1]
        for i in range(count):
            memory[OWN + 2 * i] = (i + 1) * params[0] / count
    low, high, total, low_at = math.inf, 0.0, 0.0, 0
    for i in range(count):
        sent = memory[OWN + 2 * i + 1]
        total += sent
        if instances[i].fits == 1:
            if sent < low:
                low, low_at = sent, i
            high = max(high, sent)
    if request.now_s >= memory[0]:
        memory[0] = request.now_s + params[1]
        if high > params[2] * low:
            _recut(memory, count, total)
        for i in range(count):
            memory[OWN + 2 * i + 1] = 0.0
        for b in range(2, OWN):
            memory[b] = 0.0
        low, high, low_at = 0.0, 0.0, _nth(instances, 0)
    chars = 4.0 * request.input_tokens
    chosen = low_at
    if not (high - low > params[3] and high > params[4] * low):
        last = -1
        for i in range(count):
            if instances[i].fits == 1 and (last < 0 or memory[OWN + 2 * last] < chars):
                last = i
        chosen = last
    memory[2 + min(int(2.0 * math.log2(chars)), BINS - 1)] += chars
    memory[OWN + 2 * chosen + 1] += chars
    return chosen
