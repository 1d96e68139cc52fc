"""Real clusters of two workers on this machine, and drivers in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Killable", "dask_cluster", "descendants", "drive", "end_tree", "ray_cluster"]

TESTS = Path(__file__).resolve().parents[1]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
    "LOKY_MAX_CPU_COUNT": "1",  # as if each worker had a node of one core
    "RAY_USAGE_STATS_ENABLED": "0",
}
PATIENCE_S = 60
RAY_RUNS = "Ray runtime started"

Killable = tuple[str, int]
"""The address of a cluster, and the process of one of its workers."""


def drive(engine: str, address: str, folder: Path, fate: str) -> subprocess.CompletedProcess[str]:
    """Run a driver of the small sweep to its end, or to its death."""
    words = [sys.executable, "-m", "support.driver", engine, address, str(folder), fate]
    return subprocess.run(
        words, env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False
    )


@contextmanager
def dask_cluster() -> Iterator[Killable]:
    """Start a scheduler and two workers; yield its address and the process of a worker."""
    port = _free_port()
    address = f"tcp://127.0.0.1:{port}"
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    words = [
        ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        worker,
        worker,
    ]
    with _processes([[sys.executable, "-m", "dask", *each] for each in words]) as started:
        _wait_for_port(port)
        yield address, started[1].pid


@contextmanager
def ray_cluster() -> Iterator[Killable]:
    """Start a head without CPUs and two nodes of one; yield its address and the process of a node.

    One after the other: of two that start at once on a machine one often aborts, because both take the
    same name for their socket (Ray 2.60), and then the other is the only one that can be killed. Ray's
    folder has a short name, for it holds sockets, whose paths may have 107 characters.
    """
    port = _free_port()
    address = f"127.0.0.1:{port}"
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"]
    small = ["--object-store-memory", "80000000"]
    head = [*ray, *small, "--head", "--port", str(port), "--num-cpus", "0"]
    head += ["--include-dashboard", "false"]
    node = [*ray, "--address", address, "--num-cpus", "1", *small]
    with (
        TemporaryDirectory(prefix="ray") as folder,
        _processes([[*head, "--temp-dir", folder]], says=RAY_RUNS),
        _processes([node], says=RAY_RUNS) as nodes,
        _processes([node], says=RAY_RUNS),
    ):
        yield address, nodes[0].pid


@contextmanager
def _processes(words: list[list[str]], says: str = "") -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes in sessions of their own; end them, and all that they started, at the end.

    Each is waited for until it has said that it runs, where it says so.
    """
    quiet = {
        "stdout": subprocess.PIPE if says else subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    started = [
        subprocess.Popen(each, env=ENVIRONMENT, start_new_session=True, text=True, **quiet)
        for each in words
    ]
    try:
        for process in started if says else []:
            assert any(says in line for line in process.stdout), f"{process.args} did not start"
        yield started
    finally:
        for process in started:
            end_tree(process.pid)
            with process:
                process.wait(PATIENCE_S)


def end_tree(pid: int) -> None:
    """Kill a process and all that it started."""
    for each in [*descendants(pid), pid]:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Return the processes that one has started, and those that these have."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found = re.match(r"(\d+) \(.*\) \S (\d+)", path.read_text(), re.DOTALL)
        except OSError:
            continue
        if found:
            children.setdefault(int(found[2]), []).append(int(found[1]))
    waiting, below = [pid], []
    while waiting:
        more = children.get(waiting.pop(), [])
        waiting += more
        below += more
    return below


def _free_port() -> int:
    """Return a port below those that Ray takes for its workers."""
    for port in range(8600, 9900):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def _wait_for_port(port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nobody listens at port {port}")
