"""How many different numbers there are, counted on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Distinct"]


class Distinct:
    """Numbers of 64 bits that look drawn, in files by their last digits.

    Args:
        folder: where the files are made.
        files: how many.
        stack: closes them.
    """

    def __init__(self, folder: Path, files: int, stack: ExitStack) -> None:
        self.paths = [folder / f"distinct{k}.bin" for k in range(files)]
        self.open = [stack.enter_context(path.open("wb")) for path in self.paths]

    def add(self, numbers: NDArray[np.uint64]) -> None:
        """Write numbers down, in any order; equal ones of one call are written once."""
        once = _once(numbers)
        places = once % np.uint64(len(self.open))
        order = np.argsort(places, kind="stable")
        edges = np.searchsorted(places[order], np.arange(len(self.open) + 1, dtype=np.uint64))
        for file, a, b in zip(self.open, edges, edges[1:], strict=False):
            file.write(once[order[a:b]].tobytes())

    def count(self) -> int:
        """Return how many there are, once the files are closed."""
        return sum(len(_once(np.fromfile(path, np.uint64))) for path in self.paths)


def _once(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each number once, ascending; `np.unique` would hash them, ten times as slow."""
    ascending = np.sort(numbers)
    first = np.ones(len(ascending), np.bool_)
    first[1:] = ascending[1:] != ascending[:-1]
    once: NDArray[np.uint64] = ascending[first]
    return once
