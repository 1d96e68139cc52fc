"""Sessions as figures: whether they go on, and how their prompts grow."""

from __future__ import annotations

from typing import Any

from workloadlab.reporting.facts import BAND, Key, Plot
from workloadlab.reporting.words import plural, share

__all__ = ["session_plots", "wilson"]

Z = 1.959963984540054
ENOUGH_SESSIONS = 30


def session_plots(sessions: dict[str, Any], section: str) -> list[Plot]:
    """Return the figures of the topic `sessions` of a profile; supported."""
    if sessions["turns"]["max"] < 2:
        return [
            Plot(id=f"{section}-hazard", kind="absent", title="Sessions that go on",
                 reading="Every session has one request.")
        ]  # fmt: skip
    return [_hazard(sessions, f"{section}-hazard"), _context(sessions, f"{section}-context")]


def wilson(part: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share `part` seen in `n` trials.

    Example:
        >>> [round(end, 3) for end in wilson(0.5, 10)]
        [0.237, 0.763]
    """
    middle = (part + Z * Z / (2 * n)) / (1 + Z * Z / n)
    reach = Z / (1 + Z * Z / n) * (part * (1 - part) / n + Z * Z / (4 * n * n)) ** 0.5
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _hazard(sessions: dict[str, Any], plot_id: str) -> Plot:
    points = [
        [at["turn"], at["probability"], *wilson(at["probability"], at["reached"])]
        for at in sessions["hazard"]
    ]
    reached = [at["reached"] for at in sessions["hazard"]]
    later = max(i for i, n in enumerate(reached) if i == 0 or n >= ENOUGH_SESSIONS)
    (_, first, first_low, first_high), (turn, last, low, high) = points[0], points[later]
    said = f"{share(first)} of the sessions send a second request"
    if later:
        said += f"; of the {reached[later]:,} that reach turn {turn}, {share(last)} go on"
        if low > first_high:
            said += ": the longer a session is, the likelier it goes on"
        elif high < first_low:
            said += ": the longer a session is, the likelier it ends"
        else:
            said += ", no further from the first than chance may take it"
    return Plot(
        id=plot_id,
        kind="hazard",
        title="Sessions that go on",
        reading=f"{said}.",
        definition="Of the sessions that reach a turn, the share that has a further one, turns "
        "numbered by arrival. Sessions still going when the trace ends count as ended, which draws "
        "the curve down. Band: Wilson's 95% interval.",
        n=f"{plural(sessions['count'], 'session')}, {plural(sessions['requests'], 'request')}"
        + (f"; {sessions['missing']:,} without a session" if sessions["missing"] else ""),
        data={"points": points},
        legend=(Key("goes on after that turn", 0), Key("95% interval", BAND)),
    )


def _context(sessions: dict[str, Any], plot_id: str) -> Plot:
    from workloadlab.characterization.topics.sessions import (
        CONTEXT_TURNS,
        REBOUND_TURNS,
        RESET_TOKENS,
    )

    context = sessions["context"]
    medians = context["input_p50_by_turn"]
    resets = context["resets"]
    return Plot(
        id=plot_id,
        kind="context",
        title="Prompt length by turn",
        reading=f"The median prompt goes from {medians[0]:,.0f} tokens at the first turn to "
        f"{medians[-1]:,.0f} at turn {len(medians)}. "
        + (
            f"{plural(context['shrinks'], 'prompt')} "
            f"{'is' if context['shrinks'] == 1 else 'are'} shorter than the one before"
            if context["shrinks"]
            else "No prompt is shorter than the one before"
        )
        + (f", {resets:,} of them by a compaction of the context." if resets else "."),
        definition="Median prompt tokens of the sessions that reach the turn, of the first "
        f"{CONTEXT_TURNS} turns; later turns are of longer sessions only. Compaction: a drop of "
        f"{RESET_TOKENS:,} tokens or more that {REBOUND_TURNS} further turns do not make good.",
        n=plural(sessions["count"], "session"),
        data={"points": [[turn, tokens] for turn, tokens in enumerate(medians, 1)]},
    )
