"""The oracles that ship, by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import checked
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.oracles.exhaustive import exhaustive
from workloadlab.oracles.hindsight import hindsight
from workloadlab.oracles.lookahead import lookahead
from workloadlab.oracles.rollout import rollout

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.oracles.oracle import Oracle

__all__ = ["ORACLES", "oracle"]

ORACLES: dict[str, Callable[..., Oracle]] = {
    "lookahead": lookahead,
    "rollout": rollout,
    "rollout_8": partial(rollout, ahead=8),
    "rollout_128": partial(rollout, ahead=128),
    "rollout_or_wait": partial(rollout, may_wait=True),
    "exhaustive": exhaustive,
    "hindsight": hindsight,
}
"""What makes each oracle."""


@checked
def oracle(name: str, **options: Any) -> Oracle:
    """Return an oracle: a bound that knows lengths and simulates before it chooses.

    Args:
        name: "lookahead", "rollout" (also "rollout_8", "rollout_128", "rollout_or_wait"), "exhaustive"
            or "hindsight".
        **options: what that oracle takes; `base` of the first two, `ahead` of rollout and hindsight,
            `may_wait` of rollout,
            `starts` and `trials` of hindsight.

    Raises:
        UsageError: no such oracle, or an option that it does not take.

    Example:
        >>> oracle("rollout", base="round_robin", ahead=8).name
        'rollout_8_round_robin'
    """
    if name not in ORACLES:
        raise UsageError(f"no oracle is called {name!r}", fix=did_you_mean(name, ORACLES))
    try:
        return ORACLES[name](**options)
    except TypeError as error:
        raise UsageError(f"oracle {name!r}: {error}", fix="see help(workloadlab.oracle)") from error
