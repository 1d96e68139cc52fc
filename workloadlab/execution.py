"""Where lanes run: threads of this process, because compiled lanes release the GIL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["run_lanes"]

MOST_THREADS = 1024


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

    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise UsageError(f"threads = {threads!r}", fix=f"use 1 to {MOST_THREADS}")
    workers = threads or len(os.sched_getaffinity(0))
    tasks = (delayed(lane)(*args) for args in arguments)
    return list(Parallel(n_jobs=workers, prefer="threads")(tasks))
