"""Lanes run in threads of this process, because compiled lanes release the GIL."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import number, whole_number
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["on_one_thread", "run_lanes", "watched", "watcher", "workers"]

MOST_THREADS = 1024

_WATCHER: ContextVar[Callable[[int, int], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def on_one_thread(*libraries: str) -> Iterator[None]:
    """Let libraries that bring threads of their own compute on one.

    Several wait for each other where matrices are small, on a busy machine most of the time, and sums
    depend on their number.

    Args:
        libraries: modules, imported before, because the limit reaches those that are loaded.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    for library in libraries:
        import_module(library)
    with threadpool_limits(1):
        yield


@contextmanager
def watched(tell: Callable[[int, int], None] | None) -> Iterator[None]:
    """Tell how many lanes have ended, and of how many, while a block runs them.

    Lanes that a lane runs are not told of.

    Args:
        tell: called at each end with the lanes of one `run_lanes` that ended, and all of them; None
            tells nobody.

    Example:
        >>> told = []
        >>> with watched(lambda done, total: told.append((done, total))):
        ...     run_lanes(abs, [(-1,), (-2,)])
        [1, 2]
        >>> told
        [(0, 2), (1, 2), (2, 2)]
    """
    token = _WATCHER.set(tell)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def workers(threads: int | None) -> int:
    """Return how many lanes run at a time: as many as given, or one per core this process may use.

    Cores are counted by affinity and by the limit of a container.

    Raises:
        UsageError: no number of threads, or too many.
    """
    from joblib import cpu_count

    if threads is None:
        return int(cpu_count())
    if not 1 <= number("threads", threads) <= MOST_THREADS:
        raise UsageError(f"threads = {threads!r}", fix=f"use 1 to {MOST_THREADS}")
    return whole_number("threads", threads)


def watcher() -> Callable[[int, int], None]:
    """Return whom to tell how much has ended, and of how much; nobody outside of `watched`."""
    return _WATCHER.get() or (lambda _done, _total: None)


def run_lanes(
    lane: Callable[..., Any],
    arguments: Iterable[tuple[Any, ...]],
    *,
    threads: int | None = None,
) -> list[Any]:
    """Call `lane(*args)` for every item of `arguments`; results come back in order.

    Args:
        lane: the function to run; must release the GIL to gain from threads.
        arguments: one tuple per call.
        threads: how many at a time; None for one per core this process may use.

    Raises:
        UsageError: no number of threads, or too many.
    """
    from joblib import Parallel, delayed

    at_a_time = workers(threads)
    tell = _WATCHER.get()
    if tell is None:
        tasks = (delayed(lane)(*args) for args in arguments)
        return list(Parallel(n_jobs=at_a_time, prefer="threads")(tasks))
    every = list(arguments)
    alone = _unwatched(lane)
    found: list[Any] = []
    tell(0, len(every))
    pool = Parallel(n_jobs=at_a_time, prefer="threads", return_as="generator")
    for result in pool(delayed(alone)(*args) for args in every):
        found.append(result)
        tell(len(found), len(every))
    return found


def _unwatched(lane: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        with watched(None):
            return lane(*args)

    return run
