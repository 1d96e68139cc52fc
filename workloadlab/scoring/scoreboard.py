"""The scoreboard: every run's metrics, paired comparisons, and fidelity to observed timings."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.scoring.fidelity import fidelity
from workloadlab.scoring.metrics import SLO, run_metrics
from workloadlab.scoring.paired import paired_differences
from workloadlab.scoring.timings import LATENCIES, read_timings
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from workloadlab.trace import Runs, Trace

__all__ = ["Scoreboard", "score"]

SCHEMA_VERSION = 1
SHOWN = ("ttft_s", "tpot_s", "e2e_s")


@dataclass(frozen=True)
class Scoreboard:
    """Metrics of runs, side by side.

    Attributes:
        runs: one dict per run: router, rate_scale, seed, requests, served, makespan_s,
            throughput_rps, output_tokens_per_s, ttft_s, tpot_s, e2e_s, queue_s (each with mean, p50,
            p90, p95, p99), slo_attainment, goodput_rps, cache_hit_ratio, preemptions, load_cv, steps,
            steps_outside_domain and, when scored against observed timings, fidelity.
        pairs: paired differences between routers, see `paired_differences`.
        slo: the targets used.
        cluster: the cluster as plain data.
    """

    runs: list[dict[str, Any]]
    pairs: list[dict[str, Any]] = field(default_factory=list)
    slo: dict[str, float] = field(default_factory=dict)
    cluster: dict[str, Any] = field(default_factory=dict)

    @property
    def frame(self) -> pl.DataFrame:
        """One row per run, nested metrics flattened to columns such as `ttft_s_p99`."""
        return pl.DataFrame([_flat(run) for run in self.runs], infer_schema_length=None)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dict per run."""
        return [dict(run) for run in self.runs]

    def to_dict(self) -> dict[str, Any]:
        """Return the whole board as plain JSON data."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    def to_json(self) -> str:
        """Return `to_dict` as JSON text; never NaN."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def tables(self) -> list[Table]:
        """Return what people read: routers, comparisons and, when observed, errors."""
        found = [self._routers()]
        if self.pairs:
            found.append(self._comparisons())
        if any("fidelity" in run for run in self.runs):
            found.append(self._errors())
        return found

    def _routers(self) -> Table:
        several_scales = len({run["rate_scale"] for run in self.runs}) > 1
        several_seeds = len({run["seed"] for run in self.runs}) > 1
        header = ["router"]
        header += ["rate"] * several_scales + ["seed"] * several_seeds
        header += ["requests/s", "tokens/s"]
        for name in SHOWN:
            header += [f"{name[:-2]} mean", "p50", "p99"]
        header += ["queue mean"]
        header += ["SLO met", "goodput/s"] if self.slo else []
        header += ["preempted", "load CV"]
        rows: list[list[Cell]] = []
        for run in self.runs:
            row: list[Cell] = [run["router"]]
            row += [f"x{run['rate_scale']:g}"] * several_scales + [run["seed"]] * several_seeds
            row += [run["throughput_rps"], run["output_tokens_per_s"]]
            for name in SHOWN:
                row += [run[name]["mean"], run[name]["p50"], run[name]["p99"]]
            row += [run["queue_s"]["mean"]]
            if self.slo:
                attained = run["slo_attainment"]
                row += [None if attained is None else f"{attained:.1%}", run["goodput_rps"]]
            row += [run["preemptions"], run["load_cv"]]
            rows.append(row)
        targets = ", ".join(f"{name[:-2]} <= {value:g} s" for name, value in self.slo.items())
        return Table(f"Routers (seconds{f'; SLO {targets}' if targets else ''})", header, rows)

    def _comparisons(self) -> Table:
        rows: list[list[Cell]] = []
        for pair in self.pairs:
            if pair["metric"] == "tpot_s":
                continue
            verdict = "no clear difference"
            if pair["significant"]:
                faster = pair["router"] if pair["mean_difference"] < 0 else pair["other"]
                verdict = f"{faster} is faster"
            rows.append(
                [f"{pair['router']} - {pair['other']}", f"x{pair['rate_scale']:g}",
                 pair["metric"][:-2], pair["mean_difference"], pair["low"], pair["high"], verdict]
            )  # fmt: skip
        return Table(
            "Paired differences of the mean on the same requests (seconds, 95 % interval)",
            ["routers", "rate", "latency", "difference", "low", "high", "verdict"],
            rows,
        )

    def _errors(self) -> Table:
        def percent(value: float | None) -> Cell:
            return None if value is None else f"{value:+.1%}"

        rows: list[list[Cell]] = []
        for run in self.runs:
            for name, errors in (run.get("fidelity") or {}).items():
                if errors is None:
                    continue
                keys = ("mean_error", "p50_error", "p90_error", "p99_error")
                rows.append(
                    [run["router"], name[:-2], *(percent(errors[key]) for key in keys),
                     percent(errors["request_error"])]
                )  # fmt: skip
        return Table(
            "Simulated against observed (simulated / observed - 1)",
            ["router", "latency", "mean", "p50", "p90", "p99", "per request, |error|"],
            rows,
        )

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self.tables())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())


def _flat(run: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in run.items():
        if key in LATENCIES:
            flat |= {f"{key}_{name}": number for name, number in value.items()}
        elif key == "fidelity":
            for latency, errors in (value or {}).items():
                flat |= {f"{latency}_{name}": number for name, number in (errors or {}).items()}
        else:
            flat[key] = value
    return flat


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
        >>> import polars as pl
        >>> from workloadlab import Cluster, LatencyModel, Trace, replay
        >>> trace = Trace.from_frame(pl.DataFrame(
        ...     {"arrival_ns": [0, 0], "input_tokens": [10, 10], "output_tokens": [3, 3]}))
        >>> cluster = Cluster.uniform(1, LatencyModel.linear(constant_s=0.5), step_overhead_s=0.0)
        >>> board = score(replay(trace, cluster, routers=["random"]), slo=SLO(ttft_s=1.0))
        >>> run = board.to_dicts()[0]
        >>> run["ttft_s"]["mean"], run["tpot_s"]["p99"], run["slo_attainment"]
        (0.5, 0.5, 1.0)
    """
    if not len(runs):
        raise UsageError("there are no runs to score")
    read = [(info, read_timings(trace)) for info, trace in runs]
    rows = []
    for (info, timings), trace in zip(read, runs.traces, strict=True):
        row = {
            "run_id": info.run_id,
            "router": info.router,
            "rate_scale": info.rate_scale,
            "seed": info.seed,
            **run_metrics(timings, slo=slo, instances=info.instances),
            "steps": info.steps,
            "steps_outside_domain": info.steps_outside_domain,
        }
        if observed is not None:
            row["fidelity"] = fidelity(trace, observed)
        rows.append(row)
    return Scoreboard(rows, paired_differences(read), slo.to_dict() if slo else {}, runs.cluster)
