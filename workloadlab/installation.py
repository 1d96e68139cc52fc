"""Facts about an installation and its machine that a bug report needs; none of them private."""

from __future__ import annotations

import os
import platform
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from workloadlab._version import __version__

__all__ = ["code_in_words", "facts", "memory_bytes"]

EXTRAS = {
    "dask": "distributed",
    "learn": "cma",
    "measure": "torch",
    "ray": "ray",
    "rl": "gymnasium",
}
"""The library behind each extra."""

COMPUTING = ("numba", "numpy", "polars")
"""The libraries that results are computed with."""


@cache
def code_in_words() -> str:
    """Return what results depend on besides their inputs: versions, and a digest of the sources.

    Example:
        >>> code_in_words().partition(" (")[0] == f"workloadlab {__version__}"
        True
    """
    digest, package = sha256(), Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)} ".encode())
        digest.update(path.read_bytes())
    made_of = ", ".join(f"{name} {_installed(name)}" for name in COMPUTING)
    python = ".".join(platform.python_version_tuple()[:2])
    return f"workloadlab {__version__} (code {digest.hexdigest()[:8]}, Python {python}, {made_of})"


def facts() -> dict[str, Any]:
    """Return versions, cores, memory and extras.

    Example:
        >>> sorted(facts())
        ['cores', 'extras', 'libraries', 'machine', 'memory_gb', 'python', 'system', 'workloadlab']
    """
    return {
        "workloadlab": _installed("workloadlab"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory_bytes() / 1e9, 1),
        "libraries": {name: _installed(name) for name in _required()},
        "extras": {extra: _installed(name) for extra, name in EXTRAS.items()},
    }


def memory_bytes() -> int:
    """Return the memory that this process may use: of the machine, or of its container."""
    pages: int = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(name) as stream:  # noqa: PTH123  a pseudo file
                pages = min(pages, int(stream.read()))
        except (OSError, ValueError):
            continue
    return pages


def _required() -> list[str]:
    """Return the libraries that are installed with workloadlab."""
    try:
        lines = requires("workloadlab") or []
    except PackageNotFoundError:
        lines = []
    core = [line for line in lines if "extra ==" not in line]
    return sorted(line.split(">")[0].split("=")[0].split("<")[0].strip() for line in core)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
