"""From merged partial results to topics, with what is estimated and what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.characterization.bounded.buckets import error
from workloadlab.characterization.bounded.facts.arrivals import arrivals_of, merged_clock
from workloadlab.characterization.bounded.facts.integrity import integrity_from
from workloadlab.characterization.bounded.facts.latencies import service_levels_from
from workloadlab.characterization.bounded.facts.lengths import drift_from, lengths_of
from workloadlab.characterization.bounded.facts.parties import counts_by_name, tenants_from
from workloadlab.characterization.bounded.in_flight_kernel import DIGITS as TOKENS_DIGITS
from workloadlab.characterization.bounded.kernels import GAP_DIGITS, TOKEN_DIGITS
from workloadlab.characterization.bounded.latency_kernel import DIGITS
from workloadlab.characterization.bounded.picks import MOST
from workloadlab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.characterization.bounded.partial import Partial
    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.trace import Provenance

__all__ = ["ESTIMATES", "Estimate", "estimates_of", "measured_topics"]


@dataclass(frozen=True)
class Estimate:
    """Facts that are not exact where a trace is measured part by part.

    Attributes:
        facts: which ones.
        by: what stands for the rows.
        relative_error: the largest; None where it is that of a sample.
    """

    facts: str
    by: str
    relative_error: float | None

    def __str__(self) -> str:
        how = f" within {self.relative_error:.2%}" if self.relative_error else ""
        return f"{self.facts}{how} ({self.by})"


ESTIMATES = (
    Estimate("quantiles, curve and fits of the gaps", "means of buckets", 2 * error(GAP_DIGITS)),
    Estimate("medians of lengths per step of time, day and party", "buckets", error(TOKEN_DIGITS)),
    Estimate("percentiles of latencies", "buckets", error(DIGITS)),
    Estimate(
        "quantiles of pauses and lifetimes of sessions", "means of buckets", 2 * error(GAP_DIGITS)
    ),
    Estimate("percentiles of tokens in flight", "buckets", error(TOKENS_DIGITS)),
    Estimate("Spearman, Pearson of logs, outputs by input", "a million evenly spaced rows", None),
)
"""What is estimated, and how well; every other fact is exact, or thinned as it always is."""


def estimates_of(outputs: int) -> tuple[Estimate, ...]:
    """Return what is estimated where so many requests record outputs; all rows need no estimate.

    Example:
        >>> [len(estimates_of(n)) for n in (1_000_000, 1_000_001)]
        [5, 6]
    """
    return tuple(each for each in ESTIMATES if each.relative_error or outputs > MOST)


def measured_topics(
    plan: Plan, partial: Partial, provenance: Provenance
) -> dict[str, Callable[[], Any]]:
    """Return who makes the facts of each topic that needs no rows of a session together.

    They know nothing of each other, and the first take longest.

    Raises:
        DataError: a part of the plan is lacking.
    """
    lacking = sorted({*range(len(plan.parts))} - {*partial.parts})
    if lacking or plan.key != partial.key:
        raise DataError(
            f"part {lacking[0]} of {len(plan.parts)} is not measured"
            if lacking
            else "these partial results are of another trace",
            fix="measure every part of the plan, and merge them",
        )
    arrays = partial.arrays
    clock = merged_clock(plan, arrays)
    clocks = (
        tuple(sorted(counts_by_name(partial, "ttft_clock"))) if "ttft_clock" in plan.filled else ()
    )
    return {
        "lengths": lambda: lengths_of(plan, arrays),
        "arrivals": lambda: arrivals_of(plan, arrays, clock),
        "drift": lambda: drift_from(plan, arrays),
        "tenants": lambda: tenants_from(plan, partial, clock),
        "service_levels": lambda: service_levels_from(plan, partial),
        "integrity": lambda: integrity_from(plan, arrays, clock, provenance, clocks),
    }
