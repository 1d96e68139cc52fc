"""An oracle: it knows the lengths and the arrivals to come, and simulates before it chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Workload

__all__ = ["Oracle"]


@dataclass(frozen=True)
class Oracle:
    """A bound that stands in the scoreboard beside the routers.

    Attributes:
        name: what the scoreboard calls it.
        solve: plays one lane: (workload, cluster, seed) -> outcome.
        bases: the routers that it starts from or plays on with.
        options: its other settings, for the provenance.
        formula: what it chooses, in one line.
        source: where the idea comes from.
        family, needs: the words of the list of routers.
    """

    name: str
    solve: Callable[[Workload, Cluster, int], Outcome]
    bases: tuple[Router, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    formula: str = ""
    source: str = ""
    family: str = "oracles"
    needs: frozenset[str] = frozenset({"oracle"})

    def __repr__(self) -> str:
        return f"<Oracle {self.name}: {self.formula}>"
