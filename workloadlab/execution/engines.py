"""Who runs units: this process, or the workers of a cluster."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from workloadlab.errors import UsageError
from workloadlab.execution.knocking import knock
from workloadlab.execution.threads import workers
from workloadlab.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from workloadlab.execution.units import Work

__all__ = ["ENGINES", "Engine", "Local", "engine_named"]

ENGINES = {"local": "this process", "dask": "distributed", "ray": "ray"}
"""Names of engines, with the library behind each."""


class Engine(Protocol):
    """Runs units.

    Attributes:
        threads: that a unit has on a worker.
        workers: how many work at a time, as far as is known when it starts.
    """

    @property
    def threads(self) -> int:
        """Return how many threads a unit has."""

    @property
    def workers(self) -> int:
        """Return how many units run at a time."""

    def run(self, work: Work, units: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the place of each unit and its result, in the order in which they end.

        Args:
            work: called with a unit and the number of threads that it may use.
            units: what is worked on.
        """


@dataclass(frozen=True)
class Local:
    """Runs one unit after the other in this process, each on all of its threads."""

    threads: int
    workers: int = 1

    def run(self, work: Work, units: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the place of each unit and its result."""
        for place, unit in enumerate(units):
            yield place, work(unit, self.threads)


@contextmanager
def engine_named(
    name: str = "local", address: str | None = None, *, threads: int | None = None
) -> Iterator[Engine]:
    """Yield an engine, connected; it lets go of its cluster at the end.

    Args:
        name: local, dask or ray.
        address: of the cluster: `tcp://host:8786` of a Dask scheduler; `host:6379` of a Ray head that
            this machine has joined, or `ray://host:10001` from outside.
        threads: that a unit has; None for all cores of a worker.

    Raises:
        UsageError: no such engine, no address, or one too many, or its library is not installed.
        MachineError: nobody answers there.

    Example:
        >>> with engine_named(threads=1) as engine:
        ...     list(engine.run(lambda unit, threads: unit * threads, [3, 4]))
        [(0, 3), (1, 4)]
    """
    if name not in ENGINES:
        raise UsageError(f"no engine is called {name!r}", fix=did_you_mean(name, ENGINES))
    at_a_time = workers(threads)
    if name == "local":
        if address is not None:
            raise UsageError(
                f"--address {address} without an engine", fix="add --engine dask or --engine ray"
            )
        yield Local(at_a_time)
        return
    if not address:
        raise UsageError(f"--engine {name} needs the address of its cluster", fix="add --address")
    if find_spec(ENGINES[name]) is None:
        raise UsageError(
            f"--engine {name} needs {ENGINES[name]}, which is not installed",
            fix=f"pip install 'workloadlab[{name}]'",
        )
    knock(name, address)
    with _connect(name)(address, threads) as engine:
        yield engine


def _connect(name: str) -> Callable[[str, int | None], AbstractContextManager[Engine]]:
    if name == "dask":
        from workloadlab.execution import dask_engine

        return dask_engine.connected
    from workloadlab.execution import ray_engine

    return ray_engine.connected
