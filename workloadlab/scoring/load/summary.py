"""What a board says over load: one row per router, and a sentence for each change of places."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workloadlab.scoring.load.crossings import crossings
from workloadlab.scoring.load.knee import KNEE
from workloadlab.scoring.load.lost import GOAL, slo_lost, steady_up_to
from workloadlab.tables import Table
from workloadlab.words import listed, times

if TYPE_CHECKING:
    from workloadlab.scoring.load.crossings import Crossing
    from workloadlab.scoring.load.found_rate import FoundRate
    from workloadlab.scoring.measure import Measure
    from workloadlab.scoring.scoreboard import Scoreboard

__all__ = ["crossing_words", "load_facts", "load_table", "lost_words"]


def load_table(board: Scoreboard, by: Measure) -> Table | None:
    """Return, per router, up to where it is steady, its knee, and where it loses the targets.

    None for a board of one rate.

    Args:
        board: the scoreboard.
        by: in which routers change places.
    """
    if len(board.scales) < 2:
        return None
    knees = {knee.router: knee.at for knee in board.knees}
    columns = {
        "router": board.routers,
        "steady to": [_steady_words(board, router) for router in board.routers],
    }
    notes = []
    if knees:
        columns["knee"] = [_words(knees.get(router)) for router in board.routers]
        notes.append(f"knee: {KNEE}")
    if board.slo:
        columns["SLO lost"] = [_words(slo_lost(board, router)) for router in board.routers]
        notes.append(f"SLO lost: under {GOAL:.0%} of the requests meet the targets")
    notes += [crossing_words(each, by) for each in crossings(board, by)]
    rows = list(zip(*columns.values(), strict=True))
    return Table("Over load, rates with 95 % intervals", [*columns], rows, notes)


def crossing_words(crossing: Crossing, by: Measure) -> str:
    """Say a change of places as a clause."""
    return (
        f"{by.noun}: {crossing.below} is ahead of {crossing.above} below {crossing.at}, and behind "
        "above"
    )


def lost_words(board: Scoreboard) -> str:
    """Say from where on each router loses its targets, in a clause; "" where none does."""
    if not board.slo or len(board.scales) < 2:
        return ""
    found = {router: slo_lost(board, router) for router in board.routers}
    lost = {router: at for router, at in found.items() if at and at.where != "beyond"}
    already = [router for router, at in lost.items() if at.where == "below"]
    said = [f"{router} from {at} on" for router, at in lost.items() if at.where == "between"]
    if already:
        said.append(f"{listed(already)} already at {times(board.scales[0])}, the lowest rate tried")
    return ", ".join(said)


def load_facts(board: Scoreboard, by: Measure) -> dict[str, Any]:
    """Return the same as plain JSON data; empty for a board of one rate."""
    if len(board.scales) < 2:
        return {}
    lost = {router: slo_lost(board, router) for router in board.routers}
    return {
        "steady_up_to": {router: steady_up_to(board, router) for router in board.routers},
        "knees": {knee.router: _facts(knee.at) for knee in board.knees},
        "slo_lost": {router: _facts(at) for router, at in lost.items() if at},
        "crossings": [asdict(each) | {"at": _facts(each.at)} for each in crossings(board, by)],
    }


def _steady_words(board: Scoreboard, router: str) -> str:
    rate = steady_up_to(board, router)
    if rate is not None:
        return times(rate)
    ran = [scale for scale in board.scales if board.of(router, scale)]
    return "none" if any(not board.steady(router, scale) for scale in ran) else "not told"


def _facts(at: FoundRate) -> dict[str, Any]:
    return asdict(at) | {"words": str(at)}


def _words(at: FoundRate | None) -> str:
    return "-" if at is None else str(at)
