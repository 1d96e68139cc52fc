"""`plan`: how many instances a trace needs for a service level, with which router, at what cost."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from workloadlab.arguments import checked, numbers, pairs, share
from workloadlab.errors import UsageError
from workloadlab.execution import run_lanes
from workloadlab.planning.answer import Plan
from workloadlab.planning.facts import HourPlan, RouterPlan, WhatIf
from workloadlab.planning.prices import load_prices, price, price_of
from workloadlab.planning.question import Question
from workloadlab.planning.search import least_instances
from workloadlab.planning.windows import HOUR_S, busiest, require_rate, windows_of
from workloadlab.routing import resolve_all
from workloadlab.scoring import SLO
from workloadlab.simulation import Cluster
from workloadlab.simulation.workload import LEAST_SCALE, MOST_SCALE
from workloadlab.trace import Trace
from workloadlab.words import times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from workloadlab.latency import LatencyModel
    from workloadlab.planning.prices import Price
    from workloadlab.planning.windows import Window
    from workloadlab.routing import Router
    from workloadlab.trace import AnyTrace

__all__ = ["plan"]

GROWTH = (1.1, 1.25, 1.5, 2.0)
UNMEASURED_ERROR = 0.1
"""Of the step time of a model that was never held against measurements."""

RETUNED = (
    ("max_num_seqs", 0.5), ("max_num_seqs", 2.0),
    ("max_num_batched_tokens", 0.5), ("max_num_batched_tokens", 2.0),
)  # fmt: skip
"""Limits of a batch that a plan changes, and by which factor."""

FRONTIER = (0.9, 0.95, 0.99, 0.999)
"""Shares of the requests that a plan costs besides the one that is asked for."""

BUSY = 0.7
"""Share of its time that an instance works at the first guess."""


@checked
def plan(
    trace: AnyTrace,
    cluster: Cluster | str | Path,
    *,
    slo: SLO | str,
    attain: float | str = 0.99,
    routers: str | Iterable[str | Router | Callable[..., Any]] = ("round_robin", "least_requests"),
    pool: str | None = None,
    window_s: float | None = None,
    growth: float | str | Sequence[float] = GROWTH,
    start_up_s: float = 120.0,
    prices: Mapping[str, Price | float] | None = None,
    threads: int | None = None,
) -> Plan:
    """Find the least number of instances that serves a trace at a service level, by simulating it.

    The trace is cut into hours. The one with the most work per second is the peak: for each router the
    number of instances is doubled until the share of requests that meet the targets reaches `attain`
    in a steady state, then bisected. With the best router each hour is searched too. More instances
    are taken to serve no worse, which a router may break by a little.

    Args:
        trace: needs arrivals and lengths.
        cluster: the pool's engine; its number of instances does not matter.
        slo: targets; see `SLO`; also as words, "ttft=500ms,tpot=0.05".
        attain: share of the requests that must meet them; also as words, "99%".
        routers: as for `replay`.
        pool: name of the pool that is planned; the others stay as they are. None for the only one.
        window_s: width of a window; None for an hour, or the whole of a trace under two hours.
        growth: factors on the peak's rate to plan for besides.
        start_up_s: until a new instance serves, for the bound of an autoscaler.
        prices: by GPU, or the dollars per hour alone; None for those that ship.
        threads: searches at a time; None for one per core. The answer does not depend on it.

    Raises:
        UsageError: no targets, a share or a factor out of range, several pools and none named, events,
            or requests at no two instants.
        UnsupportedError: the trace lacks what a replay or a router needs.

    Example:
        >>> from workloadlab import SLO, Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(number * 0.1, 10, 10) for number in range(600)])
        >>> cluster = Cluster.uniform(
        ...     1, LatencyModel.linear(constant_s=0.05), max_num_seqs=2, step_overhead_s=0.0)
        >>> found = plan(trace, cluster, slo=SLO(ttft_s=0.3), routers=["round_robin"], growth=[2])
        >>> found.instances, found.growth[0].instances
        (3, 6)
    """
    trace, cluster = Trace.open(trace), Cluster.load(cluster)
    slo = SLO.of(slo)
    index = _pool_index(cluster, pool)
    if not slo.to_dict():
        raise UsageError("a plan needs targets", fix='give slo="ttft=1"')
    attain, growth = share("attain", attain), numbers("growth", growth)
    known = load_prices() if prices is None else pairs("prices", prices, price)
    if not 0 < attain <= 1:
        raise UsageError(f"attain = {attain:g}", fix="use a share of the requests: 0.99 or 99%")
    for name, seconds in (("window_s", window_s), ("start_up_s", start_up_s)):
        least = 0 if name == "start_up_s" else 1
        if seconds is not None and not least <= seconds < math.inf:
            raise UsageError(f"{name} = {seconds}", fix=f"use seconds, {least} or more")
    for factor in growth:
        if not LEAST_SCALE <= factor <= MOST_SCALE:
            raise UsageError(
                f"growth = {factor:g} is not within {LEAST_SCALE:.6f} to {MOST_SCALE:,.0f}",
                fix="1 is the peak as it is, 2 twice as much traffic",
            )
    if cluster.events:
        raise UsageError("a plan takes no events", fix="remove [[event]] from the cluster")
    require_rate(trace)
    policies = _resolved(routers)
    model = cluster.pools[index].latency
    if window_s is None and trace.span_s >= 2 * HOUR_S:
        window_s = HOUR_S
    windows = windows_of(trace, model, window_s)
    peak = busiest(windows)

    def question(window: Window, policy: Router) -> Question:
        return Question(window.trace, cluster, index, policy, slo)

    asked = [question(peak, policy) for policy in policies]
    found = run_lanes(
        lambda each: _router_plan(each, attain, _guess(peak)),
        [(each,) for each in asked],
        threads=threads,
    )
    ranked = sorted(zip(found, asked, strict=True), key=lambda pair: _order(pair[0]))
    best, base = ranked[0]
    count = best.instances
    hours: list[HourPlan] = []
    changes: list[WhatIf] = []
    error = None
    engine: list[WhatIf] = []
    frontier: list[WhatIf] = []
    if count is not None:
        if len(windows) > 1:
            hours = run_lanes(
                lambda window: _hour(
                    window, question(window, base.router), attain, _share(count, window, peak)
                ),
                [(window,) for window in windows],
                threads=threads,
            )
        changes = run_lanes(
            lambda factor: _what_if(
                f"{times(factor).removeprefix('x')} times the traffic",
                factor,
                base.at(rate_scale=factor),
                attain,
                math.ceil(count * factor),
            ),
            [(float(factor),) for factor in growth],
            threads=threads,
        )
        error = _error(base, model, attain, count)
        engine = run_lanes(
            lambda change: _retuned(base, attain, count, *change),
            [(change,) for change in RETUNED],
            threads=threads,
        )
        frontier = [
            _what_if(f"{part:.4g} of the requests", part, base, part, count)
            for part in sorted({*FRONTIER, attain})
        ]
    return Plan(
        trace=trace.path.name if trace.path else trace.provenance.reader,
        requests=trace.requests,
        span_s=trace.span_s,
        peak=HourPlan(
            peak.start_s,
            peak.length_s,
            peak.requests,
            peak.rate_rps,
            count,
            untold=base.untold(count),
        ),
        slo=slo.to_dict(),
        attain=attain,
        pool=cluster.pools[index].name,
        latency_model=model.name,
        gpu=model.gpu,
        gpus_per_instance=model.tp,
        router=best.router if count is not None else "",
        routers=tuple(each for each, _ in ranked),
        hours=tuple(hours),
        growth=tuple(changes),
        error=error,
        engine=tuple(each for each in engine if each),
        frontier=tuple(frontier),
        start_up_s=start_up_s,
        price=price_of(model.gpu, known),
        reach=base.reached(attain) if count is None else {},
    )


def _pool_index(cluster: Cluster, name: str | None) -> int:
    names = [pool.name for pool in cluster.pools]
    if name is None and len(names) == 1:
        return 0
    if name not in names:
        said = "the cluster has several pools" if name is None else f"no pool is called {name!r}"
        raise UsageError(said, fix=f"name one of {', '.join(names)}")
    return names.index(name)


def _resolved(routers: str | Iterable[str | Router | Callable[..., Any]]) -> list[Router]:
    from workloadlab.latency import load_predictor

    policies = resolve_all(routers, load=load_predictor)
    if not policies:
        raise UsageError("a plan needs a router", fix="name one, such as least_requests")
    for policy in policies:
        if policy.kind != "batch":
            policy.compiled  # noqa: B018  compiled once, before the threads ask for it
    return policies


def _guess(window: Window) -> int:
    """Return how many instances the window's work would keep busy."""
    return max(1, math.ceil(window.work_s / max(window.length_s, 1e-9) / BUSY))


