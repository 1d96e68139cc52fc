"""The manifest of a folder of runs: which run is which file, with the digest of each.

A run's file bears its digest in its name, and the manifest is written last. So a folder that is killed
while it is written holds the old runs, or none; never some of each.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workloadlab.atomic import check_place
from workloadlab.digests import check_object, file_digest, sealed, verifying
from workloadlab.errors import DataError, UsageError
from workloadlab.json_files import read_object
from workloadlab.shapes import ShapeError, build

__all__ = ["MANIFEST", "Manifest", "RunFile", "RunInfo", "Share", "check_target", "unlisted"]

MANIFEST = "manifest.json"
MANIFEST_VERSION = 2

_RUN_FILE = re.compile(r"[\w.,+=@-]+\.[0-9a-f]{16}\.(trace|parquet|json)")
_OURS = re.compile(rf"{_RUN_FILE.pattern}|\..+\.[0-9a-f]{{8}}\.tmp|\.runs-.+")
"""What a replay that was killed may leave."""


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """What one run replayed.

    Attributes:
        run_id: unique name within the folder.
        router: the routing policy's name.
        rate_scale: arrival rate relative to the trace.
        seed: index of the seed, from 0.
        instances: number of instances in the cluster.
        steps: engine steps simulated.
        steps_outside_domain: steps whose batch lay outside the latency model's fitted domain.
        cluster: name of the cluster, among joined runs of several; else "".
    """

    run_id: str
    router: str
    rate_scale: float
    seed: int
    instances: int
    steps: int = 0
    steps_outside_domain: int = 0
    cluster: str = ""


@dataclass(frozen=True)
class RunFile:
    """A file of a run: its name in the folder, and its digest."""

    name: str
    sha256: str

    @classmethod
    def placed(cls, written: Path, stem: str, ending: str) -> RunFile:
        """Give a file that was just written the name of its content, in its own folder."""
        digest = file_digest(written)
        name = cls.named(stem, digest, ending)
        written.replace(written.with_name(name))
        return cls(name, digest)

    @staticmethod
    def named(stem: str, digest: str, ending: str) -> str:
        """Return a file's name: what it is of, the beginning of a digest, and its kind."""
        plain = re.sub(r"[^\w.,+=@-]", "_", stem)
        return f"{plain}.{digest[:16]}.{ending}"

    def at(self, folder: Path) -> Path:
        """Return the file, checked.

        Raises:
            DataError: it is missing, or another one than was written.
        """
        path = folder / self.name
        again = "replay again with --overwrite"
        if not path.is_file():
            raise DataError("is missing, but its manifest lists it", where=str(path), fix=again)
        if verifying() and file_digest(path) != self.sha256:
            raise DataError(
                "is damaged, or not the file that was written here", where=str(path), fix=again
            )
        return path


