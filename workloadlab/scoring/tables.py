"""The scoreboard as people read it: routers, paired comparisons, errors of the replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.scoring.measure import Measure
from workloadlab.scoring.metric import PERCENTILES
from workloadlab.scoring.metrics import METRICS
from workloadlab.scoring.service_level import targets_words
from workloadlab.tables import COLUMNS, Cell, Table
from workloadlab.words import column, listed, plural, share, three, time_unit, times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.scoring.paired import PairedDifference
    from workloadlab.scoring.run_score import RunScore
    from workloadlab.scoring.scoreboard import Scoreboard

__all__ = [
    "against_table",
    "all_pairs_table",
    "errors_table",
    "printed_measures",
    "routers_table",
    "seeds_words",
]

ERRORS = {"mean_error": "mean", "p50_error": "p50", "p90_error": "p90", "p99_error": "p99",
          "request_error": "per request, |error|"}  # fmt: skip

FEWEST_COLUMNS = 4

MULTIPLE = 3.0
"""An effect from here on is said as a multiple: x4.5 instead of +350 %."""

UNRANKED = "no steady state"

Row = tuple[str, float]
"""A router and a rate scale."""


def printed_measures(*, targets: bool, by: Measure) -> list[Measure]:
    """Return the columns of the table: the chosen measure first, then what the rows of METRICS print.

    Args:
        targets: whether there is an SLO; goodput then stands for the rate of requests.
        by: the chosen measure.
    """
    metrics = [m for m in METRICS if targets or not m.needs_slo]
    found = [by]
    for metric in sorted(metrics, key=lambda m: (not m.needs_slo, not m.parts)):
        if not (targets and metric.name == "throughput_rps"):
            found += [Measure(metric, part) for part in metric.printed]
    return list(dict.fromkeys(found))


def routers_table(board: Scoreboard, by: Measure) -> Table:
    """Return one row per router and rate, means over the seeds, best first; as wide as a terminal."""
    rows = [(router, scale) for scale in board.scales for router in board.ranked(scale, by)]
    rows += [(router, scale) for scale in board.scales for router in board.routers
             if (router, scale) not in rows and board.of(router, scale)]  # fmt: skip
    shown = {"router": [board.marked(*row) for row in rows]}
    if len(board.scales) > 1:
        shown["rate"] = [times(scale) for _, scale in rows]
    lost = [board.lost(*row) for row in rows]
    if any(lost):
        shown["lost"] = [share(each) for each in lost]
    for measure in printed_measures(targets=bool(board.slo), by=by):
        label, texts = _column(board, rows, measure)
        shown[label] = texts
        if measure == by and measure.metric.values:
            shown["±"] = _margins(board, rows, measure)
    title = f"Routers, by {by.noun}"
    keys = 2 if "rate" in shown else 1
    table = Table(
        title, [*shown], list(zip(*shown.values(), strict=True)), _notes(board, rows), keys
    )
    while table.width > COLUMNS and len(shown) > FEWEST_COLUMNS:
        shown.popitem()
        rows_shown = list(zip(*shown.values(), strict=True))
        table = Table(title, [*shown], rows_shown, table.notes, keys)
    return table


def seeds_words(board: Scoreboard) -> str:
    """Say over how many seeds numbers are means, and for which routers; "" where all ran once."""
    ran = {router: max(len(board.of(router, scale)) for scale in board.scales)
           for router in board.routers}  # fmt: skip
    once = [router for router, seeds in ran.items() if seeds == 1]
    most = max(ran.values())
    if most == 1:
        return ""
    said = f"means over {plural(most, 'seed')}"
    if not once:
        return said
    drawn = [router for router in ran if router not in once]
    if len(once) > len(drawn):
        return f"{said} with {listed(drawn)}; the others draw nothing and ran once"
    return f"{said}; {listed(once)} ran once, since nothing is drawn there"


def _notes(board: Scoreboard, rows: Sequence[Row]) -> list[str]:
    notes = [f"SLO: {targets_words(board.slo)}"] if board.slo else []
    notes += [seeds_words(board)] if seeds_words(board) else []
    notes += board.marks()
    fewest = min(board.of(*row)[0].requests for row in rows)
    if fewest * (1 - PERCENTILES["p99"]) < 1 - 1e-9:
        notes.append(f"p99 of {plural(fewest, 'request')} is their maximum, so it is left out")
    return notes


def _column(board: Scoreboard, rows: Sequence[Row], measure: Measure) -> tuple[str, list[str]]:
    """Return a column's label and cells: three digits, in one unit."""
    metric = measure.metric
    name = f"{metric.name.removesuffix('_s')} {measure.part}" if metric.parts else metric.label
    values = [_shown(board, row, measure) for row in rows]
    if metric.unit == "share":
        return name, ["-" if value is None else share(value) for value in values]
    if metric.unit == "s":
        unit, factor = _unit(board, rows, measure)
        return f"{name}, {unit}", column(values, factor)
    return name, column(values)


