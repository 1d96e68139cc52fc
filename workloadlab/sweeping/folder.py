"""The folder of a sweep: a folder of runs whose files bear the digest of what they were made from.

A cell's files are renamed into place one by one, and the manifest is written last. So whoever is killed
leaves whole cells, and the next driver goes on behind them. The manifest stays locked meanwhile: a
second driver is told.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workloadlab.atomic import made_folder, scratch_folder, write_atomically
from workloadlab.digests import check_file, file_digest
from workloadlab.errors import DataError, UsageError
from workloadlab.scoring import KeptScore
from workloadlab.trace import (
    MANIFEST,
    Manifest,
    RunFile,
    RunInfo,
    Share,
    check_target,
    trace_digest,
    unlisted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from workloadlab.scoring import RunScore
    from workloadlab.sweeping.grid import Cell
    from workloadlab.sweeping.playing import Ended

__all__ = ["SweepFolder", "check_folder", "opened"]


@dataclass
class SweepFolder:
    """Keeps cells while a sweep runs.

    Attributes:
        folder: where.
        scratch: where files are written before they get their names.
        outcomes: whether a cell needs its outcome trace to be whole.
        afresh: whether cells that are there do not count.
        listed: digests of the files that the manifest lists, by name.
        infos: what a manifest says of a cell, by run_id.
    """

    folder: Path
    scratch: Path
    outcomes: bool
    afresh: bool
    listed: dict[str, str]
    infos: dict[str, RunInfo] = field(default_factory=dict)

    def find(self, cell: Cell) -> RunScore | None:
        """Return the score of a cell that is there, whole; else None."""
        path = self.folder / self._names(cell)["score"]
        if self.afresh or not path.is_file():
            return None
        try:
            kept = KeptScore.read(path)
            if self.outcomes:
                self._check_trace(self.folder / self._names(cell)["trace"])
        except (DataError, UsageError):
            return None
        self.infos[cell.run_id] = kept.info
        return kept.score

    def keep(self, ended: Ended) -> None:
        """Write down a cell."""
        names = self._names(ended.cell)
        content = {"score": json.dumps(ended.score).encode()}
        if ended.trace is not None:
            content["trace"] = ended.trace
        for kind in sorted(
            content, reverse=True
        ):  # the trace first: a score says that all is there
            written = self.scratch / kind
            written.write_bytes(content[kind])
            self.listed[names[kind]] = file_digest(written)
            written.replace(self.folder / names[kind])
        self.infos[ended.cell.run_id] = ended.info

    def manifest(
        self, cells: Sequence[Cell], cluster: dict[str, object], share: Share | None
    ) -> Manifest:
        """Return the manifest of cells that are all there."""
        kinds = ("score", "trace") if self.outcomes else ("score",)
        files = {
            cell.run_id: {kind: self._file(self._names(cell)[kind]) for kind in kinds}
            for cell in cells
        }
        return Manifest(cluster, tuple(self.infos[cell.run_id] for cell in cells), files, share)

    def _file(self, name: str) -> RunFile:
        return RunFile(name, self.listed.get(name) or file_digest(self.folder / name))

    def _check_trace(self, path: Path) -> None:
        """Refuse a trace that is not there, or is not what its own footer says."""
        if path.name not in self.listed or not path.is_file():
            check_file(path, trace_digest(path))

    @staticmethod
    def _names(cell: Cell) -> dict[str, str]:
        return {
            "score": RunFile.named(cell.run_id, cell.key, "json"),
            "trace": RunFile.named(cell.run_id, cell.key, "trace"),
        }


def check_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that a sweep cannot be written to; one of an earlier sweep goes on.

    Args:
        folder: absent, empty, or of a sweep.
        overwrite: replace runs of a replay.

    Raises:
        UsageError: it holds the runs of a replay, or other files.
    """
    if (folder / MANIFEST).is_file():
        check_target(folder, overwrite=True)
        if not overwrite and not Manifest.read(folder).is_sweep:
            raise UsageError(
                "holds the runs of a replay, which is no sweep", where=str(folder),
                fix="name a new folder, or replace them with --overwrite",
            )  # fmt: skip
    else:
        check_target(folder)


@contextmanager
def opened(
    folder: Path, *, outcomes: bool, overwrite: bool = False
) -> Iterator[tuple[SweepFolder, Path]]:
    """Yield the folder, locked, and where its manifest is written; nothing is lost if the block fails.

    Args:
        folder: absent, empty, or of a sweep.
        outcomes: whether outcome traces are kept.
        overwrite: run every cell again, and remove what is no part of the sweep.

    Raises:
        UsageError: as `check_folder`, or another driver writes there.
    """
    check_folder(folder, overwrite=overwrite)
    with made_folder(folder), write_atomically(folder / MANIFEST, folder=folder) as temporary:
        there = Manifest()
        if (folder / MANIFEST).is_file() and not overwrite:
            there = Manifest.read(folder)
        with scratch_folder(".runs-", folder) as scratch:
            listed = _digests(there.files.values())
            yield SweepFolder(folder, scratch, outcomes, overwrite, listed), temporary
    if overwrite:
        for path in unlisted(folder, Manifest.read(folder)):
            path.unlink(missing_ok=True)


def _digests(files: Iterable[dict[str, RunFile]]) -> dict[str, str]:
    return {file.name: file.sha256 for each in files for file in each.values()}
