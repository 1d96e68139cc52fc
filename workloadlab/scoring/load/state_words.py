"""Whether a load is held and served, in clauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.words import listed, share

if TYPE_CHECKING:
    from workloadlab.scoring.scoreboard import Scoreboard

__all__ = ["uneven_words", "unserved_words", "unsteady_words", "untold_words"]


def unserved_words(board: Scoreboard, scale: float) -> str:
    """Say which share of the requests was not served, as a clause; "" where all were.

    Args:
        board: the scoreboard.
        scale: of the rate.
    """
    ran = [router for router in board.routers if board.of(router, scale)]
    shares = {router: board.lost(router, scale) for router in ran}
    least, most = (pick(shares, key=lambda router: shares[router]) for pick in (min, max))
    if not shares[most]:
        return ""
    if share(shares[least]) == share(shares[most]):
        who = " with any router" if len(ran) > 1 else ""
        return f"{share(shares[most])} of the requests were not served{who}"
    if sum(map(bool, shares.values())) == 1:
        return f"with {most}, {share(shares[most])} of the requests were not served"
    return (
        f"{share(shares[least])} ({least}) to {share(shares[most])} ({most}) of the requests were not "
        "served"
    )


def uneven_words(board: Scoreboard, scale: float) -> list[str]:
    """Say which routers leave instances idle, in a clause for each way.

    Args:
        board: the scoreboard.
        scale: of the rate.
    """
    ways: dict[str, list[str]] = {}
    for router in board.routers:
        uneven = next((run.imbalance for run in board.of(router, scale) if run.imbalance), None)
        if uneven:
            ways.setdefault(str(uneven), []).append(router)
    return [f"with {listed(routers)}, {way}" for way, routers in ways.items()]


def unsteady_words(board: Scoreboard, scale: float, routers: list[str]) -> str:
    """Say that requests pile up, and how fast with the router that is nearest to serving them.

    Args:
        board: the scoreboard.
        scale: of the rate.
        routers: with which they do.
    """
    alone = all(router in routers for router in board.routers if board.of(router, scale))
    states = {router: board.worst(router, scale) for router in routers}
    known = {router: run.saturation for router, run in states.items() if run and run.saturation}
    best = max(known, key=lambda router: known[router].served_share)
    if len(routers) == 1:
        who = "" if alone else f" with {best}"
        return f"No steady state{who}: {known[best]}"
    who = "any router" if alone else listed(routers)
    return f"No steady state with {who}; with {best}, the nearest to one, {known[best]}"


def untold_words(board: Scoreboard, scale: float, routers: list[str]) -> str:
    """Say why it cannot be told whether any of these routers holds the load."""
    return next(run.untold for run in board.of(routers[0], scale) if not run.told)
