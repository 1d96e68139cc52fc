"""Findings from counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workloadlab.characterization.bounded.facts.arrivals import gap_sd_ns
from workloadlab.characterization.bounded.facts.lengths import frequencies_of
from workloadlab.characterization.bounded.quality import CONDITIONS
from workloadlab.characterization.findings import Seen
from workloadlab.characterization.topics.integrity import integrity_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.characterization.topics.integrity import Integrity
    from workloadlab.trace import Provenance

__all__ = ["integrity_from"]


def integrity_from(
    plan: Plan,
    arrays: dict[str, NDArray[Any]],
    clock: Clock,
    provenance: Provenance,
    clocks: tuple[str, ...],
) -> Integrity:
    """Make the findings.

    Args:
        plan: of the trace.
        arrays: what its parts left.
        clock: that stamped the arrivals.
        provenance: where the trace came from.
        clocks: whose clocks measured its TTFT.
    """
    counts = dict(zip(CONDITIONS, arrays["quality"].tolist(), strict=True))
    _, _, holes, hole_ns = arrays["gap.counts"].tolist()
    sd_ns = gap_sd_ns(plan, arrays)
    recorded_cv = None
    if not clock.resolves_gaps and sd_ns is not None:
        recorded_cv = sd_ns / (plan.span_ns / (plan.requests - 1))
    seen = Seen(
        n=plan.requests,
        span_ns=plan.span_ns,
        inversions=0,
        duplicates=counts["duplicates"],
        recorded_cv=recorded_cv,
        lengths={
            f"{name}_tokens": frequencies_of(arrays[f"length.{name}"])
            for name in ("input", "output")
        },
        holes=(holes, int(arrays["gap.largest"][0]) if holes else 0, hole_ns),
        counts=counts,
    )
    return integrity_of(seen, clock, provenance, clocks)
