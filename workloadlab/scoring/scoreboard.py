"""The scoreboard: every run's metrics, paired comparisons, and fidelity to observed timings."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.arguments import checked
from workloadlab.display import Drawn
from workloadlab.scoring.intervals import Interval
from workloadlab.scoring.load.summary import load_facts, load_table
from workloadlab.scoring.measure import Measure
from workloadlab.scoring.paired import MOST_LOST
from workloadlab.scoring.run_score import mean_over
from workloadlab.scoring.slices import slice_tables
from workloadlab.scoring.tables import (
    against_table,
    all_pairs_table,
    errors_table,
    routers_table,
)
from workloadlab.scoring.verdict import verdicts

if TYPE_CHECKING:
    from workloadlab.scoring.load.knee import Knee
    from workloadlab.scoring.paired import PairedDifference
    from workloadlab.scoring.run_score import RunScore
    from workloadlab.scoring.slices import Slice
    from workloadlab.scoring.verdict import Verdict
    from workloadlab.tables import Table

__all__ = ["BY", "Scoreboard"]

SCHEMA_VERSION = 1

UNSTEADY, UNTOLD = "!", "?"
"""Beside a router's name: requests pile up; the run does not tell."""

UNTOLD_NOTE = f"{UNTOLD} too short, or too close, to tell whether the load is held"

ALIKE = 0.01
"""Routers serve equally many requests where their shares are within this."""

BY = "mean ttft_s"
"""The measure by which routers are ranked where nobody names another."""


