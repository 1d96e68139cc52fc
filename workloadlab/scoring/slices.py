"""Metrics of parts of a run: one tenant's requests, one class's, long prompts, an hour."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.scoring.metric import LatencySummary
from workloadlab.scoring.metrics import run_metrics
from workloadlab.scoring.timings import Labels
from workloadlab.tables import Table
from workloadlab.words import column, share, time_unit, times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workloadlab.scoring.measure import Measure
    from workloadlab.scoring.metric import Context, Value
    from workloadlab.scoring.timings import Timings
    from workloadlab.trace import RunInfo

__all__ = ["SLICES", "Slice", "slice_tables", "slices_of"]

MOST = 12
"""Values of a column that are told apart, those with the most requests; the rest are one."""

REST = "the rest"
INPUT_EDGES = (256, 1024, 4096, 16_384, 65_536)
HOUR_S = 3600.0


@dataclass(frozen=True)
class Slice:
    """The metrics of the requests of one run that share something.

    Attributes:
        router, rate_scale, seed: of the run.
        by: what tells the requests apart, such as "tenant".
        value: theirs.
        metrics: as of a `RunScore`; rates are over the time in which these requests arrived and ended.
    """

    router: str
    rate_scale: float
    seed: int
    by: str
    value: str
    metrics: dict[str, Value]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        values = {
            name: asdict(value) if isinstance(value, LatencySummary) else value
            for name, value in self.metrics.items()
        }
        return {**vars(self), "metrics": values}


def slices_of(
    info: RunInfo, timings: Timings, context: Context, asked: Sequence[str]
) -> Iterator[Slice]:
    """Yield the slices of a run, in the order of what was asked and of the values.

    Raises:
        UsageError: something that requests are not told apart by, or that this run does not record.
    """
    for by in asked:
        if by not in SLICES:
            raise UsageError(f"no slice is called {by!r}", fix=f"use one of {', '.join(SLICES)}")
        labels = SLICES[by](timings)
        if labels is None:
            raise UsageError(f"{info.run_id} records no {by}", fix="leave the slice out")
        for code, value in enumerate(labels.names):
            chosen = labels.codes == code
            if chosen.any():
                metrics = run_metrics(timings.of(chosen), context)
                yield Slice(info.router, info.rate_scale, info.seed, by, value, metrics)


def slice_tables(slices: Sequence[Slice], by: Measure) -> list[Table]:
    """Return a table for each kind of slice: a row per value, router and rate, means over the seeds."""
    found = []
    for kind in dict.fromkeys(each.by for each in slices):
        rows: dict[tuple[str, str, float], list[Slice]] = {}
        for each in slices:
            if each.by == kind:
                rows.setdefault((each.value, each.router, each.rate_scale), []).append(each)
        several = len({scale for _, _, scale in rows}) > 1
        order = {value: place for place, (value, _, _) in enumerate(rows)}
        keys = sorted(rows, key=lambda key: order[key[0]])
        shown = {
            kind: [value for value, _, _ in keys],
            "router": [router for _, router, _ in keys],
            **({"rate": [times(scale) for _, _, scale in keys]} if several else {}),
            "requests": [f"{_mean(rows[key], 'requests'):,.0f}" for key in keys],
        }
        for name, part in dict.fromkeys(
            [(by.metric.name, by.part), ("ttft_s", "p99"), ("slo_attainment", "")]
        ):
            values = [_mean(rows[key], name, part) for key in keys]
            if any(value is not None for value in values):
                label = f"{name.removesuffix('_s')} {part}".strip()
                if name.endswith("_s"):
                    unit, factor = time_unit(values)
                    shown[f"{label}, {unit}"] = column(values, factor)
                elif by.metric.unit == "share" or name == "slo_attainment":
                    shown["SLO met"] = ["-" if value is None else share(value) for value in values]
                else:
                    shown[label] = column(values)
        lines = list(zip(*shown.values(), strict=True))
        found.append(Table(f"Requests by {kind}", [*shown], lines))
    return found


def _mean(slices: Sequence[Slice], name: str, part: str = "") -> float | None:
    values: list[Any] = [
        getattr(each.metrics[name], part) if part else each.metrics[name] for each in slices
    ]
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _party(name: str) -> Callable[[Timings], Labels | None]:
    def labels(timings: Timings) -> Labels | None:
        found = timings.parties.get(name)
        return found and _most(found)

    return labels


def _most(labels: Labels) -> Labels:
    """Keep the values with the most requests, those first; the others become one."""
    counts = np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.names))
    order = np.argsort(-counts, kind="stable")
    place = np.full(len(order) + 1, -1)
    place[order] = np.minimum(np.arange(len(order)), MOST)
    names = tuple(labels.names[each] for each in order[:MOST])
    return Labels(place[labels.codes], names + ((REST,) if len(order) > MOST else ()))


def _by_input(timings: Timings) -> Labels:
    edges = (0, *INPUT_EDGES)
    names = [f"{low:,} to {high - 1:,}" for low, high in pairwise(edges)]
    codes = np.searchsorted(INPUT_EDGES, timings.input_tokens, side="right")
    return Labels(codes, (*names, f"{edges[-1]:,} or more"))


def _by_hour(timings: Timings) -> Labels | None:
    if not len(timings):
        return None
    codes = ((timings.arrival_s - timings.arrival_s.min()) // HOUR_S).astype(np.int64)
    return Labels(codes, tuple(f"hour {hour}" for hour in range(int(codes.max()) + 1)))


SLICES: dict[str, Callable[[Timings], Labels | None]] = {
    "input": _by_input,
    "class": _party("slo_class"),
    "tenant": _party("tenant_id"),
    "model": _party("model"),
    "task": _party("task"),
    "hour": _by_hour,
}
"""What requests are told apart by."""
