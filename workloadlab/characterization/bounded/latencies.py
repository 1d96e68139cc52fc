"""Recorded latencies of one part: counts by bucket for each group of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.buckets import middles
from workloadlab.characterization.bounded.latency_kernel import (
    BUCKETS,
    DIGITS,
    E2E,
    TTFT,
    close_minute,
    count_latencies,
)
from workloadlab.characterization.bounded.reading import NULL, cut
from workloadlab.characterization.bounded.rules import add, add_by_key, add_by_two_keys
from workloadlab.characterization.bounded.words import limbs
from workloadlab.characterization.topics.service_levels import (
    INPUT_EDGES,
    MOST_HOURS,
    TPOT_TARGETS_S,
    TTFT_TARGETS_S,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.bounded.reading import Names, Rows

__all__ = ["HOURS", "INSTANCES", "RULES", "TENANTS", "LatencyTally", "watched"]

HOUR_NS = 3_600_000_000_000
TENANTS, INSTANCES, HOURS = 100, 200, 1000
"""First group of each kind; the input ranges begin at 0."""


def largest_row(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the row with the larger first number; of equals that with the smaller second."""
    return max(a, b, key=lambda row: (int(row[0]), -int(row[1])))


RULES = {
    "latency.buckets": add_by_two_keys,
    "latency.sums": add_by_key,
    "latency.met": add,
    "latency.worst": largest_row,
    "latency.groups": add_by_key,
}
"""Quantity by quantity, how two parts' become one.

latency.buckets: group x 4 + latency, bucket, rows. latency.sums: group x 4 + latency, rows, sum in four
limbs. latency.met: served rows by the first targets of TTFT and TPOT that they meet. latency.worst:
twenty times the p90 of the worst minute, its start, its rows. latency.groups: range or hour, requests.
"""


def watched(plan: Plan) -> int:
    """Return the latency of which the worst minute is told; -1 for none."""
    if "ttft_ns" in plan.filled:
        return TTFT
    return E2E if "e2e_ns" in plan.filled else -1


class LatencyTally:
    """Counts of the latencies of one part, as its rows come."""

    def __init__(self, plan: Plan, names: dict[str, Names]) -> None:
        self.plan, self.names = plan, names
        self.edges = np.array(INPUT_EDGES)
        self.counts = {
            kind: np.zeros((size, 4, BUCKETS), np.uint32)
            for kind, size in (
                ("range", len(INPUT_EDGES)),
                ("hour", 1),
                ("tenant", len(plan.frequent.get("tenant_id", ()))),
                ("instance", len(plan.frequent.get("instance_id", ()))),
            )
        }
        self.sums = {
            kind: np.zeros((len(held), 4, 3), np.uint64) for kind, held in self.counts.items()
        }
        self.in_range = np.zeros(len(self.edges), np.int64)
        self.by_hour = plan.span_ns // HOUR_NS < MOST_HOURS
        self.hour = -1
        self.closed: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        targets = np.full((2, max(len(TTFT_TARGETS_S), len(TPOT_TARGETS_S))), np.nan)
        targets[0, : len(TTFT_TARGETS_S)] = TTFT_TARGETS_S
        targets[1, : len(TPOT_TARGETS_S)] = TPOT_TARGETS_S
        self.targets = targets
        self.met = np.zeros((targets.shape[1] + 1,) * 2, np.int64)
        self.minute = np.zeros(BUCKETS, np.int64)
        self.middles = (2 * middles(np.arange(BUCKETS), DIGITS)).astype(np.int64)
        self.state = np.array([plan.first_ns, 0, BUCKETS, -1])
        self.worst = np.array([-1, 0, 0])
        self.requests: dict[int, int] = {}

    def take(self, rows: Rows) -> None:
        """Count measured rows, which come after all before."""
        arrival, n = rows.numbers["arrival_ns"], len(rows)
        empty = np.full(n, NULL)
        served = self._served(rows)
        tenant, instance = self._places(rows, "tenant_id"), self._places(rows, "instance_id")
        columns = [
            rows.numbers.get(name, empty)
            for name in ("input_tokens", "output_tokens", "ttft_ns", "e2e_ns", "queue_ns")
        ]
        for hour, here in self._hours_of(arrival):
            if hour != self.hour:
                self._close_hour()
                self.hour = hour
            asked = here.stop - here.start
            self.requests[HOURS + hour] = self.requests.get(HOURS + hour, 0) + asked
            count_latencies(
                arrival[here], *(column[here] for column in columns), served[here], tenant[here],
                instance[here], self.edges, self.in_range, self.counts["range"], self.sums["range"],
                self.counts["hour"][0], self.sums["hour"][0], self.counts["tenant"],
                self.sums["tenant"], self.counts["instance"], self.sums["instance"], self.targets,
                self.met, self.minute, self.middles, self.state, self.worst, self.plan.first_ns,
                watched(self.plan),
            )  # fmt: skip

    def _hours_of(self, arrival: NDArray[np.int64]) -> list[tuple[int, slice]]:
        if not self.by_hour:
            return [(0, slice(0, len(arrival)))]
        return cut(arrival, self.plan.first_ns, HOUR_NS)

    def _served(self, rows: Rows) -> NDArray[np.bool_]:
        ended = rows.numbers.get("e2e_ns")
        ends = np.zeros(len(rows), np.bool_) if ended is None else ended != NULL
        if "outcome" not in rows.codes:
            return ends
        outcome = rows.codes["outcome"]
        good = self.names["outcome"].known.get("ok", -2)
        return np.where(outcome < 0, ends, outcome == good)

    def _places(self, rows: Rows, column: str) -> NDArray[np.int64]:
        if column not in rows.codes:
            return np.full(len(rows), -1)
        known = self.names[column].known
        place = np.full(len(known) + 1, -1)
        for i, name in enumerate(self.plan.frequent[column]):
            if name in known:
                place[known[name]] = i
        return place[rows.codes[column]]

    def _close_hour(self) -> None:
        if self.hour >= 0 and self.by_hour:
            self.closed.append(self._tables("hour", HOURS + self.hour))
        self.counts["hour"][:] = 0
        self.sums["hour"][:] = 0

    def _tables(self, kind: str, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        held, sums = self.counts[kind], self.sums[kind].reshape(-1, 3)
        key, bucket = np.nonzero(held.reshape(-1, BUCKETS))
        buckets = np.column_stack((key + 4 * first, bucket, held.reshape(-1, BUCKETS)[key, bucket]))
        some = np.flatnonzero(sums[:, 0])
        rows = np.column_stack(
            (some + 4 * first, sums[some, 0].astype(np.int64), limbs(sums[some, 1:]))
        )
        return buckets.astype(np.int64), rows

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the counts by quantity."""
        self._close_hour()
        close_minute(self.minute, self.middles, self.state, self.worst, self.plan.first_ns)
        tables = [
            self._tables(kind, first)
            for kind, first in (("range", 0), ("tenant", TENANTS), ("instance", INSTANCES))
        ] + self.closed
        asked = [*enumerate(self.in_range.tolist()), *sorted(self.requests.items())]
        groups = [(group, n) for group, n in asked if n]
        return {
            "latency.buckets": np.concatenate([buckets for buckets, _ in tables]),
            "latency.sums": np.concatenate([sums for _, sums in tables]),
            "latency.met": self.met,
            "latency.worst": self.worst,
            "latency.groups": np.array(groups, np.int64).reshape(-1, 2),
        }
