"""The card of a learned router: what it comes to on the test block, beside those that it must beat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.execution import run_lanes
from workloadlab.learning.cells import Cell, cells_at, with_instances
from workloadlab.routing import SHELF
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.metrics import metrics_of
from workloadlab.tables import Table
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.learning.problem import Problem
    from workloadlab.routing import Router
    from workloadlab.simulation.outcome import Outcome

__all__ = [
    "STALENESS",
    "Comparison",
    "card_of",
    "card_table",
    "comparisons",
    "doubt_of",
    "paired_interval",
    "test_cells",
]

STALENESS = (0.0, 0.1, 1.0)
"""Ages of signals in seconds at which a router is tested."""

_OTHERS = ("ttft_mean_s", "ttft_p99_s", "e2e_p99_s")
_ROLES = {
    "round_robin": "",
    "selected": "the selected ",
    "hindsight_best": "the best in hindsight, ",
}

SHOWN = ("ttft_mean_s", "ttft_p99_s", "e2e_mean_s", "e2e_p99_s")
PARTS = 20
_T_975 = 2.093
"""Student's t for 19 degrees of freedom: an interval of 95 % over `PARTS` parts."""


def test_cells(problem: Problem) -> list[tuple[Cell, float]]:
    """Return the test block in cells, each with the age of its signals in seconds.

    At every load, on as many instances as in training and on twice as many; and with stale signals at
    the highest load below 1.
    """
    size = len(problem.cluster.instance_names)
    cells = [
        (cell, 0.0)
        for there in (problem.cluster, with_instances(problem.cluster, 2 * size))
        for cell in cells_at(problem.test, there, problem.loads, targets=problem.targets)
    ]
    below = max((load for load in problem.loads if load < 1), default=problem.loads[0])
    for age_s in STALENESS[1:]:
        stale = replace(problem.cluster, signal_interval_s=age_s, signal_delay_s=0.0)
        [cell] = cells_at(problem.test, stale, [below], targets=problem.targets)
        cells.append((cell, age_s))
    return cells


def card_of(policy: Router, problem: Problem) -> list[dict[str, Any]]:
    """Return one row for each test cell and each router that it is compared with.

    A row has instances, load, signal_age_s, router, and its mean and p99 TTFT and e2e in seconds. Rows
    of the others add `change`: the mean e2e of the policy relative to that router's, with the 95 %
    interval of the paired difference. The best of the shelf in hindsight is by mean e2e. The selected
    heuristic, whose card it is where a training was refused, is not compared with itself.
    """
    rivals = {"round_robin": SHELF["round_robin"], "selected": problem.rival.policy}
    subject = "selected" if policy is problem.rival.policy else "learned"
    rows = []
    for cell, age_s in test_cells(problem):
        there = {"instances": cell.instances, "load": cell.load, "signal_age_s": age_s}
        shelf = run_lanes(_outcome, [(one, cell) for one in problem.shelf], threads=problem.threads)
        by_name = dict(zip((one.name for one in problem.shelf), shelf, strict=True))
        best = min(by_name, key=lambda name: (_unserved(by_name[name]), _mean_s(by_name[name])))
        ours = _outcome(policy, cell)
        rows.append({**there, "router": policy.name, "as": subject, **_shown(ours, cell)})
        compared = {**{k: r.name for k, r in rivals.items()}, "hindsight_best": best}
        for role, name in compared.items():
            if subject == "selected" and name == policy.name:
                continue
            theirs = by_name[name]
            rows.append(
                {
                    **there, "router": name, "as": role, **_shown(theirs, cell),
                    "change": paired_interval(ours, theirs),
                }
            )  # fmt: skip
    return rows


@dataclass(frozen=True)
class Comparison:
    """A learned router, or the heuristic that stands in for it, beside another in one test cell.

    Changes below 0 are better.

    Attributes:
        cell: instances, load and age of the signals, in words.
        role: why the other is compared: `round_robin`, `selected` or `hindsight_best`.
        other: its name, with its role in words.
        change, low, high: of mean e2e relative to the other's, with the 95 % interval.
        others: of mean TTFT, p99 TTFT and p99 e2e.
    """

    cell: str
    role: str
    other: str
    change: float
    low: float
    high: float
    others: tuple[float, ...]


def comparisons(card: Sequence[dict[str, Any]]) -> list[Comparison]:
    """Return what a card says of its router beside each other, cell by cell."""
    found: list[Comparison] = []
    ours: dict[str, Any] = {}
    cell = ""
    for row in card:
        if "change" not in row:
            ours = row
            age = f", signals {row['signal_age_s']:g} s old" if row["signal_age_s"] else ""
            cell = f"{plural(row['instances'], 'instance')}, load {row['load']:g}{age}"
        else:
            others = tuple(ours[name] / row[name] - 1 for name in _OTHERS)
            name = f"{_ROLES[row['as']]}{row['router']}"
            change, low, high = row["change"]
            found.append(Comparison(cell, row["as"], name, change, low, high, others))
    return found


