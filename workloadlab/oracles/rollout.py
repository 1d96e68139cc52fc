"""Rollout: simulate each choice with the next arrivals."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError
from workloadlab.oracles.look_ahead import look_ahead
from workloadlab.oracles.lookahead import BASE
from workloadlab.oracles.oracle import Oracle
from workloadlab.routing import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.routing import Router

__all__ = ["AHEAD", "rollout"]

AHEAD = 32


def rollout(
    base: str | Router | Callable[..., Any] = BASE, *, ahead: int = AHEAD, may_wait: bool = False
) -> Oracle:
    """Send each request where it and the next arrivals end soonest if the base routes those.

    As `lookahead`, but in a trial the next `ahead` true arrivals come too, placed by the base router;
    all then run to completion. The base keeps its memory as if it had decided itself, and trials of
    one decision share its random draws. By policy improvement (Bertsekas and Castanon 1999) rollout
    does not lose to its base in expectation, as far as its horizon reaches.

    Args:
        base: routes the arrivals of a trial.
        ahead: how many of them, at least 1; 8, 32 and 128 are on the shelf.
        may_wait: whether a request may wait in the router's queue where that is better, as the bases
            may that hold requests; it is tried again at every event.

    Raises:
        UsageError: no such router, or a horizon below 1.

    Example:
        >>> rollout(ahead=8).name, rollout("round_robin").name
        ('rollout_8', 'rollout_round_robin')
    """
    if not isinstance(ahead, int) or ahead < 1:
        raise UsageError(
            f"rollout over {ahead!r} arrivals", fix="use a whole number from 1; lookahead uses none"
        )
    policy = resolve(base)
    name = "rollout" if ahead == AHEAD else f"rollout_{ahead}"
    name += "_or_wait" if may_wait else ""
    return Oracle(
        name=name if policy.name == BASE else f"{name}_{policy.name}",
        solve=partial(_solve, policy, ahead, may_wait),
        bases=(policy,),
        options={"ahead": ahead, "may_wait": may_wait},
        formula=f"argmin of the summed latency of all live requests and the next {ahead} arrivals, "
        "which the base routes",
        source="rollout, Bertsekas and Castanon 1999",
    )


def _solve(
    policy: Router, ahead: int, may_wait: bool, workload: Any, cluster: Any, seed: int
) -> Any:
    return look_ahead(workload, cluster, policy, seed, ahead=ahead, may_wait=may_wait)
