"""What a folder holds of a study, cell by cell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.study.cells import MEASURES, SHOWN
from support.study.settings import SETTINGS
from workloadlab.learning import LOADS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["E2E", "METHODS", "TTFT", "TTFT_P99", "TWO_KINDS", "Study", "cells_of"]

METHODS = ("es", "auto", "imitation")
E2E, TTFT, TTFT_P99 = MEASURES
TWO_KINDS = ("conv-two-kinds", "mooncake-two-kinds")


def cells_of(sizes: tuple[int, ...] = SHOWN) -> list[tuple[int, float]]:
    """Return the cells of some sizes: (instances, load)."""
    return [(instances, load) for instances in sizes for load in LOADS]


class Study:
    """What a folder holds of a study."""

    def __init__(self, folder: Path) -> None:
        self._found = {
            (name, what): json.loads(path.read_text("utf-8"))
            for name in SETTINGS
            for what in ("heuristics", "search", *METHODS)
            if (path := folder / name / f"{what}.json").is_file()
        }

    def has(self, name: str, *whats: str) -> bool:
        """Say whether all of these are done in a setting."""
        return all((name, what) in self._found for what in whats)

    def facts(self, name: str, what: str) -> Any:
        """Return what is known of one of them."""
        return self._found[name, what]

    def seconds(self, name: str, what: str, instances: int, load: float) -> dict[str, Any]:
        """Return by router what it came to in one cell."""
        for row in self._found[name, what]["cells"]:
            if (row["instances"], row["load"]) == (instances, load):
                found: dict[str, Any] = row["routers"]
                return found
        return {}

    def best(self, name: str, instances: int, load: float) -> str:
        """Return the heuristic with the lowest mean e2e in a cell, of those that serve most."""
        shelf = self.seconds(name, "heuristics", instances, load)
        return min(shelf, key=lambda one: (-shelf[one]["served"], shelf[one][E2E]))

    def change(
        self, name: str, method: str, rival: str, cell: tuple[int, float], measure: str
    ) -> float:
        """Return the change of a method to a heuristic in one cell, in %."""
        theirs = self.seconds(name, "heuristics", *cell)[rival][measure]
        ours: float = self.seconds(name, method, *cell)[method][measure]
        return 100 * (ours / theirs - 1)

    def searched(
        self, name: str, rival: str, cell: tuple[int, float], measure: str
    ) -> float | None:
        """Return the change of the search to a heuristic, in %; None if it is not done."""
        found = self.seconds(name, "search", *cell) if self.has(name, "search") else {}
        if not found:
            return None
        theirs: float = self.seconds(name, "heuristics", *cell)[rival][measure]
        return 100 * (found["hindsight"][measure] / theirs - 1)

    def headroom(self, name: str, cell: tuple[int, float]) -> float | None:
        """Return what the search takes off the best in hindsight, in %; None if it is not done."""
        change = self.searched(name, self.best(name, *cell), cell, E2E)
        return None if change is None else -change

    def regret(self, name: str, cell: tuple[int, float]) -> float:
        """Return what the selected heuristic costs more than the best in hindsight, in %."""
        shelf = self.seconds(name, "heuristics", *cell)
        selected = self.facts(name, "heuristics")["selected"]
        return float(100 * (shelf[selected][E2E] / shelf[self.best(name, *cell)][E2E] - 1))
