"""A profile as a section: what the workload is, in sentences, tables and curves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.topics.arrivals import ARRIVALS
from workloadlab.characterization.topics.integrity import INTEGRITY
from workloadlab.characterization.topics.lengths import LENGTHS
from workloadlab.reporting.facts import Finding, Plot, Section
from workloadlab.reporting.grids import grid_of
from workloadlab.reporting.workload.place import Place
from workloadlab.tables import duration
from workloadlab.words import plural, seconds, sentence, three

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workloadlab.characterization import Arrivals, LengthColumn, Profile, Topic
    from workloadlab.reporting.facts import Grid

__all__ = ["figures_of", "workload_name", "workload_section"]

FigureOf = Callable[[Any, Place], Plot | None]
"""From the facts of a topic to a figure of them; None where there is nothing to say."""

ALWAYS_SHOWN = (ARRIVALS, LENGTHS)
"""Topics that keep their place among the figures even where the trace cannot support them."""


def figures_of(topic: Topic[Any]) -> tuple[FigureOf, ...]:
    """Return a topic's figures: `FIGURES` of the module beside this one with the topic's name."""
    module = f"{__package__}.{topic.name}"
    if find_spec(module) is None:
        return ()
    figures: tuple[FigureOf, ...] = import_module(module).FIGURES
    return figures


def workload_name(sources: Sequence[dict[str, Any]], otherwise: str) -> str:
    """Name a workload by its source file, or by the format it was read from."""
    files = [str(source["path"]) for source in sources if source.get("path")]
    if not files:
        return otherwise
    name = PurePath(files[0].replace("\\", "/")).name
    return name if len(files) == 1 else f"{name} and {plural(len(files) - 1, 'more file')}"


def workload_section(profile: Profile, section_id: str) -> Section:
    """Summarise a profile."""
    name = workload_name(profile.trace.sources, profile.trace.source)
    return Section(
        id=section_id,
        title=f"Workload: {name}",
        summary=_summary(profile, name),
        findings=tuple(
            Finding(found.severity, name, found.message) for found in profile.integrity.findings
        ),
        facts=_trace_facts(profile),
        plots=tuple(_plots(profile, section_id)),
        unsupported=_unsupported(profile),
        details=_details(profile),
        source=profile.to_dict(),
    )


def _plots(profile: Profile, section_id: str) -> Iterator[Plot]:
    """Yield the figures topic by topic; for one that is unsupported, say so where it always shows."""
    place = Place(section_id, profile)
    for topic, facts in profile.topics():
        if not isinstance(facts, Unsupported):
            plots = (figure(facts, place) for figure in figures_of(topic))
            yield from (plot for plot in plots if plot)
        elif topic in ALWAYS_SHOWN:
            reading = sentence(facts.unsupported)
            yield Plot(id=place.id(topic.name), title=topic.title, reading=reading)


def _summary(profile: Profile, name: str) -> str:
    trace, arrivals = profile.trace, profile.arrivals
    said = [f"{name} holds {plural(trace.requests, 'request')} over {duration(trace.span_s)}"]
    if isinstance(arrivals, Unsupported) or trace.rate_rps is None:
        said[0] += "."
    else:
        said[0] += f", {three(trace.rate_rps)} per second."
        said.append(_burstiness(arrivals))
    typical = [
        f"{column.p50:,.0f} {noun}"
        for column, noun in _columns(profile, "prompt tokens", "generated tokens")
    ]
    if typical:
        said.append(f"The median request has {' and '.join(typical)}.")
    return " ".join(sentence for sentence in said if sentence)


def _columns(profile: Profile, prompt: str, output: str) -> Iterator[tuple[LengthColumn, str]]:
    """Yield the columns of lengths that the trace records, each with its word."""
    lengths = profile.lengths
    if not isinstance(lengths, Unsupported):
        for column, noun in ((lengths.input, prompt), (lengths.output, output)):
            if not isinstance(column, Unsupported):
                yield column, noun


def _burstiness(arrivals: Arrivals) -> str:
    """Say how counts vary per minute, or in the widest shorter window that can be told."""
    known = [(float(w), value) for w, value in arrivals.dispersion.items() if value is not None]
    upto_a_minute = [(width, value) for width, value in known if width <= 60]
    if not upto_a_minute:
        return ""
    width, value = upto_a_minute[-1]
    if value > 1.5:
        return f"Counts per {seconds(width)} vary {three(value)} times as much as chance would have it."
    verdict = "less than" if value < 0.67 else "about as much as"
    return f"Counts per {seconds(width)} vary {verdict} chance would have it."


def _trace_facts(profile: Profile) -> tuple[tuple[str, str], ...]:
    trace, tick_s = profile.trace, profile.integrity.tick_s
    pairs = [("Read as", trace.source)]
    for source in trace.sources:
        if source.get("path"):
            rows = f", {plural(source['rows'], 'row')}" if source.get("rows") is not None else ""
            pairs.append(("File", PurePath(str(source["path"]).replace("\\", "/")).name + rows))
    pairs.append(("Requests", f"{trace.requests:,}"))
    if trace.warmup_requests:
        pairs.append(("Warm-up, left out", f"{trace.warmup_requests:,}"))
    pairs.append(("Span", duration(trace.span_s)))
    if trace.rate_rps:
        pairs.append(("Mean rate", f"{three(trace.rate_rps)} requests/s"))
    if trace.t0_unix_ns is not None and trace.first_arrival_s is not None:
        first = datetime.fromtimestamp(
            trace.t0_unix_ns // 1_000_000_000 + int(trace.first_arrival_s), UTC
        )
        pairs.append(("First arrival", f"{first:%Y-%m-%d %H:%M:%S} UTC"))
    if tick_s:
        pairs.append(("Clock tick", seconds(tick_s)))
    for column, label in _columns(profile, "Prompt tokens", "Generated tokens"):
        pairs.append((label, f"{column.sum:,}"))
    pairs.append(("Records", ", ".join(trace.supports).replace("_", " ")))
    return tuple(pairs)


def _unsupported(profile: Profile) -> tuple[tuple[str, str], ...]:
    """Return the reasons of the topics that have no figure to hold their place."""
    return tuple(
        (topic.title, sentence(facts.unsupported))
        for topic, facts in profile.topics()
        if isinstance(facts, Unsupported) and topic not in ALWAYS_SHOWN
    )


def _details(profile: Profile) -> tuple[Grid, ...]:
    """Return the tables of every topic but the findings, which stand at the top of the page."""
    return tuple(
        grid_of(table)
        for topic, facts in profile.topics()
        if topic is not INTEGRITY and not isinstance(facts, Unsupported)
        for table in facts.tables()
    )
