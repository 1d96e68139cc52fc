"""A plan as people read it: routers, what-ifs, cost against attainment, and the windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.scoring.scoreboard import UNTOLD, UNTOLD_NOTE
from workloadlab.tables import Cell, Table, duration
from workloadlab.words import share, share_beside, three

if TYPE_CHECKING:
    from workloadlab.planning.answer import Plan

__all__ = ["marked", "noted", "plan_tables", "unsure_words"]


INTERVAL = "low, high: enough at the upper, the lower end of the share's 95 % interval"


def plan_tables(plan: Plan) -> list[Table]:
    """Return the tables of a plan."""
    usd = plan.price is not None
    rows: list[list[Cell]] = []
    for found in plan.routers:
        best = max(found.trials, key=lambda each: each.met, default=None)
        trial = found.trial(found.instances) if found.instances else best
        cost = plan.usd_per_hour(found.instances) if found.instances else None
        rows.append(
            [marked(found.router, not found.untold),
             found.instances or "none", found.low, found.high,
             None if trial is None else share_beside(trial.met, plan.attain),
             *([None if cost is None else f"{cost:,.2f}"] if usd else [])]
        )  # fmt: skip
    header = ["router", "instances", "low", "high", "SLO met", *(["$/hour"] if usd else [])]
    start, length = duration(plan.peak.start_s), duration(plan.peak.length_s)
    what = f"peak: {length} from {start} on" if plan.hours else f"whole trace, {length}"
    tables = [
        noted(f"Instances for the {what}", header, rows, *([INTERVAL] if plan.router else []))
    ]
    ifs = [*plan.growth, *([plan.error] if plan.error else []), *plan.engine]
    if ifs:
        changed: list[list[Cell]] = [
            [marked(each.change, not each.untold), each.instances] for each in ifs
        ]
        tables.append(noted(f"What if, with {plan.router}", ["change", "instances"], changed))
    if plan.frontier:
        priced: list[list[Cell]] = [
            [marked(share(each.factor), not each.untold), each.instances,
             *([None if each.instances is None
                else f"{plan.usd_per_hour(each.instances) or 0:,.2f}"] if usd else [])]
            for each in plan.frontier
        ]  # fmt: skip
        top = ["requests within the targets", "instances", *(["$/hour"] if usd else [])]
        where = ", at the peak" if plan.hours else ""
        tables.append(noted(f"Cost against attainment{where}", top, priced))
    if plan.hours:
        tables.append(
            noted(
                f"By window, with {plan.router}",
                ["from", "requests", "requests/s", "instances", "SLO met", "with one fewer"],
                [[marked(duration(h.start_s) if h.start_s else "0 s", not h.untold),
                  h.requests, three(h.rate_rps), h.instances,
                  *(None if met is None else share_beside(met, plan.attain)
                  for met in (h.met, h.met_with_fewer))] for h in plan.hours],
            )
        )  # fmt: skip
    return tables


def marked(name: str, told: bool) -> str:
    """Return a name for a table, with `?` where it cannot be told whether the load is held."""
    return name if told else f"{name} {UNTOLD}"


def noted(title: str, header: list[str], rows: list[list[Cell]], *notes: str) -> Table:
    """Return a table with notes that says what its mark means, if a row has it."""
    marks = any(str(row[0]).endswith(f" {UNTOLD}") for row in rows)
    return Table(title, header, rows, [*notes, *([UNTOLD_NOTE] if marks else [])])


def unsure_words(untold: str, instances: int) -> str:
    """Say that nobody can tell whether instances hold the load for longer; "" where that is told.

    Args:
        untold: why, as a clause.
        instances: how many.
    """
    if not untold:
        return ""
    go = "it goes" if instances == 1 else "they go"
    return (
        f" Whether {go} on to hold it cannot be told: {untold}. Plan with a longer log, or take one "
        "more."
    )
