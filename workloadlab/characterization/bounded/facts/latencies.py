"""Service levels from buckets of latencies."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.facts.parties import counts_by_name
from workloadlab.characterization.bounded.facts.sketch import sketched
from workloadlab.characterization.bounded.latencies import HOURS, INSTANCES, TENANTS, watched
from workloadlab.characterization.bounded.latency_kernel import DIGITS, TTFT
from workloadlab.characterization.bounded.rules import grouped
from workloadlab.characterization.bounded.words import total
from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.topics.service_levels import (
    INPUT_EDGES,
    LISTED,
    RECORDED,
    TPOT_TARGETS_S,
    TTFT_TARGETS_S,
    Attainment,
    Group,
    ServiceLevels,
    WorstWindow,
    input_ranges,
)
from workloadlab.scoring.metric import PERCENTILES, LatencySummary
from workloadlab.scoring.timings import LATENCIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.partial import Partial
    from workloadlab.characterization.bounded.plan import Plan

__all__ = ["service_levels_from"]

RANGES = len(INPUT_EDGES)
NONE = -1
"""Group of names that were not looked at closely: it holds nothing."""


def service_levels_from(plan: Plan, partial: Partial) -> ServiceLevels | Unsupported:
    """Make the facts of recorded latencies."""
    if not any(column in plan.filled for column in RECORDED):
        return Unsupported("no request records ttft_ns, e2e_ns or queue_ns")
    arrays = partial.arrays
    sizes = dict(arrays["latency.groups"].tolist())
    ranges = input_ranges()
    return ServiceLevels(
        overall=_overall(arrays, plan.requests),
        outcomes=_outcomes(plan, partial),
        by_input=tuple(
            _group(arrays, place, ranges[place], sizes[place])
            for place in range(RANGES)
            if place in sizes
        ),
        by_hour=tuple(
            _group(arrays, group, str(group - HOURS), n)
            for group, n in sizes.items()
            if group >= HOURS
        ),
        by_tenant=_named(plan, partial, "tenant_id", TENANTS),
        by_instance=_named(plan, partial, "instance_id", INSTANCES),
        attainment=_attainment(plan, arrays["latency.met"]),
        worst_window=_worst(plan, arrays["latency.worst"]),
    )


def _group(arrays: dict[str, NDArray[Any]], group: int, name: str, requests: int) -> Group:
    buckets, sums = arrays["latency.buckets"], arrays["latency.sums"]
    found = {}
    for which, latency in enumerate(LATENCIES):
        key = 4 * group + which
        start, stop = np.searchsorted(buckets[:, 0], [key, key + 1])
        mine = sums[sums[:, 0] == key]
        found[latency] = asdict(
            _summary(buckets[start:stop, 1:], int(mine[0, 1]), total(mine[0, 2:]))
            if len(mine)
            else LatencySummary()
        )
    return Group(name=name, requests=requests, **found)


def _overall(arrays: dict[str, NDArray[Any]], requests: int) -> Group:
    """Add the input ranges."""
    buckets, sums = arrays["latency.buckets"], arrays["latency.sums"]
    buckets, sums = buckets[buckets[:, 0] < 4 * RANGES], sums[sums[:, 0] < 4 * RANGES]
    together = {}
    for name, table, keys in (("latency.buckets", buckets, 2), ("latency.sums", sums, 1)):
        added = table.copy()
        added[:, 0] %= 4
        together[name] = grouped(added, keys) if len(added) else added
    return _group(together, 0, "all", requests)


def _summary(table: NDArray[np.int64], n: int, sum_ns: int) -> LatencySummary:
    levels = sketched(table, DIGITS).quantiles(list(PERCENTILES.values()))
    seconds = dict(zip(PERCENTILES, (level / 1e9 for level in levels), strict=True))
    return LatencySummary(sum_ns / n / 1e9, **seconds)


def _outcomes(plan: Plan, partial: Partial) -> dict[str, int]:
    counts = counts_by_name(partial, "outcome") if "outcome" in plan.filled else {}
    unrecorded = plan.requests - sum(counts.values())
    return dict(sorted((counts | ({"unrecorded": unrecorded} if unrecorded else {})).items()))


def _named(plan: Plan, partial: Partial, column: str, first: int) -> tuple[Group, ...]:
    if column not in plan.filled:
        return ()
    counts = counts_by_name(partial, column)
    places = {name: place for place, name in enumerate(plan.frequent[column])}
    listed = sorted(counts, key=lambda name: (-counts[name], name))[:LISTED]
    return tuple(
        _group(partial.arrays, first + places[name] if name in places else NONE, name, counts[name])
        for name in listed
    )


def _attainment(plan: Plan, met: NDArray[np.int64]) -> Attainment:
    upto = met.cumsum(axis=0).cumsum(axis=1)
    shares = tuple(
        tuple(int(upto[a, b]) / plan.requests for b in range(len(TPOT_TARGETS_S)))
        for a in range(len(TTFT_TARGETS_S))
    )
    return Attainment(TTFT_TARGETS_S, TPOT_TARGETS_S, shares)


def _worst(plan: Plan, worst: NDArray[np.int64]) -> WorstWindow | None:
    twenty_p90, start_ns, n = worst.tolist()
    if twenty_p90 < 0:
        return None
    of = "ttft" if watched(plan) == TTFT else "e2e"
    return WorstWindow(start_ns / 1e9, n, of, twenty_p90 / 20 / 1e9)
