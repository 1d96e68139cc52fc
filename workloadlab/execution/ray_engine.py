"""Units on the nodes of a Ray cluster: one task each, run again when its node dies."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.errors import MachineError, UsageError
from workloadlab.execution.knocking import knock
from workloadlab.execution.units import WORKERS_S, obey, order, say_idle, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workloadlab.execution.units import Work

__all__ = ["RayEngine", "connected"]

RETRIES = 3

IN_FLIGHT = 4
"""Units that are sent ahead, for each one that runs."""

LOOK_S = 0.5
"""Between two looks for nodes."""

WATCH_S = 5.0
"""Between two looks at the cluster while no unit ends."""

LOST_S = 15.0
"""How long a head may be away; Ray itself would end the driver a minute after."""


@dataclass(frozen=True)
class RayEngine:
    """Runs units on the nodes of a cluster.

    Attributes:
        address: of the head.
        threads: that a unit has; Ray counts as many CPUs for it.
        workers: units that ran at a time when it started.
    """

    address: str
    threads: int
    workers: int

    def run(self, work: Work, units: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the place of each unit and its result, as they end.

        Raises:
            MachineError: the cluster went away, or a unit ended worker after worker.
        """
        import ray

        remote = ray.remote(max_retries=RETRIES, num_cpus=self.threads)(obey)
        waiting = iter(enumerate(units))
        running: dict[Any, int] = {}
        try:
            while True:
                while len(running) < IN_FLIGHT * self.workers and (one := next(waiting, None)):
                    running[remote.remote(order(work, one[1]), self.threads)] = one[0]
                if not running:
                    return
                ended = self._first(list(running))
                yield running.pop(ended), unpacked(_result(ended))
        except _LostError:
            running.clear()
            raise
        finally:
            for each in running:
                ray.cancel(each, force=True)

    def _first(self, running: list[Any]) -> Any:
        """Wait until a unit has ended, and look after the cluster meanwhile."""
        import ray

        answered, told = time.monotonic(), False
        while True:
            ended, _ = ray.wait(running, num_returns=1, timeout=WATCH_S)
            if ended:
                return ended[0]
            try:
                knock("ray", self.address)
            except MachineError:
                if time.monotonic() - answered > LOST_S:
                    raise _LostError(
                        f"lost the Ray cluster at {self.address}",
                        fix="start it, and run this again: it goes on where it was",
                    ) from None
                continue
            answered = time.monotonic()
            if not told and not _sizes():
                say_idle("Ray", self.address)
                told = True


class _LostError(MachineError):
    """Nobody is left who could be told to stop."""


def _result(ended: Any) -> Any:
    import ray

    try:
        return ray.get(ended)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if not isinstance(cause, ModuleNotFoundError):
            raise
        raise MachineError(
            f"a worker cannot import {cause.name}", fix="install the same versions on every worker"
        ) from None
    except ray.exceptions.RayError as error:
        raise MachineError(
            f"Ray gave a unit up: {type(error).__name__}: {str(error)[:200]}",
            fix="look after the cluster, and run this again: it goes on where it was",
        ) from None


def _sizes() -> list[int]:
    """Return the CPUs of every node that has some."""
    import ray

    sizes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    return [size for size in sizes if size]


@contextmanager
def connected(address: str, threads: int | None) -> Iterator[RayEngine]:
    """Connect to a cluster.

    Args:
        address: `host:6379` of a head whose cluster this machine has joined, or `ray://host:10001`.
        threads: that a unit has; None for all CPUs of the smallest node.

    Raises:
        UsageError: no node has so many CPUs.
        MachineError: no cluster answers.
    """
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ray.init(address, log_to_driver=False, logging_level="ERROR", configure_logging=False)
        except Exception as error:
            raise MachineError(
                f"no Ray cluster answers at {address}: {str(error)[:200]}",
                fix="check that it runs, and that both sides have the same versions of Ray and Python",
            ) from None
    try:
        sizes = _sizes()
        until = time.monotonic() + WORKERS_S
        while not sizes and time.monotonic() < until:
            time.sleep(LOOK_S)
            sizes = _sizes()
        if not sizes:
            say_idle("Ray", address)
        each = threads or min(sizes, default=1)
        if each > max(sizes, default=1):
            raise UsageError(
                f"--threads {each}, and no node of the Ray cluster has so many CPUs",
                fix=f"use {max(sizes, default=1)} or fewer",
            )
        yield RayEngine(address, each, sum(size // each for size in sizes) or 1)
    finally:
        ray.shutdown()
