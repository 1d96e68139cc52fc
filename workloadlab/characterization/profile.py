"""The profile of a trace: every topic's facts together, as one JSON document."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, get_type_hints

from workloadlab.arguments import checked, file_path
from workloadlab.characterization.bounded.finish import Estimate  # noqa: TC001
from workloadlab.characterization.facts import Finding, Unsupported, to_plain
from workloadlab.characterization.study import Topic  # noqa: TC001
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
from workloadlab.shapes import ShapeError, build
from workloadlab.tables import duration, figure, wrapped
from workloadlab.trace import write_atomically
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


__all__ = ["PROFILE_VERSION", "TOPICS", "Profile", "TraceFacts"]

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
        parts: in which it was measured, as it is over the row limit; 0 for all rows at once.
        estimates: which facts are not exact for that, and how far they may be off.
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
    parts: int = 0
    estimates: tuple[Estimate, ...] = ()


@checked
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
        path = file_path("path", path)
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
        path = file_path("path", path)
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
        span = f"{plural(facts.requests, 'request')} over {duration(facts.span_s)}"
        head = f"{span}{rate} ({facts.source})"
        if not facts.parts:
            return head
        parts = f"{facts.parts} parts" if facts.parts > 1 else "one part"
        estimated = "; ".join(str(each) for each in facts.estimates)
        words = f"Measured in {parts}, without holding the rows. Estimated are {estimated}."
        return f"{head}\n{wrapped(words, then='')}"

    def __str__(self) -> str:
        blocks = [self._headline()]
        for topic, facts in self.topics():
            if isinstance(facts, Unsupported):
                blocks.append(wrapped(f"{topic.title}: {facts.unsupported}"))
            elif isinstance(facts, Integrity):
                blocks += ["\n".join(_wrapped(finding) for finding in facts.findings)]
            else:
                blocks += [table.text() for table in facts.tables()]
        return "\n\n".join(block for block in blocks if block)

    __repr__ = __str__


def _wrapped(finding: Finding) -> str:
    return wrapped(f"{finding.severity}: {finding.message}")
