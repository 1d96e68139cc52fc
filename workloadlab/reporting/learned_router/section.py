"""A learned router as a section: its verdict, its card, its formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.learning import comparisons, doubt_of
from workloadlab.reporting.facts import Cell, Finding, Grid, Section
from workloadlab.reporting.learned_router.changes import plot_changes
from workloadlab.routing.learned.artefact import HEURISTIC
from workloadlab.words import plural, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.learning import Comparison
    from workloadlab.routing.learned.artefact import LearnedRouter

__all__ = ["learned_section"]

DESCRIBED = ("name", "form", "needs", "rules", "domain", "card", "provenance")
"""The keys of a router's file that the page keeps: all but its weights, which may be many."""


def learned_section(router: LearnedRouter, section_id: str) -> Section:
    """Summarise a learned router."""
    compared = comparisons(router.card)
    heuristic = router.body["router"] if router.form == HEURISTIC else ""
    plot = plot_changes(compared, section_id, heuristic)
    facts = router.to_dict()
    return Section(
        id=section_id,
        title=f"Learned router: {router.name}",
        summary=_confirmed(router, compared) or sentence(router.verdict),
        findings=_findings(router),
        facts=_training(router),
        grids=(_card(compared, heuristic),) if compared else (),
        plots=(plot,) if plot else (),
        source={key: facts[key] for key in DESCRIBED},
    )


def _confirmed(router: LearnedRouter, compared: Sequence[Comparison]) -> str:
    """Say where the test block confirms the choice, if not in every cell; "" if so, or untested."""
    chosen = [one for one in compared if one.role == "selected"]
    better = sum(one.high < 0 for one in chosen)
    if router.form == HEURISTIC or better == len(chosen):
        return ""
    cells, measure = plural(len(chosen), "test cell"), "mean end-to-end latency"
    if not better:
        return f"Not shown to be better than {chosen[0].other}: lower {measure} in none of {cells}."
    return f"Better than {chosen[0].other} in {better} of {cells}, by {measure}."


def _findings(router: LearnedRouter) -> tuple[Finding, ...]:
    if not router.card:
        said = "It has no card: nobody tested it beside a heuristic."
        return (Finding("warning", router.name, said),)
    doubt = doubt_of(router.card) if router.form != HEURISTIC else ""
    return (Finding("warning", router.name, doubt),) if doubt else ()


def _training(router: LearnedRouter) -> tuple[tuple[str, str], ...]:
    made = router.provenance
    pairs = [
        ("Verdict of training", sentence(router.verdict)),
        ("Method", str(made.get("method", ""))),
        ("Objective", str(made.get("objective", ""))),
        ("Loads", ", ".join(f"{load:g}" for load in made.get("loads", ()))),
        ("Log", plural(made["requests"], "request") if "requests" in made else ""),
        ("Cluster", plural(made["instances"], "instance") if "instances" in made else ""),
        ("Seeds", str(made.get("seeds", ""))),
        ("Form", router.form),
        ("Needs", ", ".join(sorted(router.needs))),
        ("Decides by", router.explain()),
        ("Version", str(made.get("version", ""))),
    ]
    return tuple((label, value) for label, value in pairs if value)


def _card(compared: Sequence[Comparison], heuristic: str) -> Grid:
    rows = tuple(
        (
            Cell(one.cell),
            Cell(one.other),
            Cell(f"{one.change * 100:+.1f}"),
            Cell(f"{one.low * 100:+.1f} to {one.high * 100:+.1f}"),
            *(Cell(f"{other * 100:+.1f}") for other in one.others),
        )
        for one in compared
    )
    return Grid(
        caption=f"Change on the test block{f' with {heuristic}' if heuristic else ''}, in %",
        header=("Cell", "Against", "mean e2e", "95% interval", "mean TTFT", "p99 TTFT", "p99 e2e"),
        rows=rows,
        names=2,
        note=f"Of {heuristic or 'the learned router'} relative to the other on the same requests; below "
        "0 is better. The test block is the last part of the log, which training did not see.",
    )
