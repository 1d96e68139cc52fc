"""Service levels: targets that a request meets or misses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workloadlab.scoring.timings import Timings

__all__ = ["SLO"]


@dataclass(frozen=True, kw_only=True)
class SLO:
    """Service-level targets in seconds; a request meets the level if it meets all that are set.

    A request of one token has no TPOT and so meets any TPOT target; a rejected or failed one meets
    nothing.

    Raises:
        UsageError: a target that is not positive.

    Example:
        >>> SLO(ttft_s=1.0, tpot_s=0.05).to_dict()
        {'ttft_s': 1.0, 'tpot_s': 0.05}
    """

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None

    def __post_init__(self) -> None:
        for name, target in self.to_dict().items():
            if not target > 0:
                raise UsageError(f"the {name} target {target} is not positive", fix="use seconds")

    def to_dict(self) -> dict[str, float]:
        """Return the targets that are set."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def met(self, timings: Timings) -> NDArray[np.bool_]:
        """Return which requests meet every target."""
        good = timings.served.copy()
        for name, target in self.to_dict().items():
            values = getattr(timings, name)
            within = values <= target
            if name == "tpot_s":
                within |= timings.output_tokens <= 1
            good &= within
        return good