def _unit(board: Scoreboard, rows: Sequence[Row], measure: Measure) -> tuple[str, float]:
    """Choose the unit of a column by its runs in a steady state, if there are any."""
    steady = [row for row in rows if board.steady(*row)]
    return time_unit([_shown(board, row, measure) for row in steady or rows])


def _shown(board: Scoreboard, row: Row, measure: Measure) -> float | None:
    """Return a cell's number; None for a percentile that is only the largest value."""
    level = PERCENTILES.get(measure.part)
    if level is not None and board.of(*row)[0].requests * (1 - level) < 1 - 1e-9:
        return None
    return board.mean(*row, measure.metric.name, measure.part)


def _margins(board: Scoreboard, rows: Sequence[Row], measure: Measure) -> list[str]:
    """Return half the width of each interval, in the unit of the column before.

    Its ends stand where half its width would reach below 0, which no measure does.
    """
    factor = _unit(board, rows, measure)[1] if measure.metric.unit == "s" else 1.0
    cells = []
    for row in rows:
        one = board.interval(*row, measure)
        if one is None or one.low is None or one.high is None:
            cells.append("-")
            continue
        half, value = (one.high - one.low) / 2, _shown(board, row, measure)
        ends = value is not None and half > value
        words = [share(each) if measure.metric.unit == "share"
                 else three(float(f"{each * factor:.2g}"))
                 for each in ((one.low, one.high) if ends else (half,))]  # fmt: skip
        cells.append(" to ".join(words))
    return cells


def against_table(board: Scoreboard, by: Measure) -> Table:
    """Return, per rate and router, the effect against the baseline and against the best, in percent."""
    rows: list[list[Cell]] = []
    for scale in board.scales:
        ranked = board.ranked(scale, by)
        for router in ranked:
            cells = [
                "baseline" if router == board.baseline
                else _effect_cell(board.compared(router, board.baseline, scale, by)),
                _first_cell(board, router, scale) if router == ranked[0]
                else _effect_cell(board.compared(router, ranked[0], scale, by)),
            ]  # fmt: skip
            rate = [times(scale)] if len(board.scales) > 1 else []
            rows.append([board.marked(router, scale), *rate, *cells])
    rate_header = ["rate"] if len(board.scales) > 1 else []
    return Table(
        f"{by.noun[0].upper()}{by.noun[1:]}, difference in % (95 % interval)",
        ["router", *rate_header, f"against {board.baseline}", "against the best"],
        rows,
        ["= within 1 %: no difference that matters; ~ not separated (Holm)"],
        1 + len(rate_header),
    )


def _first_cell(board: Scoreboard, router: str, scale: float) -> str:
    """Return `best` for the first router, if its numbers can be compared."""
    if router in board.comparable(scale):
        return "best"
    return "-" if board.steady(router, scale) else UNRANKED


def _effect_cell(pair: PairedDifference | None) -> str:
    if pair is None or pair.effect is None:
        return "-"
    if pair.identical:
        return "equal"
    if not pair.steady:
        return UNRANKED
    effect, low = (_percent(each or 0.0) for each in (pair.effect, pair.effect_low))
    high = "any" if pair.effect_high is None else _percent(pair.effect_high)
    mark = " =" if pair.equal else "  " if pair.significant else " ~"
    return f"{effect} ({low} to {high}){mark}"


def _percent(effect: float) -> str:
    """Return an effect in percent, a large one as a multiple."""
    if effect >= MULTIPLE:
        return f"x{three(1 + effect)}" if effect < 999 else "over x1,000"
    return f"{effect * 100:+.3g}" if effect else "0"


def all_pairs_table(board: Scoreboard, by: Measure) -> Table:
    """Return one row per rate scale and pair of routers."""
    rows = [
        [f"{pair.router} - {pair.other}", times(pair.rate_scale), _effect_cell(pair)]
        for pair in board.pairs
        if (pair.metric, pair.part) == (by.metric.name, by.part)
    ]
    return Table(
        f"{by.noun[0].upper()}{by.noun[1:]} on the same requests, difference in % (95 % interval)",
        ["routers", "rate", "difference"],
        rows,
        ["= within 1 %: no difference that matters; ~ not separated (Holm)"],
        keys=2,
    )


def errors_table(runs: Sequence[RunScore]) -> Table:
    """Return one row per run and latency that was observed."""
    rows: list[list[Cell]] = []
    for run in runs:
        for name, errors in (run.fidelity or {}).items():
            if errors is not None:
                values = [errors[key] for key in ERRORS]
                cells = [None if value is None else f"{value:+.1%}" for value in values]
                rows.append([run.router, name.removesuffix("_s"), *cells])
    return Table(
        "Simulated against observed (simulated / observed - 1)",
        ["router", "latency", *ERRORS.values()],
        rows,
        keys=2,
    )
