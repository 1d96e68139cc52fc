"""`merge`: the folders of all shards of a sweep become the folder that one machine would have made."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from workloadlab.atomic import made_folder, scratch_folder, write_atomically
from workloadlab.errors import DataError, UsageError
from workloadlab.trace import MANIFEST, Manifest, Share
from workloadlab.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["merge"]

NAMED = 5
"""Shards that are named one by one, where some are missing."""


def merge(parts: Iterable[str | Path], out: str | Path) -> Manifest:
    """Join the folders of the shards of one sweep; the result has the bytes of a sweep in one piece.

    Args:
        parts: every shard's folder, in any order.
        out: absent or empty.

    Raises:
        UsageError: a folder is no shard, a shard is missing or given twice, or they are shards of
            different sweeps.
        DataError: a part is damaged, or a file of it is missing; names it.
    """
    from workloadlab.sweeping.folder import check_folder

    out, folders = Path(out), [Path(part) for part in parts]
    _check_once(folders)
    read = {folder: _read(folder) for folder in folders}
    _check(read)
    check_folder(out)
    infos = {info.run_id: info for manifest in read.values() for info in manifest.runs}
    files = {run_id: each for manifest in read.values() for run_id, each in manifest.files.items()}
    first = read[folders[0]]
    order = _share_of(folders[0], first).runs
    joined = Manifest(
        first.cluster,
        tuple(infos[run_id] for run_id in order),
        {run_id: files[run_id] for run_id in order},
    )
    with made_folder(out), write_atomically(out / MANIFEST, folder=out) as temporary:
        with scratch_folder(".runs-", out) as scratch:
            copied = [_copied(part, scratch) for part in read.items()]
            for name in (name for names in copied for name in names):  # only now is all known whole
                (scratch / name).replace(out / name)
        joined.write(temporary)
    return joined


def _check_once(folders: list[Path]) -> None:
    """Refuse a folder that is given twice."""
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise UsageError("is given twice", where=str(folder), fix="give each shard once")
        seen.add(folder.resolve())


def _read(folder: Path) -> Manifest:
    """Read the manifest of a part; of a damaged one, say how to make the part again."""
    try:
        return Manifest.read(folder)
    except DataError as error:
        raise DataError(error.what, where=error.where, fix=_again(folder)) from error


def _copied(part: tuple[Path, Manifest], scratch: Path) -> list[str]:
    """Copy the files of a part, whose digests are looked at, and return their names."""
    folder, manifest = part
    share = _share_of(folder, manifest)
    names = []
    for file in (file for each in manifest.files.values() for file in each.values()):
        try:
            shutil.copyfile(file.at(folder), scratch / file.name)
        except DataError as error:
            fix = _again(folder, f"{share.number}/{share.of}")
            raise DataError(error.what, where=error.where, fix=fix) from error
        names.append(file.name)
    return names


def _again(folder: Path, shard: str = "K/N") -> str:
    return (
        "remove the folder and run the shard again: workloadlab replay TRACE --sweep FILE "
        f"--shard {shard} -o {folder}"
    )


def _check(read: dict[Path, Manifest]) -> None:
    """Refuse what is not every shard of one sweep, once."""
    if not read:
        raise UsageError("nothing to merge", fix="workloadlab merge PARTS... -o OUT")
    shares = {folder: _share_of(folder, manifest) for folder, manifest in read.items()}
    first_folder, first = next(iter(shares.items()))
    by_number: dict[int, Path] = {}
    for folder, share in shares.items():
        if (share.of, share.sweep) != (first.of, first.sweep):
            raise UsageError(
                f"is a shard of another sweep than {first_folder}", where=str(folder),
                fix="run every shard with the same sweep file, trace and version",
            )  # fmt: skip
        if share.number in by_number:
            raise UsageError(
                f"is shard {share.number}/{share.of}, and so is {by_number[share.number]}",
                where=str(folder), fix="give each shard once",
            )  # fmt: skip
        by_number[share.number] = folder
    missing = sorted(set(range(1, first.of + 1)) - set(by_number))
    if missing:
        named = listed([str(number) for number in missing[:NAMED]])
        more = f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
        raise UsageError(
            f"of {first.of} shards are missing: {named}{more}",
            fix=f"run them: workloadlab replay TRACE --sweep FILE --shard {missing[0]}/{first.of} "
            "-o PART",
        )
    held = {info.run_id for manifest in read.values() for info in manifest.runs}
    lost = [run_id for run_id in first.runs if run_id not in held]
    if lost:
        raise DataError(
            f"no shard holds {lost[0]}", where=str(first_folder), fix="run the shards again"
        )


def _share_of(folder: Path, manifest: Manifest) -> Share:
    if manifest.share is None:
        raise UsageError(
            "is no shard of a sweep", where=str(folder),
            fix="name the folders that `workloadlab replay --sweep FILE --shard K/N -o` wrote",
        )  # fmt: skip
    return manifest.share