@checked
@dataclass(frozen=True)
class Scoreboard(Drawn):
    """Metrics of runs, side by side.

    Attributes:
        runs: one `RunScore` per run.
        pairs: paired differences between routers.
        slo: the targets used, by latency.
        cluster: the cluster as plain data.
        baseline: the router that others are compared with: round_robin, else the first.
        slices: metrics of parts of each run, such as one tenant's requests, where they were asked for.
        knees: of the routers that ran at three rates or more.
    """

    runs: list[RunScore]
    pairs: list[PairedDifference] = field(default_factory=list)
    slo: dict[str, float] = field(default_factory=dict)
    cluster: dict[str, Any] = field(default_factory=dict)
    baseline: str = ""
    slices: list[Slice] = field(default_factory=list)
    knees: list[Knee] = field(default_factory=list)

    @property
    def frame(self) -> pl.DataFrame:
        """One row per run, latencies flattened to columns such as `ttft_s_p99`."""
        return pl.DataFrame([run.flat() for run in self.runs], infer_schema_length=None)

    @property
    def routers(self) -> list[str]:
        """Names of the routers in the order of the runs."""
        return list(dict.fromkeys(run.router for run in self.runs))

    @property
    def scales(self) -> list[float]:
        """Rate scales, ascending."""
        return sorted({run.rate_scale for run in self.runs})

    @property
    def instances(self) -> int:
        """Instances of the cluster; 0 where that is not known, or there are several clusters."""
        return sum(pool["instances"] for pool in self.cluster.get("pool", []))

    def of(self, router: str, scale: float) -> list[RunScore]:
        """Return the runs of a router at a rate scale, one per seed."""
        return [run for run in self.runs if (run.router, run.rate_scale) == (router, scale)]

    def worst(self, router: str, scale: float) -> RunScore | None:
        """Return the run in which requests pile up fastest over the seeds; None where none ran."""
        runs = self.of(router, scale)
        return max(
            runs,
            key=lambda run: (not run.steady, run.saturation.drift_rps if run.saturation else 0.0),
            default=None,
        )

    def steady(self, router: str, scale: float) -> bool:
        """Whether requests pile up with no seed, as far as can be told."""
        return all(run.steady for run in self.of(router, scale))

    def told(self, router: str, scale: float) -> bool:
        """Whether some seed says that requests pile up, or all say that they do not."""
        runs = self.of(router, scale)
        return any(not run.steady for run in runs) or all(run.told for run in runs)

    def lost(self, router: str, scale: float) -> float:
        """Return the share of a router's requests that were not served, over its seeds."""
        runs = self.of(router, scale)
        requests = sum(run.requests for run in runs)
        return 1 - sum(run.served for run in runs) / requests if requests else 0.0

    def comparable(self, scale: float) -> list[str]:
        """Return the routers whose latencies mean the same, which no others do.

        They are in a steady state as far as can be told, and serve more than half of the requests: of
        all of them at most 1 % fewer than any other.
        """
        ran = [router for router in self.routers if self.of(router, scale)]
        least = min((self.lost(router, scale) for router in ran), default=0.0)
        if least >= MOST_LOST:
            return []
        return [
            router
            for router in ran
            if self.steady(router, scale) and self.lost(router, scale) <= least + ALIKE
        ]

    def marked(self, router: str, scale: float) -> str:
        """Return a router's name for a table: with `!` where requests pile up, `?` if not told."""
        mark = "" if self.told(router, scale) else UNTOLD
        return f"{router} {mark if self.steady(router, scale) else UNSTEADY}".rstrip()

    def marks(self) -> list[str]:
        """Return what the marks beside the routers' names mean, of those that there are."""
        ran = [(run.router, run.rate_scale) for run in self.runs]
        found = []
        if not all(self.steady(*row) for row in ran):
            found.append(f"{UNSTEADY} no steady state: latencies depend on how long the log lasts")
        if not all(self.told(*row) for row in ran):
            found.append(UNTOLD_NOTE)
        return found

    def mean(self, router: str, scale: float, metric: str, part: str = "") -> float | None:
        """Return a metric of a router at a rate scale: its mean over the seeds, None where one lacks it.

        Args:
            router: as named on the board.
            scale: as on the board.
            metric: its name.
            part: of a latency's summary, such as "p99".
        """
        return mean_over(self.of(router, scale), metric, part)

    def interval(self, router: str, scale: float, measure: Measure) -> Interval | None:
        """Return the interval of a measure, its bounds averaged over the seeds; None without one.

        Seeds replay the same requests, so that they do not narrow it.
        """
        found = [run.intervals.get(measure.name) for run in self.of(router, scale)]
        known = [(one.low, one.high) for one in found if one and one.low is not None]
        if not known or len(known) < len(found):
            return next((one for one in found if one), None)
        low, high = (
            sum(bound or 0.0 for bound in each) / len(known) for each in zip(*known, strict=True)
        )
        return Interval(low, high, sum(one.requests for one in found if one))

    def compared(
        self, router: str, other: str, scale: float, measure: Measure
    ) -> PairedDifference | None:
        """Return how a router differs from another; None where the board holds no such pair."""
        name = (scale, measure.metric.name, measure.part)
        for pair in self.pairs:
            if (pair.rate_scale, pair.metric, pair.part) == name:
                if (pair.router, pair.other) == (router, other):
                    return pair
                if (pair.other, pair.router) == (router, other):
                    return pair.turned()
        return None

    def ranked(self, scale: float, measure: Measure) -> list[str]:
        """Return the routers that have a measure at a rate, comparable ones first, then the best."""
        values = {
            router: self.mean(router, scale, measure.metric.name, measure.part)
            for router in self.routers
        }
        sign = -1.0 if measure.metric.better == "higher" else 1.0
        known = [router for router in self.routers if values[router] is not None]
        able = self.comparable(scale)
        return sorted(
            known,
            key=lambda r: (r not in able, not self.steady(r, scale), sign * (values[r] or 0.0)),
        )

    def verdicts(self, by: str = BY) -> list[Verdict]:
        """Return what to conclude at each rate, in words."""
        return verdicts(self, Measure.named(by))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dict per run, see `RunScore.to_dict`."""
        return [run.to_dict() for run in self.runs]

    def to_dict(self) -> dict[str, Any]:
        """Return the whole board as plain JSON data."""
        return {
            "schema_version": SCHEMA_VERSION,
            "runs": self.to_dicts(),
            "pairs": [asdict(pair) for pair in self.pairs],
            "slo": dict(self.slo),
            "cluster": self.cluster,
            "baseline": self.baseline,
            **({"slices": [each.to_dict() for each in self.slices]} if self.slices else {}),
            "over_load": load_facts(self, Measure.named(BY)),
            "verdicts": [asdict(verdict) for verdict in self.verdicts()],
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text; never NaN."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def tables(self, by: str = BY, *, all_pairs: bool = False) -> list[Table]:
        """Return what people read: routers, comparisons and, when observed, errors.

        Args:
            by: the measure that sorts the routers and in which they are compared.
            all_pairs: compare every router with every other, not only with the baseline and the best.
        """
        measure = Measure.named(by)
        found = [routers_table(self, measure)]
        pairs = [p for p in self.pairs if (p.metric, p.part) == (measure.metric.name, measure.part)]
        if pairs and not (self.instances == 1 and all(pair.identical for pair in pairs)):
            found.append((all_pairs_table if all_pairs else against_table)(self, measure))
        over_load = load_table(self, measure)
        found += [over_load] if over_load else []
        found += slice_tables(self.slices, measure)
        if any(run.fidelity is not None for run in self.runs):
            found.append(errors_table(self.runs))
        return found

    def text(self, by: str = BY, *, all_pairs: bool = False) -> str:
        """Return tables and verdict as lines of at most 80 columns, names permitting."""
        parts = [table.text() for table in self.tables(by, all_pairs=all_pairs)]
        return "\n\n".join([*parts, *(v.text() for v in self.verdicts(by))])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return str(self)
