"""The topics on sessions, from a trace whose rows are brought together by session on disk, once."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.by_session import sorted_by_session
from workloadlab.characterization.bounded.facts.sessions import agentic_from, sessions_from
from workloadlab.characterization.bounded.live import LiveFiles
from workloadlab.characterization.bounded.partial import merge
from workloadlab.characterization.bounded.sessions import RULES, tally_sessions
from workloadlab.characterization.rows import NO_SESSIONS, UNNAMED

if TYPE_CHECKING:
    from workloadlab.characterization.bounded.partial import Partial
    from workloadlab.characterization.bounded.plan import Plan

__all__ = ["session_topics"]


def session_topics(plan: Plan) -> dict[str, Any]:
    """Return the topics on sessions; Unsupported where no row names one.

    Args:
        plan: of a trace whose files are here.
    """
    if "session_id" not in plan.filled:
        return {"sessions": UNNAMED, "agentic": UNNAMED}
    with sorted_by_session(plan) as rows:
        if not rows.files:
            return {"sessions": NO_SESSIONS, "agentic": NO_SESSIONS}
        live = LiveFiles(rows.folder)

        def tallied(place: int) -> Partial:
            held = rows.read(place)
            starts = np.flatnonzero(held.first)
            live.add(held.arrival_ns[starts], np.maximum.reduceat(held.end_ns, starts))
            return tally_sessions(plan.key, place, held)

        arrays = reduce(
            lambda a, b: merge(a, b, RULES), (tallied(k) for k in range(len(rows.files)))
        ).arrays
        peak = live.peak(part.start_ns for part in plan.parts[1:])
    return {"sessions": sessions_from(arrays, rows, peak), "agentic": agentic_from(arrays, rows)}
