"""Compiled code that spans files, and its cache on disk.

numba stamps a cached function with its own file, not with the files of the functions that it calls, so
an edit or an upgrade of those would go unnoticed and old machine code would run. A function whose name
ends in a digest of all kernels is another function to the cache when any of them changes.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["stamped"]

_PACKAGE = Path(__file__).parent


@cache
def _digest() -> str:
    """Return the digest of all that kernels are compiled from: themselves, and what routers see."""
    digest = hashlib.sha256()
    for source in [*sorted(_PACKAGE.glob("*/*kernel*.py")), _PACKAGE / "routing" / "records.py"]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def stamped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Name a function that is about to be compiled after the digest of all kernels.

    Example:
        >>> def double(number):
        ...     return 2 * number
        >>> len(stamped(double).__qualname__) - len("double")
        17
    """
    function.__qualname__ = f"{function.__qualname__}_{_digest()}"
    return function
