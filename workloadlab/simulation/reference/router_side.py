"""The router's side of the readable engine: what it sees, when, and what it chooses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.routing.signals import REPORTED_FIELDS
from workloadlab.simulation.engine.record_types import ASSUMED_OUTPUT_TOKENS, TICK_S
from workloadlab.simulation.reference.instance import uniform_draw

if TYPE_CHECKING:
    from workloadlab.simulation.reference.lane import Lane

__all__ = ["choose", "full", "predict", "refresh_signals", "report"]


def predict(lane: Lane, row: int) -> int:
    """Return the output length that the router is told."""
    if "oracle" in lane.policy.reads:
        return int(lane.workload.output_tokens[row])
    if lane.workload.predicted_tokens[row] >= 0:
        return int(lane.workload.predicted_tokens[row])
    lengths = [length for engine in lane.engines for length in engine.finished]
    return sum(lengths) // len(lengths) if lengths else ASSUMED_OUTPUT_TOKENS


def refresh_signals(lane: Lane, now: float) -> None:
    """Take the snapshots that fall due until `now`, and show the newest that has arrived."""
    interval, delay = lane.cluster.signal_interval_s, lane.cluster.signal_delay_s
    visible = math.floor((now - delay + TICK_S) / interval)
    taken = max(lane.snapshots, default=-1)
    for tick in range(max(taken + 1, visible), math.floor((now + TICK_S) / interval) + 1):
        lane.advance(tick * interval)
        lane.snapshots[tick] = lane.blank_views()
        for engine, view in zip(lane.engines, lane.snapshots[tick], strict=True):
            engine.report(view)
        for replica in lane.replicas:
            replica.then[tick] = list(replica.sent)
    if visible > lane.seen_tick:
        lane.seen_tick = visible
        for view, seen in zip(lane.views, lane.snapshots[visible], strict=True):
            for name in REPORTED_FIELDS:
                view[name] = seen[name]
        for replica in lane.replicas:
            replica.told = list(replica.sent if lane.policy.overwrites else replica.then[visible])


def _report_age_s(lane: Lane, now: float) -> float:
    """Return how old the report is that the router sees; before the first one, the age of the run."""
    interval_s = lane.cluster.signal_interval_s
    return now - max(0, lane.seen_tick) * interval_s if interval_s > 0 else 0.0


def report(lane: Lane) -> None:
    """Show the router the instances as they are."""
    for view, engine in zip(lane.views, lane.engines, strict=True):
        engine.report(view)
    for replica in lane.replicas:
        replica.told = list(replica.sent)


def choose(lane: Lane, row: int, now: float) -> int:
    """Describe the request and the instances to the router; return its choice."""
    workload, policy, views, replica = lane.workload, lane.policy, lane.views, lane.replica
    input_tokens = int(workload.input_tokens[row])
    for view, engine, fits in zip(views, lane.engines, lane.open(row), strict=True):
        view["in_flight"] = lane.in_flight(engine)
        sent, tokens = replica.since_report(engine.index)
        view["sent_since_report"], view["sent_tokens_since_report"] = sent, tokens
        view["fits"] = fits
        if "prefix" in policy.reads and replica.index is None and engine.pool.prefix_caching:
            whole = lane.named(row)[: (input_tokens - 1) // engine.pool.block_size]
            view["cached_tokens"] = len(engine.store.found(whole)) * engine.pool.block_size
            view["indexed_tokens"] = view["cached_tokens"]
    if replica.index is not None:
        replica.index.match(views, row, now)
    request = lane.offer[0]
    request["row"], request["now_s"] = row, now
    request["arrival_s"] = lane.outcome.arrival_s[row]
    request["input_tokens"] = input_tokens
    request["predicted_output_tokens"] = predict(lane, row)
    oracle = "oracle" in policy.reads
    request["output_tokens"] = workload.output_tokens[row] if oracle else 0
    request["prefix_key"] = lane.keys[row] if "prefix" in policy.reads else -1
    for name in ("session", "model", "tenant", "slo_class", "priority"):
        request[name] = getattr(workload, name)[row]
    request["queue_length"] = len(replica.held)
    request["report_age_s"] = _report_age_s(lane, now)
    request["draw"] = uniform_draw(lane.state, lane.decisions)
    lane.decisions += 1
    if policy.kind == "choose":
        return int(policy.interpreted(request, views, lane.params, replica.memory))
    best, best_score = -1, math.inf
    for index in range(len(lane.engines)):
        if views["fits"][index]:
            score = policy.interpreted(request, views[index], lane.params)
            if score < best_score or (best < 0 and score == math.inf):
                best, best_score = index, score
    if best < 0:
        raise UsageError(f"router {policy.name!r} scores every instance NaN")
    return best


def full(lane: Lane, chosen: int) -> bool:
    """Say whether an engine has as many requests, or prompt tokens, as it takes."""
    group = next(group for group in lane.groups if lane.engines[chosen] in group)
    pool = lane.engines[chosen].pool
    requests = sum(engine.in_flight for engine in group)
    tokens = sum(engine.backlog_tokens for engine in group)
    return (pool.max_num_queued_reqs is not None and requests >= pool.max_num_queued_reqs) or (
        pool.max_num_queued_tokens is not None and tokens >= pool.max_num_queued_tokens
    )
