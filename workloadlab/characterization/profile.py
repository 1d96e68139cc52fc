"""The profile of a trace: every topic's facts together, as one JSON document."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, get_type_hints

from workloadlab.characterization.facts import Finding, Unsupported, to_plain
from workloadlab.characterization.study import Study, Topic
from workloadlab.characterization.topics.agentic import AGENTIC, Agentic
from workloadlab.characterization.topics.arrivals import ARRIVALS, Arrivals
from workloadlab.characterization.topics.concurrency import CONCURRENCY, Concurrency
from workloadlab.characterization.topics.drift import DRIFT, Drift
from workloadlab.characterization.topics.integrity import INTEGRITY, Integrity
from workloadlab.characterization.topics.lengths import LENGTHS, Lengths
from workloadlab.characterization.topics.phases import PHASES, Phases
from workloadlab.characterization.topics.prefix import PREFIX, Prefix
from workloadlab.characterization.topics.service_levels import SERVICE_LEVELS, ServiceLevels
from workloadlab.characterization.topics.sessions import SESSIONS, Sessions
from workloadlab.characterization.topics.tenants import TENANTS, Tenants
from workloadlab.digests import check_object, sealed
from workloadlab.display import Drawn
from workloadlab.errors import DataError, UsageError
from workloadlab.json_files import read_object
from workloadlab.latency import LatencyModel
from workloadlab.shapes import ShapeError, build
from workloadlab.tables import duration, figure
from workloadlab.trace import Trace, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workloadlab.trace import AnyTrace

__all__ = ["PROFILE_VERSION", "TOPICS", "Profile", "TraceFacts", "characterize"]

PROFILE_VERSION = 1

TOPICS: tuple[Topic[Any], ...] = (
    INTEGRITY,
    ARRIVALS,
    LENGTHS,
    TENANTS,
    SESSIONS,
    PREFIX,
    PHASES,
    CONCURRENCY,
    SERVICE_LEVELS,
    DRIFT,
    AGENTIC,
)
"""Every topic, in the order in which profiles and reports show them."""


@dataclass(frozen=True)
class TraceFacts:
    """Which trace was measured.

    Attributes:
        requests: rows measured; warm-up rows are not among them.
        rows: all rows of the trace.
        warmup_requests: rows left out.
        span_s: first to last measured arrival.
        rate_rps: requests / span; None for a span of 0.
        first_arrival_s: seconds from the trace's t0 to the first measured arrival.
        t0_unix_ns: absolute time of t0, where the source had one.
        source: the log format, or the verb that made the trace.
        sources: the source files, as the trace's provenance has them.
        supports: what the trace can be used for.
    """

    requests: int
    rows: int
    warmup_requests: int
    span_s: float
    rate_rps: float | None
    first_arrival_s: float | None
    t0_unix_ns: int | None
    source: str
    sources: tuple[dict[str, Any], ...]
    supports: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Profile(Drawn):
    """The facts of a characterization; prints itself as a table, in a notebook as HTML.

    Attributes:
        trace: which trace was measured.

    Every other attribute is a topic of `TOPICS`, which says its question: its facts, or an
    `Unsupported` with the reason where the trace cannot tell.
    """

    trace: TraceFacts
    integrity: Integrity
    arrivals: Arrivals | Unsupported
    lengths: Lengths | Unsupported
    tenants: Tenants | Unsupported
    sessions: Sessions | Unsupported
    prefix: Prefix | Unsupported
    phases: Phases | Unsupported
    concurrency: Concurrency | Unsupported
    service_levels: ServiceLevels | Unsupported
    drift: Drift | Unsupported
    agentic: Agentic | Unsupported

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data: `schema_version` and one key per attribute; null, never NaN."""
        return {"schema_version": PROFILE_VERSION, **to_plain(self)}

    def to_json(self) -> str:
        """Return `to_dict` as indented JSON."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Profile:
        """Read what `to_dict` wrote; a lacking topic is Unsupported, unknown keys are dropped.

        Raises:
            DataError: another schema version, or facts that are no profile.
        """
        if not isinstance(facts, dict) or "schema_version" not in facts:
            raise DataError("is not a profile", fix="write one: workloadlab characterize")
        if facts["schema_version"] != PROFILE_VERSION:
            raise DataError(
                f"has profile schema version {facts['schema_version']}; "
                f"this version reads {PROFILE_VERSION}",
                fix="characterize the trace again with this version",
            )
        absent = {"unsupported": "this profile was made before the topic existed"}
        hints = get_type_hints(cls)
        names = [field.name for field in fields(cls)]
        try:
            return cls(
                **{name: build(hints[name], facts.get(name, absent), name) for name in names}
            )
        except ShapeError as error:
            raise DataError(
                f"is a damaged profile ({error})", fix="characterize the trace again"
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> Profile:
        """Read a profile file.

        Raises:
            UsageError: no such file.
            DataError: not JSON, no profile of this version, or damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise UsageError("no such file", where=str(path), fix="check the path")
        facts = read_object(path, fix="write one: workloadlab characterize")
        try:
            profile = cls.from_dict(facts)
        except DataError as error:
            raise DataError(error.what, where=str(path), fix=error.fix) from error
        check_object(facts, str(path))
        return profile

    def save(self, path: str | Path) -> Path:
        """Write the profile as JSON, whole or not at all, and return the path."""
        path = Path(path)
        with write_atomically(path) as temporary:
            text = json.dumps(sealed(self.to_dict()), indent=1, allow_nan=False) + "\n"
            temporary.write_text(text, encoding="utf-8")
        return path

    def topics(self) -> Iterator[tuple[Topic[Any], Any]]:
        """Yield every topic with its facts, or with the `Unsupported` that stands for them."""
        for topic in TOPICS:
            yield topic, getattr(self, topic.name)

    def _headline(self) -> str:
        facts = self.trace
        rate = f", {figure(facts.rate_rps)} requests/s" if facts.rate_rps else ""
        return f"{facts.requests:,} requests over {duration(facts.span_s)}{rate} ({facts.source})"

    def __str__(self) -> str:
        blocks = [self._headline()]
        for topic, facts in self.topics():
            if isinstance(facts, Unsupported):
                blocks.append(f"{topic.title}: {facts.unsupported}")
            elif isinstance(facts, Integrity):
                blocks += ["\n".join(_wrapped(finding) for finding in facts.findings)]
            else:
                blocks += [table.text() for table in facts.tables()]
        return "\n\n".join(block for block in blocks if block)

    __repr__ = __str__


def characterize(
    trace: AnyTrace,
    model: LatencyModel | str | Path | None = None,
    *,
    lru_blocks: Sequence[int] | None = None,
) -> Profile:
    """Measure a trace, topic by topic. Warm-up rows are left out.

    Never fails on a valid trace, however small: what cannot be measured says why.

    Args:
        trace: the trace, its path, or a frame.
        model: a latency model, its catalogue name or its path; predicts what the phases cost;
            without one that topic is Unsupported.
        lru_blocks: cache sizes in blocks for the prefix topic; without them 1, 2, 3, 5 times powers
            of ten.

    Raises:
        UsageError: a cache size that is not positive.
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
    if trace.requests:
        trace.require("arrivals", "a characterization")
    study = Study(trace, known, lru_blocks=lru_blocks)
    found: dict[str, Any] = {topic.name: study.find(topic) for topic in TOPICS}
    return Profile(trace=_trace_facts(study), **found)


def _wrapped(finding: Finding) -> str:
    return fill(f"{finding.severity}: {finding.message}", width=100, subsequent_indent="  ")


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
