"""A plan as a section: how many instances, and what that rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.reporting.capacity.attainment import plot_attainment
from workloadlab.reporting.capacity.windows import plot_windows
from workloadlab.reporting.facts import Finding, Section
from workloadlab.reporting.grids import grid_of
from workloadlab.scoring.service_level import targets_words
from workloadlab.words import plural

if TYPE_CHECKING:
    from workloadlab.planning import Plan

__all__ = ["capacity_section"]


def capacity_section(plan: Plan, section_id: str) -> Section:
    """Summarise a plan."""
    facts = [
        ("Trace", plan.trace),
        ("Service level", f"{plan.attain * 100:.4g}% within {targets_words(plan.slo)}"),
        ("Instance", f"{plan.latency_model}, {plural(plan.gpus_per_instance, 'GPU')}"),
    ]
    if plan.price is not None:
        facts.append(("Rent", f"${plan.price.usd_per_hour:.2f} per GPU and hour"))
    unsure = not plan.instances or plan.untold
    findings = (Finding("warning", "Capacity", plan.sentence),) if unsure else ()
    return Section(
        id=section_id,
        title=f"Capacity for {plan.trace}",
        summary=" ".join((plan.sentence, *plan.more)),
        findings=findings,
        facts=tuple(facts),
        grids=tuple(grid_of(table) for table in plan.tables()[:2]),
        plots=(plot_attainment(plan, section_id), *plot_windows(plan, section_id)),
        details=tuple(grid_of(table) for table in plan.tables()[2:]),
        source=plan.to_dict(),
    )
