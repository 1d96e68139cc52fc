"""Where a figure of a workload stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workloadlab.characterization import Profile

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """The section of the report and the profile that a figure belongs to.

    Attributes:
        section: id of the section.
        profile: for a figure that needs more than its own topic.
    """

    section: str
    profile: Profile

    def id(self, figure: str) -> str:
        """Return the id of a figure, unique on the page."""
        return f"{self.section}-{figure}"