@dataclass(frozen=True)
class Share:
    """The part of a sweep that a folder holds, where it does not hold all.

    Attributes:
        number, of: which shard, from 1, of how many.
        sweep: digest of all its runs and what they are made of.
        runs: the run_id of every run of the sweep, in order.
    """

    number: int
    of: int
    sweep: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """What a folder of runs holds.

    Attributes:
        cluster: as plain data.
        runs: in order.
        files: by run_id, its "trace" and what was recorded beside it; of a sweep its "score".
        share: of a sweep, where these are not all of its runs.
    """

    cluster: dict[str, Any] = field(default_factory=dict)
    runs: tuple[RunInfo, ...] = ()
    files: dict[str, dict[str, RunFile]] = field(default_factory=dict)
    share: Share | None = None

    @property
    def is_sweep(self) -> bool:
        """Whether a sweep wrote it."""
        return bool(self.runs) and all("score" in each for each in self.files.values())

    @property
    def has_outcomes(self) -> bool:
        """Whether each run has its outcome trace."""
        return all("trace" in each for each in self.files.values())

    def write(self, path: Path) -> None:
        """Write it as JSON with its digest."""
        facts = {"manifest_version": MANIFEST_VERSION, **asdict(self)}
        if self.share is None:
            del facts["share"]
        path.write_text(json.dumps(sealed(facts), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a folder.

        Raises:
            UsageError: there is none, or the sweep that is to write it is not finished.
            DataError: it is damaged, of another version, or names a file outside the folder or twice.
        """
        path = folder / MANIFEST
        if not path.is_file():
            if _of_unfinished_sweep(folder):
                raise UsageError(
                    "the sweep in it is not finished", where=str(folder),
                    fix="run it again with the same command: it goes on where it was",
                )  # fmt: skip
            raise UsageError(
                f"no {MANIFEST} here, so this is no folder of runs",
                where=str(folder),
                fix="name the folder that `workloadlab replay -o` wrote",
            )
        again = "remove the folder, and replay again"
        facts = read_object(path, fix=again)
        version = facts.get("manifest_version")
        if version != MANIFEST_VERSION:
            raise DataError(
                f"has manifest version {str(version)[:20]}; this version reads {MANIFEST_VERSION}",
                where=str(path),
                fix=again,
            )
        try:
            manifest: Manifest = build(cls, check_object(facts, str(path)))
        except ShapeError as error:
            raise DataError(f"is damaged: {error}", where=str(path), fix=again) from error
        manifest._check(str(path))
        return manifest

    def _check(self, where: str) -> None:
        """Refuse runs without a trace, or files that are shared or lie elsewhere."""
        ids = [info.run_id for info in self.runs]
        names = [file.name for files in self.files.values() for file in files.values()]
        problem = None
        if len(set(ids)) < len(ids) or len(set(names)) < len(names):
            problem = "names one run or one file twice"
        elif set(ids) != set(self.files) or not all(
            {"trace", "score"} & set(each) for each in self.files.values()
        ):
            problem = "does not list one trace or score for each run"
        elif strange := [name for name in names if not _RUN_FILE.fullmatch(name)]:
            problem = f"lists {strange[0][:60]!r}, which is no file of a run in this folder"
        if problem:
            raise DataError(problem, where=where, fix="remove the folder, and replay again")


def check_target(folder: str | Path, *, add: bool = False, overwrite: bool = False) -> None:
    """Refuse a folder that runs cannot be written to.

    Args:
        folder: where to write; absent, empty, or with runs.
        add: join the runs that are there.
        overwrite: replace them.

    Raises:
        UsageError: it is a file, holds runs and neither is asked for, or belongs to somebody else.
        MachineError: nothing can be written there.
    """
    folder = Path(folder)
    if add and overwrite:
        raise UsageError("--add and --overwrite exclude each other", fix="give one of them")
    check_place(folder, folder=True)
    if not folder.is_dir():
        return
    if _is_manifest(folder / MANIFEST):
        if not (add or overwrite):
            raise UsageError(
                "already holds runs",
                where=str(folder),
                fix="name a new folder, join them with --add, or replace them with --overwrite",
            )
        return
    strange = sorted(path.name for path in folder.iterdir() if not _OURS.fullmatch(path.name))
    if strange:
        raise UsageError(
            f"holds files that are no runs, such as {strange[0][:60]}",
            where=str(folder),
            fix="name a new or an empty folder for the runs",
        )


def unlisted(folder: Path, manifest: Manifest) -> list[Path]:
    """Return the files of runs in a folder that its manifest does not list: replaced, or cut short."""
    listed = {file.name for files in manifest.files.values() for file in files.values()}
    return [
        path
        for path in folder.iterdir()
        if path.name not in listed and _RUN_FILE.fullmatch(path.name)
    ]


def _of_unfinished_sweep(folder: Path) -> bool:
    """Say whether a folder without a manifest holds scores, which only a sweep writes."""
    return any(_RUN_FILE.fullmatch(path.name) for path in folder.glob("*.json"))


def _is_manifest(path: Path) -> bool:
    try:
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and "manifest_version" in facts and "runs" in facts
