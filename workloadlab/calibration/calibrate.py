"""Calibrate: from request timings alone to a latency model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import checked
from workloadlab.calibration.findings import drift_of, envelope_of, parameter_table
from workloadlab.calibration.held_out import CutErrors, card_of, errors_of, worst_of
from workloadlab.calibration.kv_size import kv_sentence, kv_size
from workloadlab.calibration.limits import likely_causes, occupancy_of
from workloadlab.calibration.observe import observe
from workloadlab.calibration.observed import together
from workloadlab.calibration.parameters import EXTRA
from workloadlab.calibration.task import CUTS, Task
from workloadlab.calibration.until_cut import until_the_cut
from workloadlab.errors import UsageError
from workloadlab.latency import Domain, LatencyModel
from workloadlab.routing import SHELF, Router, resolve
from workloadlab.simulation import Cluster, contradictions
from workloadlab.simulation.event import refuse_events
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workloadlab.simulation.workload import Sessions
    from workloadlab.trace import AnyTrace

__all__ = ["calibrate"]


@checked
def calibrate(
    trace: AnyTrace | list[AnyTrace] | tuple[AnyTrace, ...],
    cluster: Cluster | str | Path,
    *,
    start: LatencyModel | str | Path | None = None,
    router: str | Router | None = None,
    name: str | None = None,
    sessions: Sessions = "open",
    extra: Iterable[str] = (),
) -> LatencyModel:
    """Fit the step time of the engine that served a log, by simulating the log until it agrees.

    From scratch five parameters move, those of `LatencyModel.linear`. Their first values come from
    the batches that the log's overlapping requests imply; then the simulator runs inside a
    Gauss-Newton search for the values at which simulated TTFT, TPOT and e2e agree with the log's,
    request by request and over windows. The model's card holds errors on the rest of the log of fits
    that used the timings of its first 30, 40, 50, 60 and 70 % only, of each latency the worst; they
    knew when later requests arrive, unlike a calibration of a log that is cut there. The
    model itself is fitted on all. Limits of the cluster that the log contradicts stand there too: with a
    wrong `max_num_seqs` or KV size no step time explains a queue.

    Time per step outside the kernels is part of the model, beyond the `step_overhead_s` of the
    cluster, which is taken as given: replay the model with the same `step_overhead_s` (a cluster that
    says nothing does so if the cluster of the calibration said nothing or 0). With
    `async_scheduling` the overhead is hidden, and the model is the time of whole steps. Both stand in
    `model.system`, with the limits of the engine, and `model.system["calibration"]` is the report:
    every parameter with its interval and whether the log identifies it; errors; assumptions.

    Args:
        trace: needs arrivals, lengths, TTFT and e2e. Requests that failed are simulated as load.
            Several traces are runs of the same engine one after the other, such as the levels of a
            load test: one model has to explain all of them.
        cluster: one pool with the limits of the engine that served the log; its latency model is
            ignored. Several instances need `instance_id` in the trace, or `router`. `kv_blocks`
            None means unknown: it is searched if the log's queues need it, and reported with an
            interval.
        start: a model, its catalogue name or its path, of which only the scale and a time per step
            move. It knows batches that the log never ran, so of a log that was cut out of traffic only
            what happened before the cut counts, by the engine's step clock; without a start, traffic
            is taken to have gone on as before.
        router: a stand-in for the placement where the log does not record it. It draws other instances
            than the log's own router did: give it light traffic, where few requests wait for another.
        name: name of the model.
        sessions: "closed" or "clients" if answers released the next requests, as `replay` has it; a
            simulation then slows its users down as the engine did.
        extra: parameters that move too: "prefill_step_s", for engines that take longer over any step
            with prompt tokens (no CUDA graph for those), and "request_overhead_s", for timings of
            a client, which include what happens outside the engine. The latter is no part of the
            model but of the cluster to replay it with: `model.system["request_overhead_s"]`.

    Returns:
        The model, with card and domain. `workloadlab.calibration.describe` prints its report.

    Raises:
        UnsupportedError: the trace lacks timings or the placement; `start` cannot be scaled; the cluster
            has events.
        UsageError: several pools, more instances in the log than in the cluster, no trace, or an
            unknown extra parameter.
        DataError: fewer than 30 usable requests, or times that look like another unit.

    Example:
        >>> from workloadlab.simulation import Cluster, replay
        >>> from workloadlab.trace import Trace
        >>> log = Trace.of(
        ...     (0.003 * i * i, 100 + 37 * i % 900, 20 + 53 * i % 200) for i in range(60))
        >>> truth = LatencyModel.linear(constant_s=0.01, prefill_token_s=5e-5)
        >>> cluster = Cluster.uniform(1, truth)
        >>> model = calibrate(replay(log, cluster, routers=["round_robin"]).traces[0], cluster)
        >>> round(model.step_time_s(prefill_tokens=1000), 4)
        0.06
    """
    base = start if isinstance(start, LatencyModel | None) else LatencyModel.load(start)
    policy = resolve(router) if router is not None else SHELF["round_robin"]
    several = trace if isinstance(trace, list | tuple) else [trace]
    traces = [Trace.open(each) for each in several]
    cluster = Cluster.load(cluster)
    moving = _known(extra, scaled=base is not None)
    if not traces:
        raise UsageError("no trace to calibrate on", fix="give at least one")
    refuse_events(cluster.events, "a calibration")
    logs = (observe(one, cluster, routed=router is not None, sessions=sessions) for one in traces)
    observed = together([until_the_cut(log, cluster.pools[0]) if base else log for log in logs])
    given = cluster
    if block := observed.lanes[0].stopped.block_size:
        pools = tuple(pool.in_blocks_of(block) for pool in cluster.pools)
        cluster = replace(cluster, pools=pools)
    task = Task(observed, cluster, policy, base, moving)
    found = task.best()
    problem, fit = found.problem, found.fit
    domain = Domain.of(task.shapes)
    cuts: list[CutErrors] = []
    spent = found.simulations
    for (early, held), share in zip(task.cuts(found), CUTS, strict=True):
        errors = errors_of(held.problem, held.fit.shares, observed.scored & ~early)
        cuts.append({"share": share, "fitted": int(early.sum()), "held_out": errors})
        spent += held.simulations
    causes = [
        *likely_causes(occupancy_of(observed, cluster.pools[0].block_size), cluster.pools[0]),
        *(said for one in traces for said in contradictions(given.pools, one)),
    ]
    notes = [*observed.notes, *found.notes]
    kv = None
    if cluster.pools[0].kv_blocks is None:
        kv = kv_size(problem, found.target, fit, task.most_blocks)
        notes.append(kv_sentence(kv, cluster.pools[0].block_size))
    report: dict[str, Any] = {
        "requests": len(observed),
        "fitted_requests": int(observed.scored.sum()),
        "instances": observed.instances,
        "placement": observed.placement,
        "start": base.name if base is not None else None,
        "traffic_after_log": "continued" if problem.continued else "stopped",
        "sessions": sessions,
        "simulations": spent,
        "parameters": parameter_table(problem, found.target, fit),
        "fit": errors_of(problem, fit.shares, observed.scored),
        "held_out": worst_of(cuts),
        "cuts": cuts,
        "kv_size": kv,
        "likely_causes": list(dict.fromkeys(causes)),
        "notes": [*notes, *_visited(domain)],
    }
    pool = cluster.pools[0]
    known = traces[0].provenance.system
    outside_s = problem.parameters.request_overhead_s(fit.shares, cluster.request_overhead_s)
    return replace(
        problem.parameters.model(fit.shares),
        name=name or f"calibrated-{base.name if base else known.get('model', pool.name)}",
        domain=domain,
        card=card_of(cuts, report["likely_causes"]),
        intervals=drift_of(domain, report["held_out"])
        if base
        else envelope_of(report["parameters"], domain, report["held_out"]),
        gpu=str(known.get("gpu") or (base.gpu if base else "unknown")),
        model=str(known.get("model") or (base.model if base else "unknown")),
        tp=int(known.get("tp") or (base.tp if base else 1)),
        dtype=known.get("dtype") or (base.dtype if base else None),
        provenance={
            "source": "calibrated on request timings",
            "requests": f"{len(observed):,}",
            **({"start": base.name} if base else {}),
        },
        system={
            "step_overhead_s": pool.step_overhead_s,
            "includes_step_overhead": pool.added_overhead_s == 0,
            "async_scheduling": pool.async_scheduling,
            "request_overhead_s": outside_s,
            "max_num_seqs": pool.max_num_seqs,
            "max_num_batched_tokens": pool.max_num_batched_tokens,
            "kv_blocks": problem.kv_blocks or pool.kv_blocks,
            "calibration": report,
        },
    )


def _visited(domain: Domain) -> list[str]:
    """Say which batches the log ran: of others a line through these says little."""
    if "decode" not in domain.boxes:
        return []
    seqs, context = (
        domain.boxes["decode"][name] for name in ("decode_seqs", "decode_context_tokens")
    )
    sentence = (
        f"the log decoded batches of {seqs[0]:,.0f} to {seqs[1]:,.0f} sequences with up to "
        f"{context[1]:,.0f} tokens of context; what larger ones take is extrapolated, and a replay "
        "says how far it leaves these"
    )
    return [sentence]


def _known(extra: Iterable[str], *, scaled: bool) -> tuple[str, ...]:
    names = tuple(extra)
    for name in names:
        if name not in EXTRA:
            raise UsageError(
                f"no extra parameter is named {name!r}", fix=f"use {' or '.join(EXTRA)}"
            )
    if names and scaled:
        raise UsageError(
            "extra parameters move only in a calibration from nothing",
            fix="leave start or extra out",
        )
    return names
