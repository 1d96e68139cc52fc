"""What an environment gives of its lanes: where one stands, and a window that was played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from workloadlab.routing import Batch, PrefixIndex
    from workloadlab.simulation.engine.lanes.side_by_side import StoredLane
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.windows import Episode

__all__ = ["Blank", "LaneState", "Played"]


@dataclass(frozen=True)
class LaneState:
    """A lane as `Environment.fork` copied it."""

    episode: Episode
    stored: StoredLane


@dataclass(frozen=True)
class Played:
    """One window played to its end: what was replayed, what became of it, and the rewards in all."""

    lane: int
    episode: Episode
    outcome: Outcome
    rewards: npt.NDArray[np.void]


@dataclass(frozen=True)
class Blank:
    """Whoever the lanes show what was asked for."""

    needs: Iterable[str]
    signals: Iterable[str] | None
    index: PrefixIndex | None
    name: str = "environment"

    def choose(self, batch: Batch) -> Any:
        """Choose nothing: an environment asks its caller."""
        raise NotImplementedError
