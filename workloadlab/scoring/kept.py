"""Scores that a sweep kept: a run's score as one JSON file, and the board of a folder of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.digests import check_object, sealed
from workloadlab.errors import DataError, UsageError
from workloadlab.json_files import read_object
from workloadlab.scoring.run_score import RunScore  # noqa: TC001  read by its types
from workloadlab.scoring.scoreboard import Scoreboard
from workloadlab.scoring.service_level import targets_words
from workloadlab.shapes import ShapeError, build
from workloadlab.trace import RunInfo  # noqa: TC001

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.scoring.service_level import SLO
    from workloadlab.trace import Manifest

__all__ = ["KeptScore", "board_of_scores", "plain_score"]

AGAIN = "sweep again"


def plain_score(info: RunInfo, score: RunScore, slo: SLO | None) -> dict[str, Any]:
    """Return a score as plain JSON data with its digest.

    Args:
        info: what a manifest says of the run.
        score: of the run.
        slo: the targets that it was scored with.
    """
    facts = {"info": asdict(info), "slo": slo.to_dict() if slo else {}, "score": asdict(score)}
    return sealed(facts)


@dataclass(frozen=True)
class KeptScore:
    """A score that was kept.

    Attributes:
        info: what a manifest says of the run.
        slo: targets that it was scored with.
        score: the score.
    """

    info: RunInfo
    slo: dict[str, float]
    score: RunScore

    @classmethod
    def of(cls, facts: dict[str, Any], where: str) -> KeptScore:
        """Return what `plain_score` made plain.

        Raises:
            DataError: it is damaged.
        """
        try:
            kept: KeptScore = build(cls, check_object(facts, where))
        except ShapeError as error:
            raise DataError(f"is damaged: {error}", where=where, fix=AGAIN) from error
        return kept

    @classmethod
    def read(cls, path: Path) -> KeptScore:
        """Return what a file keeps.

        Raises:
            DataError: it is damaged.
        """
        return cls.of(read_object(path, fix=AGAIN), str(path))


def board_of_scores(
    folder: Path, manifest: Manifest, *, slo: SLO | None, baseline: str
) -> Scoreboard:
    """Return the board of a sweep that kept its scores; without outcomes it compares no pairs.

    Args:
        folder: of the sweep.
        manifest: of the folder.
        slo: targets, if any are asked for: those of the sweep.
        baseline: the router that the others are compared with.

    Raises:
        UsageError: other targets than the sweep's, or no such baseline.
        DataError: a score is missing or damaged.
    """
    files = [manifest.files[info.run_id]["score"].at(folder) for info in manifest.runs]
    read = [KeptScore.read(file) for file in files]
    targets = read[0].slo
    if slo is not None and slo.to_dict() != targets:
        raise UsageError(
            f"these scores were made with {targets_words(targets) or 'no targets'}, and their "
            "outcomes were not kept",
            where=str(folder),
            fix="sweep again with these targets, or with --keep outcomes",
        )
    return Scoreboard([kept.score for kept in read], [], targets, manifest.cluster, baseline, [])
