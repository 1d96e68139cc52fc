"""How many sessions are live at a time: births and deaths on disk, met in the order of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LiveFiles"]


@dataclass
class LiveFiles:
    """Moments at which something is born or dies, each kind ascending in files of its own.

    Attributes:
        folder: where they are.
        files: those that were written.
    """

    folder: Path
    files: list[tuple[Path, Path]] = field(default_factory=list)

    def add(self, born: NDArray[np.int64], died: NDArray[np.int64]) -> None:
        """Write down births and deaths, in any order."""
        paths = []
        for kind, moments in (("born", born), ("died", died)):
            paths.append(self.folder / f"{kind}{len(self.files)}.npy")
            np.save(paths[-1], np.sort(moments))
        self.files.append((paths[0], paths[1]))

    def peak(self, edges: Iterable[int]) -> int:
        """Return the most that live at a time; who dies at a moment is there for who is born then.

        Args:
            edges: moments, ascending; what lies between two of them is held in memory at once.
        """
        held = [[np.load(path, mmap_mode="r") for path in pair] for pair in self.files]
        level = most = 0
        ends = [np.iinfo(np.int64).min, *edges, np.iinfo(np.int64).max]
        for start, stop in pairwise(ends):
            born, died = (
                np.sort(np.concatenate([_between(pair[kind], start, stop) for pair in held]))
                for kind in (0, 1)
            )
            if len(born):
                there = np.arange(1, len(born) + 1) - np.searchsorted(died, born, side="left")
                most = max(most, level + int(there.max()))
            level += len(born) - len(died)
        return most


def _between(moments: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
    low, high = np.searchsorted(moments, [start, stop]).tolist()
    return np.asarray(moments[low:high])
