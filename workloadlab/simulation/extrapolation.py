"""Says where a replay leaves the steps of the log that its latency model was calibrated on."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from workloadlab.arguments import CALLER
from workloadlab.errors import ExtrapolationWarning
from workloadlab.latency.envelope import Drift, Envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.simulation.pool import Pool
    from workloadlab.trace import Runs

__all__ = ["warn_of_extrapolation"]

OFTEN = 0.01
"""Share of the steps from which on it matters."""


def warn_of_extrapolation(pools: tuple[Pool, ...], runs: Runs) -> None:
    """Warn of the run that leaves the steps of the log most often, if its model was calibrated.

    Warns:
        ExtrapolationWarning: one at most, at the line that called for a replay.
    """
    worst = max(runs.infos, key=lambda info: info.steps_outside_domain / max(info.steps, 1))
    share = worst.steps_outside_domain / max(worst.steps, 1)
    known = list(_known(pools))
    if known and share > OFTEN:
        warnings.warn(
            f"{share:.0%} of the steps of {worst.run_id} leave those of the log that its latency model "
            f"was calibrated on ({'; '.join(known)}): replay both of cluster.ends() to see how far off "
            "it may be",
            ExtrapolationWarning,
            stacklevel=CALLER,
        )


def _known(pools: tuple[Pool, ...]) -> Iterator[str]:
    """Say what the logs of calibrated models ran at most."""
    for pool in pools:
        if isinstance(pool.latency.intervals, Envelope | Drift):
            prompt, _, seqs, context = pool.latency.intervals.high
            yield (
                f"{pool.latency.name}: up to {seqs:,.0f} decodes with {context:,.0f} tokens of context, "
                f"{prompt:,.0f} prompt tokens"
            )
