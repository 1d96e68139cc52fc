"""What learned routers were to reach, and what a study measured of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from support.study.cells import INSTANCES
from support.study.results import E2E, TTFT, TTFT_P99, TWO_KINDS, cells_of
from support.study.settings import SETTINGS
from workloadlab.learning import LOADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.study.results import Study

__all__ = ["AIMS"]


_LOADED = [cell for cell in cells_of() if cell[1] >= 0.9]


def _two_kinds(method: str) -> Callable[[Study], str]:
    def said(study: Study) -> str:
        parts = []
        for measure, least in ((E2E, -15), (TTFT, -25), (TTFT_P99, 10)):
            changes = [
                study.change(name, method, study.best(name, *cell), cell, measure)
                for name in TWO_KINDS
                if study.has(name, "heuristics", method)
                for cell in cells_of()
            ]
            parts.append(_held(changes, least))
        return "; ".join(parts)

    return said


def _held(changes: list[float], most: float) -> str:
    held = sum(change <= most for change in changes)
    if not changes:
        return "not run"
    return (
        f"{held} of {len(changes)} cells, mean {np.mean(changes):+.1f}, worst {max(changes):+.1f}"
    )


def _to_selected(
    study: Study, method: str, names: tuple[str, ...], cells: list[tuple[int, float]], measure: str
) -> list[float]:
    return [
        study.change(name, method, study.facts(name, "heuristics")["selected"], cell, measure)
        for name in names
        if study.has(name, "heuristics", method)
        for cell in cells
    ]


def _loaded(name: str, method: str, tail: float) -> Callable[[Study], str]:
    def said(study: Study) -> str:
        e2e = _to_selected(study, method, (name,), _LOADED, E2E)
        ttft = _to_selected(study, method, (name,), _LOADED, TTFT_P99)
        if not e2e:
            return "not run"
        mean = np.mean(_to_selected(study, method, (name,), _LOADED, TTFT))
        return f"mean {np.mean(e2e):+.1f}; p99 TTFT {_held(ttft, tail)}; mean TTFT {mean:+.1f}"

    return said


def _searched(name: str) -> Callable[[Study], str]:
    def said(study: Study) -> str:
        if not study.has(name, "heuristics", "search"):
            return "not run"
        selected = study.facts(name, "heuristics")["selected"]
        e2e, ttft = (
            [study.searched(name, selected, cell, one) for cell in _LOADED]
            for one in (E2E, TTFT_P99)
        )
        done = [pair for pair in zip(e2e, ttft, strict=True) if None not in pair]
        means = np.array(done, float).mean(axis=0)
        return f"{len(done)} cells: mean {means[0]:+.1f}; p99 TTFT mean {means[1]:+.1f}"

    return said


def _safe(study: Study) -> str:
    names = tuple(SETTINGS)
    e2e = _to_selected(study, "auto", names, cells_of(), E2E)
    ttft = _to_selected(study, "auto", names, cells_of(), TTFT_P99)
    return f"mean e2e {_held(e2e, 1)}; p99 TTFT {_held(ttft, 10)}" if e2e else "not run"


def _gained(study: Study) -> str:
    """The mean change of `auto`, and the share of the gap closed, where the search says 5 % or more."""
    changes, closed = [], []
    for name in SETTINGS:
        for cell in cells_of() if study.has(name, "heuristics", "auto", "search") else ():
            left = study.headroom(name, cell)
            if left is not None and left >= 5:
                selected = study.facts(name, "heuristics")["selected"]
                best = study.seconds(name, "search", *cell)["hindsight"][E2E]
                theirs = study.seconds(name, "heuristics", *cell)[selected][E2E]
                ours = study.seconds(name, "auto", *cell)["auto"][E2E]
                changes.append(100 * (ours / theirs - 1))
                closed.append(100 * (theirs - ours) / (theirs - best))
    if not changes:
        return "not run"
    return (
        f"{len(changes)} cells: mean {np.mean(changes):+.1f}; gap closed on average "
        f"{np.mean(closed):.0f} %"
    )


def _chosen(study: Study) -> str:
    regrets = [
        study.regret(name, cell)
        for name in SETTINGS
        if study.has(name, "heuristics")
        for cell in cells_of()
    ]
    return f"mean {np.mean(regrets):.1f}, worst {max(regrets):.1f}" if regrets else "not run"


def _kept(study: Study) -> str:
    """The gain over round robin on more instances, relative to that on 4."""
    shares = []
    for name in SETTINGS:
        if study.has(name, "heuristics", "es"):
            four, *others = (
                np.mean([study.change(name, "es", "round_robin", (n, load), E2E) for load in LOADS])
                for n in INSTANCES
            )
            shares += [100 * other / four for other in others]
    if not shares:
        return "not run"
    return f"{sum(share >= 80 for share in shares)} of {len(shares)}, mean {np.mean(shares):.0f} %"


AIMS: dict[str, Callable[[Study], str]] = {
    "two kinds of GPU, `es`, to the best in hindsight: mean e2e -15; TTFT -25; p99 TTFT at most +10":
        _two_kinds("es"),
    "the same of `auto`": _two_kinds("auto"),
    "two classes at load 0.9 and more, `es`: mean e2e -12; p99 TTFT at most +10":
        _loaded("two-classes", "es", 10),
    "the same of `imitation`": _loaded("two-classes", "imitation", 10),
    "the same of the search in hindsight": _searched("two-classes"),
    "Azure code at load 0.9 and more, `es`: mean e2e -8; p99 TTFT at most +5": _loaded("code", "es", 5),
    "the same of `imitation`, code": _loaded("code", "imitation", 5),
    "the same of the search in hindsight, code": _searched("code"),
    "safety of `auto` in every cell: mean e2e at most +1; p99 TTFT at most +10": _safe,
    "`auto` where the search finds 5 % or more: mean e2e -7; 30 % of the gap": _gained,
    "regret of the selected heuristic (a trial had 2.4, worst 16)": _chosen,
    "`es` on 8 and 16 instances: 80 % of the gain over round robin on 4": _kept,
}  # fmt: skip
"""By aim, what the study says of it."""
