"""A profile as a section: what the workload is, in sentences, tables and curves."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from workloadlab.reporting.facts import Finding, Section
from workloadlab.reporting.words import grid_of, plural, seconds, sentence, three
from workloadlab.reporting.workload.arrivals import arrival_plots
from workloadlab.reporting.workload.concurrency import concurrency_plots
from workloadlab.reporting.workload.lengths import length_plots
from workloadlab.reporting.workload.phases import phase_plots
from workloadlab.reporting.workload.prefix import prefix_plots
from workloadlab.reporting.workload.service import service_plots
from workloadlab.reporting.workload.sessions import session_plots
from workloadlab.reporting.workload.tenants import tenant_plots
from workloadlab.reporting.workload.weekly import weekly_plots
from workloadlab.tables import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workloadlab.characterization import Profile
    from workloadlab.reporting.facts import Grid, Plot

__all__ = ["workload_name", "workload_section"]


def workload_name(profile: dict[str, Any]) -> str:
    """Name a workload by its source file, or by the format it was read from."""
    files = [str(source["path"]) for source in profile["trace"]["sources"] if source.get("path")]
    if not files:
        return str(profile["trace"]["source"])
    name = PurePath(files[0].replace("\\", "/")).name
    return name if len(files) == 1 else f"{name} and {plural(len(files) - 1, 'more file')}"


def workload_section(profile: Profile, section_id: str) -> Section:
    """Summarise a profile."""
    facts = profile.to_dict()
    name = workload_name(facts)
    return Section(
        id=section_id,
        title=f"Workload: {name}",
        summary=_summary(facts, name),
        findings=tuple(
            Finding(found["severity"], name, found["message"])
            for found in facts["integrity"]["findings"]
        ),
        facts=_trace_facts(facts),
        plots=tuple(_plots(facts, section_id)),
        unsupported=_unsupported(facts),
        details=_details(profile, facts),
        source=facts,
    )


def _plots(facts: dict[str, Any], section_id: str) -> Iterator[Plot]:
    """Yield every topic's figures; of the later ones that are absent, `_unsupported` says why."""
    yield from arrival_plots(facts["arrivals"], section_id)
    yield from weekly_plots(facts["arrivals"], section_id)
    yield from length_plots(facts["lengths"], section_id)
    model = facts["phases"].get("model")
    later: dict[str, Callable[[dict[str, Any], str], list[Plot]]] = {
        "tenants": tenant_plots,
        "sessions": session_plots,
        "prefix": partial(prefix_plots, model=model),
        "phases": phase_plots,
        "concurrency": concurrency_plots,
        "service_levels": service_plots,
    }
    for topic, plots in later.items():
        if "unsupported" not in facts[topic]:
            yield from plots(facts[topic], section_id)


def _summary(facts: dict[str, Any], name: str) -> str:
    trace, arrivals, lengths = facts["trace"], facts["arrivals"], facts["lengths"]
    said = [f"{name} holds {plural(trace['requests'], 'request')}"]
    if "unsupported" in arrivals:
        said[0] += f" over {duration(trace['span_s'])}."
    else:
        said[0] += f" over {duration(trace['span_s'])}, {three(trace['rate_rps'])} per second."
        said.append(_burstiness(arrivals))
    typical = [
        f"{column['p50']:,.0f} {noun}"
        for key, noun in (("input", "prompt tokens"), ("output", "generated tokens"))
        if "unsupported" not in (column := lengths[key])
    ]
    if typical:
        said.append(f"The median request has {' and '.join(typical)}.")
    return " ".join(sentence for sentence in said if sentence)


def _burstiness(arrivals: dict[str, Any]) -> str:
    """Say how counts vary per minute, or in the widest shorter window that can be told."""
    known = [(float(w), value) for w, value in arrivals["dispersion"].items() if value is not None]
    upto_a_minute = [(width, value) for width, value in known if width <= 60]
    if not upto_a_minute:
        return ""
    width, value = upto_a_minute[-1]
    if value > 1.5:
        return f"Counts per {seconds(width)} vary {three(value)} times as much as chance would have it."
    verdict = "less than" if value < 0.67 else "about as much as"
    return f"Counts per {seconds(width)} vary {verdict} chance would have it."


def _trace_facts(facts: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    trace, integrity = facts["trace"], facts["integrity"]
    pairs = [("Read as", trace["source"])]
    for source in trace["sources"]:
        if source.get("path"):
            rows = f", {source['rows']:,} rows" if source.get("rows") is not None else ""
            pairs.append(("File", PurePath(str(source["path"]).replace("\\", "/")).name + rows))
    pairs.append(("Requests", f"{trace['requests']:,}"))
    if trace["warmup_requests"]:
        pairs.append(("Warm-up, left out", f"{trace['warmup_requests']:,}"))
    pairs.append(("Span", duration(trace["span_s"])))
    if trace["rate_rps"]:
        pairs.append(("Mean rate", f"{three(trace['rate_rps'])} requests/s"))
    if trace["t0_unix_ns"] is not None and trace["first_arrival_s"] is not None:
        first = datetime.fromtimestamp(
            trace["t0_unix_ns"] // 1_000_000_000 + int(trace["first_arrival_s"]), UTC
        )
        pairs.append(("First arrival", f"{first:%Y-%m-%d %H:%M:%S} UTC"))
    if integrity["tick_s"]:
        pairs.append(("Clock tick", seconds(integrity["tick_s"])))
    for key, label in (("input", "Prompt tokens"), ("output", "Generated tokens")):
        column = facts["lengths"][key]
        if "unsupported" not in column:
            pairs.append((label, f"{column['sum']:,}"))
    pairs.append(("Records", ", ".join(trace["supports"]).replace("_", " ")))
    return tuple(pairs)


def _unsupported(facts: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the reasons of the topics that have no figure to hold their place."""
    return tuple(
        (name.replace("_", " ").capitalize(), sentence(topic["unsupported"]))
        for name, topic in facts.items()
        if name not in ("arrivals", "lengths")
        and isinstance(topic, dict)
        and "unsupported" in topic
    )


def _details(profile: Profile, facts: dict[str, Any]) -> tuple[Grid, ...]:
    """Return the tables of every topic but the findings, which stand at the top of the page."""
    topics: list[Any] = [getattr(profile, name, None) for name in facts if name != "integrity"]
    return tuple(
        grid_of(table) for topic in topics if hasattr(topic, "tables") for table in topic.tables()
    )
