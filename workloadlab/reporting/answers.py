"""The first screen: one question each, and the sentence that answers it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.characterization.facts import Unsupported
from workloadlab.reporting.routers.decision import best_words
from workloadlab.reporting.routers.holding import held_words
from workloadlab.reporting.routers.ranking import focal_scale
from workloadlab.scoring.load.lost import GOAL
from workloadlab.scoring.load.state_words import uneven_words
from workloadlab.scoring.load.summary import lost_words
from workloadlab.words import listed, plural, rate_words, share, three, times

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    boards: Mapping[str, Scoreboard],
    plans: Sequence[Plan],
) -> tuple[Answer, ...]:
    """Return the questions that the parts can answer, in the order in which a decision asks them.

    Args:
        sections: of the page.
        profiles: of the workloads.
        boards: of the routers, by what tells them apart.
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
            which = f" for {plan.trace}" if len(plans) > 1 else ""
            found.append(Answer(f"How many instances{which}?", plan.sentence, more, section))
    else:
        scales = [focal_scale(board.scales) for board in boards.values()]
        found += _demand(profiles, ids["workload"], scales[0] if len(scales) == 1 else 1.0)
    for (about, board), section in zip(boards.items(), ids["routers"], strict=True):
        found += _routers(board, section, about)
    for learned in (each for each in sections if each.id in ids["learned"]):
        name = learned.title.partition(":")[2] if len(ids["learned"]) > 1 else ""
        question = f"Is the learned router{name} better?"
        found.append(Answer(question, learned.summary, _tested(learned), learned.id))
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


def _demand(profiles: Sequence[Profile], sections: Sequence[str], scale: float) -> Iterator[Answer]:
    """Say how many instances the work of a log fills, at the rate that the routers ran at."""
    for profile, section in zip(profiles, sections, strict=True):
        phases = profile.phases
        if isinstance(phases, Unsupported) or phases.least_instances is None:
            continue
        offered = (phases.offered_load or 0.0) * scale
        least = phases.least_instances if scale == 1 else max(1, math.ceil(offered))
        peak = (
            f" The busiest minute offers {three(phases.peak_offered_load * scale)}."
            if phases.peak_offered_load is not None
            else ""
        )
        where = "" if scale == 1 else f" at {rate_words(scale)}"
        yield Answer(
            "How many instances?",
            f"About {plural(least, 'instance')} of {phases.model}{where}, if "
            f"{phases.decode_batch} requests decode together.",
            f"The log offers the work of {three(offered)} on average, cached prefixes left out; larger "
            f"batches take fewer.{peak} For a service level, workloadlab plan.",
            section,
        )


def _routers(board: Scoreboard, section: str, about: str) -> Iterator[Answer]:
    scale = focal_scale(board.scales)
    yield Answer(
        f"Does the cluster hold {about or 'it'}?", held_words(board), _over_load(board), section
    )
    verdict = next(each for each in board.verdicts() if each.rate_scale == scale)
    which = f" for {about}" if about else ""
    ran = [router for router in board.routers if board.of(router, scale)]
    if board.comparable(scale):
        question = "Which router" if len(board.routers) > 1 else "How does the router do"
        said = f"At {rate_words(scale)}: {verdict.sentence}{_within(board, scale)}"
        others = [
            f"{best_words(board, each)} at {times(each)}" for each in board.scales if each != scale
        ]
        said += f" First at the other rates: {listed(others)}." if others else ""
        yield Answer(f"{question}{which}?", said, " ".join(verdict.more), section)
    else:
        yield Answer(
            f"Which router{which}?",
            "That cannot be told until the cluster "
            + (
                "serves the requests."
                if any(board.steady(router, scale) for router in ran)
                else "holds the load: add instances, or lower the rate."
            ),
            " ".join(verdict.more),
            section,
        )
    if uneven := uneven_words(board, scale):
        yield Answer(f"Are all instances used{which}?", f"No: {'; '.join(uneven)}.", "", section)


def _within(board: Scoreboard, scale: float) -> str:
    """Say which routers alone meet the targets, where not all do."""
    met = {router: board.mean(router, scale, "slo_attainment") for router in board.routers}
    known = {router: value for router, value in met.items() if value is not None}
    able = [router for router, value in known.items() if value >= GOAL]
    if len(able) == len(known):
        return ""
    if not able:
        return f" No router meets the targets for {GOAL:.0%} of the requests."
    verb = "meets" if len(able) == 1 else "meet"
    return f" Only {listed(able)} {verb} the targets for {GOAL:.0%} of the requests."


def _over_load(board: Scoreboard) -> str:
    """Say where targets are lost, and from where on latency grows faster than load."""
    said = []
    lost = lost_words(board)
    if lost:
        said.append(f"Under 99% of the requests meet the targets: {lost}.")
    elif board.slo and len(board.scales) > 1:
        said.append("At every rate tried 99% of the requests meet the targets, with each router.")
    knees = [knee for knee in board.knees if knee.at.where == "between"]
    if knees:
        last = max(knees, key=lambda knee: knee.at.rate or 0.0)
        said.append(
            f"The knee of {last.router}, beyond which latency grows faster than load, is {last.at}."
        )
    return " ".join(said)
