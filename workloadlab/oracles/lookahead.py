"""Lookahead: simulate each choice to completion."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from workloadlab.oracles.look_ahead import look_ahead
from workloadlab.oracles.oracle import Oracle
from workloadlab.routing import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.routing import Router

__all__ = ["BASE", "lookahead"]

BASE = "least_requests"


def lookahead(base: str | Router | Callable[..., Any] = BASE) -> Oracle:
    """Send each request where it adds the least latency, its own and what it inflicts on others.

    At every decision the request is tried on each instance that can serve it; all live requests run to
    completion without further arrivals, and the least sum of their latencies wins, after the fewest
    that go unserved. Ties go to the lowest index. It sees true lengths but not the future, so it is
    greedy: no bound in the strict sense.

    Args:
        base: routes what else waits in the router's queue in a trial, requests of the same moment.

    Raises:
        UsageError: no such router.

    Example:
        >>> lookahead().name
        'lookahead'
    """
    policy = resolve(base)
    return Oracle(
        name="lookahead" if policy.name == BASE else f"lookahead_{policy.name}",
        solve=partial(_solve, policy),
        bases=(policy,),
        formula="argmin of the summed latency of all live requests, each choice simulated to completion",
        source="one-step lookahead with the simulator as model",
    )


def _solve(policy: Router, workload: Any, cluster: Any, seed: int) -> Any:
    return look_ahead(workload, cluster, policy, seed, ahead=0)