def card_table(card: Sequence[dict[str, Any]]) -> str:
    """Return the changes of the card's router as a table for people, in %; below 0 is better.

    Example:
        >>> there = {"instances": 4, "load": 0.9, "signal_age_s": 0.0}
        >>> seconds = dict.fromkeys(SHOWN, 1.0)
        >>> rival = {**there, "router": "lmetric", "as": "selected", **dict.fromkeys(SHOWN, 2.0)}
        >>> rival["change"] = (-0.5, -0.6, -0.4)
        >>> print(card_table([{**there, "router": "mine", "as": "learned", **seconds}, rival]))
        Change of means and p99 with mine on the test block, in %
          against                  e2e        interval   TTFT  p99 TTFT  p99 e2e
          4 instances, load 0.9
            selected lmetric     -50.0  -60.0 to -40.0  -50.0     -50.0    -50.0
    """
    rows: list[list[str]] = []
    header = ["against", "e2e", "interval", "TTFT", "p99 TTFT", "p99 e2e"]
    cell = ""
    for one in comparisons(card):
        if one.cell != cell:
            cell = one.cell
            rows.append([cell, *[""] * 5])
        change, low, high, *others = (
            f"{100 * share:+.1f}" for share in (one.change, one.low, one.high, *one.others)
        )
        rows.append([f"  {one.other.removeprefix('the ')}", change, f"{low} to {high}", *others])
    whose = f" with {card[0]['router']}" if card else ""
    return Table(f"Change of means and p99{whose} on the test block, in %", header, rows).text()


def doubt_of(card: Sequence[dict[str, Any]]) -> str:
    """Say where the test block does not confirm that mean e2e is lower than the selected rival's.

    Returns:
        A sentence; "" where it is lower in every cell, its 95 % interval too.

    Example:
        >>> rival = {"router": "lmetric", "as": "selected", "change": (-0.5, -0.6, -0.4)}
        >>> doubt_of([rival]), doubt_of([rival, {**rival, "change": (-0.01, -0.03, 0.01)}])[:51]
        ('', 'The test block does not confirm it in 1 of 2 cells:')
    """
    cells = [row for row in card if row["as"] == "selected" and "change" in row]
    doubted = [row for row in cells if not row["change"][2] < 0]
    if not doubted:
        return ""
    worse = sum(row["change"][1] > 0 for row in doubted)
    lower = sum(row["change"][0] < 0 for row in doubted)
    ways = {
        "clearly higher": worse,
        "not lower": len(doubted) - worse - lower,
        "lower by no more than chance may make it": lower,
    }
    said = ", ".join(f"{way} ({count})" for way, count in ways.items() if count)
    return (
        f"The test block does not confirm it in {len(doubted)} of {len(cells)} cells: there, beside "
        f"that of {doubted[0]['router']}, mean e2e is {said}."
    )


def paired_interval(ours: Outcome, theirs: Outcome) -> tuple[float, float, float]:
    """Return the relative change of the mean latency, and the ends of its 95 % interval.

    Over 20 consecutive parts of the requests, whose differences are nearly independent where single
    requests are not.

    Example:
        >>> from types import SimpleNamespace as Outcome
        >>> slow = Outcome(arrival_s=np.zeros(40), end_s=np.full(40, 2.0))
        >>> fast = Outcome(arrival_s=np.zeros(40), end_s=np.full(40, 1.0))
        >>> paired_interval(fast, slow)
        (-0.5, -0.5, -0.5)
    """
    mine, others = ours.end_s - ours.arrival_s, theirs.end_s - theirs.arrival_s
    both = np.isfinite(mine) & np.isfinite(others)
    mine, others = mine[both], others[both]
    means = np.array([part.mean() for part in np.array_split(mine - others, PARTS)])
    base = float(others.mean())
    change = float((mine - others).mean()) / base
    half = _T_975 * float(means.std(ddof=1)) / np.sqrt(PARTS) / base
    return change, float(change - half), float(change + half)


def _outcome(policy: Router, cell: Cell) -> Outcome:
    return replay_lane(cell.workload, cell.cluster, policy, cell.seed)


def _mean_s(outcome: Outcome) -> float:
    return float(np.nanmean(outcome.end_s - outcome.arrival_s))


def _unserved(outcome: Outcome) -> int:
    return int(np.isnan(outcome.end_s).sum())


def _shown(outcome: Outcome, cell: Cell) -> dict[str, float]:
    metrics = metrics_of(outcome, cell.workload, cell.targets)
    return {name: float(f"{getattr(metrics, name):.6g}") for name in SHOWN}
