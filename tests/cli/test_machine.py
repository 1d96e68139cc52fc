"""What the machine does to a command: full disks, no leave, no memory, and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.cli import main as door
from workloadlab.cli.terminal.machine import machine_error

FULL = pl.exceptions.ComputeError("No space left on device (os error 28)")
PANIC = pl.exceptions.PanicException("index out of bounds: the len is 3")


def caused(error):
    outer = RuntimeError("while writing")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(28, "No space left on device", "/x/a.trace"), 4, "/x/a.trace: the disk is full"),
        (FULL, 4, "the disk is full"),
        (caused(FULL), 4, "the disk is full"),
        (PermissionError(13, "Permission denied", "/x"), 4, "/x: no permission"),
        (FileNotFoundError(2, "No such file", "/x"), 4, "/x: no such file or folder"),
        (MemoryError(), 4, "not enough memory"),
        (RuntimeError("can't start new thread"), 4, "no more threads"),
        (RecursionError(), 3, "nested too deeply"),
        (PANIC, 3, "a file is damaged"),
        (KeyError("a"), 70, "this is a bug in workloadlab"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_errors_of_the_machine_are_sentences(run, monkeypatch, error, code, said):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr(door.cli, "main", failing)
    ended, _, words = run("query")
    assert ended == code
    assert said in words


def test_an_error_of_ours_is_none_of_the_machine():
    assert machine_error(caused(KeyError("a"))) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs signals and pipes")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_an_ingest_without_leftovers(tmp_path, number, code):
    out = tmp_path / "out"
    out.mkdir()
    words = ["ingest", "-", "-o", str(out / "a.trace")]
    with subprocess.Popen(
        [sys.executable, "-m", "workloadlab", *words], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(b"TIMESTAMP,ContextTokens,GeneratedTokens\n")
        process.stdin.flush()
        while not any(out.glob(".ingest-*/stdin")):
            assert process.poll() is None
            time.sleep(0.02)
        start = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == code
        assert time.monotonic() - start < 2
    assert list(out.iterdir()) == []


FULL_DEVICE = Path("/dev/full")


@pytest.mark.skipif(not FULL_DEVICE.exists(), reason="needs a device that is full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_standard_output_that_is_full_is_called_so(unbuffered):
    with FULL_DEVICE.open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "workloadlab", "query", "--list"], check=False, text=True,
            stdout=full, stderr=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert ended.returncode == 4
    assert ended.stderr.startswith("error: standard output takes no more: the disk is full")


@pytest.mark.skipif(os.name != "posix", reason="needs pipes that break")
@pytest.mark.parametrize("words", [["query", "--list"], ["--help"]], ids=["verb", "help"])
def test_an_output_that_nobody_reads_ends_quietly(words):
    reads, writes = os.pipe()
    os.close(reads)
    ended = subprocess.run(
        [sys.executable, "-m", "workloadlab", *words], check=False, stdout=writes,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (141, b"")


INTERRUPTED = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "workloadlab.cli.main":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from workloadlab.__main__ import main
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_an_interrupt_before_the_command_can_speak_shows_no_traceback():
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED], check=False, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b"")


def test_no_verify_reads_a_damaged_trace(run, tmp_path):
    path = wl.Trace.of([(0, 10, 5), (1, 20, 6)]).save(tmp_path / "a.trace").path
    path.write_bytes(path.read_bytes().replace(b'"notes": []', b'"nodes": []'))
    code, _, said = run("query", "length_quantiles", path)
    assert code == 3
    assert "--no-verify" in said
    assert run("--no-verify", "query", "length_quantiles", path)[0] == 0


@pytest.mark.skipif(os.name != "posix", reason="needs limits of the address space")
def test_a_narrow_address_space_is_refused_before_threads_wait_for_each_other():
    import resource

    ended = subprocess.run(
        [sys.executable, "-m", "workloadlab", "query", "--list"],
        capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9)),
    )  # fmt: skip
    assert ended.returncode == 4
    assert "limited to 1.0 GB" in ended.stderr
    assert "ulimit -v" in ended.stderr


def test_an_oracle_that_needs_more_memory_than_allowed_is_refused_before_it_starts(run, tmp_path):
    path = wl.Trace.of([(k, 10, 5) for k in range(1000)]).save(tmp_path / "a.trace").path
    words = ["replay", path, "--latency", "h100-llama-3.1-8b", "--router", "rollout_8"]
    code, _, said = run(*words, "--memory-limit", "64MiB", "--seeds", 2000)
    assert code == 4
    assert "2,000 runs of 1,000 requests needs about" in said


def test_a_replay_that_needs_more_memory_than_allowed_is_refused_before_it_starts(run, tmp_path):
    path = wl.Trace.of([(k, 10, 5) for k in range(1000)]).save(tmp_path / "a.trace").path
    words = ["replay", path, "--latency", "h100-llama-3.1-8b", "--router", "round_robin",
             "--memory-limit", "64MiB", "--seeds"]  # fmt: skip
    code, _, said = run(*words, 2000)
    assert code == 4
    assert "2,000 runs of 1,000 requests needs about 301.8 MB and may use 67.1 MB" in said
    assert "runs at a time" in said
    assert run(*words, 1)[0] == 0
