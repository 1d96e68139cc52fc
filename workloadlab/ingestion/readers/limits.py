"""What no log goes beyond: a small file that unfolds into a large one, or a pipe that stays silent."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from workloadlab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LIMITS", "limit", "refuse_beyond", "without_limits"]

LIMITS = {
    "columns": 10_000,
    "bytes in one record": 64 << 20,
    "bad rows": 1_000_000,
    "times its packed size": 300,
    "seconds without a byte": 300,
}
"""Per name, the most of it; `ingest --no-limits` reads on."""

PACKED_BYTES = 16 << 20
"""Below it, a packed file may unfold as it likes."""

_on: ContextVar[bool] = ContextVar("limits", default=True)


@contextmanager
def without_limits() -> Iterator[None]:
    """Read logs beyond the limits."""
    before = _on.set(False)
    try:
        yield
    finally:
        _on.reset(before)


def limit(name: str) -> float | None:
    """Return a limit; None where the user asked for none."""
    return LIMITS[name] if _on.get() else None


def refuse_beyond(name: str, found: float, path: Path) -> None:
    """Refuse a file that goes beyond a limit.

    Raises:
        DataError: it does; names the limit.

    Example:
        >>> from pathlib import Path
        >>> refuse_beyond("columns", 1_000_000, Path("a.csv"))
        Traceback (most recent call last):
        ...
        workloadlab.errors.DataError: a.csv: has over 10,000 columns, more than a log of requests has
          fix: check the file; --no-limits reads it all the same
    """
    most = limit(name)
    if most is not None and found > most:
        raise DataError(
            f"has over {most:,} {name}, more than a log of requests has",
            where=str(path),
            fix="check the file; --no-limits reads it all the same",
        )
