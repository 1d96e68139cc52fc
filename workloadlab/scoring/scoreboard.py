"""The scoreboard: every run's metrics, paired comparisons, and fidelity to observed timings."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.scoring.fidelity import fidelity
from workloadlab.scoring.metric import Context
from workloadlab.scoring.metrics import run_metrics
from workloadlab.scoring.paired import PairedDifference, paired_differences
from workloadlab.scoring.run_score import RunScore
from workloadlab.scoring.tables import comparisons_table, errors_table, routers_table
from workloadlab.scoring.timings import read_timings

if TYPE_CHECKING:
    from workloadlab.scoring.service_level import SLO
    from workloadlab.tables import Table
    from workloadlab.trace import Runs, Trace

__all__ = ["Scoreboard", "score"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Scoreboard:
    """Metrics of runs, side by side.

    Attributes:
        runs: one `RunScore` per run.
        pairs: paired differences between routers.
        slo: the targets used, by latency.
        cluster: the cluster as plain data.
    """

    runs: list[RunScore]
    pairs: list[PairedDifference] = field(default_factory=list)
    slo: dict[str, float] = field(default_factory=dict)
    cluster: dict[str, Any] = field(default_factory=dict)

    @property
    def frame(self) -> pl.DataFrame:
        """One row per run, latencies flattened to columns such as `ttft_s_p99`."""
        return pl.DataFrame([run.flat() for run in self.runs], infer_schema_length=None)

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
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text; never NaN."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def tables(self) -> list[Table]:
        """Return what people read: routers, comparisons and, when observed, errors."""
        found = [routers_table(self.runs, self.slo)]
        if self.pairs:
            found.append(comparisons_table(self.pairs))
        if any(run.fidelity is not None for run in self.runs):
            found.append(errors_table(self.runs))
        return found

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self.tables())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())


def score(runs: Runs, *, slo: SLO | None = None, observed: Trace | None = None) -> Scoreboard:
    """Score every run of a replay.

    Args:
        runs: from `replay`, or `Runs.open(folder)`.
        slo: targets for attainment and goodput.
        observed: a trace with observed timings of the same requests; adds `fidelity` to each run.

    Raises:
        UsageError: no runs, or `observed` holds other requests.
        UnsupportedError: `observed` has no timings.

    Example:
        >>> from workloadlab import SLO, Cluster, LatencyModel, Trace, replay
        >>> trace = Trace.of([(0, 10, 3), (0, 10, 3)])
        >>> cluster = Cluster.uniform(1, LatencyModel.linear(constant_s=0.5), step_overhead_s=0.0)
        >>> board = score(replay(trace, cluster, routers=["random"]), slo=SLO(ttft_s=1.0))
        >>> run = board.runs[0]
        >>> run.ttft_s.mean, run.tpot_s.p99, run.slo_attainment
        (0.5, 0.5, 1.0)
    """
    if not len(runs):
        raise UsageError("there are no runs to score")
    read = [(info, read_timings(trace)) for info, trace in runs]
    scores = [
        RunScore(
            run_id=info.run_id,
            router=info.router,
            rate_scale=info.rate_scale,
            seed=info.seed,
            metrics=run_metrics(timings, Context(slo=slo, instances=info.instances)),
            steps=info.steps,
            steps_outside_domain=info.steps_outside_domain,
            fidelity=None if observed is None else fidelity(trace, observed),
        )
        for (info, timings), trace in zip(read, runs.traces, strict=True)
    ]
    return Scoreboard(scores, paired_differences(read), slo.to_dict() if slo else {}, runs.cluster)