def _share(count: int, window: Window, peak: Window) -> int:
    """Guess a window's need from the peak's, in proportion to their work."""
    part = _guess(window) / _guess(peak)
    return max(1, min(count, math.ceil(count * part)))


def _router_plan(question: Question, attain: float, guess: int) -> RouterPlan:
    count = least_instances(question, attain, guess)
    near = count or guess
    low = least_instances(question, attain, near, lambda trial: trial.high) if count else None
    high = least_instances(question, attain, near, lambda trial: trial.low) if count else None
    if count and count > 1:
        question.trial(count - 1)
    trials = tuple(question.trials[n] for n in sorted(question.trials))
    return RouterPlan(question.router.name, count, low, high, trials)


def _order(found: RouterPlan) -> tuple[float, float]:
    trial = found.trial(found.instances) if found.instances else None
    return (found.instances or math.inf, -trial.met if trial else 0.0)


def _hour(window: Window, question: Question, attain: float, guess: int) -> HourPlan:
    count = least_instances(question, attain, guess)
    met, fewer = (
        question.trial(number).met if number else None for number in (count, count and count - 1)
    )
    return HourPlan(
        window.start_s,
        window.length_s,
        window.requests,
        window.rate_rps,
        count,
        met,
        fewer,
        question.untold(count),
    )


def _what_if(change: str, factor: float, asked: Question, attain: float, guess: int) -> WhatIf:
    count = least_instances(asked, attain, guess)
    return WhatIf(change, factor, count, asked.untold(count))


def _retuned(
    question: Question, attain: float, count: int, key: str, factor: float
) -> WhatIf | None:
    """Ask what the peak needs with another limit of the batch; None where the engine refuses it."""
    pools = list(question.cluster.pools)
    changed: dict[str, Any] = {key: int(getattr(pools[question.pool], key) * factor)}
    try:
        pools[question.pool] = replace(pools[question.pool], **changed)
    except UsageError:
        return None
    asked = replace(question, cluster=replace(question.cluster, pools=tuple(pools)), trials={})
    return _what_if(f"{key} = {changed[key]:,}", factor, asked, attain, count)


def _error(question: Question, model: LatencyModel, attain: float, count: int) -> WhatIf:
    """Ask what the peak needs if every step takes longer by the model's error."""
    measured = model.card.overall.mape if model.card else None
    by = UNMEASURED_ERROR if measured is None else measured
    whose = "as a guess" if measured is None else "the model's held-out error"
    slower = question.at(slower=1 + by)
    return _what_if(f"steps take {by:.1%} longer ({whose})", 1 + by, slower, attain, count)
