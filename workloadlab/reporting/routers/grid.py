"""The table of routers at one rate scale, with the best of each column marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workloadlab.reporting.facts import Cell, Grid
from workloadlab.reporting.routers.ranking import mean_of, routers_of, standing
from workloadlab.reporting.words import aligned, plural, three, time_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.scoring import Scoreboard

__all__ = ["router_grid"]

LATENCIES = (("ttft_s", "TTFT"), ("tpot_s", "TPOT"), ("e2e_s", "End to end"))
LEVELS = ("mean", "p50", "p99")
RATES: tuple[tuple[str, str, Any, float], ...] = (
    ("throughput_rps", "requests/s", None, 1),
    ("output_tokens_per_s", "tokens/s", None, 1),
    ("slo_attainment", "SLO met %", max, 100),
    ("goodput_rps", "goodput/s", max, 1),
    ("cache_hit_ratio", "cache hit %", max, 100),
    ("preemptions", "preempted", min, 1),
    ("load_cv", "load CV", None, 1),
)
"""Metric, label, which extreme is best (None: neither), factor."""


def router_grid(board: Scoreboard, scale: float, *, note: bool = True) -> Grid:
    """Return one row per router: means over the seeds, the best of each column marked."""
    routers = routers_of(board)
    groups: list[tuple[str, int]] = [("", 1)]
    header = ["router"]
    columns: list[list[Cell]] = [[Cell(router) for router in routers]]
    for metric, label in LATENCIES:
        values = {
            level: [mean_of(board, router, scale, metric, level) for router in routers]
            for level in LEVELS
        }
        unit, factor = time_unit([value for column in values.values() for value in column])
        groups.append((f"{label}, {unit}", len(LEVELS)))
        header += LEVELS
        columns.append(_means(board, scale, metric, aligned(values["mean"], factor)))
        columns += [_extreme(values[level], min, factor) for level in LEVELS[1:]]
    shown = 0
    for metric, label, best, factor in RATES:
        values_of = [mean_of(board, router, scale, metric) for router in routers]
        if all(value is None for value in values_of) or (
            metric == "preemptions" and not any(values_of)
        ):
            continue
        shown += 1
        header.append(label)
        columns.append(_extreme(values_of, best, factor))
    groups.append(("", shown))
    seeds = len({run["seed"] for run in board.runs})
    return Grid(
        caption="Routers at the recorded rate" if scale == 1 else f"Routers at rate x{scale:g}",
        groups=tuple(groups),
        header=tuple(header),
        rows=tuple(zip(*columns, strict=True)),
        note=_note(board, seeds) if note else "",
    )


def _means(board: Scoreboard, scale: float, metric: str, texts: Sequence[str]) -> list[Cell]:
    """Mark the leader of a column of means, and the routers that are not separated from it."""
    routers, ranked = routers_of(board), standing(board, scale, metric)
    if ranked is None:
        return [Cell(text) for text in texts]
    tied = {ranked.leader, *ranked.tied} if ranked.tied else set()
    return [
        Cell(text, "tied" if router in tied else "best" if router == ranked.leader else "")
        for router, text in zip(routers, texts, strict=True)
    ]


def _extreme(values: Sequence[float | None], best: Any, factor: float) -> list[Cell]:
    """Mark the smallest or largest number to three digits, unless all are the same."""
    texts = aligned(values, factor)
    rounded = [None if value is None else three(value) for value in values]
    known = [value for value in values if value is not None]
    if best is None or not known or len(set(rounded)) == 1:
        return [Cell(text) for text in texts]
    winning = three(best(known))
    return [
        Cell(text, "least" if value == winning else "")
        for text, value in zip(texts, rounded, strict=True)
    ]


def _note(board: Scoreboard, seeds: int) -> str:
    said = [f"Each number is the mean over {plural(seeds, 'seed')}."] if seeds > 1 else []
    if board.pairs:
        said.append(
            "Shaded: the lowest mean, its paired 95% interval against every other router excluding "
            "0; with ≈, the lowest mean and those that the intervals do not separate from it."
        )
    said.append(
        "Bold: the best number, to three digits, of a column for which no interval is computed."
    )
    return " ".join(said)
