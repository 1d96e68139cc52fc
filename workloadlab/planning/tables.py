"""A plan as people read it: routers, what-ifs, cost against attainment, and the windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.tables import Cell, Table, duration
from workloadlab.words import share, share_beside, three

if TYPE_CHECKING:
    from workloadlab.planning.answer import Plan

__all__ = ["plan_tables"]


def plan_tables(plan: Plan) -> list[Table]:
    """Return the tables of a plan."""
    usd = plan.price is not None
    rows: list[list[Cell]] = []
    for found in plan.routers:
        trial = found.trial(found.instances) if found.instances else None
        cost = plan.usd_per_hour(found.instances) if found.instances else None
        rows.append(
            [found.router, found.instances, found.low, found.high,
             None if trial is None else share_beside(trial.met, plan.attain),
             *([None if cost is None else f"{cost:,.2f}"] if usd else [])]
        )  # fmt: skip
    header = ["router", "instances", "low", "high", "SLO met", *(["$/hour"] if usd else [])]
    start, length = duration(plan.peak.start_s), duration(plan.peak.length_s)
    what = f"peak: {length} from {start} on" if plan.hours else f"whole trace, {length}"
    tables = [Table(f"Instances for the {what}", header, rows)]
    ifs = [*plan.growth, *([plan.error] if plan.error else []), *plan.engine]
    if ifs:
        changed: list[list[Cell]] = [[each.change, each.instances] for each in ifs]
        tables.append(Table(f"What if, with {plan.router}", ["change", "instances"], changed))
    if plan.frontier:
        priced: list[list[Cell]] = [
            [share(each.factor), each.instances,
             *([None if each.instances is None
                else f"{plan.usd_per_hour(each.instances) or 0:,.2f}"] if usd else [])]
            for each in plan.frontier
        ]  # fmt: skip
        top = ["requests within the targets", "instances", *(["$/hour"] if usd else [])]
        where = ", at the peak" if plan.hours else ""
        tables.append(Table(f"Cost against attainment{where}", top, priced))
    if plan.hours:
        tables.append(
            Table(
                f"By window, with {plan.router}",
                ["from", "requests", "requests/s", "instances", "SLO met", "with one fewer"],
                [[duration(h.start_s) if h.start_s else "0 s", h.requests, three(h.rate_rps),
                  h.instances, *(None if met is None else share_beside(met, plan.attain)
                  for met in (h.met, h.met_with_fewer))] for h in plan.hours],
            )
        )  # fmt: skip
    return tables
