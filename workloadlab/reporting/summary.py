"""Parts to facts: the order of the page, its title, and its reading as a whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from workloadlab._version import __version__
from workloadlab.errors import UsageError
from workloadlab.reporting.latency_model.section import model_section
from workloadlab.reporting.routers.section import router_section
from workloadlab.reporting.words import listed
from workloadlab.reporting.workload.section import workload_name, workload_section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.reporting.facts import Finding, Section
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
        findings: those of all sections, warnings first.
        sections: workloads, then latency models, then routers.
    """

    title: str
    reading: str
    findings: tuple[Finding, ...]
    sections: tuple[Section, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data: one key per attribute, and the versions it was written by."""
        return {
            "schema_version": FACTS_VERSION,
            "tool_version": __version__,
            "title": self.title,
            "reading": self.reading,
            "findings": [asdict(finding) for finding in self.findings],
            "sections": [section.to_dict() for section in self.sections],
        }


def summarise(*parts: Any) -> dict[str, Any]:
    """Return everything that a report of `parts` says, as plain JSON data.

    Args:
        *parts: profiles, latency models, scoreboards and runs, in any order and number. Runs belong
            to the scoreboard of the same run ids and cluster; without one they are scored here.

    Returns:
        `schema_version`, `tool_version`, `title`, `reading`, `findings` (warnings first) and
        `sections`: workloads, then latency models, then routers.

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
    sections = tuple(_sections(parts))
    findings = [finding for section in sections for finding in section.findings]
    return Summary(
        title=_title(sections, parts),
        reading=" ".join(section.summary for section in sections),
        findings=tuple(sorted(findings, key=lambda finding: finding.severity != "warning")),
        sections=sections,
    )


def _sections(parts: tuple[Any, ...]) -> Iterator[Section]:
    from workloadlab.characterization import Profile
    from workloadlab.latency import LatencyModel
    from workloadlab.scoring import Scoreboard
    from workloadlab.trace import Runs

    kinds = (Profile, LatencyModel, Scoreboard, Runs)
    if not parts:
        raise UsageError("nothing to report", fix="give a profile, a latency model or a scoreboard")
    for part in parts:
        if not isinstance(part, kinds):
            raise UsageError(
                f"a report has no part of type {type(part).__name__}",
                fix="give Profile, LatencyModel, Scoreboard or Runs objects; "
                "of a trace, give characterize(trace)",
            )
    for number, profile in enumerate((p for p in parts if isinstance(p, Profile)), 1):
        yield workload_section(profile, f"workload-{number}")
    for number, model in enumerate((p for p in parts if isinstance(p, LatencyModel)), 1):
        yield model_section(model, f"model-{number}")
    boards = [part for part in parts if isinstance(part, Scoreboard)]
    replays = [part for part in parts if isinstance(part, Runs)]
    for number, (board, runs) in enumerate(_matched(boards, replays), 1):
        yield router_section(board, runs, f"routers-{number}")


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


def _title(sections: tuple[Section, ...], parts: tuple[Any, ...]) -> str:
    from workloadlab.characterization import Profile

    nouns = {"workload": "workload", "model": "latency model", "routers": "routers"}
    kinds = [nouns[section.id.partition("-")[0]] for section in sections]
    said = listed(list(dict.fromkeys(kinds))).capitalize()
    profiles = [part for part in parts if isinstance(part, Profile)]
    names = [workload_name(profile.trace) for profile in profiles]
    return f"{said} of {listed(names)}" if names and kinds[0] != "routers" else said
