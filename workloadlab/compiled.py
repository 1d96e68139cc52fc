"""Compiled code that spans files, and its cache on disk.

numba stamps a cached function with its own file, not with the files of the functions that it calls, so
an edit or an upgrade of those would go unnoticed and old machine code would run. A function that closes
over the digest of all its sources is another function to the cache when any of them changes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["digest_of"]


def digest_of(*modules: ModuleType) -> str:
    """Return a digest of the source files of modules."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]
