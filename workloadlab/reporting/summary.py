"""Parts to facts: the order of the page, its title, and its reading as a whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from workloadlab._version import __version__
from workloadlab.errors import UsageError
from workloadlab.reporting.answers import answers_of
from workloadlab.reporting.capacity.section import capacity_section
from workloadlab.reporting.latency_model.section import model_section
from workloadlab.reporting.routers.decision import decision_grid
from workloadlab.reporting.routers.section import cluster_words, router_section
from workloadlab.reporting.workload.section import workload_name, workload_section
from workloadlab.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workloadlab.characterization import Profile
    from workloadlab.reporting.answers import Answer
    from workloadlab.reporting.facts import Finding, Grid, Section
    from workloadlab.scoring import Scoreboard
    from workloadlab.trace import Runs

__all__ = ["FACTS_VERSION", "Summary", "summarise", "summary_of"]

FACTS_VERSION = 1


@dataclass(frozen=True)
class Summary:
    """Everything that a report says.

    Attributes:
        title: heading of the page.
        reading: the summaries of all sections.
        answers: the questions of the first screen, each with its sentence.
        at_a_glance: the small tables below them, one per scoreboard.
        findings: those of all sections, warnings first.
        sections: workloads, then capacity, routers, learned routers and latency models.
        provenance: what the page was made from, a clause each.
    """

    title: str
    reading: str
    answers: tuple[Answer, ...]
    at_a_glance: tuple[Grid, ...]
    findings: tuple[Finding, ...]
    sections: tuple[Section, ...]
    provenance: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data: one key per attribute, and the versions it was written by."""
        return {
            "schema_version": FACTS_VERSION,
            "tool_version": __version__,
            "title": self.title,
            "reading": self.reading,
            "answers": [asdict(answer) for answer in self.answers],
            "at_a_glance": [asdict(grid) for grid in self.at_a_glance],
            "provenance": list(self.provenance),
            "findings": [asdict(finding) for finding in self.findings],
            "sections": [section.to_dict() for section in self.sections],
        }


def summarise(*parts: Any) -> dict[str, Any]:
    """Return everything that a report of `parts` says, as plain JSON data.

    Args:
        *parts: profiles, latency models, scoreboards, runs, plans and learned routers, in any order
            and number. Runs belong to the scoreboard of the same run ids and cluster; without one
            they are scored here.

    Returns:
        `schema_version`, `tool_version`, `title`, `reading`, `answers`, `at_a_glance`, `provenance`,
        `findings` (warnings first) and `sections`: workloads, capacity, routers, learned routers,
        latency models.

    Raises:
        UsageError: no parts, or a part that is none of these.

    Example:
        >>> from workloadlab import LatencyModel
        >>> facts = summarise(LatencyModel.linear(constant_s=0.01, name="flat"))
        >>> facts["title"], [section["plots"][-1]["kind"] for section in facts["sections"]]
        ('Latency model', ['steps'])
    """
    return summary_of(*parts).to_dict()


def summary_of(*parts: Any) -> Summary:
    """Return what `summarise` returns before it is plain data: figures that can be drawn."""
    from workloadlab.characterization import Profile
    from workloadlab.planning import Plan

    _check(parts)
    boards = _boards(parts)
    named = _named(boards)
    profiles = [part for part in parts if isinstance(part, Profile)]
    plans = [part for part in parts if isinstance(part, Plan)]
    _refuse_other_logs(profiles, [runs for _, runs in boards if runs is not None])
    sections = tuple(_sections(parts, boards, named))
    scored = [board for board, _ in boards]
    findings = [finding for section in sections for finding in section.findings]
    return Summary(
        title=_title(sections, profiles, boards),
        reading=" ".join(section.summary for section in sections),
        answers=answers_of(sections, profiles, dict(zip(named, scored, strict=True)), plans),
        at_a_glance=tuple(map(decision_grid, scored, named)),
        findings=tuple(sorted(findings, key=lambda finding: finding.severity != "warning")),
        sections=sections,
        provenance=tuple(_provenance(profiles)),
    )


def _check(parts: tuple[Any, ...]) -> None:
    from workloadlab.characterization import Profile
    from workloadlab.latency import LatencyModel
    from workloadlab.planning import Plan
    from workloadlab.routing.learned.artefact import LearnedRouter
    from workloadlab.scoring import Scoreboard
    from workloadlab.trace import Runs

    kinds = (Profile, LatencyModel, Scoreboard, Runs, Plan, LearnedRouter)
    if not parts:
        raise UsageError("nothing to report", fix="give a profile, a latency model or a scoreboard")
    for part in parts:
        if not isinstance(part, kinds):
            raise UsageError(
                f"a report has no part of type {type(part).__name__}",
                fix="give Profile, LatencyModel, Scoreboard, Runs, Plan or LearnedRouter objects; "
                "of a trace, give characterize(trace)",
            )


