"""Service levels: what users waited, and which targets would have been met."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import MEASURED
from workloadlab.characterization.study import Topic
from workloadlab.scoring.metric import summarize
from workloadlab.scoring.timings import LATENCIES, Labels, Timings, read_timings
from workloadlab.statistics import quantiles
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from workloadlab.characterization.study import Study

__all__ = [
    "SERVICE_LEVELS",
    "Attainment",
    "Group",
    "ServiceLevels",
    "WorstWindow",
    "input_ranges",
    "measure_service_levels",
]

TTFT_TARGETS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
TPOT_TARGETS_S = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
RECORDED = ("ttft_ns", "e2e_ns", "queue_ns")
INPUT_EDGES = (0, 128, 512, 2048, 8192, 32768, 131072)
WINDOW_S = 60
LEAST_IN_WINDOW = 20
MOST_HOURS = 400
LISTED = 50


@dataclass(frozen=True)
class Group:
    """Latencies of some of the requests.

    Attributes:
        name: of the group: an input range, an hour since the first arrival, a tenant, an instance.
        ttft_s, tpot_s, e2e_s, queue_s: mean, p50, p90, p95, p99 of the recorded ones, else None.
    """

    name: str
    requests: int
    ttft_s: dict[str, float | None]
    tpot_s: dict[str, float | None]
    e2e_s: dict[str, float | None]
    queue_s: dict[str, float | None]


@dataclass(frozen=True)
class Attainment:
    """Share of all requests that end well and meet both targets.

    A request of one token has no TPOT and meets any TPOT target.

    Attributes:
        share: one row per TTFT target, one column per TPOT target.
    """

    ttft_targets_s: tuple[float, ...]
    tpot_targets_s: tuple[float, ...]
    share: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class WorstWindow:
    """The minute since the first arrival, of those with 20 requests, with the largest p90."""

    start_s: float
    requests: int
    of: str
    p90_s: float


@dataclass(frozen=True)
class ServiceLevels:
    """Latencies as the trace records them.

    Attributes:
        outcomes: requests by outcome; `unrecorded` for those without.
        by_tenant, by_instance: the 50 with most requests.
    """

    overall: Group
    outcomes: dict[str, int]
    by_input: tuple[Group, ...]
    by_hour: tuple[Group, ...]
    by_tenant: tuple[Group, ...]
    by_instance: tuple[Group, ...]
    attainment: Attainment
    worst_window: WorstWindow | None

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        header = ["", "n", "TTFT p50", "TTFT p99", "TPOT p50", "TPOT p99", "e2e p50", "e2e p99"]
        rows: list[list[Cell]] = [
            [
                group.name,
                group.requests,
                *(getattr(group, name)[p] for name in LATENCIES[:3] for p in ("p50", "p99")),
            ]
            for group in (self.overall, *self.by_input)
        ]
        targets = [f"TPOT {target:g} s" for target in self.attainment.tpot_targets_s]
        surface: list[list[Cell]] = [
            [f"TTFT {target:g} s", *shares]
            for target, shares in zip(
                self.attainment.ttft_targets_s, self.attainment.share, strict=True
            )
        ]
        return [
            Table("Latencies by prompt length, s", header, rows),
            Table("Share of requests that meet both", ["", *targets], surface),
        ]


def measure_service_levels(study: Study) -> ServiceLevels | Unsupported:
    """Measure recorded latencies; Unsupported where there are none."""
    trace = study.trace
    if not any(trace.has(name) for name in RECORDED):
        return Unsupported("no request records ttft_ns, e2e_ns or queue_ns")
    timings = read_timings(trace)
    if not len(timings):
        return Unsupported("the trace has no requests to measure")
    outcomes = trace.read("warmup", "outcome").filter(MEASURED)["outcome"]
    instances = Labels(timings.instance, timings.instances)
    buckets = np.searchsorted(INPUT_EDGES, timings.input_tokens, side="right") - 1
    hours = ((timings.arrival_s - timings.arrival_s.min()) // 3600).astype(np.int64)
    return ServiceLevels(
        overall=_group("all", timings, np.arange(len(timings))),
        outcomes=_outcomes(outcomes),
        by_input=_groups(timings, buckets, input_ranges()),
        by_hour=_groups(timings, hours, [str(hour) for hour in range(int(hours.max()) + 1)])
        if hours.max() < MOST_HOURS
        else (),
        by_tenant=_named(timings, timings.parties.get("tenant_id")),
        by_instance=_named(timings, instances),
        attainment=_attainment(timings),
        worst_window=_worst_window(timings),
    )


def input_ranges() -> list[str]:
    """Return the names of the input ranges.

    Example:
        >>> input_ranges()[:2]
        ['under 128', '128 to 512']
    """
    edges = [f"{edge:,}" for edge in INPUT_EDGES[1:]]
    between = [f"{a} to {b}" for a, b in pairwise(edges)]
    return [f"under {edges[0]}", *between, f"{edges[-1]} or more"]


def _group(name: str, timings: Timings, rows: NDArray[np.int64]) -> Group:
    latencies = {key: asdict(summarize(getattr(timings, key)[rows])) for key in LATENCIES}
    return Group(name=name, requests=len(rows), **latencies)


def _groups(timings: Timings, codes: NDArray[np.int64], names: list[str]) -> tuple[Group, ...]:
    order = np.argsort(codes, kind="stable")
    found, starts = np.unique(codes[order], return_index=True)
    parts = np.split(order, starts[1:])
    return tuple(
        _group(names[int(code)], timings, rows) for code, rows in zip(found, parts, strict=True)
    )


def _named(timings: Timings, labels: Labels | None) -> tuple[Group, ...]:
    if labels is None or not labels.names:
        return ()
    order = np.argsort(labels.codes, kind="stable")
    edges = np.searchsorted(labels.codes[order], np.arange(len(labels.names) + 1))
    parts = [order[a:b] for a, b in pairwise(edges.tolist())]
    largest = sorted(range(len(parts)), key=lambda i: (-len(parts[i]), i))[:LISTED]
    return tuple(_group(labels.names[i], timings, parts[i]) for i in largest)


def _outcomes(outcome: pl.Series) -> dict[str, int]:
    counts = outcome.fill_null("unrecorded").value_counts(name="n").sort(outcome.name)
    return dict(counts.iter_rows())


def _attainment(timings: Timings) -> Attainment:
    fast = timings.output_tokens <= 1
    shares = []
    for ttft in TTFT_TARGETS_S:
        prompt = timings.served & (timings.ttft_s <= ttft)
        met = [prompt & (fast | (timings.tpot_s <= tpot)) for tpot in TPOT_TARGETS_S]
        shares.append(tuple(int(np.count_nonzero(m)) / len(timings) for m in met))
    return Attainment(TTFT_TARGETS_S, TPOT_TARGETS_S, tuple(shares))


def _worst_window(timings: Timings) -> WorstWindow | None:
    of = next((n for n in ("ttft_s", "e2e_s") if np.isfinite(getattr(timings, n)).any()), None)
    if of is None:
        return None
    known = np.isfinite(getattr(timings, of))
    since = timings.arrival_s - timings.arrival_s.min()
    windows = (since[known] // WINDOW_S).astype(np.int64)
    order = np.argsort(windows, kind="stable")
    values = getattr(timings, of)[known][order]
    found, starts, counts = np.unique(windows[order], return_index=True, return_counts=True)
    worst: WorstWindow | None = None
    for window, start, n in zip(found.tolist(), starts.tolist(), counts.tolist(), strict=True):
        if n >= LEAST_IN_WINDOW:
            p90 = quantiles(values[start : start + n], [0.9])[0]
            if worst is None or p90 > worst.p90_s:
                worst = WorstWindow(float(window * WINDOW_S), n, of.removesuffix("_s"), p90)
    return worst


SERVICE_LEVELS = Topic(
    name="service_levels",
    about="recorded latencies, and the targets that they would meet",
    needs=RECORDED,
    facts=ServiceLevels,
    measure=measure_service_levels,
)
