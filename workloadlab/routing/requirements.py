"""Whether a trace and a cluster have what a router needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.routing.registry import SHELF

if TYPE_CHECKING:
    from workloadlab.routing.router import Router
    from workloadlab.trace import Trace

__all__ = ["compatible_routers", "unmet_need"]


def unmet_need(policy: Router, trace: Trace, *, prefix_caching: bool) -> str | None:
    """Return why a router cannot run on a trace, or None if it can.

    Args:
        policy: the router.
        trace: what would be replayed.
        prefix_caching: whether any instance of the cluster keeps prefixes.
    """
    for need in sorted(policy.needs - {"oracle"}):
        if not trace.supports(need):
            return f"needs {need}, which this trace does not record"
    if "prefix" in policy.needs and not prefix_caching:
        return "needs prefix, but no pool of the cluster has prefix_caching"
    return None


def compatible_routers(
    trace: Trace, *, prefix_caching: bool
) -> tuple[list[Router], dict[str, str]]:
    """Return the built-in routers that can run, and for each of the others the reason."""
    reasons = {
        name: unmet_need(policy, trace, prefix_caching=prefix_caching)
        for name, policy in SHELF.items()
    }
    able = [SHELF[name] for name, reason in reasons.items() if reason is None]
    return able, {name: reason for name, reason in reasons.items() if reason is not None}