def _refuse_other_logs(profiles: list[Profile], replays: list[Runs]) -> None:
    """Refuse runs of none of the logs that the page characterizes, as far as both bear digests.

    Raises:
        UsageError: a replay of another log.
    """
    known = [_digests(profile.trace.sources) for profile in profiles]
    for runs in replays:
        replayed = _digests(_sources_of(runs))
        if replayed and known and all(known) and not any(replayed & each for each in known):
            names = [workload_name(each.trace.sources, "another log") for each in profiles]
            raise UsageError(
                f"the runs replay {_log_of(runs) or 'another log'}, and the workload is of "
                f"{listed(names)}: they do not hold the same requests",
                fix="give the trace that was replayed, or write a page for each log",
            )


def _digests(sources: Iterable[dict[str, Any]]) -> set[str]:
    return {str(source["sha256"]) for source in sources if source.get("sha256")}


def _boards(parts: tuple[Any, ...]) -> list[tuple[Scoreboard, Runs | None]]:
    from workloadlab.scoring import Scoreboard
    from workloadlab.trace import Runs

    boards = [part for part in parts if isinstance(part, Scoreboard)]
    replays = [part for part in parts if isinstance(part, Runs)]
    return list(_matched(boards, replays))


def _named(boards: list[tuple[Scoreboard, Runs | None]]) -> list[str]:
    """Tell several boards apart: by their log, then by their cluster; "" for a single one."""
    if len(boards) < 2:
        return [""] * len(boards)
    names = [_log_of(runs) for _, runs in boards]
    if "" in names or len({*names}) < len(names):
        names = [f"{name}{' on ' if name else ''}{cluster_words(board.cluster)}"
                 for name, (board, _) in zip(names, boards, strict=True)]  # fmt: skip
    return [name if names.count(name) == 1 else f"{name} ({number})".strip()
            for number, name in enumerate(names, 1)]  # fmt: skip


def _log_of(runs: Runs | None) -> str:
    """Name the log that was replayed; "" where that is not known."""
    if runs is None:
        return ""
    return workload_name(_sources_of(runs), "")


def _sources_of(runs: Runs) -> list[dict[str, Any]]:
    """Return the files that the replayed log, or the log that was scored, was read from."""
    made = runs.traces[0].provenance
    parents = [source for parent in made.parents for source in parent.get("sources", [])]
    return made.sources or parents


def _sections(
    parts: tuple[Any, ...], boards: list[tuple[Scoreboard, Runs | None]], named: list[str]
) -> Iterator[Section]:
    from workloadlab.characterization import Profile
    from workloadlab.latency import LatencyModel
    from workloadlab.planning import Plan
    from workloadlab.routing.learned.artefact import LearnedRouter

    for number, profile in enumerate((p for p in parts if isinstance(p, Profile)), 1):
        yield workload_section(profile, f"workload-{number}")
    for number, plan in enumerate((p for p in parts if isinstance(p, Plan)), 1):
        yield capacity_section(plan, f"capacity-{number}")
    for number, (board, runs) in enumerate(boards, 1):
        yield router_section(board, runs, f"routers-{number}", named[number - 1])
    for number, router in enumerate((p for p in parts if isinstance(p, LearnedRouter)), 1):
        from workloadlab.reporting.learned_router.section import learned_section

        yield learned_section(router, f"learned-{number}")
    for number, model in enumerate((p for p in parts if isinstance(p, LatencyModel)), 1):
        yield model_section(model, f"model-{number}")


def _provenance(profiles: list[Profile]) -> Iterator[str]:
    """Name the files that the workloads were read from, with their digests."""
    for profile in profiles:
        for source in profile.trace.sources:
            if source.get("path"):
                name = PurePath(str(source["path"]).replace("\\", "/")).name
                digest = f", sha256 {str(source['sha256'])[:12]}" if source.get("sha256") else ""
                yield f"{name}{digest}"


def _matched(
    boards: list[Scoreboard], replays: list[Runs]
) -> Iterator[tuple[Scoreboard, Runs | None]]:
    """Pair each scoreboard with its runs; score runs that have none."""
    from workloadlab.scoring import score

    left = list(replays)
    for board in boards:
        if not board.runs:
            raise UsageError("a scoreboard without runs has nothing to report")
        ids = [run.run_id for run in board.runs]
        own = next(
            (r for r in left if [i.run_id for i in r.infos] == ids and r.cluster == board.cluster),
            None,
        )
        left = [runs for runs in left if runs is not own]
        yield board, own
    for runs in left:
        yield score(runs), runs


def _title(
    sections: tuple[Section, ...],
    profiles: list[Profile],
    boards: list[tuple[Scoreboard, Runs | None]],
) -> str:
    """Say what the page holds, and of which logs."""
    nouns = {"workload": "workload", "capacity": "capacity", "model": "latency model",
             "routers": "routers", "learned": "learned router"}  # fmt: skip
    kinds = [nouns[section.id.partition("-")[0]] for section in sections]
    said = listed(list(dict.fromkeys(kinds))).capitalize()
    names = [workload_name(profile.trace.sources, profile.trace.source) for profile in profiles]
    names += [name for _, runs in boards if (name := _log_of(runs))]
    joined = "for" if kinds[0] == "routers" else "of"
    return f"{said} {joined} {listed(list(dict.fromkeys(names)))}" if names else said
