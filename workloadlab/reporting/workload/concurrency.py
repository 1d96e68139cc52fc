"""Requests in flight as a figure."""

from __future__ import annotations

from typing import Any

from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.reporting.words import plural, seconds, three

__all__ = ["concurrency_plots"]

DURATIONS = {
    "observed": "end-to-end times as recorded",
    "predicted": "times predicted by the latency model, without queueing and 32 decoding together, "
    "so a floor",
}


def concurrency_plots(concurrency: dict[str, Any], section: str) -> list[Plot]:
    """Return the figure of the topic `concurrency` of a profile; supported."""
    level, tokens, series = (concurrency[key] for key in ("in_flight", "tokens", "series"))
    said = (
        f"{three(level['mean'])} requests are in flight on average, at most {three(level['p99'])} for "
        f"99% of the time and {level['peak']:,} at the peak."
    )
    if tokens:
        said += f" They have {tokens['mean']:,.0f} tokens on average, {tokens['peak']:,} at most."
    return [
        Plot(
            id=f"{section}-concurrency",
            kind="level",
            title="Requests in flight",
            reading=said,
            definition=f"Mean number between arrival and end per bin of {seconds(series['bin_s'])}, "
            f"until the last end; {DURATIONS[concurrency['durations']]}. Mean and 99% quantile "
            "weighted by time. Tokens: prompt and whole output from arrival to end.",
            n=plural(concurrency["requests"], "request")
            + (
                f"; {concurrency['missing']:,} without a duration" if concurrency["missing"] else ""
            ),
            data={"bin_s": series["bin_s"], "level": series["mean"], "mean": level["mean"]},
            legend=(Key("in flight", 0), Key("mean", REFERENCE)),
        )
    ]
