"""The load by weekday and hour as a figure."""

from __future__ import annotations

from typing import Any

from workloadlab.reporting.facts import Plot
from workloadlab.reporting.words import plural, sentence, three

__all__ = ["weekly_plots"]

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LEAST_COVERED_S = 1800
LEAST_HOURS = 24


def weekly_plots(arrivals: dict[str, Any], section: str) -> list[Plot]:
    """Return the heat map of the topic `arrivals` of a profile; none without arrivals."""
    if "unsupported" in arrivals:
        return []
    title, plot_id, weekly = (
        "Load by weekday and hour",
        f"{section}-week",
        arrivals["hour_by_weekday"],
    )
    if "unsupported" in weekly:
        return [
            Plot(id=plot_id, kind="absent", title=title, reading=sentence(weekly["unsupported"]))
        ]
    rates = [
        [rate if covered >= LEAST_COVERED_S else None for rate, covered in zip(*day, strict=True)]
        for day in zip(weekly["rate_rps"], weekly["covered_s"], strict=True)
    ]
    known = [
        (rate, f"{DAYS[day]} {hour:02}:00")
        for day, row in enumerate(rates)
        for hour, rate in enumerate(row)
        if rate is not None
    ]
    if len(known) < LEAST_HOURS:
        said = f"The trace covers {plural(len(known), 'hour')} of the week, too few for a pattern."
        return [Plot(id=plot_id, kind="absent", title=title, reading=said)]
    (most, busiest), (least, quietest) = max(known), min(known)
    mean = arrivals["rate_rps"]
    return [
        Plot(
            id=plot_id,
            kind="week",
            title=title,
            reading=f"The busiest hour of the week, {busiest} UTC, has {three(most)} requests/s, "
            f"{three(most / mean)} times the mean; the quietest, {quietest}, has {three(least)}.",
            definition="Requests over the seconds of that hour that the trace covers, all weeks "
            f"together; hours with under 30 minutes are blank. Full colour: {three(most)} "
            "requests/s; the colour goes down to 0 in proportion.",
            n=f"{plural(arrivals['requests'], 'request')} in {len(known)} of 168 hours",
            data={"rate_rps": rates, "days": [day[:3] for day in DAYS]},
        )
    ]
