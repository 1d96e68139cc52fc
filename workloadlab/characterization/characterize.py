"""From a trace to its profile: all rows at once, or part by part."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import checked, whole_number
from workloadlab.characterization.bounded.finish import estimates_of, measured_topics
from workloadlab.characterization.bounded.in_flight import concurrency_of
from workloadlab.characterization.bounded.measure import measure, merge, merge_all
from workloadlab.characterization.bounded.plan import make_plan, stored_blocks, stored_rows
from workloadlab.characterization.bounded.prefix.topic import prefix_of
from workloadlab.characterization.bounded.session_topics import session_topics
from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.needed_memory import rows_held
from workloadlab.characterization.profile import TOPICS, Profile, TraceFacts
from workloadlab.characterization.study import Study
from workloadlab.errors import DataError, UsageError
from workloadlab.execution import engine_named, run_lanes, watched, watcher, workers
from workloadlab.latency import LatencyModel
from workloadlab.trace import CAPABILITIES, Trace, trace_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.characterization.bounded.partial import Partial
    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.study import Topic
    from workloadlab.characterization.topics.concurrency import Concurrency
    from workloadlab.trace import AnyTrace

__all__ = ["ROW_LIMIT", "characterize", "finish", "measure_all"]

ROW_LIMIT = 5_000_000
"""Traces of more rows are measured part by part, which takes a fourth of the time from there on."""

TOGETHER_LIMIT = 50_000_000
"""Rows of which that is held together which parts cannot measure."""

MOST_TOGETHER = 8
"""Neighbouring parts that one thread measures at most, holding what two of them leave."""

LANES_PER_THREAD = 4
"""Lanes that a thread gets at least, where there are so many parts, so that none waits for another."""


@checked
def characterize(
    trace: AnyTrace,
    model: LatencyModel | str | Path | None = None,
    *,
    lru_blocks: Sequence[int] | None = None,
    row_limit: int | None = None,
    engine: str = "local",
    address: str | None = None,
    memory_limit: int | str | None = None,
) -> Profile:
    """Measure a trace, topic by topic. Warm-up rows are left out.

    Never fails on a valid trace, however small: what cannot be measured says why.

    A trace file of more than `row_limit` rows is measured part by part, in memory that does not grow
    with its rows: see `docs/explanation/scale.md`. The profile says so, with what is then estimated
    and how well. The rows of each session, and the uses of each block, are brought together on disk, in
    the folder for temporary files. Up to 50 million rows, prefix reuse and what needs a model are
    measured at once from their own columns; beyond, what needs a model is left out.

    Args:
        trace: the trace, its path, or a frame.
        model: a latency model, its catalogue name or its path; predicts what the phases cost;
            without one that topic is Unsupported.
        lru_blocks: cache sizes in blocks for the prefix topic; without them 1, 2, 3, 5 times powers
            of ten.
        row_limit: the most rows that are held in memory at once, for any topic; None for 5 million,
            and 50 million for topics that parts cannot measure.
        engine: who measures parts: local, or the workers of a cluster of dask or ray, which see the
            trace's files under the same path. They measure any trace file part by part, and no more.
        address: of that cluster.
        memory_limit: bytes, or words such as 4GB, that its data may take beyond the program itself; a
            file that would take more is measured part by part. None for what this machine or container
            has.

    Raises:
        UsageError: a cache size or a limit that is not positive, or a trace without a file that is to be
            measured elsewhere.
        MachineError: the cluster does not answer, or a worker has another version; or it would need more
            memory than it may use.
        UnsupportedError: the trace has no arrivals.

    Example:
        >>> from workloadlab.trace import Trace
        >>> profile = characterize(Trace.of([(0, 10, None), (1, 20, None), (4, 90, None)]))
        >>> profile.arrivals.iat_s.mean, profile.lengths.input.p50, profile.lengths.output
        (2.0, 20.0, Unsupported(unsupported='no request records output_tokens'))
    """
    trace = Trace.open(trace)
    known = None if model is None else LatencyModel.load(model)
    if row_limit is not None:
        whole_number("row_limit", row_limit)
    elsewhere = engine != "local" or address is not None
    if elsewhere and trace.path is None:
        raise UsageError("workers cannot see a trace in memory", fix="save it, and open the file")
    study = Study(trace, known, lru_blocks=lru_blocks)
    rows, held = stored_rows(trace), rows_held(trace, stored_blocks(trace), memory_limit)
    if elsewhere or rows > min(row_limit or ROW_LIMIT, held):
        plan = make_plan(trace)
        if elsewhere:
            partial, in_flight = measure_all(plan, engine, address), concurrency_of(plan)
        else:
            partial, in_flight = _measure_here(plan)
        together = not elsewhere and rows <= min(row_limit or TOGETHER_LIMIT, held)
        return finish(trace, plan, partial, in_flight, study, together=together)
    if trace.requests:
        trace.require("arrivals", "a characterization")
    found: dict[str, Any] = {topic.name: study.find(topic) for topic in TOPICS}
    return Profile(trace=_trace_facts(study), **found)


def finish(
    trace: Trace,
    plan: Plan,
    partial: Partial,
    in_flight: Concurrency | Unsupported | None,
    study: Study | None = None,
    *,
    together: bool = False,
) -> Profile:
    """Make the profile of a trace from what all its parts leave together.

    Args:
        trace: the trace, for what its footer says.
        plan: by which it was cut.
        partial: the merged partial results of all parts.
        in_flight: what `concurrency_of` the plan found.
        study: of the trace; None for one without a latency model.
        together: whether it measures at once what parts cannot, or not exactly.

    Raises:
        DataError: a part is lacking, or is of another plan.
    """
    study = study or Study(trace)
    makers = measured_topics(plan, partial, trace.provenance)
    with watched(None):
        made = run_lanes(lambda make: make(), [(make,) for make in makers.values()])
    topics = dict(zip(makers, made, strict=True)) | session_topics(plan)
    estimates = estimates_of(plan.outputs)
    if in_flight is not None:
        topics["concurrency"] = in_flight
    if not together:
        topics["prefix"], of_blocks = prefix_of(plan, study.model, study.lru_blocks)
        estimates += of_blocks
    for topic in TOPICS:
        if topic.name not in topics:
            modelled = study.model is not None
            topics[topic.name] = (
                study.find(topic) if together else _left_out(topic, plan, modelled=modelled)
            )
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
        estimates=estimates,
    )
    return Profile(trace=facts, **topics)


def measure_all(plan: Plan, engine: str = "local", address: str | None = None) -> Partial:
    """Measure every part of a plan; the result has the same bytes whoever measured which part.

    Args:
        plan: of a trace.
        engine: local, dask or ray.
        address: of the cluster of that engine.

    Raises:
        UsageError, MachineError: as `characterize`.
    """
    places = range(len(plan.parts))
    tell = watcher()
    with engine_named(engine, address) as runs_on:
        if engine == "local":
            return merge_all(run_lanes(_measure_block, _blocks(plan)))
        digests = tuple(trace_digest(Path(file)) for file in plan.files)
        size = runs_on.threads
        units = [(plan, places[k : k + size], digests) for k in range(0, len(places), size)]
        merged: Partial | None = None
        tell(0, len(units))
        for done, (_, partial) in enumerate(runs_on.run(measure_unit, units), start=1):
            merged = partial if merged is None else merge(merged, partial)
            tell(done, len(units))
    if merged is None:
        raise UsageError("the plan has no part", fix="plan a trace that has requests")
    return merged


def measure_unit(unit: tuple[Plan, range, tuple[str, ...]], threads: int | None) -> Partial:
    """Measure some parts side by side, on a worker.

    Args:
        unit: the plan, the places of the parts, and the digests of the trace's files.
        threads: parts at a time.

    Raises:
        DataError: a file is another one here than where the plan was made.
    """
    plan, places, digests = unit
    for file, digest in zip(plan.files, digests, strict=True):
        if trace_digest(Path(file)) != digest:
            raise DataError(
                "is another trace here than where the plan was made", where=str(file),
                fix="let every worker see the same file",
            )  # fmt: skip
    return merge_all(run_lanes(measure, [(plan, place) for place in places], threads=threads))


def _measure_here(plan: Plan) -> tuple[Partial, Concurrency | Unsupported | None]:
    """Measure every part, and beside them the requests in flight, which are met in one order."""
    lanes = [(concurrency_of, plan), *((_measure_block, *block) for block in _blocks(plan))]
    in_flight, *partials = run_lanes(lambda lane, *args: lane(*args), lanes)
    return merge_all(partials), in_flight


def _blocks(plan: Plan) -> list[tuple[Plan, range]]:
    places = range(len(plan.parts))
    size = max(1, min(MOST_TOGETHER, len(places) // (LANES_PER_THREAD * workers(None))))
    return [(plan, places[k : k + size]) for k in range(0, len(places), size)]


def _measure_block(plan: Plan, places: range) -> Partial:
    """Measure neighbouring parts, merging each with those before, so that two are held at a time."""
    return reduce(merge, (measure(plan, place) for place in places))


def _left_out(topic: Topic[Any], plan: Plan, *, modelled: bool) -> Unsupported:
    if unmodelled := topic.unmodelled({*plan.filled}, modelled):
        return unmodelled
    if topic.needs and not {*topic.needs} & {*plan.filled}:
        return Unsupported(f"no request records {' or '.join(topic.needs)}")
    way = (
        "raise what forbids it, the row limit or the memory limit (--row-limit, --memory-limit)"
        if plan.rows <= TOGETHER_LIMIT
        else "measure a sample: trace.sample(requests=1_000_000, by='session')"
    )
    return Unsupported(
        f"left out: {plan.rows:,} rows are measured part by part, and this needs them together; {way}"
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
