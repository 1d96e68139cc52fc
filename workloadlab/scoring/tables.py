"""The scoreboard as people read it: routers, paired comparisons, errors of the replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.scoring.metrics import HEADLINES, METRICS
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloadlab.scoring.metric import Metric
    from workloadlab.scoring.paired import PairedDifference
    from workloadlab.scoring.run_score import RunScore

__all__ = ["comparisons_table", "errors_table", "routers_table"]

ERRORS = {"mean_error": "mean", "p50_error": "p50", "p90_error": "p90", "p99_error": "p99",
          "request_error": "per request, |error|"}  # fmt: skip


def routers_table(runs: Sequence[RunScore], slo: Mapping[str, float]) -> Table:
    """Return one row per run; rates, seeds and targets only where there are several, or any."""
    keys = ["rate"] if len({run.rate_scale for run in runs}) > 1 else []
    keys += ["seed"] if len({run.seed for run in runs}) > 1 else []
    shown = [metric for metric in METRICS if metric.printed and (slo or not metric.needs_slo)]
    header = ["router", *keys, *(label for metric in shown for label in _labels(metric))]
    rows: list[list[Cell]] = []
    for run in runs:
        key_cells: dict[str, Cell] = {"rate": f"x{run.rate_scale:g}", "seed": run.seed}
        cells = [cell for metric in shown for cell in _cells(run, metric)]
        rows.append([run.router, *(key_cells[key] for key in keys), *cells])
    targets = ", ".join(f"{_short(name)} <= {value:g} s" for name, value in slo.items())
    return Table(f"Routers (seconds{f'; SLO {targets}' if targets else ''})", header, rows)


def _labels(metric: Metric) -> list[str]:
    if not metric.parts:
        return [metric.label]
    return [f"{_short(metric.name)} {metric.parts[0]}", *metric.parts[1:]]


def _cells(run: RunScore, metric: Metric) -> list[Cell]:
    values = [run.value(metric.name, part) for part in metric.parts or ("",)]
    if metric.unit == "share":
        return [None if value is None else f"{value:.1%}" for value in values]
    return [*values]


def _short(name: str) -> str:
    return name.removesuffix("_s")


def comparisons_table(pairs: Sequence[PairedDifference]) -> Table:
    """Return one row per rate scale, pair of routers and headline latency."""
    rows: list[list[Cell]] = []
    for pair in pairs:
        if pair.metric not in HEADLINES:
            continue
        verdict = "no clear difference"
        if pair.significant:
            faster = pair.router if pair.mean_difference < 0 else pair.other
            verdict = f"{faster} is faster"
        rows.append(
            [f"{pair.router} - {pair.other}", f"x{pair.rate_scale:g}", _short(pair.metric),
             pair.mean_difference, pair.low, pair.high, verdict]
        )  # fmt: skip
    return Table(
        "Paired differences of the mean on the same requests (seconds, 95 % interval)",
        ["routers", "rate", "latency", "difference", "low", "high", "verdict"],
        rows,
    )


def errors_table(runs: Sequence[RunScore]) -> Table:
    """Return one row per run and latency that was observed."""
    rows: list[list[Cell]] = []
    for run in runs:
        for name, errors in (run.fidelity or {}).items():
            if errors is not None:
                values = [errors[key] for key in ERRORS]
                cells = [None if value is None else f"{value:+.1%}" for value in values]
                rows.append([run.router, _short(name), *cells])
    return Table(
        "Simulated against observed (simulated / observed - 1)",
        ["router", "latency", *ERRORS.values()],
        rows,
    )
