"""The table of routers at one rate scale, with the best of each column marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.reporting.facts import Cell, Grid
from workloadlab.reporting.routers.ranking import standing
from workloadlab.scoring import METRICS
from workloadlab.scoring.tables import seeds_words
from workloadlab.words import column as texts_of
from workloadlab.words import sentence, share, three, time_unit, times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.scoring import Metric, Scoreboard

__all__ = ["router_grid"]


def router_grid(board: Scoreboard, scale: float, *, note: bool = True) -> Grid:
    """Return one row per router: means over the seeds, the best of each column marked."""
    routers = board.routers
    groups: list[tuple[str, int]] = [("", 1)]
    header = ["router"]
    columns: list[list[Cell]] = [[Cell(board.marked(router, scale)) for router in routers]]
    if any(lost := [board.lost(router, scale) for router in routers]):
        groups[0] = ("", 2)
        header.append("lost")
        columns.append([Cell(share(each)) for each in lost])
    for metric in METRICS:
        if metric.reported and metric.parts and _recorded(board, scale, metric):
            unit, found = _latency_columns(board, scale, metric)
            groups.append((f"{metric.label}, {unit}", len(metric.parts)))
            header += metric.parts
            columns += found
    numbers = [metric for metric in METRICS if metric.reported and not metric.parts]
    values = {
        metric: [board.mean(router, scale, metric.name) for router in routers] for metric in numbers
    }
    told = [metric for metric in numbers if _tells(metric, values[metric])]
    groups.append(("", len(told)))
    for metric in told:
        percent = metric.unit == "share"
        header.append(f"{metric.label} %" if percent else metric.label)
        columns.append(_extreme(values[metric], metric, 100 if percent else 1))
    return Grid(
        caption="Routers at the recorded rate" if scale == 1 else f"Routers at rate {times(scale)}",
        groups=tuple(groups),
        header=tuple(header),
        rows=tuple(zip(*columns, strict=True)),
        note=_note(board) if note else "",
    )


def _recorded(board: Scoreboard, scale: float, metric: Metric) -> bool:
    return any(board.mean(router, scale, metric.name, metric.parts[0]) is not None
               for router in board.routers)  # fmt: skip


def _tells(metric: Metric, values: Sequence[float | None]) -> bool:
    """Whether a column says anything: some value, and of what is best low one above 0."""
    if metric.better == "lower":
        return any(values)
    return any(value is not None for value in values)


def _latency_columns(
    board: Scoreboard, scale: float, metric: Metric
) -> tuple[str, list[list[Cell]]]:
    """Return the unit of a latency's columns, and the columns."""
    values = {
        part: [board.mean(router, scale, metric.name, part) for router in board.routers]
        for part in metric.parts
    }
    steady = [board.steady(router, scale) for router in board.routers]
    scaling = [
        value
        for column in values.values()
        for value, counts in zip(column, steady, strict=True)
        if counts or not any(steady)
    ]
    unit, factor = time_unit(scaling)
    return unit, [
        _means(board, scale, metric, texts_of(column, factor))
        if part == "mean" and metric.paired
        else _extreme(column, metric, factor)
        for part, column in values.items()
    ]


def _means(board: Scoreboard, scale: float, metric: Metric, texts: Sequence[str]) -> list[Cell]:
    """Mark the leader of a column of means, and the routers that are not separated from it."""
    routers, ranked = board.routers, standing(board, scale, metric.name)
    if ranked is None:
        return [Cell(text) for text in texts]
    tied = {ranked.leader, *ranked.tied} if ranked.tied else set()
    return [
        Cell(text, "tied" if router in tied else "best" if router == ranked.leader else "")
        for router, text in zip(routers, texts, strict=True)
    ]


def _extreme(values: Sequence[float | None], metric: Metric, factor: float) -> list[Cell]:
    """Mark the best number to three digits, unless all are the same."""
    texts = texts_of(values, factor)
    rounded = [None if value is None else three(value) for value in values]
    known = [value for value in values if value is not None]
    if metric.better is None or not known or len(set(rounded)) == 1:
        return [Cell(text) for text in texts]
    winning = three(min(known) if metric.better == "lower" else max(known))
    return [
        Cell(text, "least" if value == winning else "")
        for text, value in zip(texts, rounded, strict=True)
    ]


def _note(board: Scoreboard) -> str:
    said = [sentence(seeds_words(board))] if seeds_words(board) else []
    said += [f"{note}." for note in board.marks()]
    if board.pairs:
        said.append(
            "Shaded: the lowest mean, separated from that of every other router on the same requests "
            "(Holm); with ≈, the lowest mean and those that are not separated from it."
        )
    said.append(
        "Bold: the best number, to three digits, of a column for which no interval is computed."
    )
    return " ".join(said)
