"""Compactions: large drops of a session's prompt that last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.rows import SessionRows

__all__ = ["REBOUND_TURNS", "RESET_TOKENS", "count_resets"]

RESET_TOKENS = 65_536
REBOUND_TURNS = 3


def count_resets(rows: SessionRows, later: NDArray[np.int64], growth: NDArray[np.int64]) -> int:
    """Count drops after which the prompt stays below its old length less half the drop.

    Args:
        rows: of sessions.
        later: places of those that are not the first of their session.
        growth: by which their prompt is longer than the one before.
    """
    drops = later[growth <= -RESET_TOKENS]
    kept = np.ones(len(drops), dtype=np.bool_)
    old = rows.input_tokens[drops - 1]
    half = (old + rows.input_tokens[drops]) / 2
    for ahead in range(1, REBOUND_TURNS + 1):
        there = np.minimum(drops + ahead, len(rows.session) - 1)
        same = (rows.session[there] == rows.session[drops]) & (there == drops + ahead)
        kept &= ~(same & (rows.input_tokens[there] > half))
    return int(np.count_nonzero(kept))
