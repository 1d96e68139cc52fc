"""Routers as figures: latency distributions, paired differences, latency against load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.reporting.routers.ranking import mean_of, routers_of, scales_of, standing
from workloadlab.reporting.words import listed, plural, seconds, share
from workloadlab.scoring.timings import read_timings
from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.reporting.routers.ranking import Rival
    from workloadlab.scoring import Scoreboard
    from workloadlab.trace import Runs

__all__ = ["router_plots"]

LATENCIES = (
    ("ttft_s", "TTFT", "Time to first token, from arrival."),
    (
        "tpot_s",
        "TPOT",
        "Time per output token after the first: (e2e - TTFT) / (output tokens - 1).",
    ),
    ("e2e_s", "end-to-end latency", "Arrival to last token."),
)
BODY, TAIL = 120, 40
MEDIAN, TOP = 0.5, 0.99
TARGET_IN_SIGHT = 1.5


def router_plots(board: Scoreboard, runs: Runs | None, scale: float, section: str) -> list[Plot]:
    """Return the figures; distributions at one rate scale and only where the runs are given."""
    plots: list[Plot] = []
    curves = _curves(board, runs, scale) if runs else {}
    for metric, title, meaning in LATENCIES:
        if runs:
            plots.append(_distribution(board, curves[metric], metric, title, meaning, section))
        difference = _differences(board, scale, metric, title, section)
        plots += [difference] if difference else []
    if len(scales_of(board)) > 1:
        plots += _against_load(board, section)
    return plots


def _curves(board: Scoreboard, runs: Runs, scale: float) -> dict[str, dict[str, dict[str, Any]]]:
    """Return quantile curves by latency and router, the seeds pooled."""
    found: dict[str, dict[str, dict[str, Any]]] = {metric: {} for metric, *_ in LATENCIES}
    for router in routers_of(board):
        timings = [
            read_timings(trace)
            for info, trace in runs
            if (info.router, info.rate_scale) == (router, scale)
        ]
        for metric, *_ in LATENCIES:
            values = np.concatenate([getattr(each, metric) for each in timings])
            values = values[np.isfinite(values)]
            if len(values):
                levels = _levels(len(values))
                points = zip(quantiles(values, levels), levels, strict=True)
                target = board.slo.get(metric)
                found[metric][router] = {
                    "n": len(values),
                    "points": [[float(f"{value:.6g}"), level] for value, level in points],
                    "within": None if target is None else float(np.mean(values <= target)),
                }
    return found


def _levels(n: int) -> list[float]:
    """Return probabilities from 0 to 1, dense near 1 and as fine there as n values allow."""
    body = np.linspace(0, 0.98, BODY)
    tail = 1 - np.geomspace(0.02, max(1 / n, 1e-6), TAIL)
    named = [MEDIAN, 0.9, 0.95, TOP, 1.0]
    return [float(level) for level in np.unique(np.concatenate((body, tail, named)).round(7))]


def _distribution(
    board: Scoreboard,
    curves: dict[str, dict[str, Any]],
    metric: str,
    title: str,
    meaning: str,
    section: str,
) -> Plot:
    plot_id, capital = f"{section}-{metric[:-2]}", title[0].upper() + title[1:]
    if not curves:
        return Plot(
            id=plot_id,
            kind="absent",
            title=capital,
            reading="No run records it.",
        )
    names = routers_of(board)
    p50, p99 = ({router: _at(curve["points"], level) for router, curve in curves.items()}
                for level in (MEDIAN, TOP))  # fmt: skip
    said = f"The median is {_between(p50)}; 1% of the requests take more than {_between(p99)}."
    target = board.slo.get(metric)
    longest = max(curve["points"][-1][0] for curve in curves.values())
    shown = target is not None and target <= TARGET_IN_SIGHT * longest
    beyond = "" if shown else ", beyond the axis"
    if target is not None:
        within = {router: curve["within"] for router, curve in curves.items()}
        said += f" The target of {seconds(target)} is met by {_between(within, share)}."
    return Plot(
        id=plot_id,
        kind="latency",
        title=f"{capital} by router",
        reading=said,
        definition=f"{meaning} Cumulative share of the requests that have one, warm-up left out, "
        "seeds pooled; the axis of shares is stretched towards 100% so that tails can be read.",
        n="; ".join(sorted({f"{curve['n']:,} requests per router" for curve in curves.values()})),
        data={
            "curves": [
                {"label": name, "style": names.index(name), "points": curve["points"]}
                for name, curve in curves.items()
            ],
            "target_s": target if shown else None,
        },
        legend=(
            *(Key(name, names.index(name)) for name in curves),
            *([Key(f"target, {seconds(target)}{beyond}", REFERENCE)] if target is not None else []),
        ),
    )


def _at(points: list[list[float]], level: float) -> float:
    return next(value for value, at in points if at == level)


def _between(values: dict[str, float], words: Callable[[float], str] = seconds) -> str:
    """Say the range of a number over the routers, naming its ends."""
    low, high = (pick(values, key=lambda name: values[name]) for pick in (min, max))
    if words(values[low]) == words(values[high]):
        return words(values[low])
    return f"{words(values[low])} ({low}) to {words(values[high])} ({high})"


def _differences(
    board: Scoreboard, scale: float, metric: str, title: str, section: str
) -> Plot | None:
    """Draw what each rival's mean is above the leader's, with the paired interval."""
    ranked = standing(board, scale, metric)
    if ranked is None or not ranked.windows:
        return None
    names = routers_of(board)
    rivals = [rival for rival in ranked.rivals if rival.difference_s is not None]
    apart = [rival.router for rival in rivals if rival.separated]
    said = f"{ranked.leader} has the lowest mean, {seconds(ranked.mean_s)}"
    if not apart:
        said += "; no interval excludes 0, so the replay does not tell it from any other."
    elif len(apart) == len(rivals):
        said += f", and every interval excludes 0: {_behind(rivals[0])}"
        said += f"; {_behind(rivals[-1])}." if len(rivals) > 1 else "."
    else:
        tied = [rival.router for rival in rivals if not rival.separated]
        said += f", which the replay does not tell from that of {listed(tied)}"
        said += f"; {_behind(next(rival for rival in rivals if rival.separated))}."
    return Plot(
        id=f"{section}-{metric[:-2]}-pairs",
        kind="differences",
        title=f"Mean {title} against {ranked.leader}",
        reading=said,
        definition="Mean difference on the same requests and seeds, with its 95% interval: bootstrap "
        f"over {plural(ranked.windows, 'window')} of consecutive arrivals. The leader is picked "
        "by its mean; nothing is corrected for comparing several.",
        n=f"{plural(ranked.requests, 'paired request')}",
        data={
            "leader": ranked.leader,
            "rows": [
                {"router": rival.router, "style": names.index(rival.router),
                 "difference_s": rival.difference_s, "low_s": rival.low_s,
                 "high_s": rival.high_s, "separated": rival.separated}
                for rival in rivals
            ],
        },
    )  # fmt: skip


def _behind(rival: Rival) -> str:
    low, high = seconds(rival.low_s or 0.0), seconds(rival.high_s or 0.0)
    return f"{rival.router} is {seconds(rival.difference_s or 0.0)} slower ({low} to {high})"


def _against_load(board: Scoreboard, section: str) -> list[Plot]:
    """Draw a tail latency, and the SLO attainment where targets are set, against the rate."""
    plots = [_load(board, f"{section}-load-ttft", "p99 of TTFT", "seconds", "ttft_s", "p99")]
    if board.slo:
        title = "Requests that meet the SLO"
        plots.append(_load(board, f"{section}-load-slo", title, "share", "slo_attainment"))
    return [plot for plot in plots if plot]


def _load(board: Scoreboard, plot_id: str, title: str, unit: str, *keys: str) -> Plot | None:
    scales, names = scales_of(board), routers_of(board)
    points = {name: [[s, mean_of(board, name, s, *keys)] for s in scales] for name in names}
    last = {name: curve[-1][1] for name, curve in points.items() if curve[-1][1] is not None}
    if not last:
        return None
    words = seconds if unit == "seconds" else share
    return Plot(
        id=plot_id,
        kind="load",
        title=f"{title} by load",
        reading=f"At {scales[-1]:g} times the recorded rate it is {_between(last, words)}.",
        definition="Same requests, arrivals sped up or slowed down by the factor; mean over the "
        "seeds.",
        n=f"{plural(len(board.runs), 'run')} of {board.runs[0].requests:,} requests",
        data={
            "curves": [
                {"label": name, "style": style, "points": points[name]}
                for style, name in enumerate(names)
            ],
            "unit": unit,
        },
        legend=tuple(Key(name, style) for style, name in enumerate(names)),
    )
