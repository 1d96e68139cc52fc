"""What a worker does with a unit: looks whether it runs the driver's version, then works.

A unit travels as bytes beside the driver's version, so that a worker of another version reads the
version and not the unit. What the user can mend comes back as a value: no engine tries it again.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError, MachineError, UnsupportedError, UsageError
from workloadlab.errors import WorkloadlabError as AnyError
from workloadlab.installation import code_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[Any, int | None], Any]

__all__ = ["PATIENCE_S", "WORKERS_S", "Order", "Refusal", "obey", "order", "say_idle", "unpacked"]


PATIENCE_S = 6.0
"""How long the address of a cluster is waited for."""

WORKERS_S = 10.0
"""How long workers are waited for before anything is said."""

_log = logging.getLogger("workloadlab")


def say_idle(engine: str, address: str) -> None:
    """Say that a cluster has nobody who could work."""
    _log.warning("the %s cluster at %s has no workers: waiting for one", engine, address)


@dataclass(frozen=True)
class Order:
    """A unit on its way.

    Attributes:
        code: the driver's version, in words.
        packed: the function and the unit, pickled.
    """

    code: str
    packed: bytes


@dataclass(frozen=True)
class Refusal:
    """An error that the user can mend, as a value.

    Attributes:
        kind: the name of its class.
        what, where, fix: its words.
    """

    kind: str
    what: str
    where: str | None
    fix: str | None


_KINDS = {each.__name__: each for each in (DataError, MachineError, UnsupportedError, UsageError)}


def order(work: Work, unit: Any) -> Order:
    """Pack a unit for a worker.

    Args:
        work: called with the unit and the number of threads that it may use.
        unit: what is worked on.
    """
    import cloudpickle

    return Order(code_in_words(), cloudpickle.dumps((work, unit)))


def obey(given: Order, threads: int | None) -> Any:
    """Do what an order says, on a worker; return its result, or a Refusal.

    Args:
        given: from `order`.
        threads: that the unit may use here; None for one per core.
    """
    import pickle

    host, ours = socket.gethostname(), code_in_words()
    if given.code != ours:
        return Refusal(
            "MachineError",
            f"a worker on {host} runs {ours}; this is {given.code}",
            None,
            "install the same versions on every worker",
        )
    work, unit = pickle.loads(given.packed)  # noqa: S301  from the driver, which may run anything
    try:
        return work(unit, threads)
    except AnyError as error:
        kind = type(error).__name__
        return Refusal(
            kind if kind in _KINDS else "UsageError", f"{error.what} (on worker {host})",
            error.where, error.fix,
        )  # fmt: skip


def unpacked(result: Any) -> Any:
    """Return a result as it is.

    Raises:
        WorkloadlabError: it is a Refusal.
    """
    if isinstance(result, Refusal):
        raise _KINDS[result.kind](result.what, where=result.where, fix=result.fix)
    return result
