"""The loops over rows. Arrays in, arrays changed.

Sums of squares are kept in two words, the upper 64 bits first. A pointer to the end of the current bin
saves a division per row: rows come in order of arrival, so bins are visited in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.characterization.bounded.buckets import bucket_of
from workloadlab.jit import entry, helper

__all__ = [
    "GAP_DIGITS", "MINUTE_NS", "NULL", "SMALL", "TOKEN_DIGITS",
    "add_product", "add_signed", "close_minute", "count_gaps", "count_lengths", "count_parties",
]  # fmt: skip

NULL = int(np.iinfo(np.int64).min)
"""Stands for a number that is not recorded."""

GAP_DIGITS = 10
TOKEN_DIGITS = 9
SMALL = 1 << 17
"""Token counts below are counted in an array, the rest in a table."""

MINUTE_NS = 60_000_000_000
_LOW = 0xFFFFFFFF


@helper
def add_product(words: Any, a: Any, b: Any) -> None:
    """Add a product of two numbers that are not negative to a sum of two words."""
    if a < np.int64(1 << 31) and b < np.int64(1 << 31):
        high, low = np.uint64(0), np.uint64(a) * np.uint64(b)
    else:
        x, y = np.uint64(a) >> np.uint64(32), np.uint64(a) & np.uint64(_LOW)
        z, w = np.uint64(b) >> np.uint64(32), np.uint64(b) & np.uint64(_LOW)
        last = y * w
        middle = x * w + (last >> np.uint64(32))
        carried = y * z + (middle & np.uint64(_LOW))
        low = (carried << np.uint64(32)) | (last & np.uint64(_LOW))
        high = x * z + (middle >> np.uint64(32)) + (carried >> np.uint64(32))
    before = words[1]
    words[1] = before + low
    words[0] = words[0] + high
    if words[1] < before:
        words[0] = words[0] + np.uint64(1)


@helper
def add_signed(words: Any, a: Any) -> None:
    """Add a number to a sum of two words, in two's complement."""
    before = words[1]
    words[1] = before + np.uint64(a)
    words[0] = words[0] + np.uint64(a >> np.int64(63))
    if words[1] < before:
        words[0] = words[0] + np.uint64(1)


@helper
def common_divisor(a: Any, b: Any) -> Any:
    while b:
        a, b = b, a % b
    return a


@entry()
def count_gaps(
    arrival: Any, previous: Any, hole: Any, gaps: Any, squares: Any, facts: Any,
    windows: Any, window_squares: Any, ends: Any, places: Any, first_places: Any, widths: Any,
    origin: Any,
) -> Any:  # fmt: skip
    """Count the gaps before each of some ascending arrivals, all together and inside windows.

    Arrays and state:
        arrival, previous: times, and the one before them; `NULL` where there is none.
        hole: longer gaps are holes.
        gaps, squares: per bucket how many and their sum; the squares of all.
        facts: gaps, ties, least positive, largest, divisor, holes, time in holes.
        windows, window_squares: per width and window the gaps inside, their sum, and their squares.
        ends, places: of the current window of each width; `first_places` of the first kept.
        widths, origin: of the windows, and where window 0 begins.
    """
    for i in range(len(arrival)):
        now = arrival[i]
        known = previous != np.int64(NULL)
        gap = now - previous if known else np.int64(0)
        if known:
            bucket = bucket_of(gap, np.int64(GAP_DIGITS))
            gaps[bucket, 0] += 1
            gaps[bucket, 1] += gap
            facts[0] += 1
            add_product(squares, gap, gap)
            if gap == 0:
                facts[1] += 1
            else:
                facts[2] = min(facts[2], gap)
                facts[3] = max(facts[3], gap)
                if facts[4] != 1:
                    facts[4] = common_divisor(facts[4], gap)
                if gap > hole:
                    facts[5] += 1
                    facts[6] += gap
        for w in range(2):
            if now >= ends[w]:
                places[w] = (now - origin) // widths[w]
                ends[w] = origin + (places[w] + 1) * widths[w]
            elif known:
                place = places[w] - first_places[w]
                windows[w, place, 0] += 1
                windows[w, place, 1] += gap
                add_product(window_squares[w, place], gap, gap)
        previous = now
    return previous


@entry()
def count_lengths(
    inputs: Any, outputs: Any, of_input: Any, of_output: Any, steps: Any, density: Any, sums: Any
) -> None:
    """Count token counts: each column alone, both in cells, and the sums of their products.

    Arrays and state:
        inputs, outputs: one per row; an output is `NULL` where not recorded.
        of_input, of_output: rows by value, for values below `SMALL`.
        steps: half-octave bin of each small value.
        density: rows per pair of bins, where both values are small.
        sums: of products input², output², input x output, input x 1, over rows with an output.
    """
    for i in range(len(inputs)):
        x, y = inputs[i], outputs[i]
        small = x < SMALL
        if small:
            of_input[x] += 1
        if y == np.int64(NULL):
            continue
        if y < SMALL:
            of_output[y] += 1
            if small:
                density[steps[x], steps[y]] += 1
        add_product(sums[0], x, x)
        add_product(sums[1], y, y)
        add_product(sums[2], x, y)
        add_product(sums[3], x, np.int64(1))


@entry()
def close_minute(counts: Any, squares: Any) -> None:
    """Add the counts of a minute to sums: of each candidate, its squares, its products with all."""
    last = len(counts) - 1
    everyone = counts[last]
    for c in range(len(counts)):
        squares[c, 0] += counts[c]
        squares[c, 1] += counts[c] * counts[c]
        squares[c, 2] += counts[c] * everyone
        counts[c] = 0


@entry()
def count_parties(
    arrival: Any, codes: Any, inputs: Any, outputs: Any, parties: Any, squares: Any, candidate: Any,
    of_input: Any, of_output: Any, minute: Any, minute_squares: Any, end: Any, origin: Any,
    stop: Any,
) -> Any:  # fmt: skip
    """Count requests, tokens and gaps by party; in more detail for some candidates.

    Arrays and state:
        codes: party of each row, -1 for none.
        parties: per party requests, tokens, first and last arrival, and the sum of its gaps.
        squares: per party those of its gaps.
        candidate: per party its place among the candidates, -1 for none.
        of_input, of_output: per candidate and bucket.
        minute, minute_squares: counts per candidate, and last of all; and their products by minute.
        end: of the current minute.
        origin, stop: where minute 0 begins and the last complete one ends.

    Returns:
        The end of the current minute.
    """
    for i in range(len(arrival)):
        party = codes[i]
        if party < 0:
            continue
        now = arrival[i]
        if now >= end:
            close_minute(minute, minute_squares)
            end = origin + ((now - origin) // MINUTE_NS + 1) * MINUTE_NS
        if parties[party, 0]:
            gap = now - parties[party, 3]
            parties[party, 4] += gap
            add_product(squares[party], gap, gap)
        else:
            parties[party, 2] = now
        parties[party, 0] += 1
        parties[party, 3] = now
        parties[party, 1] += inputs[i]
        known = outputs[i] != np.int64(NULL)
        if known:
            parties[party, 1] += outputs[i]
        chosen = candidate[party]
        if now < stop:
            minute[len(minute) - 1] += 1
            if chosen >= 0:
                minute[chosen] += 1
        if chosen >= 0:
            of_input[chosen, bucket_of(inputs[i], np.int64(TOKEN_DIGITS))] += 1
            if known:
                of_output[chosen, bucket_of(outputs[i], np.int64(TOKEN_DIGITS))] += 1
    return end
