"""From a trace to its profile: all rows at once, or part by part."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from workloadlab.characterization.bounded.finish import ESTIMATES, measured_topics
from workloadlab.characterization.bounded.measure import measure, merge, merge_all
from workloadlab.characterization.bounded.plan import make_plan
from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.profile import TOPICS, Profile, TraceFacts
from workloadlab.characterization.study import Study
from workloadlab.errors import UsageError
from workloadlab.execution import run_lanes
from workloadlab.latency import LatencyModel
from workloadlab.trace import CAPABILITIES, Trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workloadlab.characterization.bounded.partial import Partial
    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.study import Topic
    from workloadlab.trace import AnyTrace

__all__ = ["ROW_LIMIT", "characterize", "finish"]

ROW_LIMIT = 50_000_000
"""Traces of more rows are measured part by part."""

BLOCK = 8
"""Neighbouring parts that one thread measures."""


def characterize(
    trace: AnyTrace,
    model: LatencyModel | str | Path | None = None,
    *,
    lru_blocks: Sequence[int] | None = None,
    row_limit: int = ROW_LIMIT,
) -> Profile:
    """Measure a trace, topic by topic. Warm-up rows are left out.

    Never fails on a valid trace, however small: what cannot be measured says why.

    A trace file of more than `row_limit` rows is measured part by part, in memory that does not grow
    with its rows: see `docs/explanation/scale.md`. The profile says so, with what is then estimated
    and how well; topics that need the requests of a session, or of a block, together are left out.

    Args:
        trace: the trace, its path, or a frame.
        model: a latency model, its catalogue name or its path; predicts what the phases cost;
            without one that topic is Unsupported.
        lru_blocks: cache sizes in blocks for the prefix topic; without them 1, 2, 3, 5 times powers
            of ten.
        row_limit: the most rows that are held in memory at once.

    Raises:
        UsageError: a cache size or a row limit that is not positive.
        UnsupportedError: the trace has no arrivals.

    Example:
        >>> from workloadlab.trace import Trace
        >>> profile = characterize(Trace.of([(0, 10, None), (1, 20, None), (4, 90, None)]))
        >>> profile.arrivals.iat_s.mean, profile.lengths.input.p50, profile.lengths.output
        (2.0, 20.0, Unsupported(unsupported='no request records output_tokens'))
    """
    trace = Trace.open(trace)
    known = None if model is None else LatencyModel.load(model)
    if any(size < 1 for size in lru_blocks or ()):
        raise UsageError("a cache size is below 1 block", fix="give sizes of 1 block or more")
    if row_limit < 1:
        raise UsageError(f"a row limit of {row_limit}", fix="use 1 or more")
    if trace.path is not None and trace.requests > row_limit:
        return _characterize_in_parts(trace)
    if trace.requests:
        trace.require("arrivals", "a characterization")
    study = Study(trace, known, lru_blocks=lru_blocks)
    found: dict[str, Any] = {topic.name: study.find(topic) for topic in TOPICS}
    return Profile(trace=_trace_facts(study), **found)


def finish(trace: Trace, plan: Plan, partial: Partial) -> Profile:
    """Make the profile of a trace from what all its parts leave together.

    Args:
        trace: the trace, for what its footer says.
        plan: by which it was cut.
        partial: the merged partial results of all parts.

    Raises:
        DataError: a part is lacking, or is of another plan.
    """
    topics = measured_topics(plan, partial, trace.provenance)
    for topic in TOPICS:
        topics.setdefault(topic.name, _left_out(topic, plan))
    span_s = plan.span_ns / 1e9
    facts = TraceFacts(
        requests=plan.requests,
        rows=plan.rows,
        warmup_requests=plan.rows - plan.requests,
        span_s=span_s,
        rate_rps=plan.requests / span_s if span_s else None,
        first_arrival_s=plan.first_ns / 1e9,
        t0_unix_ns=trace.provenance.t0_unix_ns,
        source=trace.provenance.reader,
        sources=tuple(trace.provenance.sources),
        supports=tuple(
            name for name, columns in CAPABILITIES.items() if {*columns} <= {*plan.filled}
        ),
        parts=len(plan.parts),
        estimates=ESTIMATES,
    )
    return Profile(trace=facts, **topics)


def _characterize_in_parts(trace: Trace) -> Profile:
    plan = make_plan(trace)
    blocks = [range(k, min(k + BLOCK, len(plan.parts))) for k in range(0, len(plan.parts), BLOCK)]
    return finish(trace, plan, merge_all(run_lanes(_measure_block, [(plan, b) for b in blocks])))


def _measure_block(plan: Plan, places: range) -> Partial:
    """Measure neighbouring parts, merging each with those before, so that two are held at a time."""
    return reduce(merge, (measure(plan, place) for place in places))


def _left_out(topic: Topic[Any], plan: Plan) -> Unsupported:
    if topic.needs and not {*topic.needs} & {*plan.filled}:
        return Unsupported(f"no request records {' or '.join(topic.needs)}")
    return Unsupported(
        f"left out: {plan.rows:,} rows are measured part by part, and this needs them together; "
        "measure a sample: trace.sample(requests=1_000_000, by='session')"
    )


def _trace_facts(study: Study) -> TraceFacts:
    trace, requests = study.trace, study.requests
    span_s = requests.span_ns / 1e9
    return TraceFacts(
        requests=requests.n,
        rows=trace.requests,
        warmup_requests=trace.requests - requests.n,
        span_s=span_s,
        rate_rps=requests.n / span_s if span_s else None,
        first_arrival_s=int(requests.arrival_ns[0]) / 1e9 if requests.n else None,
        t0_unix_ns=trace.provenance.t0_unix_ns,
        source=trace.provenance.reader,
        sources=tuple(trace.provenance.sources),
        supports=tuple(trace.capabilities()),
    )
