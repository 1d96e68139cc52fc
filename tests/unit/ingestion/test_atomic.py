"""An ingest that does not finish leaves the old files, or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import workloadlab as wl
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
GOOD = HEADER + "2023-11-16 18:15:46,1,2\n"
MIXED = HEADER + "2023-11-16 18:15:46,3,4\nbad,1,2\n"
KILLED = """
import sys, time
import workloadlab as wl
from workloadlab.ingestion import ingest
import workloadlab.ingestion.ingest
module = sys.modules[sys.argv[3]]
write = getattr(module, sys.argv[4])
def stuck(*arguments):
    write(*arguments)
    print("writing", flush=True)
    time.sleep(60)
setattr(module, sys.argv[4], stuck)
wl.ingest(sys.argv[1], sys.argv[2])
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(GOOD)
    return path


def visible(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))


@pytest.mark.parametrize("step", ["write_trace", "_publish_rejects", "finish"])
@pytest.mark.parametrize(
    "error", [OSError("disk full"), KeyboardInterrupt()], ids=["full-disk", "interrupt"]
)
def test_an_error_while_writing_leaves_what_was_there(
    log: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    folder = log.parent
    wl.ingest(log, folder / "old.trace")
    before = (folder / "old.trace").read_bytes()
    log.write_text(MIXED)
    module = sys.modules["workloadlab.ingestion.ingest"]
    real = getattr(module, step)

    def broken(*arguments: object, **options: object) -> None:
        if step != "_publish_rejects":
            real(*arguments, **options)
        raise error

    monkeypatch.setattr(module, step, broken)
    for name in ("old.trace", "new.trace"):
        with pytest.raises(type(error)):
            wl.ingest(log, folder / name)
    assert (folder / "old.trace").read_bytes() == before
    assert sorted(each.name for each in folder.iterdir()) == ["log.csv", "old.trace"]


def test_the_trace_comes_last(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = log.parent / "out.trace"
    log.write_text(MIXED)
    module = sys.modules["workloadlab.ingestion.ingest"]
    real = module._publish_rejects

    def watched(target: Path, rejects: pl.DataFrame, **options: bool) -> None:
        real(target, rejects, **options)
        assert visible(log.parent) == ["log.csv", "out.trace.rejects.parquet"]

    monkeypatch.setattr(module, "_publish_rejects", watched)
    wl.ingest(log, out)
    assert visible(log.parent) == ["log.csv", "out.trace", "out.trace.rejects.parquet"]


@contextmanager
def stuck(log: Path, module: str, step: str) -> Iterator[None]:
    """Run the block while an ingest has done a step, and kill it then."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(log), str(log.parent / "out.trace"), module, step],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(wl.__file__).parent.parent)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        try:
            yield
        finally:
            process.send_signal(signal.SIGKILL)


STEPS = [
    ("workloadlab.trace.store", "fill_blank"),
    ("workloadlab.ingestion.ingest", "write_trace"),
]


@pytest.mark.parametrize(("module", "step"), STEPS)
def test_what_a_killed_ingest_leaves_is_hidden_and_removed_by_the_next(
    log: Path, module: str, step: str
) -> None:
    folder = log.parent
    with stuck(log, module, step):
        pass
    assert visible(folder) == ["log.csv"]
    wl.ingest(log, folder / "out.trace")
    assert sorted(each.name for each in folder.iterdir()) == ["log.csv", "out.trace"]


@pytest.mark.parametrize(("module", "step"), STEPS)
def test_a_second_ingest_is_told_of_the_first_until_its_end(
    log: Path, module: str, step: str
) -> None:
    with stuck(log, module, step), pytest.raises(UsageError, match="being written by another"):
        wl.ingest(log, log.parent / "out.trace")


def test_temporary_files_of_temporary_files_are_removed_too(log: Path) -> None:
    left = log.parent / "..out.trace.0123abcd.tmp.4567cdef.tmp"
    left.touch()
    wl.ingest(log, log.parent / "out.trace")
    assert not left.exists()
