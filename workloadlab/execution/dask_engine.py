"""Units on the workers of a Dask cluster: futures of `distributed`, run again when a worker dies."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.errors import MachineError
from workloadlab.execution.threads import workers
from workloadlab.execution.units import (
    PATIENCE_S,
    WORKERS_S,
    Order,
    obey,
    order,
    say_idle,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workloadlab.execution.units import Work

__all__ = ["DaskEngine", "connected"]

RETRIES = 3


@dataclass(frozen=True)
class DaskEngine:
    """Runs units on the workers of a scheduler.

    Attributes:
        client: of `distributed`.
        asked: threads that a unit has; 0 for all cores of a worker.
    """

    client: Any
    asked: int

    @property
    def workers(self) -> int:
        """Units that run at a time."""
        return sum(each["nthreads"] for each in self._workers) or 1

    @property
    def threads(self) -> int:
        """Threads of a unit: as asked, or as many as a worker's cores suggest."""
        return self.asked or workers(None)

    @property
    def _workers(self) -> list[dict[str, Any]]:
        return list(self.client.scheduler_info(n_workers=-1)["workers"].values())

    def run(self, work: Work, units: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the place of each unit and its result, as they end.

        Raises:
            MachineError: the cluster went away, or a unit ended worker after worker.
        """
        from distributed import as_completed

        futures = {
            self.client.submit(
                _obey, order(work, unit), self.asked, retries=RETRIES, pure=False
            ): place
            for place, unit in enumerate(units)
        }
        try:
            for future in as_completed(futures, loop=self.client.loop):
                yield futures[future], unpacked(_result(future))
                future.release()
        finally:
            self.client.cancel(list(futures), force=True)


def _result(future: Any) -> Any:
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        return future.result()
    except KilledWorker as error:
        raise MachineError(
            f"a unit ended {RETRIES} workers and more: {str(error)[:200]}",
            fix="give the workers more memory, or units fewer --threads",
        ) from None
    except (CancelledError, CommClosedError, TimeoutError):
        raise MachineError(
            "lost the Dask scheduler", fix="start it, and run this again: it goes on where it was"
        ) from None
    except ModuleNotFoundError as error:
        raise MachineError(
            f"a worker cannot import {error.name}", fix="install the same versions on every worker"
        ) from None


def _obey(given: Order, asked: int) -> Any:
    """Obey on a worker, whose units share its cores."""
    from distributed import get_worker

    return obey(given, asked or max(1, workers(None) // get_worker().state.nthreads))


@contextmanager
def connected(address: str, threads: int | None) -> Iterator[DaskEngine]:
    """Connect to a scheduler.

    Args:
        address: `tcp://host:8786`.
        threads: that a unit has; None for all cores of a worker.

    Raises:
        MachineError: no scheduler answers.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise MachineError(
            f"no Dask scheduler answers at {address}: {str(error)[:200]}",
            fix="check that it runs, and that both sides have the same version of distributed",
        ) from None
    try:
        try:
            client.wait_for_workers(1, timeout=WORKERS_S)
        except TimeoutError:
            say_idle("Dask", address)
        yield DaskEngine(client, threads or 0)
    finally:
        client.close(timeout=2)
