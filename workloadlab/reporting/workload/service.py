"""Service levels as a figure: which pair of targets how many requests met."""

from __future__ import annotations

from typing import Any

from workloadlab.reporting.facts import Plot
from workloadlab.reporting.words import plural, seconds, share

__all__ = ["service_plots"]

MET = 0.9


def service_plots(levels: dict[str, Any], section: str) -> list[Plot]:
    """Return the figure of the topic `service_levels` of a profile; supported."""
    title, plot_id, surface = "Targets met", f"{section}-attainment", levels["attainment"]
    unknown = any(levels["overall"][key]["mean"] is None for key in ("ttft_s", "tpot_s"))
    if unknown and not any(map(any, surface["share"])):
        why = "No request records both its TTFT and the time per token that its end would give."
        return [Plot(id=plot_id, kind="absent", title=title, reading=why)]
    return [
        Plot(
            id=plot_id,
            kind="surface",
            title=title,
            reading=_reading(levels),
            definition="Share of all requests that end well and meet both targets: TTFT from "
            "arrival, TPOT the mean time per token after the first; a request of one token meets "
            "every TPOT target.",
            n=plural(levels["overall"]["requests"], "request"),
            data=surface,
        )
    ]


def _reading(levels: dict[str, Any]) -> str:
    surface, worst = levels["attainment"], levels["worst_window"]
    ttfts, tpots, met = (surface[key] for key in ("ttft_targets_s", "tpot_targets_s", "share"))
    loosest = f"TTFT within {seconds(ttfts[-1])} and TPOT within {seconds(tpots[-1])}"
    if met[-1][-1] < MET:
        said = f"The loosest targets tried, {loosest}, are met by {share(met[-1][-1])} of the requests."
    else:
        ttft = next(at for at, row in zip(ttfts, met, strict=True) if row[-1] >= MET)
        tpot = next(at for at, part in zip(tpots, met[-1], strict=True) if part >= MET)
        said = (
            f"Of the targets tried, {MET:.0%} of the requests meet a TTFT of {seconds(ttft)} at the "
            f"loosest TPOT and a TPOT of {seconds(tpot)} at the loosest TTFT."
        )
    if worst:
        name = {"ttft": "TTFT", "e2e": "end-to-end time"}[worst["of"]]
        said += (
            f" In the worst minute, from {seconds(worst['start_s'])} on, one request in ten had a "
            f"{name} over {seconds(worst['p90_s'])}."
        )
    return said
