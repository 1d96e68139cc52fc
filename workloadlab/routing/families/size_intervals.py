"""Policies that give each instance, or group of them, its own interval of sizes."""

from __future__ import annotations

import math
from typing import Any

from workloadlab.routing.choices import count_able, least_cell, lowest_and_highest, nth_able
from workloadlab.routing.memory import memory_slots, per_instance
from workloadlab.routing.router import router

__all__ = ["dedicated_small_large", "dynamo_sita", "sita_e", "smg_bucket"]

FAMILY = "size-aware"
BINS = 62
WORK = memory_slots(work=BINS)
"""Of `sita_e`: the work seen so far by bin of sizes."""
WINDOW = memory_slots(recut_s=1, chars=BINS, end="instance", sent="instance")
"""Of `smg_bucket`: when the ranges may be cut again; the characters of the window by bin of lengths; by
instance the upper end of its range, and the characters sent to it in the window."""


def _cached(instance: Any) -> Any:
    return instance.cached_tokens


def _own_cell(instance: Any, cells: Any) -> Any:
    return cells[instance.index]


_range_of_cached = lowest_and_highest(_cached)
_range_of_own_cells = lowest_and_highest(_own_cell)


def _least_in_band(instances: Any, first: Any, end: Any, spill: Any) -> int:
    """Return the fewest in flight of those whose share of KV blocks in use is at most `spill`.

    Among the instances numbered first to end - 1 of those that can serve; -1 if there is none.
    """
    best = -1
    nth = 0
    for i in range(len(instances)):
        v = instances[i]
        if v.fits == 1:
            open_here = first <= nth < end and v.kv_blocks_used <= spill * v.kv_blocks
            if open_here and (best < 0 or v.in_flight < instances[best].in_flight):
                best = i
            nth += 1
    return best


@router(
    kind="choose",
    family=FAMILY,
    memory=WORK,
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
    work = memory[WORK.work : WORK.work + BINS]
    work[own] += size
    total = 0.0
    below = 0.0
    for b in range(BINS):
        total += work[b]
        if b < own:
            below += work[b]
    able = count_able(instances)
    share = (below + request.draw * work[own]) / total if total > 0.0 else 0.0
    return nth_able(instances, min(int(share * able), able - 1))


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
    able = count_able(instances)
    light = (able + 1) // 2
    if able > 1 and request.predicted_output_tokens >= params[0]:
        return _least_in_band(instances, light, able, math.inf)
    return _least_in_band(instances, 0, light, math.inf)


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    params={"small": 1024, "large": 8192, "small_share": 0.5, "spill": 0.85},
    formula="bands of uncached prompt below 1024, below 8192 and above; the first share of instances "
    "serves the small band; a band whose KV use passes `spill` everywhere spills",
    source="NVIDIA Dynamo's SITA selector (opt-in, 2026), reconstructed from its documented settings",
)
def dynamo_sita(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Bands of uncached prompt tokens; in a band the fewest in flight, ties to the lowest index.

    Reads the largest cached prefix, in flight and KV use. The medium band has half of the instances
    that the small one leaves, rounded up; with too few instances neighbouring bands share one. A band
    that is full sends to the fewest in flight of all.
    """
    able = count_able(instances)
    _, cached = _range_of_cached(instances)
    size = request.input_tokens - cached
    small = min(max(1, int(params[2] * able)), able)
    medium = min(small + (able - small + 1) // 2, able)
    first, end = 0, small
    if size >= params[1]:
        first, end = min(medium, able - 1), able
    elif size >= params[0]:
        first, end = min(small, able - 1), max(medium, min(small, able - 1) + 1)
    best = _least_in_band(instances, first, end, params[3])
    return best if best >= 0 else _least_in_band(instances, 0, able, math.inf)


def _recut(chars: Any, sent: Any, ends: Any) -> None:
    """Move the upper ends of the instances' length ranges so that the window's load is equal."""
    count = len(ends)
    total = seen = 0.0
    for i in range(count):
        total += sent[i]
    done = 0
    for b in range(1, BINS + 1):
        seen += chars[b - 1]
        while done < count - 1 and seen >= total * (done + 1) / count:
            ends[done] = 2.0 ** (b / 2.0)
            done += 1


@router(
    kind="choose",
    family=FAMILY,
    memory=WINDOW,
    params={"longest": 4096, "recut_s": 5, "moved": 2, "spread": 32, "ratio": 1.0001},
    formula="each instance serves a range of prompt lengths, re-cut every 5 s to equal characters; "
    "min-load when max - min > 32 and max > 1.0001 min",
    source="bucket policy of the SGLang model gateway (smg), commit f8daa8835 (August 2026), 4 "
    "characters per token",
)
def smg_bucket(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Ranges of prompt lengths in characters; a length on a boundary goes to the lower range.

    Load is the characters sent in the current window of recut_s; ranges are cut again at its end if
    the most loaded instance had over `moved` times the characters of the least. The override's default
    thresholds are small, so that characters decide nearly every request: ties to the lowest index.
    """
    count = len(instances)
    ends = memory[per_instance(WINDOW.end, instances)]
    sent = memory[per_instance(WINDOW.sent, instances)]
    chars = memory[WINDOW.chars : WINDOW.chars + BINS]
    if memory[WINDOW.recut_s] == 0.0:
        memory[WINDOW.recut_s] = request.now_s + params[1]
        for i in range(count):
            ends[i] = (i + 1) * params[0] / count
    low, high = _range_of_own_cells(instances, sent)
    if request.now_s >= memory[WINDOW.recut_s]:
        memory[WINDOW.recut_s] = request.now_s + params[1]
        if high > params[2] * low:
            _recut(chars, sent, ends)
        sent[:] = 0.0
        chars[:] = 0.0
        low, high = 0.0, 0.0
    length = 4.0 * request.input_tokens
    chosen = -1
    if high - low > params[3] and high > params[4] * low:
        chosen = least_cell(instances, sent)
    else:
        for i in range(count):
            if instances[i].fits == 1 and (chosen < 0 or ends[chosen] < length):
                chosen = i
    chars[min(int(2.0 * math.log2(length)), BINS - 1)] += length
    sent[chosen] += length
    return chosen
