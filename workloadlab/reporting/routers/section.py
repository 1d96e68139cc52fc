"""A scoreboard, with or without its runs, as a section."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workloadlab.reporting.facts import Finding, Section
from workloadlab.reporting.grids import grid_of
from workloadlab.reporting.routers.differences import plot_differences
from workloadlab.reporting.routers.grid import router_grid
from workloadlab.reporting.routers.latency import plot_latency, timings_of
from workloadlab.reporting.routers.load import plot_knees, plot_slo_by_load, plot_ttft_by_load
from workloadlab.reporting.routers.ranking import focal_scale, standing
from workloadlab.scoring import BY, OUTSIDE_WORTH_A_WARNING, Measure
from workloadlab.scoring.load.state_words import unserved_words, unsteady_words
from workloadlab.scoring.load.summary import load_table
from workloadlab.scoring.metrics import HEADLINES, METRICS, metric_named
from workloadlab.scoring.service_level import targets_words
from workloadlab.words import (
    few_or_counted,
    listed,
    plural,
    rate_words,
    seconds,
    sentence,
    share,
    times,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.reporting.facts import Plot
    from workloadlab.reporting.routers.ranking import Standing
    from workloadlab.scoring import Scoreboard
    from workloadlab.trace import Runs

__all__ = ["cluster_words", "router_section"]


def router_section(
    board: Scoreboard, runs: Runs | None, section_id: str, about: str = ""
) -> Section:
    """Summarise a scoreboard; the runs it scored add the latency distributions.

    Args:
        board: the scoreboard.
        runs: that it scored, if they are at hand.
        section_id: unique on the page.
        about: what tells it from the page's other boards; "" for the only one.
    """
    title = f"Routers: {about}" if about else "Routers"
    scales = board.scales
    scale = focal_scale(scales)
    grids = [router_grid(board, each, note=each == scales[-1]) for each in scales]
    over_load = load_table(board, Measure.named(BY))
    grids = [*([grid_of(over_load)] if over_load else []), *grids]
    captions = {grid.caption for grid in grids}
    tables = [grid for table in board.tables() if (grid := grid_of(table)).caption not in captions]
    if any(run.fidelity is not None for run in board.runs):
        grids.append(replace(tables.pop(), names=2))
    return Section(
        id=section_id,
        title=title,
        summary=_summary(board, scale),
        findings=tuple(replace(found, about=title) for found in _findings(board, scale)),
        facts=_setting(board, scale),
        grids=tuple(grids),
        plots=tuple(plot for plot in _plots(board, runs, scale, section_id) if plot),
        details=tuple(tables),
        source=board.to_dict(),
    )


def _plots(
    board: Scoreboard, runs: Runs | None, scale: float, section_id: str
) -> Iterator[Plot | None]:
    """Yield the figures; distributions at one rate scale and only where the runs are given."""
    timings = timings_of(board, runs, scale) if runs else None
    for metric in METRICS:
        if metric.parts and metric.paired:
            yield plot_latency(metric, board, timings, scale, section_id) if timings else None
            yield plot_differences(metric, board, scale, section_id)
    if len(board.scales) > 1:
        yield plot_ttft_by_load(board, section_id)
        yield plot_knees(board, section_id)
        yield plot_slo_by_load(board, section_id)


def _summary(board: Scoreboard, scale: float) -> str:
    names = board.routers
    where = cluster_words(board.cluster)
    said = [
        f"{plural(len(names), 'router')} replayed {plural(board.runs[0].requests, 'request')}"
        + (f" on {where}" if where else "")
        + f" at {rate_words(scale)}."
    ]
    lost = unserved_words(board, scale)
    if board.comparable(scale):
        ranks = [(standing(board, scale, metric), metric) for metric in HEADLINES]
        said += [_verdict(ranked, metric) for ranked, metric in ranks if ranked]
    else:
        verdict = next(each for each in board.verdicts() if each.rate_scale == scale)
        said = [verdict.sentence, *said]
        lost = ""
    if lost:
        said.insert(0, sentence(f"{lost}; latencies are of the others"))
    if board.slo:
        said.append(_slo_verdict(board, scale))
    return " ".join(said)


def _verdict(ranked: Standing, metric: str) -> str:
    """Say who leads and by how much, or that the intervals do not tell."""
    name, leader = metric_named(metric).noun, ranked.leader
    if not ranked.windows:
        return f"{leader} has the lowest mean {name}, {seconds(ranked.mean_s)}; nothing is paired."
    if ranked.all_equal:
        return f"The mean {name} of all routers is equal, {seconds(ranked.mean_s)}."
    nearest = ranked.rivals[0]
    if not ranked.tied:
        behind = [(bound or 0.0) / ranked.mean_s for bound in (nearest.low_s, nearest.high_s)]
        return (
            f"{leader} has the lowest mean {name}, {seconds(ranked.mean_s)}; the next, "
            f"{nearest.router}, is {share(behind[0])} to {share(behind[1])} slower."
        )
    if len(ranked.tied) == len(ranked.rivals):
        return f"On mean {name} no router is separated from {leader}, {seconds(ranked.mean_s)}."
    return (
        f"{leader} has the lowest mean {name}, {seconds(ranked.mean_s)}, not separated from "
        f"{few_or_counted(ranked.tied)}."
    )


def _slo_verdict(board: Scoreboard, scale: float) -> str:
    met = [run.slo_attainment for run in board.runs if run.rate_scale == scale]
    known = [value for value in met if value is not None]
    if not known:
        return ""
    least, most = min(known), max(known)
    spread = share(most) if share(least) == share(most) else f"{share(least)} to {share(most)}"
    return f"{spread} of the requests meet {targets_words(board.slo)}."


def cluster_words(cluster: dict[str, Any]) -> str:
    """Say what a cluster consists of; "" where that is not known."""
    pools = cluster.get("pool", [])
    return listed(
        [f"{plural(pool['instances'], 'instance')} of {pool['latency']}" for pool in pools]
    ) if pools else ""  # fmt: skip


def _findings(board: Scoreboard, scale: float) -> list[Finding]:
    found = []
    lost = {run.run_id: run.requests - run.served for run in board.runs}
    if any(lost.values()):
        most = max(lost, key=lambda run_id: lost[run_id])
        found.append(
            Finding("warning", "Routers",
                    f"Not every request was served: {most} lost {lost[most]:,}. Latencies are of "
                    "those that were; throughput and goodput count the others as failed.")
        )  # fmt: skip
    found += [*_unsteady(board), *_uneven(board)]
    worst = max(board.runs, key=lambda run: run.outside_share)
    if worst.outside_share:
        severity = "warning" if worst.outside_share > OUTSIDE_WORTH_A_WARNING else "info"
        found.append(
            Finding(severity, "Routers",
                    f"{worst.steps_outside_domain:,} of {worst.steps:,} steps of {worst.run_id}, the "
                    "most of any run, lie outside what the latency model was fitted on: their times "
                    "are extrapolated.")
        )  # fmt: skip
    ranked = standing(board, scale, "ttft_s")
    tells = ranked and ranked.windows and board.steady(ranked.leader, scale)
    if ranked and tells and ranked.tied and not ranked.all_equal:
        found.append(
            Finding("info", "Routers",
                    f"On mean TTFT {ranked.leader} is not separated from "
                    f"{few_or_counted(ranked.tied)}: the order among these is not evidence.")
        )  # fmt: skip
    return found


def _unsteady(board: Scoreboard) -> Iterator[Finding]:
    """Say at which rates which routers do not hold the load."""
    for scale in board.scales:
        ran = [router for router in board.routers if board.of(router, scale)]
        off = [router for router in ran if not board.steady(router, scale)]
        if off:
            said = unsteady_words(board, scale, off)
            without = "" if len(off) == len(ran) else "; figures are scaled without them"
            yield Finding("warning", "Routers",
                          f"At {rate_words(scale)}: {said}. Their latencies depend on how long the log "
                          f"lasts{without}.")  # fmt: skip


def _uneven(board: Scoreboard) -> Iterator[Finding]:
    """Name the routers that leave instances idle, once each."""
    for router in board.routers:
        uneven = next((run.imbalance for run in board.runs
                       if run.router == router and run.imbalance), None)  # fmt: skip
        if uneven:
            yield Finding("warning", "Routers", f"With {router}, {uneven}.")


def _setting(board: Scoreboard, scale: float) -> tuple[tuple[str, str], ...]:
    scales, seeds = board.scales, {run.seed for run in board.runs}
    pairs = [("Requests per run", f"{board.runs[0].requests:,}")]
    for pool in board.cluster.get("pool", []):
        limits = [
            f"{key.replace('_', ' ')} {pool[key]:,}"
            for key in ("kv_blocks", "max_num_seqs", "max_num_batched_tokens")
            if pool.get(key) is not None
        ]
        engine = f" on {pool['engine']}" if pool.get("engine") else ""
        words = f"{plural(pool['instances'], 'instance')} of {pool['latency']}{engine}"
        switches = [
            key.replace("_", " ") for key in ("prefix_caching", "async_scheduling") if pool.get(key)
        ]
        label = "Pool" if pool["name"] == "pool" else f"Pool {pool['name']}"
        pairs.append((label, ", ".join([words, *limits, *switches])))
    if board.cluster.get("signal_interval_s"):
        pairs.append(("Age of signals", f"up to {seconds(board.cluster['signal_interval_s'])}"))
    pairs.append(("Rate scales", ", ".join(times(each) for each in scales)))
    if len(scales) > 1:
        pairs.append(("Distributions at", times(scale)))
    pairs.append(("Seeds", f"{len(seeds)}"))
    if board.slo:
        pairs.append(("Service level", targets_words(board.slo)))
    return tuple(pairs)
