"""How prompts grow within a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.characterization.compactions import REBOUND_TURNS, RESET_TOKENS
from workloadlab.characterization.topics.sessions import CONTEXT_TURNS
from workloadlab.reporting.canvas import canvas, series, thousands
from workloadlab.reporting.facts import Plot
from workloadlab.reporting.workload.sessions.turns import turn_axis
from workloadlab.words import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Sessions
    from workloadlab.reporting.workload.place import Place

__all__ = ["PromptByTurn", "plot_context"]


@dataclass(frozen=True)
class PromptByTurn:
    """(turn, median prompt tokens) pairs."""

    kind: ClassVar = "context"

    points: tuple[tuple[int, float], ...]

    def draw(self) -> Figure:
        """Draw the medians as a line."""
        figure, axes = canvas()
        turns, tokens = np.array(self.points).T
        axes.plot(turns, tokens, marker="o", markersize=4, **series(0))
        turn_axis(axes, turns)
        axes.set_ylim(0, tokens.max() * 1.08 or 1)
        axes.yaxis.set_major_formatter(lambda value, _: thousands(value))
        axes.set_ylabel("median prompt tokens")
        return figure


def plot_context(sessions: Sessions, place: Place) -> Plot | None:
    """Say how the median prompt goes with the turn; nothing where no session has a second one."""
    if sessions.turns.max < 2:
        return None
    context = sessions.context
    medians, resets = context.input_p50_by_turn, context.resets
    return Plot(
        id=place.id("context"),
        title="Prompt length by turn",
        reading=f"The median prompt goes from {plural(round(medians[0]), 'token')} at the first turn to "
        f"{medians[-1]:,.0f} at turn {len(medians)}. "
        + (
            f"{plural(context.shrinks, 'prompt')} "
            f"{'is' if context.shrinks == 1 else 'are'} shorter than the one before"
            if context.shrinks
            else "No prompt is shorter than the one before"
        )
        + (f", {resets:,} of them by a compaction of the context." if resets else "."),
        definition="Median prompt tokens of the sessions that reach the turn, of the first "
        f"{CONTEXT_TURNS} turns; later turns are of longer sessions only. Compaction: a drop of "
        f"{RESET_TOKENS:,} tokens or more that {REBOUND_TURNS} further turns do not make good.",
        n=plural(sessions.count, "session"),
        drawing=PromptByTurn(tuple(enumerate(medians, 1))),
    )
