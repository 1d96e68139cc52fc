"""Whether the cluster holds its load: at one rate, or up to which of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.scoring import BY, Measure
from workloadlab.scoring.load.lost import GOAL
from workloadlab.scoring.load.state_words import unserved_words, untold_words
from workloadlab.scoring.service_level import targets_words
from workloadlab.words import listed, plural, rate_words, share, share_beside

if TYPE_CHECKING:
    from workloadlab.scoring import Scoreboard

__all__ = ["held_words"]


@dataclass(frozen=True)
class _Held:
    """What one rate says.

    Attributes:
        held: None where that cannot be told.
        alone: the whole answer, were it the only rate.
        short: why it is not held, beside a rate that is.
        met: the share of the requests within the targets, as words; "" without targets.
        router: with which; "" without targets.
        but: what limits a rate that is held.
    """

    held: bool | None
    alone: str
    short: str = ""
    met: str = ""
    router: str = ""
    but: str = ""


def held_words(board: Scoreboard) -> str:
    """Say up to which rate the cluster holds the load within the targets, and at which it does not.

    Args:
        board: the scoreboard.
    """
    found = {scale: _held(board, scale) for scale in board.scales}
    fails = next((scale for scale, each in found.items() if each.held is False), None)
    able = [scale for scale, each in found.items()
            if each.held and (fails is None or scale < fails)]  # fmt: skip
    if len(found) == 1 or not able:
        return f"{found[board.scales[0]].alone}."
    last = able[-1]
    at = found[last]
    said = f"{'Yes, up' if fails is None else 'Up'} to {rate_words(last)}"
    if at.router:
        said += f" with {at.router}: {at.met} of the requests meet {targets_words(board.slo)}"
    said += at.but
    beyond = fails if fails is not None else next((s for s in found if s > last), None)
    if beyond is None:
        return f"{said}; no higher rate was tried."
    other = found[beyond]
    verb = "not" if other.held is False else "cannot be told"
    whom = f" with {other.router}" if other.met and other.router != at.router else ""
    return f"{said}; {verb} at {rate_words(beyond)}: {other.short}{whom}."


def _held(board: Scoreboard, scale: float) -> _Held:
    where = rate_words(scale)
    on = f" on {plural(board.instances, 'instance')}" if board.instances else ""
    ran = [router for router in board.routers if board.of(router, scale)]
    steady = [router for router in ran if board.steady(router, scale)]
    lost = unserved_words(board, scale)
    if not steady:
        states = [run.saturation for r in ran if (run := board.worst(r, scale)) and run.saturation]
        best = max(states, key=lambda state: state.served_share)
        also = f"{lost}, and " if lost else ""
        alone = f"No. At {where}{on} {also}there is no steady state: {best}"
        return _Held(held=False, alone=alone, short="there is no steady state")
    if min(board.lost(router, scale) for router in steady) > 1 - GOAL:
        return _Held(held=False, alone=f"No. At {where}{on} {lost}", short=lost)
    router, value = _most_within(board, scale, steady)
    also = f"; {lost}" if lost else ""
    said, met = f"at {where}", ""
    if value is not None:
        met = share_beside(value, GOAL)
        said += f" {met} of the requests meet {targets_words(board.slo)} with {router}"
    if value is not None and value < GOAL:
        advice = "add instances, or lower the rate"
        alone = f"Not within the targets: {said}{also}; {advice}"
        return _Held(held=False, alone=alone, short=met, met=met, router=router)
    off = [router for router in ran if router not in steady]
    but = (f", but not with {listed(off)}" if off else "") + also
    if not any(board.told(router, scale) for router in steady):
        why = untold_words(board, scale, steady)
        return _Held(held=None, alone=f"Cannot be told at {where}: {why}{but}", short=why)
    alone = f"Yes: {said}{but}" if router else f"Yes, {said}{but or ': what arrives is served'}"
    return _Held(held=True, alone=alone, met=met, router=router, but=but)


def _most_within(board: Scoreboard, scale: float, routers: list[str]) -> tuple[str, float | None]:
    """Return who meets the targets most, of equals the one that the verdict names, and how far."""
    met = {router: board.mean(router, scale, "slo_attainment") for router in routers}
    known = {router: value for router, value in met.items() if value is not None}
    if not known:
        return "", None
    ranked = [router for router in board.ranked(scale, Measure.named(BY)) if router in known]
    most = max(known.values())
    best = next(r for r in [*ranked, *known] if share(known[r]) == share(most))
    return best, known[best]
