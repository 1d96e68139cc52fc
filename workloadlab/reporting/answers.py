"""The first screen: one question each, and the sentence that answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.characterization.facts import Unsupported
from workloadlab.reporting.routers.ranking import focal_scale
from workloadlab.reporting.words import listed, plural, share, three
from workloadlab.scoring.load.summary import lost_words
from workloadlab.scoring.service_level import targets_words
from workloadlab.scoring.verdict import rate_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workloadlab.characterization import Profile
    from workloadlab.planning import Plan
    from workloadlab.reporting.facts import Section
    from workloadlab.scoring import Scoreboard

__all__ = ["Answer", "answers_of"]


@dataclass(frozen=True)
class Answer:
    """One question of the first screen.

    Attributes:
        question: as a person asks it.
        sentence: the answer.
        more: what it rests on.
        section: id of the section that shows why; "" for none.
    """

    question: str
    sentence: str
    more: str = ""
    section: str = ""


def answers_of(
    sections: Sequence[Section],
    profiles: Sequence[Profile],
    boards: Sequence[Scoreboard],
    plans: Sequence[Plan],
) -> tuple[Answer, ...]:
    """Return the questions that the parts can answer, in the order in which a decision asks them.

    Args:
        sections: of the page.
        profiles: of the workloads.
        boards: of the routers.
        plans: of the capacity.
    """
    ids = {kind: [s.id for s in sections if s.id.startswith(kind)] for kind in
           ("workload", "capacity", "routers", "learned", "model")}  # fmt: skip
    found: list[Answer] = []
    for profile, section in zip(profiles, ids["workload"], strict=True):
        found += _workload(profile, section)
    if plans:
        for plan, section in zip(plans, ids["capacity"], strict=True):
            more = " ".join(plan.more)
            found.append(Answer("How many instances?", plan.sentence, more, section))
    else:
        found += _demand(profiles, ids["workload"])
    for board, section in zip(boards, ids["routers"], strict=True):
        found += _routers(board, section)
    found += [
        Answer("Is the learned router better?", section.summary, _tested(section), section.id)
        for section in sections
        if section.id in ids["learned"]
    ]
    if not found:
        found += [Answer("", section.summary, "", section.id) for section in sections]
    return tuple(found)


def _tested(section: Section) -> str:
    return " ".join(plot.reading for plot in section.plots)


def _workload(profile: Profile, section: str) -> Iterator[Answer]:
    warnings = [f.message for f in profile.integrity.findings if f.severity == "warning"]
    notes = len(profile.integrity.findings) - len(warnings)
    beside = f" {plural(notes, 'note')} beside." if notes else ""
    if warnings:
        said = f"With care: {plural(len(warnings), 'finding')} may mislead."
        yield Answer("Is the log sound?", said, warnings[0], "findings")
    else:
        requests = plural(profile.trace.requests, "request")
        said = f"Yes: nothing in {requests} would mislead.{beside}"
        yield Answer("Is the log sound?", said, "", section)
    name = section.replace("-", " ")
    yield Answer("What is this workload?", *_kind(profile), section or name)


def _kind(profile: Profile) -> tuple[str, str]:
    lengths = profile.lengths
    typical = []
    if not isinstance(lengths, Unsupported):
        for column, noun in ((lengths.input, "prompt"), (lengths.output, "generated")):
            if not isinstance(column, Unsupported):
                typical.append(f"{column.p50:,.0f} {noun}")
    rate = profile.trace.rate_rps
    said = plural(profile.trace.requests, "request")
    if rate:
        said += f", {three(rate)} per second"
    if typical:
        said += f"; the median has {' and '.join(typical)} tokens"
    phases = profile.phases
    more = ""
    if not isinstance(phases, Unsupported) and phases.prefill_time_share is not None:
        more = f"{share(1 - phases.prefill_time_share)} of the engine's time goes into decoding."
    return f"{said}.", more


def _demand(profiles: Sequence[Profile], sections: Sequence[str]) -> Iterator[Answer]:
    for profile, section in zip(profiles, sections, strict=True):
        phases = profile.phases
        if isinstance(phases, Unsupported) or phases.least_instances is None:
            continue
        peak = (
            f" The busiest minute offers {three(phases.peak_offered_load)}."
            if phases.peak_offered_load is not None
            else ""
        )
        yield Answer(
            "How many instances?",
            f"At least {plural(phases.least_instances, 'instance')} of {phases.model}: with fewer the "
            "queue grows without bound.",
            f"The log offers the work of {three(phases.offered_load or 0.0)} on average, cached "
            f"prefixes left out.{peak} For a service level, workloadlab plan.",
            section,
        )


def _routers(board: Scoreboard, section: str) -> Iterator[Answer]:
    scale = focal_scale(board.scales)
    yield Answer("Does the cluster hold it?", *_holds(board, scale), section)
    verdict = next(each for each in board.verdicts() if each.rate_scale == scale)
    if any(board.steady(router, scale) for router in board.routers if board.of(router, scale)):
        question = "Which router?" if len(board.routers) > 1 else "How does the router do?"
        yield Answer(question, verdict.sentence, " ".join(verdict.more), section)
    else:
        yield Answer(
            "Which router?",
            "That cannot be told: no router reaches a steady state.",
            " ".join(verdict.more),
            section,
        )


def _holds(board: Scoreboard, scale: float) -> tuple[str, str]:
    where = rate_words(scale)
    ran = [router for router in board.routers if board.of(router, scale)]
    steady = [router for router in ran if board.steady(router, scale)]
    if not steady:
        states = [run.saturation for r in ran if (run := board.worst(r, scale)) and run.saturation]
        best = max(states, key=lambda state: state.served_share)
        return f"No. At {where} there is no steady state: {best}.", _lost(board)
    off = [router for router in ran if router not in steady]
    but = f", but not with {listed(off)}" if off else ""
    met = {r: board.mean(r, scale, "slo_attainment") for r in steady}
    known = {r: value for r, value in met.items() if value is not None}
    if not known:
        return f"Yes, at {where}{but}: what arrives is served.", _lost(board)
    best_router = max(known, key=lambda r: known[r])
    said = f"{share(known[best_router])} of the requests meet {targets_words(board.slo)}"
    return f"At {where} {said} with {best_router}{but}.", _lost(board)


def _lost(board: Scoreboard) -> str:
    if not board.slo or len(board.scales) < 2:
        return ""
    lost = lost_words(board)
    if not lost:
        return "At every rate tried 99% of the requests meet the targets, with each router."
    said = [f"{router} from {at} on" for router, at in lost.items()]
    return f"Under 99% of the requests meet the targets: {listed(said)}."
