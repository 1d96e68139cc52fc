"""The small table of the first screen: one row per rate, with the best router at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.reporting.facts import Cell, Grid
from workloadlab.scoring import BY, Measure
from workloadlab.words import column, seconds, share, three, times

if TYPE_CHECKING:
    from workloadlab.scoring import Scoreboard

__all__ = ["best_words", "decision_grid"]

ANY, EQUAL = "any", "no practical difference"


def decision_grid(board: Scoreboard, about: str = "") -> Grid:
    """Return, per rate, the best router with what a manager asks of it.

    Args:
        board: the scoreboard.
        about: what tells it from the page's other boards; "" for the only one.
    """
    by = Measure.named(BY)
    header = ["rate", "best router", *(["SLO met", "goodput per s"] if board.slo else []),
              "p99 TTFT", f"mean TTFT against {board.baseline}"]  # fmt: skip
    rows = []
    for scale in board.scales:
        ranked = board.ranked(scale, by)
        if not ranked:
            continue
        best, said = ranked[0], best_words(board, scale)
        able, alike = best in board.comparable(scale), said == ANY
        cells = [times(scale), said]
        if board.slo:
            met = board.mean(best, scale, "slo_attainment")
            goodput = board.mean(best, scale, "goodput_rps")
            cells += ["-" if met is None else share(met), *column([goodput])]
        p99 = board.mean(best, scale, "ttft_s", "p99")
        against = EQUAL if alike else _against(board, best, scale, by) if able else "-"
        cells += ["-" if p99 is None else seconds(p99), against]
        rows.append(tuple(Cell(text) for text in cells))
    caption = f"At a glance: {about}" if about else "At a glance"
    return Grid(caption=caption, header=tuple(header), rows=tuple(rows), names=2)


def best_words(board: Scoreboard, scale: float) -> str:
    """Say which router is best at a rate, that any is, or why none can be."""
    by = Measure.named(BY)
    ranked = board.ranked(scale, by)
    if not ranked or ranked[0] not in board.comparable(scale):
        return _unable(board, ranked[0], scale) if ranked else "-"
    rivals = [board.compared(router, ranked[0], scale, by) for router in ranked[1:]]
    alike = bool(rivals) and all(pair and pair.equal for pair in rivals)
    return ANY if alike else ranked[0]


def _unable(board: Scoreboard, router: str, scale: float) -> str:
    return "requests are lost" if board.steady(router, scale) else "no steady state"


def _against(board: Scoreboard, best: str, scale: float, by: Measure) -> str:
    if best == board.baseline:
        rivals = [board.compared(router, best, scale, by) for router in board.routers]
        unclear = any(pair and not pair.significant and not pair.equal for pair in rivals)
        return "the baseline is first, not separated" if unclear else "the baseline is best"
    pair = board.compared(best, board.baseline, scale, by)
    if pair is None or pair.effect is None:
        return "-"
    if not pair.steady:
        return "baseline not steady"
    if pair.equal:
        return EQUAL
    said = f"{'+' if pair.effect > 0 else '-'}{three(abs(float(f'{pair.effect * 100:.3g}')))}%"
    return said if pair.significant else f"{said}, not separated"
